//! Sums of sixteen rows at once, a row a lane: for rows too short to fill the lanes.
//!
//! The rows are turned first, so that room holds the sixteen entries of class 0, then those of
//! class 1, and so on.

use super::{
    element::Element,
    exp::{clamp, exp_clamped},
    matrix::Matrix,
    sums::Sums,
    vector::Lanes,
    wide::below,
};
use crate::isa::{Isa, LANES};

/// Rows of more classes than this are taken one by one.
pub(super) const MOST_CLASSES: usize = 32;

/// The sums of rows `first..first + rows`, at most 16, whose labels are `labels[..rows]`; false if
/// a row is not finite. `room`: K lanes, and as many for what is turned from.
#[inline(always)]
pub(super) fn sums<I: Isa, E: Element, const ALL: bool>(
    isa: I,
    matrix: &Matrix<E>,
    first: usize,
    rows: usize,
    labels: &[u32; LANES],
    room: &mut [Lanes],
) -> (Sums, bool) {
    let (turned, staged) = room.split_at_mut(matrix.classes());
    if rows < LANES {
        turned.fill([0.0; LANES]);
    }
    let mut sums = Sums::ZERO;
    if E::FITS_F32 {
        turn(isa, matrix, first, rows, turned, staged);
    } else {
        turn_rounded(matrix, first, rows, labels, turned, &mut sums.margin);
    }
    let finite = all_finite(isa, turned);
    let truth = take_labels(labels, turned);
    let top = take_strongest(turned, &mut sums.other);
    if E::FITS_F32 {
        for lane in 0..LANES {
            sums.margin[lane] = f64::from(truth[lane]) - f64::from(top[lane]);
        }
    }
    exponentials::<I, ALL>(isa, &top, turned, &mut sums);
    (sums, finite)
}

/// Turns rows of numbers that `f32` holds.
#[inline(always)]
fn turn<I: Isa, E: Element>(
    isa: I,
    matrix: &Matrix<E>,
    first: usize,
    rows: usize,
    turned: &mut [Lanes],
    staged: &mut [Lanes],
) {
    let classes = matrix.classes();
    let Some(run) = matrix.run(first, rows) else {
        for row in 0..rows {
            for (lanes, number) in turned.iter_mut().zip(matrix.row(first + row)) {
                lanes[row] = number.single();
            }
        }
        return;
    };
    if let Some(numbers) = E::singles(run) {
        return turn_run(numbers, classes, turned);
    }
    let (whole, tail) = run.as_chunks::<LANES>();
    for (to, from) in staged.iter_mut().zip(whole) {
        *to = E::widen(isa, from);
    }
    let staged = staged.as_flattened_mut();
    for (to, from) in staged[whole.len() * LANES..].iter_mut().zip(tail) {
        *to = from.single();
    }
    turn_run(&staged[..run.len()], classes, turned);
}

#[inline(always)]
fn turn_run(run: &[f32], classes: usize, turned: &mut [Lanes]) {
    for (row, numbers) in (0..LANES).zip(run.chunks_exact(classes)) {
        for (lanes, &number) in turned.iter_mut().zip(numbers) {
            lanes[row] = number;
        }
    }
}

/// Turns rows of numbers that `f32` rounds, as their differences from the largest one that is not
/// the label's; the label's own difference also goes, unrounded, into `margin`.
#[inline(always)]
fn turn_rounded<E: Element>(
    matrix: &Matrix<E>,
    first: usize,
    rows: usize,
    labels: &[u32; LANES],
    turned: &mut [Lanes],
    margin: &mut [f64; LANES],
) {
    for row in 0..rows {
        let numbers = matrix.row(first + row);
        let label = labels[row] as usize;
        let mut top = f64::NEG_INFINITY;
        for (class, &number) in numbers.iter().enumerate() {
            let wide: f64 = number.into();
            top = if class != label && wide > top { wide } else { top };
        }
        for (lanes, &number) in turned.iter_mut().zip(numbers) {
            // Out of `f32`'s range counts as infinite; the difference alone would not tell.
            let infinite = !number.single().is_finite();
            lanes[row] = if infinite { f32::NAN } else { below(number.into(), top) };
        }
        let truth: f64 = numbers[label].into();
        margin[row] = truth - top;
    }
}

#[inline(always)]
fn all_finite<I: Isa>(isa: I, turned: &[Lanes]) -> bool {
    let mut taint = [0.0; LANES];
    for numbers in turned {
        for lane in 0..LANES {
            taint[lane] = isa.mul_add(numbers[lane], 0.0, taint[lane]);
        }
    }
    taint.iter().all(|taint| *taint == 0.0)
}

/// The labels' entries, in whose place −∞ is left.
#[inline(always)]
fn take_labels(labels: &[u32; LANES], turned: &mut [Lanes]) -> Lanes {
    let mut truth = [0.0; LANES];
    for lane in 0..LANES {
        let entry = &mut turned[labels[lane] as usize][lane];
        truth[lane] = *entry;
        *entry = f32::NEG_INFINITY;
    }
    truth
}

/// The largest entries, in whose place −∞ is left, and their classes.
#[inline(always)]
fn take_strongest(turned: &mut [Lanes], other: &mut [u32; LANES]) -> Lanes {
    let mut top = [f32::NEG_INFINITY; LANES];
    for (class, numbers) in turned.iter().enumerate() {
        for lane in 0..LANES {
            let larger = numbers[lane] > top[lane];
            other[lane] = if larger { class as u32 } else { other[lane] };
            top[lane] = if larger { numbers[lane] } else { top[lane] };
        }
    }
    for lane in 0..LANES {
        turned[other[lane] as usize][lane] = f32::NEG_INFINITY;
    }
    top
}

#[inline(always)]
fn exponentials<I: Isa, const ALL: bool>(isa: I, top: &Lanes, turned: &[Lanes], sums: &mut Sums) {
    let (mut rest, mut squares, mut weighted) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
    for numbers in turned {
        for lane in 0..LANES {
            let x = clamp(numbers[lane] - top[lane]);
            let e = exp_clamped(isa, x);
            rest[lane] += e;
            squares[lane] = isa.mul_add(e, e, squares[lane]);
            if ALL {
                weighted[lane] = isa.mul_add(e, x, weighted[lane]);
            }
        }
    }
    for lane in 0..LANES {
        sums.rest[lane] = f64::from(rest[lane]);
        sums.squares[lane] = f64::from(squares[lane]);
        sums.weighted[lane] = f64::from(weighted[lane]);
    }
}
