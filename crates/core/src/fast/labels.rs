//! Rows of logits of several labels that are each given or not: what a row of K logits and K zeros and ones
//! tells.
//!
//! With the margin `m_j = (2 y_j − 1) z_j` of a label, positive where its logit is on the right side of 0, the
//! error `|σ(z_j) − y_j|` is `1 / (1 + exp(m_j))` and the binary cross-entropy `ln(1 + exp(−m_j))`. Both come
//! from `e = exp(−|m_j|)`, so that nothing overflows or cancels. The logarithms of a row are one: `Π (1 + e)`
//! less 1 is kept, which holds the digits of small e, and is emptied before it overflows.

use super::{element::Element, exp::ln_1p, vector::Lanes};
use crate::isa::{Isa, Kernel, LANES, dispatch};

/// Chunks of lanes after which sums are emptied: products of so many factors of at most 2 do not overflow
/// `f64`, and sums of so many `f32` keep their digits.
const FLUSH: usize = 64;

/// What a row tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LabelRow {
    /// `‖σ(z) − y‖₂`.
    pub(crate) el2n: f32,
    /// Mean binary cross-entropy over labels, in nats.
    pub(crate) loss: f32,
    /// Mean margin over labels.
    pub(crate) mean_margin: f32,
    /// The least margin.
    pub(crate) least_margin: f32,
    /// Its label, the lowest among ties.
    pub(crate) least_label: u32,
    /// Whether each label is predicted as it is given: 1 where `z > 0`.
    pub(crate) correct: bool,
    /// Whether all logits are finite as `f32`; else the rest is worth nothing.
    pub(crate) finite: bool,
}

/// Scores rows of `classes` logits with as many zeros and ones, which have been checked, one after the other
/// into `to`; `margins`: room for all margins, or empty.
pub(crate) fn score<E: Element>(
    logits: &[E],
    labels: &[u8],
    classes: usize,
    to: &mut [LabelRow],
    margins: &mut [f32],
) {
    dispatch(Rows { logits, labels, classes, to, margins });
}

struct Rows<'a, E> {
    logits: &'a [E],
    labels: &'a [u8],
    classes: usize,
    to: &'a mut [LabelRow],
    margins: &'a mut [f32],
}

impl<E: Element> Kernel for Rows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        let Self { logits, labels, classes, to, margins } = self;
        for row in 0..to.len() {
            let of = row * classes..(row + 1) * classes;
            let margins = if margins.is_empty() { &mut [][..] } else { &mut margins[of.clone()] };
            to[row] = Sums::of(isa, &logits[of.clone()], &labels[of], margins).row(isa, classes);
        }
    }
}

/// The sums of a row.
struct Sums {
    errors: Lanes,
    /// `Π (1 + e) − 1`.
    products: [f64; LANES],
    /// Of `max(−m, 0)`.
    away: [f64; LANES],
    margins: [f64; LANES],
    least: Lanes,
    least_chunk: [u32; LANES],
    /// 0 until a number is NaN or infinite, then NaN.
    taint: Lanes,
    wrong: [u32; LANES],
    squares: f64,
    logarithms: f64,
}

impl Sums {
    const ZERO: Self = Self {
        errors: [0.0; LANES],
        products: [0.0; LANES],
        away: [0.0; LANES],
        margins: [0.0; LANES],
        least: [f32::INFINITY; LANES],
        least_chunk: [0; LANES],
        taint: [0.0; LANES],
        wrong: [0; LANES],
        squares: 0.0,
        logarithms: 0.0,
    };

