//! Statistics of score columns.

use datadiet_core as core;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, scores};
use crate::errors::OrRaise;

/// Spearman's rank correlation.
#[pyfunction]
pub fn spearman(
    py: Python<'_>,
    first: &Bound<'_, PyAny>,
    second: &Bound<'_, PyAny>,
) -> PyResult<f64> {
    let (first, second) = (scores(first, "first")?, scores(second, "second")?);
    let (first, second) = (first.slice()?, second.slice()?);
    py.detach(|| core::spearman(&first.ordered(), &second.ordered())).or_raise()
}

/// How well scores find touched examples: AUROC, average precision, precision at each k, number
/// touched.
#[pyfunction]
pub fn detection(
    py: Python<'_>,
    values: &Bound<'_, PyAny>,
    touched: PyReadonlyArray1<'_, bool>,
    at: Vec<usize>,
    higher_is_suspect: bool,
) -> PyResult<(f64, f64, Vec<f64>, usize)> {
    let values = scores(values, "scores")?;
    let (values, touched) = (values.slice()?, touched.as_slice()?);
    let found = py.detach(|| {
        let mut values = values.ordered();
        if !higher_is_suspect {
            values.to_mut().iter_mut().for_each(|value| *value = -*value);
        }
        core::detection(&values, touched, &at)
    });
    let found = found.or_raise()?;
    let precision = found.precision_at.into_iter().map(|(_, precision)| precision).collect();
    Ok((found.auroc, found.average_precision, precision, found.positives))
}

/// The column that ranks by forgetting with never-learned examples on top.
#[pyfunction]
pub fn forgetting_key<'py>(
    py: Python<'py>,
    events: &Bound<'py, PyAny>,
    never_learned: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray1<f32>>> {
    let (events, never) = (scores(events, "events")?, scores(never_learned, "never_learned")?);
    let (events, never) = (events.slice()?, never.slice()?);
    let key = py.detach(|| core::forgetting_key(&events.to_f32(), &never.to_f32()));
    Ok(key.or_raise()?.into_pyarray(py))
}

/// Split-half reliability of R × n scores of R replicas.
#[pyfunction]
pub fn reliability<'py>(
    py: Python<'py>,
    replicas: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    let replicas = Floats::of(replicas, "replicas", 2)?;
    let examples = replicas.shape()[1];
    let values = replicas.slice()?;
    let found = py.detach(|| {
        let values = values.to_f32();
        let columns: Vec<&[f32]> = values.chunks_exact(examples.max(1)).collect();
        core::reliability(&columns)
    });
    let found = found.or_raise()?;
    let given = PyDict::new(py);
    given.set_item("half", found.half)?;
    given.set_item("single", found.single)?;
    given.set_item("full", found.full)?;
    given.set_item("replicas_for_95", found.replicas_for_95)?;
    Ok(given)
}
