//! NumPy's `.npy`: one array, which is the values; also ids and labels in files of their own.
//!
//! Format: NEP 1, versions 1.0 to 3.0. Little and big endian, C order. A pickle is refused before
//! any of it is read. The header is parsed here and not by a crate: those at hand multiply the
//! sides of a shape without a check and descend into nested literals as deep as a file asks.
//!
//! NumPy has no `bfloat16`: the type that `ml_dtypes` adds is written as two raw bytes (`V2`), and
//! so it is read.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::IngestError;
use crate::arrays::{Array, ArrayFile};
use crate::element::{Class, Element};

/// The longest header that is read; NumPy's own limit is 10,000.
const LONGEST_HEADER: usize = 1 << 16;

/// A file of one array.
pub(crate) struct Npy {
    path: PathBuf,
    array: [Array; 1],
    /// Where the elements begin.
    start: u64,
}

impl Npy {
    /// Reads the header and checks it against the size of the file.
    pub(crate) fn open(path: &Path) -> Result<Self, IngestError> {
        let io = IngestError::io(path);
        let mut file = File::open(path).map_err(&io)?;
        let size = file.metadata().map_err(&io)?.len();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let array = read_header(path, &name, &mut file)?;
        let start = file.stream_position().map_err(&io)?;
        let expected = array.bytes().and_then(|bytes| bytes.checked_add(start));
        if expected != Some(size) {
            let reason = format!(
                "its header promises {} bytes, it has {size}",
                expected.map_or("too many".into(), |bytes| bytes.to_string())
            );
            return Err(IngestError::damaged(path, reason));
        }
        Ok(Self { path: path.to_owned(), array: [array], start })
    }

    /// The array.
    pub(crate) fn array(&self) -> &Array {
        &self.array[0]
    }
}

impl ArrayFile for Npy {
    fn arrays(&self) -> &[Array] {
        &self.array
    }

    fn open(&self, _: usize) -> Result<Box<dyn Read>, IngestError> {
        let io = IngestError::io(&self.path);
        let mut file = File::open(&self.path).map_err(&io)?;
        file.seek(SeekFrom::Start(self.start)).map_err(&io)?;
        Ok(Box::new(BufReader::new(file)))
    }
}

/// Reads the header of an array; the elements follow.
pub(crate) fn read_header(
    path: &Path,
    name: &str,
    bytes: &mut impl Read,
) -> Result<Array, IngestError> {
    let io = IngestError::io(path);
    let damaged = |reason: &str| IngestError::damaged(path, format!("{name}: {reason}"));
    let mut magic = [0; 8];
    bytes.read_exact(&mut magic).map_err(&io)?;
    if magic[..6] != *b"\x93NUMPY" {
        return Err(damaged("it does not begin as npy does"));
    }
    let length = match magic[6] {
        1 => {
            let mut length = [0; 2];
            bytes.read_exact(&mut length).map_err(&io)?;
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            bytes.read_exact(&mut length).map_err(&io)?;
            u32::from_le_bytes(length) as usize
        }
        _ => return Err(damaged("it is of an unknown version of npy")),
    };
    if length > LONGEST_HEADER {
        return Err(damaged("its header is far longer than any that NumPy writes"));
    }
    let mut text = vec![0; length];
    bytes.read_exact(&mut text).map_err(&io)?;
    let text = String::from_utf8_lossy(&text);
    let header = Header::parse(&text).ok_or_else(|| damaged("its header cannot be parsed"))?;
    if header.descr.contains('O') {
        return Err(IngestError::Pickle { path: path.to_owned(), array: name.into() });
    }
    let element = element(&header.descr).ok_or_else(|| IngestError::Type {
        path: path.to_owned(),
        array: name.into(),
        found: header.descr.clone(),
        wanted: "numbers, or texts for ids, are read",
    })?;
    // One dimension, or none longer than 1 but one, is the same in both orders.
    if header.fortran_order && header.shape.iter().filter(|&&side| side > 1).count() > 1 {
        return Err(IngestError::shape(
            path,
            format!("{name} is in column-major order; save `numpy.ascontiguousarray({name})`"),
        ));
    }
    Ok(Array { name: name.into(), shape: header.shape, element })
}

