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
//! [`Choice`] is the whole request, [`Rule`] the part of the order. It gives no weights, and never an
//! example twice.

mod by_class;
mod checks;
mod choice;
mod classes;
mod coverage_centred;
mod error;
mod keep_fraction;
mod part;
mod quota;
mod random;
mod rank_slice;
mod rule;
mod skew;

use rand_chacha::{ChaCha8Rng, rand_core::Rng};

use by_class::select_by_class;
pub use choice::{Amount, Candidates, Choice, Chosen, Scores};
pub use classes::Classes;
pub use error::SelectionError;
pub use keep_fraction::{KeepFraction, KeepFractionError};
use part::Part;
pub use quota::Quota;
pub(crate) use rank_slice::rank_slice;
pub use rule::{Rule, RuleOptions};
pub use skew::{ClassShare, check_no_class_vanishes, class_shares, skew};

use crate::{
    example_id::ExampleId,
    streams::{Stream, rng},
};

/// The positions of `size` scores, in ascending order. `seed` matters to `Random` and
/// `CoverageCentred` only; `Random` reads nothing but n.
fn select(
    part: Part,
    scores: &[f32],
    size: usize,
    seed: u64,
) -> Result<Vec<ExampleId>, SelectionError> {
    checks::request(part, scores.len(), size)?;
    checks::candidates(part, part.candidates(scores.len()), size)?;
    checks::scores(part, scores)?;
    Ok(ids(choose(part, scores, size, &mut generator(seed, 0))))
}

/// Positions of a part, in ascending order; all checks have been made.
fn choose(part: Part, scores: &[f32], size: usize, rng: &mut impl Rng) -> Vec<u32> {
    let n = scores.len();
    match part {
        Part::Highest => rank_slice(scores, n - size..n),
        Part::Lowest => rank_slice(scores, 0..size),
        Part::Window { offset } => rank_slice(scores, offset..offset + size),
        Part::Random => random::positions(n, size, rng),
        Part::CoverageCentred { strata, .. } => {
            coverage_centred::positions(scores, part.candidates(n), strata, size, rng)
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
