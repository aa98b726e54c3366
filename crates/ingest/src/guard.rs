//! Decoders of other crates that may give up on a damaged file.
//!
//! The readers of Parquet and Arrow check most of what they read and panic on some of the rest
//! (found by the fuzz targets). A file that does so is damaged, no more; the decoder that was at
//! work is not used again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::IngestError;
use crate::batch::{Batch, Kind, Reader};
use crate::fields::Said;

/// A reader whose decoder may panic.
pub(crate) struct Guarded<R> {
    path: PathBuf,
    reader: R,
    /// Whether there was an error; nothing is read after one.
    gave_up: bool,
}

impl<R: Reader> Guarded<R> {
    /// What `open` opens.
    pub(crate) fn open(
        path: &Path,
        open: impl FnOnce() -> Result<R, IngestError>,
    ) -> Result<Self, IngestError> {
        let reader = guarded(path, open)?;
        Ok(Self { path: path.to_owned(), reader, gave_up: false })
    }
}

impl<R: Reader> Reader for Guarded<R> {
    fn kind(&self) -> Option<Kind> {
        self.reader.kind()
    }

    fn columns(&self) -> usize {
        self.reader.columns()
    }

    fn said(&self) -> Said {
        self.reader.said()
    }

    fn read(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        batch.rows = 0;
        if self.gave_up {
            return Ok(false);
        }
        let read = guarded(&self.path, || self.reader.read(batch));
        self.gave_up = read.is_err();
        read
    }
}

/// What `decode` gives; an error where it panics.
fn guarded<T>(
    path: &Path,
    decode: impl FnOnce() -> Result<T, IngestError>,
) -> Result<T, IngestError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(IngestError::damaged(path, "its decoder gave up on it")))
}
