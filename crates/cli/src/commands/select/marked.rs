//! Options of marks.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use datadiet_table::{Marked, ScoreTable};

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
        let read = || Marked::read(table, &self.marks, self.keep_relabelled);
        Ok(self.are_given().then(read).transpose()?)
    }
}
