//! A table of scores on disk, and which of its columns are what.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::Args;
use datadiet_core::{Direction, ScoreKind};
use datadiet_lab::ColumnSummary;
use datadiet_lab::ranking::kind_of;
use datadiet_store::{Column, RunSpec, Table};

/// Where the table is.
#[derive(Args)]
pub struct FileArgs {
    /// A scores.parquet, or the folder that holds one.
    file: PathBuf,
}

impl FileArgs {
    /// Reads the table.
    pub fn read(&self) -> Result<Scores> {
        Scores::read(&self.file)
    }
}

/// A table of scores.
pub struct Scores {
    /// The table.
    pub table: Table,
    /// What `datadiet score` reported about it; null in a table from elsewhere.
    pub report: serde_json::Value,
}

impl Scores {
    /// Reads a table, or the one in a folder.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        let file = if path.is_dir() { path.join("scores.parquet") } else { path.to_owned() };
        if !file.exists() {
            bail!(
                "there is no {}; `datadiet score` writes its table to scores/DATA-MODEL-ID",
                file.display()
            );
        }
        let table = Table::read(&file)?;
        let report =
            table.metadata.get("datadiet").and_then(|text| serde_json::from_str(text).ok());
        Ok(Self { table, report: report.unwrap_or_default() })
    }

    /// Names of the columns of scores: means over replicas, without standard errors and replicas.
    pub fn names(&self) -> Vec<&str> {
        let is_score = |name: &&str| {
            let floats = matches!(self.table.column(name), Some(Column::F32(_)));
            floats && !is_detail(name)
        };
        self.table.names().filter(is_score).collect()
    }

    /// Names of the columns to work on: those asked for, or all scores.
    pub fn chosen<'s>(&'s self, asked: &'s [String]) -> Result<Vec<&'s str>> {
        for name in asked {
            self.table.floats(name)?;
        }
        if asked.is_empty() {
            Ok(self.names())
        } else {
            Ok(asked.iter().map(String::as_str).collect())
        }
    }

    /// The column named, else EL2N at its latest time, else the last score.
    pub fn column_or_default(&self, asked: Option<&str>) -> Result<String> {
        if let Some(name) = asked {
            self.table.floats(name)?;
            return Ok(name.into());
        }
        let names = self.names();
        let el2n = names.iter().rev().find(|name| kind_of(name) == Some(ScoreKind::El2n));
        match el2n.or(names.last()) {
            Some(name) => Ok((*name).into()),
            None => bail!("the table has no column of scores"),
        }
    }

    /// What the report says about a column.
    pub fn reported(&self, name: &str) -> Option<&serde_json::Value> {
        self.report["columns"].as_array()?.iter().find(|column| column["name"] == name)
    }

    /// What the report says about a column, as it was summarised; none in a table from elsewhere.
    pub fn summary(&self, name: &str) -> Option<ColumnSummary> {
        serde_json::from_value(self.reported(name)?.clone()).ok()
    }

    /// The trainings behind the table; none in a table from elsewhere.
    pub fn spec(&self) -> Option<RunSpec> {
        serde_json::from_value(self.report["spec"].clone()).ok()
    }

    /// How many replicas the scores are means of, where that is known.
    pub fn replicas(&self) -> Option<usize> {
        self.report["replicas"].as_u64().map(|count| count as usize)
    }

    /// Names of the classes, by label; numbers where the table has none.
    pub fn classes(&self) -> Vec<String> {
        let Ok(labels) = self.table.integers("label") else { return Vec::new() };
        let count = labels.iter().max().map_or(0, |&most| most as usize + 1);
        let mut names: Vec<String> = (0..count).map(|class| class.to_string()).collect();
        if let Some(Column::Text(classes)) = self.table.column("class") {
            for (&label, class) in labels.iter().zip(classes) {
                if names[label as usize] != *class {
                    names[label as usize].clone_from(class);
                }
            }
        }
        names
    }

    /// Ids of the examples: the column `id`, or the row numbers.
    pub fn ids(&self) -> Vec<u32> {
        match self.table.integers("id") {
            Ok(ids) => ids.to_vec(),
            Err(_) => (0..self.table.rows() as u32).collect(),
        }
    }
}

/// Which end of a column is hard; higher, where the score is not one of ours.
pub fn direction_of(column: &str) -> Direction {
    kind_of(column).map_or(Direction::HigherIsHarder, ScoreKind::direction)
}

/// Whether a column is a standard error (`….se`) or one replica (`….r3`).
fn is_detail(name: &str) -> bool {
    let Some((_, suffix)) = name.rsplit_once('.') else { return false };
    let digits = suffix.strip_prefix('r').unwrap_or_default();
    suffix == "se" || (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_told_from_fractions_of_an_epoch() {
        assert!(is_detail("el2n@0.5.se") && is_detail("el2n@4.r12"));
        assert!(!is_detail("el2n@0.5") && !is_detail("mine.rank"));
    }
}
