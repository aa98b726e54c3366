//! `datadiet run`: the experiments of a TOML file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use datadiet_lab::{ExperimentOptions, OnOptions};

use crate::commands::question::{DefaultFolder, QuestionArgs};
use crate::home::HomeArgs;

/// Run the experiments of a TOML file.
///
/// Scores are taken first, then subsets are chosen and trained on, beside random subsets of the same
/// size and all of the data. Every training is a run of the store: what is there already is not
/// trained again, and after Ctrl-C or a crash the same command goes on where it was. Results go to
/// results/NAME (NAME being the file's and its folder's): outcome.json, tables as CSV and Parquet,
/// figures, and report.html.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet run experiments/small/curve.toml
  datadiet run experiments/small/curve.toml --plan        # what it would train, and no more
  datadiet run experiments/small/window.toml --set training.limit=5000 --set window.retrainings=2
  datadiet run mine.toml --out results/mine --log mlflow:./mlruns

A file has a [training] table (the options of `datadiet train`), a [scoring] table (replicas, at,
scores, grand-at, until-reliability) and one or more studies:
  [curve]         by = [\"el2n@4\", \"grand@0\"], keep = [0.75, 0.5], retrainings = 4,
                  baselines = [\"random/balanced\", \"ccs/balanced\"]
  [window]        by = \"el2n@4\", keep = 0.4, offsets = [0, 0.2, 0.4, 0.6], noise = [0, 0.1]
  [tune]          by = \"el2n@4\", keep = [0.5], drops = [0, 0.05, 0.1], budget = 12
  [correlations]  columns = [\"el2n@4\", \"grand@4\"], networks = [{ model = \"simple-cnn\" }]
  [noise]         by = \"el2n@4\", symmetric = [0.2], files = [\"aggre.npy\"]
  [velocity]      by = \"el2n\", at = [1, 3], positions = [0, 0.5, 1], noise = [0, 0.1]
  [connectivity]  by = \"el2n@4\", spawn = [0, 0.5, 1, 2], children = 2")]
pub struct RunArgs {
    /// The experiments.
    file: PathBuf,
    /// Change a value of the file, such as training.epochs=2; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(flatten)]
    pub question: QuestionArgs,
}

impl RunArgs {
    /// Whether our own worker trains.
    pub fn needs_worker(&self) -> bool {
        // What is wrong with the options is told when they are read.
        ExperimentOptions::read(&self.file, &self.set)
            .is_ok_and(|(options, _)| options.training.trainer.is_none())
    }
}

/// Runs the command.
pub fn run(home: &HomeArgs, mut args: RunArgs) -> Result<ExitCode> {
    let (options, on) = ExperimentOptions::read(&args.file, &args.set)?;
    let typed = OnOptions::of_changes(&args.set)?;
    args.question.execution = args.question.execution.on(on, typed);
    let folder = args.file.parent().unwrap_or(Path::new("."));
    let default = DefaultFolder::At(default_folder(&args.file));
    args.question.answer(home, options, folder, default)
}

/// `results/FOLDER-NAME` for `…/FOLDER/NAME.toml`.
fn default_folder(file: &Path) -> PathBuf {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let folder = file.parent().and_then(Path::file_name).map(|folder| folder.to_string_lossy());
    let name = match folder {
        Some(folder) if folder != "experiments" => format!("{folder}-{name}"),
        _ => name.into_owned(),
    };
    Path::new("results").join(name)
}
