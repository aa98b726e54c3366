//! Sums of one row after the other, sixteen classes at a time: for rows long enough to fill the
//! lanes.
//!
//! A row is widened to `f32` once, into room that stays in the cache, while its largest entry is
//! found; a second pass there takes the exponentials. Sums of `f32` run over at most
//! [`FLUSH`] numbers a lane before they go into `f64`, so that a hundred thousand classes are as
//! exact as a hundred.

use super::{
    element::Element,
    exp::{clamp, exp_clamped},
    sums::Sums,
    vector::Lanes,
};
use crate::isa::{Isa, LANES};

/// Additions in `f32` before a sum is emptied into `f64`.
const FLUSH: usize = 64;

/// How many chunks of lanes a row of K classes takes.
pub(super) fn chunks(classes: usize) -> usize {
    classes.div_ceil(LANES)
}

/// Writes the sums of a row into a lane; false if the row is not finite, the sums then being
/// worth nothing. `ALL`: also those that EL2N does not need.
#[inline(always)]
pub(super) fn add_row<I: Isa, E: Element, const ALL: bool>(
    isa: I,
    row: &[E],
    label: u32,
    room: &mut [Lanes],
    sums: &mut Sums,
    lane: usize,
) -> bool {
    let head = if E::FITS_F32 {
        fill(isa, row, label as usize, room)
    } else {
        fill_rounded(row, label as usize, room)
    };
    sums.margin[lane] = head.margin;
    // Where the label is the strongest, 1 + r is as exact with the 1 in the sum.
    let without_other = ALL && head.margin <= 0.0;
    if without_other {
        sums.other[lane] = take_out(head.top, room);
    }
    let [rest, squares, weighted] = exponentials::<I, ALL>(isa, head.top, room);
    let one = if without_other { 0.0 } else { 1.0 };
    sums.rest[lane] = rest - one;
    sums.squares[lane] = squares - one;
    sums.weighted[lane] = weighted;
    head.finite
}

/// What a row is told by its first pass.
struct Head {
    /// The label's logit less the largest other.
    margin: f64,
    /// The largest other, as it is in the room.
    top: f32,
    finite: bool,
}

/// The first pass: the row into `room`, with −∞ for the label and behind the end.
#[inline(always)]
fn fill<I: Isa, E: Element>(isa: I, row: &[E], label: usize, room: &mut [Lanes]) -> Head {
    let (whole, tail) = row.as_chunks::<LANES>();
    let mut first = First { top: [f32::NEG_INFINITY; LANES], taint: [0.0; LANES] };
    // The label's chunk is apart, so that the others need not ask whether it is in them.
    let at = label / LANES;
    let (before, after) = whole.split_at(at.min(whole.len()));
    let (room_before, room_after) = room.split_at_mut(before.len());
    first.copy(isa, before, room_before);
    let mut truth = f32::NAN;
    let mut room_left = room_after;
    if let [chunk, after @ ..] = after {
        let [kept, room_after @ ..] = room_left else { unreachable!("room for every chunk") };
        *kept = first.check(isa, E::widen(isa, chunk));
        truth = kept[label % LANES];
        kept[label % LANES] = f32::NEG_INFINITY;
        first.raise(kept);
        let (room_after, room_tail) = room_after.split_at_mut(after.len());
        first.copy(isa, after, room_after);
        room_left = room_tail;
    }
    if let ([last, ..], [kept]) = (tail, room_left) {
        let mut padded = [*last; LANES];
        padded[..tail.len()].copy_from_slice(tail);
        *kept = first.check(isa, E::widen(isa, &padded));
        kept[tail.len()..].fill(f32::NEG_INFINITY);
        if at == whole.len() {
            truth = kept[label % LANES];
            kept[label % LANES] = f32::NEG_INFINITY;
        }
        first.raise(kept);
    }
    let top = first.top.into_iter().fold(f32::NEG_INFINITY, larger);
    let finite = first.taint.iter().all(|taint| *taint == 0.0);
    Head { margin: f64::from(truth) - f64::from(top), top, finite }
}

