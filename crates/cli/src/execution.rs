//! Carrying out trainings: where the store is, which workers train, who hears about it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use datadiet_data::Dataset;
use datadiet_lab::{
    DeclaredExamples, Failure, Program, Resources, Sweep, Trainer, TrainingData, TrainingOptions,
    WorkerProcess, changed_since, taken,
};
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

impl ExecutionArgs {
    fn checkpoint_every(self) -> Result<Duration> {
        Duration::try_from_secs_f64(self.checkpoint_every)
            .context("--checkpoint-every is a number of seconds, such as 15")
    }
}

/// What is needed to carry out trainings.
pub struct Execution {
    /// Where runs live.
    pub store: Store,
    /// Hears about progress.
    pub reporter: Arc<Drawer>,
    trainer: Box<dyn Trainer>,
    workers: usize,
    retry_failed: bool,
}

/// What is trained on.
pub enum Opened {
    /// A data set that was imported.
    Imported(Dataset),
    /// Examples that only a trainer of the user's can load.
    Declared(DeclaredExamples),
}

impl Opened {
    /// As studies look at it.
    pub fn data(&self) -> TrainingData<'_> {
        match self {
            Self::Imported(dataset) => dataset.into(),
            Self::Declared(examples) => examples.data(),
        }
    }

    /// The data set, where it was imported.
    pub fn images(&self) -> Option<&Dataset> {
        match self {
            Self::Imported(dataset) => Some(dataset),
            Self::Declared(_) => None,
        }
    }
}

/// Opens what options say is trained on.
///
/// # Errors
/// When they name nothing or two things, or it is not there.
pub fn open(home: &HomeArgs, options: &TrainingOptions) -> Result<Opened> {
    if let Some(examples) = &options.examples {
        ensure!(
            options.data.is_none(),
            "--data and --train-examples both say what is trained on: give one of them"
        );
        return Ok(Opened::Declared(DeclaredExamples::read(examples)?));
    }
    ensure!(
        options.data.is_some() || options.trainer.is_none(),
        "which examples does the trainer train on? Give --train-examples FILE with the label of each, or \
         --data NAME for a data set that was imported"
    );
    let name = options.data.as_deref().context(
        "which data set? Give --data NAME; `datadiet data list` shows what there is, `datadiet \
         data fetch cifar10` gets one",
    )?;
    Ok(Opened::Imported(Dataset::open(&home.data()?, name)?))
}

/// What a command is going to train.
pub struct Task<'a> {
    /// The options, which say what part of the machine trains.
    pub options: &'a TrainingOptions,
    /// A training.
    pub template: &'a RunSpec,
    /// What it trains on.
    pub data: TrainingData<'a>,
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
        let workers = resources.workers;
        let trainer: Box<dyn Trainer> = match &task.options.trainer {
            Some(own) => {
                Box::new(Program::new(own, task.data, resources, args.checkpoint_every()?))
            }
            None => Box::new(worker(home, args, resources)?),
        };
        let work = Work { steps: task.steps, batch: task.template.schedule.batch };
        let reporter = Arc::new(args.progress.drawer(Some(work)));
        interrupt::install(reporter.clone())?;
        let own = task.template.trainer.as_ref();
        own.and_then(|own| changed_since(&store, own)).iter().for_each(|note| reporter.note(note));
        Ok(Self { store, reporter, trainer, workers, retry_failed: args.retry_failed })
    }

    /// A way to carry out runs.
    pub fn sweep(&self) -> Sweep<'_> {
        Sweep {
            store: &self.store,
            trainer: &*self.trainer,
            workers: self.workers,
            retry_failed: self.retry_failed,
            stop: &STOP,
            progress: &*self.reporter,
        }
    }
}

/// Our own worker, once it is known to start.
fn worker(home: &HomeArgs, args: ExecutionArgs, resources: Resources) -> Result<WorkerProcess> {
    let found = Worker::find()?;
    found.check()?;
    Ok(WorkerProcess {
        libraries: found.libraries(),
        program: found.program,
        data_home: home.data()?.path().to_owned(),
        threads: resources.threads,
        memory: resources.memory,
        checkpoint_every: args.checkpoint_every()?,
        gpus: resources.gpus,
    })
}
