//! Everything that one presentation of one example tells, from one softmax.
//!
//! The formulas are those of each score's own file, and these are called where they need no more
//! than the probabilities. Two are taken from the exponentials instead, to spare a second pass of
//! exponentials and one logarithm a class: with `S = Σ_j exp(z_j − m)` and `m = max z`,
//! loss `= (m − z_y) + ln S` and entropy `= ln S + Σ_j p_j (m − z_j)`. No term of either is
//! negative, so nothing cancels.
//!
//! One row in, one row out: nothing is kept from one presentation to the next.

use crate::{
    argmax::argmax,
    el2n::el2n,
    entropy::entropy,
    l1::l1,
    loss::loss_from_prob,
    margin::{largest_other, max_margin, sum_margin},
    score_kind::ScoreKind,
};

/// The scores of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct RowScores {
    /// Probability of the true class, in [0, 1].
    pub(crate) true_prob: f64,
    /// Logit of the true class minus the largest other; NaN where there were no logits.
    pub(crate) logit_margin: f64,
    pub(crate) el2n: f32,
    pub(crate) l1: f32,
    pub(crate) loss: f32,
    pub(crate) entropy: f32,
    pub(crate) max_margin: f32,
    pub(crate) sum_margin: f32,
    /// The predicted class: the largest entry's, ties to the lowest.
    pub(crate) predicted: u32,
    /// The label that the row was scored with.
    pub(crate) label: u32,
}

impl RowScores {
    /// From K ≥ 2 finite logits and a label in `0..K`; `probs` is room for K numbers, whose
    /// content does not matter.
    pub(crate) fn from_logits(logits: &[f32], label: usize, probs: &mut [f64]) -> Self {
        let top = argmax(logits);
        let largest = f64::from(logits[top]);
        let mut rest = 0.0;
        for (class, (p, &z)) in probs.iter_mut().zip(logits).enumerate() {
            *p = (f64::from(z) - largest).exp();
            rest += if class == top { 0.0 } else { *p };
        }
        let (scale, ln_sum) = (1.0 / (1.0 + rest), rest.ln_1p());
        let mut below = 0.0;
        for (p, &z) in probs.iter_mut().zip(logits) {
            *p *= scale;
            below += *p * (largest - f64::from(z));
        }
        Self {
            true_prob: probs[label],
            logit_margin: f64::from(logits[label]) - largest_other(logits, label),
            loss: (largest - f64::from(logits[label]) + ln_sum) as f32,
            entropy: (ln_sum + below) as f32,
            ..Self::from_any(probs, label, top)
        }
    }

    /// From K ≥ 2 probabilities that sum to 1 and a label in `0..K`.
    pub(crate) fn from_probs(probs: &[f32], label: usize) -> Self {
        Self {
            // A sum within the tolerance can leave p slightly above 1.
            true_prob: f64::from(probs[label]).min(1.0),
            logit_margin: f64::NAN,
            loss: loss_from_prob(probs[label]),
            entropy: entropy(probs),
            ..Self::from_any(probs, label, argmax(probs))
        }
    }

    /// What logits and probabilities have in common.
    fn from_any<P: Copy + Into<f64>>(probs: &[P], label: usize, predicted: usize) -> Self {
        Self {
            el2n: el2n(probs, label),
            l1: l1(probs, label),
            max_margin: max_margin(probs, label),
            sum_margin: sum_margin(probs, label),
            predicted: predicted as u32,
            label: label as u32,
            ..Self::default()
        }
    }

    /// Whether the prediction was the label.
    pub(crate) fn correct(&self) -> bool {
        self.predicted == self.label
    }

    /// The value of a score of the evaluation pass; `None` for a score of another source.
    pub(crate) fn value(&self, kind: ScoreKind) -> Option<f32> {
        match kind {
            ScoreKind::El2n => Some(self.el2n),
            ScoreKind::L1 => Some(self.l1),
            ScoreKind::Loss => Some(self.loss),
            ScoreKind::Entropy => Some(self.entropy),
            ScoreKind::MaxMargin => Some(self.max_margin),
            ScoreKind::SumMargin => Some(self.sum_margin),
            ScoreKind::Correct => Some(f32::from(u8::from(self.correct()))),
            _ => None,
        }
    }
}
