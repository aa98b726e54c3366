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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fast::{columns::Columns, el2n::El2n, isa::tests::everywhere},
        logit_scores::LogitScores,
    };

    /// Both sinks, on logits that are within ±40 and on those that are not.
    #[derive(Clone)]
    struct Both<'a, E> {
        matrix: Matrix<'a, E>,
        labels: &'a [u32],
    }

    impl<E: Element> Kernel for Both<'_, E> {
        type Output = (Vec<f32>, LogitScores);

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> Self::Output {
            let Self { matrix, labels } = self;
            let mut room = room(matrix.classes());
            let mut el2n = vec![0.0; labels.len()];
            let mut scores = LogitScores::default();
            let (rows, sink) = (0..labels.len(), &mut El2n(&mut el2n));
            assert!(Walk { matrix, rows, labels, room: &mut room, sink }.run(isa));
            let (rows, sink) = (0..labels.len(), &mut Columns::of(&mut scores, labels.len()));
            assert!(Walk { matrix, rows, labels, room: &mut room, sink }.run(isa));
            (el2n, scores)
        }
    }

    #[test]
    fn all_instructions_give_the_same() {
        for classes in [2, 10, 32, 33, 64, 100, 1000] {
            for scale in [1.0, 10.0, 300.0] {
                let z = |i: usize| half::f16::from_f32((i as f32 * 0.7).sin() * scale);
                let logits: Vec<_> = (0..37 * classes).map(z).collect();
                let wide: Vec<f32> = logits.iter().map(|z| z.to_f32()).collect();
                let labels: Vec<u32> = (0..37).map(|row| row * 7 % classes as u32).collect();
                let truth = LogitScores::from_logits(&wide, classes, &labels).unwrap();
                let matrix = Matrix::new(&logits, classes);
                for (el2n, scores) in everywhere(Both { matrix, labels: &labels }) {
                    assert_eq!(scores.predicted, truth.predicted);
                    for row in 0..labels.len() {
                        let el2n = [el2n[row], scores.el2n[row]];
                        assert!(el2n.iter().all(|found| (found - truth.el2n[row]).abs() < 1e-6));
                        assert!((scores.entropy[row] - truth.entropy[row]).abs() < 4e-6);
                    }
                }
            }
        }
    }
}
