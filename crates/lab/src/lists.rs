//! Labels and matrices from files.

use std::path::Path;

use datadiet_table::ListFile;

use crate::refuse::{bail, ensure};
use crate::{LabError, TrainingData};

/// Reads labels for the training examples of a data set.
///
/// # Errors
/// When the file is missing, of an unknown format, for another data set, or holds something else.
pub fn labels<'a>(path: &Path, data: impl Into<TrainingData<'a>>) -> Result<Vec<u32>, LabError> {
    let data = data.into();
    let file = ListFile::read(path, "labels")?;
    Ok(file.labels_of(data.name, data.fingerprint)?)
}

/// Reads columns of numbers, one row for each training example of a data set.
///
/// # Errors
/// When the file is missing, of an unknown format, for another data set, or has no such column or
/// another number of rows.
pub(crate) fn columns(
    path: &Path,
    data: TrainingData<'_>,
) -> Result<Vec<(String, Vec<f32>)>, LabError> {
    let columns =
        ListFile::read(path, "columns")?.number_columns_of(data.name, data.fingerprint)?;
    let (rows, examples) = (columns[0].1.len(), data.labels.len());
    ensure!(
        rows == examples,
        "{} has {rows} rows, and {} {examples} training examples: columns have a row for each, in order",
        path.display(),
        data.name
    );
    Ok(columns)
}

/// Reads a matrix of probabilities from a JSON file: an array of rows.
///
/// # Errors
/// When the file is missing, or holds something else.
pub fn matrix(path: &Path) -> Result<Vec<Vec<f64>>, LabError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) => bail!("cannot read {}: {error}", path.display()),
    };
    match serde_json::from_slice(&text) {
        Ok(matrix) => Ok(matrix),
        Err(error) => {
            bail!("{} is not a JSON array of rows of probabilities: {error}", path.display())
        }
    }
}
