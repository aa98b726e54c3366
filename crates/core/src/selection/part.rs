//! A part of the order, by positions: what a [`super::Rule`] is for so many scores whose high values
//! are hard.

use crate::selection::SelectionError;

/// A part of the ascending order of n scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    /// The last examples.
    Highest,
    /// The first examples.
    Lowest,
    /// Any examples, whatever the scores.
    Random,
    /// The examples from position `offset` on.
    Window { offset: usize },
    /// The **last** `cut` of the examples dropped, the others cut into strata of equal width that
    /// share the subset evenly.
    CoverageCentred { cut: f64, strata: u32 },
}

impl Part {
    /// Whether it depends on the scores.
    pub(crate) const fn reads_scores(self) -> bool {
        !matches!(self, Self::Random)
    }

    /// Examples of n that may be chosen: all of them, but for those that coverage cuts (the nearest
    /// whole number to β n, halves up).
    pub(crate) fn candidates(self, n: usize) -> usize {
        match self {
            Self::CoverageCentred { cut, .. } => n - (cut * n as f64).round() as usize,
            _ => n,
        }
    }

    /// The part for a class of `members` of n examples that keeps `size`: a window starts at the
    /// same fraction of the class, or lower where it would pass the end; there are no more strata
    /// than examples to keep, since each but the largest would give none.
    pub(crate) fn within_class(self, members: usize, n: usize, size: usize) -> Self {
        match self {
            Self::Window { offset } => {
                let scaled = (offset as f64 * members as f64 / n as f64).round() as usize;
                Self::Window { offset: scaled.min(members - size) }
            }
            Self::CoverageCentred { cut, strata } => {
                let size = u32::try_from(size).unwrap_or(u32::MAX);
                Self::CoverageCentred { cut, strata: strata.min(size.max(1)) }
            }
            other => other,
        }
    }

    /// It lies within the order.
    pub(crate) const fn check(self, n: usize, size: usize) -> Result<(), SelectionError> {
        match self {
            Self::Window { offset } if offset > n - size => {
                Err(SelectionError::WindowPastTheEnd { offset, size, examples: n })
            }
            _ => Ok(()),
        }
    }
}
