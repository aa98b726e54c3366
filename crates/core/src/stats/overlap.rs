//! How much two scores agree on the top.
//!
//! `Σ_i a_i b_i / k`, with `a_i` the chance that example i is among the k highest when ties are in
//! random order: 1 above the k-th value, 0 below it, and the tied ones share the places that are
//! left. Without ties it is `|top_k(a) ∩ top_k(b)| / k`. Two scores that have nothing to do with
//! each other share k/n by chance, whatever their ties; breaking ties by id, the same in both,
//! would make coarse scores agree that do not.
//!
//! Source: the overlaps of Kirsch 2023 (arXiv 2303.14753). It does not correct for chance.

use crate::{
    selection::rank_slice,
    stats::{StatsError, rank},
};

/// Fraction of the k highest of one column that are among the k highest of the other, in [0, 1].
///
/// # Errors
/// Lengths that differ, k of 0 or above n, NaN (with column and index), 2³² or more entries.
///
/// ```
/// let a = [0.1, 0.2, 0.3, 0.4];
/// let b = [0.3, 0.1, 0.2, 0.4];
/// assert_eq!(datadiet_core::top_overlap(&a, &b, 2)?, 0.5);
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn top_overlap(first: &[f32], second: &[f32], k: usize) -> Result<f64, StatsError> {
    let n = first.len();
    StatsError::check_lengths(n, second.len())?;
    StatsError::check_top(k, n)?;
    let (first, second) = (chances(first, k)?, chances(second, k));
    let second = second.map_err(|error| error.in_column(1))?;
    let shared: f64 = first.iter().zip(&second).map(|(a, b)| a * b).sum();
    Ok(shared / k as f64)
}

/// The chance of each value to be among the k highest.
fn chances(values: &[f32], k: usize) -> Result<Vec<f64>, StatsError> {
    rank::check(values)?;
    let lowest = rank_slice(values, values.len() - k..values.len());
    let least = lowest.iter().map(|&at| values[at as usize]).fold(f32::INFINITY, f32::min);
    let above = values.iter().filter(|&&value| value > least).count();
    let tied = values.iter().filter(|&&value| value == least).count();
    let share = (k - above) as f64 / tied as f64;
    let chance = |&value: &f32| {
        if value > least {
            1.0
        } else if value == least {
            share
        } else {
            0.0
        }
    };
    Ok(values.iter().map(chance).collect())
}
