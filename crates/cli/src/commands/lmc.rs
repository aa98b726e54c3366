//! `datadiet lmc`: linear mode connectivity of parents and children.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_core::ScoreKind;
use datadiet_lab::study::connectivity::ConnectivityPlan;

use crate::commands::run::{ExperimentFile, QuestionArgs, Scoring};
use crate::home::HomeArgs;
use crate::training::TrainingOptions;

/// Measure linear mode connectivity on easy, hard and random examples.
///
/// Trains a parent; children leave it at several epochs with its weights and momentum and go on with
/// data order and augmentation of their own. On the straight line between the final weights of
/// parent and child, with batch-norm statistics taken anew at every point, the barrier is the most
/// by which the training error lies above the chord: 0 where the two are linearly mode connected
/// (Paul, Ganguli, Dziugaite 2021, section 5). Results are those of `datadiet run`: outcome.json,
/// barriers.csv, lines.csv, figures and report.html.
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

The same in a file: see [connectivity] in `datadiet run --help`."
)]
pub struct LmcArgs {
    #[command(flatten)]
    training: TrainingOptions,
    /// Score by which the lowest and the highest examples are chosen.
    #[arg(long, value_name = "SCORE", default_value = "el2n")]
    by: ScoreKind,
    /// Epoch of the scores [default: three eighths of the training].
    #[arg(long, value_name = "EPOCH")]
    at: Option<f64>,
    /// Epochs at which children leave [default: 0, a 32nd, a 16th, an eighth, a quarter, a half].
    #[arg(long, value_name = "EPOCHS", value_delimiter = ',')]
    spawn: Vec<f64>,
    /// Independent parents.
    #[arg(long, default_value_t = 1)]
    parents: u32,
    /// Children of each parent at each epoch.
    #[arg(long, default_value_t = 2)]
    children: u32,
    /// Examples in each set: lowest, highest, random.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    examples: u32,
    /// Points on the line, both ends among them.
    #[arg(long, value_name = "N", default_value_t = 11)]
    points: u32,
    /// Training examples from which batch-norm statistics are taken at every point.
    #[arg(long, value_name = "N", default_value_t = 5120)]
    statistics: u32,
    /// Independent trainings to take scores from.
    #[arg(long, default_value_t = 2)]
    replicas: u32,
    #[command(flatten)]
    pub question: QuestionArgs,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: LmcArgs) -> Result<ExitCode> {
    let file = args.file();
    args.question.answer(home, file, "lmc")
}

impl LmcArgs {
    fn file(&self) -> ExperimentFile {
        let epochs = self.training.epochs();
        let at = self.at.unwrap_or(epochs * 0.375);
        let spawn = match self.spawn.is_empty() {
            true => [0.0, 1.0 / 32.0, 0.0625, 0.125, 0.25, 0.5].map(|p| p * epochs).to_vec(),
            false => self.spawn.clone(),
        };
        let connectivity = ConnectivityPlan {
            by: format!("{}@{at}", self.by),
            spawn,
            parents: self.parents,
            children: self.children,
            examples: self.examples,
            points: self.points,
            statistics: self.statistics,
        };
        ExperimentFile {
            title: "Linear mode connectivity".into(),
            training: self.training.clone(),
            scoring: Scoring {
                replicas: Some(self.replicas),
                at: vec![at],
                scores: vec![self.by.name().into()],
                ..Scoring::default()
            },
            connectivity: Some(connectivity),
            ..ExperimentFile::default()
        }
    }
}
