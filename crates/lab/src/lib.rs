//! Experiments: many runs, their failures, and what they say together.
//!
//! This crate does not train. It asks a [`Trainer`] to, which in the program is a worker process
//! ([`WorkerProcess`]) and in tests a fake, so that scheduling, failure and resumption are tested
//! without libtorch.

mod aggregate;
mod reporter;
mod score_job;
mod sweep;
mod worker;

pub use aggregate::{ColumnSummary, ScoreTable, TimePoint, aggregate, column_name};
pub use reporter::{Reporter, Silent};
pub use score_job::{ScoreJob, ScoreOutcome};
pub use sweep::{Ended, Failure, Job, Sweep};
pub use worker::{EXIT_STOPPED, Trainer, WorkerEvent, WorkerProcess};

/// An error that ends a whole job; failures of single runs are recorded instead.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] datadiet_store::StoreError),
    /// A statistic cannot be computed.
    #[error(transparent)]
    Statistics(#[from] datadiet_core::StatsError),
    /// The job makes no sense.
    #[error("{0}")]
    Plan(String),
}
