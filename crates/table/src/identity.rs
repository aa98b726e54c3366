//! Which training examples of a data set the rows of a table are.
//!
//! A table numbers its rows, a data set its examples, and the two numbers are the same only where
//! something says so: the ids that the owner gave, the fingerprint of the data set, the labels. This
//! is the only way from the one to the other.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use datadiet_core::ExampleId;

use crate::{Column, DataRef, KEY, Row, ScoreTable, Table, TableError};

/// Names of columns of ids, the likeliest first.
pub const ID_NAMES: [&str; 13] = [
    KEY,
    "id",
    "guid",
    "example_id",
    "sample_id",
    "text_id",
    "uid",
    "ids",
    "index",
    "idx",
    "indices",
    "ID",
    "__index_level_0__",
];

/// Agreement of labels beyond chance (Cohen's κ) below which they are of other examples.
const LEAST_AGREEMENT: f64 = 0.25;

/// The ids by which the owner of a table, or of a file of ids, knows its rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OwnIds<'t> {
    /// Nobody gave any: the numbers of so many rows.
    Rows(usize),
    /// Whole numbers.
    Numbers(&'t [u32]),
    /// Texts.
    Texts(&'t [String]),
}

impl<'t> OwnIds<'t> {
    /// Those of a table: the column `key`, then `id`, then other usual names. The numbers 0, 1, 2, … are those of the
    /// rows.
    ///
    /// # Errors
    /// When the column holds numbers with fractions.
    pub fn of(table: &'t Table) -> Result<Self, TableError> {
        Ok(match Self::written(table)? {
            Some(Self::Numbers(ids)) if ids.iter().zip(0..).all(|(&id, row)| id == row) => {
                Self::Rows(ids.len())
            }
            Some(ids) => ids,
            None => Self::Rows(table.rows()),
        })
    }

    /// The same as they are written, 0, 1, 2, … too; none where no column is called like one of ids.
    ///
    /// # Errors
    /// As there.
    pub fn written(table: &'t Table) -> Result<Option<Self>, TableError> {
        let Some((name, column)) = id_column(table) else { return Ok(None) };
        match column {
            Column::U32(ids) => Ok(Some(Self::Numbers(ids))),
            Column::Text(ids) => Ok(Some(Self::Texts(ids))),
            Column::F32(_) => Err(TableError::Ids(format!(
                "the column {name} holds numbers with fractions, which are not ids; write whole \
                 numbers or texts, or leave the column out"
            ))),
        }
    }

    /// Number of rows.
    pub fn len(self) -> usize {
        match self {
            Self::Rows(rows) => rows,
            Self::Numbers(ids) => ids.len(),
            Self::Texts(ids) => ids.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Each id is there once.
    ///
    /// # Errors
    /// When one is there twice, as in a log of losses, in which an example has a row an epoch: no score is of
    /// such a row alone.
    pub fn check_once(self) -> Result<(), TableError> {
        let (twice, distinct) = match self {
            Self::Rows(_) => (None, 0),
            Self::Numbers(ids) => repeated(ids),
            Self::Texts(ids) => repeated(ids),
        };
        let Some(row) = twice else { return Ok(()) };
        Err(TableError::Ids(format!(
            "the id {:?} is there more than once: {} rows have {distinct} ids, as a log has with a row an example \
             and epoch; make a table of scores of a log with `datadiet ingest`, or keep one row an example",
            self.text(Row(row as u32)),
            self.len()
        )))
    }

    /// The id of a row, as a text.
    pub fn text(self, row: Row) -> String {
        match self {
            Self::Rows(_) => row.0.to_string(),
            Self::Numbers(ids) => ids[row.index()].to_string(),
            Self::Texts(ids) => ids[row.index()].clone(),
        }
    }

    /// The ids of some rows, as a column.
    pub fn column(self, rows: &[Row]) -> Column {
        match self {
            Self::Rows(_) => Column::U32(rows.iter().map(|row| row.0).collect()),
            Self::Numbers(ids) => Column::U32(rows.iter().map(|row| ids[row.index()]).collect()),
            Self::Texts(ids) => {
                Column::Text(rows.iter().map(|row| ids[row.index()].clone()).collect())
            }
        }
    }

    /// As whole numbers, where all texts are some as they are usually written.
    fn numbers(self) -> Option<Vec<u32>> {
        match self {
            Self::Rows(rows) => Some((0..rows as u32).collect()),
            Self::Numbers(ids) => Some(ids.to_vec()),
            Self::Texts(ids) => ids.iter().map(|id| whole(id)).collect(),
        }
    }
}

/// The first row whose id was there before, and the number of ids.
fn repeated<T: Eq + Hash>(ids: &[T]) -> (Option<usize>, usize) {
    let mut seen = HashSet::with_capacity(ids.len());
    let mut twice = None;
    for (row, id) in ids.iter().enumerate() {
        if !seen.insert(id) {
            twice = twice.or(Some(row));
        }
    }
    (twice, seen.len())
}

/// A whole number as it is usually written: no sign, no leading zeros.
fn whole(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Whether classes are called by nothing but their numbers.
pub(crate) fn are_numbers(classes: &[String]) -> bool {
    classes.iter().enumerate().all(|(class, name)| *name == class.to_string())
}

/// What the classes of a table are called, by label: one that no row names by its number, and where another class has
/// that name, as star ratings do, by its number and that it has no example.
pub(crate) fn called(names: Vec<Option<String>>) -> Vec<String> {
    let named: HashSet<&String> = names.iter().flatten().collect();
    let call = |(class, name): (usize, &Option<String>)| match name {
        Some(name) => name.clone(),
        None if named.contains(&class.to_string()) => without_example(class),
        None => class.to_string(),
    };
    names.iter().enumerate().map(call).collect()
}

/// Whether a class is called as [`called`] calls those that no row names.
pub(crate) fn is_unnamed(class: usize, name: &str) -> bool {
    name == class.to_string() || name == without_example(class)
}

fn without_example(class: usize) -> String {
    format!("{class}, without an example")
}

/// The number that each class has among those of a data set, by its name; none of one that is called by its number,
/// as classes without an example are, where the data set has no class of that name.
///
/// # Errors
/// The first class that the data set does not have.
fn numbers_by_name<'c>(own: &'c [String], set: &[String]) -> Result<Vec<Option<u32>>, &'c str> {
    let numbers: HashMap<&String, u32> = set.iter().zip(0..).collect();
    let number = |(class, name): (usize, &'c String)| match numbers.get(name) {
        None if !is_unnamed(class, name) => Err(name.as_str()),
        number => Ok(number.copied()),
    };
    own.iter().enumerate().map(number).collect()
}

/// Checks that what a file says about its data set, if anything, is true of another.
pub(crate) fn check_data(
    file: &str,
    says: Option<&DataRef>,
    name: &str,
    fingerprint: &str,
) -> Result<(), TableError> {
    let short = |text: &str| text.get(..12).unwrap_or(text).to_owned();
    match says {
        Some(data) if data.fingerprint != fingerprint => Err(TableError::Ids(format!(
            "{file} was made for another data set than {name}, or another version of it: its \
             fingerprint is {}, this one's {}; make it again with this one, or import that one",
            short(&data.fingerprint),
            short(fingerprint)
        ))),
        _ => Ok(()),
    }
}

/// The column of the owner's ids, and its name.
pub(crate) fn id_column(table: &Table) -> Option<(&'static str, &Column)> {
    ID_NAMES.into_iter().find_map(|name| Some((name, table.column(name)?)))
}

/// The training examples of a data set, as far as a table must fit them.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrainingSet<'d> {
    /// What it is called.
    pub name: &'d str,
    /// Number of training examples.
    pub size: usize,
    /// SHA-256 of its content, where that is known.
    pub fingerprint: Option<&'d str>,
    /// Their labels, where there are some.
    pub labels: Option<&'d [u32]>,
    /// Names of the classes; empty where there are none.
    pub classes: &'d [String],
    /// Ids of the examples, where they have others than their numbers.
    pub keys: Option<OwnIds<'d>>,
    /// The owner says that labels may differ: some are wrong in one of the two.
    pub other_labels: bool,
}

/// Rows that are to be found among training examples, and all that is known about them.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'t> {
    /// What they are called in errors: "the table", a file.
    pub name: &'t str,
    /// The ids that their owner gave.
    pub ids: OwnIds<'t>,
    /// The data set that they say they are of.
    pub data: Option<&'t DataRef>,
    /// Whether their labels are known to differ from that data set's.
    pub relabelled: bool,
    /// Their labels.
    pub labels: Option<&'t [u32]>,
    /// Names of their classes by label; empty where there are none.
    pub classes: &'t [String],
}

