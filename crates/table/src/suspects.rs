//! The likeliest mislabelled examples, the extremes of each class, and the spread of a column.

use serde::Serialize;

use crate::ranking::time_of;
use crate::{Ranking, Row, ScoreTable, TableError};

/// Classes whose extremes are shown; more would make a picture that nobody can look at.
pub const MOST_SHOWN_CLASSES: usize = 40;

/// An example that may be mislabelled.
#[derive(Clone, Debug, Serialize)]
pub struct Suspect {
    /// Its row.
    #[serde(skip)]
    pub row: Row,
    /// Its number in the table.
    pub id: u32,
    /// Its own id, where the table has another for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its value in the column.
    pub score: f32,
    /// The class it is labelled as.
    pub class: String,
    /// Index of that class.
    pub label: u32,
    /// The class that most replicas predict, where the table tells.
    pub predicted: Option<String>,
    /// Whether its label is known to be wrong, or right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}

impl Suspect {
    /// The id by which its owner knows it.
    pub fn name(&self) -> String {
        self.key.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// Both ends of a class.
#[derive(Clone, Debug, PartialEq)]
pub struct Extremes {
    /// The class.
    pub class: u32,
    /// Its easiest examples, easiest first.
    pub easiest: Vec<Row>,
    /// Its hardest examples, hardest first.
    pub hardest: Vec<Row>,
}

/// Counts of a column's values over bars of equal width.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Borders of the bars, one more than bars.
    pub edges: Vec<f64>,
    /// Values in each bar, those on its lower border included; the last has both.
    pub counts: Vec<u64>,
}

impl ScoreTable {
    /// The `n` hardest examples that have a score, hardest first. `changed` says of each row whether
    /// its label is known to be wrong.
    ///
    /// # Errors
    /// When the column cannot be ordered.
    pub fn suspects(
        &self,
        classes: &[String],
        ranking: &Ranking<'_>,
        changed: Option<&[bool]>,
        n: usize,
    ) -> Result<Vec<Suspect>, TableError> {
        let ids = self.ids();
        let labels = self.columns().integers("label").unwrap_or_default();
        let predicted = self.predictions(&ranking.name);
        let name =
            |class: u32| classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
        let suspect = |row: Row| {
            let at = row.index();
            let label = labels.get(at).copied().unwrap_or_default();
            Suspect {
                row,
                id: ids[at],
                key: self.own_id(row),
                score: ranking.values[at],
                class: name(label),
                label,
                predicted: predicted.map(|predicted| name(predicted[at])),
                changed: changed.map(|changed| changed[at]),
            }
        };
        Ok(ranking.hardest_first(&ids)?.into_iter().take(n).map(suspect).collect())
    }

    /// The column of predictions at the time of a column, else the latest; none where the table has none.
    pub fn predictions_of(&self, column: &str) -> Option<String> {
        let table = self.columns();
        let time = column.rsplit_once('@').map(|(_, time)| format!("predicted@{time}"));
        if let Some(name) = time.filter(|name| table.integers(name).is_ok()) {
            return Some(name);
        }
        let time = |name: &str| time_of(name).unwrap_or_default();
        let all = table.names().filter(|name| name.starts_with("predicted@"));
        let latest = all.max_by(|a, b| time(a).total_cmp(&time(b)))?;
        table.integers(latest).is_ok().then(|| latest.to_owned())
    }

    fn predictions(&self, column: &str) -> Option<&[u32]> {
        self.columns().integers(&self.predictions_of(column)?).ok()
    }

