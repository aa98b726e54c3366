//! Experiments: many runs, their failures, and what they say together.
//!
//! This crate does not train. It asks a [`Trainer`] to, which in the program is a worker process
//! ([`WorkerProcess`]) and in tests a fake, so that scheduling, failure and resumption are tested
//! without libtorch.

mod aggregate;
mod experiment;
mod finished;
pub mod ledger;
pub mod pages;
mod reporter;
pub mod retraining;
mod scene;
mod score_job;
mod search;
mod spread;
pub mod study;
mod sweep;
mod worker;

pub use aggregate::aggregate;
pub use experiment::{Done, Experiment, ExperimentCost, ExperimentOutcome, SceneOutcome};
pub use finished::Finished;
pub use reporter::{Reporter, Silent};
pub use retraining::{Fixed, Retraining};
pub use scene::{Scene, Scored};
pub use score_job::{ScoreJob, ScoreOutcome};
pub use search::{Arm, Finals, Rung, RungOutcome, SearchOptions, SearchOutcome, SearchPlan};
pub use spread::Spread;
pub use sweep::{Ended, Failure, Job, MeasureEnded, MeasureJob, Sweep};
pub use worker::{
    EXIT_MISUNDERSTOOD, EXIT_STOPPED, Trainer, TrainerError, WorkerEvent, WorkerProcess,
};

/// An error that ends a whole job; failures of single runs are recorded instead.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] datadiet_store::StoreError),
    /// A table lacks a column, or cannot be read or written.
    #[error(transparent)]
    Table(#[from] datadiet_table::TableError),
    /// A statistic cannot be computed.
    #[error(transparent)]
    Statistics(#[from] datadiet_core::StatsError),
    /// A subset cannot be chosen.
    #[error(transparent)]
    Selection(#[from] datadiet_core::SelectionError),
    /// The trainer can train nothing.
    #[error("{0}")]
    Trainer(String),
    /// The job makes no sense.
    #[error("{0}")]
    Plan(String),
}
