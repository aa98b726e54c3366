//! `datadiet data`: fetch, import, list and inspect data sets.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::{Args, Subcommand};
use datadiet_core::grouped;
use datadiet_data::{DataHome, Dataset, FETCHABLE, Format, ImportOptions, LeftOut, Overlap, Split};
use datadiet_lab::text::table;
use serde::Serialize;

use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::progress::ProgressArgs;

/// The subcommands of `datadiet data`.
#[derive(Subcommand)]
pub enum DataCommand {
    /// Download a well-known data set and import it.
    Fetch(FetchArgs),
    /// Import your own images from disk.
    Import(ImportArgs),
    /// List the imported data sets.
    List(OutputArgs),
    /// Describe one data set, and check its content against its checksum.
    Inspect(InspectArgs),
}

/// Arguments of `data fetch`.
#[derive(Args)]
#[command(after_help = "Example:\n  datadiet data fetch cifar10")]
pub struct FetchArgs {
    /// Which one.
    #[arg(value_parser = FETCHABLE)]
    name: String,
    /// Fetch again and replace the one there is.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    progress: ProgressArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Arguments of `data import`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet data import ./birds --name birds                    # birds/CLASS/*.jpg
  datadiet data import ./birds --name birds --resize 32x32     # images of mixed size
  datadiet data import ./mnist --name mnist --format idx
  datadiet data import train.npz --name mine                   # x_train, y_train, x_test, y_test")]
pub struct ImportArgs {
    /// File or folder.
    path: PathBuf,
    /// Name for the data set [default: the file's or folder's name].
    #[arg(long)]
    name: Option<String>,
    /// cifar10, cifar100, cinic10, tiny-imagenet, gtsrb, idx, image-folder, hf-parquet or npy
    /// [default: found out].
    #[arg(long)]
    format: Option<Format>,
    /// Scale all images to this size, such as 32x32.
    #[arg(long, value_name = "WxH", value_parser = size)]
    resize: Option<(u32, u32)>,
    /// Leave out pictures that cannot be decoded, and say how many.
    #[arg(long)]
    skip_broken: bool,
    /// Column of the labels in Parquet files [default: found by its name].
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// Accept classes without a training example.
    #[arg(long)]
    allow_empty_class: bool,
    /// Replace another data set of that name.
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    progress: ProgressArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Arguments of `data inspect`.
#[derive(Args)]
pub struct InspectArgs {
    /// Name of an imported data set.
    name: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs a subcommand.
pub fn run(home: &HomeArgs, command: DataCommand) -> Result<ExitCode> {
    let home = home.data()?;
    match command {
        DataCommand::Fetch(args) => {
            let options = ImportOptions { replace: args.replace, ..ImportOptions::default() };
            let dataset =
                datadiet_data::fetch(&args.name, &home, &options, &args.progress.drawer(None))?;
            describe(&dataset, args.output, Notes::Aside)?;
        }
        DataCommand::Import(args) => {
            let output = args.output;
            describe(&import(&home, args)?, output, Notes::Aside)?;
        }
        DataCommand::List(output) => list(&home, output)?,
        DataCommand::Inspect(args) => {
            let dataset = Dataset::open(&home, &args.name)?;
            dataset.verify()?;
            describe(&dataset, args.output, Notes::Within)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Imports a data set, or opens the same one where it has been imported.
pub fn import(home: &DataHome, args: ImportArgs) -> Result<Dataset> {
    let name = args.name.or_else(|| Some(args.path.file_stem()?.to_string_lossy().into_owned()));
    let name = name.ok_or_else(|| anyhow!("give the data set a name: --name NAME"))?;
    let options = ImportOptions {
        resize: args.resize,
        allow_empty_class: args.allow_empty_class,
        skip_broken: args.skip_broken,
        label: args.label,
        replace: args.replace,
    };
    let raw = datadiet_data::read(&args.path, args.format, &options, &args.progress.drawer(None))?;
    Ok(datadiet_data::write_cache(home, &name, &raw, &options)?)
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let parse = || {
        let (width, height) = text.split_once(['x', 'X', '×'])?;
        let side = |text: &str| text.trim().parse().ok().filter(|side| (1..=4096).contains(side));
        Some((side(width)?, side(height)?))
    };
    parse().ok_or_else(|| "a size is two numbers of pixels, such as 32x32".into())
}

#[derive(Serialize)]
struct Listed {
    name: String,
    train: Option<usize>,
    test: Option<usize>,
    classes: Option<usize>,
    shape: Option<[usize; 3]>,
    fingerprint: Option<String>,
    problem: Option<String>,
}

fn list(home: &DataHome, output: OutputArgs) -> Result<()> {
    let listed: Vec<Listed> = home.list().into_iter().map(listed).collect();
    output.answer(&listed, || {
        if listed.is_empty() {
            return format!(
                "no data sets yet; fetch one with `datadiet data fetch {}` or import your own with \
                 `datadiet data import PATH`",
                FETCHABLE.join("|")
            );
        }
        let number = |number: Option<usize>| number.map_or("–".into(), |n| grouped(n as u64));
        let row = |set: &Listed| {
            let shape = set.shape.map_or("–".into(), |[h, w, c]| format!("{h}×{w}×{c}"));
            let note = set.problem.clone().unwrap_or_default();
            let name = set.name.clone();
            vec![name, shape, number(set.train), number(set.test), number(set.classes), note]
        };
        let header = ["name", "shape", "train", "test", "classes", ""];
        table(&header, listed.iter().map(row).collect(), 2)
    })
}

fn listed(summary: datadiet_data::DatasetSummary) -> Listed {
    let (contents, problem) = match summary.contents {
        Ok(contents) => (Some(contents), None),
        Err(problem) => (None, Some(problem)),
    };
    let contents = contents.as_ref();
    Listed {
        name: summary.name,
        train: contents.map(|c| c.train),
        test: contents.and_then(|c| c.test),
        classes: contents.map(|c| c.classes),
        shape: contents.map(|c| c.shape),
        fingerprint: contents.map(|c| c.fingerprint.clone()),
        problem,
    }
}

#[derive(Serialize)]
struct Described<'a> {
    name: &'a str,
    path: String,
    source: &'a str,
    fingerprint: &'a str,
    shape: [usize; 3],
    mean: &'a [f32],
    std: &'a [f32],
    classes: Vec<ClassCount<'a>>,
    train: usize,
    test: Option<usize>,
    left_out: &'a [LeftOut],
    decided: &'a [String],
    test_also_train: Overlap,
}

#[derive(Serialize)]
struct ClassCount<'a> {
    class: &'a str,
    train: usize,
    test: Option<usize>,
}

/// Where the notes of the import go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notes {
    /// To standard error, whatever the output, and even if quiet: an import just happened.
    Aside,
    /// Among what is described.
    Within,
}

fn describe(dataset: &Dataset, output: OutputArgs, place: Notes) -> Result<()> {
    let notes = dataset.notes();
    let lines = notes.lines();
    if place == Notes::Aside {
        lines.iter().for_each(|line| eprintln!("{line}"));
    }
    let count = |split: Split<'_>, class: usize| {
        split.labels.iter().filter(|&&label| label as usize == class).count()
    };
    let classes = dataset.classes().iter().enumerate().map(|(index, class)| ClassCount {
        class,
        train: count(dataset.train(), index),
        test: dataset.test().map(|split| count(split, index)),
    });
    let described = Described {
        name: dataset.name(),
        path: dataset.path().display().to_string(),
        source: dataset.source(),
        fingerprint: dataset.fingerprint(),
        shape: [dataset.height(), dataset.width(), dataset.channels()],
        mean: dataset.mean(),
        std: dataset.std(),
        classes: classes.collect(),
        train: dataset.train().len(),
        test: dataset.test().map(|split| split.len()),
        left_out: &notes.left_out,
        decided: &notes.decided,
        test_also_train: notes.overlap.unwrap_or_default(),
    };
    output.answer(&described, || {
        let [h, w, c] = described.shape;
        let test = described.test.map_or(String::new(), |n| format!(", {} test", grouped(n as u64)));
        let rows = described.classes.iter().map(|class| {
            let test = class.test.map_or("–".into(), |n| grouped(n as u64));
            vec![class.class.to_owned(), grouped(class.train as u64), test]
        });
        let notes: String = match place {
            Notes::Aside => String::new(),
            Notes::Within => lines.iter().map(|line| format!("{line}\n")).collect(),
        };
        format!(
            "{}: {} training{test} images of {h}×{w}×{c}\nsource       {}\nfingerprint  {}\nmean, std    \
             {:.4?} {:.4?}\nfile         {}\n{notes}\n{}",
            described.name,
            grouped(described.train as u64),
            described.source,
            described.fingerprint,
            described.mean,
            described.std,
            described.path,
            table(&["class", "train", "test"], rows.collect(), 1),
        )
    })
}
