//! Rows of logits that labels pick, in any order: the loss, EL2N and correctness of tokens.
//!
//! Rows without a label are not read. The sums are those of every other score ([`super::sums`]), each row
//! read once, with AVX-512 in a single pass; no row of probabilities is ever written.

use super::{element::Element, matrix::Matrix, narrow, sums::Sums, vector::Lanes, walk, wide};
use crate::isa::{Isa, Kernel, LANES, dispatch};

/// What tokens are told by their logits, one entry a picked row.
pub(crate) struct TokenColumns<'a> {
    /// Cross-entropy in nats.
    pub(crate) loss: &'a mut [f32],
    pub(crate) el2n: &'a mut [f32],
    /// 1 or 0.
    pub(crate) correct: &'a mut [f32],
    /// The predicted classes; empty where nobody asks.
    pub(crate) predicted: &'a mut [u32],
}

/// Room for a walk through picked rows.
pub(crate) struct Room<E> {
    lanes: Vec<Lanes>,
    staged: Vec<E>,
}

impl<E> Room<E> {
    /// For rows of K classes.
    pub(crate) fn new(classes: usize) -> Self {
        Self { lanes: walk::room(classes), staged: Vec::new() }
    }
}

/// Scores picked rows of a matrix of logits whose shape has been checked; false if one of them is not
/// finite, what was written then being worth nothing.
///
/// `rows`: rows of the matrix; `labels`: their labels, below K.
pub(crate) fn score<E: Element>(
    matrix: Matrix<E>,
    rows: &[usize],
    labels: &[u32],
    room: &mut Room<E>,
    to: TokenColumns,
) -> bool {
    dispatch(Picked { matrix, rows, labels, room, to })
}

struct Picked<'a, E> {
    matrix: Matrix<'a, E>,
    rows: &'a [usize],
    labels: &'a [u32],
    room: &'a mut Room<E>,
    to: TokenColumns<'a>,
}

/// Sixteen rows.
struct Sixteen {
    sums: Sums,
    /// The label's logit less the largest other, as far as its sign goes.
    lead: [f64; LANES],
    finite: bool,
}

impl<E: Element> Kernel for Picked<'_, E> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> bool {
        let Self { matrix, rows, labels, room, to } = self;
        let mut finite = true;
        for first in (0..rows.len()).step_by(LANES) {
            let count = LANES.min(rows.len() - first);
            let rows = &rows[first..first + count];
            let mut of = [0; LANES];
            of[..count].copy_from_slice(&labels[first..first + count]);
            let found = if matrix.classes() <= narrow::MOST_CLASSES {
                few_classes(isa, &matrix, rows, &of, room)
            } else {
                many_classes(isa, &matrix, rows, &of, &mut room.lanes)
            };
            finite &= found.finite;
            let [el2n, loss] = found.sums.el2n_and_loss(isa);
            to.el2n[first..first + count].copy_from_slice(&el2n[..count]);
            to.loss[first..first + count].copy_from_slice(&loss[..count]);
            for lane in 0..count {
                let (row, label) = (matrix.row(rows[lane]), of[lane] as usize);
                // Among ties the lowest class is the predicted one.
                let lead = found.lead[lane];
                let correct = lead > 0.0 || lead == 0.0 && is_first(row, label);
                to.correct[first + lane] = if correct { 1.0 } else { 0.0 };
                if let Some(predicted) = to.predicted.get_mut(first + lane) {
                    *predicted = if correct { of[lane] } else { largest(row) };
                }
            }
        }
        finite
    }
}

/// Rows too short to fill the lanes, moved together.
#[inline(always)]
fn few_classes<I: Isa, E: Element>(
    isa: I,
    matrix: &Matrix<E>,
    rows: &[usize],
    labels: &[u32; LANES],
    room: &mut Room<E>,
) -> Sixteen {
    room.staged.clear();
    for &row in rows {
        room.staged.extend_from_slice(matrix.row(row));
    }
    let staged = Matrix::logits(&room.staged, matrix.classes());
    let (sums, finite) =
        narrow::sums::<I, E, false>(isa, &staged, 0, rows.len(), labels, &mut room.lanes);
    Sixteen { lead: sums.margin, sums, finite }
}

