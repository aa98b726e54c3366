//! EL2N: the length of the error vector.
//!
//! `‖p − y‖₂ = sqrt( (1 − p_y)² + Σ_{j≠y} p_j² )`, with `p = softmax(f_w(x))` and `y` one-hot.
//!
//! Source: Paul, Ganguli, Dziugaite, "Deep Learning on a Data Diet", NeurIPS 2021, section 2
//! (arXiv 2107.07075). It is GraNd if the logit gradients are orthogonal and of equal size.
//!
//! This is the score of one network; the paper's is the mean over replicas, which
//! [`crate::stats::summary`] takes.

use crate::{
    checks,
    fast::{Element, Matrix, chunk, el2n::El2n, walk::in_parallel},
    score_error::ScoreError,
};

/// EL2N of n examples, on all cores; in [0, √2], **higher is harder**.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, of eval mode and un-augmented images; `labels`: n
/// class indices. It is [`LogitScores::of`](crate::LogitScores::of) for those who want nothing else, in one
/// pass over memory; of more than 32 classes the two
/// may differ in the last digits (`fast/mod.rs`).
///
/// Use it to prune and to find wrong labels, from a few epochs on and as a mean over several
/// trainings; not at initialisation, and not to keep the hardest alone where little is kept or
/// labels are noisy.
///
/// # Errors
/// As [`LogitScores::of`](crate::LogitScores::of).
///
/// ```
/// use datadiet_core::{Matrix, el2n};
/// use half::f16;
///
/// let logits = [2.0, 0.0, 0.0, /**/ 0.0, 1.0, 3.0].map(f16::from_f32);
/// let scores = el2n(Matrix::logits(&logits, 3), &[0, 1])?;
/// assert!(scores[0] < scores[1], "the second example is predicted wrongly, so it is harder");
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn el2n<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    let mut scores = vec![0.0; labels.len()];
    el2n_into(outputs, labels, &mut scores)?;
    Ok(scores)
}

/// As [`el2n`], into a column that is there already; after an error its content is worth nothing.
///
/// # Errors
/// As [`el2n`], and a column of another length than the labels.
pub fn el2n_into<E: Element>(
    outputs: Matrix<E>,
    labels: &[u32],
    scores: &mut [f32],
) -> Result<(), ScoreError> {
    outputs.check(labels)?;
    checks::length("scores", labels.len(), scores.len())?;
    let rows = chunk::rows(outputs.row_bytes());
    in_parallel(outputs, labels, rows, scores.chunks_mut(rows).map(El2n).collect())
}