    #[inline(always)]
    fn of<I: Isa, E: Element>(isa: I, row: &[E], labels: &[u8], margins: &mut [f32]) -> Self {
        let mut sums = Self::ZERO;
        let (whole, tail) = row.as_chunks::<LANES>();
        let (whole_labels, tail_labels) = labels.as_chunks::<LANES>();
        for chunk in 0..whole.len() {
            let z = E::widen(isa, &whole[chunk]);
            let m = sums.add(isa, chunk, &z, &whole_labels[chunk], LANES);
            if !margins.is_empty() {
                margins[chunk * LANES..][..LANES].copy_from_slice(&m);
            }
            if chunk % FLUSH == FLUSH - 1 {
                sums.flush(isa);
            }
        }
        if let [first, ..] = tail {
            let mut padded = [*first; LANES];
            padded[..tail.len()].copy_from_slice(tail);
            let mut given = [0; LANES];
            given[..tail.len()].copy_from_slice(tail_labels);
            let z = E::widen(isa, &padded);
            let m = sums.add(isa, whole.len(), &z, &given, tail.len());
            if !margins.is_empty() {
                margins[whole.len() * LANES..].copy_from_slice(&m[..tail.len()]);
            }
        }
        sums.flush(isa);
        sums
    }

    /// Adds the first `count` lanes of a chunk; gives their margins.
    #[inline(always)]
    fn add<I: Isa>(
        &mut self,
        isa: I,
        chunk: usize,
        z: &Lanes,
        labels: &[u8; LANES],
        count: usize,
    ) -> Lanes {
        let mut m = [0.0; LANES];
        for lane in 0..LANES {
            let given = labels[lane] == 1;
            m[lane] = if given { z[lane] } else { -z[lane] };
            self.taint[lane] = isa.mul_add(z[lane], 0.0, self.taint[lane]);
            let counts = lane < count;
            self.wrong[lane] |= u32::from(counts & ((z[lane] > 0.0) != given));
            let e = isa.exp(-m[lane].abs());
            let one = 1.0 / (1.0 + e);
            let error = if m[lane] > 0.0 { e * one } else { one };
            let error = if counts { error } else { 0.0 };
            self.errors[lane] = isa.mul_add(error, error, self.errors[lane]);
            let less = counts & (m[lane] < self.least[lane]);
            self.least_chunk[lane] = if less { chunk as u32 } else { self.least_chunk[lane] };
            self.least[lane] = if less { m[lane] } else { self.least[lane] };
            let e = if counts { f64::from(e) } else { 0.0 };
            let margin = if counts { f64::from(m[lane]) } else { 0.0 };
            self.products[lane] =
                isa.mul_add_f64(e, 1.0 + self.products[lane], self.products[lane]);
            self.margins[lane] += margin;
            self.away[lane] += if margin < 0.0 { -margin } else { 0.0 };
        }
        m
    }

    #[inline(always)]
    fn flush<I: Isa>(&mut self, isa: I) {
        let logarithms = ln_1p(isa, self.products);
        for lane in 0..LANES {
            self.logarithms += logarithms[lane];
        }
        self.squares += f64::from(isa.sum(&self.errors));
        (self.products, self.errors) = ([0.0; LANES], [0.0; LANES]);
    }

    #[inline(always)]
    fn row<I: Isa>(&self, _: I, classes: usize) -> LabelRow {
        let (mut loss, mut margin) = (self.logarithms, 0.0);
        let (mut least, mut label) = (f32::INFINITY, u32::MAX);
        let (mut wrong, mut taint) = (0, 0.0);
        for lane in 0..LANES {
            loss += self.away[lane];
            margin += self.margins[lane];
            wrong |= self.wrong[lane];
            taint += self.taint[lane];
            let here = self.least_chunk[lane] * LANES as u32 + lane as u32;
            let first = self.least[lane] < least || self.least[lane] == least && here < label;
            (least, label) = if first { (self.least[lane], here) } else { (least, label) };
        }
        LabelRow {
            el2n: self.squares.sqrt() as f32,
            loss: (loss / classes as f64) as f32,
            mean_margin: (margin / classes as f64) as f32,
            least_margin: least,
            least_label: label,
            correct: wrong == 0,
            finite: taint == 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::everywhere;

    #[derive(Clone)]
    struct Of<'a> {
        logits: &'a [f64],
        labels: &'a [u8],
        classes: usize,
    }

    impl Kernel for Of<'_> {
        type Output = Vec<LabelRow>;

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> Vec<LabelRow> {
            let Self { logits, labels, classes } = self;
            let mut to = vec![LabelRow::default(); logits.len() / classes];
            let mut margins = vec![0.0; logits.len()];
            Rows { logits, labels, classes, to: &mut to, margins: &mut margins }.run(isa);
            for ((margin, &z), &label) in margins.iter().zip(logits).zip(labels) {
                assert_eq!(*margin, if label == 1 { z as f32 } else { -z as f32 });
            }
            to
        }
    }

