//! The state of an unfinished run, so that it can go on bit for bit as if it had never stopped.
//!
//! One safetensors file: `param.*`, `buffer.*`, `momentum.*` and, under lookahead, `slow.*` in 32-bit
//! floats, `dynamics.*` in 64-bit floats (as much as the recorded scores need), and the counters as JSON in
//! the metadata. Random streams need no state: each
//! epoch and step derives its own.

use std::collections::HashMap;
use std::path::Path;

use datadiet_core::TrainingDynamics;
use datadiet_store::{StoreError, TimedAccuracy};
use safetensors::tensor::SafeTensors;
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::EngineError;
use crate::recorder::Recorder;
use crate::state_file::{self, Entry, named, named_momentum, named_slow};
use crate::trainer::Trainer;

/// Counters of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counters {
    /// Seconds of training.
    pub(crate) train_seconds: f64,
    /// Seconds of scoring and evaluation.
    pub(crate) score_seconds: f64,
    /// Sum of the losses of the current epoch.
    pub(crate) loss_sum: f64,
    /// Steps in that sum.
    pub(crate) loss_count: u64,
    /// Mean loss of the last whole epoch.
    pub(crate) epoch_loss: Option<f64>,
    /// Largest resident memory of earlier processes, MiB.
    pub(crate) peak_memory_mib: f64,
}

#[derive(Serialize, Deserialize)]
struct Header {
    step: u64,
    images_scored: u64,
    images_differentiated: u64,
    gradient_seconds: f64,
    recorded: Option<u64>,
    test_accuracy: Vec<TimedAccuracy>,
    counters: Counters,
}

/// Writes the state of a run.
pub(crate) fn save(
    path: &Path,
    trainer: &Trainer<'_>,
    recorder: &Recorder<'_>,
    counters: &Counters,
) -> Result<(), StoreError> {
    let header = Header {
        step: trainer.step,
        images_scored: recorder.images_scored,
        images_differentiated: recorder.images_differentiated,
        gradient_seconds: recorder.gradient_seconds,
        recorded: recorder.recorded,
        test_accuracy: recorder.test_accuracy.clone(),
        counters: counters.clone(),
    };
    let header =
        serde_json::to_string(&header).map_err(|error| StoreError::damaged(path, error))?;
    let mut entries: Vec<Entry> = tensors_of(trainer).map(Entry::of).collect();
    for (name, column) in recorder.dynamics.state() {
        entries.push(Entry::column(name.to_owned(), &column));
    }
    state_file::write(path, &entries, Some(HashMap::from([("run".to_owned(), header)])))
}

/// Restores a state saved by [`save`]; gives nothing when there is none.
pub(crate) fn load(
    path: &Path,
    trainer: &mut Trainer<'_>,
    recorder: &mut Recorder<'_>,
) -> Result<Option<Counters>, EngineError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path)(error).into()),
    };
    let damaged = |reason: String| StoreError::damaged(path, reason);
    let (_, metadata) =
        SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
    let header = metadata.metadata().as_ref().and_then(|map| map.get("run"));
    let header: Header = header
        .and_then(|text| serde_json::from_str(text).ok())
        .ok_or_else(|| damaged("no counters".into()))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    state_file::restore(path, &file, tensors_of(trainer))?;
    let dynamics = |name: &str| {
        let view = file.tensor(name).ok()?;
        Some(bytemuck::pod_collect_to_vec::<u8, f64>(view.data()))
    };
    let (examples, kept) = (recorder.train_examples(), recorder.dynamics.kept());
    recorder.dynamics = TrainingDynamics::from_state(examples, kept, true, dynamics)?;
    trainer.step = header.step;
    recorder.images_scored = header.images_scored;
    recorder.images_differentiated = header.images_differentiated;
    recorder.gradient_seconds = header.gradient_seconds;
    recorder.recorded = header.recorded;
    recorder.test_accuracy = header.test_accuracy;
    Ok(Some(header.counters))
}

/// Every tensor of a run's state.
fn tensors_of<'t>(trainer: &'t Trainer<'_>) -> impl Iterator<Item = (String, &'t Tensor)> {
    let parameters = &trainer.parameters;
    let slow = trainer.slow.iter().flat_map(named_slow);
    named(parameters).chain(named_momentum(parameters, &trainer.momentum)).chain(slow)
}
