//! Scores of training dynamics from whole trajectories, T × n × K.

use datadiet_core::{EpochError, Kept, ParseScoreKindError, ScoreKind, Source, TrainingDynamics};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, Wholes, matrix, with_numbers};
use crate::errors::{Detail, IntoPython, exception, with_place};

/// The scores of training dynamics, by name, or of those the ones that are named; no AUM from
/// probabilities, and of many examples and classes not what needs numbers of each, unless it is named.
#[pyfunction]
pub fn trajectory_scores<'py>(
    py: Python<'py>,
    cube: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    probabilities: bool,
    names: Option<Vec<String>>,
) -> PyResult<Bound<'py, PyDict>> {
    let wanted: Option<Vec<ScoreKind>> = names.map(|names| kinds(&names)).transpose()?;
    let cube = Floats::of(cube, if probabilities { "probs" } else { "logits" }, 3)?;
    let labels = Wholes::labels(labels)?;
    let labels = labels.slice()?;
    let &[epochs, examples, classes] = cube.shape() else { unreachable!("three axes") };
    if examples != labels.len() {
        let text = format!("{} labels for {examples} examples; pass one for each", labels.len());
        return Err(exception("ShapeError", &text, &[]));
    }
    let (values, size) = (cube.slice()?, examples * classes);
    let kept = wanted.as_deref().map_or_else(|| Kept::within(examples, classes), Kept::of);
    let dynamics = py.detach(|| {
        with_numbers!(values, |values| {
            let rows = |epoch: usize| &values[epoch * size..(epoch + 1) * size];
            let epochs = (0..epochs).map(|epoch| matrix(rows(epoch), classes, probabilities));
            TrainingDynamics::of_epochs_keeping(&epochs.collect::<Vec<_>>(), labels, kept)
        })
    });
    let dynamics = dynamics.map_err(in_epoch)?;
    let given = PyDict::new(py);
    // Of no epochs there is nothing that tells that they were probabilities.
    let without = probabilities.then_some(ScoreKind::Aum);
    let asked = |kind: &&ScoreKind| {
        Some(**kind) != without && wanted.as_ref().is_none_or(|wanted| wanted.contains(kind))
    };
    for kind in ScoreKind::ALL.iter().filter(asked) {
        if let Some(column) = dynamics.column(*kind) {
            given.set_item(kind.name(), column.into_pyarray(py))?;
        }
    }
    Ok(given)
}

/// Scores of training dynamics by their names.
fn kinds(names: &[String]) -> PyResult<Vec<ScoreKind>> {
    let kind = |name: &String| {
        let kind: ScoreKind = name
            .parse()
            .map_err(|error: ParseScoreKindError| PyValueError::new_err(error.to_string()))?;
        if kind.source() == Source::TrainingMinibatches {
            return Ok(kind);
        }
        Err(PyValueError::new_err(format!("{kind} is not a score of training dynamics")))
    };
    names.iter().map(kind).collect()
}

/// Forgetting events and never-learned marks from T × n predictions that were right or wrong.
#[pyfunction]
pub fn forgetting_of_correct<'py>(
    py: Python<'py>,
    correct: PyReadonlyArray2<'py, bool>,
) -> PyResult<[Bound<'py, PyArray1<f32>>; 2]> {
    let examples = correct.as_array().ncols();
    let correct = correct.as_slice()?;
    let dynamics = py.detach(|| TrainingDynamics::of_correct(correct, examples));
    let column = |kind| dynamics.column(kind).unwrap_or_default().into_pyarray(py);
    Ok([column(ScoreKind::Forgetting), column(ScoreKind::NeverLearned)])
}

/// The error's own exception, with the epoch before its message and as `epoch`.
fn in_epoch(error: EpochError) -> PyErr {
    let place = format!("epoch {}", error.epoch);
    with_place(error.source.into_python(), &place, "epoch", &Detail::Whole(error.epoch))
}
