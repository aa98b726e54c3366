//! The way of every pass over an activation: blocks of rows that stay in the cache, and in them groups
//! of neighbouring channels.

use std::ops::Range;

use datadiet_core::isa::LANES;

use crate::kernels::Element;

/// Bytes of one operand in a block of rows, small enough that several operands stay in cache.
const BLOCK_BYTES: usize = 16 * 1024;

/// Some rows of neighbouring channels.
pub(super) struct Tile {
    pub(super) rows: Range<usize>,
    /// The first channel.
    pub(super) channel: usize,
    /// Whether it is of `LANES` channels; else of one, where `LANES` does not divide their number.
    pub(super) full: bool,
}

/// All tiles of `len` numbers, in a fixed order.
#[inline(always)]
pub(super) fn tiles<E: Element>(len: usize, channels: usize) -> impl Iterator<Item = Tile> {
    let rows = len / channels;
    let block = (BLOCK_BYTES / (channels * size_of::<E>())).max(1);
    let full = channels / LANES;
    let groups = full + channels % LANES;
    (0..rows).step_by(block).flat_map(move |start| {
        (0..groups).map(move |group| Tile {
            rows: start..(start + block).min(rows),
            channel: if group < full { group * LANES } else { full * LANES + group - full },
            full: group < full,
        })
    })
}

/// Adds a tile's sums to those of its channels.
#[inline(always)]
pub(super) fn add<const L: usize>(sums: &mut [f64], channel: usize, tile: [f32; L]) {
    for (sum, value) in sums[channel..channel + L].iter_mut().zip(tile) {
        *sum += f64::from(value);
    }
}

#[inline(always)]
pub(super) fn load<E: Element, const L: usize>(values: &[E], at: usize) -> [f32; L] {
    let values: &[E; L] = values[at..at + L].try_into().expect("a slice of this length");
    let mut wide = [0.0; L];
    for i in 0..L {
        wide[i] = values[i].widen();
    }
    wide
}

#[inline(always)]
pub(super) fn store<E: Element, const L: usize>(values: &mut [E], at: usize, from: [f32; L]) {
    let values: &mut [E; L] = (&mut values[at..at + L]).try_into().expect("a slice of this length");
    for i in 0..L {
        values[i] = E::narrow(from[i]);
    }
}

#[inline(always)]
pub(super) fn floats<const L: usize>(values: &[f32], at: usize) -> [f32; L] {
    values[at..at + L].try_into().expect("a slice of this length")
}
