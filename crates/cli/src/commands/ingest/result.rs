//! What an import reports: the table's card, and what was written.

use std::path::PathBuf;

use datadiet_core::grouped;
use datadiet_lab::text::table;
use datadiet_table::{Card, IngestedFile, IngestedRun};
use serde::Serialize;

use crate::output::column_row;

/// Files that the report for people lists of a run.
const FILES_LISTED: usize = 6;

/// The content of `scores.json`: the card of the table, and more.
#[derive(Clone, Debug, Serialize)]
pub struct IngestReport {
    /// Where the scores come from.
    #[serde(flatten)]
    pub card: Card,
    /// Number of examples.
    pub examples: usize,
    /// Number of classes; 0 of losses without labels.
    pub classes: usize,
    /// Files written.
    pub files: Vec<PathBuf>,
}

impl IngestReport {
    /// For people.
    pub fn text(&self) -> String {
        let card = &self.card;
        let last = card.times.last();
        let shown = card.columns.iter().filter(|column| Some(&column.time) == last);
        let header = ["score", "hard is", "mean", "min", "max", "reliability"];
        let runs = card.ingested.as_ref().map_or(&[][..], |read| &read.runs);
        let rows: u64 = runs.iter().map(|run| run.rows).sum();
        let epochs = runs.first().map_or(&[][..], |run| &run.epochs);
        let epochs = match epochs {
            [one] => format!("epoch {one}"),
            [first, .., last] => format!("{} epochs ({first} to {last})", epochs.len()),
            [] => "no epochs".into(),
        };
        let listed = runs.iter().take(FILES_LISTED).zip(1..);
        let listed: Vec<String> = listed.map(|(run, number)| lines(run, number)).collect();
        let classes = match self.classes {
            0 => String::new(),
            classes => format!(" {} classes,", grouped(classes as u64)),
        };
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        format!(
            "{}\n\nread      {} rows of {}: {} examples,{classes} {epochs}, {} run{}\n{}\nwritten   {}",
            table(&header, shown.map(column_row).collect(), 2),
            grouped(rows),
            card.ingested.as_ref().map_or("", |read| &read.kind),
            grouped(self.examples as u64),
            runs.len(),
            if runs.len() == 1 { "" } else { "s" },
            listed.join("\n"),
            files.join("\n          "),
        )
    }
}

/// How the files of a run were understood.
fn lines(run: &IngestedRun, number: usize) -> String {
    let name = if run.name.is_empty() { String::new() } else { format!(" ({})", run.name) };
    let mut lines: Vec<String> = run.files.iter().take(FILES_LISTED).map(line).collect();
    if run.files.len() > FILES_LISTED {
        lines.push(format!("… {} files", run.files.len()));
    }
    format!("run {number}{name}   {}", lines.join("\n          "))
}

fn line(file: &IngestedFile) -> String {
    let epochs = match file.epochs {
        Some((first, last)) if first == last => format!("epoch {first}"),
        Some((first, last)) => format!("epochs {first} to {last}"),
        None => "a step".into(),
    };
    format!("{}: {epochs}, {} rows", file.path.display(), grouped(file.rows))
}