    /// The `count` easiest and hardest examples of each of the first `classes` classes. A class with
    /// few examples is split in the middle: no example is both easy and hard.
    ///
    /// # Errors
    /// When the column cannot be ordered.
    pub fn extremes(
        &self,
        ranking: &Ranking<'_>,
        classes: usize,
        count: usize,
    ) -> Result<Vec<Extremes>, TableError> {
        let labels = self.columns().integers("label").unwrap_or_default();
        let mut members: Vec<Vec<Row>> = vec![Vec::new(); classes];
        for row in ranking.hardest_first(&self.ids())? {
            let class = labels.get(row.index()).and_then(|&label| members.get_mut(label as usize));
            class.into_iter().for_each(|members| members.push(row));
        }
        let of = |(class, members): (u32, Vec<Row>)| {
            let easiest = count.min(members.len().div_ceil(2));
            let hardest = count.min(members.len() / 2);
            Extremes {
                class,
                easiest: members.iter().rev().take(easiest).copied().collect(),
                hardest: members[..hardest].to_vec(),
            }
        };
        Ok((0..).zip(members).map(of).collect())
    }
}

impl Histogram {
    /// The borders of `bars` bars over the finite values among some; none where all are equal.
    pub fn edges<'v>(values: impl Iterator<Item = &'v f32>, bars: usize) -> Option<Vec<f64>> {
        let ends = values.filter(|value| value.is_finite()).fold(None, |ends, &value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((value.min(low), value.max(high)))
        });
        let (low, high) = ends?;
        let (low, width) = (f64::from(low), (f64::from(high) - f64::from(low)) / bars as f64);
        (width > 0.0).then(|| (0..=bars).map(|bar| low + width * bar as f64).collect())
    }

    /// The finite values among some between these borders.
    pub fn counts(edges: &[f64], values: impl Iterator<Item = f32>) -> Vec<u64> {
        let bars = edges.len() - 1;
        let (low, width) = (edges[0], (edges[bars] - edges[0]) / bars as f64);
        let mut counts = vec![0; bars];
        for value in values.filter(|value| value.is_finite()) {
            let bar = ((f64::from(value) - low) / width) as usize;
            counts[bar.min(bars - 1)] += 1;
        }
        counts
    }

    /// Of the finite values among some, over `bars` bars; none where all are equal.
    pub fn of(values: &[f32], bars: usize) -> Option<Self> {
        let edges = Self::edges(values.iter(), bars)?;
        Some(Self { counts: Self::counts(&edges, values.iter().copied()), edges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Column, Table};

    fn table() -> ScoreTable {
        let mut table = Table::default();
        table.push("label", Column::U32(vec![0, 1, 0, 1, 0, 1])).unwrap();
        table.push("el2n@1", Column::F32(vec![0.5, 0.1, 0.9, f32::NAN, 0.2, 0.4])).unwrap();
        table.push("predicted@1", Column::U32(vec![1; 6])).unwrap();
        ScoreTable::of(table).unwrap()
    }

    #[test]
    fn suspects_are_the_hardest_with_what_is_predicted() {
        let table = table();
        let ranking = table.ranking("el2n@1", None).unwrap();
        let classes = ["cat".to_owned(), "dog".to_owned()];
        let found = table.suspects(&classes, &ranking, None, 9).unwrap();
        let rows: Vec<u32> = found.iter().map(|suspect| suspect.row.0).collect();
        assert_eq!(rows, [2, 0, 5, 4, 1]);
        assert_eq!((found[0].class.as_str(), found[0].predicted.as_deref()), ("cat", Some("dog")));
    }

    #[test]
    fn no_example_is_at_both_ends() {
        let table = table();
        let ranking = table.ranking("el2n@1", None).unwrap();
        let found = table.extremes(&ranking, 2, 8).unwrap();
        assert_eq!(found[0].easiest, [Row(4), Row(0)]);
        assert_eq!(found[0].hardest, [Row(2)]);
        // The one without a score is at neither end.
        assert_eq!((&found[1].easiest[..], &found[1].hardest[..]), (&[Row(1)][..], &[Row(5)][..]));
    }

    #[test]
    fn a_histogram_counts_every_finite_value_once() {
        let values = [0.0, 0.25, 0.5, 1.0, f32::NAN, f32::INFINITY];
        let found = Histogram::of(&values, 4).unwrap();
        assert_eq!(found.counts, [1, 1, 1, 1]);
        assert_eq!(found.edges, [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(Histogram::of(&[2.0, 2.0], 4), None);
        assert_eq!(Histogram::of(&[f32::NAN], 4), None);
    }
}
