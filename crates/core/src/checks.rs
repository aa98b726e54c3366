//! Checks of arrays before any of them is used, so that an error leaves nothing half done.

use crate::{example_id::ExampleId, score_error::ScoreError};

/// How many offending rows an error lists: enough to look at, short enough to read.
pub(crate) const ROWS_LISTED: usize = 5;

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

/// A matrix has as many classes as those before it.
pub(crate) fn classes(expected: usize, found: usize) -> Result<(), ScoreError> {
    if expected == found {
        return Ok(());
    }
    Err(ScoreError::OtherClasses { expected, found })
}

/// Every id is below n.
pub(crate) fn ids(ids: &[ExampleId], n_examples: usize) -> Result<(), ScoreError> {
    match ids.iter().position(|id| id.index() >= n_examples) {
        None => Ok(()),
        Some(row) => Err(ScoreError::IdOutOfRange { row, id: ids[row].0, examples: n_examples }),
    }
}

/// Every value is good; the error lists rows.
pub(crate) fn values(
    what: &'static str,
    values: &[f32],
    good: impl Fn(f32) -> bool,
) -> Result<(), ScoreError> {
    let mut bad = (0..values.len()).filter(|&row| !good(values[row]));
    let rows: Vec<usize> = bad.by_ref().take(ROWS_LISTED).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let total = rows.len() + bad.count();
    Err(ScoreError::NonFinite { what, rows, total })
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
