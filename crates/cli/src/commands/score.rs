//! `datadiet score`: trains replicas, brings their scores together, writes table and picture.

mod result;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use datadiet_core::{grouped, spearman};
use datadiet_lab::{
    DefaultsTo, Experiment, ExperimentOptions, OnOptions, Scene, ScoringOptions, TrainingOptions,
    amount,
};
use datadiet_pages::extremes_picture;
use datadiet_store::{RunId, RunSpec};
use datadiet_table::{ScoreTable, write_json};
use serde::{Deserialize, Serialize};

use crate::commands::train::with_file;
use crate::execution::{Answer, ExecutionArgs, Opened, Task, carry_out, open, tested};
use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::pictures::Images;
use crate::tracker::Loggable;
pub use result::ScoreReport;

/// Examples of each class at each end of the gallery where no number is given.
const GALLERY: usize = 8;

/// Score every training example.
///
/// Trains independent replicas of a network (new initialisation, data order and augmentation for
/// each) and scores all training examples at the given times. Finished replicas stay in the store:
/// the same command again gives the same table at once, more replicas train only what is missing,
/// and after Ctrl-C or a crash the same command goes on where it was.
#[derive(Args)]
#[command(
    args_override_self = true,
    allow_negative_numbers = true,
    after_help = "\
Examples:
  datadiet score --data cifar10 --model resnet8 --replicas 4 --epochs 4 --at 0,1,2,4
  datadiet score --data cifar10 --recipe paper --at 20
  datadiet score --data cifar10 --recipe speedrun --width 0.25x --at 4,8
  datadiet score --data cifar10 --scores el2n,grand --epochs 4 --at 0,4
  datadiet score --data mine --replicas 20 --until-reliability 0.95
  datadiet score job.toml --replicas 8          # options from a file; the command line wins
  datadiet score --trainer 'python train.py' --train-examples train.csv --epochs 10 --at 2,5
  datadiet score --data cifar10 --log mlflow    # or wandb, tensorboard: a run that says it all

