//! The same scores from probabilities, for those who have no logits.
//!
//! Everything that the label's own probability enters is taken from it in `f64`; sums over the
//! other classes are taken sixteen at a time. As in [`LogitScores::from_probs`], probabilities
//! that were rounded before they came here tie among the easiest examples: prefer logits.

use rayon::prelude::*;

use super::{
    chunk,
    columns::Columns,
    element::Element,
    exp::p_ln_p,
    isa::{Isa, Kernel, LANES, Lanes, dispatch},
    matrix::Matrix,
    sums::Scores,
};
use crate::{
    logit_scores::LogitScores,
    loss::loss_from_prob,
    score_error::{PROBABILITY_TOLERANCE, ScoreError},
};

/// Chunks whose sums stay in `f32`; then they go into `f64`.
const FLUSH: usize = 64;

/// 2⁵⁵, which is taken out again: without it the squares of probabilities below 10⁻¹⁹ would vanish.
const SCALE: f32 = (1_u64 << 55) as f32;

/// EL2N of n examples from their probabilities, on all cores; in [0, √2], higher is harder.
///
/// `probs`: n × K, K ≥ 2; `labels`: n class indices.
///
/// # Errors
/// As [`LogitScores::from_probs`].
///
/// ```
/// use datadiet_core::fast::{Matrix, el2n_from_probs};
///
/// assert_eq!(el2n_from_probs(Matrix::new(&[0.5_f32, 0.5], 2), &[0])?, [0.5_f32.sqrt()]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn el2n_from_probs<E: Element>(
    probs: Matrix<E>,
    labels: &[u32],
) -> Result<Vec<f32>, ScoreError> {
    probs.check("probabilities", labels)?;
    let mut el2n = vec![0.0; labels.len()];
    let rows = chunk::rows(probs.row_bytes());
    let good = el2n
        .par_chunks_mut(rows)
        .enumerate()
        .map(|(index, out)| dispatch(El2n { probs, labels, first: index * rows, out }))
        .reduce(|| true, |a, b| a & b);
    if !good {
        check(&probs, labels)?;
    }
    Ok(el2n)
}

/// All scores of n examples from their probabilities, on all cores.
///
/// It is [`LogitScores::from_probs`] for large matrices.
///
/// # Errors
/// As [`LogitScores::from_probs`].
///
/// ```
/// use datadiet_core::fast::{Matrix, prob_scores};
///
/// assert_eq!(prob_scores(Matrix::new(&[0.75_f64, 0.25], 2), &[0])?.l1, [0.5]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn prob_scores<E: Element>(
    probs: Matrix<E>,
    labels: &[u32],
) -> Result<LogitScores, ScoreError> {
    probs.check("probabilities", labels)?;
    let mut scores = LogitScores::default();
    let rows = chunk::rows(probs.row_bytes());
    let good = Columns::of(&mut scores, labels.len())
        .chunks(rows)
        .into_par_iter()
        .enumerate()
        .map(|(index, out)| dispatch(All { probs, labels, first: index * rows, out }))
        .reduce(|| true, |a, b| a & b);
    if !good {
        check(&probs, labels)?;
    }
    Ok(scores)
}

/// The error of a matrix in which a kernel met a row that is no distribution.
fn check<E: Element>(probs: &Matrix<E>, labels: &[u32]) -> Result<(), ScoreError> {
    probs.check_finite("probabilities", labels.len())?;
    probs.check_probabilities(labels.len())
}

/// False if a row has to be looked at again.
struct El2n<'a, E> {
    probs: Matrix<'a, E>,
    labels: &'a [u32],
    first: usize,
    out: &'a mut [f32],
}

impl<E: Element> Kernel for El2n<'_, E> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> bool {
        let mut good = true;
        for (index, out) in (self.first..).zip(self.out) {
            let label = self.labels[index] as usize;
            let row = Row::of::<I, E, false>(isa, self.probs.row(index), label);
            *out = row.el2n();
            good &= row.good();
        }
        good
    }
}

struct All<'a, E> {
    probs: Matrix<'a, E>,
    labels: &'a [u32],
    first: usize,
    out: Columns<'a>,
}

impl<E: Element> Kernel for All<'_, E> {
    type Output = bool;

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) -> bool {
        let mut good = true;
        for at in 0..self.out.len() {
            let numbers = self.probs.row(self.first + at);
            let label = self.labels[self.first + at];
            let row = Row::of::<I, E, true>(isa, numbers, label as usize);
            good &= row.good();
            let mut scores = Scores::ZERO;
            row.write(label, strongest_other(numbers, label as usize), &mut scores);
            self.out.write(at, 1, &scores);
        }
        good
    }
}

