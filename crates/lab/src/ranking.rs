//! A column of a score table to choose examples by.

use std::cmp::Ordering;

use datadiet_core::{Direction, ScoreKind, forgetting_key};
use datadiet_store::{Column, Table};

use crate::LabError;

/// One value for each example, and which end is hard.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranking {
    /// Name of the column, with its time in numbers: `el2n@4`.
    pub name: String,
    /// The values; NaN where an example has none.
    pub values: Vec<f32>,
    /// Which end holds the hard examples.
    pub direction: Direction,
}

impl Ranking {
    /// The column `name` of a table: `el2n@4`, or `el2n@end` for the latest time.
    ///
    /// `forgetting@…` ranks never-learned examples above all counts where the table says which
    /// those are ([`forgetting_key`]).
    ///
    /// # Errors
    /// When there is no such column; the message names the nearest.
    pub fn of(table: &Table, name: &str) -> Result<Self, LabError> {
        let name = resolved(table, name)?;
        let values = table.floats(&name)?;
        let values = match never_learned(table, &name) {
            Some(never) => forgetting_key(values, never)?,
            None => values.to_vec(),
        };
        let direction = kind_of(&name).map_or(Direction::HigherIsHarder, ScoreKind::direction);
        Ok(Self { name, values, direction })
    }

    /// The values, turned so that higher is harder.
    pub fn hardness(&self) -> Vec<f32> {
        match self.direction {
            Direction::HigherIsHarder => self.values.clone(),
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

fn resolved(table: &Table, name: &str) -> Result<String, LabError> {
    let Some(score) = name.strip_suffix("@end") else { return Ok(name.to_owned()) };
    let is_float = |name: &&str| matches!(table.column(name), Some(Column::F32(_)));
    let times = table.names().filter(is_float).filter_map(|column| {
        let (found, time) = column.split_once('@')?;
        (found == score).then_some(())?;
        Some((time.parse::<f64>().ok()?, column))
    });
    let latest = times.max_by(|a, b| a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal));
    latest.map(|(_, column)| column.to_owned()).ok_or_else(|| {
        LabError::Plan(format!(
            "the table has no column of {score}; `datadiet scores show` lists them"
        ))
    })
}

fn never_learned<'t>(table: &'t Table, name: &str) -> Option<&'t [f32]> {
    let time = name.strip_prefix("forgetting@")?;
    table.floats(&format!("never-learned@{time}")).ok()
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
        let ranking = Ranking::of(&table(), "el2n@end").unwrap();
        assert_eq!((ranking.name.as_str(), ranking.values[0]), ("el2n@10", 0.3));
    }

    #[test]
    fn hardness_turns_what_is_high_for_easy_examples() {
        let ranking = Ranking::of(&table(), "confidence@10").unwrap();
        assert_eq!(ranking.hardness(), [-0.9, -0.5, -0.1]);
    }

    #[test]
    fn never_learned_is_above_every_count() {
        let ranking = Ranking::of(&table(), "forgetting@end").unwrap();
        assert!(ranking.values[1] > ranking.values[0]);
    }

    #[test]
    fn an_unknown_column_suggests_another() {
        let message = Ranking::of(&table(), "eln@10").unwrap_err().to_string();
        assert!(message.contains("el2n@10"), "{message}");
        assert!(Ranking::of(&table(), "aum@end").unwrap_err().to_string().contains("aum"));
    }
}
