//! What tch and torch-sys use of zip 0.6, on a newer zip. Members must be stored: nothing is unpacked.

use std::io::{self, Read, Seek};
use std::path::PathBuf;

pub use newer::{CompressionMethod, ZipWriter, result};
use result::ZipResult;

/// Options of members to write.
pub mod write {
    pub use newer::write::SimpleFileOptions as FileOptions;
}

/// A zip file to read.
pub struct ZipArchive<R>(newer::ZipArchive<R>);

#[allow(clippy::len_without_is_empty)]
impl<R: Read + Seek> ZipArchive<R> {
    /// Reads the list of members.
    pub fn new(reader: R) -> ZipResult<Self> {
        newer::ZipArchive::new(reader).map(Self)
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// A member, by its place in the list.
    pub fn by_index(&mut self, index: usize) -> ZipResult<ZipFile<'_, R>> {
        let file = self.0.by_index(index)?;
        Ok(ZipFile { name: file.name()?.into_owned(), path: file.mangled_name()?, file })
    }
}

/// A member of a zip file.
pub struct ZipFile<'a, R: Read> {
    name: String,
    path: PathBuf,
    file: newer::read::ZipFile<'a, R>,
}

impl<R: Read> ZipFile<'_, R> {
    /// Its name as it stands in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name as a path that stays inside the folder to unpack to.
    pub fn mangled_name(&self) -> PathBuf {
        self.path.clone()
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.file.size()
    }
}

impl<R: Read> Read for ZipFile<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}
