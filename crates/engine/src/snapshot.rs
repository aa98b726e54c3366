//! Weights and momentum that a run keeps for others: for its children, and for what is measured on
//! them.

use std::path::Path;

use datadiet_store::{RunFolder, RunSpec, Spawn, StoreError};
use safetensors::SafeTensors;

use crate::EngineError;
use crate::parameters::Parameters;
use crate::state_file::{self, Entry, named, named_momentum, named_slow};
use crate::trainer::Trainer;

/// Keeps the state after the steps done so far.
pub(crate) fn save(folder: &RunFolder, trainer: &Trainer<'_>) -> Result<(), StoreError> {
    let parameters = &trainer.parameters;
    let momentum = named_momentum(parameters, &trainer.momentum);
    let slow = trainer.slow.iter().flat_map(named_slow);
    let entries: Vec<Entry> =
        named(parameters).chain(momentum).chain(slow).map(Entry::of).collect();
    state_file::write(&folder.weights_file(trainer.step), &entries, None)
}

/// Reads the weights of a run after `step` steps: under lookahead the slow ones, which are those that are
/// scored.
///
/// # Errors
/// When it kept none then.
pub(crate) fn read_weights(
    folder: &RunFolder,
    step: u64,
    parameters: &Parameters,
) -> Result<(), EngineError> {
    read(folder, step, |path, file| {
        if file.names().iter().any(|name| name.starts_with("slow.")) {
            let slow = named_slow(parameters);
            return state_file::restore(path, file, slow);
        }
        state_file::restore(path, file, named(parameters))
    })
}

/// Makes a child its parent at the step where it leaves it.
///
/// # Errors
/// When the parent trained by another specification, or kept no weights then.
pub(crate) fn inherit(
    folder: &RunFolder,
    spec: &RunSpec,
    spawn: &Spawn,
    trainer: &mut Trainer<'_>,
) -> Result<(), EngineError> {
    if spawn.step >= spec.stop_after {
        return Err(EngineError::Unsuitable(format!(
            "a child that leaves its parent after step {} of {} has nothing left to train; spawn \
             it before the end",
            spawn.step, spec.stop_after
        )));
    }
    let (parent, parents) = RunFolder::open(&folder.sibling(&spawn.parent))?;
    if !spec.trains_like(&parents) {
        return Err(EngineError::Unsuitable(format!(
            "run {} is not a parent of this run: it trains by another specification",
            spawn.parent
        )));
    }
    let (parameters, momentum) = (&trainer.parameters, &trainer.momentum);
    let slow = trainer.slow.as_ref();
    read(&parent, spawn.step, |path, file| {
        state_file::restore(path, file, named(parameters))?;
        state_file::restore(path, file, slow.into_iter().flat_map(named_slow))?;
        state_file::restore(path, file, named_momentum(parameters, momentum))
    })?;
    trainer.step = spawn.step;
    Ok(())
}

fn read(
    folder: &RunFolder,
    step: u64,
    restore: impl FnOnce(&Path, &SafeTensors<'_>) -> Result<(), StoreError>,
) -> Result<(), EngineError> {
    let path = folder.weights_file(step);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(EngineError::Unsuitable(format!(
                "run {} kept no weights after step {step}; if they were removed, `datadiet runs gc \
                 --yes` removes the run too, and the same command trains it again",
                folder.id()
            )));
        }
        Err(error) => return Err(StoreError::io("read", &path)(error).into()),
    };
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| StoreError::damaged(&path, error.to_string()))?;
    Ok(restore(&path, &file)?)
}