/// The type that a NumPy type string names, such as `<f4`.
fn element(descr: &str) -> Option<Element> {
    let (order, rest) = (descr.chars().next()?, descr.get(1..)?);
    let big_endian = match order {
        '>' => true,
        '<' | '|' => false,
        '=' => cfg!(target_endian = "big"),
        _ => return None,
    };
    let (class, size) = (rest.chars().next()?, rest.get(1..)?.parse::<usize>().ok()?);
    match class {
        'f' => Element::new(Class::Float, size, big_endian),
        'V' if size == 2 => Element::new(Class::Brain, size, big_endian),
        'i' => Element::new(Class::Signed, size, big_endian),
        'u' | 'b' => Element::new(Class::Unsigned, size, big_endian),
        'S' => Element::new(Class::Bytes, size, big_endian),
        'U' => Element::new(Class::Unicode, size.checked_mul(4)?, big_endian),
        _ => None,
    }
}

/// What a header says.
#[derive(Debug, PartialEq)]
struct Header {
    /// A type string; of a structured type, the whole list.
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

impl Header {
    /// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn parse(text: &str) -> Option<Self> {
        let body = text.trim().strip_prefix('{')?.strip_suffix('}')?;
        let after = |key: &str| {
            let quoted = [format!("'{key}'"), format!("\"{key}\"")];
            let value = quoted.iter().find_map(|key| body.split_once(key.as_str()))?.1;
            Some(value.trim_start().strip_prefix(':')?.trim_start())
        };
        let descr = after("descr")?;
        let descr = match descr.chars().next()? {
            quote @ ('\'' | '"') => descr[1..].split_once(quote)?.0,
            // A structured type: no array of numbers, whatever is in it.
            '[' => descr,
            _ => return None,
        };
        let order = after("fortran_order")?;
        let fortran_order = match (order.starts_with("True"), order.starts_with("False")) {
            (true, _) => true,
            (_, true) => false,
            _ => return None,
        };
        let sides = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let sides = sides.split(',').map(str::trim).filter(|side| !side.is_empty());
        // Python 2 wrote long numbers with an L.
        let side = |text: &str| text.strip_suffix('L').unwrap_or(text).parse().ok();
        Some(Self {
            descr: descr.into(),
            fortran_order,
            shape: sides.map(side).collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_numpy_writes_them() {
        let parse = |text: &str| Header::parse(text).unwrap();
        let header = parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }    \n");
        let expected = Header { descr: "<f4".into(), fortran_order: false, shape: vec![3, 4] };
        assert_eq!(header, expected);
        assert_eq!(parse("{'descr':'>i8','fortran_order':True,'shape':(7,)}").shape, [7]);
        assert!(parse("{'descr':'>i8','fortran_order':True,'shape':()}").shape.is_empty());
        assert!(Header::parse("{'descr': '<f4', 'shape': (3, 4), }").is_none());
        assert!(
            Header::parse("{'descr': '<f4', 'fortran_order': False, 'shape': (3, -4)}").is_none()
        );
        let record = parse("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}");
        assert!(element(&record.descr).is_none());
    }

    #[test]
    fn types_as_numpy_names_them() {
        let of = |descr| element(descr).map(|found| (found.class, found.size, found.big_endian));
        assert_eq!(of("<f2"), Some((Class::Float, 2, false)));
        assert_eq!(of(">f8"), Some((Class::Float, 8, true)));
        assert_eq!(of("|V2"), Some((Class::Brain, 2, false)));
        assert_eq!(of("|b1"), Some((Class::Unsigned, 1, false)));
        assert_eq!(of("<U5"), Some((Class::Unicode, 20, false)));
        assert_eq!(of("<f16"), None);
        assert_eq!(of("<c8"), None);
        assert_eq!(of("é"), None);
    }
}
