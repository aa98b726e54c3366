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
            let wide: Vec<f64> = row.iter().map(|&z| f64::from(z)).collect();
            let margin = wide[label] - largest_other(&wide, label);
            reference.push(&softmax_f64(row), label, loss(row, label), margin, argmax(row));
        }
        reference
    }

    pub fn of_probs(probs: &[f32], classes: usize, labels: &[u32]) -> Self {
        let mut reference = Self::default();
        for (row, &label) in probs.chunks_exact(classes).zip(labels) {
            let label = label as usize;
            let loss = -f64::from(row[label].clamp(f32::MIN_POSITIVE, 1.0)).ln();
            let row: Vec<f64> = row.iter().map(|&p| f64::from(p)).collect();
            let other = largest_other(&row, label).clamp(f64::from(f32::MIN_POSITIVE), 1.0);
            reference.push(&row, label, loss, -loss - other.ln(), argmax(&row));
        }
        reference
    }

    pub fn score(&self, kind: ScoreKind, row: usize) -> f64 {
        let place = ScoreKind::OF_PASS.iter().position(|&known| known == kind).unwrap();
        self.rows[row][place]
    }

    fn push(&mut self, probs: &[f64], label: usize, loss: f64, log_margin: f64, predicted: usize) {
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
            ScoreKind::LogMargin => log_margin,
            ScoreKind::SumMargin => others().map(|p| p - truth).sum(),
            ScoreKind::Correct => f64::from(u8::from(predicted == label)),
            other => unreachable!("{other} is not of a pass"),
        };
        self.rows.push(ScoreKind::OF_PASS.map(score));
        self.predicted.push(predicted as u32);
    }
}

/// One presentation of an example.
#[derive(Clone)]
pub struct Presentation {
    pub probs: Vec<f64>,
    pub margin: f64,
    pub right: bool,
    pub label: usize,
}

impl Presentation {
    pub fn truth(&self) -> f64 {
        self.probs[self.label]
    }
}

/// Every presentation of one example.
#[derive(Clone, Default)]
pub struct Presentations(pub Vec<Presentation>);

impl Presentations {
    pub fn add(&mut self, logits: &[f32], label: usize) {
        let wide: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
        let margin = wide[label] - largest_other(&wide, label);
        let (probs, right) = (softmax_f64(logits), argmax(logits) == label);
        self.0.push(Presentation { probs, margin, right, label });
    }

    /// A score of training dynamics, from all presentations at once; NaN where there are none.
    pub fn score(&self, kind: ScoreKind) -> f64 {
        let times = self.0.len() as f64;
        if self.0.is_empty() {
            return f64::NAN;
        }
        let mean = |of: &dyn Fn(&Presentation) -> f64| self.0.iter().map(of).sum::<f64>() / times;
        let confidence = mean(&Presentation::truth);
        match kind {
            ScoreKind::Forgetting => {
                self.0.windows(2).filter(|pair| pair[0].right && !pair[1].right).count() as f64
            }
            ScoreKind::NeverLearned => f64::from(u8::from(self.0.iter().all(|one| !one.right))),
            ScoreKind::Aum => mean(&|one| one.margin),
            ScoreKind::Confidence => confidence,
            ScoreKind::Variability => mean(&|one| (one.truth() - confidence).powi(2)).sqrt(),
            ScoreKind::Correctness => mean(&|one| f64::from(u8::from(one.right))),
            ScoreKind::MeanEl2n => mean(&|one| el2n(&one.probs, one.label)),
            ScoreKind::MarginOfMean => {
                let label = self.0.last().expect("some").label;
                let classes = 0..self.0[0].probs.len();
                let least = f64::from(f32::MIN_POSITIVE);
                let counted = |p: f64| if p < least { 0.0 } else { p };
                let logs: Vec<f64> = classes
                    .map(|class| mean(&|one| counted(one.probs[class])).max(least).ln())
                    .collect();
                logs[label] - largest_other(&logs, label)
            }
            ScoreKind::DynUnc => self.mean_of_windows(deviation),
            ScoreKind::Dual => {
                self.mean_of_windows(|truths| (1.0 - mean_of(truths)) * deviation(truths))
            }
            ScoreKind::Tdds => {
                let distances = self.distances();
                let spread = |window: &[f64]| {
                    let mean = mean_of(window);
                    window.iter().map(|d| (d - mean).powi(2)).sum::<f64>().sqrt()
                };
                if distances.len() < 9 {
                    return 0.9 * spread(&distances);
                }
                // As a sum over windows, the weights written out.
                let windows: Vec<f64> = distances.windows(9).map(spread).collect();
                let last = windows.len() as i32 - 1;
                let weight = |k: usize| 0.9 * 0.1_f64.powi(last - k as i32);
                windows.iter().enumerate().map(|(k, spread)| weight(k) * spread).sum()
            }
            other => unreachable!("{other} is not of training dynamics"),
        }
    }

    /// TDDS's distances from each presentation to the next.
    pub fn distances(&self) -> Vec<f64> {
        let distance = |pair: &[Presentation]| -> f64 {
            let classes = pair[0].probs.iter().zip(&pair[1].probs);
            let log = |p: f64| (p + 1e-8).ln();
            classes.map(|(before, now)| (now * (log(*now) - log(*before))).abs()).sum()
        };
        self.0.windows(2).map(distance).collect()
    }

    fn mean_of_windows(&self, of: impl Fn(&[f64]) -> f64) -> f64 {
        let truths: Vec<f64> = self.0.iter().map(Presentation::truth).collect();
        if truths.len() < 10 {
            return of(&truths);
        }
        mean_of(&truths.windows(10).map(of).collect::<Vec<_>>())
    }
}

/// 0 of nothing.
fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Standard deviation with n − 1; 0 of one value.
fn deviation(values: &[f64]) -> f64 {
    let mean = mean_of(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1).max(1) as f64).sqrt()
}