/// The training example that each row is.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples(Vec<ExampleId>);

impl Examples {
    /// The example that a row is.
    pub fn of(&self, row: Row) -> ExampleId {
        self.0[row.index()]
    }

    /// The examples of all rows.
    pub fn all(&self) -> &[ExampleId] {
        &self.0
    }

    /// The examples of some rows, ascending.
    pub fn sorted(&self, rows: &[Row]) -> Vec<ExampleId> {
        let mut found: Vec<ExampleId> = rows.iter().map(|&row| self.of(row)).collect();
        found.sort_unstable();
        found
    }
}

impl Rows<'_> {
    /// Which training examples of a data set the rows are.
    ///
    /// By the owner's ids, where there are some: texts by the data set's own, numbers by the numbers
    /// of its examples. Without ids the rows are all examples, in order.
    ///
    /// # Errors
    /// When the data set is another one than the rows say they are of, has another size, lacks an id
    /// or knows none, or gives the examples other labels.
    pub fn examples_in(&self, set: &TrainingSet<'_>) -> Result<Examples, TableError> {
        let sure = self.is_of(set)?;
        let places = self.places(set, sure)?;
        let mut seen = vec![false; set.size];
        for &place in &places {
            if std::mem::replace(&mut seen[place as usize], true) {
                return self.refused(format!("the id {place} is there more than once; keep one"));
            }
        }
        if !(sure && self.relabelled) {
            self.check_labels(set, &places)?;
        }
        Ok(Examples(places.into_iter().map(ExampleId).collect()))
    }

    /// Whether the rows say that they are of the data set.
    fn is_of(&self, set: &TrainingSet<'_>) -> Result<bool, TableError> {
        let (Some(data), Some(fingerprint)) = (self.data, set.fingerprint) else {
            return Ok(false);
        };
        check_data(self.name, Some(data), set.name, fingerprint)?;
        Ok(true)
    }

    fn places(&self, set: &TrainingSet<'_>, sure: bool) -> Result<Vec<u32>, TableError> {
        if let Some(keys) = set.keys {
            return self.by_key(set, keys);
        }
        let Some(places) = self.ids.numbers() else {
            return self.refused(format!(
                "its examples have texts for ids (the first is {:?}), not whole numbers from 0 to 2³² − \
                 1: they say nothing of their places in {}; record them with the numbers of its \
                 examples",
                self.ids.text(Row(0)),
                set.name
            ));
        };
        let most = places.iter().max().map_or(0, |&most| most as usize + 1);
        // Numbers of rows are examples' numbers where the data set is known, else where there are as
        // many of both.
        let all = matches!(self.ids, OwnIds::Rows(_)) && !sure;
        if most > set.size || (all && places.len() != set.size) {
            return self.refused(format!(
                "it tells of {} examples, with numbers up to {}, and {} has {}: they belong to \
                 different data sets",
                places.len(),
                most.saturating_sub(1),
                set.name,
                set.size
            ));
        }
        Ok(places)
    }

    fn by_key(&self, set: &TrainingSet<'_>, keys: OwnIds<'_>) -> Result<Vec<u32>, TableError> {
        let mut places = HashMap::with_capacity(keys.len());
        for row in (0..keys.len() as u32).map(Row) {
            if places.insert(keys.text(row), row.0).is_some() {
                let id = keys.text(row);
                return self.refused(format!("{} has the id {id:?} twice; keep one", set.name));
            }
        }
        let of = |row: Row| {
            let id = self.ids.text(row);
            places.get(&id).copied().ok_or(id)
        };
        match (0..self.ids.len() as u32).map(Row).map(of).collect() {
            Ok(places) => Ok(places),
            Err(id) => self.refused(format!(
                "{} does not know the id {id:?}: they belong to different data sets, or have other \
                 ids",
                set.name
            )),
        }
    }

    /// The same examples have the same labels, by the names of the classes where both have some.
    fn check_labels(&self, set: &TrainingSet<'_>, places: &[u32]) -> Result<(), TableError> {
        let (Some(labels), Some(known)) = (self.labels, set.labels) else { return Ok(()) };
        let by_name = || numbers_by_name(self.classes, set.classes).ok();
        let named = if are_numbers(self.classes) { None } else { by_name() };
        let number = |label: u32| match &named {
            Some(numbers) => numbers[label as usize].map(|class| class as usize),
            None => Some(label as usize),
        };
        let pairs = || labels.iter().zip(places).map(|(&a, &b)| (a, known[b as usize]));
        let other = pairs().filter(|&(a, b)| number(a) != Some(b as usize)).count();
        if other == 0 {
            return Ok(());
        }
        let mut counts: HashMap<usize, (f64, f64)> = HashMap::new();
        for (a, b) in pairs() {
            number(a).into_iter().for_each(|a| counts.entry(a).or_default().0 += 1.0);
            counts.entry(b as usize).or_default().1 += 1.0;
        }
        let n = labels.len() as f64;
        let chance = counts.values().map(|(a, b)| a * b).sum::<f64>() / (n * n);
        let agreement = 1.0 - other as f64 / n;
        let fits = agreement - chance >= LEAST_AGREEMENT * (1.0 - chance);
        if fits && set.other_labels {
            return Ok(());
        }
        let what = format!(
            "{other} of {} examples have another label there than in {}",
            labels.len(),
            set.name
        );
        self.refused(if fits {
            format!(
                "{what}: they belong to different data sets, or are in another order, or labels were \
                 changed; where some labels are wrong in one of the two, say so with --other-labels"
            )
        } else {
            format!(
                "{what}, hardly fewer than by chance: they belong to different data sets, are in \
                 another order, or their classes are numbered otherwise"
            )
        })
    }

    fn refused<T>(&self, why: String) -> Result<T, TableError> {
        Err(TableError::Ids(format!("{}: {why}", self.name)))
    }
}

