//! Columns of finished runs on disk, so that memory does not grow with the number of runs.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom, Write};

/// Columns of 32-bit words, written once and read by place.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    /// Where each column begins, and its words.
    places: Vec<(u64, usize)>,
    end: u64,
}

impl Spool {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, places: Vec::new(), end: 0 })
    }

    /// Appends a column; gives its place.
    pub(crate) fn push(&mut self, words: &[u32]) -> Result<usize> {
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(bytemuck::cast_slice(words))?;
        self.places.push((self.end, words.len()));
        self.end += 4 * words.len() as u64;
        Ok(self.places.len() - 1)
    }

    /// Reads the column at a place.
    pub(crate) fn read(&mut self, place: usize) -> Result<Vec<u32>> {
        let (start, length) = self.places[place];
        let mut words = vec![0_u32; length];
        self.file.seek(SeekFrom::Start(start))?;
        self.file.read_exact(bytemuck::cast_slice_mut(&mut words))?;
        Ok(words)
    }
}
