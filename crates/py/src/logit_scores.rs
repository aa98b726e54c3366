//! Scores of one forward pass, from n × K logits or probabilities.

use datadiet_core::{LogitScores, ScoreKind, confident_joint as joint_of, el2n};
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, Wholes, with_matrix};
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
        let (matrix, labels) = (input.matrix.slice()?, input.labels.slice()?);
        let classes = input.matrix.shape()[1];
        let score = || with_matrix!(matrix, classes, probabilities, |matrix| el2n(matrix, labels));
        return Ok(py.detach(score).or_raise()?.into_pyarray(py));
    }
    let scores = input.scores(py)?;
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
    let scores = Input::of(matrix, labels, probabilities)?.scores(py)?;
    let columns = PyDict::new(py);
    for kind in ScoreKind::OF_PASS {
        columns.set_item(kind.name(), PyArray1::from_slice(py, &scores[kind]))?;
    }
    columns.set_item("predicted", scores.predicted.into_pyarray(py))?;
    Ok(columns)
}

/// K thresholds, K × K counts, K × K fractions, and the fraction of wrong labels.
type Joint<'py> =
    (Bound<'py, PyArray1<f64>>, Bound<'py, PyArray2<u64>>, Bound<'py, PyArray2<f64>>, f64);

/// The confident joint of given and true labels.
#[pyfunction]
pub fn confident_joint<'py>(
    py: Python<'py>,
    matrix: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    probabilities: bool,
) -> PyResult<Joint<'py>> {
    let input = Input::of(matrix, labels, probabilities)?;
    let (matrix, labels) = (input.matrix.slice()?, input.labels.slice()?);
    let classes = input.matrix.shape()[1];
    let find = || with_matrix!(matrix, classes, probabilities, |matrix| joint_of(matrix, labels));
    let found = py.detach(find).or_raise()?;
    let (wrong, shape) = (found.wrong(), [classes, classes]);
    let counts = found.counts.into_pyarray(py).reshape(shape)?;
    let joint = found.joint.into_pyarray(py).reshape(shape)?;
    Ok((found.thresholds.into_pyarray(py), counts, joint, wrong))
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

    fn scores(&self, py: Python<'_>) -> PyResult<LogitScores> {
        let (matrix, labels, classes) =
            (self.matrix.slice()?, self.labels.slice()?, self.matrix.shape()[1]);
        let probabilities = self.probabilities;
        let score = || {
            with_matrix!(matrix, classes, probabilities, |matrix| LogitScores::of(matrix, labels))
        };
        py.detach(score).or_raise()
    }
}
