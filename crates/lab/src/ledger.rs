//! What scoring costs, what a subset saves, and after how many trainings scoring has paid.
//!
//! Seconds are of one worker, as measured in the runs themselves. With the number of steps
//! fixed (the paper's protocol) a subset saves no step at all; what it saves with the number of
//! *epochs* fixed is `(1 − kept fraction) × steps` a training. The accuracy of such shorter
//! trainings is only known where it was measured (`fixed = "epochs"`).

use datadiet_core::{ScoreKind, Source};
use datadiet_table::{kind_of, time_of};
use serde::{Deserialize, Serialize};

use crate::study::points::Place;
use crate::{Scene, Scored};

/// The account of one subset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LedgerRow {
    /// The column that chose it.
    pub by: String,
    /// Fraction kept.
    pub keep: f64,
    /// Replicas that were trained for the scores.
    pub replicas: usize,
    /// Steps of each of them until the scores were taken.
    pub scoring_steps: u64,
    /// Training examples that they passed through networks, with repetition.
    pub scoring_examples: u64,
    /// Worker seconds of that, scoring passes included.
    pub scoring_seconds: f64,
    /// Steps of a training on everything.
    pub full_steps: u64,
    /// Worker seconds of a training on everything.
    pub full_seconds: f64,
    /// Steps that a training on the subset saves when epochs are fixed.
    pub saved_steps: u64,
    /// Examples that it saves, with repetition.
    pub saved_examples: u64,
    /// Trainings on the subset after which scoring has paid, with epochs fixed.
    pub pays_after: Option<u64>,
}

/// The account of every subset that a score of the scene chose.
pub fn ledger(scene: &Scene, scored: &Scored, places: &[Place]) -> Vec<LedgerRow> {
    let schedule = &scene.template.schedule;
    let account = Account {
        costs: Costs::of(scored),
        replicas: scored.completed.len() as u64,
        batch: u64::from(schedule.batch),
        steps: schedule.steps,
    };
    let row = |place: &Place| {
        let (kind, time) = (kind_of(&place.series)?, time_of(&place.series)?);
        let column = scored.scores.summaries().iter().find(|column| column.time.epochs == time)?;
        Some(account.row(place, kind, column.time.step))
    };
    places.iter().filter_map(row).collect()
}

/// What all subsets have in common.
struct Account {
    costs: Costs,
    replicas: u64,
    batch: u64,
    /// Of a training on everything.
    steps: u64,
}

impl Account {
    fn row(&self, place: &Place, kind: ScoreKind, scoring_steps: u64) -> LedgerRow {
        let costs = &self.costs;
        let pass = match kind.source() {
            Source::EvalLogits => costs.pass,
            Source::Gradients => costs.gradient_pass,
            Source::Inputs | Source::TrainingMinibatches | Source::Losses | Source::Outputs => 0.0,
        };
        let scoring_seconds = self.replicas as f64 * (scoring_steps as f64 * costs.step + pass);
        let saved_steps = ((1.0 - place.keep) * self.steps as f64).round() as u64;
        let saved_seconds = saved_steps as f64 * costs.step;
        let pays = saved_seconds > 0.0;
        LedgerRow {
            by: place.series.clone(),
            keep: place.keep,
            replicas: self.replicas as usize,
            scoring_steps,
            scoring_examples: self.replicas * scoring_steps * self.batch,
            scoring_seconds,
            full_steps: self.steps,
            full_seconds: self.steps as f64 * costs.step,
            saved_steps,
            saved_examples: saved_steps * self.batch,
            pays_after: pays.then(|| (scoring_seconds / saved_seconds).ceil() as u64),
        }
    }
}

/// Worker seconds, measured over the scoring runs.
struct Costs {
    /// Of a training step.
    step: f64,
    /// Of a pass over the training set.
    pass: f64,
    /// Of the gradient norms of the training set.
    gradient_pass: f64,
}

impl Costs {
    fn of(scored: &Scored) -> Self {
        let (mut steps, mut train, mut score, mut gradient) = (0, 0.0, 0.0, 0.0);
        let (mut passes, mut gradient_passes) = (0, 0);
        for (spec, result) in &scored.completed {
            steps += result.steps;
            train += result.train_seconds;
            score += result.score_seconds;
            gradient += result.gradient_seconds;
            passes += spec.record.steps.len() + 1;
            gradient_passes += spec.record.gradient_steps.len();
        }
        let each = |total: f64, count: usize| total / count.max(1) as f64;
        Self {
            step: train / steps.max(1) as f64,
            pass: each(score, passes),
            gradient_pass: each(gradient, gradient_passes),
        }
    }
}
