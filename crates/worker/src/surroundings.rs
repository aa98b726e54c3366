//! What both of the worker's commands are told about the machine, and how they are stopped.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use clap::Args;
use datadiet_store::StoreError;
use datadiet_store::worker::EXIT_STOPPED;

/// Options that change no result.
#[derive(Args)]
pub struct SurroundingArgs {
    /// Folder of the data sets.
    #[arg(long, value_name = "DIR")]
    pub data_home: PathBuf,
    /// Index of the GPU, for a run that wants one.
    #[arg(long, default_value_t = 0)]
    pub gpu: usize,
    /// Memory that gradients and kernels may use, MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub memory: usize,
    /// Version of the `datadiet` that asks: another version than this one is refused.
    #[arg(long, value_name = "VERSION")]
    asked_by: Option<String>,
}

impl SurroundingArgs {
    /// Refuses a caller of another version.
    ///
    /// # Errors
    /// With what to do.
    pub fn check_version(&self) -> Result<(), String> {
        const VERSION: &str = env!("CARGO_PKG_VERSION");
        match &self.asked_by {
            Some(version) if version != VERSION => Err(format!(
                "it is of version {VERSION} but datadiet of version {version}; install both of the \
                 same version, or set DATADIET_WORKER to the datadiet-worker of {version}"
            )),
            _ => Ok(()),
        }
    }
}

/// A flag that is set when standard input closes, as it does when the parent lets go or dies.
///
/// # Errors
/// When signals cannot be handled.
pub fn stopped_by_parent() -> Result<&'static AtomicBool> {
    static STOP: AtomicBool = AtomicBool::new(false);
    // Ctrl-C in a terminal reaches the whole group, the parent too; `kill` reaches this one alone.
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed))?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        STOP.store(true, Ordering::Relaxed);
    });
    Ok(&STOP)
}

/// What to answer where another process has what is asked for: that is no failure, and whoever asked waits for it, or
/// asks again.
pub fn held(error: &StoreError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(EXIT_STOPPED)
}
