//! NumPy's `.npz`: a zip of `.npy` members, stored or deflated.
//!
//! Members are streamed from their place in the file, never unpacked as a whole, and their check
//! sums are checked at their ends. What a member expands to must be what its header asks for, and
//! no more than 256 MiB and 100 times its size in the file: a zip bomb stops there.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use zip::CompressionMethod;

use crate::arrays::{Array, ArrayFile};
use crate::npy::read_header;
use crate::{IngestError, Names};

/// Bytes that every member may expand to.
const FREE: u64 = 256 << 20;
/// Times its size in the file that a member may expand to, besides.
const MOST_EXPANSION: u64 = 100;

/// Where a member lies.
struct Member {
    start: u64,
    packed: u64,
    unpacked: u64,
    deflated: bool,
    crc: u32,
}

/// A file of arrays.
pub(crate) struct Npz {
    path: PathBuf,
    arrays: Vec<Array>,
    members: Vec<Member>,
}

impl Npz {
    /// Reads the directory and the header of every array. Arrays of other names whose type is not
    /// read, pickles too, are passed over like other files in the archive.
    pub(crate) fn open(path: &Path, names: &Names) -> Result<Self, IngestError> {
        let file = File::open(path).map_err(IngestError::io(path))?;
        let damaged = |error: zip::result::ZipError| match error {
            zip::result::ZipError::Io(cause) => IngestError::io(path)(cause),
            other => IngestError::damaged(path, other),
        };
        let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(damaged)?;
        let mut npz = Self { path: path.to_owned(), arrays: Vec::new(), members: Vec::new() };
        let mut refused = None;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(damaged)?;
            let name = entry.name().map_err(damaged)?.into_owned();
            let Some(name) = name.strip_suffix(".npy") else { continue };
            let method = entry.compression();
            let deflated = method == CompressionMethod::DEFLATE;
            if !deflated && method != CompressionMethod::STORE {
                let reason = format!("{name} is compressed by {method:?}, which NumPy does not do");
                return Err(IngestError::damaged(path, reason));
            }
            if entry.encrypted() {
                return Err(IngestError::damaged(path, format!("{name} is encrypted")));
            }
            let start = entry.data_start();
            let start = start.ok_or_else(|| IngestError::damaged(path, "a member has no place"))?;
            let (packed, unpacked) = (entry.compressed_size(), entry.size());
            let member = Member { start, packed, unpacked, deflated, crc: entry.crc32() };
            member.check(path, name)?;
            let mut bytes = member.open(path)?;
            match read_header(path, name, &mut bytes) {
                Ok(array) => {
                    npz.arrays.push(array);
                    npz.members.push(member);
                }
                Err(error) if is_of_type(&error) && names.field(name).is_none() => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        match refused {
            Some(error) if npz.arrays.is_empty() => Err(error),
            _ => Ok(npz),
        }
    }
}

/// Whether an array is whole, but of a type or order that is not read.
fn is_of_type(error: &IngestError) -> bool {
    matches!(
        error,
        IngestError::Type { .. } | IngestError::Shape { .. } | IngestError::Pickle { .. }
    )
}

impl Member {
    fn check(&self, path: &Path, member: &str) -> Result<(), IngestError> {
        let limit = self.packed.saturating_mul(MOST_EXPANSION).saturating_add(FREE);
        if self.unpacked <= limit {
            return Ok(());
        }
        Err(IngestError::Bomb {
            path: path.to_owned(),
            member: member.into(),
            packed: self.packed,
            unpacked: self.unpacked,
            limit,
        })
    }

    /// Its bytes, unpacked: no more than declared, and with the check sum that is.
    fn open(&self, path: &Path) -> Result<impl Read + 'static, IngestError> {
        let io = IngestError::io(path);
        let mut file = File::open(path).map_err(&io)?;
        file.seek(SeekFrom::Start(self.start)).map_err(&io)?;
        let packed = BufReader::new(file).take(self.packed);
        let inner: Box<dyn Read> =
            if self.deflated { Box::new(DeflateDecoder::new(packed)) } else { Box::new(packed) };
        Ok(Checked { inner, left: self.unpacked, crc: Crc::new(), expected: self.crc })
    }
}

impl ArrayFile for Npz {
    fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    fn open(&self, place: usize) -> Result<Box<dyn Read>, IngestError> {
        let mut bytes = self.members[place].open(&self.path)?;
        read_header(&self.path, &self.arrays[place].name, &mut bytes)?;
        Ok(Box::new(bytes))
    }
}

/// Bytes whose number and check sum are known.
struct Checked {
    inner: Box<dyn Read>,
    left: u64,
    crc: Crc,
    expected: u32,
}

impl Read for Checked {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(out)?;
        if count as u64 > self.left {
            return Err(Error::new(ErrorKind::InvalidData, "a member is longer than declared"));
        }
        self.left -= count as u64;
        self.crc.update(&out[..count]);
        if count == 0 && !out.is_empty() {
            if self.left > 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            if self.crc.sum() != self.expected {
                return Err(Error::new(ErrorKind::InvalidData, "a check sum does not match"));
            }
        }
        Ok(count)
    }
}
