//! The likeliest mislabelled examples, the extremes of each class, and the spread of a column.

use std::collections::HashMap;

use datadiet_core::{ScoreKind, Task};
use serde::Serialize;

use crate::ranking::time_of;
use crate::{Column, Ranking, Row, ScoreTable, TOKEN, TableError};

/// Classes whose extremes are shown; more would make a picture that nobody can look at.
pub const MOST_SHOWN_CLASSES: usize = 40;

/// Names of columns of texts, the likeliest first.
pub const TEXT_NAMES: [&str; 9] =
    ["text", "sentence", "content", "document", "prompt", "question", "review", "premise", "input"];

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
    /// The class it is labelled as; none where the table has no labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// Index of that class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<u32>,
    /// The class that most replicas predict, where the table tells; of several labels what is predicted in place of
    /// the one named, where that is predicted wrongly.
    pub predicted: Option<String>,
    /// Where the token is, in a table whose rows are tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenPlace>,
    /// Its text, where the table has a column of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
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

/// Where a token is, and what it reads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenPlace {
    /// The example that it is of.
    pub example: u32,
    /// Its place in that example, from 0.
    pub position: u32,
    /// Its text, where the table has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Which of several labels of an example looks wrong.
struct OneLabel<'t> {
    labels: &'t Column,
    /// 1 where the label is given to the example.
    given: &'t [u32],
    /// Its margin, below 0 where the opposite is predicted; NaN where the example was not seen.
    margins: &'t [f32],
}

/// Which of several labels looks wrong, of each row, as numbers of names such as `cat` and `not cat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorstLabels {
    /// The names; of rows that were not seen it is `not seen`.
    pub names: Vec<String>,
    /// As it is given.
    pub given: Vec<u32>,
    /// As it is predicted: the opposite, or the same where it is predicted as it is given.
    pub predicted: Vec<u32>,
}

/// Both ends of a class, or of all examples.
#[derive(Clone, Debug, PartialEq)]
pub struct Extremes {
    /// The class; none of all examples.
    pub class: Option<u32>,
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
        let labels = self.columns().integers("label").ok();
        let predicted = self.predictions(&ranking.name);
        let name =
            |class: u32| classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
        let one_label = self.one_label(&ranking.name);
        let texts = self.texts().map(|(_, texts)| texts);
        let suspect = |row: Row| {
            let at = row.index();
            let label = labels.map(|labels| labels[at]);
            let (class, predicted) = match &one_label {
                Some(one) => one.given_and_predicted(at),
                None => (label.map(name), predicted.map(|predicted| name(predicted[at]))),
            };
            Suspect {
                row,
                id: ids[at],
                key: self.own_id(row),
                score: ranking.values[at],
                class,
                label,
                predicted,
                token: self.token(at),
                text: texts.map(|texts| texts[at].clone()),
                changed: changed.map(|changed| changed[at]),
            }
        };
        Ok(ranking.hardest_first(&ids)?.into_iter().take(n).map(suspect).collect())
    }

    /// Which label a column of several labels is of in each row: `least-aum-label@4` of `least-aum@4`. Of another
    /// column of such a table it is the one that looks wrong over the whole training, else at the end.
    fn one_label(&self, column: &str) -> Option<OneLabel<'_>> {
        let table = self.columns();
        let [labels, given, margins] = self.columns_of_one_label(column)?;
        Some(OneLabel {
            labels: table.column(&labels)?,
            given: table.integers(&given).ok()?,
            margins: table.floats(&margins).ok()?,
        })
    }

    /// The columns that say which of several labels looks wrong, whether it is given, and its margin, by a column of
    /// scores; none where a table has no such columns.
    pub fn columns_of_one_label(&self, column: &str) -> Option<[String; 3]> {
        let table = self.columns();
        let of = |column: &str| {
            let (kind, time) = column.split_once('@')?;
            let names = [format!("{kind}-label@{time}"), format!("{kind}-given@{time}")];
            table.column(&names[0])?;
            table.integers(&names[1]).and(table.floats(column)).ok()?;
            let [labels, given] = names;
            Some([labels, given, column.to_owned()])
        };
        let latest = |kind: ScoreKind| of(&self.resolved(&format!("{kind}@end")).ok()?);
        if self.task() != Task::MultiLabel {
            return None;
        }
        of(column)
            .or_else(|| latest(ScoreKind::LeastAum))
            .or_else(|| latest(ScoreKind::LeastMargin))
    }

    /// Of each row of a table of several labels the one that looks wrong, by a column of scores: as it is given, and
    /// as it is predicted. None where the table does not say which that is.
    pub fn worst_labels(&self, column: &str) -> Option<WorstLabels> {
        let one_label = self.one_label(column)?;
        let mut worst = WorstLabels { names: Vec::new(), given: Vec::new(), predicted: Vec::new() };
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut number = |name: String| {
            let next = worst.names.len() as u32;
            *numbers.entry(name).or_insert_with_key(|name| {
                worst.names.push(name.clone());
                next
            })
        };
        for row in 0..self.rows() {
            let (given, predicted) = one_label.given_and_predicted(row);
            let given = number(given.unwrap_or_else(|| "not seen".into()));
            worst.given.push(given);
            worst.predicted.push(predicted.map_or(given, &mut number));
        }
        Some(worst)
    }

    /// Where the token of a row is, in a table whose rows are tokens: one with their texts, or with a card. In a
    /// table from elsewhere two columns of these names may be anything.
    fn token(&self, row: usize) -> Option<TokenPlace> {
        let table = self.columns();
        if self.card().is_none() && table.column(TOKEN).is_none() {
            return None;
        }
        let example = table.integers("example").ok()?;
        let position = table.integers("position").ok()?;
        let text = match table.column(TOKEN) {
            Some(Column::Text(texts)) => Some(texts[row].clone()),
            _ => None,
        };
        Some(TokenPlace { example: example[row], position: position[row], text })
    }

    /// Whether its rows are tokens whose texts it has.
    pub fn has_tokens(&self) -> bool {
        let table = self.columns();
        matches!(table.column(TOKEN), Some(Column::Text(_)))
            && table.integers("example").and(table.integers("position")).is_ok()
    }

    /// The texts of the rows, where there is a column of a usual name, and that name.
    pub fn texts(&self) -> Option<(&'static str, &[String])> {
        TEXT_NAMES.into_iter().find_map(|name| match self.columns().column(name)? {
            Column::Text(texts) => Some((name, texts.as_slice())),
            _ => None,
        })
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
        let of = |(class, members): (u32, Vec<Row>)| Extremes::of(Some(class), &members, count);
        Ok((0..).zip(members).map(of).collect())
    }

    /// The same of all examples, whatever they are labelled as.
    ///
    /// # Errors
    /// When the column cannot be ordered.
    pub fn extremes_of_all(
        &self,
        ranking: &Ranking<'_>,
        count: usize,
    ) -> Result<Extremes, TableError> {
        Ok(Extremes::of(None, &ranking.hardest_first(&self.ids())?, count))
    }
}

