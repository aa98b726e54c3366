//! L1 error: EL2N with the other norm.
//!
//! `‖p − y‖₁ = (1 − p_y) + Σ_{j≠y} p_j`, which is `2 (1 − p_y)` for
//! probabilities that sum to one. It therefore ranks exactly as the probability of the true
//! class does, and ignores how the wrong classes share the rest; EL2N does not.
//!
//! Source: the code released with Paul, Ganguli, Dziugaite 2021 (`l1_norm_error`).

/// L1 error of one example, in [0, 2]; higher is harder.
///
/// `probs`: K probabilities, `f32` or `f64`; `label` in `0..K`.
///
/// # Panics
/// If `label` is not in `0..K`.
///
/// ```
/// assert_eq!(datadiet_core::l1(&[0.75_f32, 0.25], 0), 0.5);
/// ```
#[must_use]
pub fn l1<P: Copy + Into<f64>>(probs: &[P], label: usize) -> f32 {
    let true_prob: f64 = probs[label].into();
    let mut sum = (1.0 - true_prob).abs();
    for (class, &p) in probs.iter().enumerate() {
        if class != label {
            sum += p.into().abs();
        }
    }
    sum as f32
}
