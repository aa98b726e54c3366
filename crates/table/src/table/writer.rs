//! Writing a table whose columns are made piece by piece, so that they need not be in memory.
//!
//! Pieces of all columns are made, encoded and compressed on all cores and written in order. How a
//! column is encoded depends on its first rows: numbers that rise (ids) as differences, those that
//! hardly repeat (scores) plainly, everything else by a dictionary.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use arrow_schema::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, Encoding};
use parquet::errors::Result as ParquetResult;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;

use super::Column;
use super::arrow::{data_type, to_array};
use crate::{TableError, write_atomically};

/// Rows that are stored together.
const GROUP: usize = 1 << 20;

/// Rows that tell how a column is encoded.
const SAMPLE: usize = 1 << 12;

type Piece<'a> = Box<dyn Fn(Range<usize>) -> Column + Sync + 'a>;

/// A table to be written.
pub struct TableWriter<'a> {
    /// What the columns mean and where they come from.
    pub metadata: BTreeMap<String, String>,
    rows: usize,
    columns: Vec<(String, Piece<'a>)>,
}

impl<'a> TableWriter<'a> {
    /// A table of so many rows, without columns yet.
    pub fn new(rows: usize) -> Self {
        Self { metadata: BTreeMap::new(), rows, columns: Vec::new() }
    }

    /// Adds a column; `piece` gives the values of some rows, always of the same type. Names must
    /// differ.
    pub fn push(&mut self, name: &str, piece: impl Fn(Range<usize>) -> Column + Sync + 'a) {
        self.columns.push((name.to_owned(), Box::new(piece)));
    }

    /// Writes the table atomically.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TableError> {
        Ok(write_atomically(path, |file| self.write_to(file).map_err(std::io::Error::other))?)
    }

    fn write_to(&self, file: &mut std::fs::File) -> ParquetResult<()> {
        let schema = Arc::new(self.schema());
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(self.properties()))?;
        let (mut writer, factory) = writer.into_serialized_writer()?;
        let groups = self.rows.div_ceil(GROUP);
        // As many groups at a time as keep all cores busy, so that few are in memory.
        let at_once = rayon::current_num_threads().div_ceil(self.columns.len().max(1));
        for first in (0..groups).step_by(at_once) {
            let jobs = (first..groups.min(first + at_once))
                .flat_map(|group| (0..self.columns.len()).map(move |column| (group, column)));
            let jobs: Vec<(usize, usize)> = jobs.collect();
            let chunks: Vec<ArrowColumnChunk> = jobs
                .par_iter()
                .map(|&(group, column)| self.encoded(&factory, &schema, group, column))
                .collect::<ParquetResult<_>>()?;
            let mut chunks = chunks.into_iter().peekable();
            while chunks.peek().is_some() {
                let mut group = writer.next_row_group()?;
                for chunk in chunks.by_ref().take(self.columns.len()) {
                    chunk.append_to_row_group(&mut group)?;
                }
                group.close()?;
            }
        }
        writer.close()?;
        Ok(())
    }

    /// The piece of a column that is in a group of rows.
    fn encoded(
        &self,
        factory: &ArrowRowGroupWriterFactory,
        schema: &Schema,
        group: usize,
        column: usize,
    ) -> ParquetResult<ArrowColumnChunk> {
        let rows = group * GROUP..self.rows.min((group + 1) * GROUP);
        let array = to_array((self.columns[column].1)(rows));
        let mut writer = factory.create_column_writers(group)?.swap_remove(column);
        for leaf in compute_leaves(schema.field(column), &array)? {
            writer.write(&leaf)?;
        }
        writer.close()
    }

    fn schema(&self) -> Schema {
        let field = |(name, piece): &(String, Piece<'_>)| {
            let empty = piece(0..0);
            Field::new(name, data_type(&empty), matches!(empty, Column::F32(_)))
        };
        Schema::new(self.columns.iter().map(field).collect::<Vec<_>>())
    }

    fn properties(&self) -> WriterProperties {
        let entry = |(key, value): (&String, &String)| KeyValue::new(key.clone(), value.clone());
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(self.metadata.iter().map(entry).collect()));
        for (name, piece) in &self.columns {
            let path = ColumnPath::from(name.as_str());
            properties = match piece(0..self.rows.min(SAMPLE)) {
                Column::U32(values) if values.is_sorted_by(|a, b| a < b) => properties
                    .set_column_dictionary_enabled(path.clone(), false)
                    .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
                Column::F32(values) if hardly_repeat(&values) => {
                    properties.set_column_dictionary_enabled(path, false)
                }
                _ => properties,
            };
        }
        properties.build()
    }
}

fn hardly_repeat(values: &[f32]) -> bool {
    let distinct: HashSet<u32> = values.iter().map(|value| value.to_bits()).collect();
    2 * distinct.len() > values.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Table;

    #[test]
    fn pieces_of_several_groups_are_put_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        let rows = 2 * GROUP + 3;
        let id = |row: usize| 3 * row as u32;
        let label = |row: usize| row as u32 % 7;
        let score = |row: usize| if row % 5 == 1 { f32::NAN } else { (row as f32).sin() };
        let mut writer = TableWriter::new(rows);
        writer.metadata.insert("about".into(), "a test".into());
        writer.push("id", |rows| Column::U32(rows.map(id).collect()));
        writer.push("label", |rows| Column::U32(rows.map(label).collect()));
        writer.push("score", |rows| Column::F32(rows.map(score).collect()));
        writer.write(&path).unwrap();
        let table = Table::read(&path).unwrap();
        assert_eq!(table.metadata, writer.metadata);
        assert!(table.integers("id").unwrap().iter().copied().eq((0..rows).map(id)));
        assert!(table.integers("label").unwrap().iter().copied().eq((0..rows).map(label)));
        let bits = |value: f32| value.to_bits();
        let read = table.floats("score").unwrap().iter().copied().map(bits);
        assert!(read.eq((0..rows).map(score).map(bits)));
        // Differences of ids take a few bits each, labels three; a score four bytes.
        let size = std::fs::metadata(&path).unwrap().len() as usize;
        assert!(size < rows * 5, "{size}");
    }

    #[test]
    fn no_rows_are_a_table_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        let mut writer = TableWriter::new(0);
        writer.push("id", |_| Column::U32(Vec::new()));
        writer.write(&path).unwrap();
        let table = Table::read(&path).unwrap();
        assert_eq!((table.rows(), table.integers("id").unwrap()), (0, &[][..]));
    }
}
