//! Checks of arrays before any of them is used, so that an error leaves nothing half done.

use crate::{
    example_id::ExampleId,
    score_error::{PROBABILITY_TOLERANCE, ScoreError},
};

/// How many offending rows an error lists: enough to look at, short enough to read.
pub(crate) const ROWS_LISTED: usize = 5;

/// `matrix` is n × `classes` and `labels` are n class indices.
pub(crate) fn matrix_and_labels(
    what: &'static str,
    matrix: &[f32],
    classes: usize,
    labels: &[u32],
) -> Result<(), ScoreError> {
    if classes < 2 {
        return Err(ScoreError::TooFewClasses { classes });
    }
    length(what, labels.len().saturating_mul(classes), matrix.len())?;
    label_range(labels, classes)?;
    finite(what, matrix, classes)
}

pub(crate) fn length(what: &'static str, expected: usize, found: usize) -> Result<(), ScoreError> {
    if expected == found {
        return Ok(());
    }
    Err(ScoreError::ShapeMismatch { what, expected, found })
}

pub(crate) fn label_range(labels: &[u32], classes: usize) -> Result<(), ScoreError> {
    match labels.iter().position(|&label| label as usize >= classes) {
        None => Ok(()),
        Some(row) => Err(ScoreError::LabelOutOfRange { row, label: labels[row], classes }),
    }
}

fn finite(what: &'static str, matrix: &[f32], classes: usize) -> Result<(), ScoreError> {
    let bad = |row: &[f32]| !row.iter().all(|value| value.is_finite());
    let mut rows = Vec::new();
    let mut total = 0;
    for (index, row) in matrix.chunks_exact(classes).enumerate() {
        if bad(row) {
            total += 1;
            if rows.len() < ROWS_LISTED {
                rows.push(index);
            }
        }
    }
    if total == 0 {
        return Ok(());
    }
    Err(ScoreError::NonFinite { what, rows, total })
}

/// Every row holds non-negative numbers that sum to one.
pub(crate) fn probabilities(probs: &[f32], classes: usize) -> Result<(), ScoreError> {
    for (row, values) in probs.chunks_exact(classes).enumerate() {
        if let Some(class) = values.iter().position(|&value| value < 0.0) {
            return Err(ScoreError::NegativeProbability { row, class, value: values[class] });
        }
        let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
        if (sum - 1.0).abs() > PROBABILITY_TOLERANCE {
            return Err(ScoreError::NotNormalised { row, sum, tolerance: PROBABILITY_TOLERANCE });
        }
    }
    Ok(())
}

/// Every id is below n.
pub(crate) fn ids(ids: &[ExampleId], n_examples: usize) -> Result<(), ScoreError> {
    match ids.iter().position(|id| id.index() >= n_examples) {
        None => Ok(()),
        Some(row) => Err(ScoreError::IdOutOfRange { row, id: ids[row].0, examples: n_examples }),
    }
}

/// The column `name` of a saved tracker, each value read by `parse`.
pub(crate) fn state_column<T>(
    name: &'static str,
    n_examples: usize,
    column: impl Fn(&str) -> Option<Vec<f64>>,
    parse: impl Fn(f64) -> Option<T>,
) -> Result<Vec<T>, ScoreError> {
    let values = column(name).ok_or(ScoreError::MissingState { column: name })?;
    length(name, n_examples, values.len())?;
    let read = |(example, value)| {
        parse(value).ok_or(ScoreError::CorruptState { column: name, example, value })
    };
    values.into_iter().enumerate().map(read).collect()
}

/// A saved count: a whole number that fits 32 bits.
pub(crate) fn count(value: f64) -> Option<u32> {
    let whole = value as u32;
    (f64::from(whole) == value).then_some(whole)
}

/// A saved real number.
pub(crate) fn finite_value(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
