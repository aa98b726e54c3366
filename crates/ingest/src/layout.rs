//! What the values of all files are: how many classes, logits or probabilities; or losses.

use std::path::Path;

use datadiet_core::{ValueKind, rounded_rows, value_kind};

use crate::batch::{Batch, Kind};
use crate::{IngestError, Options};

/// Rows of values called logits that must lie in [0, 1] before that is more than an accident.
const ENOUGH: usize = 8;

/// What all files agree on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) columns: usize,
    pub(crate) kind: Kind,
}

impl Layout {
    /// The layout of the first file that has rows.
    pub(crate) fn of(
        path: &Path,
        called: Option<Kind>,
        columns: usize,
        batch: &Batch,
        options: &Options,
    ) -> Result<Self, IngestError> {
        let asked = options.names.kind;
        let kind = asked.or(called);
        if asked.is_none() && !matches!(kind, Some(Kind::Probabilities | Kind::Losses)) {
            // Softmax is often saved as logits, where the kind matters most: EL2N of a softmax of a
            // softmax is not EL2N.
            let enough = kind.is_none() || batch.rows >= ENOUGH;
            let path = || path.to_owned();
            let called = kind.is_some();
            match value_kind(&batch.values, columns) {
                ValueKind::Probabilities if enough || columns > 1 => {
                    return Err(IngestError::LooksLikeProbabilities { path: path(), called });
                }
                ValueKind::Fractions if enough => {
                    return Err(IngestError::LooksLikeFractions { path: path(), called });
                }
                ValueKind::Other if !called && one_hot(&batch.values, columns) => {
                    return Err(IngestError::OneHot { path: path() });
                }
                _ => {}
            }
        }
        let kind = kind.unwrap_or(Kind::Logits);
        // A row of losses has one of each epoch.
        Ok(Self { columns: if kind == Kind::Losses { 1 } else { columns }, kind })
    }

    /// Checks that another file is like this.
    pub(crate) fn agree(
        self,
        path: &Path,
        called: Option<Kind>,
        columns: usize,
        options: &Options,
    ) -> Result<(), IngestError> {
        // Of losses before the columns: they have none of classes.
        let losses = |kind: Kind| kind == Kind::Losses;
        let found = options.names.kind.or(called);
        if let Some(found) = found.filter(|&found| losses(found) != losses(self.kind)) {
            let expected = self.kind;
            return Err(IngestError::Kind { path: path.to_owned(), expected, found });
        }
        if columns != self.columns && !losses(self.kind) {
            let (expected, found) = (self.columns, columns);
            return Err(IngestError::Classes { path: path.to_owned(), expected, found });
        }
        match found {
            Some(found) if found != self.kind => {
                let expected = self.kind;
                Err(IngestError::Kind { path: path.to_owned(), expected, found })
            }
            _ => Ok(()),
        }
    }

    /// Values that are recorded of a row: one for each class, or a loss.
    pub(crate) fn width(self) -> usize {
        if self.kind == Kind::Losses { 1 } else { self.columns.max(2) }
    }

    /// One column of a binary problem becomes two.
    pub(crate) fn widen(self, batch: &mut Batch) {
        if self.columns != 1 {
            return;
        }
        let two: fn(&f32) -> [f32; 2] = match self.kind {
            Kind::Logits => |&value| [0.0, value],
            Kind::Probabilities => |&value| [1.0 - value, value],
            Kind::Losses => return,
        };
        batch.values = batch.values.iter().flat_map(two).collect();
    }
}

/// Whether every row of several is a single 1 among zeros: the class that was predicted, and nothing
/// of how surely.
fn one_hot(values: &[f32], columns: usize) -> bool {
    let is_one_hot = |row: &[f32]| {
        row.iter().all(|&value| value == 0.0 || value == 1.0) && row.iter().sum::<f32>() == 1.0
    };
    columns > 1 && values.len() >= ENOUGH * columns && values.chunks_exact(columns).all(is_one_hot)
}

/// Rows whose probabilities were divided by their sums.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    rows: u64,
    furthest: f64,
}

impl Sums {
    /// Counts rows of probabilities that were rounded; where asked for, divides those that are further
    /// off by their sums. `columns` values in a row.
    pub(crate) fn look_at(
        &mut self,
        path: &Path,
        columns: usize,
        batch: &mut Batch,
        options: &Options,
    ) -> Result<(), IngestError> {
        match rounded_rows(&mut batch.values, columns, options.renormalise) {
            Ok(found) => {
                self.rows += found.rows as u64;
                self.furthest = self.furthest.max(found.furthest);
                Ok(())
            }
            Err((row, sum)) => {
                let values = &batch.values[row * columns..][..columns];
                // Negative numbers and NaN are told as such by the checks of the scores.
                if values.iter().any(|value| value.is_nan() || *value < 0.0) {
                    return Ok(());
                }
                let fractions = values.iter().all(|value| *value <= 1.0);
                let (path, key) = (path.to_owned(), batch.example(row));
                Err(IngestError::Sum { path, key, sum, fractions })
            }
        }
    }

    /// What a person should know.
    pub(crate) fn note(self) -> Option<String> {
        let (rows, furthest) = (self.rows, self.furthest);
        (rows > 0).then(|| {
            format!(
                "the probabilities of {rows} rows sum to up to {furthest:.2e} more or less than 1, \
                 as rounded ones do; each row was divided by its sum"
            )
        })
    }
}
