//! Tensors of a run in safetensors files: `param.*`, `buffer.*` and `momentum.*`, 32-bit floats.

use std::collections::HashMap;
use std::path::Path;

use datadiet_store::StoreError;
use datadiet_table::write_atomically;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use tch::Tensor;

use crate::evaluation::to_vec;
use crate::parameters::Parameters;

/// A tensor as it is written.
pub(crate) struct Entry {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Entry {
    /// A tensor in 32-bit floats.
    pub(crate) fn of((name, tensor): (String, &Tensor)) -> Self {
        let shape = tensor.size().iter().map(|&side| side as usize).collect();
        let bytes = bytemuck::cast_slice(&to_vec::<f32>(tensor)).to_vec();
        Self { name, dtype: Dtype::F32, shape, bytes }
    }

    /// A column in 64-bit floats.
    pub(crate) fn column(name: String, values: &[f64]) -> Self {
        let bytes = bytemuck::cast_slice(values).to_vec();
        Self { name, dtype: Dtype::F64, shape: vec![values.len()], bytes }
    }
}

/// Parameters and buffers with their names in files.
pub(crate) fn named(parameters: &Parameters) -> impl Iterator<Item = (String, &Tensor)> {
    let values = prefixed("param", parameters.names(), parameters.values());
    values.chain(prefixed("buffer", parameters.buffer_names(), parameters.buffers()))
}

/// The moving average of parameters and buffers under lookahead.
pub(crate) fn named_slow(slow: &Parameters) -> impl Iterator<Item = (String, &Tensor)> {
    let values = prefixed("slow.param", slow.names(), slow.values());
    values.chain(prefixed("slow.buffer", slow.buffer_names(), slow.buffers()))
}

/// The momentum of each parameter.
pub(crate) fn named_momentum<'t>(
    parameters: &'t Parameters,
    momentum: &'t [Tensor],
) -> impl Iterator<Item = (String, &'t Tensor)> {
    prefixed("momentum", parameters.names(), momentum)
}

fn prefixed<'t>(
    prefix: &'static str,
    names: &'t [String],
    tensors: &'t [Tensor],
) -> impl Iterator<Item = (String, &'t Tensor)> {
    names.iter().zip(tensors).map(move |(name, tensor)| (format!("{prefix}.{name}"), tensor))
}

/// Writes a file.
pub(crate) fn write(
    path: &Path,
    entries: &[Entry],
    metadata: Option<HashMap<String, String>>,
) -> Result<(), StoreError> {
    let views = entries.iter().map(|entry| {
        let view = TensorView::new(entry.dtype, entry.shape.clone(), &entry.bytes);
        (entry.name.as_str(), view.expect("bytes fit the shape"))
    });
    let bytes = safetensors::serialize(views, metadata)
        .map_err(|error| StoreError::damaged(path, error))?;
    Ok(write_atomically(path, |file| std::io::Write::write_all(file, &bytes))?)
}

/// Copies the file's values into tensors.
pub(crate) fn restore<'t>(
    path: &Path,
    file: &SafeTensors<'_>,
    tensors: impl Iterator<Item = (String, &'t Tensor)>,
) -> Result<(), StoreError> {
    for (name, tensor) in tensors {
        let values =
            floats(file, &name).ok_or_else(|| StoreError::damaged(path, format!("no {name}")))?;
        if values.len() != tensor.numel() {
            return Err(StoreError::damaged(path, format!("{name} has another size")));
        }
        let mut target = tensor.shallow_clone();
        target.copy_(&Tensor::from_slice(&values).view(tensor.size().as_slice()));
    }
    Ok(())
}

fn floats(file: &SafeTensors<'_>, name: &str) -> Option<Vec<f32>> {
    let view = file.tensor(name).ok().filter(|view| view.dtype() == Dtype::F32)?;
    Some(bytemuck::pod_collect_to_vec(view.data()))
}
