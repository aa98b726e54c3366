//! The way of a kernel through a matrix: sixteen rows, their sums, what is made of them.

use std::ops::Range;

use super::{
    direct,
    element::Element,
    isa::{Isa, Kernel, LANES, Lanes},
    matrix::Matrix,
    narrow,
    sums::Sums,
    wide,
};

/// What is made of the sums of rows.
pub(super) trait Sink {
    /// Whether it needs more sums than EL2N does.
    const ALL: bool;

    /// Takes rows `at..at + rows` of those walked through, at most 16, with their labels.
    fn take<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        rows: usize,
        labels: &[u32; LANES],
        sums: &Sums,
        classes: usize,
    );
}

/// A walk through some rows of a matrix that has been checked. It gives false if a row of them is
/// not finite; what the sink was given is then worth nothing.
pub(super) struct Walk<'a, E, S> {
    pub(super) matrix: Matrix<'a, E>,
    /// The rows to walk through.
    pub(super) rows: Range<usize>,
    /// Labels of all rows of the matrix.
    pub(super) labels: &'a [u32],
    pub(super) room: &'a mut [Lanes],
    pub(super) sink: &'a mut S,
}

/// Room for a walk through rows of K classes.
pub(super) fn room(classes: usize) -> Vec<Lanes> {
    vec![[0.0; LANES]; lanes(classes)]
}

/// As much room as [`room`] makes, of what there is already.
pub(super) fn make_room(room: &mut Vec<Lanes>, classes: usize) {
    room.resize(lanes(classes), [0.0; LANES]);
}

fn lanes(classes: usize) -> usize {
    if classes <= narrow::MOST_CLASSES { 2 * classes } else { wide::chunks(classes) }
}

impl<E: Element, S: Sink> Kernel for Walk<'_, E, S> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> bool {
        if S::ALL { self.steps::<I, true>(isa) } else { self.steps::<I, false>(isa) }
    }
}

impl<E: Element, S: Sink> Walk<'_, E, S> {
    #[inline(always)]
    fn steps<I: Isa, const ALL: bool>(self, isa: I) -> bool {
        let Self { matrix, rows, labels, room, sink } = self;
        let classes = matrix.classes();
        let mut finite = true;
        for first in rows.clone().step_by(LANES) {
            let count = LANES.min(rows.end - first);
            let mut of = [0; LANES];
            of[..count].copy_from_slice(&labels[first..first + count]);
            let sums = if classes <= narrow::MOST_CLASSES {
                let (sums, good) = narrow::sums::<I, E, ALL>(isa, &matrix, first, count, &of, room);
                finite &= good;
                sums
            } else {
                let mut sums = Sums::ZERO;
                for lane in 0..count {
                    let (row, label) = (matrix.row(first + lane), of[lane]);
                    let simple = !ALL
                        && I::FMA
                        && E::FITS_F32
                        && direct::add_row(isa, row, label, &mut sums, lane);
                    if !simple {
                        finite &=
                            wide::add_row::<I, E, ALL>(isa, row, label, room, &mut sums, lane);
                    }
                }
                sums
            };
            sink.take(isa, first - rows.start, count, &of, &sums, classes);
        }
        finite
    }
}