impl ScoreTable {
    /// The ids by which the owner knows the rows.
    ///
    /// # Errors
    /// When the column holds numbers with fractions.
    pub fn own_ids(&self) -> Result<OwnIds<'_>, TableError> {
        OwnIds::of(self.columns())
    }

    /// The column that has the ids by which the owner knows the rows; none where no column is called like one.
    pub fn id_name(&self) -> Option<&'static str> {
        id_column(self.columns()).map(|(name, _)| name)
    }

    /// Whether the rows are the first examples of a larger data set, as the card says: then numbers from 0 are those of
    /// its examples, though it has more.
    pub fn is_limited(&self) -> bool {
        let data = self.card().and_then(|card| card.data.as_ref());
        data.is_some_and(|data| data.limit.is_some())
    }

    /// The id by which the owner knows a row, where that is another than the one in the column `id`.
    pub fn own_id(&self, row: Row) -> Option<String> {
        let (name, column) = id_column(self.columns())?;
        match column {
            Column::U32(_) if name == "id" => None,
            Column::F32(_) => None,
            Column::U32(ids) => ids.get(row.index()).map(u32::to_string),
            Column::Text(ids) => ids.get(row.index()).cloned(),
        }
    }

    /// Whether the table says what its classes are called; else their numbers are all that is known of them.
    ///
    /// # Errors
    /// When a label is too large to be the number of a class.
    pub fn names_classes(&self) -> Result<bool, TableError> {
        Ok(!are_numbers(&self.classes()?))
    }

    /// The labels of the rows as a data set numbers its classes: by their names where the table has some.
    ///
    /// # Errors
    /// When the table has no labels, or a class that the data set does not have.
    pub fn labels_in(&self, set: &TrainingSet<'_>) -> Result<Vec<u32>, TableError> {
        let labels = self.columns().integers("label")?;
        let classes = self.classes()?;
        let unknown = |name: &str| {
            TableError::Ids(format!(
                "the table of scores has a class {name:?}, which is none of {}: they belong to different data sets, \
                 or call their classes otherwise; name them the same in the column `class` of the table",
                set.name
            ))
        };
        if are_numbers(&classes) {
            return Ok(labels.to_vec());
        }
        let numbers = numbers_by_name(&classes, set.classes).map_err(unknown)?;
        let of =
            |&label: &u32| numbers[label as usize].ok_or_else(|| unknown(&classes[label as usize]));
        labels.iter().map(of).collect()
    }

    /// Which training examples of a data set the rows are: see [`Rows::examples_in`].
    ///
    /// # Errors
    /// As there.
    pub fn examples_in(&self, set: &TrainingSet<'_>) -> Result<Examples, TableError> {
        let card = self.card();
        let classes = self.classes()?;
        let rows = Rows {
            name: "the table of scores",
            ids: self.own_ids()?,
            data: card.and_then(|card| card.data.as_ref()),
            relabelled: card.is_some_and(|card| card.relabelled),
            labels: self.columns().integers("label").ok(),
            classes: &classes,
        };
        rows.examples_in(set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<'d>(labels: &'d [u32], classes: &'d [String]) -> TrainingSet<'d> {
        TrainingSet {
            name: "mine",
            size: labels.len(),
            fingerprint: Some("aa"),
            labels: Some(labels),
            classes,
            ..TrainingSet::default()
        }
    }

    fn rows<'t>(ids: OwnIds<'t>, labels: &'t [u32]) -> Rows<'t> {
        let labels = Some(labels);
        Rows { name: "the table", ids, data: None, relabelled: false, labels, classes: &[] }
    }

    fn numbers(found: Result<Examples, TableError>) -> Vec<u32> {
        found.unwrap().all().iter().map(|id| id.0).collect()
    }

    fn refusal(found: Result<Examples, TableError>) -> String {
        found.unwrap_err().to_string()
    }

    const LABELS: [u32; 6] = [0, 1, 2, 0, 1, 2];

    #[test]
    fn ids_that_repeat_are_those_of_a_log() {
        let texts = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
        let refused = OwnIds::Numbers(&[7, 3, 7, 3]).check_once().unwrap_err().to_string();
        assert!(
            refused.contains("4 rows have 2 ids") && refused.contains("datadiet ingest"),
            "{refused}"
        );
        assert!(OwnIds::Texts(&texts(&["a", "b", "a"])).check_once().is_err());
        assert!(OwnIds::Texts(&texts(&["a", "b"])).check_once().is_ok());
        assert!(
            OwnIds::Numbers(&[7, 3]).check_once().is_ok() && OwnIds::Rows(9).check_once().is_ok()
        );
    }

    #[test]
    fn numbers_are_places_whatever_their_order() {
        let ids = [5, 0, 3];
        let found = rows(OwnIds::Numbers(&ids), &[2, 0, 0]).examples_in(&set(&LABELS, &[]));
        let examples = found.unwrap();
        assert_eq!(examples.sorted(&[Row(0), Row(2)]), [ExampleId(3), ExampleId(5)]);
        assert_eq!(
            numbers(rows(OwnIds::Rows(6), &LABELS).examples_in(&set(&LABELS, &[]))),
            [0, 1, 2, 3, 4, 5]
        );
        let texts = ["4".to_owned(), "1".to_owned()];
        let found = rows(OwnIds::Texts(&texts), &[1, 1]).examples_in(&set(&LABELS, &[]));
        assert_eq!(numbers(found), [4, 1]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let set = set(&LABELS, &[]);
        let texts = ["ex4".to_owned(), "ex1".to_owned()];
        let refused = |ids, labels: &[u32]| refusal(rows(ids, labels).examples_in(&set));
        assert!(refused(OwnIds::Texts(&texts), &[1, 1]).contains("texts for ids"));
        assert!(refused(OwnIds::Numbers(&[1000, 999]), &[1, 1]).contains("different data sets"));
        assert!(refused(OwnIds::Numbers(&[1, 1]), &[1, 1]).contains("more than once"));
        // Rows without ids are all examples, or nobody knows which.
        assert!(refused(OwnIds::Rows(5), &LABELS[..5]).contains("different data sets"));
        let leading = ["01".to_owned()];
        assert!(refused(OwnIds::Texts(&leading), &[1]).contains("texts for ids"));
    }

    #[test]
    fn keys_of_both_sides_are_matched() {
        let known = ["a", "b", "c", "d", "e", "f"].map(str::to_owned);
        let set = TrainingSet { keys: Some(OwnIds::Texts(&known)), ..set(&LABELS, &[]) };
        let ids = ["f".to_owned(), "b".to_owned()];
        assert_eq!(numbers(rows(OwnIds::Texts(&ids), &[2, 1]).examples_in(&set)), [5, 1]);
        let other = ["g".to_owned()];
        let message = refusal(rows(OwnIds::Texts(&other), &[0]).examples_in(&set));
        assert!(message.contains("\"g\""), "{message}");
    }

    #[test]
    fn other_labels_are_refused_unless_they_are_known_to_be_wrong() {
        let mut noisy = LABELS;
        noisy[0] = 1;
        let data = |fingerprint: &str| DataRef {
            name: "mine".into(),
            fingerprint: fingerprint.into(),
            limit: None,
        };
        let set = set(&LABELS, &[]);
        let plain = rows(OwnIds::Rows(6), &noisy);
        assert!(refusal(plain.examples_in(&set)).contains("--other-labels"));
        assert!(plain.examples_in(&TrainingSet { other_labels: true, ..set }).is_ok());
        let (same, other) = (data("aa"), data("bb"));
        let known = Rows { data: Some(&same), relabelled: true, ..plain };
        assert!(known.examples_in(&set).is_ok());
        let foreign = Rows { data: Some(&other), relabelled: true, ..plain };
        assert!(refusal(foreign.examples_in(&set)).contains("another data set"));
        // Another order is not noise, whatever the owner says.
        let turned = [1, 2, 0, 1, 2, 0];
        let turned = rows(OwnIds::Rows(6), &turned);
        let message = refusal(turned.examples_in(&TrainingSet { other_labels: true, ..set }));
        assert!(message.contains("by chance"), "{message}");
    }

    #[test]
    fn classes_are_joined_by_name() {
        let names = |names: [&str; 3]| names.map(str::to_owned);
        let (ours, theirs) = (names(["cat", "dog", "owl"]), names(["dog", "owl", "cat"]));
        // The same classes in another order: label 0 is dog here, and 1 there.
        let labels: Vec<u32> = LABELS.iter().map(|&label| (label + 2) % 3).collect();
        let by_name = Rows { classes: &theirs, ..rows(OwnIds::Rows(6), &labels) };
        assert!(by_name.examples_in(&set(&LABELS, &ours)).is_ok());
        let by_number = rows(OwnIds::Rows(6), &labels);
        assert!(by_number.examples_in(&set(&LABELS, &ours)).is_err());
        // Also where one of them has no example, and so no name in the table.
        let gap = names(["cat", "1", "dog"]);
        let labels: Vec<u32> = LABELS.iter().map(|&label| [0, 2, 2][label as usize]).collect();
        let data: Vec<u32> = LABELS.iter().map(|&label| [2, 0, 0][label as usize]).collect();
        let by_name = Rows { classes: &gap, ..rows(OwnIds::Rows(6), &labels) };
        assert!(by_name.examples_in(&set(&data, &theirs)).is_ok());
        // A class without a name of letters is one that the data set does not have, not one by its number.
        let mut columns = Table::default();
        columns.push("label", Column::U32(vec![1, 0])).unwrap();
        columns.push("class", Column::Text(["", "dog"].map(str::to_owned).into())).unwrap();
        let table = ScoreTable::of(columns).unwrap();
        let refused = table.labels_in(&set(&LABELS, &ours)).unwrap_err().to_string();
        assert!(refused.contains("a class \"\", which is none of"), "{refused}");
        // Numbers are not names.
        let digits = names(["0", "1", "2"]);
        let lexical = names(["0", "2", "1"]);
        let by_digit = Rows { classes: &digits, ..rows(OwnIds::Rows(6), &LABELS) };
        assert!(by_digit.examples_in(&set(&LABELS, &lexical)).is_ok());
    }
}
