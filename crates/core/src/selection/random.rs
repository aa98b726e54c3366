//! A random subset: the baseline that every rule must beat.
//!
//! The first `size` of a random order of all examples ([`crate::streams::permutation`]), so that
//! subsets of one seed are nested: what is kept at 10 % is kept at 20 %.

use rand_chacha::rand_core::Rng;

use crate::{selection::ascending, streams::permutation};

/// `size` of n positions, in ascending order.
pub(crate) fn positions(n: usize, size: usize, rng: &mut impl Rng) -> Vec<u32> {
    ascending(n, permutation(n, rng).into_iter().take(size))
}