/// The largest entry outside the label, and its class, the lowest among ties.
#[inline(always)]
fn strongest_other<E: Element>(row: &[E], label: usize) -> (f64, u32, usize) {
    let (mut largest, mut class) = (f64::NEG_INFINITY, 0);
    for (index, &number) in row.iter().enumerate() {
        let number: f64 = number.into();
        if index != label && number > largest {
            (largest, class) = (number, index as u32);
        }
    }
    (largest, class, row.len() - 1)
}

/// The sums of a row of probabilities over the other classes than the label.
struct Row {
    truth: f64,
    others: f64,
    squares: f64,
    /// `Σ p ln p`.
    surprise: f64,
    least: f32,
}

impl Row {
    #[inline(always)]
    fn of<I: Isa, E: Element, const ALL: bool>(isa: I, row: &[E], label: usize) -> Self {
        let truth = row[label].into();
        let mut sums = Self { truth, others: 0.0, squares: 0.0, surprise: 0.0, least: 0.0 };
        let (whole, tail) = row.as_chunks::<LANES>();
        for (block, chunks) in whole.chunks(FLUSH).enumerate() {
            let mut lanes = RowLanes::ZERO;
            for (index, chunk) in chunks.iter().enumerate() {
                let mut p = E::widen(isa, chunk);
                if (block * FLUSH + index) == label / LANES {
                    p[label % LANES] = 0.0;
                }
                lanes.add::<I, ALL>(isa, &p);
            }
            sums.flush::<I, ALL>(isa, &lanes);
        }
        if !tail.is_empty() {
            let mut p = [0.0; LANES];
            for (p, number) in p.iter_mut().zip(tail) {
                *p = number.single();
            }
            if whole.len() == label / LANES {
                p[label % LANES] = 0.0;
            }
            let mut lanes = RowLanes::ZERO;
            lanes.add::<I, ALL>(isa, &p);
            sums.flush::<I, ALL>(isa, &lanes);
        }
        sums
    }

    #[inline(always)]
    fn flush<I: Isa, const ALL: bool>(&mut self, isa: I, lanes: &RowLanes) {
        self.others += f64::from(isa.sum(&lanes.others));
        self.squares += f64::from(isa.sum(&lanes.squares)) / f64::from(SCALE).powi(2);
        if ALL {
            self.surprise += f64::from(isa.sum(&lanes.surprise));
        }
        for lane in 0..LANES {
            self.least =
                if lanes.least[lane] < self.least { lanes.least[lane] } else { self.least };
        }
    }

    /// Whether the row is certainly a distribution; NaN and infinity are in the sum.
    #[inline(always)]
    fn good(&self) -> bool {
        // What `f32` may have rounded away from the sum is far less.
        let nearly = 0.99 * PROBABILITY_TOLERANCE;
        (self.truth + self.others - 1.0).abs() < nearly && self.least >= 0.0 && self.truth >= 0.0
    }

    #[inline(always)]
    fn el2n(&self) -> f32 {
        ((1.0 - self.truth).powi(2) + self.squares).sqrt() as f32
    }

    #[inline(always)]
    fn write(&self, label: u32, other: (f64, u32, usize), scores: &mut Scores) {
        let (largest, class, others) = other;
        let own = if self.truth > 0.0 { self.truth * self.truth.ln() } else { 0.0 };
        scores.el2n[0] = self.el2n();
        scores.l1[0] = ((1.0 - self.truth).abs() + self.others) as f32;
        scores.loss[0] = loss_from_prob(self.truth as f32);
        // One class a rounding above 1 would give −ε, and an exact 1 gives −0.
        scores.entropy[0] = (-(own + self.surprise)).max(0.0) as f32;
        scores.max_margin[0] = (largest - self.truth) as f32;
        scores.sum_margin[0] = (self.others - others as f64 * self.truth) as f32;
        let wrong = largest > self.truth || largest == self.truth && class < label;
        scores.predicted[0] = if wrong { class } else { label };
        scores.correct[0] = if wrong { 0.0 } else { 1.0 };
    }
}

struct RowLanes {
    others: Lanes,
    squares: Lanes,
    surprise: Lanes,
    least: Lanes,
}

impl RowLanes {
    const ZERO: Self = Self {
        others: [0.0; LANES],
        squares: [0.0; LANES],
        surprise: [0.0; LANES],
        least: [0.0; LANES],
    };

    #[inline(always)]
    fn add<I: Isa, const ALL: bool>(&mut self, isa: I, p: &Lanes) {
        for lane in 0..LANES {
            self.others[lane] += p[lane];
            let scaled = p[lane] * SCALE;
            self.squares[lane] = isa.mul_add(scaled, scaled, self.squares[lane]);
            self.least[lane] = if p[lane] < self.least[lane] { p[lane] } else { self.least[lane] };
        }
        if ALL {
            let surprise = p_ln_p(isa, *p);
            for lane in 0..LANES {
                self.surprise[lane] += surprise[lane];
            }
        }
    }
}
