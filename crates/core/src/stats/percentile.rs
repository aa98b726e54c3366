//! Percentiles, and the band that figures show.
//!
//! The q-th percentile of n sorted values `v_0 … v_{n−1}` lies at `h = (n − 1) q / 100`, between
//! its neighbours in proportion: `v_⌊h⌋ + (h − ⌊h⌋) (v_⌊h⌋₊₁ − v_⌊h⌋)`. This is the default of
//! `numpy.percentile`.
//!
//! The band is mean, 16th and 84th percentile, as in the figures of Paul et al. 2021: one standard
//! deviation to both sides, were the values normal. Of four retrainings it is an impression, not
//! an interval of confidence.

use crate::stats::StatsError;

/// The q-th percentile of at least one value, q in [0, 100].
///
/// # Errors
/// No value, NaN (with its index), or q outside [0, 100].
///
/// ```
/// use datadiet_core::percentile;
///
/// assert_eq!(percentile(&[4.0, 1.0, 2.0], 50.0)?, 2.0);
/// assert_eq!(percentile(&[4.0, 1.0, 2.0], 75.0)?, 3.0);
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn percentile(values: &[f64], q: f64) -> Result<f64, StatsError> {
    let sorted = sorted(values)?;
    if !(0.0..=100.0).contains(&q) {
        return Err(StatsError::NotAPercentile { q });
    }
    Ok(interpolate(&sorted, q))
}

/// Mean, 16th and 84th percentile of at least one value.
///
/// # Errors
/// No value, or NaN (with its index).
///
/// ```
/// let (mean, low, high) = datadiet_core::band(&[0.93, 0.95])?;
/// assert!(low < mean && mean < high);
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn band(values: &[f64]) -> Result<(f64, f64, f64), StatsError> {
    let sorted = sorted(values)?;
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    Ok((mean, interpolate(&sorted, 16.0), interpolate(&sorted, 84.0)))
}

fn sorted(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    if values.is_empty() {
        return Err(StatsError::TooFew { what: "values", needed: 1, found: 0 });
    }
    if let Some(index) = values.iter().position(|value| value.is_nan()) {
        return Err(StatsError::Nan { column: 0, index });
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Ok(sorted)
}

fn interpolate(sorted: &[f64], q: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * (q / 100.0);
    let below = place.floor();
    let part = place - below;
    let low = sorted[below as usize];
    let high = sorted[place.ceil() as usize];
    // Equal neighbours may be infinite, and their difference NaN.
    if low == high {
        return low;
    }
    // From the nearer neighbour, as NumPy does: the result rises with q in spite of rounding.
    let step = high - low;
    if part < 0.5 { low + step * part } else { high - step * (1.0 - part) }
}
