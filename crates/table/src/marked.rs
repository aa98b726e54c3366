//! What marks of people do to a choice: what is left out, what always stays.

use std::fmt;
use std::path::Path;

use datadiet_core::{
    Candidates, Choice, Chosen, ClassShare, Classes, ExampleId, Scores, SelectionError,
    class_shares, grouped,
};
use serde::Serialize;

use crate::{Marks, ScoreTable, TableError, Verdict};

/// The marked rows of a table, as a choice reads them.
#[derive(Clone, Debug, Default, Serialize)]
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

impl Marked {
    /// Reads the files of one person or of several for the rows of a table. Wrong labels whose right class is marked
    /// stay where `keep_relabelled` is true.
    ///
    /// # Errors
    /// When a file is none of marks, is of another data set, or marks nothing of the table.
    pub fn read<P: AsRef<Path>>(
        table: &ScoreTable,
        paths: &[P],
        keep_relabelled: bool,
    ) -> Result<Self, TableError> {
        let (marks, warnings) = Marks::of_table(table, paths)?;
        Ok(Self { warnings, ..Self::of(&marks, keep_relabelled) })
    }

    /// The same of marks that are read.
    pub fn of(marks: &Marks, keep_relabelled: bool) -> Self {
        let mut found = Self::default();
        for (row, act) in marks.marked() {
            match act.mark {
                Some(Verdict::Wrong) if keep_relabelled && act.label.is_some() => {
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
        found
    }
}

/// The rows that a choice is made among, and what people say about them.
#[derive(Clone, Debug)]
pub struct AmongMarked<'a> {
    rows: usize,
    /// Where those are not all rows.
    candidates: Option<Vec<ExampleId>>,
    marked: Option<&'a Marked>,
}

impl<'a> AmongMarked<'a> {
    /// The rows with a score, `scored` where those are not all, without what is marked to be left out.
    ///
    /// # Errors
    /// When that is all of them.
    pub fn new(
        rows: usize,
        scored: Option<Vec<ExampleId>>,
        marked: Option<&'a Marked>,
    ) -> Result<Self, SelectionError> {
        let left = |marked: &Marked| {
            let all = scored.clone().unwrap_or_else(|| (0..rows as u32).map(ExampleId).collect());
            let is_left = |id: &ExampleId| marked.left_out.binary_search(&id.0).is_err();
            all.into_iter().filter(is_left).collect()
        };
        let candidates: Option<Vec<_>> = marked.map(left).or(scored);
        if candidates.as_ref().is_some_and(Vec::is_empty) {
            return Err(SelectionError::AllLeftOut);
        }
        Ok(Self { rows, candidates, marked })
    }

    /// What is chosen from.
    pub fn candidates(&self) -> Candidates<'_> {
        self.candidates.as_ref().map_or(Candidates::All(self.rows), Candidates::from)
    }

    /// Chooses, all where no choice is given, and adds what is marked to keep.
    ///
    /// # Errors
    /// When the choice cannot be made.
    pub fn choose(
        &self,
        choice: Option<&Choice>,
        scores: Option<Scores<'_>>,
        classes: Option<Classes<'_>>,
    ) -> Result<Chosen, SelectionError> {
        let mut chosen = match choice {
            Some(choice) => choice.among(self.candidates(), scores, classes)?,
            None => {
                let all = || (0..self.rows as u32).map(ExampleId).collect();
                Chosen { ids: self.candidates.clone().unwrap_or_else(all), shares: Vec::new() }
            }
        };
        if let Some(marked) = self.marked {
            chosen.ids.extend(marked.to_keep.iter().map(|&row| ExampleId(row)));
            chosen.ids.sort_unstable();
            chosen.ids.dedup();
            let all = ClassShare { class: 0, kept: chosen.ids.len(), of: self.rows };
            chosen.shares =
                classes.map_or_else(|| vec![all], |classes| class_shares(&chosen.ids, classes));
        }
        Ok(chosen)
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
