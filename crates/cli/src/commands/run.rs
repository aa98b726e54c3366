//! `datadiet run`: the experiments of a TOML file.

mod file;
mod output;
mod plan;
mod tables;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::execution::{Execution, ExecutionArgs};
use crate::home::HomeArgs;
use crate::output::{OutputArgs, check_writable, grouped, named_folder};
use crate::progress::Work;
pub use file::{ExperimentFile, Scoring};
use plan::Plan;

/// Run the experiments of a TOML file: prune, retrain, compare.
///
/// Scores are taken first, then subsets are chosen and trained on, beside random subsets of the same
/// size and all of the data. Every training is a run of the store: what is there already is not
/// trained again, and after Ctrl-C or a crash the same command goes on where it was. Results go to
/// results/NAME: outcome.json, tables as CSV and Parquet, figures, and report.html.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet run experiments/small/curve.toml
  datadiet run experiments/small/curve.toml --plan        # what it would train, and no more
  datadiet run experiments/small/window.toml --set training.limit=5000 --set window.retrainings=2
  datadiet run mine.toml --out results/mine

A file has a [training] table (the options of `datadiet train`), a [scoring] table (replicas, at,
scores, grand-at) and one or more studies:
  [curve]         by = [\"el2n@4\", \"grand@0\"], keep = [0.75, 0.5], retrainings = 4
  [window]        by = \"el2n@4\", keep = 0.4, offsets = [0, 0.2, 0.4, 0.6], noise = [0, 0.1]
  [tune]          by = \"el2n@4\", keep = [0.5], drops = [0, 0.05, 0.1], budget = 12
  [correlations]  columns = [\"el2n@4\", \"grand@4\"], networks = [{ model = \"simple-cnn\" }]
  [noise]         by = \"el2n@4\", symmetric = [0.2], files = [\"aggre.npy\"]
  [velocity]      by = \"el2n\", at = [1, 3], positions = [0, 0.5, 1], noise = [0, 0.1]
  [connectivity]  by = \"el2n@4\", spawn = [0, 0.5, 1, 2], children = 2")]
pub struct RunArgs {
    /// The experiments.
    file: PathBuf,
    /// Folder for the results [default: results/NAME, NAME being the file's and its folder's].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Change a value of the file, such as training.epochs=2; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Say what would be trained, and stop.
    #[arg(long)]
    pub plan: bool,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: RunArgs) -> Result<ExitCode> {
    let file = ExperimentFile::read(&args.file, &args.set)?;
    let out = args.out.unwrap_or_else(|| output::default_folder(&args.file));
    let folder = args.file.parent().unwrap_or(Path::new("."));
    let asked = Asked { file, folder, out, plan: args.plan };
    asked.carry_out(home, args.execution, args.output)
}

/// Options of commands that ask one question of an experiment.
#[derive(Args)]
pub struct QuestionArgs {
    /// Say what would be trained, and stop.
    #[arg(long)]
    pub plan: bool,
    /// Folder for the results [default: results/QUESTION-DATA-MODEL-ID].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

impl QuestionArgs {
    /// Carries out an experiment; `question` names the folder of its results.
    ///
    /// # Errors
    /// When it makes no sense, does not fit the data, or nothing came of it.
    pub fn answer(self, home: &HomeArgs, file: ExperimentFile, question: &str) -> Result<ExitCode> {
        let out = match self.out {
            Some(out) => out,
            None => named_folder("results", &file.training.named(question), &file)?,
        };
        let asked = Asked { file, folder: Path::new("."), out, plan: self.plan };
        asked.carry_out(home, self.execution, self.output)
    }
}

/// An experiment, and where its results go.
struct Asked<'a> {
    file: ExperimentFile,
    /// Folder that paths in it are relative to.
    folder: &'a Path,
    out: PathBuf,
    /// Say what would be trained, and stop.
    plan: bool,
}

impl Asked<'_> {
    /// Carries it out, writes its results and its report.
    fn carry_out(
        self,
        home: &HomeArgs,
        execution: ExecutionArgs,
        output: OutputArgs,
    ) -> Result<ExitCode> {
        let Self { file, folder, out, plan: only_plan } = self;
        let dataset = crate::training::open(home, &file.training)?;
        let plan = Plan::new(&file, folder, &dataset)?;
        let (trainings, steps) = plan.experiment.size();
        let headline = format!(
            "{} · at most {trainings} trainings, {} steps of {}",
            plan.training.headline(),
            grouped(steps),
            plan.training.template.schedule.batch,
        );
        if only_plan {
            output.answer(&plan.summary(), || headline)?;
            return Ok(ExitCode::SUCCESS);
        }
        output::check_same(&out, &file)?;
        check_writable(&out)?;
        let work = Work { steps, batch: plan.training.template.schedule.batch };
        let execution = Execution::new(home, execution, &plan.training, work)?;
        plan.keep_labels(&execution.store)?;
        execution.reporter.note(&headline);
        let Some(done) = plan.experiment.run(&execution.sweep())? else {
            return Ok(execution.interrupted());
        };
        execution.finish();
        let answer = output::write(&out, &file, &plan, &dataset, &done)?;
        crate::commands::report::of_folder(home, &out)?;
        output.answer(&answer, || answer.text())?;
        for failure in &done.outcome.failed {
            execution.reporter.failed(&failure.name, &failure.reason);
        }
        Ok(if done.outcome.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