    fn near(found: f32, truth: f64) -> bool {
        (f64::from(found) - truth).abs() <= 1e-6 * truth.abs().max(1.0)
    }

    #[test]
    fn rows_have_the_numbers_of_their_definitions() {
        for classes in [1, 5, 16, 17, 80, 1200] {
            for scale in [0.1, 3.0, 30.0, 200.0] {
                let logits: Vec<f64> =
                    (0..20 * classes).map(|i| f64::from((i as f32 * 0.37).sin() * scale)).collect();
                let labels: Vec<u8> = (0..logits.len()).map(|i| (i % 3 == 0) as u8).collect();
                let all = everywhere(Of { logits: &logits, labels: &labels, classes });
                for found in &all {
                    for (row, found) in found.iter().enumerate() {
                        let of = row * classes..(row + 1) * classes;
                        let pairs = || logits[of.clone()].iter().zip(&labels[of.clone()]);
                        let m = || pairs().map(|(&z, &y)| if y == 1 { z } else { -z });
                        let k = classes as f64;
                        let error = |m: f64| 1.0 / (1.0 + m.exp());
                        let loss =
                            m().map(|m| (-m.abs()).exp().ln_1p() + (-m).max(0.0)).sum::<f64>();
                        let least = m().fold(f64::MAX, f64::min);
                        assert!(near(
                            found.el2n,
                            m().map(|m| error(m).powi(2)).sum::<f64>().sqrt()
                        ));
                        assert!(near(found.loss, loss / k), "{} is not {}", found.loss, loss / k);
                        assert!(near(found.mean_margin, m().sum::<f64>() / k));
                        assert_eq!(f64::from(found.least_margin), least);
                        assert_eq!(m().position(|m| m == least), Some(found.least_label as usize));
                        let correct = pairs().all(|(&z, &y)| (z > 0.0) == (y == 1));
                        assert_eq!((found.correct, found.finite), (correct, true));
                    }
                }
            }
        }
    }

    /// A sure and right prediction of every label keeps the digits of its loss.
    #[test]
    fn small_losses_keep_their_digits() {
        let logits = [30.0, -25.0, 28.0];
        let truth = [30.0_f64, 25.0, 28.0].iter().map(|m| (-m).exp().ln_1p()).sum::<f64>() / 3.0;
        for found in everywhere(Of { logits: &logits, labels: &[1, 0, 1], classes: 3 }) {
            assert!((f64::from(found[0].loss) / truth - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_told() {
        let find = |z: f64| {
            let found = everywhere(Infinite(z));
            assert!(found.iter().all(|finite| finite == &found[0]));
            found[0]
        };
        assert!(find(1.0) && !find(f64::NAN) && !find(f64::INFINITY) && !find(1e300));
    }

    #[derive(Clone)]
    struct Infinite(f64);

    impl Kernel for Infinite {
        type Output = bool;

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> bool {
            let mut to = [LabelRow::default()];
            let (logits, labels) = (&[0.0, self.0], &[0, 1]);
            Rows { logits, labels, classes: 2, to: &mut to, margins: &mut [] }.run(isa);
            to[0].finite
        }
    }
}
