//! From the options of scoring to what replicas record.

use std::str::FromStr;

use clap::Args;
use datadiet_core::{ScoreKind, Source};
use datadiet_store::Recording;
use datadiet_table::TimePoint;
use serde::{Deserialize, Serialize};

use crate::LabError;
use crate::defaults_to::DefaultsTo;
use crate::refuse::ensure;
use crate::training::{Training, steps_of};

/// How scores are taken, as typed on the command line or in a TOML file.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ScoringOptions {
    /// Independent trainings to average over.
    #[arg(long, defaults_to = Self::REPLICAS)]
    pub replicas: Option<u32>,
    /// Start no more replicas once the split-half reliability of the first score at the last time
    /// passes this, such as 0.95.
    #[arg(long, value_name = "R")]
    pub until_reliability: Option<f64>,
    /// When to score, in epochs, fractions allowed; 0 is the initialisation [default: the end].
    #[arg(long, value_delimiter = ',', value_name = "EPOCHS")]
    pub at: Vec<f64>,
    /// Scores to take: el2n, grand, forgetting, … or `all` [default: all without a backward pass].
    #[arg(long, value_delimiter = ',')]
    pub scores: Vec<String>,
    /// When to take GraNd, which costs about a training step an example, in epochs [default: --at].
    #[arg(long, value_delimiter = ',', value_name = "EPOCHS")]
    pub grand_at: Vec<f64>,
    /// Also write a column for every replica.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub per_replica: Option<bool>,
}

impl ScoringOptions {
    /// Replicas where no number is given.
    pub const REPLICAS: u32 = 4;

    /// One score, once.
    pub fn one(kind: ScoreKind, at: f64, replicas: u32) -> Self {
        let scores = vec![kind.name().into()];
        Self { replicas: Some(replicas), at: vec![at], scores, ..Self::default() }
    }

    /// The times at which a training is scored; `also` at these.
    ///
    /// # Errors
    /// When one lies outside the training, or two are the same step.
    pub fn times(&self, training: &Training, also: &[f64]) -> Result<Vec<TimePoint>, LabError> {
        let mut asked: Vec<f64> = self.at.iter().chain(also).copied().collect();
        if asked.is_empty() {
            asked.push(training.epochs);
        }
        asked.extend(&self.grand_at);
        training.times(asked)
    }

    /// What every replica records at these times.
    ///
    /// # Errors
    /// For unknown scores, or times of gradients without a score that needs them.
    pub fn recording(
        &self,
        training: &Training,
        times: &[TimePoint],
    ) -> Result<Recording, LabError> {
        let scores = self.kinds()?;
        let of_gradients = scores.iter().any(|&kind| of_gradients(kind));
        ensure!(
            of_gradients || self.grand_at.is_empty(),
            "--grand-at needs a score of gradients: add grand to --scores"
        );
        let asked = self.grand_at.iter().map(|&at| steps_of(at, training.per_epoch));
        let asked: Vec<u64> = asked.collect();
        let steps = times.iter().map(|time| time.step);
        let at = |step: &u64| of_gradients && (asked.is_empty() || asked.contains(step));
        Ok(Recording {
            gradient_steps: steps.clone().filter(at).collect(),
            steps: steps.collect(),
            scores,
            weights: Vec::new(),
        })
    }

    fn kinds(&self) -> Result<Vec<ScoreKind>, LabError> {
        let all = ScoreKind::ALL.iter().copied();
        if self.scores.iter().any(|name| name == "all") {
            return Ok(all.collect());
        }
        if self.scores.is_empty() {
            return Ok(all.filter(|kind| !of_gradients(*kind)).collect());
        }
        let mut kinds = Vec::new();
        for name in &self.scores {
            kinds.push(ScoreKind::from_str(name)?);
        }
        // At initialisation GraNd is little more than the norm of the input (Kirsch 2023): whoever
        // looks at the one should see the other beside it.
        if kinds.contains(&ScoreKind::Grand) {
            kinds.push(ScoreKind::InputNorm);
        }
        // One order, whatever was typed: the same scores are the same run.
        Ok(all.filter(|kind| kinds.contains(kind)).collect())
    }
}

fn of_gradients(kind: ScoreKind) -> bool {
    matches!(kind.source(), Source::Gradients | Source::Inputs)
}
