//! What every score of a row of logits is made of: how far the label's logit is from the strongest
//! other one, and sums of exponentials over the other classes.
//!
//! With y the label, t the strongest other class (the lowest index among ties), and
//! `e_j = exp(z_j − z_t)`:
//!
//! `d = z_y − z_t`,  `r = Σ_{j≠y,t} e_j`,  `q = Σ_{j≠y,t} e_j²`,  `w = Σ_{j≠y,t} e_j (z_j − z_t)`.
//!
//! No sum has the label in it, and none is small beside a rounding of its largest term: so
//! `1 − p_y`, which is `(1 + r) / (1 + r + eᵈ)`, keeps its digits however sure the network is, and
//! `f32` exponentials are enough for scores that are right to a few 10⁻⁷ of themselves. The few
//! operations that a row needs afterwards are done in `f64`, sixteen rows at a time.

use super::exp::{exp_f64, ln_1p};
use crate::{
    isa::{Isa, LANES},
    score_kind::ScoreKind,
};

/// The sums of sixteen rows.
#[derive(Clone, Copy, Debug)]
pub struct Sums {
    /// d.
    pub(crate) margin: [f64; LANES],
    /// r.
    pub(crate) rest: [f64; LANES],
    /// q.
    pub(crate) squares: [f64; LANES],
    /// w; 0 where it was not asked for.
    pub(crate) weighted: [f64; LANES],
    /// t; where d > 0 it may be any class, and where it was not asked for it is.
    pub(crate) other: [u32; LANES],
}

impl Sums {
    /// Of rows that are all zero; lanes that no row fills stay so.
    pub(crate) const ZERO: Self = Self {
        margin: [0.0; LANES],
        rest: [0.0; LANES],
        squares: [0.0; LANES],
        weighted: [0.0; LANES],
        other: [0; LANES],
    };

    /// EL2N: `sqrt((1 + r)² + 1 + q) / (1 + r + eᵈ)`.
    #[inline(always)]
    pub(crate) fn el2n<I: Isa>(&self, isa: I) -> [f32; LANES] {
        self.el2n_of(&self.shares(isa))
    }

    #[inline(always)]
    fn el2n_of(&self, shares: &Shares) -> [f32; LANES] {
        let mut el2n = [0.0; LANES];
        for lane in 0..LANES {
            let rest = 1.0 + self.rest[lane];
            let length = (rest * rest + (1.0 + self.squares[lane])).sqrt();
            el2n[lane] = (length * shares.other[lane]) as f32;
        }
        el2n
    }

    /// EL2N, and cross-entropy in nats: `ln((1 + r + eᵈ) / eᵈ)`.
    #[inline(always)]
    pub(crate) fn el2n_and_loss<I: Isa>(&self, isa: I) -> [[f32; LANES]; 2] {
        let shares = self.shares(isa);
        let mut loss = [0.0; LANES];
        let ln_sum = self.ln_sum(isa, &shares);
        for lane in 0..LANES {
            let d = self.margin[lane];
            loss[lane] = (ln_sum[lane] + if d > 0.0 { 0.0 } else { -d }) as f32;
        }
        [self.el2n_of(&shares), loss]
    }

    /// The logarithm of the sum of all exponentials, taken from the largest of them.
    #[inline(always)]
    fn ln_sum<I: Isa>(&self, isa: I, shares: &Shares) -> [f64; LANES] {
        let mut beyond_one = [0.0; LANES];
        for lane in 0..LANES {
            // The sum less the 1 of the largest.
            let (rest, small) = (self.rest[lane], shares.small[lane]);
            let up = self.margin[lane] > 0.0;
            beyond_one[lane] = if up { (1.0 + rest) * small } else { rest + small };
        }
        ln_1p(isa, beyond_one)
    }

