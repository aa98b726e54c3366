//! One column that ranks by forgetting, with never-learned examples on top.
//!
//! Over R replicas an example has the mean number of events `m` (a replica that never learned it
//! counts 0 events) and the fraction `f` of replicas that never learned it. A never-learned
//! replica is worth infinitely many events in the paper; here it is worth `C` events, the
//! smallest round number above every count there is:
//!
//! `key = m + f · C`,  `C = 1 + max over examples with f < 1 of m / (1 − f)`,
//!
//! which is the mean over replicas of the count with ∞ replaced by `C`; `m / (1 − f)` is the mean
//! count of the replicas that did learn it. So an example that no replica learned has key `C`,
//! above every other; and with one replica every never-learned example is above every count. One
//! unlucky replica out of ten lifts an example by a tenth of `C`, where the released code's mean
//! becomes infinite for good.
//!
//! The key is for ranking within one set of examples: `C`, and so the scale, depends on the set.

use crate::stats::StatsError;

/// The ranking column of n examples; higher is harder.
///
/// `mean_events`: n means in [0, ∞); `never_learned`: n fractions in [0, 1]. Where either is NaN
/// (unseen) the key is NaN.
///
/// # Errors
/// Columns of different lengths; a fraction outside [0, 1].
///
/// ```
/// let key = datadiet_core::forgetting_key(&[0.0, 7.0, 0.0, f32::NAN], &[0.0, 0.0, 1.0, f32::NAN])?;
/// assert_eq!(key[..3], [0.0, 7.0, 8.0]);
/// assert!(key[3].is_nan());
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn forgetting_key(mean_events: &[f32], never_learned: &[f32]) -> Result<Vec<f32>, StatsError> {
    StatsError::check_lengths(mean_events.len(), never_learned.len())?;
    check_fractions(never_learned)?;
    let pairs = || mean_events.iter().zip(never_learned);
    let worth = 1.0 + pairs().map(|(&m, &f)| mean_where_learned(m, f)).fold(0.0, f64::max);
    let key = |(&m, &f): (&f32, &f32)| (f64::from(m) + f64::from(f) * worth) as f32;
    Ok(pairs().map(key).collect())
}

/// Mean count of the replicas that learned the example; 0 where none did or none saw it.
fn mean_where_learned(mean_events: f32, never_learned: f32) -> f64 {
    let learned = 1.0 - f64::from(never_learned);
    if learned > 0.0 && !mean_events.is_nan() { f64::from(mean_events) / learned } else { 0.0 }
}

fn check_fractions(fractions: &[f32]) -> Result<(), StatsError> {
    match fractions.iter().position(|f| *f < 0.0 || *f > 1.0) {
        None => Ok(()),
        Some(index) => Err(StatsError::NotAFraction { index, value: fractions[index] }),
    }
}
