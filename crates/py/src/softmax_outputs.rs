//! Whether logits look like the outputs of a softmax.

use datadiet_core::softmax_rows as of_matrix;
use pyo3::prelude::*;

use crate::arrays::{Floats, with_numbers};

/// The number of rows looked at, if all look like outputs of a softmax; else 0.
#[pyfunction]
pub fn softmax_rows(matrix: &Bound<'_, PyAny>, axes: usize) -> PyResult<usize> {
    let matrix = Floats::of(matrix, "logits", axes)?;
    let classes = matrix.shape()[axes - 1];
    Ok(with_numbers!(matrix.slice()?, |values| of_matrix(values, classes)))
}