    /// The probabilities of the label and of the strongest other class.
    #[inline(always)]
    pub(crate) fn shares<I: Isa>(&self, isa: I) -> Shares {
        let mut falling = [0.0; LANES];
        for lane in 0..LANES {
            falling[lane] = -self.margin[lane].abs();
        }
        let small = exp_f64(isa, falling);
        let mut shares = Shares { small, truth: [0.0; LANES], other: [0.0; LANES] };
        for lane in 0..LANES {
            // The larger of the two is 1, so that nothing overflows.
            let up = self.margin[lane] > 0.0;
            let truth = if up { 1.0 } else { small[lane] };
            let other = if up { small[lane] } else { 1.0 };
            let one = 1.0 / ((1.0 + self.rest[lane]) * other + truth);
            shares.truth[lane] = truth * one;
            shares.other[lane] = other * one;
        }
        shares
    }

    /// Everything.
    #[inline(always)]
    pub(crate) fn scores<I: Isa>(&self, isa: I, labels: &[u32; LANES], classes: usize) -> Scores {
        let shares = self.shares(isa);
        let ln_sum = self.ln_sum(isa, &shares);
        let others = (classes - 1) as f64;
        let mut scores = Scores { true_prob: shares.truth, margin: self.margin, ..Scores::ZERO };
        for lane in 0..LANES {
            let (d, truth, other) = (self.margin[lane], shares.truth[lane], shares.other[lane]);
            let rest = 1.0 + self.rest[lane];
            let wrong = rest * other;
            let length = (rest * rest + (1.0 + self.squares[lane])).sqrt();
            // No term of loss and entropy is negative, so nothing cancels.
            let away = if d > 0.0 { d * wrong } else { -d * truth };
            let columns = &mut scores.columns;
            columns[ScoreKind::El2n as usize][lane] = (length * other) as f32;
            columns[ScoreKind::L1 as usize][lane] = (2.0 * wrong) as f32;
            columns[ScoreKind::Loss as usize][lane] =
                (ln_sum[lane] + if d > 0.0 { 0.0 } else { -d }) as f32;
            columns[ScoreKind::Entropy as usize][lane] =
                (ln_sum[lane] + away - self.weighted[lane] * other) as f32;
            columns[ScoreKind::MaxMargin as usize][lane] = (other - truth) as f32;
            columns[ScoreKind::SumMargin as usize][lane] = (wrong - others * truth) as f32;
            columns[ScoreKind::LogMargin as usize][lane] = d as f32;
        }
        scores.predicted = self.predicted(labels);
        for lane in 0..LANES {
            let correct = scores.predicted[lane] == labels[lane];
            scores.columns[ScoreKind::Correct as usize][lane] = if correct { 1.0 } else { 0.0 };
        }
        scores
    }

    /// The largest logit's class, the lowest among ties.
    #[inline(always)]
    pub(crate) fn predicted(&self, labels: &[u32; LANES]) -> [u32; LANES] {
        let mut predicted = *labels;
        for lane in 0..LANES {
            let (d, other) = (self.margin[lane], self.other[lane]);
            if d < 0.0 || d == 0.0 && other < labels[lane] {
                predicted[lane] = other;
            }
        }
        predicted
    }
}

/// Two probabilities of sixteen rows.
pub(crate) struct Shares {
    /// `exp(−|d|)`.
    small: [f64; LANES],
    /// The label's.
    pub(crate) truth: [f64; LANES],
    /// The strongest other class's.
    other: [f64; LANES],
}

/// All scores of sixteen rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scores {
    pub(crate) true_prob: [f64; LANES],
    /// Of logits; NaN of probabilities.
    pub(crate) margin: [f64; LANES],
    /// In the order of [`ScoreKind::OF_PASS`].
    pub(crate) columns: [[f32; LANES]; ScoreKind::OF_PASS.len()],
    pub(crate) predicted: [u32; LANES],
}

impl Scores {
    /// All zero.
    pub(crate) const ZERO: Self = Self {
        true_prob: [0.0; LANES],
        margin: [0.0; LANES],
        columns: [[0.0; LANES]; ScoreKind::OF_PASS.len()],
        predicted: [0; LANES],
    };
}
