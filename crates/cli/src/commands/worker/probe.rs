//! `datadiet worker --probe`: what this machine has, for whoever wants to have tasks carried out on it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Result, ensure};
use datadiet_core::isa::Avx512Bf16;
use datadiet_store::{Holder, Probe, SweepFolder, SweepPlan, Trains};

use super::check_version;
use crate::worker::{Named, Worker};

/// Writes the answer into the sweep's folder. Exit code 1 where tasks cannot be carried out here, with the reason on
/// standard error too.
pub fn answer(folder: &SweepFolder, plan: &SweepPlan) -> Result<ExitCode> {
    let (problem, torch) = match looked(folder, plan) {
        Ok(torch) => (None, torch),
        Err(error) => (Some(format!("{error:#}")), None),
    };
    let probe = Probe {
        token: plan.token.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        host: Holder::host_here(),
        problem,
        torch,
        has_bf16: Avx512Bf16::detect().is_some(),
        cpu: cpu(),
        cpus: std::thread::available_parallelism().map_or(1, |cpus| cpus.get()),
        gpus: gpus(),
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

/// The PyTorch that a worker here is started with, where it was told one.
fn looked(folder: &SweepFolder, plan: &SweepPlan) -> Result<Option<PathBuf>> {
    check_version(plan)?;
    // That of a program finds its folder and its labels.
    crate::carrier::trainer(folder, plan)?;
    let (program, torch) = match &plan.trains {
        Trains::Worker { program, torch } => (program, torch),
        Trains::Program { command, .. } => {
            let program = command.first().map_or("", String::as_str);
            ensure!(is_there(program), "there is no program {program} on this machine");
            return Ok(None);
        }
    };
    let worker = Worker::find_or(&Named { program: program.clone(), torch: torch.clone() })?;
    worker.check()?;
    Ok(worker.libraries())
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

/// The processor's name.
fn cpu() -> String {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = about.lines().find_map(|line| line.strip_prefix("model name"));
    let name = name.map(|rest| rest.trim_start_matches([' ', '\t', ':']).to_owned());
    name.unwrap_or_else(|| std::env::consts::ARCH.into())
}

/// The names of NVIDIA's GPUs; none where there is no driver.
fn gpus() -> Vec<String> {
    let mut command = Command::new("nvidia-smi");
    command.args(["--query-gpu=name", "--format=csv,noheader"]).stdin(Stdio::null());
    let Ok(output) = command.output() else { return Vec::new() };
    if !output.status.success() {
        return Vec::new();
    }
    String::from_utf8_lossy(&output.stdout).lines().map(|line| line.trim().to_owned()).collect()
}
