//! Entropy of the prediction.
//!
//! `H(p) = −Σ_j p_j ln p_j`, with `0 ln 0 = 0`; in nats.
//!
//! It does not look at the label: a confident mistake has low entropy.

use crate::{
    fast::{Element, Matrix},
    logit_scores::LogitScores,
    score_error::ScoreError,
    score_kind::ScoreKind,
};

/// Entropy of the predictions of n examples in nats, in [0, ln K]; **higher is harder** (less
/// certain). The labels do not enter; they are checked all the same.
///
/// Use it to find what the network is unsure of; not to find wrong labels: a confident mistake has low
/// entropy.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, of eval mode and un-augmented images; `labels`: n
/// class indices.
///
/// # Errors
/// As [`LogitScores::of`].
///
/// ```
/// use datadiet_core::{Matrix, entropy};
///
/// assert_eq!(entropy(Matrix::probabilities(&[1.0_f32, 0.0], 2), &[0])?, [0.0]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn entropy<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    Ok(LogitScores::of(outputs, labels)?.into_column(ScoreKind::Entropy))
}
