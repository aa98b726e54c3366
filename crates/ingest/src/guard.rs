//! Decoders of other crates that may give up on a damaged file.
//!
//! The readers of Parquet and Arrow check most of what they read and panic on some of the rest
//! (found by `examples/fuzz.rs`). A file that does so is damaged, no more; the decoder that was at
//! work is not used again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::IngestError;

/// What `decode` gives; an error where it panics.
pub(crate) fn guarded<T>(
    path: &Path,
    decode: impl FnOnce() -> Result<T, IngestError>,
) -> Result<T, IngestError> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(IngestError::damaged(path, "its decoder gave up on it")))
}
