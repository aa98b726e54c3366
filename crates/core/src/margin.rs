//! Margins on probabilities, in the reading of the code released with the paper: wrong minus
//! true, so that higher is harder, as for every other error score.
//!
//! max margin `= max_{j≠y} p_j − p_y`; sum margin `= Σ_{j≠y} (p_j − p_y)`,
//! which is `1 − K·p_y`. The log margin `ln p_y − max_{j≠y} ln p_j` has the opposite sign, as AUM has; of
//! logits it is their margin, exactly.
//!
//! Source: the code released with Paul, Ganguli, Dziugaite 2021.
//!
//! The log margin averaged over training is AUM, and of averaged probabilities the margin of the mean
//! ([`crate::TrainingDynamics`]).

use crate::{
    fast::{Element, Matrix},
    logit_scores::LogitScores,
    score_error::ScoreError,
    score_kind::ScoreKind,
};

/// Largest wrong probability minus the true one, of n examples, in [−1, 1]; **higher is harder**, and
/// above 0 the prediction is wrong.
///
/// Use it to find examples near the decision boundary, at 0, or predicted wrongly; not in place of AUM,
/// which sees the margins of a whole training.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, of eval mode and un-augmented images; `labels`: n
/// class indices.
///
/// # Errors
/// As [`LogitScores::of`].
///
/// ```
/// use datadiet_core::{Matrix, max_margin};
///
/// let probs = [0.5_f32, 0.25, 0.25];
/// assert_eq!(max_margin(Matrix::probabilities(&probs, 3), &[0])?, [-0.25]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn max_margin<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    Ok(LogitScores::of(outputs, labels)?.into_column(ScoreKind::MaxMargin))
}

/// Log of the true probability minus that of the largest wrong one, of n examples, in (−∞, ∞); **lower is
/// harder**, and below 0 the prediction is wrong.
///
/// Use it to find wrong labels at the end of a training, where probabilities are all but 0 or 1; not to
/// compare networks: its scale grows with their confidence.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, of eval mode and un-augmented images; `labels`: n
/// class indices. A probability below the smallest normal `f32` (2⁻¹²⁶) is read as that.
///
/// # Errors
/// As [`LogitScores::of`].
///
/// ```
/// use datadiet_core::{Matrix, log_margin};
///
/// assert_eq!(log_margin(Matrix::logits(&[1.0_f32, 3.0, 2.0], 3), &[0])?, [-2.0]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn log_margin<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    Ok(LogitScores::of(outputs, labels)?.into_column(ScoreKind::LogMargin))
}

/// Sum over the wrong classes of their probability minus the true one, of n examples, in [1 − K, 1];
/// **higher is harder**.
///
/// Use it to compare with the paper's released code; not beside L1 as a second opinion: it has the same
/// order.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, of eval mode and un-augmented images; `labels`: n
/// class indices.
///
/// # Errors
/// As [`LogitScores::of`].
///
/// ```
/// use datadiet_core::{Matrix, sum_margin};
///
/// let probs = [0.5_f32, 0.25, 0.25];
/// assert_eq!(sum_margin(Matrix::probabilities(&probs, 3), &[0])?, [-0.5]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn sum_margin<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    Ok(LogitScores::of(outputs, labels)?.into_column(ScoreKind::SumMargin))
}
