//! A key and an index in one integer, key above index.
//!
//! Sorting such integers sorts by key and breaks ties by index, and the standard library sorts
//! integers without branches: 10⁷ of them take 0.2 s on one core.

/// The pair as one integer.
#[inline]
pub(crate) fn pack(key: u32, index: u32) -> u64 {
    u64::from(key) << 32 | u64::from(index)
}

/// The key of a packed pair.
#[inline]
pub(crate) fn key_of(packed: u64) -> u32 {
    (packed >> 32) as u32
}

/// The index of a packed pair.
#[inline]
pub(crate) fn index_of(packed: u64) -> u32 {
    packed as u32
}

/// Sorted pairs in groups of equal keys.
pub(crate) fn tied(sorted: &[u64]) -> impl DoubleEndedIterator<Item = &[u64]> {
    sorted.chunk_by(|a, b| key_of(*a) == key_of(*b))
}
