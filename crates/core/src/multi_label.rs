//! Scores of examples with several labels, each given (1) or not (0).
//!
//! K logits z and K zeros and ones y an example; a label's margin is `(2y − 1) z`, above 0 where it is predicted
//! as it is given (σ(z) > ½ for a given one). EL2N is `‖σ(z) − y‖₂`, the loss the mean over labels of
//! binary cross-entropy in nats, without weights; an example is correct where all its labels are.

use crate::{
    checks::{self, ROWS_LISTED},
    fast::{
        Element, chunk,
        labels::{LabelRow, score},
    },
    score_error::ScoreError,
};

/// Scores of n examples, one entry each.
///
/// ```
/// use datadiet_core::MultiLabelScores;
///
/// let scores = MultiLabelScores::of(&[2.0_f32, -1.0, /**/ 0.5, 3.0], &[1, 0, 1, 0], 2, None)?;
/// assert_eq!(scores.correct, [1.0, 0.0]);
/// assert_eq!((scores.least_margin[1], scores.least_label[1]), (-3.0, 1));
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MultiLabelScores {
    /// `‖σ(z) − y‖₂` in [0, √K]; high is hard.
    pub el2n: Vec<f32>,
    /// Mean binary cross-entropy over labels in nats, in [0, ∞); high is hard.
    pub loss: Vec<f32>,
    /// 1 where every label is predicted as it is given, else 0.
    pub correct: Vec<f32>,
    /// Mean margin over labels; low is hard.
    pub mean_margin: Vec<f32>,
    /// The least margin; low is hard.
    pub least_margin: Vec<f32>,
    /// The label that has it, the lowest among ties.
    pub least_label: Vec<u32>,
}

impl MultiLabelScores {
    /// Scores of n examples, on all cores.
    ///
    /// `logits`: n × K numbers; `labels`: n × K zeros and ones; `margins`: room for n × K margins, where they
    /// are wanted.
    ///
    /// # Errors
    /// No labels (K = 0), lengths that do not fit, a label that is neither 0 nor 1, NaN or infinity among the
    /// logits (numbers of `f64` beyond the range of `f32` count as infinite).
    ///
    /// ```
    /// use datadiet_core::{MultiLabelScores, ScoreError};
    ///
    /// let error = MultiLabelScores::of(&[0.0_f32, 0.0], &[0, 2], 2, None).unwrap_err();
    /// assert_eq!(error, ScoreError::NotZeroOrOne { row: 0, label: 1, value: 2 });
    /// ```
    pub fn of<E: Element>(
        logits: &[E],
        labels: &[u8],
        classes: usize,
        margins: Option<&mut [f32]>,
    ) -> Result<Self, ScoreError> {
        let n = logits.len().checked_div(classes).unwrap_or(0);
        checks::length("logits", n * classes, logits.len())?;
        checks::length("labels", logits.len(), labels.len())?;
        if let Some(at) = labels.iter().position(|&label| label > 1) {
            let (row, label) = (at / classes, at % classes);
            return Err(ScoreError::NotZeroOrOne { row, label, value: labels[at] });
        }
        let margins = margins.unwrap_or_default();
        if !margins.is_empty() {
            checks::length("margins", logits.len(), margins.len())?;
        }
        let mut rows = vec![LabelRow::default(); n];
        let size = chunk::few_rows(classes * size_of::<E>());
        let mut rest = margins.chunks_mut(size * classes.max(1));
        let chunks: Vec<_> =
            rows.chunks_mut(size).map(|to| (to, rest.next().unwrap_or_default())).collect();
        type Part<'a> = (&'a mut [LabelRow], &'a mut [f32]);
        chunk::all_good(
            chunks,
            || (),
            |(), at, (to, margins): Part| {
                let of = at * size * classes..(at * size + to.len()) * classes;
                score(&logits[of.clone()], &labels[of], classes, to, margins);
                true
            },
        );
        let bad = || rows.iter().enumerate().filter(|(_, row)| !row.finite);
        let total = bad().count();
        if total > 0 {
            let rows = bad().map(|(row, _)| row).take(ROWS_LISTED).collect();
            return Err(ScoreError::NonFinite { what: "logits", rows, total });
        }
        let column = |of: fn(&LabelRow) -> f32| rows.iter().map(of).collect();
        Ok(Self {
            el2n: column(|row| row.el2n),
            loss: column(|row| row.loss),
            correct: column(|row| if row.correct { 1.0 } else { 0.0 }),
            mean_margin: column(|row| row.mean_margin),
            least_margin: column(|row| row.least_margin),
            least_label: rows.iter().map(|row| row.least_label).collect(),
        })
    }
}
