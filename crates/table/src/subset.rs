//! Files of chosen examples: what `datadiet select` writes and `datadiet train` reads.
//!
//! A subset of recorded scores has two ids for an example: its row in the table of scores under `id`
//! or `ids`, and its own, under `key` or `keys`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use datadiet_core::ExampleId;
use serde::Serialize;
use serde_json::Value;

use crate::identity::{OwnIds, Rows, TrainingSet, check_data};
use crate::list::{CHOICE, DATA, FINGERPRINT, LIMIT, ListFile, ListedIds};
use crate::{
    Column, DataRef, KEY, Ranking, Row, RowIndex, ScoreTable, TableError, TableWriter,
    write_atomically, write_json,
};

/// Endings of the files that a subset is written to.
const ENDINGS: [&str; 4] = ["parquet", "json", "npy", "txt"];

/// Chosen rows of a table, to be written.
pub struct Subset<'a> {
    /// The table; of its columns only the labels and ids are needed.
    pub table: &'a ScoreTable,
    /// The column it was chosen by.
    pub ranking: Option<&'a Ranking<'a>>,
    /// The rows, ascending.
    pub rows: &'a [Row],
    /// How they were chosen.
    pub how: Value,
}

impl Subset<'_> {
    /// Checks that a file's name says how ids are written to it.
    ///
    /// # Errors
    /// When the name is of no known format.
    pub fn check_name(path: &Path) -> Result<(), TableError> {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if extension.is_some_and(|extension| ENDINGS.contains(&extension)) {
            return Ok(());
        }
        let path = path.display();
        Err(TableError::List(format!("{path} must end in .parquet, .json, .npy or .txt")))
    }

    /// Writes the ids; the name says how.
    ///
    /// # Errors
    /// When the name is of no known format, ids do not fit it, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), TableError> {
        Self::check_name(path)?;
        let own = self.table.own_ids()?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => self.parquet(own).write(path),
            Some("json") => Ok(write_json(path, &self.json(own))?),
            Some("npy") => self.npy(path, own),
            _ => self.txt(path, own),
        }
    }

    fn data(&self) -> Option<&DataRef> {
        self.table.card()?.data.as_ref()
    }

    /// Own ids of the rows, where they are not their numbers.
    fn keys(&self, own: OwnIds<'_>) -> Option<Column> {
        (!matches!(own, OwnIds::Rows(_))).then(|| own.column(self.rows))
    }

    fn parquet(&self, own: OwnIds<'_>) -> TableWriter<'_> {
        let rows = self.rows;
        let mut table = TableWriter::new(rows.len());
        table.push("id", move |range| Column::U32(rows[range].iter().map(|row| row.0).collect()));
        if let Some(keys) = self.keys(own) {
            table.push(KEY, move |range| keys.slice(range));
        }
        if let Ok(labels) = self.table.columns().integers("label") {
            table.push("label", move |range| Column::U32(at(labels, &rows[range])));
        }
        if let Some(ranking) = self.ranking {
            let values = &ranking.values;
            table.push(&ranking.name, move |range| Column::F32(at(values, &rows[range])));
        }
        table.metadata.insert(CHOICE.into(), self.how.to_string());
        if let Some(data) = self.data() {
            table.metadata.insert(FINGERPRINT.into(), data.fingerprint.clone());
            if let Some(limit) = data.limit {
                table.metadata.insert(LIMIT.into(), limit.to_string());
            }
            table.metadata.insert(DATA.into(), data.name.clone());
        }
        table
    }

    fn json(&self, own: OwnIds<'_>) -> SubsetJson<'_> {
        let data = self.data();
        SubsetJson {
            data: data.map(|data| data.name.as_str()),
            fingerprint: data.map(|data| data.fingerprint.as_str()),
            limit: data.and_then(|data| data.limit),
            how: &self.how,
            ids: self.rows.iter().map(|row| row.0).collect(),
            keys: self.keys(own).map(|keys| match keys {
                Column::Text(keys) => keys.into(),
                Column::U32(keys) => keys.into(),
                Column::F32(keys) => keys.into(),
            }),
        }
    }

    fn npy(&self, path: &Path, own: OwnIds<'_>) -> Result<(), TableError> {
        match own.column(self.rows) {
            Column::Text(keys) => {
                // `007` is not 7.
                let number = |key: &String| {
                    key.parse().ok().filter(|number: &i64| number.to_string() == *key)
                };
                let wide: Option<Vec<i64>> = keys.iter().map(number).collect();
                let Some(wide) = wide else {
                    return Err(TableError::List(format!(
                        "the examples have texts for ids, and {} can hold whole numbers only; give \
                         a name that ends in .txt, .json or .parquet",
                        path.display()
                    )));
                };
                write_atomically(path, |file| npy(&wide, file))?;
            }
            Column::U32(keys) => write_atomically(path, |file| npy(&keys, file))?,
            Column::F32(_) => unreachable!("ids are whole numbers or texts"),
        }
        Ok(())
    }

    fn txt(&self, path: &Path, own: OwnIds<'_>) -> Result<(), TableError> {
        let ids: Vec<String> = self.rows.iter().map(|&row| own.text(row)).collect();
        if let Some(id) = ids.iter().find(|id| id.contains(['\n', '\r'])) {
            return Err(TableError::List(format!(
                "the id {id:?} holds a line break, and {} has one id a line; give a name that ends in \
                 .json or .parquet",
                path.display()
            )));
        }
        Ok(write_atomically(path, |file| {
            let mut file = BufWriter::new(file);
            ids.iter().try_for_each(|id| writeln!(file, "{id}"))?;
            file.flush()
        })?)
    }
}

/// The content of a `.json`.
#[derive(Serialize)]
struct SubsetJson<'a> {
    data: Option<&'a str>,
    fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    how: &'a Value,
    ids: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Value>,
}

