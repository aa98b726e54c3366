//! `datadiet worker --probe`: what this machine has, for whoever wants to have tasks carried out on it.

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Result, ensure};
use datadiet_core::isa::Avx512Bf16;
use datadiet_store::{Holder, Probe, SweepFolder, SweepPlan, Trains};

use super::check_version;
use crate::worker::{Named, Worker};

/// Writes the answer into the sweep's folder. Exit code 1 where tasks cannot be carried out here, with the reason on
/// standard error too.
pub fn answer(folder: &SweepFolder, plan: &SweepPlan) -> Result<ExitCode> {
    let problem = looked(folder, plan).err().map(|error| format!("{error:#}"));
    let probe = Probe {
        token: plan.token.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        host: Holder::host_here(),
        problem,
        has_bf16: Avx512Bf16::detect().is_some(),
    };
    folder.write_probe(&probe)?;
    Ok(match &probe.problem {
        Some(problem) => {
            eprintln!("error: {problem}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    })
}

/// Refuses where something of the plan is not here.
fn looked(folder: &SweepFolder, plan: &SweepPlan) -> Result<()> {
    check_version(plan)?;
    // That of a program finds its folder and its labels.
    crate::carrier::trainer(folder, plan)?;
    let (program, torch) = match &plan.trains {
        Trains::Worker { program, torch } => (program, torch),
        Trains::Program { command, .. } => {
            let program = command.first().map_or("", String::as_str);
            ensure!(is_there(program), "there is no program {program} on this machine");
            return Ok(());
        }
    };
    if let Some(home) = &plan.data_home {
        ensure!(
            home.is_dir(),
            "there is no folder of data sets {} on this machine: put them where all machines see them \
             (--data-home, or DATADIET_HOME)",
            home.display()
        );
    }
    let gpus = if plan.gpus > 0 { gpus() } else { 0 };
    ensure!(
        gpus >= plan.gpus,
        "a training needs {} GPU, and nvidia-smi shows {gpus} here: ask for a node with one (gpus in [on])",
        plan.gpus
    );
    Worker::find_or(&Named { program: program.clone(), torch: torch.clone() })?.check()
}

/// Whether a program can be found, as it is started: by its path, else in the folders of PATH.
fn is_there(program: &str) -> bool {
    if Path::new(program).components().count() > 1 {
        return Path::new(program).is_file();
    }
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(&name).is_file())
}

/// How many GPUs of NVIDIA this process may use; none where there is no driver.
fn gpus() -> u32 {
    let mut command = Command::new("nvidia-smi");
    command.args(["--query-gpu=name", "--format=csv,noheader"]).stdin(Stdio::null());
    let output = command.output().ok().filter(|output| output.status.success());
    output.map_or(0, |output| String::from_utf8_lossy(&output.stdout).lines().count() as u32)
}
