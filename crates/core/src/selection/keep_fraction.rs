//! The fraction of the training set that is kept, in (0, 1].
//!
//! `size = max(1, round(f n))`, halves away from zero. f is a binary number: 0.145 is held as a
//! little less, and so 0.145 of 100 is 14.
//!
//! It is what is **kept**; papers that give the fraction pruned mean 1 − f.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A fraction in (0, 1]. In files: a number.
///
/// ```
/// use datadiet_core::{KeepFraction, KeepFractionError};
///
/// let half: KeepFraction = "0.5".parse()?;
/// assert_eq!(half.size_of(50_001), 25_001);
/// assert_eq!(KeepFraction::try_from(0.001)?.size_of(10), 1);
/// assert!(KeepFraction::try_from(0.0).is_err());
/// # Ok::<(), KeepFractionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct KeepFraction(f64);

/// A fraction that cannot be kept.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum KeepFractionError {
    /// A number outside (0, 1].
    #[error("{value} is not a fraction in (0, 1]; to keep 40 % write 0.4")]
    OutOfRange {
        /// The number.
        value: f64,
    },

    /// A word that is not a number.
    #[error("`{given}` is not a number; to keep 40 % write 0.4")]
    NotANumber {
        /// The word.
        given: String,
    },
}

impl KeepFraction {
    /// The whole training set.
    pub const ALL: Self = Self(1.0);

    /// The fraction as a number in (0, 1].
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// Size of the subset of n examples: the nearest whole number, halves away from zero, but at
    /// least 1.
    #[must_use]
    pub fn size_of(self, n: usize) -> usize {
        ((self.0 * n as f64).round() as usize).max(1)
    }
}

impl TryFrom<f64> for KeepFraction {
    type Error = KeepFractionError;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        if value > 0.0 && value <= 1.0 {
            return Ok(Self(value));
        }
        Err(KeepFractionError::OutOfRange { value })
    }
}

impl From<KeepFraction> for f64 {
    fn from(fraction: KeepFraction) -> Self {
        fraction.0
    }
}

impl FromStr for KeepFraction {
    type Err = KeepFractionError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word.trim().parse::<f64>() {
            Ok(value) => value.try_into(),
            Err(_) => Err(KeepFractionError::NotANumber { given: word.to_owned() }),
        }
    }
}

impl fmt::Display for KeepFraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
