//! Split-half reliability: how much of a score is the example, and how much is the run.
//!
//! Take two disjoint halves of h = ⌊R/2⌋ replicas, average the score over each, and correlate the
//! two means (Spearman): `r_h`, averaged over splits. Spearman and Brown then predict, for the
//! mean of any number k of replicas,
//!
//! ```text
//! r_1 = r_h / (h − (h − 1) r_h)              one replica
//! r_k = k r_1 / (1 + (k − 1) r_1)            the mean of k replicas
//! k   = t (1 − r_1) / (r_1 (1 − t))          replicas to reach a target t, rounded up
//! ```
//!
//! Source: Spearman 1910; Brown 1910; the formula and its assumptions are in Lord & Novick,
//! "Statistical Theories of Mental Test Scores", 1968, section 4.4. It is exact for Pearson
//! correlations of parallel measurements; for rank correlations it is an approximation, a good one
//! for scores whose values spread smoothly.
//!
//! Reliable is not valid: a score that measures the norm of the input is perfectly reliable.

use serde::{Deserialize, Serialize};

use crate::{
    stats::{StatsError, mean_and_standard_error, spearman, summary::common_length},
    streams::{Stream, permutation, rng},
};

/// Splits are listed if they are at most this many, and drawn, this many, if they are more.
const MOST_SPLITS: u64 = 64;

/// Base seed of drawn splits: fixed, so that the same columns give the same number.
const SPLIT_SEED: u64 = 0;

/// The target that [`Reliability::replicas_for_95`] answers for.
const TARGET: f64 = 0.95;

/// Split-half reliability of one score, and what Spearman and Brown make of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reliability {
    /// Mean Spearman correlation between the means of two halves, in [−1, 1].
    pub half: f64,
    /// Number of replicas in each half.
    pub halves_of: usize,
    /// Number of splits that `half` is the mean of.
    pub splits: usize,
    /// Predicted reliability of one replica, in [0, 1].
    pub single: f64,
    /// Predicted reliability of the mean of all replicas, in [0, 1].
    pub full: f64,
    /// Predicted number of replicas whose mean has reliability 0.95; `None` if no number does.
    pub replicas_for_95: Option<u32>,
}

impl Reliability {
    /// Predicted number of replicas whose mean has reliability `target`; see [`replicas_for`].
    #[must_use]
    pub fn replicas_for(&self, target: f64) -> Option<u32> {
        replicas_for(self.single, target)
    }
}

/// Split-half reliability of a score from R ≥ 2 replica columns of n examples each.
///
/// Examples that lack a value (NaN) in any replica are left out. All distinct splits are used if
/// they are at most 64, else 64 random ones (with a fixed seed, so the result is reproducible). A
/// correlation of halves at or below 0 makes `single` and `full` 0.
///
/// # Errors
/// Fewer than 2 columns, columns of different lengths, fewer than 2 complete examples, or a half
/// whose mean is constant: then the reliability is not defined
/// ([`StatsError::is_not_defined`]).
///
/// ```
/// let a = [0.1, 0.5, 0.9, 0.4];
/// let b = [0.2, 0.4, 0.8, 0.5];
/// let reliability = datadiet_core::reliability(&[&a, &b])?;
/// assert!((reliability.half - 0.8).abs() < 1e-12);
/// assert!((reliability.full - 1.6 / 1.8).abs() < 1e-12);
/// assert_eq!(reliability.replicas_for_95, Some(5));
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn reliability(columns: &[&[f32]]) -> Result<Reliability, StatsError> {
    let replicas = columns.len();
    if replicas < 2 {
        return Err(StatsError::TooFew { what: "replica columns", needed: 2, found: replicas });
    }
    let columns = complete_examples(columns)?;
    let splits = splits(replicas);
    let mut sum = 0.0;
    for (first, second) in &splits {
        sum += spearman(&half_mean(&columns, first)?, &half_mean(&columns, second)?)?;
    }
    Ok(predict(sum / splits.len() as f64, replicas, splits.len()))
}

/// Predicted number of replicas whose mean has reliability `target`, given the reliability
/// `single` of one.
///
/// `single` in [0, 1], `target` in (0, 1). `None` if no number reaches it: `single` at or below 0
/// (or NaN), a `target` of 1 or more with `single` below 1, or a number beyond `u32`.
///
/// ```
/// use datadiet_core::replicas_for;
///
/// assert_eq!(replicas_for(0.5, 0.95), Some(19));
/// assert_eq!(replicas_for(1.0, 0.95), Some(1));
/// assert_eq!(replicas_for(0.0, 0.95), None);
/// ```
#[must_use]
pub fn replicas_for(single: f64, target: f64) -> Option<u32> {
    if single.is_nan() || single <= 0.0 || target.is_nan() {
        return None;
    }
    if single >= target {
        return Some(1);
    }
    if target >= 1.0 {
        return None;
    }
    let exact = target * (1.0 - single) / (single * (1.0 - target));
    // 19.000000000000004 means 19: rounding must not cost a replica.
    let needed = (exact * (1.0 - 1e-12)).ceil().max(1.0);
    (needed <= f64::from(u32::MAX)).then_some(needed as u32)
}

