//! Whether logits look like the outputs of a softmax, and whether probabilities were rounded.

use datadiet_core::{furthest_sum as furthest, softmax_rows as looking_so};
use pyo3::prelude::*;

use crate::arrays::{Floats, with_numbers};

/// The number of rows looked at, if all look like outputs of a softmax; else 0.
#[pyfunction]
pub fn softmax_rows(matrix: &Bound<'_, PyAny>, axes: usize) -> PyResult<usize> {
    let matrix = Floats::of(matrix, "logits", axes)?;
    let classes = matrix.shape()[axes - 1];
    Ok(with_numbers!(matrix.slice()?, |values| looking_so(values, classes)))
}

/// How far the sums of rows are from 1, at most, by a sample of rows.
#[pyfunction]
pub fn furthest_sum(matrix: &Bound<'_, PyAny>, axes: usize) -> PyResult<f64> {
    let matrix = Floats::of(matrix, "probs", axes)?;
    let classes = matrix.shape()[axes - 1];
    Ok(with_numbers!(matrix.slice()?, |values| furthest(values, classes)))
}
