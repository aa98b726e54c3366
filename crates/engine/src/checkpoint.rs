//! The state of an unfinished run, so that it can go on bit for bit as if it had never stopped.
//!
//! One safetensors file: `param.*`, `buffer.*` and `momentum.*` in 32-bit floats, `dynamics.*` in
//! 64-bit floats, and the counters as JSON in the metadata. Random streams need no state: each
//! epoch and step derives its own.

use std::collections::HashMap;
use std::path::Path;

use datadiet_core::TrainingDynamics;
use datadiet_store::{StoreError, TimedAccuracy, write_atomically};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::EngineError;
use crate::evaluation::to_vec;
use crate::recorder::Recorder;
use crate::trainer::Trainer;

/// Counters of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Counters {
    /// Seconds of training.
    pub train_seconds: f64,
    /// Seconds of scoring and evaluation.
    pub score_seconds: f64,
    /// Sum of the losses of the current epoch.
    pub loss_sum: f64,
    /// Steps in that sum.
    pub loss_count: u64,
    /// Mean loss of the last whole epoch.
    pub epoch_loss: Option<f64>,
    /// Largest resident memory of earlier processes, MiB.
    pub peak_memory_mib: f64,
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
pub fn save(
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
    let mut owned: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, tensor) in named_tensors(trainer) {
        let shape = tensor.size().iter().map(|&side| side as usize).collect();
        owned.push((name, Dtype::F32, shape, bytemuck::cast_slice(&to_vec(tensor)).to_vec()));
    }
    for (name, column) in recorder.dynamics.state() {
        let bytes = bytemuck::cast_slice(&column).to_vec();
        owned.push((format!("dynamics.{name}"), Dtype::F64, vec![column.len()], bytes));
    }
    let views = owned.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).expect("bytes fit the shape");
        (name.as_str(), view)
    });
    let metadata = HashMap::from([("run".to_owned(), header)]);
    let bytes = safetensors::serialize(views, Some(metadata))
        .map_err(|error| StoreError::damaged(path, error))?;
    write_atomically(path, |file| std::io::Write::write_all(file, &bytes))
}

/// Restores a state saved by [`save`]; gives nothing when there is none.
pub fn load(
    path: &Path,
    trainer: &mut Trainer<'_>,
    recorder: &mut Recorder<'_>,
    classes: usize,
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
    for (name, tensor) in named_tensors(trainer) {
        let values = floats(&file, &name).ok_or_else(|| damaged(format!("no {name}")))?;
        if values.len() != tensor.numel() {
            return Err(damaged(format!("{name} has another size")).into());
        }
        let mut target = tensor.shallow_clone();
        target.copy_(&Tensor::from_slice(&values).view(tensor.size().as_slice()));
    }
    let dynamics = |name: &str| {
        let view = file.tensor(&format!("dynamics.{name}")).ok()?;
        Some(bytemuck::pod_collect_to_vec::<u8, f64>(view.data()))
    };
    recorder.dynamics = TrainingDynamics::from_state(recorder.train_examples(), classes, dynamics)?;
    trainer.step = header.step;
    recorder.images_scored = header.images_scored;
    recorder.images_differentiated = header.images_differentiated;
    recorder.gradient_seconds = header.gradient_seconds;
    recorder.recorded = header.recorded;
    recorder.test_accuracy = header.test_accuracy;
    Ok(Some(header.counters))
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Option<Vec<f32>> {
    let view = file.tensor(name).ok().filter(|view| view.dtype() == Dtype::F32)?;
    Some(bytemuck::pod_collect_to_vec(view.data()))
}

/// Every tensor of a run's state with its name in the file.
fn named_tensors<'t>(trainer: &'t Trainer<'_>) -> impl Iterator<Item = (String, &'t Tensor)> {
    let parameters = &trainer.parameters;
    let with = |prefix: &'static str| move |(name, tensor)| (format!("{prefix}.{name}"), tensor);
    let values = parameters.names().iter().zip(parameters.values()).map(with("param"));
    let buffers = parameters.buffer_names().iter().zip(parameters.buffers()).map(with("buffer"));
    let momentum = parameters.names().iter().zip(&trainer.momentum).map(with("momentum"));
    values.chain(buffers).chain(momentum)
}
