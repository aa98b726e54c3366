//! `datadiet score`: trains replicas, brings their scores together, writes table and picture.

mod options;
mod plan;
mod result;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Args;
use datadiet_core::spearman;
use datadiet_data::Dataset;
use datadiet_lab::{ScoreOutcome, aggregate};
use datadiet_pages::extremes_picture;
use datadiet_table::{ScoreTable, write_json};

use crate::execution::{Execution, ExecutionArgs};
use crate::home::HomeArgs;
use crate::options_file;
use crate::output::{OutputArgs, check_writable};
use crate::pictures::Images;
use crate::training;
pub use options::ScoreOptions;
use plan::Plan;
pub use plan::recording;
use result::ScoreReport;

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
  datadiet score --data cifar10 --epochs 200 --at 20 --schedule paper --model resnet18
  datadiet score --data cifar10 --scores el2n,grand --epochs 4 --at 0,4
  datadiet score --data mine --replicas 20 --until-reliability 0.95
  datadiet score job.toml --replicas 8          # options from a file; the command line wins

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

/// Runs the command.
pub fn run(home: &HomeArgs, args: ScoreArgs) -> Result<ExitCode> {
    let start = Instant::now();
    let options = match &args.file {
        Some(file) => options_file::laid_over(&options_file::read(file)?, &args.options)?,
        None => args.options,
    };
    let dataset = training::open(home, &options.training)?;
    let plan = Plan::new(&options, &dataset)?;
    let out = plan.out.clone();
    check_writable(&out)?;
    let execution = Execution::new(home, args.execution, &plan.training, plan.work())?;
    let (store, reporter) = (&execution.store, &execution.reporter);
    reporter.note(&plan.headline());
    let outcome = plan.job.run(&execution.sweep())?;
    if outcome.interrupted {
        return Ok(execution.interrupted());
    }
    execution.finish();
    if outcome.completed.is_empty() {
        bail!(nothing_completed(&outcome));
    }
    let specs: Vec<_> = outcome.completed.iter().map(|(spec, _)| spec.clone()).collect();
    let labels = &plan.training.labels;
    let mut scores =
        aggregate(store, &specs, &plan.times, labels, dataset.classes(), plan.per_replica)?;
    for warning in warnings(&scores) {
        reporter.note(&format!("warning: {warning}"));
    }
    scores.amend(|card| result::complete(card, &dataset, &outcome));
    let files = write(&out, &plan, &dataset, &scores)?;
    let card = scores.card().expect("it was just amended");
    let report = ScoreReport::new(card, &outcome, start.elapsed(), files);
    write_json(&out.join("scores.json"), &report)?;
    args.output.answer(&report, || report.text())?;
    if outcome.failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for failure in &outcome.failed {
        reporter.failed(&format!("replica {}", failure.replica), &failure.reason);
    }
    let (failed, all) = (outcome.failed.len(), plan.job.replicas);
    reporter.note(&format!("error: {failed} of {all} replicas failed"));
    Ok(ExitCode::FAILURE)
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

fn nothing_completed(outcome: &ScoreOutcome) -> String {
    let mut reasons: Vec<String> = outcome
        .failed
        .iter()
        .map(|failure| format!("  replica {}: {}", failure.replica, failure.reason))
        .collect();
    reasons.insert(0, "no replica completed".into());
    reasons.join("\n")
}

fn write(out: &Path, plan: &Plan, dataset: &Dataset, scores: &ScoreTable) -> Result<Vec<PathBuf>> {
    let table = out.join("scores.parquet");
    scores.write(&table)?;
    let mut files = vec![table, out.join("scores.json")];
    let picture = out.join("gallery.png");
    // A picture of another table would be worse than none.
    if picture.exists() {
        std::fs::remove_file(&picture)?;
    }
    if plan.gallery > 0 {
        let ranking = scores.ranking(&scores.default_column()?, None)?;
        let classes = dataset.classes();
        let images = Images::of_dataset(dataset, scores)?;
        extremes_picture(
            &picture,
            dataset.name(),
            scores,
            &ranking,
            classes,
            &images,
            plan.gallery,
        )?;
        files.push(picture);
    }
    Ok(files)
}
