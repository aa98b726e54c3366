//! Carrying out trainings: where the store is, which workers train, who hears about it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use datadiet_lab::{Reporter, Sweep, WorkerProcess};
use datadiet_store::Store;

use crate::home::HomeArgs;
use crate::interrupt::{self, EXIT_INTERRUPTED, STOP};
use crate::progress::{ProgressArgs, Work};
use crate::training::Training;

/// Options of commands that train.
#[derive(Args, Clone, Copy)]
pub struct ExecutionArgs {
    /// Train runs again whose failure is on record.
    #[arg(long)]
    retry_failed: bool,
    /// Least time between two checkpoints of a run.
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    checkpoint_every: f64,
    #[command(flatten)]
    progress: ProgressArgs,
}

/// Where the program that trains is: where DATADIET_WORKER says, else beside this one.
///
/// # Errors
/// When it is not there, with how to get it.
pub fn worker() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("DATADIET_WORKER").filter(|named| !named.is_empty()) {
        let program = std::path::absolute(&named)?;
        ensure!(
            program.is_file(),
            "DATADIET_WORKER says {}, but no such file is there: name the program datadiet-worker",
            program.display()
        );
        return Ok(program);
    }
    let this = std::env::current_exe().context("cannot find this program's own file")?;
    let program = this.with_file_name(format!("datadiet-worker{}", std::env::consts::EXE_SUFFIX));
    ensure!(
        program.is_file(),
        "training needs {}, which is not there: `make build` in a clone of datadiet makes it, or \
         set DATADIET_WORKER to where you have it",
        program.display()
    );
    Ok(program)
}

/// What is needed to carry out trainings.
pub struct Execution {
    /// Where runs live.
    pub store: Store,
    /// Hears about progress.
    pub reporter: Arc<dyn Reporter + Send + Sync>,
    worker: WorkerProcess,
    workers: usize,
    retry_failed: bool,
}

impl Execution {
    /// Opens the store and prepares workers for trainings like `training`; from now on Ctrl-C stops
    /// at the next step.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn new(
        home: &HomeArgs,
        args: ExecutionArgs,
        training: &Training,
        work: Work,
    ) -> Result<Self> {
        let store = home.store()?;
        training.keep_lists(&store)?;
        let reporter = args.progress.reporter(work);
        interrupt::install(reporter.clone())?;
        let worker = WorkerProcess {
            program: worker()?,
            data_home: home.data()?.path().to_owned(),
            threads: training.template.threads,
            memory: training.memory,
            checkpoint_every: Duration::try_from_secs_f64(args.checkpoint_every)
                .context("--checkpoint-every is a number of seconds, such as 15")?,
            gpus: training.gpus,
        };
        let (workers, retry_failed) = (training.workers, args.retry_failed);
        Ok(Self { store, reporter, worker, workers, retry_failed })
    }

    /// A way to carry out runs.
    pub fn sweep(&self) -> Sweep<'_> {
        Sweep {
            store: &self.store,
            trainer: &self.worker,
            workers: self.workers,
            retry_failed: self.retry_failed,
            stop: &STOP,
            reporter: &*self.reporter,
        }
    }

    /// Takes progress off the screen: nothing more is going to be trained.
    pub fn finish(&self) {
        self.reporter.finished();
    }

    /// What a command answers that was asked to stop.
    pub fn interrupted(&self) -> ExitCode {
        self.finish();
        self.reporter.note("stopped; run the same command again to go on");
        ExitCode::from(EXIT_INTERRUPTED)
    }
}
