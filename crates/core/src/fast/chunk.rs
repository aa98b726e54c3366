//! How many rows a thread takes at a time.

use crate::isa::LANES;

/// Bytes of a matrix that a thread takes at a time: enough that taking costs nothing, few enough
/// that the last thread to finish is not waited for.
const CHUNK_BYTES: usize = 1 << 20;

/// Rows of so many bytes that a thread takes at a time, a multiple of 16.
pub(crate) fn rows(row_bytes: usize) -> usize {
    (CHUNK_BYTES / row_bytes.max(1)).next_multiple_of(LANES).max(LANES)
}
