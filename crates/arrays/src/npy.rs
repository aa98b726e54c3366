//! NumPy's `.npy`: one array, or the fields of a structured one.
//!
//! Format: NEP 1, versions 1.0 to 3.0. Little and big endian, both orders of axes.
//!
//! NumPy has no `bfloat16`: the type that `ml_dtypes` adds is written as two raw bytes (`V2`), and
//! so it is read.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::{Array, ArrayError, ArrayFile, header};

/// A file of one array.
#[derive(Debug)]
pub struct Npy {
    path: PathBuf,
    arrays: Vec<Array>,
    /// Where the elements begin.
    start: u64,
}

impl Npy {
    /// Reads the header and checks it against the size of the file.
    ///
    /// # Errors
    /// See [`ArrayError`].
    pub fn open(path: &Path) -> Result<Self, ArrayError> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let arrays = header::read(&name, &mut file)?;
        let start = file.stream_position()?;
        let bytes = header::records(&arrays)
            .and_then(|records| records.checked_mul(header::record(&arrays)));
        let expected = bytes.and_then(|bytes| bytes.checked_add(start));
        if expected != Some(size) {
            let expected = expected.map_or("too many".into(), |bytes| bytes.to_string());
            let reason = format!("its header promises {expected} bytes, it has {size}");
            return Err(ArrayError::Damaged(reason));
        }
        Ok(Self { path: path.to_owned(), arrays, start })
    }
}

impl ArrayFile for Npy {
    fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    fn bytes(&self, place: usize) -> Result<Box<dyn Read>, ArrayError> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.start))?;
        Ok(self.arrays[place].in_order(Box::new(BufReader::new(file)))?)
    }
}
