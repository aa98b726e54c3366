//! A table of scores on disk, and which of its columns are what.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use datadiet_core::{Direction, ScoreKind};
use datadiet_data::Dataset;
use datadiet_lab::ColumnSummary;
use datadiet_lab::ranking::{kind_of, resolved};
use datadiet_store::RunSpec;
use datadiet_table::{Column, Table, TableFile, is_detail};

use crate::home::HomeArgs;

/// Classes that a table may have: above this a label is taken for a mistake.
const MOST_CLASSES: usize = 1 << 20;

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
        Ok(Self::of(Table::read(&located(path)?)?))
    }

    fn of(table: Table) -> Self {
        let report =
            table.metadata.get("datadiet").and_then(|text| serde_json::from_str(text).ok());
        Self { table, report: report.unwrap_or_default() }
    }

    /// Names of the columns of scores: means over replicas, without standard errors and replicas.
    pub fn names(&self) -> Vec<&str> {
        let is_score = |name: &&str| {
            let floats = matches!(self.table.column(name), Some(Column::F32(_)));
            floats && !is_detail(name)
        };
        self.table.names().filter(is_score).collect()
    }

    /// Names of the columns to work on: those asked for (`el2n@end` is the latest of EL2N), or all
    /// scores.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn chosen(&self, asked: &[String]) -> Result<Vec<String>> {
        if asked.is_empty() {
            return Ok(self.names().into_iter().map(str::to_owned).collect());
        }
        Ok(asked.iter().map(|name| resolved(&self.table, name)).collect::<Result<_, _>>()?)
    }

    /// The column named (`el2n@end` is the latest of EL2N), else EL2N at its latest time, else the
    /// last score.
    pub fn column_or_default(&self, asked: Option<&str>) -> Result<String> {
        if let Some(name) = asked {
            return Ok(resolved(&self.table, name)?);
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

    /// The data set that the scores were taken on, or the one `named`, checked to be the same.
    ///
    /// # Errors
    /// When it is unknown, not imported, or another now.
    pub fn dataset(&self, home: &HomeArgs, named: Option<&str>) -> Result<Dataset> {
        let spec = self.spec();
        let own = spec.as_ref().map(|spec| spec.data.name.as_str());
        let name =
            named.or(own).context("which data set do the scores belong to? Give --data NAME")?;
        let dataset = Dataset::open(&home.data()?, name)?;
        if let Some(spec) = &spec {
            ensure!(
                spec.data.fingerprint == dataset.fingerprint(),
                "the scores were taken on another version of {name} than the one imported now; \
                 import that one, or score this one"
            );
        }
        Ok(dataset)
    }

    /// How many replicas the scores are means of, where that is known.
    pub fn replicas(&self) -> Option<usize> {
        self.report["replicas"].as_u64().map(|count| count as usize)
    }

    /// Names of the classes, by label; numbers where the table has none.
    pub fn classes(&self) -> Vec<String> {
        let Ok(labels) = self.table.integers("label") else { return Vec::new() };
        let count = labels.iter().max().map_or(0, |&most| most as usize + 1).min(MOST_CLASSES);
        let mut names: Vec<String> = (0..count).map(|class| class.to_string()).collect();
        if let Some(Column::Text(classes)) = self.table.column("class") {
            for (&label, class) in labels.iter().zip(classes) {
                match names.get_mut(label as usize) {
                    Some(name) if name != class => name.clone_from(class),
                    _ => {}
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

/// A table of scores of which no rows have been read.
pub struct ScoresFile {
    /// What is known without its rows.
    pub header: Scores,
    file: TableFile,
}

impl ScoresFile {
    /// Opens a table, or the one in a folder.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TableFile::open(&located(path)?)?;
        Ok(Self { header: Scores::of(file.header().clone()), file })
    }

    /// Number of examples.
    pub fn rows(&self) -> usize {
        self.file.rows()
    }

    /// Reads some columns.
    ///
    /// # Errors
    /// When there is none of a name, or the file is damaged.
    pub fn read(&self, columns: &[&str]) -> Result<Table> {
        Ok(self.file.read(columns)?)
    }

    /// Checks that the table is of a whole training set: its ids, where it has some, are the
    /// numbers of its rows.
    ///
    /// # Errors
    /// When they are not.
    pub fn check_whole(&self) -> Result<()> {
        ensure!(
            self.header.table.column("id").is_none() || self.file.numbers_rows("id")?,
            "the ids of the table are not 0, 1, 2, …: it is not the table of a whole training set, \
             in order; sort it by id, or take the table that it was made from"
        );
        Ok(())
    }

    /// Names of the classes of these labels; numbers where the table has none.
    ///
    /// # Errors
    /// When a label is too large to be one, or the file is damaged.
    pub fn classes(&self, labels: &[u32]) -> Result<Vec<String>> {
        let count = labels.iter().max().map_or(0, |&most| most as usize + 1);
        ensure!(count <= MOST_CLASSES, "a label of the table is {}: no class's index", count - 1);
        let named = matches!(self.header.table.column("class"), Some(Column::Text(_)));
        let mut names: Vec<String> = (0..count).map(|class| class.to_string()).collect();
        if named {
            for (label, name) in self.file.texts_by("label", "class")? {
                names[label as usize] = name;
            }
        }
        Ok(names)
    }
}

/// The file of a table that was asked for, or the one in a folder.
fn located(path: &Path) -> Result<PathBuf> {
    let file = if path.is_dir() { path.join("scores.parquet") } else { path.to_owned() };
    let parquet = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"));
    ensure!(
        parquet || !file.is_file(),
        "{} is no table of scores: give the folder of the results, or its scores.parquet",
        file.display()
    );
    if !file.exists() {
        bail!(
            "there is no {}; `datadiet score` writes its table to scores/DATA-MODEL-ID, `datadiet \
             ingest` to scores/NAME-ID",
            file.display()
        );
    }
    Ok(file)
}

/// Which end of a column is hard; higher, where the score is not one of ours.
pub fn direction_of(column: &str) -> Direction {
    kind_of(column).map_or(Direction::HigherIsHarder, ScoreKind::direction)
}
