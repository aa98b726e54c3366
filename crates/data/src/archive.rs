//! Reading packed files with a limit on what they may unpack to.
//!
//! A `.tar.gz` is visited entry by entry, a `.gz` read whole; neither is ever unpacked to disk, so
//! paths inside an archive cannot escape. The limit counts unpacked bytes and is checked against
//! the sizes that the archive claims before anything is read.

use crate::{DataError, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::ops::ControlFlow;
use std::path::Path;

/// Headers and padding of a tar may add this much to the contents.
const OVERHEAD: u64 = 16 << 20;

/// Calls `visit` with the base name and contents of each file in a `.tar.gz` that `wanted` accepts.
pub(crate) fn visit_tar_gz(
    path: &Path,
    limit: u64,
    mut wanted: impl FnMut(&str) -> bool,
    mut visit: impl FnMut(&str, Vec<u8>) -> Result<()>,
) -> Result<()> {
    each_entry(path, limit, |name, size, entry| {
        if wanted(name) {
            let mut bytes = Vec::with_capacity(size as usize);
            entry.read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
            visit(name, bytes)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The first base name in a `.tar.gz` for which `choose` gives an answer.
pub(crate) fn find_in_tar_gz<T>(
    path: &Path,
    limit: u64,
    choose: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>> {
    let mut found = None;
    each_entry(path, limit, |name, _, _| {
        found = choose(name);
        Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(found)
}

fn each_entry(
    path: &Path,
    limit: u64,
    mut visit: impl FnMut(&str, u64, &mut dyn Read) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let file = File::open(path).map_err(DataError::io("read", path))?;
    let unpacked = MultiGzDecoder::new(BufReader::new(file)).take(limit.saturating_add(OVERHEAD));
    let mut archive = tar::Archive::new(unpacked);
    let mut total = 0_u64;
    for entry in archive.entries().map_err(|error| unreadable(path, error))? {
        let mut entry = entry.map_err(|error| unreadable(path, error))?;
        total = total.saturating_add(entry.size());
        if total > limit {
            return Err(DataError::Oversized { path: path.into(), limit });
        }
        let name = base_name(&entry.path_bytes());
        if entry.header().entry_type().is_file()
            && visit(&name, entry.size(), &mut entry)?.is_break()
        {
            return Ok(());
        }
    }
    Ok(())
}

fn base_name(path: &[u8]) -> String {
    let text = String::from_utf8_lossy(path);
    text.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The bytes of a file, unpacked if it is gzip.
pub(crate) fn read_maybe_gz(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut file = BufReader::new(File::open(path).map_err(DataError::io("read", path))?);
    let gzip = std::io::BufRead::fill_buf(&mut file)
        .map_err(DataError::io("read", path))?
        .starts_with(&[0x1f, 0x8b]);
    if gzip {
        read_bounded(path, limit, MultiGzDecoder::new(file))
    } else {
        read_bounded(path, limit, file)
    }
}

fn read_bounded(path: &Path, limit: u64, reader: impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(|error| unreadable(path, error))?;
    if bytes.len() as u64 > limit {
        return Err(DataError::Oversized { path: path.into(), limit });
    }
    Ok(bytes)
}

/// Sorts the errors of unpacking: an early end, a file that is not what it should be, the disk.
fn unreadable(path: &Path, error: std::io::Error) -> DataError {
    match error.kind() {
        ErrorKind::UnexpectedEof => DataError::truncated(path, error.to_string()),
        ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::Other => DataError::bad_file(
            path,
            format!("the archive is damaged or truncated ({error}); download it again"),
        ),
        _ => DataError::io("read", path)(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    #[test]
    fn a_gzip_file_that_grows_beyond_the_limit_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zeros.gz");
        let mut encoder = GzEncoder::new(File::create(&path).unwrap(), Compression::best());
        encoder.write_all(&[0; 100_000]).unwrap();
        encoder.finish().unwrap();
        assert_eq!(read_maybe_gz(&path, 100_000).unwrap().len(), 100_000);
        let error = read_maybe_gz(&path, 99_999).unwrap_err();
        assert!(matches!(error, DataError::Oversized { limit: 99_999, .. }), "{error}");
    }
}
