//! What an import reports: its sources, what was missing in them, the columns.

use std::path::PathBuf;

use datadiet_ingest::IngestedRun;
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
    /// The runs, in order.
    pub runs: Vec<RunReport>,
}

/// One run.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// The folder or file.
    pub path: PathBuf,
    /// Number of files.
    pub files: usize,
    /// Rows read.
    pub rows: u64,
    /// Epochs, as the files number them.
    pub epochs: Vec<i64>,
    /// How many examples each epoch missed.
    pub missing: Vec<u32>,
}

impl RunReport {
    /// What was found in a run.
    pub fn of(run: &IngestedRun) -> Self {
        Self {
            path: run.path.clone(),
            files: run.files,
            rows: run.rows,
            epochs: run.epochs.clone(),
            missing: run.unseen.clone(),
        }
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
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        format!(
            "{}\n\nread      {} rows of {}: {} examples, {} classes, {epochs}, {} run{}\nwritten   {}",
            table(&header, shown.map(summary_row).collect(), 2),
            grouped(rows),
            self.ingested.kind,
            grouped(self.examples as u64),
            grouped(self.classes as u64),
            self.replicas,
            if self.replicas == 1 { "" } else { "s" },
            files.join("\n          "),
        )
    }
}