/// The lanes of the first pass.
struct First {
    top: Lanes,
    /// 0 until a number is NaN or infinite, then NaN.
    taint: Lanes,
}

impl First {
    #[inline(always)]
    fn copy<I: Isa, E: Element>(&mut self, isa: I, from: &[[E; LANES]], to: &mut [Lanes]) {
        for (from, to) in from.iter().zip(to) {
            *to = self.check(isa, E::widen(isa, from));
            self.raise(to);
        }
    }

    #[inline(always)]
    fn check<I: Isa>(&mut self, isa: I, numbers: Lanes) -> Lanes {
        for lane in 0..LANES {
            self.taint[lane] = isa.mul_add(numbers[lane], 0.0, self.taint[lane]);
        }
        numbers
    }

    #[inline(always)]
    fn raise(&mut self, numbers: &Lanes) {
        for lane in 0..LANES {
            self.top[lane] = larger(numbers[lane], self.top[lane]);
        }
    }
}

/// The first number if it is larger, else the second: one instruction, unlike [`f32::max`], which
/// has a rule for NaN.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// As [`fill`] for numbers that `f32` rounds: what goes into the room are the differences from the
/// largest other, which are taken before they are rounded.
#[inline(always)]
fn fill_rounded<E: Element>(row: &[E], label: usize, room: &mut [Lanes]) -> Head {
    let mut top = f64::NEG_INFINITY;
    let mut finite = true;
    for (class, &number) in row.iter().enumerate() {
        let wide: f64 = number.into();
        finite &= number.single().is_finite();
        top = if class != label && wide > top { wide } else { top };
    }
    let room = room.as_flattened_mut();
    let (numbers, behind) = room.split_at_mut(row.len());
    for (number, &from) in numbers.iter_mut().zip(row) {
        *number = below(from.into(), top);
    }
    numbers[label] = f32::NEG_INFINITY;
    behind.fill(f32::NEG_INFINITY);
    let truth: f64 = row[label].into();
    Head { margin: truth - top, top: 0.0, finite }
}

/// `number − top` as a finite `f32`, 0 only if they are equal.
#[inline(always)]
pub(super) fn below(number: f64, top: f64) -> f32 {
    let difference = number - top;
    let rounded = (difference as f32).clamp(f32::MIN, f32::MAX);
    if rounded == 0.0 && difference < 0.0 { -f32::from_bits(1) } else { rounded }
}

/// Finds the first entry equal to `top` and puts −∞ in its place; its class.
#[inline(always)]
fn take_out(top: f32, room: &mut [Lanes]) -> u32 {
    for (chunk, numbers) in room.iter_mut().enumerate() {
        let mut found = [false; LANES];
        for lane in 0..LANES {
            found[lane] = numbers[lane] == top;
        }
        if found.iter().fold(false, |any, found| any | found)
            && let Some(lane) = found.iter().position(|found| *found)
        {
            numbers[lane] = f32::NEG_INFINITY;
            return (chunk * LANES + lane) as u32;
        }
    }
    // Only where the row has NaN, which its caller hears of from the first pass.
    0
}

/// The second pass: sums of `exp(x)`, of its square and of `x exp(x)`, with x = number − top.
#[inline(always)]
fn exponentials<I: Isa, const ALL: bool>(isa: I, top: f32, room: &[Lanes]) -> [f64; 3] {
    let mut totals = [0.0; 3];
    for block in room.chunks(FLUSH) {
        let (mut sum, mut squares, mut weighted) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for numbers in block {
            for lane in 0..LANES {
                let x = clamp(numbers[lane] - top);
                let e = exp_clamped(isa, x);
                sum[lane] += e;
                squares[lane] = isa.mul_add(e, e, squares[lane]);
                if ALL {
                    weighted[lane] = isa.mul_add(e, x, weighted[lane]);
                }
            }
        }
        totals[0] += f64::from(isa.sum(&sum));
        totals[1] += f64::from(isa.sum(&squares));
        if ALL {
            totals[2] += f64::from(isa.sum(&weighted));
        }
    }
    totals
}
