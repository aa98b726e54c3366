//! A table of examples, one row each, as Parquet.
//!
//! Floats are 32-bit; NaN ("not seen", "not defined") is stored as null and read back as NaN. Ids and
//! labels are unsigned, of 32 bits. Tables from elsewhere may hold wider numbers: floats are
//! rounded, integers must fit. Metadata is a map of strings in the file's footer.
//!
//! A [`Table`] is in memory as a whole. For large ones a [`TableFile`] reads the columns that are
//! needed, and a [`TableWriter`] makes them as they are written.

mod arrow;
mod batch;
mod details;
mod file;
mod shared_file;
mod writer;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use crate::TableError;
pub use details::is_detail;
pub use file::TableFile;
pub use writer::TableWriter;

/// Name of the column of ids that are not 0, 1, 2, …: large, with gaps, or texts.
pub const KEY: &str = "key";

/// Name of the column of texts of tokens, in a table whose rows are tokens.
pub const TOKEN: &str = "token";

/// Rows of examples with named columns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// What the columns mean and where they come from.
    pub metadata: BTreeMap<String, String>,
    columns: Vec<(String, Column)>,
}

/// The values of one column.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Scores; NaN where there is none.
    F32(Vec<f32>),
    /// Ids, labels and flags (0 and 1).
    U32(Vec<u32>),
    /// Names.
    Text(Vec<String>),
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of some rows.
    pub fn slice(&self, rows: Range<usize>) -> Self {
        match self {
            Self::F32(values) => Self::F32(values[rows].to_vec()),
            Self::U32(values) => Self::U32(values[rows].to_vec()),
            Self::Text(values) => Self::Text(values[rows].to_vec()),
        }
    }
}

impl Table {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, column)| column.len())
    }

    /// Names of the columns, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|(name, _)| name.as_str())
    }

    /// Adds a column.
    ///
    /// # Errors
    /// When the name is taken or the length differs from the other columns'.
    pub fn push(&mut self, name: impl Into<String>, column: Column) -> Result<(), TableError> {
        let name = name.into();
        if self.column(&name).is_some() {
            return Err(TableError::Column(format!("two columns are named {name}")));
        }
        if !self.columns.is_empty() && column.len() != self.rows() {
            let (found, expected) = (column.len(), self.rows());
            return Err(TableError::Column(format!(
                "column {name} has {found} rows, the table has {expected}"
            )));
        }
        self.columns.push((name, column));
        Ok(())
    }

    /// A column by name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, column)| column)
    }

    /// The id that an example had where its scores came from, in a table whose own ids (0, 1, 2, …)
    /// stand for others: the column `key`.
    pub fn key(&self, row: usize) -> Option<String> {
        match self.column(KEY)? {
            Column::U32(keys) => keys.get(row).map(u32::to_string),
            Column::Text(keys) => keys.get(row).cloned(),
            Column::F32(_) => None,
        }
    }

    /// A column of floats by name.
    ///
    /// # Errors
    /// When there is none; the message names the nearest, and some others.
    pub fn floats(&self, name: &str) -> Result<&[f32], TableError> {
        match self.column(name) {
            Some(Column::F32(values)) => Ok(values),
            _ => Err(self.missing(name, "score column", |c| matches!(c, Column::F32(_)))),
        }
    }

    /// A column of whole numbers by name.
    ///
    /// # Errors
    /// When there is none.
    pub fn integers(&self, name: &str) -> Result<&[u32], TableError> {
        match self.column(name) {
            Some(Column::U32(values)) => Ok(values),
            _ => {
                let whole = |column: &Column| matches!(column, Column::U32(_));
                Err(self.missing(name, "column of whole numbers", whole))
            }
        }
    }

    fn missing(&self, name: &str, what: &str, fits: impl Fn(&Column) -> bool) -> TableError {
        let fitting = self.columns.iter().filter(|(_, column)| fits(column));
        let all: Vec<&str> = fitting.map(|(name, _)| name.as_str()).collect();
        TableError::Column(details::missing(name, what, &all))
    }

    /// Writes the table atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TableError> {
        let mut writer = TableWriter::new(self.rows());
        writer.metadata.clone_from(&self.metadata);
        for (name, column) in &self.columns {
            writer.push(name, |rows| column.slice(rows));
        }
        writer.write(path)
    }

    /// Reads a table. Columns of other types than numbers and text are left out.
    ///
    /// # Errors
    /// As [`TableFile::open`] and [`TableFile::read`].
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let file = TableFile::open(path)?;
        file.read(&file.header().names().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Table {
        let mut table = Table::default();
        table.metadata.insert("about".into(), "a test".into());
        table.push("id", Column::U32(vec![0, 1, 2])).unwrap();
        table.push("class", Column::Text(vec!["cat".into(), "dog".into(), "cat".into()])).unwrap();
        table.push("el2n@1", Column::F32(vec![0.5, f32::NAN, 1.0])).unwrap();
        table
    }

    #[test]
    fn round_trip_keeps_columns_metadata_and_missing_values() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/table.parquet");
        sample().write(&path).unwrap();
        let back = Table::read(&path).unwrap();
        assert_eq!(back.metadata, sample().metadata);
        assert_eq!(back.names().collect::<Vec<_>>(), ["id", "class", "el2n@1"]);
        let scores = back.floats("el2n@1").unwrap();
        assert!(scores[0] == 0.5 && scores[1].is_nan() && scores[2] == 1.0);
    }

    #[test]
    fn a_wrong_name_suggests_the_nearest() {
        let message = sample().floats("eln@1").unwrap_err().to_string();
        assert!(message.contains("did you mean el2n@1?"), "{message}");
    }

    #[test]
    fn columns_of_another_length_are_refused() {
        assert!(sample().push("short", Column::F32(vec![1.0])).is_err());
    }

    #[test]
    fn a_truncated_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        sample().write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        assert!(Table::read(&path).unwrap_err().to_string().contains("table.parquet is damaged"));
    }
}
