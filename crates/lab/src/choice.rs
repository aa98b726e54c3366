//! A way to choose a subset: by what column, which part of its order, how much, how shared out over
//! the classes.

use std::borrow::Cow;

use datadiet_core::{
    ClassShare, Classes, Direction, ExampleId, KeepFraction, Quota, Rule, class_shares, select,
    select_by_class,
};
use serde::{Deserialize, Serialize};

use crate::{LabError, Ranking};

/// Which part of the order is kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "rule")]
pub enum Keep {
    /// The hard end, whichever end of the score that is.
    Hardest,
    /// The other end.
    Easiest,
    /// The highest values.
    Highest,
    /// The lowest values.
    Lowest,
    /// Examples at random.
    Random,
    /// A window of the ascending order that begins after this fraction of the examples.
    Window {
        /// In [0, 1).
        offset: f64,
    },
    /// Coverage-centred: without the hardest, then evenly over strata of the score.
    Ccs {
        /// Fraction of the hardest that is dropped, in [0, 1).
        cut: f64,
        /// Strata of equal width.
        strata: u32,
    },
}

/// How many examples are kept.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amount {
    /// A fraction of the candidates.
    Fraction(KeepFraction),
    /// So many.
    Count(usize),
}

impl Amount {
    /// How many of `n`.
    pub fn of(self, n: usize) -> usize {
        match self {
            Self::Fraction(fraction) => fraction.size_of(n),
            Self::Count(count) => count,
        }
    }
}

/// A way to choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Which part.
    pub keep: Keep,
    /// How many.
    pub amount: Amount,
    /// How they are shared out over the classes.
    pub quota: Quota,
    /// Seed of what is random.
    pub seed: u64,
}

/// Chosen examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Chosen {
    /// Ids, ascending.
    pub ids: Vec<ExampleId>,
    /// What is kept of each class, of those among the candidates.
    pub shares: Vec<ClassShare>,
}

/// Examples to choose from.
#[derive(Clone, Copy, Debug)]
pub enum Candidates<'a> {
    /// All of so many.
    All(usize),
    /// These, in ascending order.
    These(&'a [ExampleId]),
}

impl<'a> From<&'a [ExampleId]> for Candidates<'a> {
    fn from(ids: &'a [ExampleId]) -> Self {
        Self::These(ids)
    }
}

impl<'a> From<&'a Vec<ExampleId>> for Candidates<'a> {
    fn from(ids: &'a Vec<ExampleId>) -> Self {
        Self::These(ids)
    }
}

impl Candidates<'_> {
    /// How many there are.
    pub fn count(self) -> usize {
        match self {
            Self::All(count) => count,
            Self::These(ids) => ids.len(),
        }
    }

    /// Their values in a column of the whole training set.
    fn of<T: Copy>(self, column: &[T]) -> Cow<'_, [T]> {
        match self {
            Self::All(count) => Cow::Borrowed(&column[..count]),
            Self::These(ids) => ids.iter().map(|id| column[id.index()]).collect(),
        }
    }

    /// The ids of some, by their positions among them.
    fn ids(self, positions: Vec<ExampleId>) -> Vec<ExampleId> {
        match self {
            Self::All(_) => positions,
            Self::These(ids) => positions.into_iter().map(|at| ids[at.index()]).collect(),
        }
    }
}