#[inline(always)]
fn many_classes<I: Isa, E: Element>(
    isa: I,
    matrix: &Matrix<E>,
    rows: &[usize],
    labels: &[u32; LANES],
    room: &mut [Lanes],
) -> Sixteen {
    let mut found = Sixteen { sums: Sums::ZERO, lead: [0.0; LANES], finite: true };
    for lane in 0..rows.len() {
        let (row, label) = (matrix.row(rows[lane]), labels[lane]);
        let sums = &mut found.sums;
        if let Some(top) = isa.direct::<E, true>(row, label, sums, lane) {
            found.lead[lane] = f64::from(row[label as usize].single()) - f64::from(top);
        } else {
            found.finite &= wide::add_row::<I, E, false>(isa, row, label, room, sums, lane);
            found.lead[lane] = sums.margin[lane];
        }
    }
    found
}

/// Whether no class below the label has a logit as large.
#[inline(always)]
fn is_first<E: Element>(row: &[E], label: usize) -> bool {
    for number in &row[..label] {
        if *number >= row[label] {
            return false;
        }
    }
    true
}

/// The class of the largest logit, the lowest among ties.
#[inline(always)]
fn largest<E: Element>(row: &[E]) -> u32 {
    let mut at = 0;
    for class in 1..row.len() {
        if row[class] > row[at] {
            at = class;
        }
    }
    at as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LogitScores, ScoreKind, isa::everywhere};

    #[derive(Clone)]
    struct Of<'a, E> {
        matrix: Matrix<'a, E>,
        rows: &'a [usize],
        labels: &'a [u32],
    }

    impl<E: Element> Kernel for Of<'_, E> {
        type Output = ([Vec<f32>; 3], Vec<u32>);

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> Self::Output {
            let Self { matrix, rows, labels } = self;
            let mut found = [vec![0.0; rows.len()], vec![0.0; rows.len()], vec![0.0; rows.len()]];
            let mut predicted = vec![0; rows.len()];
            let [loss, el2n, correct] = found.each_mut().map(Vec::as_mut_slice);
            let to = TokenColumns { loss, el2n, correct, predicted: &mut predicted };
            let mut room = Room::new(matrix.classes());
            assert!(Picked { matrix, rows, labels, room: &mut room, to }.run(isa));
            (found, predicted)
        }
    }

    fn assert_as_of_a_pass<E: Element>(logits: &[E], classes: usize, scale: f32) {
        let n = logits.len() / classes;
        let rows: Vec<usize> = (0..n).rev().filter(|row| row % 3 != 1).collect();
        let all: Vec<u32> = (0..n).map(|row| (row * 7 % classes) as u32).collect();
        let labels: Vec<u32> = rows.iter().map(|&row| all[row]).collect();
        let matrix = Matrix::logits(logits, classes);
        let truth = LogitScores::of(matrix, &all).unwrap();
        for (found, predicted) in everywhere(Of { matrix, rows: &rows, labels: &labels }) {
            for (at, &row) in rows.iter().enumerate() {
                for (kind, found) in
                    [ScoreKind::Loss, ScoreKind::El2n, ScoreKind::Correct].iter().zip(&found)
                {
                    let (found, truth) = (found[at], truth[*kind][row]);
                    let near = (found - truth).abs() <= 1e-6 * truth.max(1.0);
                    assert!(near, "{kind} of {classes} classes, ±{scale}: {found}, not {truth}");
                }
                assert_eq!(predicted[at], truth.predicted[row]);
            }
        }
    }

    #[test]
    fn picked_rows_have_the_scores_of_a_pass() {
        for classes in [2, 9, 32, 33, 64, 100, 1000] {
            for scale in [1.0, 10.0, 39.0, 300.0] {
                let z = |i: usize| (i as f32 * 0.7).sin() * scale;
                let logits: Vec<f32> = (0..37 * classes).map(z).collect();
                assert_as_of_a_pass(&logits, classes, scale);
                let halves: Vec<_> = logits.iter().map(|&z| half::f16::from_f32(z)).collect();
                assert_as_of_a_pass(&halves, classes, scale);
                let halves: Vec<_> = logits.iter().map(|&z| half::bf16::from_f32(z)).collect();
                assert_as_of_a_pass(&halves, classes, scale);
                let wide: Vec<f64> = logits.iter().map(|&z| f64::from(z) * 1.1).collect();
                assert_as_of_a_pass(&wide, classes, scale);
            }
        }
    }

    /// Logits of few values have many ties, in every place of a row.
    #[test]
    fn among_ties_the_lowest_class_is_predicted() {
        for classes in [3, 33, 70] {
            let z = |i: usize| ((i * i + i / 7) % 3) as f32;
            let logits: Vec<f32> = (0..64 * classes).map(z).collect();
            assert_as_of_a_pass(&logits, classes, 3.0);
        }
    }
}
