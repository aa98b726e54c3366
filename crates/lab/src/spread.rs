//! Accuracy over independent trainings.

use datadiet_core::band;
use serde::{Deserialize, Serialize};

/// Accuracies of independent trainings of one kind, each in [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracies {
    /// Their mean.
    pub mean: f64,
    /// Their 16th percentile, linearly interpolated.
    pub low: f64,
    /// Their 84th percentile.
    pub high: f64,
    /// Each training's.
    pub values: Vec<f64>,
}

impl Accuracies {
    /// Of at least one training.
    pub fn of(values: Vec<f64>) -> Option<Self> {
        let (mean, low, high) = band(&values).ok()?;
        Some(Self { mean, low, high, values })
    }

    /// `84.3 % (84.1 to 84.5)`, or `84.3 %` of one training.
    pub fn text(&self) -> String {
        let percent = |value: f64| format!("{:.1}", value * 100.0);
        match self.values.len() {
            1 => format!("{} %", percent(self.mean)),
            _ => format!(
                "{} % ({} to {})",
                percent(self.mean),
                percent(self.low),
                percent(self.high)
            ),
        }
    }
}