impl Choice {
    /// Chooses among `candidates`; `labels` and the ranking are those of the whole training set.
    /// Without labels all are of one class. A random choice needs no ranking.
    ///
    /// # Errors
    /// When there are not that many, or the ranking does not order them.
    pub fn among<'a>(
        &self,
        candidates: impl Into<Candidates<'a>>,
        ranking: Option<&Ranking<'_>>,
        labels: &[u32],
        classes: usize,
    ) -> Result<Chosen, LabError> {
        let candidates = candidates.into();
        let n = candidates.count();
        let scores = self.scores(candidates, ranking)?;
        let direction = ranking.map_or(Direction::HigherIsHarder, |ranking| ranking.direction);
        let rule = self.rule(n, direction);
        let size = self.amount.of(n);
        if labels.is_empty() && self.quota == Quota::None {
            let positions = select(rule, &scores, size, self.seed)?;
            let shares = vec![ClassShare { class: 0, kept: positions.len(), of: n }];
            return Ok(Chosen { ids: candidates.ids(positions), shares });
        }
        let labels = match labels {
            [] => Cow::Owned(vec![0; n]),
            labels => candidates.of(labels),
        };
        let classes = Classes { labels: &labels, count: classes };
        let positions = select_by_class(rule, &scores, classes, self.quota, size, self.seed)?;
        let shares = class_shares(&positions, classes);
        Ok(Chosen { ids: candidates.ids(positions), shares })
    }

    fn scores<'r>(
        &self,
        candidates: Candidates<'_>,
        ranking: Option<&'r Ranking<'_>>,
    ) -> Result<Cow<'r, [f32]>, LabError> {
        let Some(ranking) = ranking else {
            if self.keep == Keep::Random {
                return Ok(vec![0.0; candidates.count()].into());
            }
            return Err(LabError::Plan("which score? Only a random choice needs none".into()));
        };
        let mut scores = candidates.of(&ranking.values);
        // Coverage drops the hard end, which selection takes for the high one.
        if matches!(self.keep, Keep::Ccs { .. }) && ranking.direction == Direction::LowerIsHarder {
            scores.to_mut().iter_mut().for_each(|score| *score = -*score);
        }
        Ok(scores)
    }

    fn rule(&self, n: usize, direction: Direction) -> Rule {
        let hard_is_high = direction == Direction::HigherIsHarder;
        match self.keep {
            Keep::Hardest if hard_is_high => Rule::Highest,
            Keep::Easiest if !hard_is_high => Rule::Highest,
            Keep::Hardest | Keep::Easiest | Keep::Lowest => Rule::Lowest,
            Keep::Highest => Rule::Highest,
            Keep::Random => Rule::Random,
            Keep::Window { offset } => Rule::Window { offset: begin(offset, self.amount, n) },
            Keep::Ccs { cut, strata } => Rule::CoverageCentred { cut, strata },
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

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(range: std::ops::Range<u32>) -> Vec<ExampleId> {
        range.map(ExampleId).collect()
    }

    fn choice(keep: Keep, count: usize) -> Choice {
        Choice { keep, amount: Amount::Count(count), quota: Quota::None, seed: 0 }
    }

    fn ranking(direction: Direction) -> Ranking<'static> {
        Ranking { name: "s".into(), values: (0..10).map(|v| v as f32).collect(), direction }
    }

    fn chosen(keep: Keep, direction: Direction) -> Vec<ExampleId> {
        let ranking = ranking(direction);
        choice(keep, 2).among(&ids(0..10), Some(&ranking), &[0; 10], 1).unwrap().ids
    }

    #[test]
    fn the_hard_end_follows_the_direction() {
        assert_eq!(chosen(Keep::Hardest, Direction::HigherIsHarder), ids(8..10));
        assert_eq!(chosen(Keep::Hardest, Direction::LowerIsHarder), ids(0..2));
        assert_eq!(chosen(Keep::Easiest, Direction::LowerIsHarder), ids(8..10));
        assert_eq!(chosen(Keep::Highest, Direction::LowerIsHarder), ids(8..10));
        let ccs = Keep::Ccs { cut: 0.8, strata: 1 };
        assert_eq!(chosen(ccs, Direction::HigherIsHarder), ids(0..2));
        assert_eq!(chosen(ccs, Direction::LowerIsHarder), ids(8..10));
    }

    #[test]
    fn only_candidates_are_chosen() {
        let ranking = ranking(Direction::HigherIsHarder);
        let kept = choice(Keep::Hardest, 2).among(&ids(2..6), Some(&ranking), &[0; 10], 1).unwrap();
        assert_eq!(kept.ids, ids(4..6));
        let random = choice(Keep::Random, 4).among(&ids(2..6), None, &[0; 10], 1).unwrap();
        assert_eq!(random.ids, ids(2..6));
    }

    #[test]
    fn all_are_those_that_would_be_listed() {
        let ranking = ranking(Direction::LowerIsHarder);
        let labels = [0, 1, 0, 1, 0, 1, 0, 1, 0, 1];
        for keep in [Keep::Hardest, Keep::Random, Keep::Ccs { cut: 0.2, strata: 2 }] {
            for quota in [Quota::None, Quota::Balanced] {
                let choice = Choice { quota, ..choice(keep, 4) };
                let listed = choice.among(&ids(0..10), Some(&ranking), &labels, 2).unwrap();
                let all = choice.among(Candidates::All(10), Some(&ranking), &labels, 2).unwrap();
                assert_eq!(all, listed);
            }
        }
    }

    #[test]
    fn without_labels_all_are_of_one_class() {
        let ranking = ranking(Direction::HigherIsHarder);
        for quota in [Quota::None, Quota::Proportional] {
            let choice = Choice { quota, ..choice(Keep::Hardest, 4) };
            let chosen = choice.among(Candidates::All(10), Some(&ranking), &[], 1).unwrap();
            assert_eq!(chosen.ids, ids(6..10));
            assert_eq!(chosen.shares, [ClassShare { class: 0, kept: 4, of: 10 }]);
        }
    }

    #[test]
    fn a_window_that_fits_exactly_fits_after_rounding() {
        assert_eq!(begin(0.5, Amount::Fraction(KeepFraction::try_from(0.5).unwrap()), 101), 50);
        assert_eq!(begin(0.5, Amount::Count(51), 101), 51);
    }

    #[test]
    fn a_window_begins_after_its_share() {
        assert_eq!(chosen(Keep::Window { offset: 0.3 }, Direction::HigherIsHarder), ids(3..5));
    }
}
