//! `datadiet ntk`: how fast the kernel moves on easy and on hard examples.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_core::ScoreKind;
use datadiet_lab::study::velocity::VelocityPlan;

use crate::commands::run::{ExperimentFile, QuestionArgs, Scoring};
use crate::home::HomeArgs;
use crate::training::TrainingOptions;

/// Measure how fast the neural tangent kernel moves on easy and on hard examples.
///
/// Trains replicas, scores the training set, cuts windows of examples with consecutive ranks, and
/// measures the distance between the kernels on each window at an epoch and at a later one: 0 for
/// no change, at most 1 (Paul, Ganguli, Dziugaite 2021, section 5). The kernel is the Gram matrix of
/// the logits' gradients over all parameters. Results are those of `datadiet run`: outcome.json,
/// velocity.csv, figures and report.html.
#[derive(Args)]
#[command(
    args_override_self = true,
    allow_negative_numbers = true,
    after_help = "\
Examples:
  datadiet ntk --data cifar10 --epochs 8
  datadiet ntk --data cifar10 --epochs 8 --at 1,3,6 --noise 0,0.1
  datadiet ntk --data mine --model resnet18 --epochs 30 --positions 0,0.5,0.9,1 --examples 50
  datadiet ntk --data cifar10 --plan    # what it would train

The same in a file: see [velocity] in `datadiet run --help`."
)]
pub struct NtkArgs {
    #[command(flatten)]
    training: TrainingOptions,
    /// Score whose ascending order the windows are cut from.
    #[arg(long, value_name = "SCORE", default_value = "el2n")]
    by: ScoreKind,
    /// Epochs of the first kernels [default: an eighth, three eighths and three quarters].
    #[arg(long, value_name = "EPOCHS", value_delimiter = ',')]
    at: Vec<f64>,
    /// Epochs from the first to the second kernel [default: 1, or a quarter of a shorter training].
    #[arg(long, value_name = "EPOCHS")]
    interval: Option<f64>,
    /// Epoch of the scores [default: that of the first kernel].
    #[arg(long, value_name = "EPOCH")]
    scored_at: Option<f64>,
    /// Examples in a window.
    #[arg(long, value_name = "N", default_value_t = 100)]
    examples: u32,
    /// Where windows lie in the order: 0 is the lowest scores, 1 the highest.
    #[arg(
        long, value_delimiter = ',',
        default_values_t = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    )]
    positions: Vec<f64>,
    /// Fractions of labels to randomise; each is a scene of its own.
    #[arg(long, value_name = "FRACTION", value_delimiter = ',', default_values_t = [0.0])]
    noise: Vec<f64>,
    /// Independent trainings, which score and are measured.
    #[arg(long, default_value_t = 2)]
    replicas: u32,
    #[command(flatten)]
    pub question: QuestionArgs,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: NtkArgs) -> Result<ExitCode> {
    let file = args.file();
    args.question.answer(home, file, "ntk")
}

impl NtkArgs {
    fn file(&self) -> ExperimentFile {
        let epochs = self.training.epochs();
        let at = match self.at.is_empty() {
            true => [0.125, 0.375, 0.75].map(|part| part * epochs).to_vec(),
            false => self.at.clone(),
        };
        let velocity = VelocityPlan {
            by: self.by.name().into(),
            at,
            scored_at: self.scored_at,
            examples: self.examples,
            positions: self.positions.clone(),
            interval: self.interval.unwrap_or((epochs / 4.0).min(1.0)),
            noise: self.noise.clone(),
        };
        ExperimentFile {
            title: "Kernel velocity".into(),
            training: self.training.clone(),
            scoring: Scoring {
                replicas: Some(self.replicas),
                scores: vec![self.by.name().into()],
                ..Scoring::default()
            },
            velocity: Some(velocity),
            ..ExperimentFile::default()
        }
    }
}
