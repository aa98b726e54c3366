//! Choosing a subset of the training set by score.
//!
//! There is **one order** of examples: ascending score, ties by ascending id. Every rule that
//! reads scores is a part of it, so that `Highest` of k is the `Window` at n − k, and `Lowest` of
//! k and `Highest` of n − k share nothing and leave nothing out. A subset is a list of ids in
//! ascending order, in the numbering of the full training set.
//!
//! Source: Paul, Ganguli, Dziugaite 2021 (arXiv 2107.07075), sections 3 and 4 (keeping the
//! highest, and the sliding window); Zheng et al. 2023 (arXiv 2210.15809) for coverage.
//!
//! It does not know which end of a score is hard: callers choose `Highest` or `Lowest`. It gives
//! no weights, and never an example twice.

pub mod by_class;
mod checks;
pub mod classes;
mod coverage_centred;
mod error;
pub mod keep_fraction;
pub mod quota;
mod random;
mod rank_slice;
pub mod rule;
pub mod skew;

use rand_chacha::{ChaCha8Rng, rand_core::Rng};

pub use by_class::select_by_class;
pub use classes::Classes;
pub use error::SelectionError;
pub use keep_fraction::{KeepFraction, KeepFractionError};
pub use quota::Quota;
pub(crate) use rank_slice::rank_slice;
pub use rule::Rule;
pub use skew::{ClassShare, check_no_class_vanishes, class_shares, skew};

use crate::{
    example_id::ExampleId,
    streams::{Stream, rng},
};

/// The ids of `size` examples, in ascending order.
///
/// `scores`: n values, the score of example i at index i; −∞ and ∞ are ordinary ends of the
/// order. `seed` matters to `Random` and `CoverageCentred` only; the same seed gives the same
/// subset in every version. `Random` reads nothing but n.
///
/// # Errors
/// A size of 0 or above n, parameters of the rule that cannot be; for every rule but `Random`
/// also NaN among the scores (with the first ids) and scores that are all equal, of which no part
/// is higher than another.
///
/// ```
/// use datadiet_core::{ExampleId, Rule, SelectionError, select};
///
/// let el2n = [0.9, 0.1, 0.5, 0.1, 1.3];
/// assert_eq!(select(Rule::Highest, &el2n, 2, 0)?, [ExampleId(0), ExampleId(4)]);
/// // Of the two that tie at 0.1 the lower id comes first.
/// assert_eq!(select(Rule::Lowest, &el2n, 1, 0)?, [ExampleId(1)]);
/// assert_eq!(select(Rule::Window { offset: 1 }, &el2n, 2, 0)?, [ExampleId(2), ExampleId(3)]);
/// # Ok::<(), SelectionError>(())
/// ```
pub fn select(
    rule: Rule,
    scores: &[f32],
    size: usize,
    seed: u64,
) -> Result<Vec<ExampleId>, SelectionError> {
    checks::request(rule, scores.len(), size)?;
    checks::candidates(rule, rule.candidates(scores.len()), size)?;
    checks::scores(rule, scores)?;
    Ok(ids(choose(rule, scores, size, &mut generator(seed, 0))))
}

/// Positions that a rule chooses, in ascending order; all checks have been made.
fn choose(rule: Rule, scores: &[f32], size: usize, rng: &mut impl Rng) -> Vec<u32> {
    let n = scores.len();
    match rule {
        Rule::Highest => rank_slice(scores, n - size..n),
        Rule::Lowest => rank_slice(scores, 0..size),
        Rule::Window { offset } => rank_slice(scores, offset..offset + size),
        Rule::Random => random::positions(n, size, rng),
        Rule::CoverageCentred { strata, .. } => {
            coverage_centred::positions(scores, rule.candidates(n), strata, size, rng)
        }
    }
}

/// The generator of a draw: number 0 from all examples, number 1 + c from class c.
fn generator(seed: u64, draw: u64) -> ChaCha8Rng {
    rng(seed, 0, Stream::Subset, draw)
}

/// Positions in the full training set are ids.
fn ids(positions: Vec<u32>) -> Vec<ExampleId> {
    positions.into_iter().map(ExampleId).collect()
}

/// Distinct numbers below n, in ascending order.
fn ascending(n: usize, chosen: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut is_chosen = vec![false; n];
    chosen.into_iter().for_each(|position| is_chosen[position as usize] = true);
    (0..n as u32).filter(|&position| is_chosen[position as usize]).collect()
}
