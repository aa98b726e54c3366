//! The question of `datadiet lmc`: from when on do children of one network stay connected to it?

use clap::Args;
use datadiet_core::ScoreKind;

use super::{ConnectivityPlan, KIND};
use crate::{ExperimentOptions, ScoringOptions, TrainingOptions};

/// Which lines are measured.
#[derive(Args, Clone, Debug)]
pub struct ConnectivityQuestion {
    /// Score by which the lowest and the highest examples are chosen.
    #[arg(long, value_name = "SCORE", default_value_t = ScoreKind::El2n)]
    by: ScoreKind,
    /// Epoch of the scores [default: three eighths of the training].
    #[arg(long, value_name = "EPOCH")]
    at: Option<f64>,
    #[command(flatten)]
    plan: ConnectivityPlan,
    /// Independent trainings to take scores from.
    #[arg(long, default_value_t = 2)]
    replicas: u32,
}

impl ConnectivityQuestion {
    /// The experiment that answers it, with networks trained so.
    pub fn experiment(self, training: TrainingOptions) -> ExperimentOptions {
        let (epochs, mut plan) = (training.epochs(), self.plan);
        // A program records and keeps whole epochs.
        let own = training.trainer.is_none();
        let whole = |at: f64| if own { at } else { at.round() };
        let early = if own { epochs * 0.375 } else { whole(epochs * 0.375).max(1.0) };
        let at = self.at.unwrap_or(early);
        plan.by = format!("{}@{at}", self.by);
        if plan.spawn.is_empty() {
            let parts = [0.0, 1.0 / 32.0, 0.0625, 0.125, 0.25, 0.5];
            plan.spawn = parts.map(|part| whole(part * epochs)).to_vec();
            plan.spawn.dedup();
        }
        let scoring = ScoringOptions::one(self.by, at, self.replicas);
        ExperimentOptions::new("Linear mode connectivity", training, scoring).with(KIND, &plan)
    }
}
