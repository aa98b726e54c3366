//! Files of text as lines of UTF-8: unpacked (`.gz`, `.zst`), without a byte-order mark, from UTF-16
//! where the mark says so.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Result};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::IngestError;

/// Bytes read at a time.
const PIECE: usize = 1 << 18;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const UTF8_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// The ending that says how a file is packed, and the name without it.
pub(crate) fn packed(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((name, ending @ ("gz" | "zst" | "zstd" | "gzip"))) => (name, Some(ending)),
        _ => (name, None),
    }
}

/// Opens a file of text.
pub(crate) fn open(path: &Path) -> std::result::Result<Box<dyn BufRead>, IngestError> {
    let io = IngestError::io(path);
    let mut file = BufReader::with_capacity(PIECE, File::open(path).map_err(&io)?);
    // By what is in it: a name may be wrong about that.
    let start = file.fill_buf().map_err(&io)?;
    let unpacked: Box<dyn Read> = if start.starts_with(GZIP) {
        Box::new(MultiGzDecoder::new(file))
    } else if start.starts_with(ZSTD) {
        Box::new(zstd::stream::read::Decoder::with_buffer(file).map_err(&io)?)
    } else {
        Box::new(file)
    };
    let mut text = BufReader::with_capacity(PIECE, unpacked);
    let mut mark = [0; 4];
    let mut length = 0;
    while length < mark.len() {
        match text.read(&mut mark[length..]).map_err(&io)? {
            0 => break,
            count => length += count,
        }
    }
    let start = &mark[..length];
    let rest = |from: usize, text| std::io::Cursor::new(start[from..].to_vec()).chain(text);
    Ok(match start {
        [0xff, 0xfe, 0, 0] => {
            return Err(IngestError::damaged(path, "it is in UTF-32; save it as UTF-8"));
        }
        [0xff, 0xfe, ..] => Box::new(BufReader::new(Utf16::new(rest(2, text), false))),
        [0xfe, 0xff, ..] => Box::new(BufReader::new(Utf16::new(rest(2, text), true))),
        start if start.starts_with(UTF8_MARK) => Box::new(BufReader::new(rest(3, text))),
        _ => Box::new(BufReader::with_capacity(PIECE, rest(0, text))),
    })
}

/// UTF-16 as UTF-8.
struct Utf16<R> {
    inner: R,
    big_endian: bool,
    /// A byte, and a first half of a pair, that wait for what follows.
    odd: Option<u8>,
    high: Option<u16>,
    ready: Vec<u8>,
    at: usize,
}

impl<R: Read> Utf16<R> {
    fn new(inner: R, big_endian: bool) -> Self {
        Self { inner, big_endian, odd: None, high: None, ready: Vec::new(), at: 0 }
    }

    /// Decodes the next piece; false at the end.
    fn fill(&mut self) -> Result<bool> {
        let mut piece = vec![0; 1 << 14];
        let kept = self.odd.take();
        let start = usize::from(kept.is_some());
        if let Some(byte) = kept {
            piece[0] = byte;
        }
        let count = self.inner.read(&mut piece[start..])?;
        self.ready.clear();
        self.at = 0;
        if count == 0 {
            if start > 0 || self.high.take().is_some() {
                self.ready.extend("\u{fffd}".as_bytes());
            }
            return Ok(!self.ready.is_empty());
        }
        let bytes = &piece[..start + count];
        let (pairs, odd) = bytes.as_chunks::<2>();
        self.odd = odd.first().copied();
        let unit = |pair: &[u8; 2]| {
            if self.big_endian { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) }
        };
        let mut units: Vec<u16> =
            self.high.take().into_iter().chain(pairs.iter().map(unit)).collect();
        if let Some(&last) = units.last()
            && (0xd800..0xdc00).contains(&last)
        {
            self.high = units.pop();
        }
        self.ready.extend(String::from_utf16_lossy(&units).as_bytes());
        Ok(true)
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        while self.at == self.ready.len() {
            if !self.fill()? {
                return Ok(0);
            }
        }
        let count = out.len().min(self.ready.len() - self.at);
        out[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// All lines of a short text, trimmed; empty lines at its end do not count.
pub(crate) fn lines(path: &Path, longest: u64) -> std::result::Result<Vec<String>, IngestError> {
    let io = IngestError::io(path);
    let mut text = open(path)?;
    let mut all: Vec<String> = Vec::new();
    loop {
        let mut line = String::new();
        let mut limited = Read::take(&mut text, longest);
        if limited.read_line(&mut line).map_err(&io)? == 0 {
            break;
        }
        if line.len() as u64 == longest {
            let reason = format!("the line is longer than {longest} bytes; write one item a line");
            let row = all.len() as u64 + 1;
            return Err(IngestError::Row { path: path.to_owned(), row, reason });
        }
        all.push(line.trim().to_owned());
    }
    while all.last().is_some_and(String::is_empty) {
        all.pop();
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        std::fs::write(&path, bytes).unwrap();
        let mut text = String::new();
        open(&path).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn marks_and_packing_are_no_content() {
        let text = "a\nβ😀\r\n".repeat(9000);
        let bytes = text.as_bytes();
        assert_eq!(read(bytes), text);
        assert_eq!(read(&[UTF8_MARK, bytes].concat()), text);
        let units = |turn: fn(u16) -> [u8; 2]| -> Vec<u8> {
            std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(turn).collect()
        };
        assert_eq!(read(&units(u16::to_le_bytes)), text);
        assert_eq!(read(&units(u16::to_be_bytes)), text);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(bytes).unwrap();
        let gzip = gzip.finish().unwrap();
        // Several members, as bgzip and `cat a.gz b.gz` make them.
        assert_eq!(read(&[&gzip[..], &gzip[..]].concat()), text.repeat(2));
        assert_eq!(read(&zstd::encode_all(bytes, 1).unwrap()), text);
        assert_eq!(read(b""), "");
    }
}
