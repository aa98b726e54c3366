//! A number of which every independent training has its own.

use datadiet_core::band;
use datadiet_store::{Metric, RunSpec};
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
    /// What trainings are judged by, where that is no accuracy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
}

impl Spread {
    /// Of at least one training.
    pub fn of(values: Vec<f64>) -> Option<Self> {
        let (mean, low, high) = band(&values).ok()?;
        Some(Self { mean, low, high, values, metric: None })
    }

    /// Of what at least one training like `spec` is judged by.
    pub fn judged(values: Vec<f64>, spec: &RunSpec) -> Option<Self> {
        let metric = spec.trainer.as_ref().map(|trainer| trainer.metric.clone());
        Some(Self { metric: metric.filter(|metric| !metric.is_accuracy()), ..Self::of(values)? })
    }

    /// With the others: `84.3 % (84.1 to 84.5)`, or `84.3 %` of one training; of another metric than
    /// accuracy `0.431 (0.42 to 0.44)`.
    pub fn text(&self) -> String {
        let (number, unit) = self.numbers();
        match self.values.len() {
            1 => format!("{}{unit}", number(self.mean)),
            _ => format!(
                "{}{unit} ({} to {})",
                number(self.mean),
                number(self.low),
                number(self.high)
            ),
        }
    }

    /// The mean alone: `84.3 %`.
    pub fn mean_text(&self) -> String {
        self.value_text(self.mean)
    }

    /// A value like its own, with the unit: `84.3 %`.
    pub fn value_text(&self, value: f64) -> String {
        let (number, unit) = self.numbers();
        format!("{}{unit}", number(value))
    }

    fn numbers(&self) -> (fn(f64) -> String, &'static str) {
        match self.metric {
            None => (|value| format!("{:.1}", value * 100.0), " %"),
            Some(_) => (four_digits, ""),
        }
    }

    /// Factor from the values to what figures and tables show: accuracies are in percent there.
    pub fn scale(&self) -> f64 {
        if self.metric.is_some() { 1.0 } else { 100.0 }
    }

    /// The mean, or where less is better its negative: more of it is better.
    pub fn goodness(&self) -> f64 {
        if self.less_is_better() { -self.mean } else { self.mean }
    }

    /// Whether less of it is better.
    pub fn less_is_better(&self) -> bool {
        self.metric.as_ref().is_some_and(|metric| !metric.higher_is_better)
    }
}

/// What a spread is of: `accuracy`, where nothing else is said.
pub fn metric_name(of: Option<&Spread>) -> &str {
    let metric = of.and_then(|spread| spread.metric.as_ref());
    metric.map_or(Metric::ACCURACY, |metric| metric.name.as_str())
}

/// The same, with the unit in which figures and tables show it.
pub(crate) fn metric_with_unit(of: Option<&Spread>) -> String {
    match of.and_then(|spread| spread.metric.as_ref()) {
        None => format!("{}, %", Metric::ACCURACY),
        Some(metric) => metric.name.clone(),
    }
}

/// A number with four digits that count.
pub(crate) fn four_digits(value: f64) -> String {
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracies_are_percent_and_other_metrics_are_numbers() {
        let accuracy = Spread::of(vec![0.841, 0.845]).unwrap();
        assert_eq!((accuracy.text().as_str(), accuracy.scale()), ("84.3 % (84.2 to 84.4)", 100.0));
        assert_eq!(metric_with_unit(Some(&accuracy)), "accuracy, %");
        let metric = Metric { name: "loss".into(), higher_is_better: false };
        let loss = Spread { metric: Some(metric), ..Spread::of(vec![0.43217]).unwrap() };
        assert_eq!((loss.text().as_str(), loss.mean_text().as_str()), ("0.4322", "0.4322"));
        assert_eq!(
            (loss.scale(), loss.goodness(), metric_name(Some(&loss))),
            (1.0, -0.43217, "loss")
        );
        assert_eq!(four_digits(-1234.56), "-1235");
        // What earlier versions wrote has no metric, and what has none is written as it was.
        let text = serde_json::to_string(&accuracy).unwrap();
        assert!(!text.contains("metric"), "{text}");
        assert_eq!(serde_json::from_str::<Spread>(&text).unwrap(), accuracy);
    }
}
