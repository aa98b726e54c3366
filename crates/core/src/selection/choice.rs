//! A way to choose a subset: which part of the order, how much, how shared out over the classes; and
//! the choice itself.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{
    Direction, ExampleId,
    selection::{
        ClassShare, Classes, KeepFraction, Quota, Rule, SelectionError, class_shares, select,
        select_by_class,
    },
};

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
    #[must_use]
    pub fn of(self, n: usize) -> usize {
        match self {
            Self::Fraction(fraction) => fraction.size_of(n),
            Self::Count(count) => count,
        }
    }
}

/// One score an example of the whole training set, and which of its ends is hard.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a> {
    /// The score of example i at index i. −∞ and ∞ are ordinary ends of the order.
    pub values: &'a [f32],
    /// Which end holds the hard examples.
    pub direction: Direction,
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
    #[must_use]
    pub const fn count(self) -> usize {
        match self {
            Self::All(count) => count,
            Self::These(ids) => ids.len(),
        }
    }

    /// Their values in a column of the whole training set.
    fn of<T: Copy>(self, column: &[T]) -> Cow<'_, [T]> {
        match self {
            Self::All(count) => {
                assert_eq!(column.len(), count, "one value for each candidate");
                Cow::Borrowed(column)
            }
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

/// A way to choose.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Which part of the order.
    #[serde(rename = "keep")]
    pub rule: Rule,
    /// How many.
    pub amount: Amount,
    /// How they are shared out over the classes.
    pub quota: Quota,
    /// Seed of what is random: of [`Rule::Random`] and [`Rule::Ccs`]. The same seed gives the same
    /// subset in every version.
    pub seed: u64,
}

/// Chosen examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Ids, ascending, in the numbering of the whole training set.
    pub ids: Vec<ExampleId>,
    /// What is kept of each class, out of the candidates.
    pub shares: Vec<ClassShare>,
}

impl Choice {
    /// Chooses among `candidates`. Scores and labels are of the whole training set; a random choice
    /// needs no scores, and without a quota classes only matter to [`Chosen::shares`].
    ///
    /// That a class keeps nothing is not refused here: see [`crate::check_no_class_vanishes`].
    ///
    /// # Errors
    /// A size of 0 or above the number of candidates; a rule whose parameters are out of range, or
    /// whose cut leaves (a class) fewer candidates than it is to keep; labels that are not one for
    /// each score, or not below K; a quota without labels. For every rule but [`Rule::Random`] also no scores, NaN among
    /// them (with the first ids) and scores that are all equal, of which no part is higher than
    /// another.
    ///
    /// # Panics
    /// If a candidate has no place in the scores or in the labels.
    ///
    /// ```
    /// use datadiet_core::{
    ///     Amount, Candidates, Choice, Classes, Direction, ExampleId, Quota, Rule, Scores,
    ///     SelectionError,
    /// };
    ///
    /// let el2n = [0.9, 0.1, 0.5, 0.1, 1.3];
    /// let scores = Some(Scores { values: &el2n, direction: Direction::HigherIsHarder });
    /// let choice =
    ///     Choice { rule: Rule::Hardest, amount: Amount::Count(2), quota: Quota::None, seed: 0 };
    /// let hardest = choice.among(Candidates::All(5), scores, None)?;
    /// assert_eq!(hardest.ids, [ExampleId(0), ExampleId(4)]);
    ///
    /// // Of the two that tie at 0.1 the lower id comes first.
    /// let easiest = Choice { rule: Rule::Easiest, amount: Amount::Count(1), ..choice };
    /// assert_eq!(easiest.among(Candidates::All(5), scores, None)?.ids, [ExampleId(1)]);
    ///
    /// let classes = Classes { labels: &[0, 0, 1, 1, 0], count: 2 };
    /// let balanced = Choice { quota: Quota::Balanced, ..choice };
    /// let balanced = balanced.among(Candidates::All(5), scores, Some(classes))?;
    /// assert_eq!(balanced.ids, [ExampleId(2), ExampleId(4)]);
    /// # Ok::<(), SelectionError>(())
    /// ```
    pub fn among<'a>(
        &self,
        candidates: impl Into<Candidates<'a>>,
        scores: Option<Scores<'_>>,
        classes: Option<Classes<'_>>,
    ) -> Result<Chosen, SelectionError> {
        let candidates = candidates.into();
        let n = candidates.count();
        self.rule.check()?;
        let direction = scores.map_or(Direction::HigherIsHarder, |scores| scores.direction);
        let part = self.rule.part(direction, self.amount, n);
        let values = self.values(candidates, scores)?;
        let size = self.amount.of(n);
        let Some(classes) = classes else {
            if self.quota != Quota::None {
                return Err(SelectionError::QuotaWithoutLabels { quota: self.quota });
            }
            let positions = select(part, &values, size, self.seed)?;
            let shares = vec![ClassShare { class: 0, kept: positions.len(), of: n }];
            return Ok(Chosen { ids: candidates.ids(positions), shares });
        };
        if let Some(Scores { values, .. }) = scores {
            classes.check(values.len())?;
        }
        let labels = candidates.of(classes.labels);
        let classes = Classes { labels: &labels, ..classes };
        let positions = select_by_class(part, &values, classes, self.quota, size, self.seed)?;
        let shares = class_shares(&positions, classes);
        Ok(Chosen { ids: candidates.ids(positions), shares })
    }

    /// The scores of the candidates as the rule reads them.
    fn values<'s>(
        &self,
        candidates: Candidates<'_>,
        scores: Option<Scores<'s>>,
    ) -> Result<Cow<'s, [f32]>, SelectionError> {
        let scores = match scores {
            Some(scores) if self.rule != Rule::Random => scores,
            None if self.rule != Rule::Random => return Err(SelectionError::NoScore),
            _ => return Ok(vec![0.0; candidates.count()].into()),
        };
        let mut values = candidates.of(scores.values);
        // Coverage drops the hard end, which selection takes for the high one.
        let turned =
            matches!(self.rule, Rule::Ccs { .. }) && scores.direction == Direction::LowerIsHarder;
        if turned {
            values.to_mut().iter_mut().for_each(|score| *score = -*score);
        }
        Ok(values)
    }
}
