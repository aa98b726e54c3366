//! Scores of one forward pass, from n × K logits or probabilities.

use datadiet_core::fast::{Matrix, el2n, el2n_from_probs, logit_scores as of_logits, prob_scores};
use datadiet_core::{LogitScores, ScoreError, ScoreKind};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{FloatSlice, Floats, Wholes, with_numbers};
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
    let input = Input::of(matrix, labels, probabilities)?;
    if name == ScoreKind::El2n.name() {
        return Ok(input.el2n(py)?.into_pyarray(py));
    }
    let scores = input.all(py)?;
    let known = name.parse().ok().and_then(|kind: ScoreKind| scores.column(kind));
    let missing = || exception("ColumnError", &format!("{name} does not come from logits"), &[]);
    Ok(PyArray1::from_slice(py, known.ok_or_else(missing)?))
}

/// The columns of all scores, by name, and `predicted`.
#[pyfunction]
pub fn logit_scores<'py>(
    py: Python<'py>,
    matrix: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    probabilities: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let scores = Input::of(matrix, labels, probabilities)?.all(py)?;
    let columns = PyDict::new(py);
    for kind in ScoreKind::ALL {
        if let Some(column) = scores.column(*kind) {
            columns.set_item(kind.name(), PyArray1::from_slice(py, column))?;
        }
    }
    columns.set_item("predicted", scores.predicted.into_pyarray(py))?;
    Ok(columns)
}

/// What scores are asked of.
struct Input<'py> {
    matrix: Floats<'py>,
    labels: Wholes<'py>,
    probabilities: bool,
}

impl<'py> Input<'py> {
    fn of(
        matrix: &Bound<'py, PyAny>,
        labels: &Bound<'py, PyAny>,
        probabilities: bool,
    ) -> PyResult<Self> {
        let what = if probabilities { "probs" } else { "logits" };
        let (matrix, labels) = (Floats::of(matrix, what, 2)?, Wholes::labels(labels)?);
        Ok(Self { matrix, labels, probabilities })
    }

    fn el2n(&self, py: Python<'_>) -> PyResult<Vec<f32>> {
        let (slice, labels, classes) = self.parts()?;
        let probabilities = self.probabilities;
        let score = || -> Result<Vec<f32>, ScoreError> {
            with_numbers!(slice, |values| {
                let matrix = Matrix::new(values, classes);
                if probabilities { el2n_from_probs(matrix, labels) } else { el2n(matrix, labels) }
            })
        };
        py.detach(score).or_raise()
    }

    fn all(&self, py: Python<'_>) -> PyResult<LogitScores> {
        let (slice, labels, classes) = self.parts()?;
        let probabilities = self.probabilities;
        let score = || -> Result<LogitScores, ScoreError> {
            with_numbers!(slice, |values| {
                let matrix = Matrix::new(values, classes);
                if probabilities { prob_scores(matrix, labels) } else { of_logits(matrix, labels) }
            })
        };
        py.detach(score).or_raise()
    }

    fn parts(&self) -> PyResult<(FloatSlice<'_>, &[u32], usize)> {
        Ok((self.matrix.slice()?, self.labels.slice()?, self.matrix.shape()[1]))
    }
}
