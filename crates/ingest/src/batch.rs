//! What a reader yields: some rows of values with their epochs, ids and labels.

use std::fmt;

#[cfg(doc)]
use datadiet_core::PROBABILITY_TOLERANCE;

pub use crate::fields::Said;
use crate::{IngestError, Keys};

/// Values in a batch, at most (but one row at least): 4 MiB of `f32`.
pub const VALUES: usize = 1 << 20;

/// What the values of a row are.
///
/// One column is a binary problem: a logit `z` of class 1 is read as the two logits `[0, z]`, a
/// probability `p` as `[1 − p, p]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Logits: any finite numbers.
    Logits,
    /// Probabilities: each row sums to 1 within [`PROBABILITY_TOLERANCE`], 0.01, and is divided by its
    /// sum.
    Probabilities,
    /// Losses: any finite numbers, one a row, of whatever task. A row of several has one of each epoch of
    /// [`Said::epochs`].
    Losses,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logits => "logits",
            Self::Probabilities => "probabilities",
            Self::Losses => "losses",
        })
    }
}

/// Some rows of a file, in its order.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Number of rows.
    pub rows: usize,
    /// Where the first row is in the file; in its epoch, where epochs are an axis.
    pub first: u64,
    /// Whether epochs are an axis of the file, so that a row has the same number in each.
    pub axis: bool,
    /// Epochs of the rows; `None` where the file does not tell.
    pub epochs: Option<Vec<i64>>,
    /// Ids of the rows; `None` where the file has none.
    pub keys: Option<Keys>,
    /// Class indices of the rows; `None` where the file has none, and of losses where none were asked for.
    pub labels: Option<Vec<u32>>,
    /// rows × columns values, row-major.
    pub values: Vec<f32>,
}

impl Batch {
    /// A row's example for messages: its id, or its number in the file.
    pub(crate) fn example(&self, row: usize) -> String {
        match &self.keys {
            Some(keys) => keys.text(row),
            None => (self.first + row as u64).to_string(),
        }
    }

    /// The rows of each of some epochs, of rows with one value of each of them.
    pub(crate) fn by_epoch(&self, epochs: &[i64]) -> Vec<Self> {
        let of = |(place, &epoch): (usize, &i64)| Self {
            rows: self.rows,
            first: self.first,
            axis: true,
            epochs: Some(vec![epoch; self.rows]),
            keys: self.keys.clone(),
            labels: self.labels.clone(),
            values: self.values.iter().skip(place).step_by(epochs.len()).copied().collect(),
        };
        epochs.iter().enumerate().map(of).collect()
    }
}

/// A file of logits, probabilities or losses that is read once, from its beginning.
pub trait Reader {
    /// What the values are; `None` where nothing in the file says.
    fn kind(&self) -> Option<Kind>;

    /// Values in a row: the number of classes, or 1 for a binary problem; of losses 1, or the number of
    /// [`Said::epochs`]. Known after the first batch at the latest.
    fn columns(&self) -> usize;

    /// What the names of its arrays, columns or fields say besides what is read. Of JSON lines:
    /// what the rows so far say.
    fn said(&self) -> Said;

    /// Fills `batch` with the next rows; false, with no rows, at the end of the file.
    ///
    /// # Errors
    /// A file that is damaged or holds what cannot be read.
    fn read(&mut self, batch: &mut Batch) -> Result<bool, IngestError>;
}

/// Rows of so many values that make a batch.
pub(crate) fn rows(columns: usize) -> usize {
    (VALUES / columns.max(1)).max(1)
}
