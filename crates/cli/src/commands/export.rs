//! `datadiet export`: scored examples for other programs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use datadiet_core::grouped;
use datadiet_exchange::out::{self, Written};
use datadiet_exchange::{Only, Outgoing, Wanted};
use datadiet_explore::{Contents, Source};
use datadiet_table::{ScoreFile, ScoreTable};

use crate::commands::explore;
use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::scores_file::{DataArgs, HardArgs, TURN};

/// Export examples and their scores to other programs.
///
/// Spreadsheets (csv), FiftyOne, Label Studio, COCO, YOLO and WebDataset get the examples with their scores, their
/// place among the suspects, what they are labelled as and what is predicted, what people marked and whether a subset
/// keeps them. What is said there comes back as marks: `datadiet marks`. Nothing is written over.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet export scores/demo --to csv --out suspects.csv --only suspects
  datadiet export scores/demo --to label-studio --out tasks         # tasks/tasks.json, tasks/config.xml
  datadiet export mine.parquet --to fiftyone --images ./photos --subset half.parquet --out for-fiftyone
  datadiet export mine.parquet --to coco --from instances.json --subset half.parquet --out kept.json
  datadiet export mine.parquet --to yolo --images ./images/train --subset half.parquet --out kept.txt
  datadiet export mine.parquet --to webdataset --from 'shards-{000..009}.tar' --subset half.parquet --out kept")]
pub struct ExportArgs {
    /// A scores.parquet, or the folder that holds one.
    scores: PathBuf,
    /// Which program or format.
    #[arg(long, value_enum)]
    to: Program,
    /// File (csv, coco, yolo) or folder (the others) to write.
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
    /// Which examples [default: suspects for label-studio; kept for coco, yolo and webdataset; else all].
    #[arg(long, value_parser = only())]
    only: Option<Only>,
    /// How many suspects, likeliest first [default: as many as look wrong].
    #[arg(short, long, value_name = "N")]
    n: Option<usize>,
    /// Column to suspect by, or several joined by `+` [default: as `datadiet suspects`].
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    #[command(flatten)]
    hard: HardArgs,
    /// Scores that go along, or all [default: what suspects are listed by].
    #[arg(long = "scores", value_name = "COLUMN", value_delimiter = ',')]
    columns: Vec<String>,
    /// Subset of `datadiet select`, or a list of ids.
    #[arg(long, value_name = "FILE")]
    subset: Option<PathBuf>,
    /// Marks of `datadiet explore` or `datadiet marks`; again for those of others.
    #[arg(long, value_name = "FILE")]
    marks: Vec<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    /// Folder of pictures that are named by the ids of the table, as paths or names, with or without ending.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["data", "text"])]
    images: Option<PathBuf>,
    /// Texts of the examples, by id, or one a row where the table has no ids: .txt, .jsonl, .json, .csv or .parquet.
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    text: Option<PathBuf>,
    /// Your COCO file, or shards of WebDataset ('shards-{000..009}.tar'; again for more), to filter.
    #[arg(long, value_name = "FILE")]
    from: Vec<String>,
    /// For label-studio: the address before the path of a picture below its folder [default: local files].
    #[arg(long, value_name = "PREFIX")]
    url: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// A program or format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    /// A file for spreadsheets.
    Csv,
    /// A folder: FiftyOneDataset.
    Fiftyone,
    /// A folder: tasks with predictions, and the labelling interface.
    LabelStudio,
    /// A file of images and annotations.
    Coco,
    /// A list of picture files for Ultralytics.
    Yolo,
    /// A folder of tar files.
    Webdataset,
}

