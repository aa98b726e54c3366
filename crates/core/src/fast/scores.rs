//! All scores of an evaluation pass, for long columns: one pass over memory.

use rayon::prelude::*;

use super::{
    chunk,
    columns::Columns,
    element::Element,
    isa::{Isa, LANES, dispatch},
    matrix::Matrix,
    sums::Sums,
    walk::{Sink, Walk, room},
};
use crate::{logit_scores::LogitScores, score_error::ScoreError};

/// All scores of n examples from their logits, on all cores.
///
/// `logits`: n × K, K ≥ 2, eval mode and un-augmented images; `labels`: n class indices. It is
/// [`LogitScores::from_logits`] for large matrices; see [`crate::fast`] for how near to it this is.
///
/// # Errors
/// As [`LogitScores::from_logits`].
///
/// ```
/// use datadiet_core::fast::{Matrix, logit_scores};
///
/// let scores = logit_scores(Matrix::new(&[0.0_f64, 0.0, 0.0, 3.0], 2), &[0, 1])?;
/// assert_eq!(scores.correct, [1.0, 1.0], "a tie goes to the lowest class");
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn logit_scores<E: Element>(
    logits: Matrix<E>,
    labels: &[u32],
) -> Result<LogitScores, ScoreError> {
    logits.check("logits", labels)?;
    let mut scores = LogitScores::default();
    let rows = chunk::rows(logits.row_bytes());
    let walk = |room: &mut Vec<_>, (index, mut columns): (usize, Columns)| {
        let first = index * rows;
        let rows = first..first + columns.len();
        dispatch(Walk { matrix: logits, rows, labels, room, sink: &mut columns })
    };
    let finite = Columns::of(&mut scores, labels.len())
        .chunks(rows)
        .into_par_iter()
        .enumerate()
        .map_init(|| room(logits.classes()), walk)
        .reduce(|| true, |a, b| a & b);
    if !finite {
        logits.check_finite("logits", labels.len())?;
    }
    Ok(scores)
}

impl Sink for Columns<'_> {
    const ALL: bool = true;

    #[inline(always)]
    fn take<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        rows: usize,
        labels: &[u32; LANES],
        sums: &Sums,
        classes: usize,
    ) {
        self.write(at, rows, &sums.scores(isa, labels, classes));
    }
}
