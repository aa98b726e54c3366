//! The reader of a file, by the ending of its name.

use std::path::Path;

use crate::arrays::ArrayReader;
use crate::arrow_ipc::ArrowIpc;
use crate::batch::Reader;
use crate::guard::Guarded;
use crate::json_lines::JsonLines;
use crate::npy::Npy;
use crate::npz::Npz;
use crate::parquet::Parquet;
use crate::safetensors::Tensors;
use crate::{IngestError, Names};

/// The formats, by ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Npy,
    Npz,
    Safetensors,
    Parquet,
    Arrow,
    JsonLines,
}

impl Format {
    /// The format that a name ends in; `None` for another ending.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?.to_lowercase();
        Some(match ending.as_str() {
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            "safetensors" => Self::Safetensors,
            "parquet" | "pq" => Self::Parquet,
            "arrow" | "feather" | "ipc" | "arrows" => Self::Arrow,
            "jsonl" | "ndjson" => Self::JsonLines,
            _ => return None,
        })
    }
}

/// Opens a file of logits or probabilities.
///
/// # Errors
/// An ending that is not known, a file that is damaged or lacks what is needed.
pub fn open(path: &Path, names: &Names) -> Result<Box<dyn Reader>, IngestError> {
    let format = Format::of(path);
    let format = format.ok_or_else(|| IngestError::Format { path: path.to_owned() })?;
    Ok(match format {
        Format::Npy => Box::new(ArrayReader::new(path, &Npy::open(path)?, names)?),
        Format::Npz => Box::new(ArrayReader::new(path, &Npz::open(path, names)?, names)?),
        Format::Safetensors => Box::new(ArrayReader::new(path, &Tensors::open(path)?, names)?),
        Format::Parquet => Box::new(Guarded::open(path, || Parquet::open(path, names))?),
        Format::Arrow => Box::new(Guarded::open(path, || ArrowIpc::open(path, names))?),
        Format::JsonLines => Box::new(JsonLines::open(path, names)?),
    })
}
