//! The same scores from probabilities, for those who have no logits.
//!
//! Everything that the label's own probability enters is taken from it in `f64`; sums over the
//! other classes are taken sixteen at a time. A row that was rounded, so that it does not quite sum to
//! 1, is divided by its sum.

use super::{element::Element, exp::p_ln_p, sums::Scores, vector::Lanes};
use crate::{
    isa::{Isa, LANES},
    score_error::PROBABILITY_TOLERANCE,
    score_kind::ScoreKind,
    value_kind::EXACT_SUM,
};

/// Chunks whose sums stay in `f32`; then they go into `f64`.
const FLUSH: usize = 64;

/// 2⁵⁵, which is taken out again: without it the squares of probabilities below 10⁻¹⁹ would vanish.
const SCALE: f32 = (1_u64 << 55) as f32;

/// Writes the scores of a row into a lane, without `ALL` EL2N alone; false if the row is perhaps not
/// a distribution.
#[inline(always)]
pub(super) fn score<I: Isa, E: Element, const ALL: bool>(
    isa: I,
    row: &[E],
    label: u32,
    lane: usize,
    scores: &mut Scores,
) -> bool {
    let sums = Row::of::<I, E, ALL>(isa, row, label as usize);
    if ALL {
        sums.write(label, strongest_other(row, label as usize), lane, scores);
    } else {
        scores.columns[ScoreKind::El2n as usize][lane] = sums.el2n();
    }
    sums.good()
}

/// `−ln p`. A probability below the smallest normal `f32` (2⁻¹²⁶) has lost its digits and is read as
/// that, so the loss is at most 87.4 and never infinite.
#[inline(always)]
fn loss(true_prob: f32) -> f32 {
    // A sum within the tolerance can leave p slightly above 1; a loss is never negative.
    let p = true_prob.clamp(f32::MIN_POSITIVE, 1.0);
    (-f64::from(p).ln()).max(0.0) as f32
}

/// `ln p_y − ln p_j`, both read as [`loss`] reads them.
#[inline(always)]
pub(crate) fn log_margin(truth: f32, other: f32) -> f32 {
    let truth = f64::from(truth.clamp(f32::MIN_POSITIVE, 1.0));
    let other = f64::from(other.clamp(f32::MIN_POSITIVE, 1.0));
    (truth.ln() - other.ln()) as f32
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
    /// Of the row as it was.
    sum: f64,
    /// What the row was multiplied by since.
    factor: f64,
}

impl Row {
    #[inline(always)]
    fn of<I: Isa, E: Element, const ALL: bool>(isa: I, row: &[E], label: usize) -> Self {
        let truth = row[label].into();
        let mut sums = Self {
            truth,
            others: 0.0,
            squares: 0.0,
            surprise: 0.0,
            least: 0.0,
            sum: 1.0,
            factor: 1.0,
        };
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
        sums.sum = sums.truth + sums.others;
        if (sums.sum - 1.0).abs() > EXACT_SUM {
            sums.divide();
        }
        sums
    }

    /// Makes the sums those of the row divided by its sum.
    #[cold]
    fn divide(&mut self) {
        let factor = self.sum.recip();
        self.factor = factor;
        self.truth *= factor;
        self.others *= factor;
        self.squares *= factor * factor;
        self.surprise = self.surprise * factor + self.others * factor.ln();
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
        (self.sum - 1.0).abs() < nearly && self.least >= 0.0 && self.truth >= 0.0
    }

    #[inline(always)]
    fn el2n(&self) -> f32 {
        ((1.0 - self.truth).powi(2) + self.squares).sqrt() as f32
    }

    #[inline(always)]
    fn write(&self, label: u32, other: (f64, u32, usize), lane: usize, scores: &mut Scores) {
        let (largest, class, others) = other;
        let largest = largest * self.factor;
        let own = if self.truth > 0.0 { self.truth * self.truth.ln() } else { 0.0 };
        let wrong = largest > self.truth || largest == self.truth && class < label;
        for (kind, score) in [
            (ScoreKind::El2n, self.el2n()),
            (ScoreKind::L1, ((1.0 - self.truth).abs() + self.others) as f32),
            (ScoreKind::Loss, loss(self.truth as f32)),
            // One class a rounding above 1 would give −ε, and an exact 1 gives −0.
            (ScoreKind::Entropy, (-(own + self.surprise)).max(0.0) as f32),
            (ScoreKind::MaxMargin, (largest - self.truth) as f32),
            (ScoreKind::SumMargin, (self.others - others as f64 * self.truth) as f32),
            (ScoreKind::LogMargin, log_margin(self.truth as f32, largest as f32)),
            (ScoreKind::Correct, if wrong { 0.0 } else { 1.0 }),
        ] {
            scores.columns[kind as usize][lane] = score;
        }
        // A sum within the tolerance can leave p slightly above 1.
        scores.true_prob[lane] = self.truth.min(1.0);
        scores.margin[lane] = f64::NAN;
        scores.predicted[lane] = if wrong { class } else { label };
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