A TOML file has the long names of the options as keys:
  data = \"cifar10\"
  model = \"resnet8\"
  replicas = 4
  epochs = 4
  at = [0, 1, 2, 4]"
)]
pub struct ScoreArgs {
    /// Options from a TOML file.
    file: Option<PathBuf>,
    #[command(flatten)]
    options: ScoreOptions,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What was typed, on the command line or in a TOML file.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ScoreOptions {
    /// The training of a replica; it stops at the last score.
    #[command(flatten)]
    #[serde(flatten)]
    training: TrainingOptions,
    /// How it is scored.
    #[command(flatten)]
    #[serde(flatten)]
    scoring: ScoringOptions,
    /// Examples of each class at each end of the gallery, 0 for no picture.
    #[arg(long, value_name = "N", defaults_to = GALLERY)]
    gallery: Option<usize>,
    /// Folder for the results [default: scores/DATA-MODEL-ID].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ScoreArgs {
    /// Whether our own worker trains.
    pub fn needs_worker(&self) -> bool {
        // What is wrong with the options is told when they are read.
        let asked = with_file(self.file.as_deref(), &self.options);
        asked.is_ok_and(|(asked, _)| asked.training.trainer.is_none())
    }
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: ScoreArgs) -> Result<ExitCode> {
    let (asked, on) = with_file(args.file.as_deref(), &args.options)?;
    let typed = OnOptions::of_workers(args.options.training.workers);
    let how = (args.execution.on(on, typed), args.output);
    answer(home, asked, how, |_| Ok(()), |_, report| Ok((report.text(), report)))
}

impl ScoreOptions {
    /// Scores of all kinds that cost no backward pass, taken at the end.
    pub fn at_the_end(
        training: TrainingOptions,
        replicas: Option<u32>,
        out: Option<PathBuf>,
    ) -> Self {
        let scoring = ScoringOptions { replicas, ..ScoringOptions::default() };
        Self { training, scoring, gallery: None, out }
    }
}

/// Scores a data set, writes table and picture, and answers with what `tell` makes of their folder and
/// the report, for people and for programs. `check` refuses, before anything is trained, what could not be
/// answered afterwards.
pub fn answer<T: Serialize>(
    home: &HomeArgs,
    mut asked: ScoreOptions,
    (execution, output): (ExecutionArgs, OutputArgs),
    check: impl FnOnce(&Scene) -> Result<()>,
    tell: impl FnOnce(&Path, ScoreReport) -> Result<(String, T)>,
) -> Result<ExitCode> {
    let start = Instant::now();
    execution.ask_processor(home, &mut asked.training, false)?;
    let opened = open(home, &asked.training)?;
    let is_logged = execution.log.is_given();
    let question = ExperimentOptions::new("", asked.training.clone(), asked.scoring);
    let experiment = Experiment::new(question, Path::new("."), opened.data())?;
    let scene = experiment.scenes.plain();
    scene.judged()?;
    // Perhaps a column is left out for its memory.
    match experiment.memory_note() {
        Some(why) => check(scene).context(why)?,
        None => check(scene)?,
    }
    let spec = &scene.scoring;
    let out = asked.out.unwrap_or_else(|| default_out(spec));
    let task = Task {
        options: &asked.training,
        template: spec,
        data: opened.data(),
        examples: scene.examples(),
        what: match spec.trainer {
            Some(_) => format!("{} replicas of {}", scene.replicas, amount(spec, spec.stop_after)),
            None => format!(
                "{} replicas of {} steps (batch {})",
                scene.replicas,
                grouped(spec.stop_after),
                spec.schedule.batch
            ),
        },
        steps: experiment.size().steps,
        effort: &|store| Ok(experiment.effort(store, tested(&opened))?),
        out: Some(&out),
        plan: None,
    };
    carry_out(home, execution, output, &task, |execution| {
        experiment.memory_note().iter().for_each(|note| execution.reporter.note(note));
        let Some(mut done) = experiment.run(&execution.sweep())? else { return Ok(None) };
        let scored = done.scored.remove(0).context("nothing was scored")?;
        for warning in warnings(&scored.scores) {
            execution.reporter.note(&format!("warning: {warning}"));
        }
        let mut scores = scored.scores.clone();
        scores.amend(|card| result::complete(card, opened.data(), &scored));
        let mut files = write(&out, asked.gallery.unwrap_or(GALLERY), &opened, &scores)?;
        if is_logged {
            files.push(super::report::of_folder(home, &out)?);
        }
        let card = scores.card().context("scores have a card")?;
        let report = ScoreReport::new(card, &scored, start.elapsed(), files);
        let failed = scored.failed;
        write_json(&out.join("scores.json"), &report)?;
        let (text, value) = tell(&out, report)?;
        Ok(Some(Answer { text, value, failed, results: Loggable::In(out.clone()) }))
    })
}

fn default_out(spec: &RunSpec) -> PathBuf {
    let id = RunId::of(spec);
    let name = format!("{}-{}-{}", spec.data.name, spec.file_name(), &id.as_str()[..8]);
    PathBuf::from("scores").join(name)
}

/// What a person should know about these scores.
fn warnings(scores: &ScoreTable) -> Vec<String> {
    let pair = (scores.columns().floats("grand@0"), scores.columns().floats("input-norm@0"));
    let (Ok(grand), Ok(input_norm)) = pair else { return Vec::new() };
    match spearman(grand, input_norm) {
        Ok(rho) if rho > 0.9 => vec![format!(
            "grand@0 follows the norm of the input (Spearman {rho:.3}): it says more about the \
             images' brightness and contrast than about their difficulty (Kirsch 2023); take GraNd \
             later in training"
        )],
        _ => Vec::new(),
    }
}

fn write(out: &Path, gallery: usize, opened: &Opened, scores: &ScoreTable) -> Result<Vec<PathBuf>> {
    let table = out.join("scores.parquet");
    scores.write(&table)?;
    let mut files = vec![table, out.join("scores.json")];
    let picture = out.join("gallery.png");
    // A picture of another table would be worse than none.
    if picture.exists() {
        std::fs::remove_file(&picture)?;
    }
    if let Some(dataset) = opened.images().filter(|_| gallery > 0) {
        let ranking = scores.ranking(&scores.default_column()?, None)?;
        let classes = dataset.classes();
        let images = Images::of_dataset(dataset, scores)?;
        extremes_picture(&picture, dataset.name(), scores, &ranking, classes, &images, gallery)?;
        files.push(picture);
    }
    Ok(files)
}