fn only() -> impl TypedValueParser<Value = Only> {
    let values = Only::ALL.map(|(_, name, text)| PossibleValue::new(name).help(text));
    PossibleValuesParser::from(values).map(|name| {
        let found = Only::ALL.into_iter().find(|(_, known, _)| *known == name);
        found.map_or(Only::All, |(only, ..)| only)
    })
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: ExportArgs) -> Result<ExitCode> {
    // Before minutes of reading.
    out::refuse_existing(&args.out)?;
    let filters = matches!(args.to, Program::Coco | Program::Webdataset);
    ensure!(args.from.is_empty() || filters, "--from belongs to --to coco and --to webdataset");
    ensure!(
        args.url.is_none() || args.to == Program::LabelStudio,
        "--url belongs to --to label-studio"
    );
    args.check_contents()?;
    let (source, classes) = args.source(home)?;
    let table = ScoreTable::read(&args.scores)?;
    let contents = Contents::open(source, &table)?;
    let outgoing = Outgoing::new(&table, &args.wanted(classes))?;
    outgoing.notes.iter().for_each(|note| eprintln!("note: {note}"));
    let written = args.write(&outgoing, &contents)?;
    written.notes.iter().for_each(|note| eprintln!("note: {note}"));
    args.output.answer(&written, || {
        format!(
            "{} of {} examples to {}",
            grouped(written.examples as u64),
            grouped(table.rows() as u64),
            written.written.display()
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

impl ExportArgs {
    /// Refuses pictures and texts that the format has no use for.
    fn check_contents(&self) -> Result<()> {
        let given = match (&self.images, &self.text) {
            (Some(_), _) => "--images",
            (_, Some(_)) => "--text",
            (None, None) => return Ok(()),
        };
        ensure!(
            self.from.is_empty(),
            "{given} says what examples look like, and --from takes them as they are: leave one out"
        );
        let pictures = matches!(self.to, Program::Fiftyone | Program::Coco | Program::Yolo);
        ensure!(
            self.text.is_none() || !pictures,
            "--to {} is of pictures: --text belongs to --to csv, label-studio and webdataset",
            self.to.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
        );
        Ok(())
    }

    /// What examples look like, where the program wants to know.
    fn source(&self, home: &HomeArgs) -> Result<(Source, Option<Vec<String>>)> {
        let shows = self.to != Program::Csv && self.from.is_empty();
        let named = self.data.data.is_some() || self.images.is_some() || self.text.is_some();
        if !shows && !named {
            return Ok((Source::Table, None));
        }
        let scores = ScoreFile::open(&self.scores)?;
        explore::source(home, &self.data, self.images.as_deref(), self.text.as_deref(), &scores)
    }

    fn wanted(&self, classes: Option<Vec<String>>) -> Wanted {
        let default = match self.to {
            Program::LabelStudio => Only::Suspects,
            Program::Coco | Program::Yolo | Program::Webdataset => Only::Kept,
            Program::Csv | Program::Fiftyone => Only::All,
        };
        Wanted {
            only: self.only.unwrap_or(default),
            by: self.by.clone(),
            hard: self.hard.direction(),
            suspects: self.n,
            scores: self.columns.clone(),
            subset: self.subset.clone(),
            marks: self.marks.clone(),
            classes,
            turn: TURN,
        }
    }

    fn write(&self, outgoing: &Outgoing<'_>, contents: &Contents) -> Result<Written> {
        let to = &self.out;
        Ok(match self.to {
            Program::Csv => out::csv::write(outgoing, contents, to)?,
            Program::Fiftyone => out::fiftyone::write(outgoing, contents, to)?,
            Program::LabelStudio => {
                out::label_studio::write(outgoing, contents, self.url.as_deref(), to)?
            }
            Program::Coco => {
                ensure!(self.from.len() < 2, "--to coco takes one file --from");
                let from = self.from.first().map(PathBuf::from);
                out::coco::write(outgoing, contents, from.as_deref(), to)?
            }
            Program::Yolo => out::yolo::write(outgoing, contents, to)?,
            Program::Webdataset => {
                let shards = self.from.iter().map(|pattern| out::webdataset::expanded(pattern));
                let shards: Vec<Vec<String>> = shards.collect::<Result<_, _>>()?;
                let shards: Vec<PathBuf> =
                    shards.into_iter().flatten().map(PathBuf::from).collect();
                out::webdataset::write(outgoing, contents, &shards, to)?
            }
        })
    }
}
