//! `datadiet ingest`: scores from files of logits, probabilities or losses that any training loop wrote.

mod result;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use datadiet_ingest::{Ingested, Kind, Names, Options, Pattern};
use datadiet_table::{RECORDED_PASS, write_json};
use serde::Serialize;

use crate::output::{OutputArgs, check_writable, named_folder};
use crate::progress::ProgressArgs;
use result::IngestReport;

/// Take scores from logits, probabilities or losses.
///
/// Whatever training loop wrote them. A run is one training: a folder with one file an epoch, or one
/// file of all epochs. Several runs are replicas: scores are means over them. Names of files say which
/// is which: epoch_3, ep03, checkpoint-500 (epochs), seed0, run_1 (runs), rank0, 00000-of-00002, part-0
/// (parts of an epoch). What they leave open is refused; --pattern decides it.
///
/// Formats: npy, npz, safetensors, parquet, arrow (feather, ipc, arrows), jsonl, json, csv, tsv, the
/// texts also as .gz and .zst; dataset cartography's folders as they are.
/// Rows may be in any order; ids may be any whole numbers or texts, and are kept in the column
/// `key` where they are not 0, 1, 2, …
///
/// Losses serve any task: one of each example and epoch, without labels. Where there are logits too, these are
/// read, and --kind losses reads the losses alone.
///
/// Columns are named by the epochs as the files number them, from 0 or 1 or with gaps; an axis of T
/// epochs counts from 1.
///
/// The result is the same kind of folder as `datadiet score` writes: `scores show`, `select`,
/// `suspects` and `report` work on it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet ingest training_dynamics                # dynamics_epoch_0.jsonl, dynamics_epoch_1.jsonl, …
                                                   # columns are named by these numbers: el2n@5
  datadiet ingest run0 run1 run2 --at 1,5,10       # three replicas, EL2N and kin at these epochs too
  datadiet ingest logits --labels labels.npy       # logits/epoch_1.npy, …: n × K each
  datadiet ingest all.parquet                      # columns id, epoch, label, logits (lists)
  datadiet ingest losses.csv --threshold 0.5       # columns id, epoch, loss; learned-at too
  datadiet ingest steps --per-step                 # a file a step: an epoch ends before the file in
                                                   # which an example comes again
  datadiet ingest sweep --pattern 's{run}_{epoch}.npz'   # names that leave open what is what
  datadiet report scores/training_dynamics-…

