//! Spearman's rank correlation.
//!
//! `ρ = Σ (a_i − ā)(b_i − b̄) / sqrt( Σ (a_i − ā)² Σ (b_i − b̄)² )` with `a`, `b` the averaged
//! ranks: Pearson's correlation of the ranks, which stays right under ties (the `6 Σ d²` short cut
//! does not). The mean rank is exactly (n+1)/2, and twice a rank is a whole number: so the three
//! sums are of whole numbers, and exact in 128 bits whatever n.
//!
//! Agrees with `scipy.stats.spearmanr`. No p-value: examples of one training set are many and not
//! independent, so it would always be nought.

use rayon::prelude::*;

use crate::stats::{
    StatsError,
    rank::{doubled_ranks, sorted_keys},
};

/// Ranks that one thread takes at a time.
const CHUNK: usize = 1 << 16;

/// Spearman's ρ of two columns of the same examples, in [−1, 1].
///
/// # Errors
/// Lengths that differ, fewer than 2 entries, NaN (with column and index), or a constant column,
/// for which ρ is not defined.
///
/// ```
/// use datadiet_core::{StatsError, spearman};
///
/// assert_eq!(spearman(&[1.0, 2.0, 3.0], &[10.0, 100.0, 1000.0])?, 1.0);
/// assert_eq!(spearman(&[1.0, 2.0], &[5.0, 5.0]), Err(StatsError::Constant { column: 1 }));
/// # Ok::<(), StatsError>(())
/// ```
pub fn spearman(first: &[f32], second: &[f32]) -> Result<f64, StatsError> {
    let (first, second) = both_centred_ranks(first, second)?;
    let scale = (dot(&first, &first) * dot(&second, &second)).sqrt();
    // Rounding may leave the quotient a bit outside.
    Ok((dot(&first, &second) / scale).clamp(-1.0, 1.0))
}

/// [`centred_ranks`] of two columns of the same examples.
pub(crate) fn both_centred_ranks(
    first: &[f32],
    second: &[f32],
) -> Result<(Vec<i64>, Vec<i64>), StatsError> {
    StatsError::check_lengths(first.len(), second.len())?;
    let (first, second) = rayon::join(|| centred_ranks(first), || centred_ranks(second));
    Ok((first?, second.map_err(|error| error.in_column(1))?))
}

/// Twice the ranks less twice their mean, of at least two values that are not all equal.
fn centred_ranks(values: &[f32]) -> Result<Vec<i64>, StatsError> {
    if values.len() < 2 {
        return Err(StatsError::TooFew { what: "entries", needed: 2, found: values.len() });
    }
    let doubled_mean = values.len() as i64 + 1;
    let ranks = doubled_ranks(sorted_keys(values)?, |rank| rank as i64 - doubled_mean);
    // All tied means that every rank is the mean.
    if ranks.iter().all(|&rank| rank == 0) {
        return Err(StatsError::Constant { column: 0 });
    }
    Ok(ranks)
}

fn dot(a: &[i64], b: &[i64]) -> f64 {
    let part = |(a, b): (&[i64], &[i64])| -> i128 {
        a.iter().zip(b).map(|(&x, &y)| i128::from(x) * i128::from(y)).sum()
    };
    a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)).map(part).sum::<i128>() as f64
}
