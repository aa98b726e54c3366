//! L1 error: EL2N with the other norm.
//!
//! `‖p − y‖₁ = (1 − p_y) + Σ_{j≠y} p_j`, which is `2 (1 − p_y)` for
//! probabilities that sum to one. It therefore ranks exactly as the probability of the true
//! class does, and ignores how the wrong classes share the rest; EL2N does not.
//!
//! Source: the code released with Paul, Ganguli, Dziugaite 2021 (`l1_norm_error`).

use crate::{
    fast::{Element, Matrix},
    logit_scores::LogitScores,
    score_error::ScoreError,
    score_kind::ScoreKind,
};

/// L1 error of n examples, in [0, 2]; **higher is harder**.
///
/// Use it to compare with the paper's released code; not where it should count how the wrong classes
/// share the rest.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, of eval mode and un-augmented images; `labels`: n
/// class indices.
///
/// # Errors
/// As [`LogitScores::of`].
///
/// ```
/// use datadiet_core::{Matrix, l1};
///
/// assert_eq!(l1(Matrix::probabilities(&[0.75_f32, 0.25], 2), &[0])?, [0.5]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn l1<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    Ok(LogitScores::of(outputs, labels)?.into_column(ScoreKind::L1))
}
