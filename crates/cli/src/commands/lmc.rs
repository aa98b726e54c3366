//! `datadiet lmc`: linear mode connectivity of parents and children.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_lab::study::connectivity::ConnectivityQuestion;
use datadiet_lab::{OnOptions, TrainingOptions};

use crate::commands::question::{DefaultFolder, QuestionArgs};
use crate::commands::train::with_file;
use crate::home::HomeArgs;

/// Measure linear mode connectivity.
///
/// On easy, hard and random examples. Trains a parent; children leave it at several epochs with its
/// weights and momentum and go on with data order and augmentation of their own. On the straight line
/// between the final weights of parent and child, with batch-norm statistics taken again at every
/// point, the barrier is the most by which the training error lies above the chord: 0 where the two are
/// linearly mode connected (Paul, Ganguli, Dziugaite 2021, section 5). Results are as from `datadiet
/// run`: outcome.json, barriers.csv, lines.csv, figures and report.html.
#[derive(Args)]
#[command(
    args_override_self = true,
    allow_negative_numbers = true,
    after_help = "\
Examples:
  datadiet lmc --data cifar10 --epochs 8
  datadiet lmc --data cifar10 --epochs 8 --spawn 0,0.25,0.5,1,2,4 --children 3
  datadiet lmc --data mine --model resnet18 --epochs 30 --by grand --at 10 --examples 500
  datadiet lmc --data cifar10 --plan    # what it would train
  datadiet lmc mine.toml    # by a program of yours: trainer = { command = [\"python\", …], evaluate = [ … ] }

The same in a file: see [connectivity] in `datadiet run --help`."
)]
pub struct LmcArgs {
    /// Options of the training from a TOML file; the command line wins.
    file: Option<PathBuf>,
    #[command(flatten)]
    training: TrainingOptions,
    #[command(flatten)]
    asked: ConnectivityQuestion,
    #[command(flatten)]
    pub question: QuestionArgs,
}

impl LmcArgs {
    /// Whether our own worker trains.
    pub fn needs_worker(&self) -> bool {
        let asked = with_file(self.file.as_deref(), &self.training);
        // What is wrong with the options is told when they are read.
        asked.is_ok_and(|(training, _)| training.trainer.is_none())
    }
}

/// Runs the command.
pub fn run(home: &HomeArgs, mut args: LmcArgs) -> Result<ExitCode> {
    let (training, on) = with_file(args.file.as_deref(), &args.training)?;
    let typed = OnOptions::of_workers(args.training.workers);
    args.question.execution = args.question.execution.on(on, typed);
    let options = args.asked.experiment(training);
    args.question.answer(home, options, Path::new("."), DefaultFolder::Named("results", "lmc-"))
}
