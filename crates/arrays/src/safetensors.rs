//! Hugging Face's `.safetensors`: named tensors, always little-endian and row-major.
//!
//! Only the header goes through the `safetensors` crate, which wants the rest in memory; values are
//! read from the file in pieces.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::element::{Class, Element};
use crate::row_major::Order;
use crate::{Array, ArrayError, ArrayFile};

/// The longest header that is read.
const LONGEST_HEADER: u64 = 1 << 24;

/// A file of tensors.
#[derive(Debug)]
pub struct Tensors {
    path: PathBuf,
    arrays: Vec<Array>,
    /// Where each tensor begins.
    starts: Vec<u64>,
}

impl Tensors {
    /// Reads the header and checks it against the size of the file. Tensors of types that are not
    /// read (8-bit floats, complex numbers) are left out.
    ///
    /// # Errors
    /// See [`ArrayError`].
    pub fn open(path: &Path) -> Result<Self, ArrayError> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut length = [0; 8];
        file.read_exact(&mut length)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEADER.min(size) {
            return Err(ArrayError::damaged("its header is longer than it can be"));
        }
        let mut header = vec![0; length as usize];
        file.read_exact(&mut header)?;
        let header: Metadata = serde_json::from_slice(&header).map_err(ArrayError::damaged)?;
        let expected = (header.data_len() as u64).checked_add(8 + length);
        if expected != Some(size) {
            let reason = format!(
                "its header promises {} bytes, it has {size}",
                expected.map_or("too many".into(), |bytes| bytes.to_string())
            );
            return Err(ArrayError::Damaged(reason));
        }
        let mut tensors = Self { path: path.to_owned(), arrays: Vec::new(), starts: Vec::new() };
        let mut named: Vec<_> = header.tensors().into_iter().collect();
        named.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, info) in named {
            let Some(element) = element(info.dtype) else { continue };
            let shape = info.shape.iter().map(|&side| side as u64).collect();
            let (start, end) = info.data_offsets;
            let array = Array { name, shape, element, order: Order::RowMajor };
            if array.bytes() != (end as u64).checked_sub(start as u64) || end > header.data_len() {
                let reason = format!("{} does not fit its place", array.name);
                return Err(ArrayError::Damaged(reason));
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

    fn bytes(&self, place: usize) -> Result<Box<dyn Read>, ArrayError> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.starts[place]))?;
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
        Dtype::BOOL => (Class::Boolean, 1),
        Dtype::U8 => (Class::Unsigned, 1),
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
