//! `datadiet ntk`: how fast the kernel moves on easy and on hard examples.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_lab::TrainingOptions;
use datadiet_lab::study::velocity::VelocityQuestion;

use crate::commands::question::{DefaultFolder, QuestionArgs};
use crate::home::HomeArgs;

/// Measure how fast the neural tangent kernel moves.
///
/// On easy and on hard examples. Trains replicas, scores the training set, cuts windows of examples
/// with consecutive ranks, and measures the distance between the kernels on each window at an epoch and
/// at a later one: 0 for no change, at most 1 (Paul, Ganguli, Dziugaite 2021, section 5). The kernel is
/// the Gram matrix of the logits' gradients over all parameters. Results are as from `datadiet run`:
/// outcome.json, velocity.csv, figures and report.html.
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
    #[command(flatten)]
    asked: VelocityQuestion,
    #[command(flatten)]
    pub question: QuestionArgs,
}

impl NtkArgs {
    /// Whether our own worker trains; a program of the user's is refused.
    pub fn needs_worker(&self) -> bool {
        self.training.trainer.is_none()
    }
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: NtkArgs) -> Result<ExitCode> {
    let options = args.asked.experiment(args.training);
    args.question.answer(home, options, Path::new("."), DefaultFolder::Named("results", "ntk-"))
}
