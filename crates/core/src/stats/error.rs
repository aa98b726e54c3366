//! What can be wrong with columns that a statistic is asked of.

use thiserror::Error;

/// A statistic that is not defined for the columns given.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum StatsError {
    /// Columns of different lengths.
    #[error("columns have {first} and {second} entries; compare columns of the same examples")]
    LengthMismatch {
        /// Length of the first column.
        first: usize,
        /// Length of the other.
        second: usize,
    },

    /// Too few entries (or columns) for the statistic.
    #[error("{found} {what}: at least {needed} are needed; add some")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How many are needed.
        needed: usize,
        /// How many there are.
        found: usize,
    },

    /// A NaN, that is an example without a value.
    #[error(
        "entry {index} of column {column} is NaN (an example that was never seen); drop such examples first"
    )]
    Nan {
        /// Which argument, from 0.
        column: usize,
        /// Index of the first NaN.
        index: usize,
    },

    /// All values are equal, so that no order and no correlation exist. A caller may show it as
    /// "not defined"; see [`StatsError::is_not_defined`].
    #[error("column {column} is constant: a rank correlation with it is not defined; leave it out")]
    Constant {
        /// Which argument, from 0.
        column: usize,
    },

    /// More entries than 32-bit ids can name.
    #[error("{found} entries: at most 2^32 - 1 can be ranked; split the column")]
    TooMany {
        /// How many there are.
        found: usize,
    },

    /// A fraction outside [0, 1].
    #[error("entry {index} is {value}, not a fraction in [0, 1]; pass the fraction of replicas")]
    NotAFraction {
        /// Index of the first such entry.
        index: usize,
        /// The entry.
        value: f32,
    },

    /// A value that the score of a column cannot have.
    #[error("entry {index} is {value}, not {what}; name the column by the score that it holds")]
    OutOfRange {
        /// Index of the first such entry.
        index: usize,
        /// The entry.
        value: f32,
        /// What it should be.
        what: &'static str,
    },

    /// No example is of the kind to be found.
    #[error(
        "none of the {examples} examples is touched, so there is nothing to find; pass the mask of the noise that was applied"
    )]
    NothingTouched {
        /// Number of examples.
        examples: usize,
    },

    /// Every example is of the kind to be found.
    #[error(
        "all {examples} examples are touched, so there is nothing to tell them from; score the untouched examples too"
    )]
    AllTouched {
        /// Number of examples.
        examples: usize,
    },

    /// The top of no examples, or of more than there are.
    #[error("there is no top {k} of {examples} examples; ask for 1 to {examples}")]
    TopOutOfRange {
        /// The number asked for.
        k: usize,
        /// Number of examples.
        examples: usize,
    },

    /// A percentile outside [0, 100].
    #[error("there is no percentile {q}; pass a number in [0, 100], such as 50 for the median")]
    NotAPercentile {
        /// The number.
        q: f64,
    },
}

impl StatsError {
    /// Whether the data are in order and the statistic simply does not exist for them.
    #[must_use]
    pub const fn is_not_defined(&self) -> bool {
        matches!(self, Self::Constant { .. })
    }

    /// `k` is a number of examples at the top of n.
    pub(crate) fn check_top(k: usize, examples: usize) -> Result<(), Self> {
        if (1..=examples).contains(&k) {
            return Ok(());
        }
        Err(Self::TopOutOfRange { k, examples })
    }

    pub(crate) fn check_lengths(first: usize, second: usize) -> Result<(), Self> {
        if first == second {
            return Ok(());
        }
        Err(Self::LengthMismatch { first, second })
    }

    /// The same error, about another argument.
    pub(crate) fn in_column(self, column: usize) -> Self {
        match self {
            Self::Nan { index, .. } => Self::Nan { column, index },
            Self::Constant { .. } => Self::Constant { column },
            other => other,
        }
    }
}
