//! A slice of the order: the examples at positions a to b of ascending score, ties by id.
//!
//! Nothing is sorted. The key at a position is found by counting: a histogram of the upper halves
//! of all keys (`monotone_key.rs`) tells the upper half of the key there, a histogram of the
//! lower halves within that bin the rest, and with it how many of the examples that tie lie
//! before the position. One pass then tells on which side of each end an example lies. So it takes
//! four or five passes over the scores, on all cores, and no memory but the subset's.
//!
//! Source: textbook; distribution counting is algorithm D in Knuth, "The Art of Computer
//! Programming", volume 3, section 5.2. The examples come out in ascending order of id, not of
//! score.

use std::ops::Range;

use rayon::prelude::*;

use crate::monotone_key::{ABOVE_ALL, monotone_key};

const BINS: usize = 1 << 16;

/// Scores that one thread takes at a time, at least: enough to make up for its histogram.
const LEAST_CHUNK: usize = 1 << 18;

/// Scores whose ids are gathered before they are copied to their place.
const BLOCK: usize = 1024;

/// Positions in `scores`, in ascending order, of the examples at `places` of the order.
///
/// No score is NaN, there are fewer than 2³² of them, and `places` lies within them.
pub(crate) fn rank_slice(scores: &[f32], places: Range<usize>) -> Vec<u32> {
    let mut chosen = vec![0; places.len()];
    let chunk = chunk_len(scores.len());
    let mut slice = Slice::at(scores, places);
    let counts: Vec<Counts> = scores.par_chunks(chunk).map(|part| slice.count(part)).collect();
    let mut jobs = Vec::with_capacity(counts.len());
    let mut rest = &mut chosen[..];
    for ((part, counts), first) in scores.chunks(chunk).zip(counts).zip((0..).step_by(chunk)) {
        let (out, after) = rest.split_at_mut(slice.len_of(counts));
        jobs.push((slice, part, first, out));
        slice = slice.after(counts);
        rest = after;
    }
    jobs.into_par_iter().for_each(|(slice, part, first, out)| slice.gather(part, first, out));
    chosen
}

fn chunk_len(n: usize) -> usize {
    n.div_ceil(4 * rayon::current_num_threads()).max(LEAST_CHUNK)
}

/// A place in the order between two examples.
#[derive(Clone, Copy)]
struct End {
    /// Examples with a lower key lie before it, those with a higher one after it.
    key: u32,
    /// How many of the examples with this key lie before it, counted in order of id.
    ties: u32,
}

impl End {
    /// Whether the next example lies before; examples come in order of id.
    #[inline]
    fn is_after(&mut self, key: u32) -> bool {
        let tied = key == self.key && self.ties > 0;
        self.ties -= u32::from(tied);
        key < self.key || tied
    }
}

/// A slice of the order, seen from an id: ties with smaller ids have been taken off.
#[derive(Clone, Copy)]
struct Slice {
    start: End,
    end: End,
}

/// How many scores of a chunk lie at, and below, the keys of a slice.
#[derive(Clone, Copy, Default)]
struct Counts {
    below_start: u32,
    at_start: u32,
    below_end: u32,
    at_end: u32,
}

impl Slice {
    fn at(scores: &[f32], places: Range<usize>) -> Self {
        let coarse = histogram(scores, |key| Some(key >> 16));
        let find = |place| end_at(scores, &coarse, place);
        Self { start: find(places.start), end: find(places.end) }
    }

    fn count(&self, scores: &[f32]) -> Counts {
        let mut counts = Counts::default();
        for &score in scores {
            let key = monotone_key(score);
            counts.below_start += u32::from(key < self.start.key);
            counts.at_start += u32::from(key == self.start.key);
            counts.below_end += u32::from(key < self.end.key);
            counts.at_end += u32::from(key == self.end.key);
        }
        counts
    }

    /// How many examples of a chunk with these counts are in the slice.
    fn len_of(&self, counts: Counts) -> usize {
        let before_end = counts.below_end + counts.at_end.min(self.end.ties);
        let before_start = counts.below_start + counts.at_start.min(self.start.ties);
        (before_end - before_start) as usize
    }

    /// The slice seen from the end of a chunk with these counts.
    fn after(self, counts: Counts) -> Self {
        let less = |end: End, at| End { ties: end.ties.saturating_sub(at), ..end };
        Self { start: less(self.start, counts.at_start), end: less(self.end, counts.at_end) }
    }

    /// Writes the positions, from `first` on, of the scores in the slice.
    fn gather(mut self, scores: &[f32], first: usize, mut out: &mut [u32]) {
        let (mut is_in, mut found) = ([false; BLOCK], [0; BLOCK]);
        for (block, first) in scores.chunks(BLOCK).zip((first..).step_by(BLOCK)) {
            self.mark(block, &mut is_in);
            // Without branches: which scores are in the slice cannot be guessed.
            let mut count = 0;
            for (position, &is_in) in (first as u32..).zip(&is_in[..block.len()]) {
                found[count % BLOCK] = position;
                count += usize::from(is_in);
            }
            let (ours, rest) = out.split_at_mut(count);
            ours.copy_from_slice(&found[..count]);
            out = rest;
        }
    }

    /// Which scores of a block are in the slice. Blocks in which none ties with an end, most of
    /// them, need no counting of ties.
    fn mark(&mut self, block: &[f32], is_in: &mut [bool; BLOCK]) {
        let mut any_tied = false;
        for (&score, is_in) in block.iter().zip(is_in.iter_mut()) {
            let key = monotone_key(score);
            *is_in = self.start.key < key && key < self.end.key;
            any_tied |= key == self.start.key || key == self.end.key;
        }
        if any_tied {
            for (&score, is_in) in block.iter().zip(is_in) {
                let key = monotone_key(score);
                *is_in = self.end.is_after(key) & !self.start.is_after(key);
            }
        }
    }
}

/// The end that `place` examples lie before.
fn end_at(scores: &[f32], coarse: &[u32; BINS], place: usize) -> End {
    if place == 0 {
        return End { key: 0, ties: 0 };
    }
    if place == scores.len() {
        return End { key: ABOVE_ALL, ties: 0 };
    }
    let (upper, rest) = bin_at(coarse, place as u32);
    let fine = histogram(scores, |key| (key >> 16 == upper).then_some(key & 0xffff));
    let (lower, ties) = bin_at(&fine, rest);
    End { key: upper << 16 | lower, ties }
}

/// The bin that holds place `place` of a sorted list, and the place within it.
fn bin_at(counts: &[u32; BINS], place: u32) -> (u32, u32) {
    let mut rest = place;
    for (bin, &count) in counts.iter().enumerate() {
        if rest < count {
            return (bin as u32, rest);
        }
        rest -= count;
    }
    unreachable!("place {place} is within the list")
}

/// How many keys fall into each bin.
fn histogram(scores: &[f32], bin: impl Fn(u32) -> Option<u32> + Sync) -> Box<[u32; BINS]> {
    let count = |part: &[f32]| {
        let mut counts = Box::new([0; BINS]);
        for bin in part.iter().filter_map(|&score| bin(monotone_key(score))) {
            counts[bin as usize % BINS] += 1;
        }
        counts
    };
    let add = |mut a: Box<[u32; BINS]>, b: Box<[u32; BINS]>| {
        a.iter_mut().zip(b.iter()).for_each(|(a, b)| *a += b);
        a
    };
    let parts = scores.par_chunks(chunk_len(scores.len())).map(count);
    parts.reduce_with(add).unwrap_or_else(|| Box::new([0; BINS]))
}
