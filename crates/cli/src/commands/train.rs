//! `datadiet train`: trainings on a subset, or on everything, to their end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use clap::Args;
use datadiet_core::{ExampleId, grouped};
use datadiet_lab::study::Size;
use datadiet_lab::{
    DefaultsTo, Effort, Failure, Fixed, OnOptions, Results, Retraining, Spread, Training,
    TrainingData, TrainingOptions, length, metric_name, options, positive,
};
use datadiet_store::{RunId, RunSpec};
use datadiet_table::{SubsetFile, TrainingSet, write_json};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::execution::{Answer, Execution, ExecutionArgs, Task, carry_out, open, tested};
use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::scores_file::training_set;
use crate::tracker::Loggable;

/// Train on a subset, or on everything, and test.
///
/// The number of steps is fixed whatever the size of the subset, as in the paper: half the data is
/// seen twice as often. --fixed epochs shortens the training with the subset instead. Trainings of
/// the same specification are kept in the store and not repeated.
#[derive(Args)]
#[command(
    args_override_self = true,
    allow_negative_numbers = true,
    after_help = "\
Examples:
  datadiet train --data cifar10 --subset half.parquet --replicas 4
  datadiet train --data cifar10 --subset ids.npy --epochs 8 --fixed epochs
  datadiet train --data cifar10 --labels noisy.parquet      # everything, with other labels
  datadiet train mine.toml --subset half.parquet    # by a program of yours: trainer = [\"python\", …]
  datadiet train --data cifar10 --subset half.parquet --log wandb:pruning    # to a project of W&B"
)]
pub struct TrainArgs {
    /// Options of the training from a TOML file; the command line wins.
    file: Option<PathBuf>,
    #[command(flatten)]
    training: TrainingOptions,
    /// Ids to train on: a file of `datadiet select`, or .npy, .json, .txt [default: all].
    #[arg(long, value_name = "FILE")]
    subset: Option<PathBuf>,
    /// Independent trainings.
    #[arg(long, defaults_to = 1)]
    replicas: Option<u32>,
    /// What stays the same when the training set shrinks.
    #[arg(long, value_enum, default_value_t = Fixed::Steps)]
    fixed: Fixed,
    /// Also write the answer to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What trainings answer.
#[derive(Serialize)]
struct Trained {
    /// Examples trained on.
    examples: usize,
    /// Examples in all.
    of: usize,
    /// What stayed the same when the training set shrank.
    fixed: Fixed,
    /// The first training's specification; the others differ in the replica alone.
    spec: RunSpec,
    runs: Vec<RunId>,
    split: &'static str,
    accuracy: Option<Spread>,
    /// The same of each class by its name, where a trainer says it: means over the trainings.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    by_class: BTreeMap<String, f64>,
    failed: Vec<Failure>,
}

/// What is trained on, and how accuracy is going to be judged.
struct Plan {
    training: Training,
    /// None: all examples.
    ids: Option<Vec<ExampleId>>,
    examples: usize,
    count: u32,
    split: &'static str,
    /// Names of the classes.
    classes: Vec<String>,
}

impl TrainArgs {
    /// Whether our own worker trains.
    pub fn needs_worker(&self) -> bool {
        let asked = with_file(self.file.as_deref(), &self.training);
        // What is wrong with the options is told when they are read.
        asked.is_ok_and(|(training, _)| training.trainer.is_none())
    }
}

/// What was typed, over what a file says; beside it what the file says of where it is carried out.
///
/// # Errors
/// When it cannot be read.
pub fn with_file<T: Clone + Serialize + DeserializeOwned>(
    file: Option<&Path>,
    typed: &T,
) -> Result<(T, OnOptions)> {
    let Some(file) = file else { return Ok((typed.clone(), OnOptions::default())) };
    let (in_file, on) = options::read(file)?;
    Ok((options::laid_over(&in_file, typed)?, on))
}

/// Runs the command.
pub fn run(home: &HomeArgs, mut args: TrainArgs) -> Result<ExitCode> {
    let (training, on) = with_file(args.file.as_deref(), &args.training)?;
    let typed = OnOptions::of_workers(args.training.workers);
    args.training = training;
    args.execution = args.execution.on(on, typed);
    args.execution.ask_processor(home, &mut args.training, false)?;
    let opened = open(home, &args.training)?;
    let plan = Plan::new(&args, opened.data())?;
    let (template, all) = (&plan.training.template, plan.training.labels.len());
    let folder = args.out.as_deref().and_then(Path::parent);
    let steps = args.fixed.schedule(&template.schedule, plan.examples, all).steps;
    let (examples, count) = (grouped(plan.examples as u64), plan.count);
    let size = Size { trainings: count as usize, steps: u64::from(count) * steps };
    let task = Task {
        options: &args.training,
        template,
        data: opened.data(),
        examples: all,
        what: format!("{examples} examples · {count} of {}", length(template, steps)),
        steps: size.steps,
        effort: &|_| Ok(Effort::of_trainings(size, template, tested(&opened))),
        out: folder.map(|f| if f.as_os_str().is_empty() { Path::new(".") } else { f }),
        plan: None,
    };
    carry_out(home, args.execution, args.output, &task, |execution| {
        let Some(value) = plan.train(execution, args.fixed)? else { return Ok(None) };
        let results = match &args.out {
            Some(out) => {
                write_json(out, &value)?;
                Loggable::In(out.clone())
            }
            None => Loggable::Named(value.name()),
        };
        Ok(Some(Answer { text: value.text(), failed: value.failed.clone(), value, results }))
    })
}

impl Plan {
    fn new(args: &TrainArgs, data: TrainingData<'_>) -> Result<Self> {
        let training = Training::new(&args.training, data)?;
        let count = positive("--replicas", args.replicas, 1)?;
        let ids = subset(args, &training, data)?;
        let examples = ids.as_ref().map_or(training.labels.len(), Vec::len);
        let batch = training.template.schedule.batch;
        ensure!(
            examples >= batch as usize,
            "a batch of {batch} is more than the {examples} examples of the subset; give --batch {}",
            examples.min(32)
        );
        let split = if data.has_test { "test" } else { "train" };
        if split == "train" {
            eprintln!(
                "warning: {} has no test split: accuracy is taken on the training split",
                data.name
            );
        }
        let classes = data.classes.to_vec();
        Ok(Self { training, ids, examples, count, split, classes })
    }

