//! How many rows a thread takes at a time, and their threads.

use rayon::prelude::*;

use crate::isa::LANES;

/// Bytes of a matrix that a thread takes at a time: enough that taking costs nothing, few enough
/// that the last thread to finish is not waited for.
const CHUNK_BYTES: usize = 1 << 20;

/// Rows of so many bytes that a thread takes at a time, a multiple of 16.
pub(crate) fn rows(row_bytes: usize) -> usize {
    (CHUNK_BYTES / row_bytes.max(1)).next_multiple_of(LANES).max(LANES)
}

/// The same for rows that a thread takes one by one, of which few may be many bytes.
pub(crate) fn few_rows(row_bytes: usize) -> usize {
    (CHUNK_BYTES / row_bytes.max(1)).max(1)
}

/// Does pieces of work on all cores, a single one on the thread that calls; whether all of them are good.
/// `each` takes room that a thread uses again, the number of the piece, and the piece.
pub(crate) fn all_good<T: Send, R>(
    mut pieces: Vec<T>,
    room: impl Fn() -> R + Send + Sync,
    each: impl Fn(&mut R, usize, T) -> bool + Send + Sync,
) -> bool {
    if pieces.len() <= 1 {
        return pieces.pop().is_none_or(|piece| each(&mut room(), 0, piece));
    }
    let each = |room: &mut R, (number, piece): (usize, T)| each(room, number, piece);
    pieces.into_par_iter().enumerate().map_init(room, each).reduce(|| true, |a, b| a & b)
}
