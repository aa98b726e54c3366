//! The question of `datadiet ntk`: how fast does the kernel move on easy and on hard examples?

use clap::Args;

use super::{KIND, VelocityPlan};
use crate::{ExperimentOptions, ScoringOptions, TrainingOptions};

/// Which kernels are measured.
#[derive(Args, Clone, Debug)]
pub struct VelocityQuestion {
    #[command(flatten)]
    plan: VelocityPlan,
    /// Epochs from the first to the second kernel [default: 1, or a quarter of a shorter training].
    #[arg(long, value_name = "EPOCHS")]
    interval: Option<f64>,
    /// Independent trainings, which score and are measured.
    #[arg(long, default_value_t = 2)]
    replicas: u32,
}

impl VelocityQuestion {
    /// The experiment that answers it, with networks trained so.
    pub fn experiment(self, training: TrainingOptions) -> ExperimentOptions {
        let (epochs, mut plan) = (training.epochs(), self.plan);
        if plan.at.is_empty() {
            plan.at = [0.125, 0.375, 0.75].map(|part| part * epochs).to_vec();
        }
        plan.interval = self.interval.unwrap_or((epochs / 4.0).min(1.0));
        let scoring = ScoringOptions {
            replicas: Some(self.replicas),
            scores: vec![plan.by.clone()],
            ..ScoringOptions::default()
        };
        ExperimentOptions::new("Kernel velocity", training, scoring).with(KIND, &plan)
    }
}
