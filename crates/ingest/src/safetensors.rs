//! Hugging Face's `.safetensors`: named tensors, always little-endian and row-major.
//!
//! Only the header goes through the `safetensors` crate, which wants the rest in memory; values are
//! read from the file in pieces.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::IngestError;
use crate::arrays::{Array, ArrayFile};
use crate::element::{Class, Element};

/// The longest header that is read.
const LONGEST_HEADER: u64 = 1 << 24;

/// A file of tensors.
pub(crate) struct Tensors {
    path: PathBuf,
    arrays: Vec<Array>,
    /// Where each tensor begins.
    starts: Vec<u64>,
}

impl Tensors {
    /// Reads the header and checks it against the size of the file. Tensors of types that are not
    /// read (8-bit floats, complex numbers) are left out.
    pub(crate) fn open(path: &Path) -> Result<Self, IngestError> {
        let io = IngestError::io(path);
        let mut file = File::open(path).map_err(&io)?;
        let size = file.metadata().map_err(&io)?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(&io)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER.min(size) {
            return Err(IngestError::damaged(path, "its header is longer than it can be"));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header).map_err(&io)?;
        let header: Metadata =
            serde_json::from_slice(&header).map_err(|error| IngestError::damaged(path, error))?;
        let expected = (header.data_len() as u64).checked_add(8 + length);
        if expected != Some(size) {
            let reason = format!(
                "its header promises {} bytes, it has {size}",
                expected.map_or("too many".into(), |bytes| bytes.to_string())
            );
            return Err(IngestError::damaged(path, reason));
        }
        let mut tensors = Self { path: path.to_owned(), arrays: Vec::new(), starts: Vec::new() };
        let mut named: Vec<_> = header.tensors().into_iter().collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, info) in named {
            let Some(element) = element(info.dtype) else { continue };
            let shape = info.shape.iter().map(|&side| side as u64).collect();
            let (start, end) = info.data_offsets;
            let array = Array { name, shape, element };
            if array.bytes() != (end as u64).checked_sub(start as u64) || end > header.data_len() {
                let reason = format!("{} does not fit its place", array.name);
                return Err(IngestError::damaged(path, reason));
            }
            tensors.arrays.push(array);
            tensors.starts.push(8 + length + start as u64);
        }
        Ok(tensors)
    }
}

impl ArrayFile for Tensors {
    fn arrays(&self) -> &[Array] {
        &self.arrays
    }

    fn open(&self, place: usize) -> Result<Box<dyn Read>, IngestError> {
        let io = IngestError::io(&self.path);
        let mut file = File::open(&self.path).map_err(&io)?;
        file.seek(SeekFrom::Start(self.starts[place])).map_err(&io)?;
        let bytes = self.arrays[place].bytes().unwrap_or(0);
        Ok(Box::new(BufReader::new(file).take(bytes)))
    }
}

fn element(dtype: Dtype) -> Option<Element> {
    let (class, size) = match dtype {
        Dtype::F16 => (Class::Float, 2),
        Dtype::BF16 => (Class::Brain, 2),
        Dtype::F32 => (Class::Float, 4),
        Dtype::F64 => (Class::Float, 8),
        Dtype::BOOL | Dtype::U8 => (Class::Unsigned, 1),
        Dtype::I8 => (Class::Signed, 1),
        Dtype::I16 => (Class::Signed, 2),
        Dtype::U16 => (Class::Unsigned, 2),
        Dtype::I32 => (Class::Signed, 4),
        Dtype::U32 => (Class::Unsigned, 4),
        Dtype::I64 => (Class::Signed, 8),
        Dtype::U64 => (Class::Unsigned, 8),
        _ => return None,
    };
    Element::new(class, size, false)
}
