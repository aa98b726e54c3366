//! The columns of [`LogitScores`] as room to write to, which threads can share.

use super::{isa::LANES, sums::Scores};
use crate::logit_scores::LogitScores;

/// A run of rows of all columns.
pub(super) struct Columns<'a> {
    el2n: &'a mut [f32],
    l1: &'a mut [f32],
    loss: &'a mut [f32],
    entropy: &'a mut [f32],
    max_margin: &'a mut [f32],
    sum_margin: &'a mut [f32],
    correct: &'a mut [f32],
    predicted: &'a mut [u32],
}

impl<'a> Columns<'a> {
    /// All rows of `scores`, which are made n.
    pub(super) fn of(scores: &'a mut LogitScores, n: usize) -> Self {
        let LogitScores { el2n, l1, loss, entropy, max_margin, sum_margin, correct, predicted } =
            scores;
        for column in [el2n, l1, loss, entropy, max_margin, sum_margin, correct].iter_mut() {
            column.resize(n, 0.0);
        }
        predicted.resize(n, 0);
        Self {
            el2n: &mut scores.el2n,
            l1: &mut scores.l1,
            loss: &mut scores.loss,
            entropy: &mut scores.entropy,
            max_margin: &mut scores.max_margin,
            sum_margin: &mut scores.sum_margin,
            correct: &mut scores.correct,
            predicted: &mut scores.predicted,
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.predicted.len()
    }

    /// The first `rows` rows, and the others.
    fn split(self, rows: usize) -> (Self, Self) {
        let (el2n, el2n_after) = self.el2n.split_at_mut(rows);
        let (l1, l1_after) = self.l1.split_at_mut(rows);
        let (loss, loss_after) = self.loss.split_at_mut(rows);
        let (entropy, entropy_after) = self.entropy.split_at_mut(rows);
        let (max_margin, max_margin_after) = self.max_margin.split_at_mut(rows);
        let (sum_margin, sum_margin_after) = self.sum_margin.split_at_mut(rows);
        let (correct, correct_after) = self.correct.split_at_mut(rows);
        let (predicted, predicted_after) = self.predicted.split_at_mut(rows);
        let first = Columns { el2n, l1, loss, entropy, max_margin, sum_margin, correct, predicted };
        let after = Columns {
            el2n: el2n_after,
            l1: l1_after,
            loss: loss_after,
            entropy: entropy_after,
            max_margin: max_margin_after,
            sum_margin: sum_margin_after,
            correct: correct_after,
            predicted: predicted_after,
        };
        (first, after)
    }

    /// Runs of at most `rows` rows.
    pub(super) fn chunks(self, rows: usize) -> Vec<Self> {
        let mut chunks = Vec::with_capacity(self.len().div_ceil(rows));
        let mut left = self;
        while left.len() > rows {
            let (first, after) = left.split(rows);
            chunks.push(first);
            left = after;
        }
        chunks.push(left);
        chunks
    }

    /// Writes rows `at..at + rows`.
    #[inline(always)]
    pub(super) fn write(&mut self, at: usize, rows: usize, scores: &Scores) {
        let floats: [(&mut [f32], &[f32; LANES]); 7] = [
            (&mut *self.el2n, &scores.el2n),
            (&mut *self.l1, &scores.l1),
            (&mut *self.loss, &scores.loss),
            (&mut *self.entropy, &scores.entropy),
            (&mut *self.max_margin, &scores.max_margin),
            (&mut *self.sum_margin, &scores.sum_margin),
            (&mut *self.correct, &scores.correct),
        ];
        for (column, lanes) in floats {
            column[at..at + rows].copy_from_slice(&lanes[..rows]);
        }
        self.predicted[at..at + rows].copy_from_slice(&scores.predicted[..rows]);
    }
}
