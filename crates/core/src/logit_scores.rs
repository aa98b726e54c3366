//! All scores that one forward pass pays for.
//!
//! The definitions are in the files of each score; this one walks the rows once. Logits must come
//! from eval mode (batch-norm running statistics) on un-augmented images, which is the paper's
//! reading; nothing here can check that.
//!
//! One network's logits in, one network's scores out: no mean over replicas.

use std::ops::Index;

use crate::{
    fast::{Element, Matrix, chunk, columns::Columns, walk::in_parallel},
    score_error::ScoreError,
    score_kind::ScoreKind,
};

/// One column for each score of [`ScoreKind::OF_PASS`], and the predicted classes; each has one entry
/// a row of the logits.
///
/// ```
/// use datadiet_core::{LogitScores, Matrix, ScoreKind};
///
/// let logits = [0.0_f32, 0.0, /**/ 0.0, 3.0];
/// let scores = LogitScores::of(Matrix::logits(&logits, 2), &[0, 1])?;
/// assert_eq!(scores[ScoreKind::Correct], [1.0, 1.0], "a tie goes to the lowest class");
/// assert_eq!(scores.predicted, [0, 1]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogitScores {
    pub(crate) columns: [Vec<f32>; ScoreKind::OF_PASS.len()],
    /// The predicted class: the largest logit's, ties to the lowest.
    pub predicted: Vec<u32>,
}

impl LogitScores {
    /// Scores of n examples, on all cores.
    ///
    /// `outputs`: n × K logits or probabilities of `f16`, `bf16`, `f32` or `f64`, K ≥ 2, read where they
    /// are, without a copy; `labels`: n class indices. n may be 0.
    ///
    /// # Errors
    /// Lengths that do not fit, fewer than 2 classes, a label outside `0..K`, NaN or infinity (numbers
    /// of `f64` beyond the range of `f32` count as infinite); of probabilities also a negative one, or
    /// a row whose sum is further than [`PROBABILITY_TOLERANCE`](crate::PROBABILITY_TOLERANCE) from 1.
    ///
    /// ```
    /// use datadiet_core::{LogitScores, Matrix, ScoreError};
    ///
    /// let error = LogitScores::of(Matrix::logits(&[0.0_f32, 0.0], 2), &[2]).unwrap_err();
    /// assert_eq!(error, ScoreError::LabelOutOfRange { row: 0, label: 2, classes: 2 });
    /// ```
    pub fn of<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Self, ScoreError> {
        outputs.check(labels)?;
        let mut scores = Self::default();
        let rows = chunk::rows(outputs.row_bytes());
        let chunks = Columns::of(&mut scores, labels.len()).chunks(rows);
        in_parallel(outputs, labels, rows, chunks)?;
        Ok(scores)
    }

    /// The column of a score, or `None` where the score does not come from a pass over logits.
    #[must_use]
    pub fn column(&self, kind: ScoreKind) -> Option<&[f32]> {
        kind.place_in_pass().map(|place| &self.columns[place][..])
    }

    /// One column alone.
    pub(crate) fn into_column(mut self, kind: ScoreKind) -> Vec<f32> {
        std::mem::take(&mut self.columns[kind as usize])
    }

    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.predicted.len()
    }

    /// Whether there are no examples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.predicted.is_empty()
    }

    /// Appends the rows of `other`, for logits that arrive in batches.
    ///
    /// ```
    /// use datadiet_core::{LogitScores, Matrix, ScoreKind};
    ///
    /// let logits = Matrix::logits(&[1.0_f32, 0.0], 2);
    /// let mut all = LogitScores::of(logits, &[0])?;
    /// all.append(LogitScores::of(logits, &[1])?);
    /// assert_eq!(all[ScoreKind::Correct], [1.0, 0.0]);
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn append(&mut self, mut other: Self) {
        for (column, more) in self.columns.iter_mut().zip(&mut other.columns) {
            column.append(more);
        }
        self.predicted.append(&mut other.predicted);
    }
}

/// The column of a score of [`ScoreKind::OF_PASS`].
impl Index<ScoreKind> for LogitScores {
    type Output = [f32];

    /// # Panics
    /// If the score is not one of a pass; [`LogitScores::column`] tells.
    fn index(&self, kind: ScoreKind) -> &[f32] {
        self.column(kind).expect("a score of a pass over logits")
    }
}
