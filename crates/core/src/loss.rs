//! Cross-entropy of one example.
//!
//! `−ln p_y = (m − z_y) + ln( 1 + Σ_{j≠a} exp(z_j − m) )`, with `m = z_a = max z`. Taken from the
//! logits: `−ln` of a probability that was rounded to 0 would be infinite, and `ln_1p` keeps the
//! tiny losses of easy examples apart.
//!
//! No label smoothing and no class weights, whatever the training loss had.

use crate::{
    fast::{Element, Matrix},
    logit_scores::LogitScores,
    score_error::ScoreError,
    score_kind::ScoreKind,
};

/// Cross-entropy of n examples in nats, in [0, ∞) and always finite; **higher is harder**.
///
/// From probabilities it is at most 87.4: one below the smallest normal `f32` (2⁻¹²⁶) has lost its
/// digits and is read as that.
///
/// Use it to find wrong labels late in training, and to compare with methods that choose by loss; not
/// as a mean over few trainings: it has no upper end, so one confident mistake outweighs the others.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, of eval mode and un-augmented images; `labels`: n
/// class indices.
///
/// # Errors
/// As [`LogitScores::of`].
///
/// ```
/// use datadiet_core::{Matrix, loss};
///
/// let scores = loss(Matrix::logits(&[0.0_f32, 0.0, /**/ 0.0, 1000.0], 2), &[1, 0])?;
/// assert!((scores[0] - 2.0_f32.ln()).abs() < 1e-7);
/// assert_eq!(scores[1], 1000.0);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn loss<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    Ok(LogitScores::of(outputs, labels)?.into_column(ScoreKind::Loss))
}
