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

use crate::{Array, ArrayError, ArrayFile, header};

/// Bytes that every member may expand to.
const FREE: u64 = 256 << 20;
/// Times its size in the file that a member may expand to, besides.
const MOST_EXPANSION: u64 = 100;

/// Where a member lies.
#[derive(Clone, Copy, Debug)]
struct Member {
    start: u64,
    packed: u64,
    unpacked: u64,
    deflated: bool,
    crc: u32,
}

/// A file of arrays.
#[derive(Debug)]
pub struct Npz {
    path: PathBuf,
    arrays: Vec<Array>,
    /// The member of each array, and which of the member's arrays it is.
    members: Vec<(Member, usize)>,
}

impl Npz {
    /// Reads the directory and the header of every array. Arrays of other names than those needed
    /// whose type is not read, pickles too, are passed over like other files in the archive.
    ///
    /// # Errors
    /// See [`ArrayError`].
    pub fn open(path: &Path, needed: &dyn Fn(&str) -> bool) -> Result<Self, ArrayError> {
        let file = File::open(path)?;
        let damaged = |error: zip::result::ZipError| match error {
            zip::result::ZipError::Io(cause) => ArrayError::Io(cause),
            other => ArrayError::damaged(other),
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
                return Err(ArrayError::Damaged(reason));
            }
            if entry.encrypted() {
                return Err(ArrayError::Damaged(format!("{name} is encrypted")));
            }
            let start = entry.data_start();
            let start = start.ok_or_else(|| ArrayError::damaged("a member has no place"))?;
            let (packed, unpacked) = (entry.compressed_size(), entry.size());
            let member = Member { start, packed, unpacked, deflated, crc: entry.crc32() };
            member.check(name)?;
            let mut bytes = member.open(path)?;
            match header::read(name, &mut bytes) {
                Ok(arrays) => {
                    npz.members.extend((0..arrays.len()).map(|place| (member, place)));
                    npz.arrays.extend(arrays);
                }
                Err(error @ (ArrayError::Type { .. } | ArrayError::Pickle { .. }))
                    if !needed(name) =>
                {
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

impl Member {
    fn check(self, member: &str) -> Result<(), ArrayError> {
        let limit = self.packed.saturating_mul(MOST_EXPANSION).saturating_add(FREE);
        if self.unpacked <= limit {
            return Ok(());
        }
        Err(ArrayError::Bomb {
            member: member.into(),
            packed: self.packed,
            unpacked: self.unpacked,
            limit,
        })
    }

    /// Its bytes, unpacked: no more than declared, and with the check sum that is.
    fn open(self, path: &Path) -> std::io::Result<impl Read + 'static> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.start))?;
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

    fn bytes(&self, place: usize) -> Result<Box<dyn Read>, ArrayError> {
        let (member, field) = self.members[place];
        let mut bytes = member.open(&self.path)?;
        let arrays = header::read(&self.arrays[place].name, &mut bytes)?;
        Ok(arrays[field].in_order(Box::new(bytes))?)
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
