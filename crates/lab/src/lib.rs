//! Experiments: many runs, their failures, and what they say together.
//!
//! ```text
//! TOML or values ── ExperimentOptions ── Experiment::new(…, data set) ── run(sweep) ── outcome.json, tables, report
//! ```
//!
//! This crate does not train. It asks a [`Trainer`] to, which in the program is a worker process ([`WorkerProcess`])
//! or a program of the user's ([`Program`]) and in tests a fake, so that scheduling, failure and resumption are
//! tested without libtorch. Where that happens is an [`executor`]'s affair. What is asked of trained networks are
//! studies ([`study::Study`]), a file each.

mod aggregate;
mod by_class;
mod data;
mod defaults_to;
mod effort;
pub mod executor;
mod experiment;
pub mod ledger;
pub mod lists;
mod on;
pub mod options;
mod program;
pub mod python;
mod refuse;
mod resources;
mod results;
mod retraining;
mod scene;
mod scenes;
mod scoring;
mod spread;
pub mod study;
mod sweep;
pub mod text;
mod training;
mod worker;

pub use aggregate::aggregate;
pub use by_class::ByClass;
pub use data::{DeclaredExamples, ExamplesOption, TrainingData};
pub use defaults_to::DefaultsTo;
pub use effort::{Effort, Speed};
pub use experiment::{
    CompletedExperiment, Experiment, ExperimentCost, ExperimentOptions, ExperimentOutcome,
    SceneOutcome, Studies, experiment_sections,
};
pub use on::{Memory, OnOptions, Place, SlurmOptions};
pub use program::{Examples, Program, changed_since};
pub use resources::Resources;
pub use results::Results;
pub use retraining::{Fixed, Retraining};
pub use scene::{Scene, Scored, ScoredScene};
pub use scenes::{Labelling, OtherNetwork, Scenes, Variation};
pub use scoring::ScoringOptions;
pub use spread::{Spread, metric_name};
pub use sweep::{Failure, Job, MeasurementJob, RunOutcome, Sweep};
pub use training::{
    AboutProgram, DeviceChoice, OrNone, PrecisionChoice, ProgramOption, Recipe, ScheduleKind,
    Training, TrainingOptions, Width, amount, length, positive, settings, taken,
};
pub use worker::{STOPPED_BY_HAND, Trainer, TrainerError, WorkerProcess, find_libraries};

/// An error that ends a whole job; failures of single runs are recorded instead.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] datadiet_store::StoreError),
    /// A table cannot be read or made.
    #[error(transparent)]
    Table(#[from] datadiet_table::TableError),
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] datadiet_table::FileError),
    /// Labels cannot be changed as asked.
    #[error(transparent)]
    Noise(#[from] datadiet_data::LabelNoiseError),
    /// There is no such network, or it does not suit the images.
    #[error(transparent)]
    Network(#[from] datadiet_store::catalogue::NetworkError),
    /// There is no such score.
    #[error(transparent)]
    Score(#[from] datadiet_core::ParseScoreKindError),
    /// A statistic cannot be computed.
    #[error(transparent)]
    Statistics(#[from] datadiet_core::StatsError),
    /// A fraction cannot be kept.
    #[error(transparent)]
    Keep(#[from] datadiet_core::KeepFractionError),
    /// A subset cannot be chosen.
    #[error(transparent)]
    Selection(#[from] datadiet_core::SelectionError),
    /// The trainer can train nothing.
    #[error("{0}")]
    Trainer(String),
    /// Options cannot be read.
    #[error("{}", .0.to_string().trim_end())]
    Options(#[from] toml::de::Error),
    /// Options cannot be laid over others.
    #[error(transparent)]
    Overlay(#[from] toml::ser::Error),
    /// The job makes no sense.
    #[error("{0}")]
    Plan(String),
}
