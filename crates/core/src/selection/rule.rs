//! How examples are chosen by score.
//!
//! Keeping the hardest is the paper's rule. At high pruning rates it falls below random; then a
//! window below the top, or coverage of all scores, does better.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    Direction,
    selection::{Amount, SelectionError, part::Part},
};

/// Which part of the order of scores is kept. In files: `{"rule": "window", "offset": 0.4}`.
///
/// `Hardest`, `Easiest` and `Ccs` follow the [`Direction`] of the score; the others are of its values.
///
/// ```
/// use datadiet_core::{Rule, RuleOptions, SelectionError};
///
/// let rule = Rule::named("ccs", RuleOptions { cut: Some(0.3), ..RuleOptions::default() }, 1000)?;
/// assert_eq!(rule, Rule::Ccs { cut: 0.3, strata: Rule::STRATA });
/// assert_eq!(rule.to_string(), "without the hardest 30 %, evenly over 50 strata of the score");
/// # Ok::<(), SelectionError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
pub enum Rule {
    /// The hard end, whichever end of the score that is.
    Hardest,
    /// The other end.
    Easiest,
    /// The highest values.
    Highest,
    /// The lowest values.
    Lowest,
    /// A random subset, whatever the scores. With the same seed a smaller one is part of a larger.
    Random,
    /// A window of the ascending order that begins after this fraction of the examples.
    Window {
        /// In [0, 1).
        offset: f64,
    },
    /// Coverage-centred coreset selection (Zheng et al. 2023): the hardest dropped, the others cut
    /// into strata of equal width that share the subset evenly.
    Ccs {
        /// Fraction of the hardest that is dropped, β in [0, 1).
        cut: f64,
        /// Number of strata.
        strata: u32,
    },
}

/// Options of a rule as people give them; each belongs to one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RuleOptions {
    /// Where a `window` begins: a fraction of the ascending order, in [0, 1), or a number of
    /// examples, from 1.
    pub offset: Option<f64>,
    /// Fraction of the hardest that `ccs` drops; [`Rule::CUT`] if not given.
    pub cut: Option<f64>,
    /// Strata of `ccs`; [`Rule::STRATA`] if not given.
    pub strata: Option<u32>,
}

impl Rule {
    /// Fraction of the hardest that `ccs` drops if nothing else is asked for.
    pub const CUT: f64 = 0.1;

    /// Strata of `ccs` if nothing else is asked for: as many as its authors take.
    pub const STRATA: u32 = 50;

    /// The name of every rule, as commands and files have it, and what it keeps.
    pub const NAMES: [(&str, &str); 7] = [
        ("hardest", "The hard end of the score, whichever end that is"),
        ("easiest", "The easy end of the score"),
        ("highest", "The highest values"),
        ("lowest", "The lowest values"),
        ("random", "Any examples, by chance"),
        ("window", "A window of the ascending order that begins at an offset"),
        ("ccs", "Coverage-centred (Zheng et al. 2023): without the hardest, evenly over strata"),
    ];

    /// The rule of a name with its options, for n examples.
    ///
    /// # Errors
    /// An unknown name, an option of another rule, a window without an offset, options out of their
    /// range.
    pub fn named(name: &str, options: RuleOptions, n: usize) -> Result<Self, SelectionError> {
        let RuleOptions { offset, cut, strata } = options;
        for (option, is_given, rule) in [
            ("offset", offset.is_some(), "window"),
            ("cut", cut.is_some(), "ccs"),
            ("strata", strata.is_some(), "ccs"),
        ] {
            if is_given && name != rule {
                return Err(SelectionError::OptionOfAnotherRule { option, rule });
            }
        }
        let rule = match name {
            "hardest" => Self::Hardest,
            "easiest" => Self::Easiest,
            "highest" => Self::Highest,
            "lowest" => Self::Lowest,
            "random" => Self::Random,
            "window" => {
                let offset = offset.ok_or(SelectionError::NoOffset)?;
                let is_count = offset >= 1.0 && offset.fract() == 0.0 && offset < n as f64;
                if !(0.0..1.0).contains(&offset) && !is_count {
                    return Err(SelectionError::OffsetOutOfRange { offset, examples: n });
                }
                Self::Window { offset: if is_count { offset / n as f64 } else { offset } }
            }
            "ccs" => {
                Self::Ccs { cut: cut.unwrap_or(Self::CUT), strata: strata.unwrap_or(Self::STRATA) }
            }
            _ => return Err(SelectionError::UnknownRule { given: name.to_owned() }),
        };
        rule.check()?;
        Ok(rule)
    }

