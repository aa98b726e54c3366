//! A column of a score table to choose examples by.

use std::borrow::Cow;

use datadiet_core::{Direction, ScoreKind, Scores, forgetting_key};
use datadiet_table::{Column, Table};

use crate::LabError;

/// One value for each example, and which end is hard.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking<'t> {
    /// Name of the column, with its time in numbers: `el2n@4`.
    pub name: String,
    /// The values; NaN where an example has none.
    pub values: Cow<'t, [f32]>,
    /// Which end holds the hard examples.
    pub direction: Direction,
}

impl<'t> Ranking<'t> {
    /// The column `name` of a table: `el2n@4`, or `el2n@end` for the latest time.
    ///
    /// `forgetting@…` ranks never-learned examples above all counts where the table says which
    /// those are ([`forgetting_key()`]), unless it counts them as ∞ already.
    ///
    /// # Errors
    /// When there is no such column; the message names the nearest.
    pub fn of(table: &'t Table, name: &str) -> Result<Self, LabError> {
        let name = resolved(table, name)?;
        let counts = table.floats(&name)?;
        let already = || counts.iter().any(|count| count.is_infinite());
        let values = match never_learned(&name).and_then(|never| table.floats(&never).ok()) {
            Some(never) if !already() => forgetting_key(counts, never)?.into(),
            _ => counts.into(),
        };
        let direction = kind_of(&name).map_or(Direction::HigherIsHarder, ScoreKind::direction);
        Ok(Self { name, values, direction })
    }

    /// What a choice reads of it.
    pub fn scores(&self) -> Scores<'_> {
        Scores { values: &self.values, direction: self.direction }
    }

    /// The values, turned so that higher is harder.
    pub fn hardness(&self) -> Vec<f32> {
        match self.direction {
            Direction::HigherIsHarder => self.values.to_vec(),
            Direction::LowerIsHarder => self.values.iter().map(|value| -value).collect(),
        }
    }
}

/// The score of a column named `score@time`, where it is one of ours.
pub fn kind_of(column: &str) -> Option<ScoreKind> {
    column.split('@').next()?.parse().ok()
}

/// The time of a column named `score@time`, in epochs.
pub fn time_of(column: &str) -> Option<f64> {
    column.split_once('@')?.1.parse().ok()
}

/// Columns that [`Ranking::of`] reads for `name`; those that a table lacks are left out.
///
/// # Errors
/// When the column itself is unknown; the message names the nearest.
pub fn columns_of(table: &Table, name: &str) -> Result<Vec<String>, LabError> {
    let name = resolved(table, name)?;
    let beside = never_learned(&name).filter(|never| table.floats(never).is_ok());
    Ok(std::iter::once(name).chain(beside).collect())
}

/// The name of a column of scores, `score@end` being that of its latest time.
///
/// # Errors
/// When there is no such column; the message names the nearest.
pub fn resolved(table: &Table, name: &str) -> Result<String, LabError> {
    let score = match name.strip_suffix("@end") {
        Some(score) if table.column(name).is_none() => score,
        _ => {
            table.floats(name)?;
            return Ok(name.to_owned());
        }
    };
    let is_float = |name: &&str| matches!(table.column(name), Some(Column::F32(_)));
    let times = table.names().filter(is_float).filter_map(|column| {
        let (found, time) = column.split_once('@')?;
        (found == score).then_some(())?;
        Some((time.parse::<f64>().ok()?, column))
    });
    let latest = times.max_by(|a, b| a.0.total_cmp(&b.0));
    latest.map(|(_, column)| column.to_owned()).ok_or_else(|| {
        LabError::Plan(format!(
            "the table has no column of {score}; `datadiet scores show` lists them"
        ))
    })
}

/// The column that says who never learned, beside a column of forgetting.
fn never_learned(name: &str) -> Option<String> {
    let time = name.strip_prefix("forgetting@")?;
    Some(format!("never-learned@{time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::default();
        for (name, values) in [
            ("el2n@0.5", [0.1, 0.2, 0.3]),
            ("el2n@10", [0.3, 0.2, 0.1]),
            ("el2n@10.se", [0.0; 3]),
            ("confidence@10", [0.9, 0.5, 0.1]),
            ("forgetting@10", [3.0, 0.0, 0.0]),
            ("never-learned@10", [0.0, 1.0, 0.0]),
        ] {
            table.push(name, Column::F32(values.to_vec())).unwrap();
        }
        table
    }

    #[test]
    fn the_end_is_the_latest_time() {
        let table = table();
        let ranking = Ranking::of(&table, "el2n@end").unwrap();
        assert_eq!((ranking.name.as_str(), ranking.values[0]), ("el2n@10", 0.3));
    }

    #[test]
    fn hardness_turns_what_is_high_for_easy_examples() {
        let table = table();
        let ranking = Ranking::of(&table, "confidence@10").unwrap();
        assert_eq!(ranking.hardness(), [-0.9, -0.5, -0.1]);
    }

    #[test]
    fn never_learned_is_above_every_count() {
        let table = table();
        let ranking = Ranking::of(&table, "forgetting@end").unwrap();
        assert!(ranking.values[1] > ranking.values[0]);
        let columns = columns_of(&table, "forgetting@end").unwrap();
        assert_eq!(columns, ["forgetting@10", "never-learned@10"]);
        assert_eq!(columns_of(&table, "el2n@0.5").unwrap(), ["el2n@0.5"]);
    }

    #[test]
    fn counts_that_are_infinite_already_stay() {
        let mut table = Table::default();
        let counts = vec![2.0, f32::INFINITY, 0.0];
        table.push("forgetting@1", Column::F32(counts.clone())).unwrap();
        table.push("never-learned@1", Column::F32(vec![0.0, 0.5, 0.0])).unwrap();
        assert_eq!(Ranking::of(&table, "forgetting@1").unwrap().values, counts);
    }

    #[test]
    fn an_unknown_column_suggests_another() {
        let message = Ranking::of(&table(), "eln@10").unwrap_err().to_string();
        assert!(message.contains("el2n@10"), "{message}");
        assert!(Ranking::of(&table(), "aum@end").unwrap_err().to_string().contains("aum"));
    }
}
