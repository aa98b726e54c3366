//! One open file that several threads read from, each at its own place.
//!
//! A path opened again could be another file by then; a handle duplicated by the system shares its
//! place with the first.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::Result;
use parquet::file::reader::{ChunkReader, Length};

/// Bytes read ahead where the length is not known: headers of pages.
const AHEAD: usize = 512;

/// The file.
#[derive(Clone, Debug)]
pub(super) struct SharedFile {
    file: Arc<Mutex<File>>,
    length: u64,
}

impl SharedFile {
    pub(super) fn new(file: File) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self { file: Arc::new(Mutex::new(file)), length })
    }

    fn read_at(&self, at: u64, out: &mut [u8]) -> std::io::Result<usize> {
        // The place is set each time, so a thread that panicked leaves nothing wrong behind.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at))?;
        file.read(out)
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<Reader>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::with_capacity(AHEAD, Reader { file: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // Not all at once: a damaged footer may promise more than there is.
        let mut bytes = Vec::with_capacity(length.min(self.length as usize));
        Reader { file: self.clone(), at: start }.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        Ok(bytes.into())
    }
}

/// A place in the file, moving on.
pub(super) struct Reader {
    file: SharedFile,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.file.read_at(self.at, out)?;
        self.at += count as u64;
        Ok(count)
    }
}
