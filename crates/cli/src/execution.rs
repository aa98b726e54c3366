//! Carrying out trainings: where the store is, which workers train, who hears about it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Args;
use datadiet_data::Dataset;
use datadiet_lab::{Failure, Resources, Sweep, TrainingOptions, WorkerProcess, taken};
use datadiet_store::{RunSpec, Store};
use serde::Serialize;
use serde_json::Value;

use crate::home::HomeArgs;
use crate::interrupt::{self, EXIT_INTERRUPTED, STOP};
use crate::output::{OutputArgs, check_writable};
use crate::progress::{Drawer, ProgressArgs, Work};
use crate::worker::Worker;

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

/// What is needed to carry out trainings.
pub struct Execution {
    /// Where runs live.
    pub store: Store,
    /// Hears about progress.
    pub reporter: Arc<Drawer>,
    worker: WorkerProcess,
    workers: usize,
    retry_failed: bool,
}

/// Opens the data set that options name.
///
/// # Errors
/// When they name none, or there is none of that name.
pub fn open(home: &HomeArgs, options: &TrainingOptions) -> Result<Dataset> {
    let name = options.data.as_deref().context(
        "which data set? Give --data NAME; `datadiet data list` shows what there is, `datadiet \
         data fetch cifar10` gets one",
    )?;
    Ok(Dataset::open(&home.data()?, name)?)
}

/// What a command is going to train.
pub struct Task<'a> {
    /// The options, which say what part of the machine trains.
    pub options: &'a TrainingOptions,
    /// A training.
    pub template: &'a RunSpec,
    /// Training examples.
    pub examples: usize,
    /// What is done, for the line that tells it.
    pub what: String,
    /// Steps of all trainings together.
    pub steps: u64,
    /// Folder for the results.
    pub out: Option<&'a Path>,
    /// What would be done, where that is all that is asked.
    pub plan: Option<Value>,
}

/// What a command answers.
pub struct Answer<T> {
    /// For programs.
    pub value: T,
    /// For people.
    pub text: String,
    /// Runs that failed.
    pub failed: Vec<Failure>,
}

/// What all commands that train do, in order: tell what is going to be trained, find out whether
/// results can be written, `work` (none when it was stopped), answer, tell what failed.
///
/// # Errors
/// When the machine is too small for the options, the folder or the store cannot be written, or the
/// work fails.
pub fn carry_out<T: Serialize>(
    home: &HomeArgs,
    args: ExecutionArgs,
    output: OutputArgs,
    task: &Task<'_>,
    work: impl FnOnce(&Execution) -> Result<Option<Answer<T>>>,
) -> Result<ExitCode> {
    let resources = Resources::new(task.options, task.template)?;
    let headline = resources.headline(task.template, task.examples);
    let headline = format!("{headline} · {}\n{}", task.what, taken(task.options, task.template));
    if let Some(plan) = &task.plan {
        output.answer(plan, || headline)?;
        return Ok(ExitCode::SUCCESS);
    }
    task.out.map_or(Ok(()), check_writable)?;
    let execution = Execution::new(home, args, task, resources)?;
    let reporter = &execution.reporter;
    reporter.note(&headline);
    let answer = work(&execution);
    reporter.finish();
    let Some(Answer { value, text, failed }) = answer? else {
        reporter.note("stopped; run the same command again to go on");
        return Ok(ExitCode::from(EXIT_INTERRUPTED));
    };
    output.answer(&value, || text)?;
    for failure in &failed {
        reporter.failed(&failure.name, &failure.reason);
    }
    if failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    reporter.note(&format!("error: {} failed; the results are without them", failed.len()));
    Ok(ExitCode::FAILURE)
}

impl Execution {
    /// Opens the store and prepares workers; from now on Ctrl-C stops at the next step.
    fn new(
        home: &HomeArgs,
        args: ExecutionArgs,
        task: &Task<'_>,
        resources: Resources,
    ) -> Result<Self> {
        let store = home.store()?;
        let Resources { workers, memory, gpus } = resources;
        let found = Worker::find()?;
        found.check()?;
        let worker = WorkerProcess {
            libraries: found.libraries(),
            program: found.program,
            data_home: home.data()?.path().to_owned(),
            threads: task.template.threads,
            memory,
            checkpoint_every: Duration::try_from_secs_f64(args.checkpoint_every)
                .context("--checkpoint-every is a number of seconds, such as 15")?,
            gpus,
        };
        let work = Work { steps: task.steps, batch: task.template.schedule.batch };
        let reporter = Arc::new(args.progress.drawer(Some(work)));
        interrupt::install(reporter.clone())?;
        Ok(Self { store, reporter, worker, workers, retry_failed: args.retry_failed })
    }

    /// A way to carry out runs.
    pub fn sweep(&self) -> Sweep<'_> {
        Sweep {
            store: &self.store,
            trainer: &self.worker,
            workers: self.workers,
            retry_failed: self.retry_failed,
            stop: &STOP,
            progress: &*self.reporter,
        }
    }
}
