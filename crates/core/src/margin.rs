//! Margins on probabilities, in the reading of the code released with the paper: wrong minus
//! true, so that higher is harder, as for every other error score.
//!
//! max margin `= max_{j≠y} p_j − p_y`; sum margin `= Σ_{j≠y} (p_j − p_y)`,
//! which is `1 − K·p_y`.
//!
//! Source: the code released with Paul, Ganguli, Dziugaite 2021.
//!
//! The margin on logits, of the opposite sign and averaged over training, is [`crate::aum`].

/// Largest wrong probability minus the true one, in [−1, 1]; higher is harder, and above 0 the
/// prediction is wrong.
///
/// `probs`: K ≥ 2 probabilities, `f32` or `f64`; `label` in `0..K`.
///
/// # Panics
/// If `label` is not in `0..K`.
///
/// ```
/// assert_eq!(datadiet_core::max_margin(&[0.5_f32, 0.25, 0.25], 0), -0.25);
/// ```
#[must_use]
pub fn max_margin<P: Copy + Into<f64>>(probs: &[P], label: usize) -> f32 {
    (largest_other(probs, label) - probs[label].into()) as f32
}

/// Sum over the wrong classes of their probability minus the true one, in [1 − K, 1]; higher is
/// harder.
///
/// `probs`: K ≥ 2 probabilities, `f32` or `f64`; `label` in `0..K`.
///
/// # Panics
/// If `label` is not in `0..K`.
///
/// ```
/// assert_eq!(datadiet_core::sum_margin(&[0.5_f32, 0.25, 0.25], 0), -0.5);
/// ```
#[must_use]
pub fn sum_margin<P: Copy + Into<f64>>(probs: &[P], label: usize) -> f32 {
    let truth: f64 = probs[label].into();
    probs.iter().map(|&p| p.into() - truth).sum::<f64>() as f32
}

/// Largest entry of a row outside `label`; −∞ for a row of one.
pub(crate) fn largest_other<P: Copy + Into<f64>>(row: &[P], label: usize) -> f64 {
    let mut largest = f64::NEG_INFINITY;
    for (class, &value) in row.iter().enumerate() {
        if class != label {
            largest = largest.max(value.into());
        }
    }
    largest
}