impl OneLabel<'_> {
    /// What the example is labelled as in a row, and what is predicted instead, its opposite; neither where the
    /// example was not seen, the second only where the margin tells so.
    fn given_and_predicted(&self, row: usize) -> (Option<String>, Option<String>) {
        let margin = self.margins[row];
        if margin.is_nan() {
            return (None, None);
        }
        let name = match self.labels {
            Column::U32(labels) => labels[row].to_string(),
            Column::Text(names) => names[row].clone(),
            Column::F32(_) => String::new(),
        };
        let not = format!("not {name}");
        let (given, predicted) = if self.given[row] == 1 { (name, not) } else { (not, name) };
        (Some(given), (margin < 0.0).then_some(predicted))
    }
}

impl Extremes {
    /// Of some rows, hardest first.
    fn of(class: Option<u32>, members: &[Row], count: usize) -> Self {
        let easiest = count.min(members.len().div_ceil(2));
        let hardest = count.min(members.len() / 2);
        Self {
            class,
            easiest: members.iter().rev().take(easiest).copied().collect(),
            hardest: members[..hardest].to_vec(),
        }
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
    use crate::{Card, Table};

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
        assert_eq!(
            (found[0].class.as_deref(), found[0].predicted.as_deref()),
            (Some("cat"), Some("dog"))
        );
    }

    /// As of losses, where there are no labels.
    #[test]
    fn suspects_without_labels_are_of_no_class() {
        let mut columns = Table::default();
        columns.push("mean-loss@1", Column::F32(vec![0.5, 2.0, 0.1])).unwrap();
        let table = ScoreTable::of(columns).unwrap();
        let ranking = table.ranking("mean-loss@1", None).unwrap();
        let found = table.suspects(&[], &ranking, None, 1).unwrap();
        assert_eq!((found[0].row, &found[0].class, found[0].label), (Row(1), &None, None));
        assert_eq!(
            serde_json::to_string(&found[0]).unwrap(),
            r#"{"id":1,"score":2.0,"predicted":null}"#
        );
        let ends = table.extremes_of_all(&ranking, 2).unwrap();
        assert_eq!((ends.easiest, ends.hardest), (vec![Row(2), Row(0)], vec![Row(1)]));
        assert!(table.extremes(&ranking, 1, 2).unwrap()[0].easiest.is_empty());
    }

