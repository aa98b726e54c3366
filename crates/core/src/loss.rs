//! Cross-entropy of one example.
//!
//! `−ln p_y = (m − z_y) + ln( 1 + Σ_{j≠a} exp(z_j − m) )`, with `m = z_a = max z`. Taken from the
//! logits: `−ln` of a probability that was rounded to 0 would be infinite, and `ln_1p` keeps the
//! tiny losses of easy examples apart.
//!
//! No label smoothing and no class weights, whatever the training loss had.

use crate::argmax::argmax;

/// Cross-entropy of one example from its logits, in nats, in [0, ∞) and always finite; higher is
/// harder.
///
/// `logits`: K finite numbers (eval mode, un-augmented image); `label` in `0..K`.
///
/// # Panics
/// If `label` is not in `0..K`.
///
/// ```
/// let loss = datadiet_core::loss(&[0.0, 0.0], 1);
/// assert!((loss - 2.0_f32.ln()).abs() < 1e-7);
/// assert_eq!(datadiet_core::loss(&[0.0, 1000.0], 0), 1000.0);
/// ```
#[must_use]
pub fn loss(logits: &[f32], label: usize) -> f32 {
    cross_entropy(logits, label) as f32
}

/// The same from the probability of the true class.
///
/// A probability below the smallest normal `f32` (2⁻¹²⁶) has lost its digits and is read as that,
/// so the loss is at most 87.4 and never infinite. Use [`loss`] where the logits are at hand.
///
/// ```
/// use datadiet_core::loss::loss_from_prob;
///
/// assert_eq!(loss_from_prob(1.0), 0.0);
/// assert!(loss_from_prob(0.0).is_finite());
/// ```
#[must_use]
pub fn loss_from_prob(true_prob: f32) -> f32 {
    // A sum within the tolerance can leave p slightly above 1; a loss is never negative.
    let p = true_prob.clamp(f32::MIN_POSITIVE, 1.0);
    (-f64::from(p).ln()).max(0.0) as f32
}

pub(crate) fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let top = argmax(logits);
    let largest = f64::from(logits[top]);
    let mut rest = 0.0;
    for (class, &z) in logits.iter().enumerate() {
        if class != top {
            rest += (f64::from(z) - largest).exp();
        }
    }
    (largest - f64::from(logits[label])) + rest.ln_1p()
}
