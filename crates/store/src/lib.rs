//! What datadiet keeps on disk: run specifications and run folders; and the catalogue of the networks
//! that a specification may name.
//!
//! A *run* is one training, described completely by a [`RunSpec`]; its [`RunId`] is a hash of the
//! specification, so the same specification never trains twice. Everything is written aside,
//! synced and renamed, and the completion marker goes last: a reader never sees half a file, and a
//! killed run is recognised as unfinished. Whatever is being written or removed has a name that
//! begins with `.aside-`, and is not part of the store.
//!
//! ```text
//! <store>/STORE                          layout version
//! <store>/lock                           shared by all who use the store, held alone to clean it up
//! <store>/lists/<sha-256>.parquet        ids of a subset, or labels, that runs refer to
//! <store>/runs/<run id>/spec.json        the resolved specification, saved before the first step
//!                      /lease.json       who trains it, where, since when; renewed while it does
//!                      /lock             locked by the holder, for other processes of its machine
//!                      /progress.json    how far the holder is
//!                      /stop             asks the holder to save and go
//!                      /checkpoint.safetensors   newest state to resume from
//!                      /scores/<step>.parquet    scores of every example after <step> steps
//!                      /weights/<step>.safetensors   weights and momentum after <step> steps
//!                      /result.json      accuracies, counts, seconds: written last, marks completion
//!                      /failure.json     why a run failed (its loss became NaN, say)
//!                      /log.txt          what a program of the user's wrote while it trained
//! <store>/measurements/<id>/measurement.json   what is measured on kept weights
//!                          /result.json        what came of it
//! <store>/sweeps/<id>/sweep.json, tasks.txt    what processes on other machines carry out
//! ```

pub mod catalogue;
mod error;
mod garbage;
mod lease;
mod lists;
mod measurement;
pub mod program;
mod random;
mod run_folder;
mod run_id;
mod spec;
mod store;
mod store_lock;
mod sweep_folder;
mod trainer_spec;
pub mod worker;
mod written;

pub use error::StoreError;
pub use garbage::{Cleaner, Garbage, Unused, UnusedKind};
pub use lease::{Fence, Holder, Lease, LeaseWatch, Over, RunProgress, Telling, job_of_environment};
pub use lists::ListRef;
pub use measurement::{KernelDistance, Line, Measured, Measurement, MeasurementFolder, Risks};
pub use run_folder::{RunFailure, RunFolder, RunResult, RunStatus, TimedAccuracy};
pub use run_id::{RunId, short_digest};
pub use spec::{
    Activation, Augmentation, DeviceKind, Flip, Labels, LearningRate, Lookahead, Muon, NetworkSpec,
    Precision, Recording, RunSpec, Schedule, Spawn, Subset, Views,
};
pub use store::Store;
pub use sweep_folder::{Probe, SweepFolder, SweepPlan, TaskLine, Trains, Verb};
pub use trainer_spec::{Metric, TrainerSpec};
