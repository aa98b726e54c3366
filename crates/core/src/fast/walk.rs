//! The way of a kernel through a matrix: sixteen rows, their sums, what is made of them.

use std::ops::Range;

use super::{
    chunk,
    element::Element,
    matrix::Matrix,
    narrow, probabilities,
    sums::{Scores, Sums},
    vector::Lanes,
    wide,
};
use crate::{
    isa::{Isa, Kernel, LANES, dispatch},
    score_error::ScoreError,
};

/// What is made of rows: of logits from their sums, of probabilities from their scores.
pub(crate) trait Sink {
    /// Whether it needs more than EL2N does.
    const ALL: bool;

    /// Takes rows `at..at + rows` of those walked through, at most 16, with their labels.
    #[inline(always)]
    fn take<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        rows: usize,
        labels: &[u32; LANES],
        sums: &Sums,
        classes: usize,
    ) {
        self.take_scores(isa, at, rows, labels, &sums.scores(isa, labels, classes));
    }

    /// The same where the scores are known already; without `ALL` only EL2N is.
    fn take_scores<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        rows: usize,
        labels: &[u32; LANES],
        scores: &Scores,
    );
}

/// A walk through some rows of a matrix whose shape has been checked. It gives false if a row of them
/// may not be scored; what the sink was given is then worth nothing.
pub(crate) struct Walk<'a, E, S> {
    pub(crate) matrix: Matrix<'a, E>,
    /// The rows to walk through.
    pub(crate) rows: Range<usize>,
    /// Labels of all rows of the matrix.
    pub(crate) labels: &'a [u32],
    pub(crate) room: &'a mut [Lanes],
    pub(crate) sink: &'a mut S,
}

/// Room for a walk through rows of K classes.
pub(crate) fn room(classes: usize) -> Vec<Lanes> {
    vec![[0.0; LANES]; lanes(classes)]
}

/// As much room as [`room`] makes, of what there is already.
pub(super) fn make_room(room: &mut Vec<Lanes>, classes: usize) {
    room.resize(lanes(classes), [0.0; LANES]);
}

fn lanes(classes: usize) -> usize {
    if classes <= narrow::MOST_CLASSES { 2 * classes } else { wide::chunks(classes) }
}

/// Walks through a whole matrix on the thread that calls.
///
/// # Errors
/// The first rows that cannot be scored.
pub(crate) fn on_this_thread<E: Element, S: Sink>(
    matrix: Matrix<E>,
    labels: &[u32],
    room: &mut [Lanes],
    sink: &mut S,
) -> Result<(), ScoreError> {
    let rows = 0..labels.len();
    if dispatch(Walk { matrix, rows, labels, room, sink }) {
        return Ok(());
    }
    matrix.check_numbers(labels.len())
}

/// Walks through a whole matrix on all cores: `rows` rows at a time, each into its sink; what one
/// thread does as soon is done on the one that calls.
///
/// # Errors
/// The first rows that cannot be scored.
pub(crate) fn in_parallel<E: Element, S: Sink + Send>(
    matrix: Matrix<E>,
    labels: &[u32],
    rows: usize,
    sinks: Vec<S>,
) -> Result<(), ScoreError> {
    let walk = |room: &mut Vec<_>, index: usize, mut sink: S| {
        let first = index * rows;
        let rows = first..labels.len().min(first + rows);
        dispatch(Walk { matrix, rows, labels, room, sink: &mut sink })
    };
    let good = chunk::all_good(sinks, || room(matrix.classes()), walk);
    if good { Ok(()) } else { matrix.check_numbers(labels.len()) }
}

impl<E: Element, S: Sink> Kernel for Walk<'_, E, S> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> bool {
        match (self.matrix.is_probabilities(), S::ALL) {
            (true, true) => self.probabilities::<I, true>(isa),
            (true, false) => self.probabilities::<I, false>(isa),
            (false, true) => self.logits::<I, true>(isa),
            (false, false) => self.logits::<I, false>(isa),
        }
    }
}

impl<E: Element, S: Sink> Walk<'_, E, S> {
    #[inline(always)]
    fn logits<I: Isa, const ALL: bool>(self, isa: I) -> bool {
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
                    let simple = if ALL {
                        None
                    } else {
                        isa.direct::<E, false>(row, label, &mut sums, lane)
                    };
                    if simple.is_none() {
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

    #[inline(always)]
    fn probabilities<I: Isa, const ALL: bool>(self, isa: I) -> bool {
        let Self { matrix, rows, labels, sink, .. } = self;
        let mut good = true;
        for first in rows.clone().step_by(LANES) {
            let count = LANES.min(rows.end - first);
            let mut of = [0; LANES];
            of[..count].copy_from_slice(&labels[first..first + count]);
            let mut scores = Scores::ZERO;
            for lane in 0..count {
                let row = matrix.row(first + lane);
                good &= probabilities::score::<I, E, ALL>(isa, row, of[lane], lane, &mut scores);
            }
            sink.take_scores(isa, first - rows.start, count, &of, &scores);
        }
        good
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        LogitScores, ScoreKind,
        fast::{columns::Columns, el2n::El2n},
        isa::everywhere,
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

    /// With AVX2 and with AVX-512 the scores have the same bits; without fused multiplication, and
    /// for EL2N alone, the same to a few roundings.
    #[test]
    fn all_instructions_give_the_same() {
        for classes in [2, 10, 32, 33, 64, 100, 1000] {
            for scale in [1.0, 10.0, 300.0] {
                let z = |i: usize| half::f16::from_f32((i as f32 * 0.7).sin() * scale);
                let logits: Vec<_> = (0..37 * classes).map(z).collect();
                let labels: Vec<u32> = (0..37).map(|row| row * 7 % classes as u32).collect();
                let matrix = Matrix::logits(&logits, classes);
                let found = everywhere(Both { matrix, labels: &labels });
                let (_, first) = &found[0];
                for (el2n, scores) in &found {
                    assert_eq!(scores.predicted, first.predicted);
                    for row in 0..labels.len() {
                        let truth = first[ScoreKind::El2n][row];
                        let el2n = [el2n[row], scores[ScoreKind::El2n][row]];
                        assert!(el2n.iter().all(|found| (found - truth).abs() < 1e-6));
                        let entropy = [scores, first].map(|s| s[ScoreKind::Entropy][row]);
                        assert!((entropy[0] - entropy[1]).abs() < 4e-6);
                    }
                }
                let fused: Vec<_> = found.iter().skip(1).map(|(_, scores)| scores).collect();
                assert!(fused.windows(2).all(|pair| pair[0] == pair[1]), "{classes} classes");
            }
        }
    }
}
