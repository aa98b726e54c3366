//! Ranks with averaged ties, and the order of examples.
//!
//! Values are turned into keys that sort as the numbers do (`monotone_key.rs`), packed with
//! their index and sorted as integers (`packed.rs`). −0 equals +0, −∞ and ∞ are ordinary
//! ends, and NaN is refused, because an unseen example has no rank.
//!
//! Ranks agree with `scipy.stats.rankdata(method="average")`. No other tie rule, no weights.

use crate::{
    example_id::ExampleId,
    monotone_key::monotone_key,
    packed::{index_of, pack, tied},
    stats::StatsError,
};

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
    Ok(doubled_ranks(sorted_keys(values)?, |doubled| doubled as f64 / 2.0))
}

/// `value` of twice the averaged rank, in the order of the examples. Twice, since a mean of ranks
/// may end in a half.
pub(crate) fn doubled_ranks<T: Copy + Default>(
    sorted: Vec<u64>,
    value: impl Fn(u64) -> T,
) -> Vec<T> {
    let mut ranks = vec![T::default(); sorted.len()];
    let mut before = 0;
    for tied in tied(&sorted) {
        // The mean of ranks before+1 ..= before+len.
        let rank = value(2 * before + tied.len() as u64 + 1);
        for &packed in tied {
            ranks[index_of(packed) as usize] = rank;
        }
        before += tied.len() as u64;
    }
    ranks
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
        .map(|(position, (&value, id))| (pack(monotone_key(value), id.0), position as u32))
        .collect();
    sorted.sort_unstable();
    Ok(sorted.into_iter().map(|(_, position)| position).collect())
}

/// (key, index) of each value, packed and sorted; ties are in order of index.
pub(crate) fn sorted_keys(values: &[f32]) -> Result<Vec<u64>, StatsError> {
    check(values)?;
    let pairs = values.iter().enumerate();
    let packed = pairs.map(|(index, &value)| pack(monotone_key(value), index as u32));
    let mut packed: Vec<u64> = packed.collect();
    packed.sort_unstable();
    Ok(packed)
}

/// `values` can be ranked.
pub(crate) fn check(values: &[f32]) -> Result<(), StatsError> {
    if u32::try_from(values.len()).is_err() {
        return Err(StatsError::TooMany { found: values.len() });
    }
    match values.iter().position(|value| value.is_nan()) {
        None => Ok(()),
        Some(index) => Err(StatsError::Nan { column: 0, index }),
    }
}
