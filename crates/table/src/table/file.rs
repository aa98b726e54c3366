//! A table's file: what its columns are is read first, the columns that are wanted later.
//!
//! Columns are decoded one row group at a time, on all cores, straight to their place; nothing else
//! is kept. What is only looked at ([`TableFile::numbers_rows`], [`TableFile::texts_by`]) takes no
//! memory to speak of.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::ArrayRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use rayon::prelude::*;

use super::arrow::{self, Unfit, empty_column, floats_into, integers};
use super::shared_file::SharedFile;
use super::{Column, Table};
use crate::{FileError, TableError};

/// Rows decoded at a time.
const BATCH: usize = 1 << 15;

/// An open file.
#[derive(Debug)]
pub struct TableFile {
    path: PathBuf,
    file: SharedFile,
    parquet: ArrowReaderMetadata,
    header: Table,
    /// Where the columns of the header are among the file's.
    places: Vec<usize>,
    groups: Vec<Group>,
}

/// Rows that are stored together.
#[derive(Clone, Copy, Debug)]
struct Group {
    index: usize,
    first: usize,
    rows: usize,
}

impl TableFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When there is none, or it is not Parquet.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let file = File::open(path).and_then(SharedFile::new);
        let file = file.map_err(FileError::io("read", path))?;
        // As the values are stored: a category is its text, whatever type it had in memory.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let parquet = ArrowReaderMetadata::load(&file, options)
            .map_err(|error| FileError::damaged(path, error))?;
        let mut header = Table { metadata: footer(&parquet), columns: Vec::new() };
        let mut places = Vec::new();
        for (place, field) in parquet.schema().fields().iter().enumerate() {
            if let Some(column) = empty_column(field.data_type()) {
                header.columns.push((field.name().clone(), column));
                places.push(place);
            }
        }
        let groups = groups(&parquet);
        Ok(Self { path: path.to_owned(), file, parquet, header, places, groups })
    }

    /// The table without its rows: metadata, names and types of the columns.
    pub fn header(&self) -> &Table {
        &self.header
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.groups.iter().map(|group| group.rows).sum()
    }

    /// Reads some columns, in the order asked for, with the metadata.
    ///
    /// # Errors
    /// When there is no such column, a whole number does not fit into 32 bits without sign, or the
    /// file is damaged.
    pub fn read(&self, names: &[&str]) -> Result<Table, TableError> {
        let rows = self.rows();
        let mut table = Table { metadata: self.header.metadata.clone(), columns: Vec::new() };
        let mut places = Vec::new();
        for &name in names {
            places.push(self.place(name)?);
            let column = match self.header.column(name) {
                Some(Column::F32(_)) => Column::F32(vec![0.0; rows]),
                Some(Column::U32(_)) => Column::U32(vec![0; rows]),
                _ => Column::Text(vec![String::new(); rows]),
            };
            table.push(name, column)?;
        }
        let columns = table.columns.iter_mut().map(|(_, column)| column);
        let jobs: Vec<(usize, Group, Part<'_>)> = columns
            .zip(places)
            .flat_map(|(column, place)| {
                let parts = Part::of(column).split(&self.groups);
                parts.into_iter().map(move |(group, part)| (place, group, part))
            })
            .collect();
        jobs.into_par_iter().try_for_each(|(place, group, part)| self.fill(place, group, part))?;
        Ok(table)
    }

    /// Whether a column of whole numbers is 0, 1, 2, …: the numbers of its rows.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn numbers_rows(&self, name: &str) -> Result<bool, TableError> {
        self.header.integers(name)?;
        let place = self.place(name)?;
        let in_order = |group: &Group| {
            let mut in_order = true;
            self.visit(place, *group, &mut |row, array| {
                let rows = row as u32..;
                in_order &= integers(array)?.iter().zip(rows).all(|(&number, row)| number == row);
                Ok(())
            })?;
            Ok(in_order)
        };
        let found = self.groups.par_iter().map(in_order);
        found.try_reduce(|| true, |a, b| Ok(a && b))
    }

    /// The text of column `texts` that stands beside each number of column `keys`; the last, where
    /// there are several.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn texts_by(&self, keys: &str, texts: &str) -> Result<BTreeMap<u32, String>, TableError> {
        let places = [self.place(keys)?, self.place(texts)?];
        let mut found: BTreeMap<u32, String> = BTreeMap::new();
        for group in &self.groups {
            let [keys, texts] = places.map(|place| self.batches(place, *group));
            let mut row = group.first;
            for (keys, texts) in keys?.zip(texts?) {
                let damaged = |error| FileError::damaged(&self.path, error);
                let (keys, texts) = (keys.map_err(damaged)?, texts.map_err(damaged)?);
                let unfit = |unfit| self.unfit(places[0], row, &unfit);
                let numbers = integers(keys.column(0)).map_err(unfit)?;
                for (&key, text) in numbers.iter().zip(arrow::texts(texts.column(0))) {
                    if found.get(&key).is_none_or(|known| known != text) {
                        found.insert(key, text.to_owned());
                    }
                }
                row += keys.num_rows();
            }
        }
        Ok(found)
    }

    /// Index of a column among the file's.
    fn place(&self, name: &str) -> Result<usize, TableError> {
        let index = self.header.names().position(|known| known == name);
        let place = index.map(|index| self.places[index]);
        place.ok_or_else(|| self.header.missing(name, "column", |_| true))
    }

    fn fill(&self, place: usize, group: Group, mut part: Part<'_>) -> Result<(), TableError> {
        self.visit(place, group, &mut |row, array| part.fill(row - group.first, array))
    }

    /// Shows a column's arrays in a group, each with the number of its first row.
    fn visit(
        &self,
        place: usize,
        group: Group,
        see: &mut dyn FnMut(usize, &ArrayRef) -> Result<(), Unfit>,
    ) -> Result<(), TableError> {
        let mut row = group.first;
        let end = group.first + group.rows;
        for batch in self.batches(place, group)? {
            let batch = batch.map_err(|error| FileError::damaged(&self.path, error))?;
            if row + batch.num_rows() > end {
                break;
            }
            see(row, batch.column(0)).map_err(|unfit| self.unfit(place, row, &unfit))?;
            row += batch.num_rows();
        }
        if row == end {
            return Ok(());
        }
        Err(FileError::damaged(&self.path, "its footer and its rows do not agree in number").into())
    }

    fn batches(&self, place: usize, group: Group) -> Result<ParquetRecordBatchReader, TableError> {
        let (file, parquet) = (self.file.clone(), self.parquet.clone());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, parquet);
        let column = ProjectionMask::roots(builder.parquet_schema(), [place]);
        let builder = builder.with_projection(column).with_row_groups(vec![group.index]);
        let reader = builder.with_batch_size(BATCH).build();
        Ok(reader.map_err(|error| FileError::damaged(&self.path, error))?)
    }

    fn unfit(&self, place: usize, first: usize, unfit: &Unfit) -> TableError {
        TableError::Column(format!(
            "column {} of {} has {} in row {}, where a whole number from 0 to 2³² − 1 should be; \
             change it, or leave the column out",
            self.parquet.schema().field(place).name(),
            self.path.display(),
            unfit.value,
            first + unfit.row,
        ))
    }
}