    /// The name, as in [`Rule::NAMES`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hardest => "hardest",
            Self::Easiest => "easiest",
            Self::Highest => "highest",
            Self::Lowest => "lowest",
            Self::Random => "random",
            Self::Window { .. } => "window",
            Self::Ccs { .. } => "ccs",
        }
    }

    /// Its parameters are in their range.
    ///
    /// # Errors
    /// An offset or a cut outside [0, 1), or no strata.
    pub fn check(self) -> Result<(), SelectionError> {
        match self {
            Self::Window { offset } if !(0.0..1.0).contains(&offset) => {
                Err(SelectionError::OffsetOutOfRange { offset, examples: 1 })
            }
            Self::Ccs { cut, .. } if !(0.0..1.0).contains(&cut) => {
                Err(SelectionError::CutOutOfRange { cut })
            }
            Self::Ccs { strata: 0, .. } => Err(SelectionError::NoStrata),
            _ => Ok(()),
        }
    }

    /// Which part of the order of n scores it is. Coverage is of scores whose high values are hard.
    pub(crate) fn part(self, direction: Direction, amount: Amount, n: usize) -> Part {
        let hard_is_high = direction == Direction::HigherIsHarder;
        match self {
            Self::Hardest if hard_is_high => Part::Highest,
            Self::Easiest if !hard_is_high => Part::Highest,
            Self::Hardest | Self::Easiest | Self::Lowest => Part::Lowest,
            Self::Highest => Part::Highest,
            Self::Random => Part::Random,
            Self::Window { offset } => Part::Window { offset: begin(offset, amount, n) },
            Self::Ccs { cut, strata } => Part::CoverageCentred { cut, strata },
        }
    }
}

/// Where a window begins. One that fits exactly is not pushed past the end by two roundings.
fn begin(offset: f64, amount: Amount, n: usize) -> usize {
    let begin = (offset * n as f64).round() as usize;
    match amount {
        Amount::Fraction(keep) if offset + f64::from(keep) <= 1.0 + 1e-9 => {
            begin.min(n.saturating_sub(keep.size_of(n)))
        }
        _ => begin,
    }
}

/// What is kept: `the hardest`, `a window from 40 % of the ascending order on`.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A fraction such as 0.07 is held as a little more.
        let percent = |fraction: f64| (fraction * 1e6).round() / 1e4;
        match *self {
            Self::Hardest => f.write_str("the hardest"),
            Self::Easiest => f.write_str("the easiest"),
            Self::Highest => f.write_str("the highest scores"),
            Self::Lowest => f.write_str("the lowest scores"),
            Self::Random => f.write_str("at random"),
            Self::Window { offset } => {
                write!(f, "a window from {} % of the ascending order on", percent(offset))
            }
            Self::Ccs { cut, strata } => write!(
                f,
                "without the hardest {} %, evenly over {strata} strata of the score",
                percent(cut)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeepFraction;

    #[test]
    fn a_window_that_fits_exactly_fits_after_rounding() {
        assert_eq!(begin(0.5, Amount::Fraction(KeepFraction::try_from(0.5).unwrap()), 101), 50);
        assert_eq!(begin(0.5, Amount::Count(51), 101), 51);
    }
}