fn at<T: Clone>(values: &[T], rows: &[Row]) -> Vec<T> {
    rows.iter().map(|row| values[row.index()].clone()).collect()
}

fn npy<N: datadiet_arrays::Number>(ids: &[N], file: &mut File) -> std::io::Result<()> {
    let mut file = BufWriter::new(file);
    datadiet_arrays::write(&mut file, &[ids.len()], ids.iter().copied())?;
    file.flush()
}

/// A subset that was read: ids as their owner knows them.
#[derive(Clone, Debug)]
pub struct SubsetFile {
    path: PathBuf,
    /// The ids, as in the file.
    pub ids: ListedIds,
    labels: Option<Vec<u32>>,
    /// The data set that it says it is of.
    pub data: Option<DataRef>,
}

impl SubsetFile {
    /// Reads a subset, of datadiet or any list of ids.
    ///
    /// # Errors
    /// When the file is missing, of an unknown format, or holds something else.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let file = ListFile::read(path, "ids")?;
        if file.is_scores {
            return file.refused(
                "it is a table of scores of all examples, not a subset; choose one with `datadiet \
                 select`",
            );
        }
        let labels = if file.names().contains(&"label") { file.numbers(&["label"])? } else { None };
        Ok(Self { path: path.to_owned(), ids: file.ids()?, labels, data: file.data })
    }

    /// Which training examples of a data set they are, ascending: see [`Rows::examples_in`].
    ///
    /// # Errors
    /// As there; when there are none, or one is there twice.
    pub fn examples_in(&self, set: &TrainingSet<'_>) -> Result<Vec<ExampleId>, TableError> {
        let name = self.path.display().to_string();
        if let Some(fingerprint) = set.fingerprint {
            check_data(&name, self.data.as_ref(), set.name, fingerprint)?;
        }
        self.check_numbers(&name, set.size)?;
        // A subset is seldom all of a data set: its numbers are of examples even where they
        // happen to be 0, 1, 2, …
        let ids = match &self.ids {
            ListedIds::Numbers(ids) => OwnIds::Numbers(ids),
            ListedIds::Texts(ids) => OwnIds::Texts(ids),
        };
        let rows = Rows {
            name: &name,
            ids,
            data: self.data.as_ref(),
            // The labels of a subset are its scores', which may be noisy on purpose.
            relabelled: self.data.is_some(),
            labels: self.labels.as_deref(),
            classes: &[],
        };
        let mut found = rows.examples_in(set)?.all().to_vec();
        found.sort_unstable();
        Ok(found)
    }

    /// Which rows of a table they are, ascending, by the ids of the table's owner.
    ///
    /// # Errors
    /// When it is of another data set, an id is not in the table or there twice, or there are none.
    pub fn rows_in(&self, table: &ScoreTable) -> Result<Vec<Row>, TableError> {
        let name = self.path.display().to_string();
        if let Some(data) = table.card().and_then(|card| card.data.as_ref()) {
            check_data(&name, self.data.as_ref(), &data.name, &data.fingerprint)?;
        }
        let refused = |why: String| Err(TableError::Ids(format!("{name}: {why}")));
        let own = table.own_ids()?;
        let index = RowIndex::of(own)?;
        let listed = match &self.ids {
            ListedIds::Numbers(ids) => OwnIds::Numbers(ids),
            ListedIds::Texts(ids) => OwnIds::Texts(ids),
        };
        if listed.is_empty() {
            return refused("there are no ids in it".into());
        }
        let mut rows = Vec::with_capacity(listed.len());
        for place in (0..listed.len() as u32).map(Row) {
            let id = listed.text(place);
            match index.find(own, &id) {
                Some(row) => rows.push(row),
                None => {
                    return refused(format!(
                        "the table has no example {id:?} (its first is {:?}): the subset is of another table",
                        own.text(Row(0))
                    ));
                }
            }
        }
        rows.sort_unstable();
        match rows.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                refused(format!("the id {:?} is there more than once; keep one", own.text(pair[0])))
            }
            None => Ok(rows),
        }
    }

    fn check_numbers(&self, name: &str, size: usize) -> Result<(), TableError> {
        let ListedIds::Numbers(ids) = &self.ids else { return Ok(()) };
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        let repeated = sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
        let mut twice: Vec<u32> = repeated.collect();
        twice.dedup();
        let why = match (twice.first(), sorted.last()) {
            (Some(first), _) => format!(
                "{} of the ids are there more than once, the first is {first}; keep one of each",
                twice.len()
            ),
            (_, None) => "there are no ids in it: nothing to train on".into(),
            (_, Some(&last)) if last as usize >= size => format!(
                "there is an example {last}, but the data set has {size} (0 to {}); the ids belong \
                 to another data set",
                size - 1
            ),
            _ => return Ok(()),
        };
        Err(TableError::Ids(format!("{name}: {why}")))
    }
}
