//! EL2N: the length of the error vector.
//!
//! `‖p − y‖₂ = sqrt( (1 − p_y)² + Σ_{j≠y} p_j² )`, with `p = softmax(f_w(x))` and `y` one-hot.
//!
//! Source: Paul, Ganguli, Dziugaite, "Deep Learning on a Data Diet", NeurIPS 2021, section 2
//! (arXiv 2107.07075). It is GraNd if the logit gradients are orthogonal and of equal size.
//!
//! This is the score of one network; the paper's is the mean over replicas, which
//! [`crate::stats::summary`] takes.

/// EL2N of one example, in [0, √2]; higher is harder.
///
/// `probs`: K probabilities, `f32` or `f64` (eval mode, un-augmented image); `label` in `0..K`.
///
/// # Panics
/// If `label` is not in `0..K`.
///
/// ```
/// let score = datadiet_core::el2n(&[0.5_f32, 0.5], 0);
/// assert!((score - 0.5_f32.sqrt()).abs() < 1e-7);
/// ```
#[must_use]
pub fn el2n<P: Copy + Into<f64>>(probs: &[P], label: usize) -> f32 {
    let true_prob: f64 = probs[label].into();
    let mut sum = (1.0 - true_prob).powi(2);
    for (class, &p) in probs.iter().enumerate() {
        if class != label {
            sum += p.into().powi(2);
        }
    }
    sum.sqrt() as f32
}
