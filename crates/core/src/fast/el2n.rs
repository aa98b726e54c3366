//! The column that EL2N alone is written to.

use super::{
    sums::{Scores, Sums},
    walk::Sink,
};
use crate::{
    isa::{Isa, LANES},
    score_kind::ScoreKind,
};

/// EL2N of rows, and nothing else.
pub(crate) struct El2n<'a>(pub(crate) &'a mut [f32]);

impl Sink for El2n<'_> {
    const ALL: bool = false;

    #[inline(always)]
    fn take<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        rows: usize,
        _: &[u32; LANES],
        sums: &Sums,
        _: usize,
    ) {
        self.0[at..at + rows].copy_from_slice(&sums.el2n(isa)[..rows]);
    }

    #[inline(always)]
    fn take_scores<I: Isa>(
        &mut self,
        _: I,
        at: usize,
        rows: usize,
        _: &[u32; LANES],
        scores: &Scores,
    ) {
        let column = &scores.columns[ScoreKind::El2n as usize];
        self.0[at..at + rows].copy_from_slice(&column[..rows]);
    }
}
