//! Everything that one presentation of one example tells.
//!
//! The formulas are in the files of each score; of logits they are taken a batch at a time by
//! [`BatchScores`]. One row in, one row out: nothing is kept from one presentation to the next.

use crate::{
    argmax::argmax,
    el2n::el2n,
    entropy::entropy,
    fast::BatchScores,
    l1::l1,
    loss::loss_from_prob,
    margin::{max_margin, sum_margin},
    score_kind::ScoreKind,
};

/// The scores of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowScores {
    /// Probability of the true class, in [0, 1].
    pub(crate) true_prob: f64,
    /// Logit of the true class minus the largest other; NaN where there were no logits.
    pub(crate) logit_margin: f64,
    pub(crate) el2n: f32,
    pub(crate) l1: f32,
    pub(crate) loss: f32,
    pub(crate) entropy: f32,
    pub(crate) max_margin: f32,
    pub(crate) sum_margin: f32,
    /// The predicted class: the largest entry's, ties to the lowest.
    pub(crate) predicted: u32,
    /// The label that the row was scored with.
    pub(crate) label: u32,
}

impl RowScores {
    /// Those of one row of a batch of logits.
    pub(crate) fn from_batch(batch: &BatchScores, row: usize, label: u32) -> Self {
        let scores = batch.scores();
        Self {
            true_prob: batch.true_prob()[row],
            logit_margin: batch.margin()[row],
            el2n: scores.el2n[row],
            l1: scores.l1[row],
            loss: scores.loss[row],
            entropy: scores.entropy[row],
            max_margin: scores.max_margin[row],
            sum_margin: scores.sum_margin[row],
            predicted: scores.predicted[row],
            label,
        }
    }

    /// From K ≥ 2 probabilities that sum to 1 and a label in `0..K`.
    pub(crate) fn from_probs(probs: &[f32], label: usize) -> Self {
        Self {
            // A sum within the tolerance can leave p slightly above 1.
            true_prob: f64::from(probs[label]).min(1.0),
            logit_margin: f64::NAN,
            el2n: el2n(probs, label),
            l1: l1(probs, label),
            loss: loss_from_prob(probs[label]),
            entropy: entropy(probs),
            max_margin: max_margin(probs, label),
            sum_margin: sum_margin(probs, label),
            predicted: argmax(probs) as u32,
            label: label as u32,
        }
    }

    /// Whether the prediction was the label.
    pub(crate) fn correct(&self) -> bool {
        self.predicted == self.label
    }

    /// The value of a score of the evaluation pass; `None` for a score of another source.
    pub(crate) fn value(&self, kind: ScoreKind) -> Option<f32> {
        match kind {
            ScoreKind::El2n => Some(self.el2n),
            ScoreKind::L1 => Some(self.l1),
            ScoreKind::Loss => Some(self.loss),
            ScoreKind::Entropy => Some(self.entropy),
            ScoreKind::MaxMargin => Some(self.max_margin),
            ScoreKind::SumMargin => Some(self.sum_margin),
            ScoreKind::Correct => Some(f32::from(u8::from(self.correct()))),
            _ => None,
        }
    }
}
