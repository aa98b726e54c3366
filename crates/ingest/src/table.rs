//! From what was ingested to a table of scores with its card.

use std::path::PathBuf;

use datadiet_core::{ScoreKind, Task};
use datadiet_table::{
    Card, Column, IngestedFile, IngestedFiles, IngestedRun, KEY, Recorded, ScoreTable,
    TableBuilder, TableError, TimePoint,
};

use crate::{Ingested, Keys, Kind};

/// Scores that cannot become a table.
#[derive(Debug, thiserror::Error)]
pub enum IntoTableError {
    /// Columns do not fit each other.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Columns that were put aside cannot be read back.
    #[error("cannot read back what was put aside: {0}")]
    Aside(#[from] std::io::Error),
    /// Names of another number of classes.
    #[error("there are {names} names of classes, but {classes} classes; give one name a line")]
    ClassNames {
        /// Names given.
        names: usize,
        /// Classes found.
        classes: usize,
    },
}

impl Ingested {
    /// The table of all runs, with the mean over them where there are several. `given` are the
    /// folders and files that were asked for, `pass` says which pass of the network the values are of.
    ///
    /// It is made a column at a time: of one column the values of all runs are in memory at once.
    ///
    /// # Errors
    /// When names are of another number of classes, or a column cannot be read back.
    pub fn into_table(
        mut self,
        given: &[PathBuf],
        names: Option<&[String]>,
        pass: &str,
    ) -> Result<ScoreTable, IntoTableError> {
        let task = if self.kind == Kind::Losses { Task::Loss } else { Task::default() };
        let mut made = TableBuilder::of_task(task);
        made.push("id", Column::U32((0..self.examples() as u32).collect()))?;
        if !self.labels.is_empty() {
            made.push("label", Column::U32(self.labels.clone()))?;
            made.push("class", Column::Text(self.class_names(names)?))?;
        }
        if !self.keys.are_rows() {
            let keys = std::mem::replace(&mut self.keys, Keys::Integers(Vec::new()));
            made.push(KEY, keys.into_column())?;
        }
        for place in 0..self.columns.len() {
            let (kind, epoch) = self.columns[place];
            let seen = |&at: &i64| kind == ScoreKind::El2n && at == epoch;
            let predicted = self.predicted.iter().position(seen);
            let replicas = (0..self.runs.len()).map(|run| self.one_column(run, place, predicted));
            let replicas = replicas.collect::<std::io::Result<Vec<Recorded>>>()?;
            made.add_recorded(&replicas)?;
        }
        let (table, card) = made.finish(Some(pass));
        let runs: Vec<IngestedRun> = self.runs.iter().map(run_on_card).collect();
        let paths: Vec<String> = runs.iter().map(|run| run.path.display().to_string()).collect();
        let kind = self.kind.to_string();
        let card = Card {
            source: format!("{kind} recorded in {}", paths.join(", ")),
            replicas: Some(runs.len()),
            ingested: Some(IngestedFiles {
                kind,
                pass: pass.into(),
                given: given.to_vec(),
                runs,
                notes: self.notes.clone(),
            }),
            ..card
        };
        Ok(ScoreTable::new(table, card))
    }

    /// One column of one run, with the classes that it predicted at the same time if asked for.
    fn one_column(
        &mut self,
        run: usize,
        place: usize,
        predicted: Option<usize>,
    ) -> std::io::Result<Recorded> {
        let (kind, epoch) = self.columns[place];
        let time = TimePoint { epochs: epoch as f64, step: epoch.unsigned_abs() };
        let scores = vec![(kind.into(), time.clone(), self.column(run, place)?)];
        let predicted = match predicted {
            Some(place) => vec![(time, self.predictions(run, place)?)],
            None => Vec::new(),
        };
        Ok(Recorded { scores, predicted })
    }

    fn class_names(&self, names: Option<&[String]>) -> Result<Vec<String>, IntoTableError> {
        let Some(names) = names else {
            return Ok(self.labels.iter().map(u32::to_string).collect());
        };
        if names.len() != self.classes {
            let (names, classes) = (names.len(), self.classes);
            return Err(IntoTableError::ClassNames { names, classes });
        }
        Ok(self.labels.iter().map(|&label| names[label as usize].clone()).collect())
    }
}

fn run_on_card(run: &crate::IngestedRun) -> IngestedRun {
    IngestedRun {
        path: run.path.clone(),
        name: run.name.clone(),
        files: run.files.iter().map(file_on_card).collect(),
        rows: run.rows,
        epochs: run.epochs.clone(),
        missing: run.unseen.clone(),
    }
}

fn file_on_card(file: &crate::ReadFile) -> IngestedFile {
    IngestedFile { path: file.path.clone(), epochs: file.epochs, rows: file.rows }
}
