//! A number of which every independent training has its own.

use datadiet_core::band;
use serde::{Deserialize, Serialize};

/// What independent trainings of one kind gave: accuracies, velocities, barriers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Their mean.
    pub mean: f64,
    /// Their 16th percentile, linearly interpolated.
    pub low: f64,
    /// Their 84th percentile.
    pub high: f64,
    /// Each training's.
    pub values: Vec<f64>,
}

impl Spread {
    /// Of at least one training.
    pub fn of(values: Vec<f64>) -> Option<Self> {
        let (mean, low, high) = band(&values).ok()?;
        Some(Self { mean, low, high, values })
    }

    /// As percent: `84.3 % (84.1 to 84.5)`, or `84.3 %` of one training.
    pub fn percent(&self) -> String {
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
