//! `datadiet diet`: the smallest subset that is good enough, checked against random and full.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_lab::TrainingOptions;
use datadiet_lab::study::search::DietOptions;

use crate::commands::question::{DefaultFolder, QuestionArgs};
use crate::home::HomeArgs;

/// Find the smallest subset that is good enough.
///
/// Scores the training set, then tries subsets (sizes, with and without the hardest examples, with
/// and without class quotas) by successive halving, judged on training examples that are held out.
/// The answer is retrained on the whole, beside as many examples at random and everything, and
/// tested. What it costs at most is stated before anything is trained. With --fixed epochs trainings on
/// subsets are shorter, and the answer stands beside random examples drawn anew every epoch as well: a
/// training on everything that is as short.
#[derive(Args)]
#[command(
    args_override_self = true,
    allow_negative_numbers = true,
    after_help = "\
Examples:
  datadiet diet --data cifar10 --tolerance 0.5
  datadiet diet --data mine --model resnet18 --epochs 30 --tolerance 1 --budget 20
  datadiet diet --data cifar10 --recipe speedrun --width 0.25x --fixed epochs
  datadiet diet --data cifar10 --keep 0.5,0.7,0.9 --drops 0,0.1 --plan    # what it would cost"
)]
pub struct DietArgs {
    #[command(flatten)]
    training: TrainingOptions,
    #[command(flatten)]
    diet: DietOptions,
    #[command(flatten)]
    pub question: QuestionArgs,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: DietArgs) -> Result<ExitCode> {
    let options = args.diet.experiment(args.training)?;
    args.question.answer(home, options, Path::new("."), DefaultFolder::Named("diets", ""))
}
