//! Scores of one forward pass, from n × K logits or probabilities.

use datadiet_core::{LogitScores, ScoreError, ScoreKind};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{FloatSlice, Floats, Wholes};
use crate::errors::{OrRaise, exception};

/// The column of one score.
#[pyfunction]
pub fn logit_score<'py>(
    py: Python<'py>,
    name: &str,
    matrix: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    probabilities: bool,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let kind = kind(name)?;
    let scores = all(py, matrix, labels, probabilities)?;
    let column = scores.column(kind).map(<[f32]>::to_vec);
    let missing = || exception("DatadietError", &format!("{name} does not come from logits"), &[]);
    Ok(column.ok_or_else(missing)?.into_pyarray(py))
}

/// The columns of all scores, by name, and `predicted`.
#[pyfunction]
pub fn logit_scores<'py>(
    py: Python<'py>,
    matrix: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    probabilities: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let scores = all(py, matrix, labels, probabilities)?;
    let columns = PyDict::new(py);
    for kind in ScoreKind::ALL {
        if let Some(column) = scores.column(*kind) {
            columns.set_item(kind.name(), PyArray1::from_slice(py, column))?;
        }
    }
    columns.set_item("predicted", scores.predicted.into_pyarray(py))?;
    Ok(columns)
}

/// A score by its name.
pub fn kind(name: &str) -> PyResult<ScoreKind> {
    name.parse().map_err(|error: datadiet_core::ParseScoreKindError| {
        exception("ColumnError", &error.to_string(), &[])
    })
}

fn all(
    py: Python<'_>,
    matrix: &Bound<'_, PyAny>,
    labels: &Bound<'_, PyAny>,
    probabilities: bool,
) -> PyResult<LogitScores> {
    let matrix = Floats::of(matrix, if probabilities { "probs" } else { "logits" }, 2)?;
    let labels = Wholes::labels(labels)?;
    let (values, labels, classes) = (matrix.slice()?, labels.slice()?, matrix.shape()[1]);
    py.detach(|| compute(values, classes, labels, probabilities)).or_raise()
}

fn compute(
    values: FloatSlice<'_>,
    classes: usize,
    labels: &[u32],
    probabilities: bool,
) -> Result<LogitScores, ScoreError> {
    let values = values.to_f32();
    if probabilities {
        LogitScores::from_probs(&values, classes, labels)
    } else {
        LogitScores::from_logits(&values, classes, labels)
    }
}
