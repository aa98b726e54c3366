//! How much two scores agree on the top.
//!
//! `|top_k(a) ∩ top_k(b)| / k`, with top_k the k highest scores; among ties the higher ids are in,
//! as they come last in the order ([`crate::selection`]). Two scores that have nothing to do with
//! each other share k/n by chance.
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
    rank::check(first)?;
    rank::check(second).map_err(|error| error.in_column(1))?;
    let (first, second) = (rank_slice(first, n - k..n), rank_slice(second, n - k..n));
    Ok(shared(&first, &second) as f64 / k as f64)
}

/// How many numbers two ascending lists share.
fn shared(first: &[u32], second: &[u32]) -> usize {
    let mut others = second.iter().peekable();
    let is_shared = |number: &&u32| {
        while others.next_if(|other| other < number).is_some() {}
        others.peek() == Some(number)
    };
    first.iter().filter(is_shared).count()
}
