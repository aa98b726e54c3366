//! Who trains, and how that is written down for processes on other machines.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, Result};
use datadiet_core::Progress;
use datadiet_lab::executor::Needs;
use datadiet_lab::{
    Examples, Program, Resources, Trainer, TrainerError, TrainingData, WorkerProcess,
};
use datadiet_store::{MeasurementFolder, RunFolder, Store, SweepFolder, SweepPlan, Trains};

use crate::execution::Task;
use crate::home::HomeArgs;
use crate::worker::{Named, Worker};

/// What is trained on, as a program is told it.
pub fn examples_of(data: TrainingData<'_>) -> Examples {
    Examples { labels: data.labels.to_vec(), classes: data.classes.to_vec() }
}

/// What a training needs of a machine.
pub fn needs(resources: Resources) -> Needs {
    let Resources { threads, memory, gpus, .. } = resources;
    Needs { cpus: threads, gpus: u32::from(gpus > 0), memory_mib: memory }
}

/// How the trainings of a command are to be carried out elsewhere. What they need of the store is kept there.
///
/// # Errors
/// When folders cannot be found, or the store cannot be written.
pub fn sweep_plan(
    home: &HomeArgs,
    store: &Store,
    task: &Task<'_>,
    resources: Resources,
    checkpoint_every: Duration,
) -> Result<SweepPlan> {
    let trains = match &task.options.trainer {
        Some(own) => Trains::Program {
            command: own.command.clone(),
            evaluate: own.about.evaluate.clone(),
            cwd: std::env::current_dir().context("the current folder is not there")?,
            labels: store.keep_list(task.data.labels)?,
            classes: task.data.classes.to_vec(),
        },
        None => {
            let Named { program, torch } = Named::by_environment()?;
            Trains::Worker { program, torch }
        }
    };
    let own = matches!(trains, Trains::Worker { .. });
    let Needs { cpus, gpus, .. } = needs(resources);
    Ok(SweepPlan {
        format: SweepPlan::FORMAT,
        token: SweepPlan::new_token()?,
        asked_by: env!("CARGO_PKG_VERSION").into(),
        trains,
        data_home: if own { Some(home.data()?.path().to_owned()) } else { None },
        threads: cpus,
        gpus,
        memory: resources.memory,
        checkpoint_every: checkpoint_every.as_secs_f64(),
    })
}

/// How networks of our own are trained elsewhere, for machines that are asked whether they can.
///
/// # Errors
/// When folders cannot be found.
pub fn own_plan(home: &HomeArgs, threads: u32, checkpoint_every: Duration) -> Result<SweepPlan> {
    let Named { program, torch } = Named::by_environment()?;
    Ok(SweepPlan {
        format: SweepPlan::FORMAT,
        token: SweepPlan::new_token()?,
        asked_by: env!("CARGO_PKG_VERSION").into(),
        trains: Trains::Worker { program, torch },
        data_home: Some(home.data()?.path().to_owned()),
        threads,
        gpus: 0,
        memory: 0,
        checkpoint_every: checkpoint_every.as_secs_f64(),
    })
}

/// What carries out the tasks of a sweep here. A program is started in the current folder, which is that of the plan.
///
/// # Errors
/// When the worker is not here, or the labels cannot be read.
pub fn trainer(folder: &SweepFolder, plan: &SweepPlan) -> Result<Box<dyn Trainer>> {
    let checkpoint_every = Duration::try_from_secs_f64(plan.checkpoint_every)
        .context("checkpoint_every of the sweep is no time")?;
    // Which GPU a task sees is for the engine to say, and it is the first of those.
    let resources = Resources { workers: 1, memory: plan.memory, gpus: 0, threads: plan.threads };
    Ok(match &plan.trains {
        Trains::Worker { program, torch } => {
            let named = Named { program: program.clone(), torch: torch.clone() };
            let data_home =
                plan.data_home.clone().context("the sweep names no folder of data sets")?;
            Box::new(OwnWorker::new(
                Worker::find_or(&named)?,
                data_home,
                resources,
                checkpoint_every,
            ))
        }
        Trains::Program { command, evaluate, cwd, labels, classes } => {
            std::env::set_current_dir(cwd).with_context(|| {
                format!(
                    "the trainer is started in {}, which is not there on this machine",
                    cwd.display()
                )
            })?;
            let labels = folder.read_list(labels)?;
            let examples = Examples { labels, classes: classes.clone() };
            let commands = (command.clone(), evaluate.clone());
            Box::new(Program::new(commands, examples, resources, checkpoint_every))
        }
    })
}

/// Our own worker. Whether its libraries are there is asked when there is something to train: what is in the store
/// needs none.
pub struct OwnWorker {
    found: Worker,
    process: WorkerProcess,
    /// What came of asking, once.
    usable: OnceLock<Result<(), TrainerError>>,
}

impl OwnWorker {
    /// The one that was found, on data sets in a folder.
    pub fn new(
        found: Worker,
        data_home: PathBuf,
        resources: Resources,
        checkpoint_every: Duration,
    ) -> Self {
        let process = WorkerProcess {
            libraries: found.libraries(),
            program: found.program.clone(),
            data_home,
            threads: resources.threads,
            memory: resources.memory,
            checkpoint_every,
            gpus: resources.gpus,
        };
        Self { found, process, usable: OnceLock::new() }
    }

    fn checked(&self) -> Result<&WorkerProcess, TrainerError> {
        let check = || self.found.check().map_err(|e| TrainerError::Unusable(e.to_string()));
        self.usable.get_or_init(check).clone()?;
        Ok(&self.process)
    }
}

impl Trainer for OwnWorker {
    fn train(
        &self,
        folder: &RunFolder,
        slot: usize,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<(), TrainerError> {
        self.checked()?.train(folder, slot, stop, progress)
    }

    fn measure(
        &self,
        folder: &MeasurementFolder,
        slot: usize,
        stop: &AtomicBool,
    ) -> Result<(), TrainerError> {
        self.checked()?.measure(folder, slot, stop)
    }
}
