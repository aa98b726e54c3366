//! Spearman's rank correlation.
//!
//! `ρ = Σ (a_i − ā)(b_i − b̄) / sqrt( Σ (a_i − ā)² Σ (b_i − b̄)² )` with `a`, `b` the averaged
//! ranks: Pearson's correlation of the ranks, which stays right under ties (the `6 Σ d²` short cut
//! does not). The mean rank is exactly (n+1)/2.
//!
//! Agrees with `scipy.stats.spearmanr`. No p-value: examples of one training set are many and not
//! independent, so it would always be nought.

use crate::stats::{StatsError, average_ranks};

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
    StatsError::check_lengths(first.len(), second.len())?;
    let first = centred_ranks(first)?;
    let second = centred_ranks(second).map_err(|error| error.in_column(1))?;
    let scale = (dot(&first, &first) * dot(&second, &second)).sqrt();
    // Rounding may leave the quotient a bit outside.
    Ok((dot(&first, &second) / scale).clamp(-1.0, 1.0))
}

/// Ranks less their mean, of at least two values that are not all equal.
fn centred_ranks(values: &[f32]) -> Result<Vec<f64>, StatsError> {
    if values.len() < 2 {
        return Err(StatsError::TooFew { what: "entries", needed: 2, found: values.len() });
    }
    let mut ranks = average_ranks(values)?;
    let mean = (values.len() as f64 + 1.0) / 2.0;
    ranks.iter_mut().for_each(|rank| *rank -= mean);
    // All tied means that every rank is the mean, exactly.
    if ranks.iter().all(|&rank| rank == 0.0) {
        return Err(StatsError::Constant { column: 0 });
    }
    Ok(ranks)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}
