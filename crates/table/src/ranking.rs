//! A column of a table to rank examples by, and which of its ends is hard.

use std::borrow::Cow;

use datadiet_core::{Direction, ExampleId, Measure, ScoreKind, Scores, order};

use crate::{Row, TableError};

/// Columns of other tools whose low values are hard: what a label is worth or how sure a network is
/// of it (cleanlab, the AUM package, dataset cartography).
const LOW_IS_HARD: [&str; 19] = [
    "label_quality",
    "label_quality_score",
    "label_quality_scores",
    "label_score",
    "quality",
    "self_confidence",
    "normalized_margin",
    "confidence_weighted_entropy",
    "area_under_margin",
    "confidence",
    "correctness",
    "given_label_probability",
    "given_label_prob",
    "true_prob",
    "prob_true",
    "p_true",
    "gold_prob",
    "target_prob",
    "max_prob",
];

/// Columns of other tools whose high values are hard.
const HIGH_IS_HARD: [&str; 14] = [
    "losses",
    "train_loss",
    "cross_entropy",
    "nll",
    "el2n_score",
    "el2n_scores",
    "error_l2_norm",
    "grad_norm",
    "gradnorm",
    "gradient_norm",
    "forgetting_events",
    "forgetting_count",
    "forgetfulness",
    "vog",
];

/// One value for each row of a table, and which end is hard.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking<'t> {
    /// Name of the column, with its time in numbers: `el2n@4`; of several, joined by `+`.
    pub name: String,
    /// The values; NaN where a row has none.
    pub values: Cow<'t, [f32]>,
    /// Which end holds the hard examples.
    pub direction: Direction,
    /// Whether nobody said so and the name is not known: high values are taken as hard.
    pub assumed: bool,
}

impl Ranking<'_> {
    /// The values, turned so that higher is harder.
    pub fn hardness(&self) -> Vec<f32> {
        match self.direction {
            Direction::HigherIsHarder => self.values.to_vec(),
            Direction::LowerIsHarder => self.values.iter().map(|value| -value).collect(),
        }
    }

    /// As a choice reads it.
    pub fn scores(&self) -> Scores<'_> {
        Scores { values: &self.values, direction: self.direction }
    }

    /// The rows that have a value, hardest first: the order that a choice of the hardest follows,
    /// with ties by id. `ids` are the table's.
    ///
    /// # Errors
    /// When there are more rows than can be numbered.
    pub fn hardest_first(&self, ids: &[u32]) -> Result<Vec<Row>, TableError> {
        let rows: Vec<usize> =
            (0..self.values.len()).filter(|&row| !self.values[row].is_nan()).collect();
        let values: Vec<f32> = rows.iter().map(|&row| self.values[row]).collect();
        let ids: Vec<ExampleId> = rows.iter().map(|&row| ExampleId(ids[row])).collect();
        let ascending = order(&values, &ids)?;
        let row = |position: u32| Row(rows[position as usize] as u32);
        Ok(match self.direction {
            Direction::HigherIsHarder => ascending.into_iter().rev().map(row).collect(),
            Direction::LowerIsHarder => ascending.into_iter().map(row).collect(),
        })
    }

    /// That an end was taken as hard because the column's name says nothing, and how to turn it
    /// (`turn`, the option); none where it is known.
    pub fn assumption(&self, turn: &str) -> Option<String> {
        self.assumed.then(|| {
            format!(
                "which end of {} is hard is not known by its name: high values are taken as hard \
                 (the highest are the hardest examples); {turn} takes the low ones",
                self.name
            )
        })
    }
}

/// Which end of a column is hard, by its name; none where it is not known.
pub fn direction_of(column: &str) -> Option<Direction> {
    let (name, kind) = plain_name(column)?;
    if let Some(kind) = kind {
        return Some(kind.direction());
    }
    if LOW_IS_HARD.contains(&name.as_str()) {
        return Some(Direction::LowerIsHarder);
    }
    HIGH_IS_HARD.contains(&name.as_str()).then_some(Direction::HigherIsHarder)
}

/// The name of a column without its time, in lower case with `_` between words, and which of our scores that
/// is; none for several joined by `+`.
pub(crate) fn plain_name(column: &str) -> Option<(String, Option<ScoreKind>)> {
    let name = column.split('@').next().filter(|_| !column.contains(SUM))?;
    let name = name.to_lowercase().replace(['-', ' ', '.'], "_");
    let kind = name.split(PART).next()?.replace('_', "-").parse().ok();
    Some((name, kind))
}

/// Which end of a score holds the hard examples, in a word for tables.
pub fn hard_end(direction: Direction) -> &'static str {
    match direction {
        Direction::HigherIsHarder => "high",
        Direction::LowerIsHarder => "low",
    }
}

/// The score of a column named `score@time` or `score:part@time`, where it is one of ours.
pub fn kind_of(column: &str) -> Option<ScoreKind> {
    Some(measure_of(column)?.kind())
}

/// The score, or the part of one, of a column named `score@time` or `score:part@time`, where it is one of ours.
pub fn measure_of(column: &str) -> Option<Measure> {
    column.split('@').next().filter(|_| !column.contains(SUM))?.parse().ok()
}

/// The time of a column named `score@time`, in epochs; of several joined by `+` the one that all have.
pub fn time_of(column: &str) -> Option<f64> {
    let mut times = column.split(SUM).map(|name| name.split_once('@')?.1.parse::<f64>().ok());
    let first = times.next()??;
    times.all(|time| time == Some(first)).then_some(first)
}

/// Comes before the name of a part of a score.
pub(crate) const PART: char = ':';

/// Joins columns whose ranks are added up.
pub(crate) const SUM: char = '+';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_tools_have_their_direction() {
        for low in ["label_quality", "Self-Confidence", "AUM", "area_under_margin", "confidence@3"]
        {
            assert_eq!(direction_of(low), Some(Direction::LowerIsHarder), "{low}");
        }
        for high in
            ["loss", "Grad Norm", "EL2N", "forgetting_events", "el2n@4", "max_margin", "loss:box@2"]
        {
            assert_eq!(direction_of(high), Some(Direction::HigherIsHarder), "{high}");
        }
        assert_eq!(direction_of("uniqueness"), None);
    }

    #[test]
    fn hardest_first_follows_the_direction_and_ties_go_by_id() {
        let mut ranking = Ranking {
            name: "s".into(),
            values: vec![1.0, f32::NAN, 2.0, 1.0].into(),
            direction: Direction::HigherIsHarder,
            assumed: false,
        };
        let rows = |ranking: &Ranking<'_>| {
            let rows = ranking.hardest_first(&[7, 8, 9, 4]).unwrap();
            rows.into_iter().map(|row| row.0).collect::<Vec<_>>()
        };
        assert_eq!(rows(&ranking), [2, 0, 3]);
        ranking.direction = Direction::LowerIsHarder;
        assert_eq!(rows(&ranking), [3, 0, 2]);
    }

    #[test]
    fn an_assumption_names_the_option() {
        let ranking = |assumed| Ranking {
            name: "mine".into(),
            values: vec![1.0].into(),
            direction: Direction::HigherIsHarder,
            assumed,
        };
        assert!(ranking(true).assumption("--hard-is low").unwrap().contains("--hard-is low"));
        assert!(ranking(false).assumption("").is_none());
    }
}