fn predict(half: f64, replicas: usize, splits: usize) -> Reliability {
    let halves_of = replicas / 2;
    let h = halves_of as f64;
    let r = replicas as f64;
    // Below 0 the formula has no meaning (its denominators change sign): no reliability at all.
    let correlation = half.max(0.0);
    let single = correlation / (h - (h - 1.0) * correlation);
    Reliability {
        half,
        halves_of,
        splits,
        single,
        full: r * single / (1.0 + (r - 1.0) * single),
        replicas_for_95: replicas_for(single, TARGET),
    }
}

/// The columns without the examples that are NaN in any of them.
fn complete_examples(columns: &[&[f32]]) -> Result<Vec<Vec<f32>>, StatsError> {
    let n = common_length(columns)?;
    let complete = |example: &usize| columns.iter().all(|column| !column[*example].is_nan());
    let kept: Vec<usize> = (0..n).filter(complete).collect();
    let take = |column: &&[f32]| kept.iter().map(|&example| column[example]).collect();
    Ok(columns.iter().map(take).collect())
}

fn half_mean(columns: &[Vec<f32>], half: &[usize]) -> Result<Vec<f32>, StatsError> {
    let chosen: Vec<&[f32]> = half.iter().map(|&replica| &columns[replica][..]).collect();
    Ok(mean_and_standard_error(&chosen)?.0)
}

/// Two disjoint lists of replica numbers, of equal length.
type Split = (Vec<usize>, Vec<usize>);

fn splits(replicas: usize) -> Vec<Split> {
    if distinct_splits(replicas) <= MOST_SPLITS as f64 {
        all_splits(replicas)
    } else {
        (0..MOST_SPLITS).map(|draw| random_split(replicas, draw)).collect()
    }
}

/// Number of unordered pairs of disjoint halves: `C(R, h) C(R − h, h) / 2`. In `f64`, which is
/// exact while it matters and infinite where an integer would overflow.
fn distinct_splits(replicas: usize) -> f64 {
    let half = replicas / 2;
    choose(replicas, half) * choose(replicas - half, half) / 2.0
}

fn choose(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
}

/// All pairs of disjoint halves, each once, as bit sets of replicas. Called for R of at most 8.
fn all_splits(replicas: usize) -> Vec<Split> {
    let half = (replicas / 2) as u32;
    let halves: Vec<u32> = (0..1_u32 << replicas).filter(|set| set.count_ones() == half).collect();
    let mut splits = Vec::new();
    for (index, &first) in halves.iter().enumerate() {
        for &second in halves[index + 1..].iter().filter(|&&second| first & second == 0) {
            splits.push((members(first, replicas), members(second, replicas)));
        }
    }
    splits
}

fn members(set: u32, replicas: usize) -> Vec<usize> {
    (0..replicas).filter(|replica| set >> replica & 1 == 1).collect()
}

fn random_split(replicas: usize, draw: u64) -> Split {
    let order = permutation(replicas, &mut rng(SPLIT_SEED, 0, Stream::Subset, draw));
    let order: Vec<usize> = order.into_iter().map(|replica| replica as usize).collect();
    let half = replicas / 2;
    (order[..half].to_vec(), order[half..2 * half].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_listed_up_to_64() {
        // C(R, h) C(R − h, h) / 2 by hand.
        let expected = [(2, 1), (3, 3), (4, 3), (5, 15), (6, 10), (8, 35)];
        for (replicas, count) in expected {
            assert_eq!(splits(replicas).len(), count, "{replicas} replicas");
        }
        assert_eq!(distinct_splits(7), 70.0);
        assert_eq!(splits(7).len(), 64);
        // Binomials beyond every integer, and beyond f64.
        assert_eq!(splits(300).len(), 64);
        assert_eq!(splits(3000).len(), 64);
    }

    #[test]
    fn halves_are_disjoint_and_equal() {
        for replicas in 2..12 {
            for (first, second) in splits(replicas) {
                assert_eq!((first.len(), second.len()), (replicas / 2, replicas / 2));
                assert!(first.iter().all(|replica| !second.contains(replica)));
            }
        }
    }
}
