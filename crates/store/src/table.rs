//! A table of examples, one row each, as Parquet.
//!
//! Floats are 32-bit; NaN ("not seen", "not defined") is stored as null and read back as NaN.
//! Metadata is a map of strings in the file's footer.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{Array, ArrayRef, Float32Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::{StoreError, write_atomically};

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
    /// Ids and labels.
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

    fn data_type(&self) -> DataType {
        match self {
            Self::F32(_) => DataType::Float32,
            Self::U32(_) => DataType::UInt32,
            Self::Text(_) => DataType::Utf8,
        }
    }

    fn to_arrow(&self) -> ArrayRef {
        match self {
            Self::F32(values) => Arc::new(Float32Array::from_iter(
                values.iter().map(|value| (!value.is_nan()).then_some(*value)),
            )),
            Self::U32(values) => Arc::new(UInt32Array::from(values.clone())),
            Self::Text(values) => Arc::new(StringArray::from_iter_values(values)),
        }
    }

    fn append(&mut self, array: &dyn Array) {
        match self {
            Self::F32(values) => {
                let array = array.as_primitive::<Float32Type>();
                values.extend(array.iter().map(|value| value.unwrap_or(f32::NAN)));
            }
            Self::U32(values) => values.extend(array.as_primitive::<UInt32Type>().values()),
            Self::Text(values) => {
                let array = array.as_string::<i32>();
                values.extend(array.iter().map(|value| value.unwrap_or_default().to_owned()));
            }
        }
    }

    fn empty_like(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Float32 => Some(Self::F32(Vec::new())),
            DataType::UInt32 => Some(Self::U32(Vec::new())),
            DataType::Utf8 => Some(Self::Text(Vec::new())),
            _ => None,
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
    pub fn push(&mut self, name: impl Into<String>, column: Column) -> Result<(), StoreError> {
        let name = name.into();
        if self.column(&name).is_some() {
            return Err(StoreError::Table(format!("two columns are named {name}")));
        }
        if !self.columns.is_empty() && column.len() != self.rows() {
            let (found, expected) = (column.len(), self.rows());
            return Err(StoreError::Table(format!(
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

    /// A column of floats by name.
    ///
    /// # Errors
    /// When there is none; the message names the nearest and lists all.
    pub fn floats(&self, name: &str) -> Result<&[f32], StoreError> {
        match self.column(name) {
            Some(Column::F32(values)) => Ok(values),
            _ => Err(self.missing(name, "score column", |c| matches!(c, Column::F32(_)))),
        }
    }

    /// A column of whole numbers by name.
    ///
    /// # Errors
    /// When there is none.
    pub fn integers(&self, name: &str) -> Result<&[u32], StoreError> {
        match self.column(name) {
            Some(Column::U32(values)) => Ok(values),
            _ => {
                let whole = |column: &Column| matches!(column, Column::U32(_));
                Err(self.missing(name, "column of whole numbers", whole))
            }
        }
    }

    fn missing(&self, name: &str, what: &str, fits: impl Fn(&Column) -> bool) -> StoreError {
        let fitting = self.columns.iter().filter(|(_, column)| fits(column));
        let all: Vec<&str> = fitting.map(|(name, _)| name.as_str()).collect();
        let nearest = all
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
        let hint = nearest.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        StoreError::Table(format!("no {what} named {name}{hint} There are: {}", all.join(", ")))
    }

    /// Writes the table atomically.
    pub fn write(&self, path: &Path) -> Result<(), StoreError> {
        let batch = self.to_batch(path)?;
        let metadata = self
            .metadata
            .iter()
            .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
            .collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(metadata))
            .build();
        write_atomically(path, |file| {
            let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties))
                .map_err(std::io::Error::other)?;
            writer.write(&batch).map_err(std::io::Error::other)?;
            writer.close().map_err(std::io::Error::other)?;
            Ok(())
        })
    }

    fn to_batch(&self, path: &Path) -> Result<RecordBatch, StoreError> {
        let field = |(name, column): &(String, Column)| {
            Field::new(name, column.data_type(), matches!(column, Column::F32(_)))
        };
        let schema = Schema::new(self.columns.iter().map(field).collect::<Vec<_>>());
        let arrays = self.columns.iter().map(|(_, column)| column.to_arrow()).collect();
        RecordBatch::try_new(Arc::new(schema), arrays)
            .map_err(|error| StoreError::damaged(path, error))
    }

    /// Reads a table. Columns of other types than floats, u32 and text are left out.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(StoreError::io("read", path))?;
        let damaged = |error| StoreError::damaged(path, error);
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(damaged)?;
        let mut table = Self { metadata: footer(&builder), columns: Vec::new() };
        let mut kept = Vec::new();
        for (index, field) in builder.schema().fields().iter().enumerate() {
            if let Some(column) = Column::empty_like(field.data_type()) {
                table.columns.push((field.name().clone(), column));
                kept.push(index);
            }
        }
        for batch in builder.build().map_err(damaged)? {
            let batch = batch.map_err(|error| StoreError::damaged(path, error))?;
            for ((_, column), &index) in table.columns.iter_mut().zip(&kept) {
                column.append(batch.column(index));
            }
        }
        Ok(table)
    }
}

fn footer(builder: &ParquetRecordBatchReaderBuilder<File>) -> BTreeMap<String, String> {
    let entries = builder.metadata().file_metadata().key_value_metadata();
    entries
        .into_iter()
        .flatten()
        .filter(|entry| entry.key != "ARROW:schema")
        .filter_map(|entry| Some((entry.key.clone(), entry.value.clone()?)))
        .collect()
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
