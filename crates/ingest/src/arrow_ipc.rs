//! Arrow IPC, as files (also Feather version 2) and as streams (also the `.arrow` files of Hugging
//! Face `datasets`); which of them, the first bytes tell. Columns as `columns.rs` finds them.
//!
//! A record batch is in memory as a whole: it is as large as the program made it that wrote the
//! file. LZ4 and zstd are unpacked.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, Schema};

use crate::IngestError;
use crate::arrow_sizes::{self, MAGIC};
use crate::batch::{self, Batch, Kind, Reader};
use crate::columns::Columns;
use crate::fields::Said;
use crate::names::Names;

/// Where record batches come from.
type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>>>;

/// A file or stream of record batches.
pub(crate) struct ArrowIpc {
    path: PathBuf,
    columns: Columns,
    width: usize,
    batches: Batches,
    /// A record batch, and how many of its rows have been read.
    current: Option<(RecordBatch, usize)>,
    at: u64,
}

impl ArrowIpc {
    /// Reads the schema and the first record batch.
    pub(crate) fn open(path: &Path, names: &Names) -> Result<Self, IngestError> {
        let io = IngestError::io(path);
        let mut file = File::open(path).map_err(&io)?;
        arrow_sizes::check(path, &mut file)?;
        file.seek(SeekFrom::Start(0)).map_err(&io)?;
        let mut magic = [0; 6];
        file.read_exact(&mut magic).map_err(&io)?;
        file.seek(SeekFrom::Start(0)).map_err(&io)?;
        let damaged = |error| IngestError::damaged(path, error);
        let file = BufReader::new(file);
        let opened = if magic == *MAGIC {
            FileReader::try_new(file, None).map(|reader| with_schema(reader.schema(), reader))
        } else {
            StreamReader::try_new(file, None).map(|reader| with_schema(reader.schema(), reader))
        };
        let (schema, batches) = opened.map_err(damaged)?;
        let columns = Columns::find(path, &schema, names)?;
        let path = path.to_owned();
        let mut opened = Self { path, columns, width: 1, batches, current: None, at: 0 };
        if opened.fill()?
            && let Some((first, _)) = &opened.current
        {
            opened.width = opened.columns.take(&first.slice(0, 1), 0, &mut Batch::default())?;
        }
        Ok(opened)
    }

    /// Makes sure that there are rows to read; false at the end.
    fn fill(&mut self) -> Result<bool, IngestError> {
        while self.current.as_ref().is_none_or(|(batch, read)| *read == batch.num_rows()) {
            let Some(next) = self.batches.next() else { return Ok(false) };
            let next = next.map_err(|error| IngestError::damaged(&self.path, error))?;
            self.current = Some((next, 0));
        }
        Ok(true)
    }
}

fn with_schema(
    schema: impl AsRef<Schema>,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'static,
) -> (Schema, Batches) {
    (schema.as_ref().clone(), Box::new(batches))
}

impl Reader for ArrowIpc {
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
        if !self.fill()? {
            return Ok(false);
        }
        let Some((rows, read)) = &mut self.current else { return Ok(false) };
        let count = batch::rows(self.width).min(rows.num_rows() - *read);
        self.columns.take_like(&rows.slice(*read, count), self.at, self.width, batch)?;
        *read += count;
        self.at += count as u64;
        Ok(true)
    }
}