    /// None when it was stopped.
    fn train(&self, execution: &Execution<'_>, fixed: Fixed) -> Result<Option<Trained>> {
        let (template, of) = (&self.training.template, self.training.labels.len());
        let (store, name) = (execution.store, "training".to_owned());
        self.training.keep_labels(store)?;
        let retraining = match &self.ids {
            None => Retraining::of(template, self.count, name),
            Some(ids) => Retraining::on(store, template, (ids, of), fixed, self.count, name)?,
        };
        let (sweep, mut results) = (execution.sweep(), Results::default());
        sweep.train(&mut results, retraining.jobs().collect(), &|_| true)?;
        if sweep.is_stopped() {
            return Ok(None);
        }
        Ok(Some(Trained {
            examples: self.examples,
            of,
            fixed,
            spec: retraining.specs[0].clone(),
            runs: retraining.specs.iter().map(RunId::of).collect(),
            split: self.split,
            accuracy: retraining.test(&results),
            by_class: (retraining.by_class(&results).values())
                .filter_map(|(class, value)| Some((self.classes.get(class)?.clone(), value)))
                .collect(),
            failed: results.failed,
        }))
    }
}

fn subset(
    args: &TrainArgs,
    training: &Training,
    source: TrainingData<'_>,
) -> Result<Option<Vec<ExampleId>>> {
    let Some(path) = &args.subset else { return Ok(None) };
    let file = SubsetFile::read(path)?;
    let data = &training.template.data;
    let known = file.data.as_ref();
    let limited = known.and_then(|known| known.limit).filter(|&limit| data.limit != Some(limit));
    let of_this = known.is_none_or(|known| known.fingerprint == data.fingerprint);
    if let Some(limit) = limited.filter(|_| of_this) {
        bail!(
            "{} was chosen among the first {} examples alone; train with --limit {limit} too, or \
             score and select without",
            path.display(),
            grouped(limit.into())
        );
    }
    if known.is_none() {
        eprintln!(
            "note: {} does not say which data set it belongs to; only its range, and its labels if \
             it has some, are checked",
            path.display()
        );
    }
    let set = TrainingSet { size: training.labels.len(), ..training_set(source) };
    Ok(Some(file.examples_in(&set)?))
}

impl Trained {
    /// For a run of a tracker.
    fn name(&self) -> String {
        let id = RunId::of(&self.spec);
        format!("{}-{}-{}", self.spec.data.name, self.spec.file_name(), &id.as_str()[..8])
    }

    /// The classes that are worst, in a line of their own; empty where nothing is said by class.
    fn worst_classes(&self, of: &Spread) -> String {
        const SHOWN: usize = 5;
        let mut classes: Vec<(&String, f64)> =
            self.by_class.iter().map(|(name, value)| (name, *value)).collect();
        classes.sort_by(|a, b| a.1.total_cmp(&b.1));
        if of.less_is_better() {
            classes.reverse();
        }
        let text = |(name, value): &(&String, f64)| format!("{name} {}", of.value_text(*value));
        let worst: Vec<String> = classes.iter().take(SHOWN).map(text).collect();
        if worst.is_empty() {
            String::new()
        } else {
            format!("\nworst by class   {}", worst.join(", "))
        }
    }

    fn text(&self) -> String {
        let kept = 100.0 * self.examples as f64 / self.of as f64;
        let trained = format!(
            "on {} examples ({kept:.1} %), {}",
            grouped(self.examples as u64),
            match self.spec.trainer {
                Some(_) =>
                    format!("{} epochs", RunSpec::whole_epochs(self.spec.stop_after, self.examples)),
                None => format!("{} steps", grouped(self.spec.stop_after)),
            }
        );
        let count = match (self.runs.len(), self.failed.len()) {
            (1, 0) => "1 training".to_owned(),
            (all, 0) => format!("{all} trainings"),
            (all, failed) => format!("{} of {all} trainings; {failed} failed", all - failed),
        };
        match &self.accuracy {
            Some(accuracy) => {
                let (split, name) = (self.split, metric_name(Some(accuracy)));
                let text = format!("{split} {name}   {} {trained}, {count}", accuracy.text());
                text + &self.worst_classes(accuracy)
            }
            None => format!("no training completed {trained}, {count}"),
        }
    }
}
