//! Whether logits look like the outputs of a softmax or of sigmoids, and whether probabilities were rounded.

use datadiet_core::{
    furthest_sum as furthest, sigmoid_rows as in_range, softmax_rows as looking_so,
};
use pyo3::prelude::*;

use crate::arrays::{Floats, with_numbers};

/// The number of rows looked at, if all look like outputs of a softmax; else 0.
#[pyfunction]
pub fn softmax_rows(matrix: &Bound<'_, PyAny>, axes: usize) -> PyResult<usize> {
    let matrix = Floats::of(matrix, "logits", axes)?;
    let classes = matrix.shape()[axes - 1];
    Ok(with_numbers!(matrix.slice()?, |values| looking_so(values, classes)))
}

/// Of an n × K matrix, the number of rows looked at, their least and their greatest number, if all lie in
/// [0, 1]; else none.
#[pyfunction]
pub fn sigmoid_rows(matrix: &Bound<'_, PyAny>) -> PyResult<Option<(usize, f64, f64)>> {
    let matrix = Floats::of(matrix, "logits", 2)?;
    let labels = matrix.shape()[1];
    let found = with_numbers!(matrix.slice()?, |values| in_range(values, labels));
    Ok(found.map(|found| (found.rows, found.least, found.most)))
}

/// How far the sums of rows are from 1, at most, by a sample of rows.
#[pyfunction]
pub fn furthest_sum(matrix: &Bound<'_, PyAny>, axes: usize) -> PyResult<f64> {
    let matrix = Floats::of(matrix, "probs", axes)?;
    let classes = matrix.shape()[axes - 1];
    Ok(with_numbers!(matrix.slice()?, |values| furthest(values, classes)))
}
