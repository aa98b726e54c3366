//! Files of named arrays: NumPy's `.npy` and `.npz`, and `.safetensors`.
//!
//! [`open`] reads what a file says of its arrays; [`ArrayFile::bytes`] then gives the elements of
//! one, row-major, as a stream: memory does not grow with the file. An array in column-major order
//! is brought in order through a temporary file, a structured array is as many arrays as it has
//! fields. Pickles are refused before any of them is read.

mod element;
mod header;
mod npy;
mod npz;
mod row_major;
mod safetensors;
mod write;

use std::io::Read;
use std::path::Path;

pub use element::{Class, Element};
pub use npy::Npy;
pub use npz::Npz;
pub use safetensors::Tensors;
pub use write::{Number, write};

/// A file, or an array of it, that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),

    /// A file that ends early, or is not what its name says.
    #[error("it is damaged: {0}; write it again")]
    Damaged(String),

    /// A pickle inside an npy or npz.
    #[error(
        "{array} holds pickled Python objects, which are never loaded: they can run any program; save numbers, or texts with `numpy.asarray({array}, dtype=str)`"
    )]
    Pickle {
        /// The array.
        array: String,
    },

    /// A type that is not read.
    #[error("{array} is of type {found}; numbers are read, and texts for ids")]
    Type {
        /// The array.
        array: String,
        /// Its type, as the file names it.
        found: String,
    },

    /// A compressed member that expands beyond what is allowed.
    #[error(
        "{member} expands from {packed} to {unpacked} bytes, more than {limit} are allowed for its size; if it is not an attack, save it uncompressed (numpy.savez)"
    )]
    Bomb {
        /// The member.
        member: String,
        /// Its size in the file.
        packed: u64,
        /// Its declared size.
        unpacked: u64,
        /// The most that is allowed.
        limit: u64,
    },
}

impl ArrayError {
    fn damaged(reason: impl ToString) -> Self {
        Self::Damaged(reason.to_string())
    }
}

/// One array of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Array {
    /// Its name in the file; of an `.npy`, the file's own.
    pub name: String,
    /// Its sides.
    pub shape: Vec<u64>,
    /// The type of its elements.
    pub element: Element,
    pub(crate) order: row_major::Order,
}

impl Array {
    /// Number of elements, where it can be counted.
    fn len(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, &side| product.checked_mul(side))
    }

    /// Bytes of all elements, where they can be counted.
    #[must_use]
    pub fn bytes(&self) -> Option<u64> {
        self.len()?.checked_mul(self.element.size as u64)
    }

    /// The shape as Python writes lists: `[50000, 10]`.
    #[must_use]
    pub fn shape_text(&self) -> String {
        let sides: Vec<String> = self.shape.iter().map(u64::to_string).collect();
        format!("[{}]", sides.join(", "))
    }
}

/// A file that holds arrays.
pub trait ArrayFile {
    /// Its arrays.
    fn arrays(&self) -> &[Array];

    /// The bytes of the array at a place in [`Self::arrays`], in row-major order. Check sums are
    /// checked where the stream ends.
    ///
    /// # Errors
    /// When the file, or a temporary one, cannot be read or written.
    fn bytes(&self, place: usize) -> Result<Box<dyn Read>, ArrayError>;

    /// All bytes of an array: read in pieces, so that memory grows with what is there, not with
    /// what is promised.
    ///
    /// # Errors
    /// As [`Self::bytes`], and where there are fewer or more bytes than the shape asks for.
    fn read_all(&self, place: usize) -> Result<Vec<u8>, ArrayError> {
        const PIECE: usize = 1 << 20;
        let array = &self.arrays()[place];
        let count = array.bytes().ok_or_else(|| ArrayError::damaged("its shape overflows"))?;
        let mut bytes = Vec::with_capacity((count as usize).min(PIECE));
        let mut from = self.bytes(place)?;
        from.by_ref().take(count).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < count {
            return Err(ArrayError::Damaged(format!("{} ends too early", array.name)));
        }
        check_end(&mut from)?;
        Ok(bytes)
    }
}

/// Checks that all of an array has been read; a stream that checks its sum does so at its end.
///
/// # Errors
/// Where there are more bytes, and where the check sum does not match.
pub fn check_end(from: &mut impl Read) -> std::io::Result<()> {
    if from.read(&mut [0])? == 0 {
        return Ok(());
    }
    let reason = "there are more bytes than its shape asks for";
    Err(std::io::Error::new(std::io::ErrorKind::InvalidData, reason))
}

/// Opens an `.npy`, `.npz` or `.safetensors` by the ending of its name; `None` for another ending.
/// An array of which `needed` says no may be of a type that is not read: it is passed over.
///
/// # Errors
/// See [`ArrayError`].
pub fn open(
    path: &Path,
    needed: &dyn Fn(&str) -> bool,
) -> Option<Result<Box<dyn ArrayFile>, ArrayError>> {
    fn boxed<F: ArrayFile + 'static>(file: F) -> Box<dyn ArrayFile> {
        Box::new(file)
    }
    Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "npy" => Npy::open(path).map(boxed),
        "npz" => Npz::open(path, needed).map(boxed),
        "safetensors" => Tensors::open(path).map(boxed),
        _ => return None,
    })
}
