//! Barriers between two networks on the straight line between their weights.
//!
//! `err(w, w') = max_α R(αw + (1 − α)w') − αR(w) − (1 − α)R(w')` with R the error (or the loss) on a
//! set of examples, α in [0, 1] (Frankle et al. 2020; Paul, Ganguli, Dziugaite 2021, section 5).
//! Where it is about 0 the two are linearly mode connected on these examples.

/// The barrier of a path: `risks[i]` at `alphas[i]`, which begin at 0 and end at 1. Never negative:
/// at the ends the path is on the chord. `None` where the ends are missing, the lengths differ, or a
/// risk is not finite.
///
/// ```
/// use datadiet_core::barrier;
///
/// assert_eq!(barrier(&[0.0, 0.5, 1.0], &[0.1, 0.75, 0.2]), Some(0.6));
/// assert_eq!(barrier(&[0.0, 0.5, 1.0], &[0.1, 0.1, 0.1]), Some(0.0));
/// ```
#[must_use]
pub fn barrier(alphas: &[f64], risks: &[f64]) -> Option<f64> {
    let (first, last) = (*risks.first()?, *risks.last()?);
    let whole = alphas.first() == Some(&0.0) && alphas.last() == Some(&1.0);
    if !whole || alphas.len() != risks.len() || risks.iter().any(|risk| !risk.is_finite()) {
        return None;
    }
    let above = alphas.iter().zip(risks).map(|(&alpha, &risk)| {
        // As an interpolation that is exact at both ends and between equal ones.
        let chord = if alpha < 0.5 {
            first + alpha * (last - first)
        } else {
            last - (1.0 - alpha) * (last - first)
        };
        risk - chord
    });
    Some(above.fold(0.0, f64::max))
}
