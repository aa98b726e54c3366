//! What people marked, and what that does to a choice.

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use datadiet_core::{ExampleId, grouped};
use datadiet_table::{MarkFile, Marks, RowIndex, ScoreTable, Verdict};
use serde::Serialize;

/// Options of marks.
#[derive(Args, Clone, Debug)]
pub struct MarksArgs {
    /// Marks of `datadiet explore` (marks.jsonl), of one person or, given again, of several: leave out what is
    /// marked as wrong or to drop, keep what is marked to keep.
    #[arg(long, value_name = "FILE")]
    marks: Vec<PathBuf>,
    /// Keep wrong labels whose right class is marked: train with the labels of `datadiet noise --from` then.
    #[arg(long, requires = "marks")]
    keep_relabelled: bool,
}

/// What is marked.
#[derive(Clone, Debug, Serialize)]
pub struct Marked {
    wrong: usize,
    dropped: usize,
    kept: usize,
    unsure: usize,
    /// Wrong labels that stay, since their right class is known.
    relabelled: usize,
    #[serde(skip)]
    left_out: Vec<u32>,
    #[serde(skip)]
    to_keep: Vec<u32>,
    /// What a person should know about them.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

impl MarksArgs {
    /// Whether there are some.
    pub fn are_given(&self) -> bool {
        !self.marks.is_empty()
    }

    /// Reads them for the rows of a table.
    ///
    /// # Errors
    /// When a file is none of marks, is of another data set, or marks nothing of the table.
    pub fn read(&self, table: &ScoreTable) -> Result<Option<Marked>> {
        if !self.are_given() {
            return Ok(None);
        }
        let ids = table.own_ids()?;
        let index = RowIndex::of(ids)?;
        let data = table.card().and_then(|card| card.data.as_ref());
        let (mut marks, mut damaged, mut assumptions) = (Marks::default(), 0, Vec::new());
        for path in &self.marks {
            let (file, acts) = MarkFile::read(path, data)?;
            damaged += file.damaged;
            assumptions.extend(file.assumption(ids));
            let before = (marks.unknown, marks.version());
            marks.add(acts, |id| index.find(ids, id));
            ensure!(
                marks.unknown == before.0 || marks.version() > before.1,
                "{} marks no example of this table: it is of another",
                path.display()
            );
        }
        let mut found = Marked {
            wrong: 0,
            dropped: 0,
            kept: 0,
            unsure: 0,
            relabelled: 0,
            left_out: Vec::new(),
            to_keep: Vec::new(),
            warnings: assumptions,
        };
        for (row, act) in marks.marked() {
            match act.mark {
                Some(Verdict::Wrong) if self.keep_relabelled && act.label.is_some() => {
                    found.relabelled += 1;
                }
                Some(Verdict::Wrong) => {
                    found.wrong += 1;
                    found.left_out.push(row.0);
                }
                Some(Verdict::Drop) => {
                    found.dropped += 1;
                    found.left_out.push(row.0);
                }
                Some(Verdict::Keep) => {
                    found.kept += 1;
                    found.to_keep.push(row.0);
                }
                Some(Verdict::Unsure) => found.unsure += 1,
                None => {}
            }
        }
        let disputed = marks.disputed().len();
        let mut warn = |text: String| found.warnings.push(text);
        if disputed > 0 {
            warn(format!(
                "people say different things of {disputed} examples: the latest mark of each counts"
            ));
        }
        if marks.unknown > 0 {
            warn(format!(
                "{} marked ids are not in this table: they are left aside",
                marks.unknown
            ));
        }
        if damaged > 0 {
            warn(format!(
                "{damaged} lines are no marks, as a crash may leave one: they are left aside"
            ));
        }
        Ok(Some(found))
    }
}

impl Marked {
    /// The examples to choose from: `scored`, where those are not all, without what is to be left out.
    pub fn left(&self, scored: Option<Vec<ExampleId>>, examples: usize) -> Vec<ExampleId> {
        let all = scored.unwrap_or_else(|| (0..examples as u32).map(ExampleId).collect());
        all.into_iter().filter(|id| self.left_out.binary_search(&id.0).is_err()).collect()
    }

    /// Adds what is to be kept to a choice, which stays ascending.
    pub fn add_kept(&self, ids: &mut Vec<ExampleId>) {
        ids.extend(self.to_keep.iter().map(|&row| ExampleId(row)));
        ids.sort_unstable();
        ids.dedup();
    }
}

impl fmt::Display for Marked {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: usize| grouped(number as u64);
        write!(
            to,
            "marked: {} wrong and {} to drop are left out, {} stay",
            count(self.wrong),
            count(self.dropped),
            count(self.kept + self.relabelled)
        )
    }
}
