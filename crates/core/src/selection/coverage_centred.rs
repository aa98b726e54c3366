//! Coverage-centred coreset selection (CCS): sampling evenly over the range of scores.
//!
//! 1. Drop the hardest: the last `round(β n)` examples of the order.
//! 2. Cut the range of the scores left, [lowest, highest], into `strata` strata of equal width;
//!    the highest score belongs to the last one.
//! 3. Share the subset evenly: strata in order from the smallest (ties: the lower), each gives
//!    `min(its examples, ⌊what is still to be given / strata still to give⌋)`.
//! 4. Choose at random within a stratum.
//!
//! Source: Zheng, Liu, Lai, Prakash, "Coverage-centric Coreset Selection for High Pruning Rates",
//! ICLR 2023 (arXiv 2210.15809), algorithm 1; where it leaves open what a fraction of an example
//! is, the authors' code (step 3's floor).
//!
//! Infinite scores have no place in a range: the range is of the finite ones, −∞ goes to the
//! first stratum and ∞ to the last. The authors' code can cut by one score and cover the range of
//! another; here both are the same. The choice of β, which they tune for each pruning rate, is the
//! caller's.

use rand_chacha::rand_core::Rng;

use crate::{
    packed::{index_of, pack, tied},
    selection::{ascending, rank_slice},
    streams::permutation,
};

/// `size` positions in ascending order, from the `candidates` lowest scores.
///
/// `size` is at most `candidates`, `strata` at least 1, and no score is NaN.
pub(crate) fn positions(
    scores: &[f32],
    candidates: usize,
    strata: u32,
    size: usize,
    rng: &mut impl Rng,
) -> Vec<u32> {
    let candidates = rank_slice(scores, 0..candidates);
    let sorted = by_stratum(scores, &candidates, strata);
    let strata: Vec<&[u64]> = tied(&sorted).collect();
    let lens: Vec<usize> = strata.iter().map(|stratum| stratum.len()).collect();
    let mut chosen = Vec::with_capacity(size);
    for (stratum, share) in strata.iter().zip(shares(&lens, size)) {
        let order = permutation(stratum.len(), rng);
        chosen.extend(order[..share].iter().map(|&member| index_of(stratum[member as usize])));
    }
    ascending(scores.len(), chosen)
}

/// The candidates packed below their stratum and sorted. Empty strata leave no trace, as they give
/// nothing and come first.
fn by_stratum(scores: &[f32], candidates: &[u32], strata: u32) -> Vec<u64> {
    let score = |&position: &u32| f64::from(scores[position as usize]);
    let finite = || candidates.iter().map(score).filter(|score| score.is_finite());
    let lowest = finite().fold(f64::INFINITY, f64::min);
    let highest = finite().fold(f64::NEG_INFINITY, f64::max);
    let stratum = |score: f64| {
        // A range of no width makes 0 / 0 of a finite score: the first stratum. The cast takes
        // −∞ and NaN to 0 and ∞ to the end.
        let exact = (score - lowest) / (highest - lowest) * f64::from(strata);
        (exact as u32).min(strata - 1)
    };
    let packed = candidates.iter().map(|at| pack(stratum(score(at)), *at));
    let mut packed: Vec<u64> = packed.collect();
    packed.sort_unstable();
    packed
}

/// How many each stratum gives.
fn shares(lens: &[usize], size: usize) -> Vec<usize> {
    let mut smallest_first: Vec<usize> = (0..lens.len()).collect();
    smallest_first.sort_by_key(|&stratum| lens[stratum]);
    let mut shares = vec![0; lens.len()];
    let mut rest = size;
    for (given, &stratum) in smallest_first.iter().enumerate() {
        shares[stratum] = lens[stratum].min(rest / (lens.len() - given));
        rest -= shares[stratum];
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::key_of;

    #[test]
    fn small_strata_give_all_and_leave_more_to_the_others() {
        // By hand: 10 / 4 = 2, 8 / 3 = 2, 6 / 2 = 3, 3.
        assert_eq!(shares(&[9, 2, 5, 9], 10), [3, 2, 2, 3]);
        assert_eq!(shares(&[9, 1, 0, 9], 10), [4, 1, 0, 5]);
        assert_eq!(shares(&[1, 2, 3], 6), [1, 2, 3]);
    }

    #[test]
    fn the_highest_score_is_in_the_last_stratum() {
        let strata_of = |scores: &[f32], strata| -> Vec<u32> {
            let all: Vec<u32> = (0..scores.len() as u32).collect();
            let mut packed = by_stratum(scores, &all, strata);
            packed.sort_by_key(|&pair| index_of(pair));
            packed.into_iter().map(key_of).collect()
        };
        assert_eq!(strata_of(&[0.0, 1.0, 2.0, 3.0, 4.0], 2), [0, 0, 1, 1, 1]);
        let infinite = [f32::NEG_INFINITY, 5.0, 6.0, f32::INFINITY];
        assert_eq!(strata_of(&infinite, 4), [0, 0, 3, 3]);
        assert_eq!(strata_of(&[5.0, 5.0, f32::INFINITY], 4), [0, 0, 3]);
    }
}
