//! A way to choose a subset: by what column, which part of its order, how much, how shared out over
//! the classes.

use datadiet_core::{
    ClassShare, Classes, Direction, ExampleId, KeepFraction, Quota, Rule, class_shares,
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

impl Choice {
    /// Chooses among `candidates`, ascending ids; `labels` and the ranking are those of the whole
    /// training set. A random choice needs no ranking.
    ///
    /// # Errors
    /// When there are not that many, or the ranking does not order them.
    pub fn among(
        &self,
        candidates: &[ExampleId],
        ranking: Option<&Ranking>,
        labels: &[u32],
        classes: usize,
    ) -> Result<Chosen, LabError> {
        let scores = self.scores(candidates, ranking)?;
        let labels: Vec<u32> = candidates.iter().map(|id| labels[id.index()]).collect();
        let classes = Classes { labels: &labels, count: classes };
        let direction = ranking.map_or(Direction::HigherIsHarder, |ranking| ranking.direction);
        let rule = self.rule(candidates.len(), direction);
        let size = self.amount.of(candidates.len());
        let positions = select_by_class(rule, &scores, classes, self.quota, size, self.seed)?;
        let shares = class_shares(&positions, classes);
        let ids = positions.iter().map(|position| candidates[position.index()]).collect();
        Ok(Chosen { ids, shares })
    }

    fn scores(
        &self,
        candidates: &[ExampleId],
        ranking: Option<&Ranking>,
    ) -> Result<Vec<f32>, LabError> {
        let Some(ranking) = ranking else {
            if self.keep == Keep::Random {
                return Ok(vec![0.0; candidates.len()]);
            }
            return Err(LabError::Plan("which score? Only a random choice needs none".into()));
        };
        // Coverage drops the hard end, which selection takes for the high one.
        let turned =
            matches!(self.keep, Keep::Ccs { .. }) && ranking.direction == Direction::LowerIsHarder;
        let sign = if turned { -1.0 } else { 1.0 };
        Ok(candidates.iter().map(|id| sign * ranking.values[id.index()]).collect())
    }

    fn rule(&self, n: usize, direction: Direction) -> Rule {
        let hard_is_high = direction == Direction::HigherIsHarder;
        match self.keep {
            Keep::Hardest if hard_is_high => Rule::Highest,
            Keep::Easiest if !hard_is_high => Rule::Highest,
            Keep::Hardest | Keep::Easiest | Keep::Lowest => Rule::Lowest,
            Keep::Highest => Rule::Highest,
            Keep::Random => Rule::Random,
            Keep::Window { offset } => {
                Rule::Window { offset: (offset * n as f64).round() as usize }
            }
            Keep::Ccs { cut, strata } => Rule::CoverageCentred { cut, strata },
        }
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

    fn ranking(direction: Direction) -> Ranking {
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
    fn a_window_begins_after_its_share() {
        assert_eq!(chosen(Keep::Window { offset: 0.3 }, Direction::HigherIsHarder), ids(3..5));
    }
}