Arrays, columns and fields are found by their usual names: values logits, logits_epoch_3, probs, …
(or columns logit_0, logit_1, …), loss, losses (or a column of each epoch, loss_epoch_1, …); ids id,
guid, sample_id, index, …; labels label, gold, target, y; epochs epoch, step. Arrays of values are
[n, K], or [T, n, K] for T epochs; one column (K = 1) is a binary problem. Arrays of losses are [n] or
[T, n]. Multi-label targets and regression are refused: of these give losses. A table of losses needs
ids, or --kind losses to say that its rows are examples.")]
pub struct IngestArgs {
    /// Folders or files, one a training.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Epochs, as the files number them, whose EL2N and kin (or losses) are kept beside the last epoch's.
    #[arg(long, value_delimiter = ',', value_name = "EPOCHS")]
    at: Vec<i64>,
    /// Folder to write to [default: scores/NAME-ID].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Labels, where they are not beside the values, one an example: npy, text, or the column of that
    /// name of a CSV, JSON or Parquet file.
    #[arg(long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Ids, where they are not beside the values, one an example: as --labels.
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// Names of the classes in the order of the values, one a line; labels may be these names.
    #[arg(long, value_name = "FILE")]
    classes: Option<PathBuf>,
    /// What the values are, whatever their name says.
    #[arg(long, value_enum)]
    kind: Option<KindArg>,
    /// Of losses: the one down to which an example counts as learned; adds learned-at, the first epoch (counted
    /// from 1) from which on all of its losses were there.
    #[arg(long, value_name = "LOSS", allow_negative_numbers = true)]
    threshold: Option<f32>,
    /// Files are steps of training: an epoch ends before the file in which an example comes again.
    #[arg(long)]
    per_step: bool,
    /// What the numbers in the names of files are, where these leave it open: such as
    /// 'preds_{epoch}_{run}.npz', with {epoch}, {run} (a seed), {part} (a shard) and {} for anything
    /// else. Files of other names are left out.
    #[arg(long, value_name = "NAME")]
    pattern: Option<Pattern>,
    /// Divide probabilities by their sums, however far these are from 1 (within 0.01 that is done
    /// unasked).
    #[arg(long)]
    renormalise: bool,
    /// Of several rows of an example in an epoch take the first, even if their values differ.
    #[arg(long)]
    keep_first: bool,
    /// Take margin-of-mean and tdds however much memory they need, 16 bytes for each example and class
    /// (unasked up to 33 million examples times classes).
    #[arg(long)]
    class_means: bool,
    /// Array, column or field of the values.
    #[arg(long, value_name = "NAME")]
    values: Option<String>,
    /// Array, column or field of the labels; of losses labels are read only where this or --labels names them.
    #[arg(long = "label", value_name = "NAME")]
    label: Option<String>,
    /// Array, column or field of the ids.
    #[arg(long = "id", value_name = "NAME")]
    id: Option<String>,
    /// Column or field of the epochs.
    #[arg(long = "epoch", value_name = "NAME")]
    epoch: Option<String>,
    /// Which pass of the network gave the values, for the record: such as "eval mode" or "training
    /// minibatches".
    #[arg(long, value_name = "TEXT", default_value = RECORDED_PASS)]
    pass: String,
    #[command(flatten)]
    progress: ProgressArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Kinds of values.
#[derive(Clone, Copy, Serialize, ValueEnum)]
enum KindArg {
    /// Any finite numbers.
    Logits,
    /// Rows that sum to 1.
    Probabilities,
    /// One finite number an example and epoch.
    Losses,
}

/// Runs the command.
pub fn run(args: &IngestArgs) -> Result<ExitCode> {
    let report = ingest(args)?;
    args.output.answer(&report, || report.text())?;
    Ok(ExitCode::SUCCESS)
}

/// Takes the scores and writes them.
pub fn ingest(args: &IngestArgs) -> Result<IngestReport> {
    let class_names = args.classes.as_deref().map(read_lines).transpose()?;
    let options = args.options(class_names.clone().unwrap_or_default());
    let sources = datadiet_ingest::find(&args.runs, &options)?;
    check_distinct(&args.runs)?;
    let out = args.folder()?;
    check_free(&out, &args.runs)?;
    check_writable(&out)?;
    let progress = args.progress.drawer(None);
    let found = datadiet_ingest::ingest(&sources, &options, &progress)?;
    for note in &found.notes {
        eprintln!("note: {note}");
    }
    for warning in warnings(&found) {
        eprintln!("warning: {warning}");
    }
    ensure!(
        args.threshold.is_none() || found.kind == Kind::Losses,
        "--threshold is of losses, and these are {}; say --kind losses where there are losses too",
        found.kind
    );
    ensure!(
        found.kind != Kind::Losses || !(args.renormalise || args.class_means),
        "--renormalise and --class-means are of logits and probabilities, and these are losses"
    );
    ensure!(
        class_names.is_none() || !found.labels.is_empty(),
        "--classes names classes, and no labels were read, which losses need not have; name them with --label or --labels"
    );
    let (examples, classes) = (found.examples(), found.classes);
    let scores = found.into_table(&args.runs, class_names.as_deref(), &args.pass)?;
    let files = vec![out.join("scores.parquet"), out.join("scores.json")];
    scores.write(&files[0])?;
    let card = scores.card().cloned().unwrap_or_default();
    let report = IngestReport { card, examples, classes, files };
    write_json(&report.files[1], &report)?;
    Ok(report)
}

impl IngestArgs {
    fn options(&self, classes: Vec<String>) -> Options {
        Options {
            names: Names {
                kind: self.kind.map(|kind| match kind {
                    KindArg::Logits => Kind::Logits,
                    KindArg::Probabilities => Kind::Probabilities,
                    KindArg::Losses => Kind::Losses,
                }),
                values: self.values.clone(),
                labels: self.label.clone(),
                ids: self.id.clone(),
                epochs: self.epoch.clone(),
                classes: classes.into(),
            },
            at: self.at.clone(),
            per_step: self.per_step,
            pattern: self.pattern.clone(),
            renormalise: self.renormalise,
            keep_first: self.keep_first,
            class_means: self.class_means,
            threshold: self.threshold,
            labels: self.labels.clone(),
            ids: self.ids.clone(),
        }
    }

