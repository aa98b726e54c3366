//! `datadiet marks`: what people said in other programs, as marks.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use datadiet_core::grouped;
use datadiet_exchange::back::{self, About, Marked};
use datadiet_table::{MarkFile, ScoreTable};

use crate::commands::explore::account;
use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::scores_file::DataArgs;

/// Take what people said in other programs, as marks.
///
/// Of completed tasks of Label Studio, a data set that was exported from FiftyOne, or a file of commas that was filled
/// in, each made by `datadiet export`: another class is a wrong label and the right one, the given class says that the
/// label is right, and wrong, drop, keep and unsure are what they say. Marks are added to a file like that of `datadiet
/// explore`; `datadiet select --marks` makes subsets of them and `datadiet noise --from` labels. The same file again
/// adds nothing.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet marks project-1.json --from label-studio --scores scores/demo
  datadiet marks suspects.csv --from csv --scores scores/demo --as ann
  datadiet marks from-fiftyone --from fiftyone --scores mine.parquet --out marks.jsonl
  datadiet select scores/demo --marks scores/demo/marks.jsonl --out clean.parquet")]
pub struct MarksArgs {
    /// Files that came back, or folders of FiftyOne.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What they come from.
    #[arg(long, value_enum)]
    from: Program,
    /// The scores that were exported: a scores.parquet, or the folder that holds one.
    #[arg(long, value_name = "SCORES")]
    scores: PathBuf,
    /// File of marks to add to [default: marks.jsonl beside the scores].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Who said it, where the file does not say [default: the name of the account].
    #[arg(long, value_name = "NAME")]
    r#as: Option<String>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// A program or format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Program {
    /// A file of commas whose columns `mark` and `right_label` were filled in.
    Csv,
    /// Other labels in `ground_truth`, and the tags wrong, drop, keep, unsure.
    Fiftyone,
    /// Completed tasks, exported as JSON.
    LabelStudio,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: MarksArgs) -> Result<ExitCode> {
    ensure!(
        args.r#as.is_none() || args.from != Program::LabelStudio,
        "Label Studio says who said what: leave out --as"
    );
    let table = ScoreTable::read(&args.scores)?;
    let classes = args.classes(home, &table)?;
    let about = About::of(&table, classes.as_deref())?;
    let who = args.r#as.clone().unwrap_or_else(account);
    // All are read before anything is written.
    let read = args.files.iter().map(|file| match args.from {
        Program::Csv => back::csv::read(&about, file, &who),
        Program::Fiftyone => back::fiftyone::read(&about, file, &who),
        Program::LabelStudio => back::label_studio::read(&about, file),
    });
    let read = read.collect::<Result<Vec<_>, _>>()?;
    let to = args.out.clone().unwrap_or_else(|| MarkFile::beside(&args.scores));
    let marked = back::write(&about, read, args.from != Program::LabelStudio, &to)?;
    marked.notes.iter().for_each(|note| eprintln!("note: {note}"));
    args.output.answer(&marked, || text(&marked))?;
    Ok(ExitCode::SUCCESS)
}

impl MarksArgs {
    /// Names of the classes in the data set that was named, once it is known to be that of the scores.
    fn classes(&self, home: &HomeArgs, table: &ScoreTable) -> Result<Option<Vec<String>>> {
        if self.data.data.is_none() {
            return Ok(None);
        }
        let dataset = self.data.open(home, table)?;
        table.examples_in(&self.data.training_set(&dataset))?;
        Ok(Some(dataset.classes().to_vec()))
    }
}

fn text(marked: &Marked) -> String {
    let count = |number: usize| grouped(number as u64);
    let also = |number: usize, what: &str| match number {
        0 => String::new(),
        number => format!("\n{} {what}", count(number)),
    };
    let new = marked.wrong + marked.drop + marked.keep + marked.unsure;
    let told = match new {
        0 => format!("nothing new for {}", marked.marks.display()),
        _ => format!(
            "{} wrong ({} with the right class), {} to drop, {} to keep, {} unsure: added to {}",
            count(marked.wrong),
            count(marked.relabelled),
            count(marked.drop),
            count(marked.keep),
            count(marked.unsure),
            marked.marks.display(),
        ),
    };
    let known = also(marked.known, "answers are in it already");
    format!("{told}{known}{}", also(marked.silent, "examples have no answer"))
}
