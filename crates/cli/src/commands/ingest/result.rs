//! What an import reports: its sources, what was missing in them, the columns.

use std::path::PathBuf;

use datadiet_ingest::{IngestedRun, ReadFile};
use datadiet_lab::{ColumnSummary, TimePoint};
use serde::Serialize;

use crate::commands::score::summary_row;
use crate::output::{grouped, table};

/// The content of `scores.json`; without `files` it is the table's metadata.
#[derive(Clone, Debug, Serialize)]
pub struct IngestReport {
    /// Version of the program that wrote it.
    pub datadiet: String,
    /// Where the scores came from, in words.
    pub source: String,
    /// Number of runs.
    pub replicas: usize,
    /// Number of examples.
    pub examples: usize,
    /// Number of classes.
    pub classes: usize,
    /// What was read.
    pub ingested: IngestedFiles,
    /// Times of the columns.
    pub times: Vec<TimePoint>,
    /// Every score column.
    pub columns: Vec<ColumnSummary>,
    /// Files written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
}

/// What was read.
#[derive(Clone, Debug, Serialize)]
pub struct IngestedFiles {
    /// "logits" or "probabilities".
    pub kind: String,
    /// The pass that the values come from, as the user says.
    pub pass: String,
    /// What was given: folders and files.
    pub given: Vec<PathBuf>,
    /// The runs, in order.
    pub runs: Vec<RunReport>,
    /// How names were understood, what was left out, what was changed.
    pub notes: Vec<String>,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The folder or file.
    pub path: PathBuf,
    /// What tells it from the other runs of the same path; empty where it is the only one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its files, in the order in which they were read.
    pub files: Vec<FileReport>,
    /// Rows read.
    pub rows: u64,
    /// Epochs, as the files number them.
    pub epochs: Vec<i64>,
    /// How many examples each epoch missed.
    pub missing: Vec<u32>,
}

/// One file, and how it was understood.
#[derive(Clone, Debug, Serialize)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Its first and last epoch; `None` where steps were counted.
    pub epochs: Option<(i64, i64)>,
    /// Rows read.
    pub rows: u64,
}

impl RunReport {
    /// What was found in a run.
    pub fn of(run: &IngestedRun) -> Self {
        Self {
            path: run.path.clone(),
            name: run.name.clone(),
            files: run.files.iter().map(FileReport::of).collect(),
            rows: run.rows,
            epochs: run.epochs.clone(),
            missing: run.unseen.clone(),
        }
    }
}

impl FileReport {
    fn of(file: &ReadFile) -> Self {
        Self { path: file.path.clone(), epochs: file.epochs, rows: file.rows }
    }

    /// For people: which epochs it is of.
    fn line(&self) -> String {
        let epochs = match self.epochs {
            Some((first, last)) if first == last => format!("epoch {first}"),
            Some((first, last)) => format!("epochs {first} to {last}"),
            None => "a step".into(),
        };
        format!("{}: {epochs}, {} rows", self.path.display(), grouped(self.rows))
    }
}

/// Files that the report for people lists of a run.
const FILES_LISTED: usize = 6;

impl RunReport {
    /// For people: how its files were understood.
    fn lines(&self, run: usize) -> String {
        let name = if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) };
        let mut lines: Vec<String> =
            self.files.iter().take(FILES_LISTED).map(FileReport::line).collect();
        if self.files.len() > FILES_LISTED {
            lines.push(format!("… {} files", self.files.len()));
        }
        format!("run {run}{name}   {}", lines.join("\n          "))
    }
}

impl IngestReport {
    /// For people.
    pub fn text(&self) -> String {
        let last = self.times.last();
        let shown = self.columns.iter().filter(|column| Some(&column.time) == last);
        let header = ["score", "hard is", "mean", "min", "max", "reliability"];
        let rows: u64 = self.ingested.runs.iter().map(|run| run.rows).sum();
        let epochs = self.ingested.runs.first().map_or(&[][..], |run| &run.epochs);
        let epochs = match epochs {
            [one] => format!("epoch {one}"),
            [first, .., last] => format!("{} epochs ({first} to {last})", epochs.len()),
            [] => "no epochs".into(),
        };
        let runs = self.ingested.runs.iter().take(FILES_LISTED).zip(1..);
        let runs: Vec<String> = runs.map(|(run, number)| run.lines(number)).collect();
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        format!(
            "{}\n\nread      {} rows of {}: {} examples, {} classes, {epochs}, {} run{}\n{}\nwritten   {}",
            table(&header, shown.map(summary_row).collect(), 2),
            grouped(rows),
            self.ingested.kind,
            grouped(self.examples as u64),
            grouped(self.classes as u64),
            self.replicas,
            if self.replicas == 1 { "" } else { "s" },
            runs.join("\n"),
            files.join("\n          "),
        )
    }
}
