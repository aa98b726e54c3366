//! Parquet: one row an example, or one row an example and epoch. Columns as `columns.rs` finds them.
//!
//! Pages are decoded as they are needed, and only of the columns that are read.

use std::fs::File;
use std::path::{Path, PathBuf};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::IngestError;
use crate::batch::{self, Batch, Kind, Reader};
use crate::columns::Columns;
use crate::fields::Said;
use crate::names::Names;

/// A file of rows.
pub(crate) struct Parquet {
    path: PathBuf,
    columns: Columns,
    width: usize,
    rows: ParquetRecordBatchReader,
    at: u64,
}

impl Parquet {
    /// Reads the footer, and one row to learn how long rows are.
    pub(crate) fn open(path: &Path, names: &Names) -> Result<Self, IngestError> {
        let file = File::open(path).map_err(IngestError::io(path))?;
        let builder = builder(path, &file)?;
        let columns = Columns::find(path, builder.schema(), names)?;
        let mut width = 1;
        let mut one = Batch::default();
        if let Some(first) = rows(path, &file, &columns, 1)?.next() {
            let first = first.map_err(|error| IngestError::damaged(path, error))?;
            width = columns.take(&first, 0, &mut one)?;
        }
        let rows = rows(path, &file, &columns, batch::rows(width))?;
        Ok(Self { path: path.to_owned(), columns, width, rows, at: 0 })
    }
}

impl Reader for Parquet {
    fn kind(&self) -> Option<Kind> {
        self.columns.fields.kind
    }

    fn columns(&self) -> usize {
        self.width
    }

    fn said(&self) -> Said {
        self.columns.fields.said.clone()
    }

    fn read(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        batch.rows = 0;
        let Some(next) = self.rows.next() else { return Ok(false) };
        let next = next.map_err(|error| IngestError::damaged(&self.path, error))?;
        self.columns.take_like(&next, self.at, self.width, batch)?;
        self.at += batch.rows as u64;
        Ok(batch.rows > 0)
    }
}

fn builder(path: &Path, file: &File) -> Result<ParquetRecordBatchReaderBuilder<File>, IngestError> {
    let file = file.try_clone().map_err(IngestError::io(path))?;
    ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| IngestError::damaged(path, error))
}

fn rows(
    path: &Path,
    file: &File,
    columns: &Columns,
    at_once: usize,
) -> Result<ParquetRecordBatchReader, IngestError> {
    let builder = builder(path, file)?;
    // By place: a name with a dot would be taken for a path into a structure.
    let places = columns.fields.names().filter_map(|name| builder.schema().index_of(name).ok());
    let mask = ProjectionMask::roots(builder.parquet_schema(), places);
    let reader = builder.with_projection(mask).with_batch_size(at_once).build();
    reader.map_err(|error| IngestError::damaged(path, error))
}
