//! The name of a training example: its index in the full training set.
//!
//! It never changes: not by sorting, label noise, pruning or sharding. A score column is indexed
//! by it, a subset is a set of it. 32 bits hold four thousand million examples at half the memory
//! of `usize`.
//!
//! It does not say which data set it belongs to; the store keeps that beside it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Index of an example in the full training set, from 0.
///
/// ```
/// use datadiet_core::ExampleId;
///
/// let id = ExampleId(7);
/// assert_eq!(id.index(), 7);
/// assert_eq!(id.to_string(), "7");
/// assert!(ExampleId(6) < id);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct ExampleId(pub u32);

impl ExampleId {
    /// The same number as an index into a column of the full training set.
    #[inline]
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ExampleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
