//! Probabilities from logits.
//!
//! `p_j = exp(z_j − m) / Σ_i exp(z_i − m)` with `m = max z`: the largest exponent is 0, so nothing
//! overflows and the sum is at least 1.
//!
//! No temperature: the scores of the paper are defined at temperature 1.

/// Softmax of one row: K logits to K probabilities in [0, 1] that sum to 1 (to f32 rounding).
///
/// # Panics
/// In debug builds, if a logit is not finite.
///
/// ```
/// assert_eq!(datadiet_core::softmax(&[1000.0, 1000.0]), [0.5, 0.5]);
/// ```
#[must_use]
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let mut probs = vec![0.0; logits.len()];
    softmax_into(logits, &mut probs);
    probs.into_iter().map(|p| p as f32).collect()
}

/// Softmax of one row into `probs`, unrounded.
///
/// Scores are computed from these `f64` probabilities: rounded to `f32`, the true class of an
/// easy example reads 1 and the easiest examples would all tie.
///
/// # Panics
/// If the lengths differ; in debug builds, if a logit is not finite.
pub fn softmax_into(logits: &[f32], probs: &mut [f64]) {
    assert_eq!(logits.len(), probs.len(), "one probability for each logit");
    debug_assert!(logits.iter().all(|z| z.is_finite()), "logits are finite");
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut sum = 0.0;
    for (p, &z) in probs.iter_mut().zip(logits) {
        *p = (f64::from(z) - f64::from(largest)).exp();
        sum += *p;
    }
    for p in probs {
        *p /= sum;
    }
}
