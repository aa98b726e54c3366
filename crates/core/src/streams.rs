//! Named streams of random numbers.
//!
//! Every use of chance has a name, so that two runs can share the initialisation and differ in
//! the data order, or the other way round. A generator is ChaCha8 whose 32-byte key spells out
//! its four arguments, so distinct arguments are distinct keys without any hashing:
//!
//! ```text
//! bytes  0..8   base seed   (u64, little endian)
//! bytes  8..12  replica     (u32)
//! bytes 12..16  stream      (u32, the numbers of `Stream`)
//! bytes 16..24  counter     (u64: epoch or step)
//! bytes 24..32  b"datadiet"
//! ```
//!
//! The counter is the epoch or the step: a resumed run makes the generator of its epoch again and
//! needs no saved generator state. The layout and the numbers are part of the store's format;
//! changing them changes every run.
//!
//! Source of the cipher: Bernstein, "ChaCha, a variant of Salsa20", 2008. Eight rounds are ample
//! for statistics; nothing here is secret.

use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde::{Deserialize, Serialize};

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u32)]
pub enum Stream {
    /// Weights at initialisation.
    Initialisation = 0,
    /// Order of the training examples.
    Order = 1,
    /// Crops and flips of training images.
    Augmentation = 2,
    /// Label noise.
    Noise = 3,
    /// Random subsets, and random splits of replicas.
    Subset = 4,
    /// Resamples of examples, for intervals.
    Bootstrap = 5,
    /// Seeds of children that leave a parent in the middle of its training.
    Child = 6,
    /// Examples from which batch-norm statistics are taken again.
    Statistics = 7,
    /// Which images alternating flips mirror first.
    Mirror = 8,
}

const TAG: [u8; 8] = *b"datadiet";

/// The generator of one stream, for one replica, at one epoch or step.
///
/// ```
/// use datadiet_core::streams::{Stream, permutation, rng};
///
/// let epoch_3 = permutation(50_000, &mut rng(42, 0, Stream::Order, 3));
/// let again = permutation(50_000, &mut rng(42, 0, Stream::Order, 3));
/// let other = permutation(50_000, &mut rng(42, 1, Stream::Order, 3));
/// assert_eq!(epoch_3, again);
/// assert_ne!(epoch_3, other);
/// ```
#[must_use]
pub fn rng(base_seed: u64, replica: u32, stream: Stream, counter: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&base_seed.to_le_bytes());
    key[8..12].copy_from_slice(&replica.to_le_bytes());
    key[12..16].copy_from_slice(&(stream as u32).to_le_bytes());
    key[16..24].copy_from_slice(&counter.to_le_bytes());
    key[24..].copy_from_slice(&TAG);
    ChaCha8Rng::from_seed(key)
}

/// A uniformly random order of 0 to n − 1, by Fisher and Yates.
///
/// Written here rather than taken from a library, because the order of the data is part of a
/// run's identity and must not change with a library's version.
///
/// # Panics
/// If n is above 2³² − 1.
#[must_use]
pub fn permutation(n: usize, rng: &mut impl Rng) -> Vec<u32> {
    let n = u32::try_from(n).expect("ids are 32-bit");
    let mut order: Vec<u32> = (0..n).collect();
    for last in (1..n).rev() {
        let other = below(last + 1, rng);
        order.swap(last as usize, other as usize);
    }
    order
}

/// A uniformly random integer in `0..bound`, without the bias of a remainder.
///
/// Source: Lemire, "Fast Random Integer Generation in an Interval", 2019 (arXiv 1805.10941),
/// algorithm 5, on 32-bit words.
///
/// # Panics
/// If `bound` is 0.
///
/// ```
/// use datadiet_core::streams::{Stream, below, rng};
///
/// let mut coin = rng(0, 0, Stream::Augmentation, 0);
/// assert!((0..100).all(|_| below(9, &mut coin) < 9));
/// ```
#[must_use]
pub fn below(bound: u32, rng: &mut impl Rng) -> u32 {
    assert!(bound > 0, "no integer is below 0");
    // The low half of the product, below 2³² mod bound, marks the words that one value too many
    // would get.
    let surplus = bound.wrapping_neg() % bound;
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(bound);
        if product as u32 >= surplus {
            return (product >> 32) as u32;
        }
    }
}
