//! The reader of a file, by the ending of its name.

use std::path::Path;

use datadiet_arrays::ArrayFile;

use crate::arrays::ArrayReader;
use crate::arrow_ipc::ArrowIpc;
use crate::batch::Reader;
use crate::csv::Csv;
use crate::guard::Guarded;
use crate::json_lines::JsonLines;
use crate::parquet::Parquet;
use crate::{IngestError, Names, text};

/// The formats, by ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Arrays,
    Parquet,
    Arrow,
    Json,
    Csv,
}

impl Format {
    /// The format that a name ends in; `None` for another ending. Texts may be packed besides.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let (name, packed) = text::packed(&name);
        Some(match (name.rsplit_once('.')?.1, packed) {
            ("npy" | "npz" | "safetensors", None) => Self::Arrays,
            ("parquet" | "pq", None) => Self::Parquet,
            ("arrow" | "feather" | "ipc" | "arrows", None) => Self::Arrow,
            ("jsonl" | "ndjson" | "json", _) => Self::Json,
            ("csv" | "tsv", _) => Self::Csv,
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
        Format::Arrays => Box::new(ArrayReader::new(path, open_arrays(path, names)?, names)?),
        Format::Parquet => Box::new(Guarded::open(path, || Parquet::open(path, names))?),
        Format::Arrow => Box::new(Guarded::open(path, || ArrowIpc::open(path, names))?),
        Format::Json => Box::new(JsonLines::open(path, names)?),
        Format::Csv => Box::new(Csv::open(path, names)?),
    })
}

/// Opens a file of arrays.
pub(crate) fn open_arrays(path: &Path, names: &Names) -> Result<Box<dyn ArrayFile>, IngestError> {
    datadiet_arrays::open(path, &|name| names.field(name).is_some())
        .ok_or_else(|| IngestError::Format { path: path.to_owned() })?
        .map_err(IngestError::array(path))
}