    /// Where results go: as asked, or by the first run's name and all of what was asked.
    fn folder(&self) -> Result<PathBuf> {
        if let Some(out) = &self.out {
            return Ok(out.clone());
        }
        let first = std::path::absolute(&self.runs[0])?;
        let name = first.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let runs = self.runs.iter().map(std::path::absolute);
        let runs = runs.collect::<std::io::Result<Vec<PathBuf>>>()?;
        let named = (&self.values, &self.label, &self.id, &self.epoch);
        let files = (&self.labels, &self.ids, &self.classes);
        let decided = (self.kind, self.per_step, self.renormalise, self.keep_first);
        let pattern = self.pattern.as_ref().map(Pattern::to_string);
        let asked = (runs, &self.at, files, decided, pattern, named, &self.pass);
        if let Some(threshold) = self.threshold {
            return named_folder("scores", &name, &(asked, "threshold", threshold));
        }
        if self.class_means {
            return named_folder("scores", &name, &(asked, "class-means"));
        }
        named_folder("scores", &name, &asked)
    }
}

fn check_distinct(runs: &[PathBuf]) -> Result<()> {
    let mut seen = Vec::new();
    for run in runs {
        let place = std::fs::canonicalize(run)?;
        ensure!(
            !seen.contains(&place),
            "{} is named twice; each run is one replica, and counted once",
            run.display()
        );
        seen.push(place);
    }
    Ok(())
}

/// Results of the same runs may be replaced; others may not.
fn check_free(out: &Path, runs: &[PathBuf]) -> Result<()> {
    let path = out.join("scores.json");
    let Ok(text) = std::fs::read(&path) else { return Ok(()) };
    let before: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    // Older results name their runs alone, one for each path given.
    let before = &before["ingested"];
    let given = before["given"].as_array().or(before["runs"].as_array());
    let path =
        |given: &serde_json::Value| given.as_str().or(given["path"].as_str()).map(PathBuf::from);
    let given: Option<Vec<PathBuf>> = given.and_then(|all| all.iter().map(path).collect());
    if given.is_some_and(|given| given == runs) {
        return Ok(());
    }
    bail!(
        "{} holds the scores of something else; choose another folder with --out DIR, or remove it",
        out.display()
    );
}

fn read_lines(path: &Path) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the names of the classes from {}", path.display()))?;
    let text = text.trim_start_matches('\u{feff}').trim_end();
    Ok(text.lines().map(|line| line.trim().to_owned()).collect())
}

/// What a person should know about these files.
fn warnings(found: &Ingested) -> Vec<String> {
    let examples = found.examples();
    let of = |run: &datadiet_ingest::IngestedRun| {
        let missed: u64 = run.unseen.iter().map(|&unseen| u64::from(unseen)).sum();
        let (worst, epoch) =
            run.unseen.iter().zip(&run.epochs).max_by_key(|(unseen, _)| **unseen)?;
        (missed > 0).then(|| {
            format!(
                "{}: {missed} rows are missing, most in epoch {epoch} ({worst} of {examples} \
                 examples); scores over time are over the epochs in which an example was seen",
                run.path.display()
            )
        })
    };
    found.runs.iter().filter_map(of).collect()
}
