//! EL2N alone, for long columns: one pass over memory.

use rayon::prelude::*;

use super::{
    chunk,
    element::Element,
    isa::{Isa, LANES, dispatch},
    matrix::Matrix,
    sums::Sums,
    walk::{Sink, Walk, room},
};
use crate::score_error::ScoreError;

/// EL2N of n examples from their logits, on all cores; in [0, √2], higher is harder.
///
/// `logits`: n × K, K ≥ 2, eval mode and un-augmented images; `labels`: n class indices. The
/// definition is that of [`crate::el2n()`]; see [`crate::fast`] for how near to it this is.
///
/// # Errors
/// As [`LogitScores::from_logits`](crate::LogitScores::from_logits).
///
/// ```
/// use datadiet_core::fast::{Matrix, el2n};
/// use half::f16;
///
/// let logits = [2.0, 0.0, 0.0, /**/ 0.0, 1.0, 3.0].map(f16::from_f32);
/// let scores = el2n(Matrix::new(&logits, 3), &[0, 1])?;
/// assert!(scores[0] < scores[1], "the second example is predicted wrongly, so it is harder");
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn el2n<E: Element>(logits: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    let mut scores = vec![0.0; labels.len()];
    el2n_into(logits, labels, &mut scores)?;
    Ok(scores)
}

/// As [`el2n`], into a column that is there already; after an error its content is worth nothing.
///
/// # Errors
/// As [`el2n`], and a column of another length than the labels.
pub fn el2n_into<E: Element>(
    logits: Matrix<E>,
    labels: &[u32],
    scores: &mut [f32],
) -> Result<(), ScoreError> {
    logits.check("logits", labels)?;
    crate::checks::length("scores", labels.len(), scores.len())?;
    let rows = chunk::rows(logits.row_bytes());
    let walk = |room: &mut Vec<_>, (index, scores): (usize, &mut [f32])| {
        let first = index * rows;
        let rows = first..first + scores.len();
        dispatch(Walk { matrix: logits, rows, labels, room, sink: &mut El2n(scores) })
    };
    let finite = scores
        .par_chunks_mut(rows)
        .enumerate()
        .map_init(|| room(logits.classes()), walk)
        .reduce(|| true, |a, b| a & b);
    if finite { Ok(()) } else { logits.check_finite("logits", labels.len()) }
}

/// The column that EL2N is written to.
pub(super) struct El2n<'a>(pub(super) &'a mut [f32]);

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
}
