//! The question of `datadiet diet`: how small may the training set be?

use clap::Args;
use datadiet_core::{KeepFraction, Quota, ScoreKind};
use datadiet_store::Metric;

use super::{KIND, SearchOptions};
use crate::defaults_to::DefaultsTo;
use crate::refuse::bail;
use crate::{ExperimentOptions, Fixed, LabError, ScoringOptions, TrainingOptions};

/// How the smallest subset that is good enough is looked for.
#[derive(Args, Clone, Debug)]
pub struct DietOptions {
    /// Accuracy that may be lost, in points; of a trainer that is judged by another metric so much of
    /// that, which must be said.
    #[arg(long, value_name = "POINTS", defaults_to = Self::TOLERANCE)]
    pub tolerance: Option<f64>,
    /// Trainings of whole length that the search may cost; scoring and the final check come on top.
    #[arg(long, value_name = "N", default_value_t = Self::default().budget)]
    pub budget: f64,
    /// Score to choose by.
    #[arg(long, value_name = "SCORE", default_value_t = Self::default().by)]
    pub by: ScoreKind,
    /// When to take it, in epochs [default: three eighths of the training].
    #[arg(long, value_name = "EPOCH")]
    pub at: Option<f64>,
    /// Independent trainings to take scores from.
    #[arg(long, default_value_t = Self::default().replicas)]
    pub replicas: u32,
    /// Fractions to try.
    #[arg(long, value_delimiter = ',', default_values_t = Self::default().keep)]
    pub keep: Vec<f64>,
    /// Fractions of the hardest to leave out.
    #[arg(long, value_delimiter = ',', default_values_t = Self::default().drops)]
    pub drops: Vec<f64>,
    /// What stays the same when the training set shrinks.
    #[arg(long, value_enum, default_value_t = Self::default().fixed)]
    pub fixed: Fixed,
    /// Fraction of the training examples that is held out to judge subsets.
    #[arg(long, value_name = "FRACTION", default_value_t = Self::default().validation)]
    pub validation: f64,
    /// Trainings of the answer, of random examples and of everything.
    #[arg(long, value_name = "N", default_value_t = Self::default().retrainings)]
    pub retrainings: u32,
}

impl Default for DietOptions {
    fn default() -> Self {
        Self {
            tolerance: None,
            budget: SearchOptions::BUDGET,
            by: ScoreKind::El2n,
            at: None,
            replicas: 2,
            keep: vec![0.3, 0.5, 0.7, 0.85],
            drops: vec![0.0, 0.1],
            fixed: Fixed::Steps,
            validation: 0.1,
            retrainings: 2,
        }
    }
}

impl DietOptions {
    /// Points of accuracy that may be lost where nothing is said.
    pub const TOLERANCE: f64 = 0.5;

    /// The experiment that answers it, with networks trained so.
    ///
    /// # Errors
    /// For fractions that cannot be kept.
    pub fn experiment(&self, training: TrainingOptions) -> Result<ExperimentOptions, LabError> {
        let early = training.epochs() * 0.375;
        let trainer = training.trainer.as_ref();
        let metric = trainer.and_then(|trainer| trainer.about.metric.as_deref());
        let metric = metric.filter(|metric| *metric != Metric::ACCURACY);
        let tolerance = match (self.tolerance, metric) {
            (Some(tolerance), _) => tolerance,
            (None, None) => Self::TOLERANCE,
            (None, Some(metric)) => bail!("how much {metric} may be lost? Give --tolerance"),
        };
        // A program records whole epochs.
        let early = if training.trainer.is_some() { early.round().max(1.0) } else { early };
        let at = self.at.unwrap_or(early);
        let keep = self.keep.iter().map(|&keep| KeepFraction::try_from(keep));
        let search = SearchOptions {
            by: format!("{}@{at}", self.by),
            keep: keep.collect::<Result<Vec<KeepFraction>, _>>()?,
            drops: self.drops.clone(),
            quotas: vec![Quota::None, Quota::Balanced],
            fixed: Some(self.fixed).filter(|&fixed| fixed != Fixed::default()),
            validation: self.validation,
            budget: self.budget,
            retrainings: self.retrainings,
            tolerance: Some(tolerance),
        };
        let scoring = ScoringOptions::one(self.by, at, self.replicas);
        Ok(ExperimentOptions::new("How small may the training set be?", training, scoring)
            .with(KIND, &search))
    }
}
