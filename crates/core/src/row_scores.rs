//! Everything that one presentation of one example tells, as [`BatchScores`] took it.

use crate::{fast::BatchScores, score_kind::ScoreKind};

/// The scores of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowScores {
    /// Probability of the true class, in [0, 1].
    pub(crate) true_prob: f64,
    /// Logit of the true class minus the largest other; NaN where there were no logits.
    pub(crate) logit_margin: f64,
    /// In the order of [`Self::KINDS`].
    pub(crate) scores: [f32; Self::KINDS.len()],
    /// The predicted class: the largest entry's, ties to the lowest.
    pub(crate) predicted: u32,
    /// The label that the row was scored with.
    pub(crate) label: u32,
}

impl RowScores {
    /// What is kept of [`ScoreKind::OF_PASS`]: all but the last, which the prediction tells.
    pub(crate) const KINDS: &[ScoreKind] =
        ScoreKind::OF_PASS.split_at(ScoreKind::OF_PASS.len() - 1).0;

    /// One row of a batch.
    pub(crate) fn from_batch(batch: &BatchScores, row: usize, label: u32) -> Self {
        let scores = batch.scores();
        let mut kept = [0.0; Self::KINDS.len()];
        for (score, column) in kept.iter_mut().zip(&scores.columns) {
            *score = column[row];
        }
        Self {
            true_prob: batch.true_prob()[row],
            logit_margin: batch.margin()[row],
            scores: kept,
            predicted: scores.predicted[row],
            label,
        }
    }

    /// Whether the prediction was the label.
    pub(crate) fn correct(&self) -> bool {
        self.predicted == self.label
    }

    /// The value of a score of the evaluation pass; `None` for a score of another source.
    pub(crate) fn value(&self, kind: ScoreKind) -> Option<f32> {
        let place = kind.place_in_pass()?;
        let correct = || f32::from(u8::from(self.correct()));
        Some(self.scores.get(place).copied().unwrap_or_else(correct))
    }
}