fn footer(parquet: &ArrowReaderMetadata) -> BTreeMap<String, String> {
    let entries = parquet.metadata().file_metadata().key_value_metadata();
    entries
        .into_iter()
        .flatten()
        .filter(|entry| entry.key != "ARROW:schema")
        .filter_map(|entry| Some((entry.key.clone(), entry.value.clone()?)))
        .collect()
}

fn groups(parquet: &ArrowReaderMetadata) -> Vec<Group> {
    let mut first = 0;
    let sizes = parquet.metadata().row_groups().iter().map(|group| group.num_rows() as usize);
    let groups = sizes.enumerate().map(|(index, rows)| {
        first += rows;
        Group { index, first: first - rows, rows }
    });
    groups.collect()
}

/// The rows of a column that one group fills.
enum Part<'a> {
    F32(&'a mut [f32]),
    U32(&'a mut [u32]),
    Text(&'a mut [String]),
}

impl<'a> Part<'a> {
    fn of(column: &'a mut Column) -> Self {
        match column {
            Column::F32(values) => Self::F32(values),
            Column::U32(values) => Self::U32(values),
            Column::Text(values) => Self::Text(values),
        }
    }

    /// Shares the rows out over the groups, in order.
    fn split(self, groups: &[Group]) -> Vec<(Group, Self)> {
        fn shared<'a, T>(mut rest: &'a mut [T], groups: &[Group]) -> Vec<(Group, &'a mut [T])> {
            let mut next = |group: &Group| {
                let (ours, after) = std::mem::take(&mut rest).split_at_mut(group.rows);
                rest = after;
                (*group, ours)
            };
            groups.iter().map(&mut next).collect()
        }
        fn named<'a, T>(
            shares: Vec<(Group, &'a mut [T])>,
            part: fn(&'a mut [T]) -> Part<'a>,
        ) -> Vec<(Group, Part<'a>)> {
            shares.into_iter().map(|(group, rows)| (group, part(rows))).collect()
        }
        match self {
            Self::F32(rows) => named(shared(rows, groups), Self::F32),
            Self::U32(rows) => named(shared(rows, groups), Self::U32),
            Self::Text(rows) => named(shared(rows, groups), Self::Text),
        }
    }

    /// Puts an array at its place.
    fn fill(&mut self, at: usize, array: &ArrayRef) -> Result<(), Unfit> {
        let rows = at..at + array.len();
        match self {
            Self::F32(values) => floats_into(array, &mut values[rows]),
            Self::U32(values) => values[rows].copy_from_slice(&integers(array)?),
            Self::Text(values) => {
                values[rows]
                    .iter_mut()
                    .zip(arrow::texts(array))
                    .for_each(|(out, text)| *out = text.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        Float64Array, Int64Array, LargeStringArray, RecordBatch, StringViewArray, UInt8Array,
    };
    use parquet::arrow::ArrowWriter;
    use parquet::file::properties::WriterProperties;

    use super::*;

    /// A file as another program may write it, in groups of three rows.
    fn foreign(folder: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
        let path = folder.join("foreign.parquet");
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let small = WriterProperties::builder().set_max_row_group_row_count(Some(3)).build();
        let file = File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(small)).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }

    fn ids(ids: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(ids.to_vec()))
    }

    #[test]
    fn wide_numbers_and_other_texts_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = foreign(
            folder.path(),
            vec![
                ("id", ids(&[0, 1, 2, 3])),
                ("label", Arc::new(UInt8Array::from(vec![1, 0, 1, 2]))),
                ("class", Arc::new(LargeStringArray::from(vec!["b", "a", "b", "c"]))),
                ("note", Arc::new(StringViewArray::from(vec![Some("x"), None, None, None]))),
                ("score", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(2.0), None]))),
                ("flag", Arc::new(arrow_array::BooleanArray::from(vec![true, false, true, true]))),
                ("day", Arc::new(arrow_array::Date32Array::from(vec![1; 4]))),
            ],
        );
        let table = Table::read(&path).unwrap();
        let names: Vec<&str> = table.names().collect();
        assert_eq!(names, ["id", "label", "class", "note", "score", "flag"]);
        assert_eq!(table.integers("flag").unwrap(), [1, 0, 1, 1]);
        assert_eq!(table.integers("id").unwrap(), [0, 1, 2, 3]);
        assert_eq!(table.integers("label").unwrap(), [1, 0, 1, 2]);
        let scores = table.floats("score").unwrap();
        assert!(scores[0] == 0.5 && scores[1].is_nan() && scores[2] == 2.0 && scores[3].is_nan());
        let texts = |texts: [&str; 4]| Some(Column::Text(texts.map(str::to_owned).to_vec()));
        assert_eq!(table.column("class").cloned(), texts(["b", "a", "b", "c"]));
        assert_eq!(table.column("note").cloned(), texts(["x", "", "", ""]));
    }

    #[test]
    fn some_columns_are_read_in_the_order_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = foreign(folder.path(), vec![("a", ids(&[1; 7])), ("b", ids(&[2; 7]))]);
        let file = TableFile::open(&path).unwrap();
        assert_eq!((file.rows(), file.header().rows()), (7, 0));
        let table = file.read(&["b", "a"]).unwrap();
        assert_eq!(table.names().collect::<Vec<_>>(), ["b", "a"]);
        assert_eq!(table.integers("b").unwrap(), [2; 7]);
        let message = file.read(&["c"]).unwrap_err().to_string();
        assert!(message.contains("no column named c"), "{message}");
    }

    #[test]
    fn numbers_that_do_not_fit_are_named_with_their_row() {
        let folder = tempfile::tempdir().unwrap();
        for (values, expected) in [
            (ids(&[0, 1, 2, 3, -1]), "column id of"),
            (ids(&[0, 1, 2, 3, -1]), "has -1 in row 4"),
            (ids(&[0, 1 << 32]), "has 4294967296 in row 1"),
            (Arc::new(Int64Array::from(vec![Some(0), None])) as ArrayRef, "has nothing in row 1"),
        ] {
            let path = foreign(folder.path(), vec![("id", values)]);
            let message = Table::read(&path).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn row_numbers_are_told_from_other_ids() {
        let folder = tempfile::tempdir().unwrap();
        for (values, expected) in
            [(&[0, 1, 2, 3, 4][..], true), (&[0, 1, 2, 4, 3], false), (&[1, 2, 3], false)]
        {
            let path = foreign(folder.path(), vec![("id", ids(values))]);
            assert_eq!(TableFile::open(&path).unwrap().numbers_rows("id").unwrap(), expected);
        }
    }

    #[test]
    fn texts_by_key_are_found_without_reading_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let names = StringViewArray::from(vec!["b", "a", "b", "c", "a"]);
        let path = foreign(
            folder.path(),
            vec![("label", ids(&[1, 0, 1, 2, 0])), ("class", Arc::new(names))],
        );
        let found = TableFile::open(&path).unwrap().texts_by("label", "class").unwrap();
        let found: Vec<(u32, &str)> = found.iter().map(|(&k, name)| (k, name.as_str())).collect();
        assert_eq!(found, [(0, "a"), (1, "b"), (2, "c")]);
    }
}
