//! The program that trains, and PyTorch's libraries for it.

use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Result, bail, ensure};
use datadiet_lab::find_libraries;

use crate::torch::{self, Found, Torch};

/// `datadiet-worker`, and the PyTorch that it is started with.
#[derive(Debug)]
pub struct Worker {
    /// The program.
    pub program: PathBuf,
    torch: Found,
}

impl Worker {
    /// The one to train with: where DATADIET_WORKER says, else beside this program.
    ///
    /// # Errors
    /// When it is not there, with how to get it, or DATADIET_TORCH names no PyTorch.
    pub fn find() -> Result<Self> {
        Self::find_or(&Named::default())
    }

    /// The same, with what stands for the variables where they are not set.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub fn find_or(otherwise: &Named) -> Result<Self> {
        let Named { program, torch } = Named::by_environment()?;
        let program = program.or_else(|| otherwise.program.clone());
        let torch = torch.or_else(|| otherwise.torch.clone());
        let program = match program {
            Some(named) => named_program(named)?,
            None => {
                let program = beside_this()?;
                ensure!(
                    program.is_file(),
                    "training needs {}, which is not there: wheels of `make dist` have it, `make \
                     build` in a clone of datadiet makes it, or set DATADIET_WORKER to where you \
                     have it",
                    program.display()
                );
                program
            }
        };
        let torch = torch::find_or(torch)?;
        if let Some(fitting) = &torch.fitting {
            ensure!(
                std::env::join_paths([fitting.libraries()]).is_ok(),
                "PyTorch is in {}, whose name the system's loader cannot be told (it separates \
                 folders by what is in it); move it, or name another in {}",
                fitting.folder.display(),
                torch::VARIABLE
            );
        }
        Ok(Self { program, torch })
    }

    /// Folder of PyTorch's libraries; none if it has to know that itself, as one that was built here does.
    pub fn libraries(&self) -> Option<PathBuf> {
        self.torch.fitting.as_ref().map(Torch::libraries)
    }

    /// Finds out whether its libraries are there.
    ///
    /// # Errors
    /// When they are not, with what to type.
    pub fn check(&self) -> Result<()> {
        let program = self.program.display();
        let mut command = Command::new(&self.program);
        find_libraries(&mut command, self.libraries().as_deref());
        if cfg!(target_os = "linux") {
            // The loader finds the libraries, tells them and ends: loading them takes half a second.
            command.env("LD_TRACE_LOADED_OBJECTS", "1");
        }
        let Ok(answer) = command.arg("--version").stdin(Stdio::null()).output() else {
            // That is told where it is to train: what is stored needs no worker.
            return Ok(());
        };
        if was_killed(answer.status) {
            // That says nothing of it, either.
            return Ok(());
        }
        let told = String::from_utf8_lossy(&answer.stdout);
        let errors = String::from_utf8_lossy(&answer.stderr);
        let missing = told.lines().find(|line| line.contains("not found"));
        let loaded = told.lines().find_map(|line| line.trim().strip_prefix("libtorch_cpu.so => "));
        let wrong = loaded.and_then(Torch::of_library).filter(|torch| !torch.fits());
        if answer.status.success() && missing.is_none() && wrong.is_none() {
            return Ok(());
        }
        let wrong =
            wrong.map(|torch| format!("{} {}", torch.folder.display(), torch::unfit(&torch)));
        // Of a library that is damaged the loader says so among what it found, or to standard error.
        let mut lines = told.lines().chain(errors.lines());
        let last = lines.rfind(|line| line.contains("error"));
        let told = wrong.as_deref().or(missing).or(last).unwrap_or(&errors).trim();
        if let Some(torch) = &self.torch.fitting {
            bail!(
                "{program} does not start with the libraries in {} ({told}): {}, or name another PyTorch \
                 {} in {}",
                torch.libraries().display(),
                if torch.is_private() {
                    "type `datadiet setup`, which gets them again"
                } else {
                    "install that PyTorch again"
                },
                torch::VERSION,
                torch::VARIABLE
            );
        }
        let others = self.torch.others.iter();
        let others: Vec<String> = others
            .map(|torch| format!("; {} {}", torch.folder.display(), torch::unfit(torch)))
            .collect();
        bail!(
            "{program} finds no PyTorch {} ({told}{}): type `datadiet setup`, which gets its libraries \
             into a folder of datadiet's own and says before how large they are, or name the folder of \
             one that you have in {}",
            torch::VERSION,
            others.concat(),
            torch::VARIABLE
        );
    }
}

/// Whether somebody ended a process, and not what it did, as with a library that is damaged.
#[cfg(unix)]
fn was_killed(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    /// SIGHUP, SIGINT, SIGKILL and SIGTERM, whose numbers are the same everywhere.
    const FROM_OUTSIDE: [i32; 4] = [1, 2, 9, 15];
    status.signal().is_some_and(|signal| FROM_OUTSIDE.contains(&signal))
}

#[cfg(not(unix))]
fn was_killed(_: ExitStatus) -> bool {
    false
}

/// What DATADIET_WORKER and DATADIET_TORCH name, absolute.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// The program.
    pub program: Option<PathBuf>,
    /// A folder of PyTorch.
    pub torch: Option<PathBuf>,
}

impl Named {
    /// As they are set here.
    ///
    /// # Errors
    /// When the current folder is not there.
    pub fn by_environment() -> Result<Self> {
        let get = |name: &str| -> Result<Option<PathBuf>> {
            let named = std::env::var_os(name).filter(|named| !named.is_empty());
            Ok(named.map(std::path::absolute).transpose()?)
        };
        Ok(Self { program: get("DATADIET_WORKER")?, torch: get(torch::VARIABLE)? })
    }
}

fn named_program(program: PathBuf) -> Result<PathBuf> {
    ensure!(
        program.is_file(),
        "DATADIET_WORKER says {}, but no such file is there: name the program datadiet-worker",
        program.display()
    );
    Ok(program)
}

fn beside_this() -> Result<PathBuf> {
    let this = torch::this_program()?;
    Ok(this.with_file_name(format!("datadiet-worker{}", std::env::consts::EXE_SUFFIX)))
}