    #[test]
    fn of_several_labels_the_one_that_looks_wrong_is_named() {
        let mut columns = Table::default();
        columns.push("least-aum@2", Column::F32(vec![-1.0, -3.0, 2.0, f32::NAN])).unwrap();
        let names = ["cat", "dog", "cat", ""].map(str::to_owned).to_vec();
        columns.push("least-aum-label@2", Column::Text(names)).unwrap();
        columns.push("least-aum-given@2", Column::U32(vec![1, 0, 1, 0])).unwrap();
        columns.push("el2n@2", Column::F32(vec![0.1, 0.2, 0.05, 0.0])).unwrap();
        let card = Card { task: Task::MultiLabel, ..Card::new(Vec::new()) };
        let table = ScoreTable::new(columns, card);
        let listed = |by: &str| -> Vec<(u32, String, String)> {
            let ranking = table.ranking(by, None).unwrap();
            let found = table.suspects(&[], &ranking, None, 2).unwrap().into_iter();
            found.map(|one| (one.row.0, one.class.unwrap(), one.predicted.unwrap())).collect()
        };
        let row = |row, class: &str, predicted: &str| (row, class.to_owned(), predicted.to_owned());
        assert_eq!(table.default_suspicion().unwrap(), "least-aum@2");
        let expected = [row(1, "not dog", "dog"), row(0, "cat", "not cat")];
        let worst = table.worst_labels("el2n@2").unwrap();
        assert_eq!(worst.names, ["cat", "not cat", "not dog", "dog", "not seen"]);
        assert_eq!((worst.given, worst.predicted), (vec![0, 2, 0, 4], vec![1, 3, 0, 4]));
        assert_eq!(listed("least-aum@2"), expected);
        assert_eq!(listed("el2n@2"), expected);
        // Of a label that is predicted as it is given nothing else is, and of an unseen example no label.
        let ranking = table.ranking("el2n@2", None).unwrap();
        let found = table.suspects(&[], &ranking, None, 4).unwrap();
        let said = |at: usize| (found[at].class.as_deref(), found[at].predicted.as_deref());
        assert_eq!((said(2), said(3)), ((Some("cat"), None), (None, None)));
    }

    /// A data set's classes are not the labels of an example.
    #[test]
    fn a_number_of_several_labels_is_no_class() {
        let mut columns = Table::default();
        columns.push("least-aum@2", Column::F32(vec![-1.0, -3.0])).unwrap();
        columns.push("least-aum-label@2", Column::U32(vec![4, 0])).unwrap();
        columns.push("least-aum-given@2", Column::U32(vec![0, 1])).unwrap();
        let card = Card { task: Task::MultiLabel, ..Card::new(Vec::new()) };
        let table = ScoreTable::new(columns, card);
        let ranking = table.ranking("least-aum@2", None).unwrap();
        let found = table.suspects(&["bird".to_owned()], &ranking, None, 2).unwrap();
        let said: Vec<_> = found.iter().map(|one| (one.label, one.class.as_deref())).collect();
        assert_eq!(said, [(None, Some("0")), (None, Some("not 4"))]);
    }

    #[test]
    fn tokens_are_named_by_their_places() {
        let mut columns = table().columns().clone();
        columns.push("example", Column::U32(vec![4, 4, 4, 5, 5, 5])).unwrap();
        columns.push("position", Column::U32(vec![0, 1, 2, 0, 1, 2])).unwrap();
        let without = columns.clone();
        let words = ["In", "New", "York", "it", "is", "late"].map(str::to_owned);
        columns.push(TOKEN, Column::Text(words.to_vec())).unwrap();
        let table = ScoreTable::of(columns).unwrap();
        let ranking = table.ranking("el2n@1", None).unwrap();
        let found = table.suspects(&[], &ranking, None, 1).unwrap();
        let place = TokenPlace { example: 4, position: 2, text: Some("York".into()) };
        assert_eq!(found[0].token, Some(place));
        // Whose texts are nowhere: a place where the card makes it ours, else two numbers of somebody's.
        let place = |table: &ScoreTable| {
            let ranking = table.ranking("el2n@1", None).unwrap();
            table.suspects(&[], &ranking, None, 1).unwrap().remove(0).token
        };
        assert_eq!(place(&ScoreTable::of(without.clone()).unwrap()), None);
        let ours = ScoreTable::new(without, Card::new(Vec::new()));
        assert_eq!(place(&ours), Some(TokenPlace { example: 4, position: 2, text: None }));
    }

    #[test]
    fn a_text_stands_beside_an_id() {
        let mut columns = table().columns().clone();
        columns.push("note", Column::Text(vec![String::new(); 6])).unwrap();
        columns
            .push("sentence", Column::Text((0..6).map(|row| format!("text {row}")).collect()))
            .unwrap();
        let table = ScoreTable::of(columns).unwrap();
        let ranking = table.ranking("el2n@1", None).unwrap();
        let found = table.suspects(&[], &ranking, None, 1).unwrap();
        assert_eq!(found[0].text.as_deref(), Some("text 2"));
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
