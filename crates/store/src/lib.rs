//! What datadiet keeps on disk: run specifications and run folders; and the catalogue of the networks
//! that a specification may name.
//!
//! A *run* is one training, described completely by a [`RunSpec`]; its [`RunId`] is a hash of the
//! specification, so the same specification never trains twice. Everything is written aside,
//! synced and renamed, and the completion marker goes last: a reader never sees half a file, and a
//! killed run is recognised as unfinished.
//!
//! ```text
//! <store>/STORE                          layout version
//! <store>/lists/<sha-256>.parquet        ids of a subset, or labels, that runs refer to
//! <store>/runs/<run id>/spec.json        the resolved specification, saved before the first step
//!                      /lock             held while a worker trains; names the holder
//!                      /checkpoint.safetensors   newest state to resume from
//!                      /scores/<step>.parquet    scores of every example after <step> steps
//!                      /weights/<step>.safetensors   weights and momentum after <step> steps
//!                      /result.json      accuracies, counts, seconds: written last, marks completion
//!                      /failure.json     why a run failed (its loss became NaN, say)
//! <store>/measurements/<id>/measurement.json   what is measured on kept weights
//!                          /result.json        what came of it
//! ```

pub mod catalogue;
mod error;
mod lists;
mod measurement;
mod run_folder;
mod run_id;
mod spec;
mod store;
pub mod worker;

pub use error::StoreError;
pub use lists::ListRef;
pub use measurement::{KernelDistance, Line, Measured, Measurement, MeasurementFolder, Risks};
pub use run_folder::{RunFailure, RunFolder, RunLock, RunResult, RunStatus, TimedAccuracy};
pub use run_id::RunId;
pub use spec::{
    Augmentation, DeviceKind, Labels, LearningRate, NetworkSpec, Precision, Recording, RunSpec,
    Schedule, Spawn, Subset,
};
pub use store::Store;
