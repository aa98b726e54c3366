//! The columns of [`LogitScores`] as room to write to, which threads can share.

use std::mem;

use super::{sums::Scores, walk::Sink};
use crate::{
    isa::{Isa, LANES},
    logit_scores::LogitScores,
    score_kind::ScoreKind,
};

/// A run of rows of all columns.
pub(crate) struct Columns<'a> {
    scores: [&'a mut [f32]; ScoreKind::OF_PASS.len()],
    predicted: &'a mut [u32],
}

impl<'a> Columns<'a> {
    /// All rows of `scores`, which are made n.
    pub(crate) fn of(scores: &'a mut LogitScores, n: usize) -> Self {
        scores.columns.iter_mut().for_each(|column| column.resize(n, 0.0));
        scores.predicted.resize(n, 0);
        Self {
            scores: scores.columns.each_mut().map(Vec::as_mut_slice),
            predicted: &mut scores.predicted,
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.predicted.len()
    }

    /// Takes the first `rows` rows off.
    fn take_first(&mut self, rows: usize) -> Self {
        fn take<'a, T>(column: &mut &'a mut [T], rows: usize) -> &'a mut [T] {
            let (first, after) = mem::take(column).split_at_mut(rows);
            *column = after;
            first
        }
        Self {
            scores: self.scores.each_mut().map(|column| take(column, rows)),
            predicted: take(&mut self.predicted, rows),
        }
    }

    /// Runs of at most `rows` rows.
    pub(crate) fn chunks(mut self, rows: usize) -> Vec<Self> {
        let mut chunks = Vec::with_capacity(self.len().div_ceil(rows));
        while self.len() > rows {
            chunks.push(self.take_first(rows));
        }
        chunks.push(self);
        chunks
    }
}

impl Sink for Columns<'_> {
    const ALL: bool = true;

    #[inline(always)]
    fn take_scores<I: Isa>(
        &mut self,
        _: I,
        at: usize,
        rows: usize,
        _: &[u32; LANES],
        scores: &Scores,
    ) {
        for (column, lanes) in self.scores.iter_mut().zip(&scores.columns) {
            column[at..at + rows].copy_from_slice(&lanes[..rows]);
        }
        self.predicted[at..at + rows].copy_from_slice(&scores.predicted[..rows]);
    }
}
