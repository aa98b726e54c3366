//! Image-classification data sets: read once from any common format, cached in one open format,
//! then mapped into memory.
//!
//! ```text
//! files ── read ──> RawDataset ── write_cache ──> <home>/<name>/dataset.safetensors ── Dataset::open
//! name  ── fetch ─────────────────────────────────────────┘
//! ```
//!
//! ```
//! use datadiet_core::Silent;
//! use datadiet_data::{DataHome, Dataset, ImportOptions, read, write_cache};
//! # let files = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/fashion-mnist");
//! # let folder = tempfile::tempdir()?;
//! let options = ImportOptions::default();
//! let home = DataHome::new(folder.path());
//! write_cache(&home, "fashion", &read(&files, None, &options, &Silent)?, &options)?;
//!
//! let dataset = Dataset::open(&home, "fashion")?;
//! assert_eq!(dataset.train().len(), 1000);
//! assert_eq!(dataset.classes()[dataset.train().labels[0] as usize], "Ankle boot");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The library draws nothing, asks nothing, and holds no global state.

mod archive;
mod cache;
mod checksum;
mod dataset;
mod error;
pub mod export;
mod fetch;
mod fingerprint;
mod home;
mod images;
mod jpeg;
mod label_noise;
mod leftovers;
mod moments;
mod notes;
mod options;
mod overlap;
mod raw;
mod readers;

pub use cache::write_cache;
pub use dataset::{Dataset, Split};
pub use error::{DataError, Result};
pub use fetch::{FETCHABLE, fetch};
pub use home::{DataHome, DatasetContents, DatasetSummary, user_root};
pub use label_noise::{LabelNoise, LabelNoiseError, NoisyLabels};
pub use notes::{ImportNotes, LeftOut, Overlap};
pub use options::ImportOptions;
pub use raw::{RawDataset, RawSplit};
pub use readers::{Format, read};
