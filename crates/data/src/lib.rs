//! Image-classification data sets: read once from any common format, cached in one open format,
//! then mapped into memory.
//!
//! ```text
//! files ── read ──> RawDataset ── write_cache ──> <home>/<name>/dataset.safetensors ── Dataset::open
//! name  ── fetch ─────────────────────────────────────────┘
//! ```
//!
//! The library draws nothing, asks nothing, and holds no global state.

mod archive;
mod cache;
mod checksum;
mod dataset;
mod error;
mod fetch;
mod fingerprint;
mod home;
mod images;
mod leftovers;
mod moments;
mod nearest;
mod options;
mod progress;
mod raw;
mod readers;

pub use cache::write_cache;
pub use dataset::{Dataset, Split};
pub use error::{DataError, Result};
pub use fetch::{FETCHABLE, fetch};
pub use home::{DataHome, DatasetContents, DatasetSummary};
pub use options::ImportOptions;
pub use progress::{Progress, Silent};
pub use raw::{RawDataset, RawSplit};
pub use readers::{Format, read};
