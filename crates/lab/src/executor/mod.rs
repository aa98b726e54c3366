//! Where trainings are carried out: here, or on other machines. Who trains is a [`Trainer`](crate::Trainer)'s
//! affair, and the same everywhere.
//!
//! A [`Sweep`](crate::Sweep) says *which* tasks are wanted and what became of each; an executor starts them, as many
//! at a time as it likes, and tells what happens. What a process on another machine is told stands in a
//! [`SweepFolder`]; it is started as `datadiet worker --task N SWEEP`, and its exit code means ([`End::of_exit`]):
//!
//! | exit code | in the store | means |
//! |---|---|---|
//! | 0 | a result, perhaps seen late | done |
//! | 1 | a failure on record, or none | failed for good: its last words on standard error are the reason |
//! | 2, 127 | | its machine can carry out nothing: of another version, or without its libraries; lost, once one can |
//! | 3 | a checkpoint | stopped: where nobody asked for it, lost |
//! | others, signals, a node that is gone | a checkpoint | lost: started again |
//!
//! Nothing is believed of how a task ended but what the store says: the sweep looks.

mod asked;
pub mod launcher;
pub mod local;
mod plan;
pub mod slurm;

use std::time::Duration;

use datadiet_core::progress::OwnedEvent;
use datadiet_store::worker::{EXIT_MISUNDERSTOOD, EXIT_STOPPED};
use datadiet_store::{SweepFolder, TaskLine};

pub use asked::{Asks, Question};
pub use datadiet_store::Verb;
pub use plan::Plan;

use crate::LabError;
use crate::worker::{EXIT_NOT_STARTED, TrainerError};

/// What an engine is given to do: one training or measurement, in a process of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// The run, or the measurement.
    pub id: String,
    /// Its line in the `tasks.txt` of [`Executor::sweep_folder`], from 0; without one, a number of its own.
    pub index: usize,
    /// What is done to it.
    pub verb: Verb,
    /// What it needs of a machine.
    pub needs: Needs,
}

impl Task {
    /// As it stands in `tasks.txt`.
    pub fn line(&self) -> TaskLine {
        TaskLine { verb: self.verb, id: self.id.clone() }
    }
}

/// What a task needs of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Processors.
    pub cpus: u32,
    /// GPUs.
    pub gpus: u32,
    /// Memory, MiB; 0 where nobody knows.
    pub memory_mib: u64,
}

/// How a task ended, as far as the executor knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Its process said that it is done.
    Done,
    /// For good, for this reason: others may do better.
    Failed(String),
    /// It can carry out nothing, for this reason: the whole command ends.
    Unusable(String),
    /// As asked; what it saved is there.
    Stopped,
    /// Its process or its machine is gone, or stopped unasked: it is started again.
    Lost(String),
}

impl End {
    /// What the exit code of a `datadiet worker` means; `told` is the end of its standard error. Whether anybody asked
    /// it to stop (`asked`) the engine knows.
    pub fn of_exit(code: Option<i32>, told: &str, asked: bool) -> Self {
        let told = told.trim();
        let told = told.strip_prefix("error: ").unwrap_or(told);
        let or = |otherwise: &str| if told.is_empty() { otherwise } else { told }.to_owned();
        match code.and_then(|code| u8::try_from(code).ok()) {
            Some(0) => Self::Done,
            Some(1) => Self::Failed(or("it wrote no reason")),
            Some(EXIT_MISUNDERSTOOD | EXIT_NOT_STARTED) => {
                Self::Unusable(or("it cannot train, and wrote no reason"))
            }
            Some(EXIT_STOPPED) if asked => Self::Stopped,
            Some(EXIT_STOPPED) => Self::Lost("it was stopped, its state saved".into()),
            _ if asked => Self::Stopped,
            Some(code) => Self::Lost(or(&format!("it ended with exit code {code}"))),
            None => Self::Lost(or("it was killed")),
        }
    }

    /// The same at a `place` of several, one of which answered that it can train: that another can carry out nothing
    /// is that machine's affair, and the task is started again.
    fn of_one_machine(self, place: &str) -> Self {
        match self {
            Self::Unusable(reason) if place.is_empty() => Self::Lost(reason),
            Self::Unusable(reason) => Self::Lost(format!("{place} cannot train: {reason}")),
            other => other,
        }
    }
}

impl From<TrainerError> for End {
    fn from(error: TrainerError) -> Self {
        match error {
            TrainerError::Failed(reason) => Self::Failed(reason),
            TrainerError::Unusable(reason) => Self::Unusable(reason),
            TrainerError::Stopped => Self::Stopped,
            TrainerError::Lost(reason) => Self::Lost(reason),
        }
    }
}

/// What an executor tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Happened {
    /// A task's process has begun.
    Started {
        /// The task.
        id: String,
        /// Where, for a person: `n2, job 17_3`; empty for this machine.
        place: String,
    },
    /// A task's process told something, of a task without a name.
    Told {
        /// The task.
        id: String,
        /// What.
        event: OwnedEvent,
    },
    /// A task's process is no more. Every task that was started ends once, unless the executor fails.
    Ended {
        /// The task.
        id: String,
        /// How.
        how: End,
    },
}

/// Variables that say something of this process alone: tasks on other machines are not given them.
const OF_THIS_PROCESS: [&str; 5] = [
    "DATADIET_RUN",
    "DATADIET_PYTHON",
    "DATADIET_CHECKPOINT_EVERY",
    "DATADIET_HOST",
    "DATADIET_JOB",
];

/// Seconds after which what a process on another machine has written is no longer waited for, for tests.
const PATIENCE: &str = "DATADIET_PATIENCE";

/// How late a file that another machine wrote may be seen here.
pub fn patience() -> Duration {
    let seconds = std::env::var(PATIENCE).ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(60))
}

/// Carries out tasks somewhere.
pub trait Executor: Sync {
    /// How many it wants to be given at once, at least 1.
    fn at_a_time(&self) -> usize;

    /// Starts tasks, and returns soon. An id may be started again after it ended.
    ///
    /// # Errors
    /// When nothing can be started: the whole command ends.
    fn start(&self, tasks: &[Task]) -> Result<(), LabError>;

    /// What happened, the oldest first; none when nothing did for as long as `wait`.
    ///
    /// # Errors
    /// When it has lost touch with whatever carries out tasks: the whole command ends.
    fn next(&self, wait: Duration) -> Result<Option<Happened>, LabError>;

    /// Saves and ends what can be. Tasks that go on without this process may do so; all end for this sweep, as
    /// [`End::Stopped`] or otherwise, and are told by [`next`](Self::next).
    fn stop(&self);

    /// Whether its tasks go on when this process stops.
    fn goes_on(&self) -> bool {
        false
    }

    /// Where its tasks are written down before they are started; none where this process carries them out.
    fn sweep_folder(&self) -> Option<&SweepFolder> {
        None
    }

    /// How late the result of a task that is done may be seen here: file systems of several machines remember that a
    /// file was not there.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }
}
