//! Entropy of the prediction.
//!
//! `H(p) = −Σ_j p_j ln p_j`, with `0 ln 0 = 0`; in nats.
//!
//! It does not look at the label: a confident mistake has low entropy.

/// Entropy of one row of probabilities in nats, in [0, ln K]; higher is harder (less certain).
///
/// `probs`: K probabilities, `f32` or `f64`.
///
/// ```
/// assert_eq!(datadiet_core::entropy(&[1.0_f32, 0.0]), 0.0);
/// assert!((datadiet_core::entropy(&[0.5_f32, 0.5]) - 2.0_f32.ln()).abs() < 1e-7);
/// ```
#[must_use]
pub fn entropy<P: Copy + Into<f64>>(probs: &[P]) -> f32 {
    let mut sum = 0.0;
    for &p in probs {
        let p: f64 = p.into();
        if p > 0.0 {
            sum -= p * p.ln();
        }
    }
    // One class a rounding above 1 would give −ε, and an exact 1 gives −0.
    sum.max(0.0) as f32
}
