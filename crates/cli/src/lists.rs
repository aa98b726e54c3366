//! Labels and matrices from files.

use std::path::Path;

use anyhow::{Context, Result};
use datadiet_data::Dataset;
use datadiet_table::ListFile;

/// Reads labels for the training examples of a data set.
///
/// # Errors
/// When the file is missing, of an unknown format, for another data set, or holds something else.
pub fn labels(path: &Path, dataset: &Dataset) -> Result<Vec<u32>> {
    let file = ListFile::read(path, "labels")?;
    Ok(file.labels_of(dataset.name(), dataset.fingerprint())?)
}

/// Reads a matrix of probabilities from a JSON file: an array of rows.
///
/// # Errors
/// When the file is missing, or holds something else.
pub fn read_matrix(path: &Path) -> Result<Vec<Vec<f64>>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is no JSON array of rows of probabilities", path.display()))
}
