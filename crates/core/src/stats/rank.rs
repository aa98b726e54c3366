//! Ranks with averaged ties, and the order of examples.
//!
//! Values are turned into `u32` keys that sort as the numbers do, packed with their index into
//! one `u64` and sorted as integers: 10⁷ values take about a second on one core. −0
//! equals +0, −∞ and ∞ are ordinary ends, and NaN is refused, because an unseen example has no
//! rank.
//!
//! Ranks agree with `scipy.stats.rankdata(method="average")`. No other tie rule, no weights.

use crate::{example_id::ExampleId, stats::StatsError};

/// Ranks from 1 to n in ascending order of value; equal values share the mean of their ranks.
///
/// The sum is n(n+1)/2 whatever the ties.
///
/// # Errors
/// NaN in `values` (with its index), or 2³² or more values.
///
/// ```
/// let ranks = datadiet_core::average_ranks(&[30.0, 10.0, 20.0, 20.0])?;
/// assert_eq!(ranks, [4.0, 1.0, 2.5, 2.5]);
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn average_ranks(values: &[f32]) -> Result<Vec<f64>, StatsError> {
    let sorted = sorted_keys(values)?;
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for tied in sorted.chunk_by(|a, b| a >> 32 == b >> 32) {
        // Ranks before+1 ..= before+len have this mean; both terms are exact.
        let rank = before as f64 + (tied.len() as f64 + 1.0) / 2.0;
        for &packed in tied {
            ranks[packed as u32 as usize] = rank;
        }
        before += tied.len();
    }
    Ok(ranks)
}

/// Positions of `values` in ascending order; equal values in ascending order of their id.
///
/// Positions, not ids: `ids[order[0] as usize]` is the example with the lowest value.
///
/// # Errors
/// Lengths that differ, NaN in `values` (with its index), or 2³² or more values.
///
/// ```
/// use datadiet_core::{ExampleId, order};
///
/// let ids = [ExampleId(9), ExampleId(4), ExampleId(7)];
/// assert_eq!(order(&[1.0, 1.0, 0.5], &ids)?, [2, 1, 0]);
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn order(values: &[f32], ids: &[ExampleId]) -> Result<Vec<u32>, StatsError> {
    StatsError::check_lengths(values.len(), ids.len())?;
    check(values)?;
    let mut sorted: Vec<(u64, u32)> = values
        .iter()
        .zip(ids)
        .enumerate()
        .map(|(position, (&value, id))| (pack(value, id.0), position as u32))
        .collect();
    sorted.sort_unstable();
    Ok(sorted.into_iter().map(|(_, position)| position).collect())
}

/// (key, index) of each value, packed and sorted; ties are in order of index.
fn sorted_keys(values: &[f32]) -> Result<Vec<u64>, StatsError> {
    check(values)?;
    let pairs = values.iter().enumerate();
    let mut packed: Vec<u64> = pairs.map(|(i, &value)| pack(value, i as u32)).collect();
    packed.sort_unstable();
    Ok(packed)
}

fn pack(value: f32, low: u32) -> u64 {
    u64::from(monotone_key(value)) << 32 | u64::from(low)
}

/// An integer that sorts as the number does. Negative floats sort backwards by their bits, so all
/// of those are flipped; of the others only the sign is.
fn monotone_key(value: f32) -> u32 {
    // Adding +0 turns −0 into +0, so the two tie.
    let bits = (value + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn check(values: &[f32]) -> Result<(), StatsError> {
    if u32::try_from(values.len()).is_err() {
        return Err(StatsError::TooMany { found: values.len() });
    }
    match values.iter().position(|value| value.is_nan()) {
        None => Ok(()),
        Some(index) => Err(StatsError::Nan { column: 0, index }),
    }
}
