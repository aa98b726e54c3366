//! Scores of windows of consecutive presentations: dynamic uncertainty and DUAL; and mean EL2N.
//!
//! With p_t the probability of the true class at presentation t of T, and windows of J = 10 of them,
//! `m_k = (1/J) Σ p_t` and `s_k = sqrt( (1/(J−1)) Σ (p_t − m_k)² )` over t = k … k + J − 1:
//!
//! * **dynamic uncertainty**, `(1/(T−J+1)) Σ_k s_k`: He, Yang, Huang, Zhao, "Large-scale Dataset
//!   Pruning with Dynamic Uncertainty", CVPR Workshops 2024 (arXiv 2306.05175). The released program
//!   leaves the last window out and multiplies by 10; here every window counts, as in DUAL's program,
//!   and nothing is multiplied.
//! * **DUAL**, `(1/(T−J+1)) Σ_k (1 − m_k) s_k`: Cho, Shin, Kang, Yun, "Lightweight Dataset Pruning
//!   without Full Training via Example Difficulty and Prediction Uncertainty" (arXiv 2502.06905),
//!   whose program multiplies by 10 too. T is the time at which the score is taken: theirs is 30 epochs
//!   of 200 on CIFAR. Their sampling by a Beta distribution is a rule of selection, and not here.
//! * **mean EL2N**, `(1/T) Σ_t ‖p_t − y‖₂`: the program of Zheng et al., "Coverage-centric Coreset
//!   Selection for High Pruning Rates", ICLR 2023 (arXiv 2210.15809), sums it over the presentations of
//!   the first 10 epochs; a mean has the same order where all were presented equally often.
//!
//! An example with fewer than J presentations has one window, of them all; of a single presentation
//! the deviation is 0. The authors define nothing there.
//!
//! What is kept of an example is the last J probabilities, rounded to `f32`, in a ring whose place
//! the number of presentations tells; and three sums. As [`crate::TrainingDynamics`] it lies in lanes
//! of sixteen examples.

use crate::isa::LANES;

/// Presentations in a window, J.
pub(crate) const WINDOW: usize = 10;

/// What is kept of sixteen examples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    /// The last probabilities of the true class; presentation t, from 0, is at t mod J.
    pub(crate) truths: [[f32; LANES]; WINDOW],
    /// Sums over the whole windows so far: of s, and of (1 − m) s.
    pub(crate) deviations: [f64; LANES],
    pub(crate) duals: [f64; LANES],
    /// Sum over presentations.
    pub(crate) el2n: [f64; LANES],
}

impl Windows {
    pub(crate) const NEW: Self = Self {
        truths: [[0.0; LANES]; WINDOW],
        deviations: [0.0; LANES],
        duals: [0.0; LANES],
        el2n: [0.0; LANES],
    };

    /// Bytes that are kept of an example.
    pub(crate) const BYTES: usize = size_of::<Self>() / LANES;

    /// A presentation in each of some lanes, the first of which is `first`; `times`: how often each
    /// was presented before.
    #[inline(always)]
    pub(crate) fn present(&mut self, first: usize, times: &[u32], truth: &[f64], el2n: &[f32]) {
        let count = truth.len();
        for index in 0..count {
            self.truths[times[index] as usize % WINDOW][first + index] = truth[index] as f32;
            self.el2n[first + index] += f64::from(el2n[index]);
        }
        let mut any_whole = false;
        for &times in times {
            any_whole |= times as usize >= WINDOW - 1;
        }
        if !any_whole {
            return;
        }
        let mut means = [0.0; LANES];
        let mut squares = [0.0; LANES];
        for truths in &self.truths {
            for index in 0..count {
                means[index] += f64::from(truths[first + index]);
            }
        }
        for mean in &mut means {
            *mean /= WINDOW as f64;
        }
        for truths in &self.truths {
            for index in 0..count {
                let off = f64::from(truths[first + index]) - means[index];
                squares[index] += off * off;
            }
        }
        for index in 0..count {
            let whole = times[index] as usize >= WINDOW - 1;
            let deviation = (squares[index] / (WINDOW - 1) as f64).sqrt();
            let deviation = if whole { deviation } else { 0.0 };
            self.deviations[first + index] += deviation;
            self.duals[first + index] += (1.0 - means[index]) * deviation;
        }
    }

    /// Means over the windows of s and of (1 − m) s, of an example that was presented `times` > 0 times.
    pub(crate) fn means(&self, lane: usize, times: u32) -> (f64, f64) {
        let times = times as usize;
        if let Some(windows @ 1..) = (times + 1).checked_sub(WINDOW) {
            let windows = windows as f64;
            return (self.deviations[lane] / windows, self.duals[lane] / windows);
        }
        let truths = || self.truths[..times].iter().map(|truths| f64::from(truths[lane]));
        let mean = truths().sum::<f64>() / times as f64;
        let squares: f64 = truths().map(|truth| (truth - mean).powi(2)).sum();
        let deviation = if times == 1 { 0.0 } else { (squares / (times - 1) as f64).sqrt() };
        (deviation, (1.0 - mean) * deviation)
    }

    /// Takes an example that only `other` saw.
    pub(crate) fn take(&mut self, other: &Self, lane: usize) {
        for (mine, theirs) in self.truths.iter_mut().zip(&other.truths) {
            mine[lane] = theirs[lane];
        }
        self.deviations[lane] = other.deviations[lane];
        self.duals[lane] = other.duals[lane];
        self.el2n[lane] = other.el2n[lane];
    }
}
