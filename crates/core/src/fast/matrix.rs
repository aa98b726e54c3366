//! A borrowed n × K matrix, row-major, whose rows may lie further apart than they are long.

use super::element::Element;
use crate::{
    checks::{self, ROWS_LISTED},
    score_error::{PROBABILITY_TOLERANCE, ScoreError},
};

/// What the numbers of a matrix are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outputs {
    Logits,
    Probabilities,
}

/// An n × K matrix of what a network gives; n is the number of labels it is scored with.
///
/// ```
/// use datadiet_core::{Matrix, el2n};
///
/// assert_eq!(el2n(Matrix::logits(&[0.0_f32, 0.0], 2), &[0])?, [0.5_f32.sqrt()]);
/// assert_eq!(el2n(Matrix::probabilities(&[0.5_f32, 0.5], 2), &[0])?, [0.5_f32.sqrt()]);
/// // Two rows of two classes, with a third number in each row that is not read.
/// let padded = [0.0_f32, 0.0, f32::NAN, 0.0, 0.0, f32::NAN];
/// let scores = el2n(Matrix::logits(&padded, 2).with_stride(3), &[0, 1])?;
/// assert_eq!(scores, [0.5_f32.sqrt(); 2]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a, E> {
    data: &'a [E],
    classes: usize,
    stride: usize,
    outputs: Outputs,
}

impl<'a, E: Element> Matrix<'a, E> {
    /// Rows of K logits, one after the other: `data` has n·K finite numbers.
    #[must_use]
    pub const fn logits(data: &'a [E], classes: usize) -> Self {
        Self { data, classes, stride: classes, outputs: Outputs::Logits }
    }

    /// Rows of K probabilities, one after the other: `data` has n·K numbers of at least 0, and each
    /// row sums to 1, to within [`PROBABILITY_TOLERANCE`]. A row that was rounded, so that its sum is
    /// not quite 1, is divided by it.
    ///
    /// Prefer logits: probabilities that were rounded before they came here tie among the easiest
    /// examples, and the loss of one rounded to 0 is cut at 87.4.
    #[must_use]
    pub const fn probabilities(data: &'a [E], classes: usize) -> Self {
        Self { data, classes, stride: classes, outputs: Outputs::Probabilities }
    }

    /// The same with rows that each begin `stride` ≥ K numbers after the one before; what lies
    /// between them is not read, and may lack after the last one.
    #[must_use]
    pub const fn with_stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    /// Whether the numbers are probabilities, not logits.
    #[must_use]
    pub fn is_probabilities(&self) -> bool {
        self.outputs == Outputs::Probabilities
    }

    fn what(&self) -> &'static str {
        if self.is_probabilities() { "probabilities" } else { "logits" }
    }

    /// Number of classes K.
    #[must_use]
    pub const fn classes(&self) -> usize {
        self.classes
    }

    /// Row `index`.
    #[inline(always)]
    pub(crate) fn row(&self, index: usize) -> &'a [E] {
        &self.data[index * self.stride..][..self.classes]
    }

    /// Rows `first..first + rows` as one run of numbers, if nothing lies between them.
    #[inline(always)]
    pub(super) fn run(&self, first: usize, rows: usize) -> Option<&'a [E]> {
        (self.stride == self.classes)
            .then(|| &self.data[first * self.classes..][..rows * self.classes])
    }

    /// Bytes of memory from one row to the next.
    pub(crate) fn row_bytes(&self) -> usize {
        self.stride * size_of::<E>()
    }

    /// The shape fits the labels and the labels the classes; the numbers are not looked at.
    pub(crate) fn check(&self, labels: &[u32]) -> Result<(), ScoreError> {
        let Self { data, classes, stride, .. } = *self;
        if classes < 2 {
            return Err(ScoreError::TooFewClasses { classes });
        }
        let gap = stride.saturating_sub(classes);
        let expected = labels.len().saturating_mul(stride.max(classes));
        let last_gap_lacks = !labels.is_empty() && data.len() == expected - gap;
        if stride < classes || !last_gap_lacks {
            checks::length(self.what(), expected, data.len())?;
        }
        if stride < classes {
            return Err(ScoreError::ShapeMismatch {
                what: "stride",
                expected: classes,
                found: stride,
            });
        }
        checks::label_range(labels, classes)
    }

    /// The error of a matrix in which a kernel met a row that cannot be scored: one that is not
    /// finite, where a number beyond the range of `f32` counts as infinite, or not a distribution.
    /// What only looked like one passes.
    pub(crate) fn check_numbers(&self, rows: usize) -> Result<(), ScoreError> {
        let bad = |&row: &usize| self.row(row).iter().any(|value| !value.single().is_finite());
        let mut bad_rows = (0..rows).filter(bad);
        let listed: Vec<usize> = bad_rows.by_ref().take(ROWS_LISTED).collect();
        if !listed.is_empty() {
            let total = listed.len() + bad_rows.count();
            return Err(ScoreError::NonFinite { what: self.what(), rows: listed, total });
        }
        if self.is_probabilities() { self.check_probabilities(rows) } else { Ok(()) }
    }

    /// The error of the first row that is not a distribution.
    fn check_probabilities(&self, rows: usize) -> Result<(), ScoreError> {
        for row in 0..rows {
            let values = || self.row(row).iter().map(|&value| -> f64 { value.into() });
            if let Some((class, value)) = values().enumerate().find(|(_, value)| *value < 0.0) {
                let value = value as f32;
                return Err(ScoreError::NegativeProbability { row, class, value });
            }
            let sum: f64 = values().sum();
            if (sum - 1.0).abs() > PROBABILITY_TOLERANCE {
                let tolerance = PROBABILITY_TOLERANCE;
                return Err(ScoreError::NotNormalised { row, sum, tolerance });
            }
        }
        Ok(())
    }
}
