//! `datadiet diet`: the smallest subset that is good enough, checked against random and full.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_lab::study::search::DietOptions;
use datadiet_lab::{OnOptions, TrainingOptions};

use crate::commands::question::{DefaultFolder, QuestionArgs};
use crate::commands::train::with_file;
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
  datadiet diet mine.toml --tolerance 0.5       # of a program of yours: trainer = [\"python\", …]
  datadiet diet --data cifar10 --keep 0.5,0.7,0.9 --drops 0,0.1 --plan    # what it would cost
  datadiet diet --data cifar10 --log tensorboard:runs    # what came of it, as events for TensorBoard"
)]
pub struct DietArgs {
    /// Options of the training from a TOML file; the command line wins.
    file: Option<PathBuf>,
    #[command(flatten)]
    training: TrainingOptions,
    #[command(flatten)]
    diet: DietOptions,
    #[command(flatten)]
    pub question: QuestionArgs,
}

impl DietArgs {
    /// Whether our own worker trains.
    pub fn needs_worker(&self) -> bool {
        let asked = with_file(self.file.as_deref(), &self.training);
        // What is wrong with the options is told when they are read.
        asked.is_ok_and(|(training, _)| training.trainer.is_none())
    }
}

/// Runs the command.
pub fn run(home: &HomeArgs, mut args: DietArgs) -> Result<ExitCode> {
    let (training, on) = with_file(args.file.as_deref(), &args.training)?;
    let typed = OnOptions::of_workers(args.training.workers);
    args.question.execution = args.question.execution.on(on, typed);
    let options = args.diet.experiment(training)?;
    args.question.answer(home, options, Path::new("."), DefaultFolder::Named("diets", ""))
}
