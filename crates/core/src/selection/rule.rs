//! How examples are chosen by score.
//!
//! Keeping the highest is the paper's rule. At high pruning rates it falls below random; then a
//! window below the top, or coverage of all scores, does better. The rules themselves are in the
//! files of their names; this one holds their parameters.

use serde::{Deserialize, Serialize};

use crate::selection::SelectionError;

/// A way to choose examples by score. In files: `{"rule": "window", "offset": 500}`.
///
/// ```
/// use datadiet_core::Rule;
///
/// assert!(Rule::Highest.reads_scores());
/// assert!(!Rule::Random.reads_scores());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Rule {
    /// The highest scores: the last examples of the order.
    Highest,
    /// The lowest scores: the first examples of the order.
    Lowest,
    /// A random subset, whatever the scores. With the same seed a smaller one is part of a larger.
    Random,
    /// A window into the order, from a position on.
    Window {
        /// Examples of the order before the window.
        offset: usize,
    },
    /// Coverage-centred coreset selection: the highest scores dropped, the others cut into strata
    /// of equal width that share the subset evenly.
    ///
    /// The **highest** scores are dropped as the hardest. For a score whose low values are hard
    /// ([`crate::Direction::LowerIsHarder`]) pass the negated scores.
    CoverageCentred {
        /// Fraction of the examples to drop, β in [0, 1).
        cut: f64,
        /// Number of strata; the authors use 50.
        strata: u32,
    },
}

impl Rule {
    /// Whether the subset depends on the scores.
    #[must_use]
    pub const fn reads_scores(self) -> bool {
        !matches!(self, Self::Random)
    }

    /// Examples of n that the rule may choose from: all of them, but for those that
    /// `CoverageCentred` cuts (the nearest whole number to β n, halves up).
    pub(crate) fn candidates(self, n: usize) -> usize {
        match self {
            Self::CoverageCentred { cut, .. } => n - (cut * n as f64).round() as usize,
            _ => n,
        }
    }

    /// The rule for a class of `members` of n examples that keeps `size`: a window starts at the
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

    pub(crate) fn check(self, n: usize, size: usize) -> Result<(), SelectionError> {
        match self {
            Self::Window { offset } if offset > n - size => {
                Err(SelectionError::WindowPastTheEnd { offset, size, examples: n })
            }
            Self::CoverageCentred { cut, .. } if !(0.0..1.0).contains(&cut) => {
                Err(SelectionError::CutOutOfRange { cut })
            }
            Self::CoverageCentred { strata: 0, .. } => Err(SelectionError::NoStrata),
            _ => Ok(()),
        }
    }
}
