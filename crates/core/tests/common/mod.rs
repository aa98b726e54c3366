//! The scores written out in `f64`, one row at a time: what the kernels are tested against.

#![allow(dead_code, reason = "each test takes a part")]

use datadiet_core::ScoreKind;

/// `p_j = exp(z_j − m) / Σ_i exp(z_i − m)` with `m = max z`.
pub fn softmax_f64(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let exps = || logits.iter().map(|&z| (f64::from(z) - f64::from(largest)).exp());
    let sum: f64 = exps().sum();
    exps().map(|e| e / sum).collect()
}

/// The same, rounded.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    softmax_f64(logits).into_iter().map(|p| p as f32).collect()
}

/// Index of the largest entry, the lowest among ties.
pub fn argmax<T: Copy + PartialOrd>(row: &[T]) -> usize {
    (1..row.len()).fold(0, |best, index| if row[index] > row[best] { index } else { best })
}

/// Cross-entropy of logits.
pub fn loss(logits: &[f32], label: usize) -> f64 {
    let top = argmax(logits);
    let below = |class: usize| f64::from(logits[class]) - f64::from(logits[top]);
    let rest: f64 = (0..logits.len()).filter(|&class| class != top).map(|c| below(c).exp()).sum();
    rest.ln_1p() - below(label)
}

/// EL2N without the cancellation in `1 − p_y`.
pub fn el2n(probs: &[f64], label: usize) -> f64 {
    let others = || (0..probs.len()).filter(|&class| class != label).map(|class| probs[class]);
    (others().sum::<f64>().powi(2) + others().map(|p| p * p).sum::<f64>()).sqrt()
}

/// The largest entry outside the label.
pub fn largest_other(row: &[f64], label: usize) -> f64 {
    let others = (0..row.len()).filter(|&class| class != label).map(|class| row[class]);
    others.fold(f64::NEG_INFINITY, f64::max)
}

/// The scores of rows, by kind, and the predicted classes.
#[derive(Default)]
pub struct Reference {
    pub rows: Vec<[f64; ScoreKind::OF_PASS.len()]>,
    pub predicted: Vec<u32>,
}

impl Reference {
    pub fn of_logits(logits: &[f32], classes: usize, labels: &[u32]) -> Self {
        let mut reference = Self::default();
        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            let label = label as usize;
            reference.push(&softmax_f64(row), label, loss(row, label), argmax(row));
        }
        reference
    }

    pub fn of_probs(probs: &[f32], classes: usize, labels: &[u32]) -> Self {
        let mut reference = Self::default();
        for (row, &label) in probs.chunks_exact(classes).zip(labels) {
            let label = label as usize;
            let loss = -f64::from(row[label].clamp(f32::MIN_POSITIVE, 1.0)).ln();
            let row: Vec<f64> = row.iter().map(|&p| f64::from(p)).collect();
            reference.push(&row, label, loss, argmax(&row));
        }
        reference
    }

    pub fn score(&self, kind: ScoreKind, row: usize) -> f64 {
        let place = ScoreKind::OF_PASS.iter().position(|&known| known == kind).unwrap();
        self.rows[row][place]
    }

    fn push(&mut self, probs: &[f64], label: usize, loss: f64, predicted: usize) {
        let truth = probs[label];
        let others = || (0..probs.len()).filter(|&class| class != label).map(|class| probs[class]);
        let score = |kind| match kind {
            ScoreKind::El2n => el2n(probs, label),
            ScoreKind::L1 => (1.0 - truth).abs() + others().sum::<f64>(),
            ScoreKind::Loss => loss,
            ScoreKind::Entropy => {
                probs.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum::<f64>().max(0.0)
            }
            ScoreKind::MaxMargin => largest_other(probs, label) - truth,
            ScoreKind::SumMargin => others().map(|p| p - truth).sum(),
            ScoreKind::Correct => f64::from(u8::from(predicted == label)),
            other => unreachable!("{other} is not of a pass"),
        };
        self.rows.push(ScoreKind::OF_PASS.map(score));
        self.predicted.push(predicted as u32);
    }
}

/// Every presentation of one example: probability, logit margin, whether it was right.
#[derive(Clone, Default)]
pub struct Presentations(pub Vec<(f64, f64, bool)>);

impl Presentations {
    pub fn add(&mut self, logits: &[f32], label: usize) {
        let wide: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
        let margin = wide[label] - largest_other(&wide, label);
        self.0.push((softmax_f64(logits)[label], margin, argmax(logits) == label));
    }

    /// A score of training dynamics, from all presentations at once; NaN where there are none.
    pub fn score(&self, kind: ScoreKind) -> f64 {
        let times = self.0.len() as f64;
        if self.0.is_empty() {
            return f64::NAN;
        }
        let mean =
            |of: &dyn Fn(&(f64, f64, bool)) -> f64| self.0.iter().map(of).sum::<f64>() / times;
        let confidence = mean(&|(p, ..)| *p);
        match kind {
            ScoreKind::Forgetting => {
                self.0.windows(2).filter(|pair| pair[0].2 && !pair[1].2).count() as f64
            }
            ScoreKind::NeverLearned => f64::from(u8::from(self.0.iter().all(|(.., right)| !right))),
            ScoreKind::Aum => mean(&|(_, margin, _)| *margin),
            ScoreKind::Confidence => confidence,
            ScoreKind::Variability => mean(&|(p, ..)| (p - confidence).powi(2)).sqrt(),
            ScoreKind::Correctness => mean(&|(.., right)| f64::from(u8::from(*right))),
            other => unreachable!("{other} is not of training dynamics"),
        }
    }
}
