//! Files of ids, labels or flags in the common formats.
//!
//! ```text
//! .parquet   columns by name; files of datadiet also say which data set they are for
//! .npy       one dimension of whole numbers, floats that are whole, or booleans
//! .json      an array of values, an array of objects, or an object of arrays
//! .csv       columns by name, or one column of numbers
//! .txt       one value a line; lines that begin with # are left out
//! ```
//!
//! A whole number is one however it is written: `1`, `1.0`, `"1"`, a category, `true`. A byte-order
//! mark, UTF-16, line ends of Windows and blank lines change nothing.

use std::path::{Path, PathBuf};

use datadiet_arrays::{ArrayError, ArrayFile, Class, Npy};
use serde_json::Value;

use crate::identity::{ID_NAMES, OwnIds, check_data};
use crate::{Card, Column, DataRef, FileError, Table, TableError, cell_text};

/// Key of the fingerprint of the data set in the metadata of a file.
pub const FINGERPRINT: &str = "fingerprint";
/// Key of the number of examples that a choice was made among, where that is not all.
pub(crate) const LIMIT: &str = "limit";
/// Key of the way a subset was chosen.
pub(crate) const CHOICE: &str = "choice";
/// Key of the name of the data set.
pub const DATA: &str = "data";

/// Names of columns of labels, the likeliest first; the empty one is of a bare list.
pub(crate) const LABEL_NAMES: [&str; 7] = ["label", "labels", "target", "targets", "y", "gold", ""];

/// Names of columns that say which example a row is of, in words of their own.
const LIKE_IDS: [&str; 7] =
    ["file", "filename", "file_name", "image", "image_path", "path", "filepath"];

/// Numbers below this have no gaps as 32-bit floats.
const EXACT: f64 = 16_777_216.0;

/// One value of a file.
#[derive(Clone, Debug, PartialEq)]
enum Cell {
    Whole(i128),
    Real(f64),
    Flag(bool),
    Text(String),
    Nothing,
}

/// The values under one name, each with its place: a line or an entry.
#[derive(Clone, Debug)]
struct Values {
    name: String,
    cells: Vec<(usize, Cell)>,
}

/// Ids of a file.
#[derive(Clone, Debug, PartialEq)]
pub enum ListedIds {
    /// Whole numbers.
    Numbers(Vec<u32>),
    /// Texts.
    Texts(Vec<String>),
}

impl ListedIds {
    /// As a table's own ids; numbers that are 0, 1, 2, … are rows.
    pub fn own(&self) -> OwnIds<'_> {
        match self {
            Self::Numbers(ids) if ids.iter().zip(0..).all(|(&id, row)| id == row) => {
                OwnIds::Rows(ids.len())
            }
            Self::Numbers(ids) => OwnIds::Numbers(ids),
            Self::Texts(ids) => OwnIds::Texts(ids),
        }
    }
}

/// A file of values.
#[derive(Clone, Debug)]
pub struct ListFile {
    path: PathBuf,
    what: &'static str,
    place: &'static str,
    columns: Vec<Values>,
    /// The data set that it says it is for.
    pub data: Option<DataRef>,
    /// Whether it is a table of scores, and no choice from one.
    pub is_scores: bool,
}

impl ListFile {
    /// Reads a file of `what`: "ids", "labels", …
    ///
    /// # Errors
    /// When the file is missing, damaged, or of an unknown format.
    pub fn read(path: &Path, what: &'static str) -> Result<Self, TableError> {
        let mut file = Self {
            path: path.to_owned(),
            what,
            place: "entry",
            columns: Vec::new(),
            data: None,
            is_scores: false,
        };
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match extension.to_lowercase().as_str() {
            "parquet" => file.parquet()?,
            "npy" => file.npy()?,
            "json" => file.json()?,
            "txt" => file.lines(&file.text()?),
            "csv" => file.csv(&file.text()?)?,
            _ => {
                return Err(TableError::List(format!(
                    "{} is not a list of {what}: .parquet, .npy, .json, .txt and .csv are read",
                    path.display()
                )));
            }
        }
        Ok(file)
    }

    /// The ids in it: the owner's, where it has those and numbers of rows too.
    ///
    /// # Errors
    /// When there are none, or they are neither whole numbers nor texts.
    pub fn ids(&self) -> Result<ListedIds, TableError> {
        match self.ids_if_any()? {
            Some(ids) => Ok(ids),
            None if self.columns.len() == 1 && self.columns[0].name.is_empty() => {
                self.listed(&self.columns[0])
            }
            None => self.no_column("id", "ids"),
        }
    }

    /// The ids in it, where it names some.
    ///
    /// # Errors
    /// When they are neither whole numbers nor texts.
    pub fn ids_if_any(&self) -> Result<Option<ListedIds>, TableError> {
        self.id_column().map(|values| self.listed(values)).transpose()
    }

    /// The likeliest column of ids.
    fn id_column(&self) -> Option<&Values> {
        let all = || self.columns.iter().filter(|values| self.is_id(values));
        let rank = |values: &&Values| {
            ["keys"].iter().chain(&ID_NAMES).position(|name| values.name.eq_ignore_ascii_case(name))
        };
        all().min_by_key(|values| rank(values).unwrap_or(usize::MAX))
    }

    /// Whether a column is of ids; of several, one without a name is the index of a data frame.
    fn is_id(&self, values: &Values) -> bool {
        let name = values.name.as_str();
        let known = |id: &&str| name.eq_ignore_ascii_case(id);
        (name.is_empty() && self.columns.len() > 1)
            || ["keys", "Unnamed: 0"].iter().chain(&ID_NAMES).any(known)
    }

    /// The labels in it, one for each example, in order.
    ///
    /// # Errors
    /// When there are none, they are not whole numbers, or its ids are not 0, 1, 2, …
    pub fn labels(&self) -> Result<Vec<u32>, TableError> {
        self.wholes(self.label_column()?)
    }

    /// The labels in it as texts, for those that may be names of classes.
    ///
    /// # Errors
    /// When there are none, one is missing, or its ids are not 0, 1, 2, …
    pub fn label_texts(&self) -> Result<Vec<String>, TableError> {
        let values = self.label_column()?;
        let text = |(place, cell): &(usize, Cell)| match cell {
            Cell::Whole(value) => Ok(value.to_string()),
            Cell::Real(value) => Ok(value.to_string()),
            Cell::Flag(value) => Ok(value.to_string()),
            Cell::Text(text) => Ok(text.clone()),
            Cell::Nothing => self.refused(format!("{} {place} holds nothing", self.place)),
        };
        let head = matches!(values.cells.first(), Some((_, Cell::Text(text)))
            if values.name.is_empty() && LABEL_NAMES.contains(&text.as_str()));
        values.cells.iter().skip(usize::from(head)).map(text).collect()
    }

    /// The texts under the first of these names that is there, else of its only column; an empty one where
    /// nothing is written.
    ///
    /// # Errors
    /// When there are none.
    pub fn texts(&self, names: &[&str]) -> Result<Vec<String>, TableError> {
        let only = self.columns.first().filter(|_| self.columns.len() == 1);
        let named = names.iter().find_map(|name| self.column(name));
        let Some(values) = named.or(only) else { return self.no_column(names[0], "texts") };
        let text = |(_, cell): &(usize, Cell)| match cell {
            Cell::Whole(value) => value.to_string(),
            Cell::Real(value) => value.to_string(),
            Cell::Flag(value) => value.to_string(),
            Cell::Text(text) => text.clone(),
            Cell::Nothing => String::new(),
        };
        Ok(values.cells.iter().map(text).collect())
    }

    /// The column of labels, if rows are in the order of the examples.
    fn label_column(&self) -> Result<&Values, TableError> {
        let only = self.columns.first().filter(|_| self.columns.len() == 1 && !self.is_json());
        let named = LABEL_NAMES.iter().find_map(|name| self.column(name));
        let found = named.into_iter().chain(only).find(|values| !self.is_id(values));
        let Some(values) = found else { return self.no_column("label", "labels") };
        self.check_order("labels")?;
        Ok(values)
    }

    /// That rows are in the order of the examples, as far as the file tells. `what` must be of all examples.
    fn check_order(&self, what: &str) -> Result<(), TableError> {
        let like_ids = |values: &&Values| LIKE_IDS.contains(&values.name.to_lowercase().as_str());
        let Some(ids) = self.id_column().or_else(|| self.columns.iter().find(like_ids)) else {
            return Ok(());
        };
        if matches!(self.listed(ids)?.own(), OwnIds::Rows(_)) {
            return Ok(());
        }
        self.refused(format!(
            "its ids (column {:?}) are not 0, 1, 2, …: {what} must be of all examples, in order; sort it by \
             id, or remove that column if its rows are in the order of the examples",
            ids.name
        ))
    }

    /// [`Self::labels`], for the data set of a name and fingerprint.
    ///
    /// # Errors
    /// When the file says that it is for another; as there.
    pub fn labels_of(&self, name: &str, fingerprint: &str) -> Result<Vec<u32>, TableError> {
        let path = self.path.display().to_string();
        check_data(&path, self.data.as_ref(), name, fingerprint)?;
        self.labels()
    }

    /// Its columns of numbers, in order: all but ids and labels in which every cell is a number or empty (NaN), and
    /// not all are empty. Rows are the examples, for the data set of a name and fingerprint.
    ///
    /// # Errors
    /// When the file says that it is for another, its ids are not 0, 1, 2, …, or it has no such column.
    pub fn number_columns_of(
        &self,
        name: &str,
        fingerprint: &str,
    ) -> Result<Vec<(String, Vec<f32>)>, TableError> {
        check_data(&self.path.display().to_string(), self.data.as_ref(), name, fingerprint)?;
        self.check_order("columns")?;
        let is_label = |values: &Values| LABEL_NAMES.contains(&values.name.as_str());
        let own = self.columns.iter().filter(|values| !self.is_id(values) && !is_label(values));
        let numbers = own.filter_map(|values| Some((values.name.clone(), floats(values)?)));
        let found: Vec<(String, Vec<f32>)> = numbers.collect();
        if found.is_empty() {
            let names = self.names().join(", ");
            return self.refused(format!(
                "it has no column of numbers with a name beside ids and labels; its columns are: {names}"
            ));
        }
        Ok(found)
    }

    /// Whole numbers under one of these names, the first that is there.
    ///
    /// # Errors
    /// When they are not whole numbers.
    pub(crate) fn numbers(&self, names: &[&str]) -> Result<Option<Vec<u32>>, TableError> {
        names.iter().find_map(|name| self.column(name)).map(|v| self.wholes(v)).transpose()
    }

    /// Whether the bare list in it is of booleans.
    pub(crate) fn is_flags(&self) -> bool {
        let flags = |values: &Values| values.cells.iter().all(|(_, c)| matches!(c, Cell::Flag(_)));
        self.column("").is_some_and(flags)
    }

    /// Names of the columns.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|values| values.name.as_str()).collect()
    }

    fn column(&self, name: &str) -> Option<&Values> {
        self.columns.iter().find(|values| values.name == name)
    }

    fn is_json(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "json")
    }

    pub(crate) fn refused<T>(&self, why: impl std::fmt::Display) -> Result<T, TableError> {
        let (what, path) = (self.what, self.path.display());
        Err(TableError::List(format!("cannot read {what} from {path}: {why}")))
    }

    fn no_column<T>(&self, name: &str, plural: &str) -> Result<T, TableError> {
        if self.is_json() {
            return self.refused(format!("it is neither an array nor an object with `{plural}`"));
        }
        let names = self.names().join(", ");
        self.refused(format!("it has no column named {name}; its columns are: {names}"))
    }

    /// Numbers where all are whole, else texts.
    fn listed(&self, values: &Values) -> Result<ListedIds, TableError> {
        let text = |cell: &Cell| matches!(cell, Cell::Text(text) if number(text).is_none());
        // A list of numbers has one name at most, at its head: another word is a mistake in it.
        let texts = values.cells.iter().filter(|(_, cell)| text(cell)).count();
        let numbers = values.cells.iter().filter(|(_, cell)| !text(cell)).count();
        if texts == 0 || numbers > 0 && values.cells.iter().all(|(_, c)| !is_own_text(c)) {
            return self.wholes(values).map(ListedIds::Numbers);
        }
        let head = matches!(values.cells.first(), Some((_, Cell::Text(text)))
            if values.name.is_empty() && ID_NAMES.contains(&text.as_str()));
        let of = |(place, cell): &(usize, Cell)| match cell {
            Cell::Text(text) => Ok(text.clone()),
            Cell::Whole(number) => Ok(number.to_string()),
            _ => self.refused(format!("{} {place} is not an id", self.place)),
        };
        let texts = values.cells.iter().skip(usize::from(head)).map(of);
        texts.collect::<Result<_, _>>().map(ListedIds::Texts)
    }

    fn wholes(&self, values: &Values) -> Result<Vec<u32>, TableError> {
        // A name is a header; −1 and 1_000 are mistakes.
        let is_name = |text: &str| text.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        let head = matches!(values.cells.first(), Some((_, Cell::Text(text)))
            if values.name.is_empty() && is_name(text));
        let cells = values.cells.iter().skip(usize::from(head));
        cells.map(|(place, cell)| self.whole(*place, cell)).collect()
    }

    fn whole(&self, place: usize, cell: &Cell) -> Result<u32, TableError> {
        let at = self.place;
        let real = |value: f64| {
            let fits = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
            fits.then_some(value as u32)
        };
        let found = match cell {
            Cell::Whole(value) => match u32::try_from(*value) {
                Ok(value) => return Ok(value),
                Err(_) => format!("{at} {place} is {value}: not in 0 to 2³² − 1"),
            },
            Cell::Real(value) => match real(*value) {
                Some(value) => return Ok(value),
                None => {
                    format!("{at} {place}: {value} is not a whole number; a list holds integers")
                }
            },
            Cell::Flag(value) => return Ok(u32::from(*value)),
            Cell::Text(text) => match number(text) {
                Some(value) => return Ok(value),
                None => {
                    format!("{at} {place} is {text:?}: not a whole number from 0 to 2³² − 1")
                }
            },
            Cell::Nothing => format!("{at} {place} holds nothing"),
        };
        self.refused(found)
    }

    fn parquet(&mut self) -> Result<(), TableError> {
        self.place = "row";
        let table = Table::read(&self.path)?;
        let known = &table.metadata;
        self.is_scores = Card::is_in(known) && !known.contains_key(CHOICE);
        let text = |key: &str| known.get(key).cloned();
        self.data = text(FINGERPRINT).map(|fingerprint| DataRef {
            name: text(DATA).unwrap_or_default(),
            fingerprint,
            limit: text(LIMIT).and_then(|limit| limit.parse().ok()),
        });
        for name in table.names() {
            let cells: Vec<Cell> = match table.column(name) {
                Some(Column::U32(values)) => {
                    values.iter().map(|&value| Cell::Whole(value.into())).collect()
                }
                Some(Column::Text(values)) => values.iter().cloned().map(Cell::Text).collect(),
                Some(Column::F32(values)) => {
                    let inexact = |value: f64| value.fract() == 0.0 && value.abs() > EXACT;
                    let cell = |&value: &f32| match f64::from(value) {
                        value if value.is_nan() || inexact(value) => Cell::Nothing,
                        value => Cell::Real(value),
                    };
                    values.iter().map(cell).collect()
                }
                None => continue,
            };
            self.add(name, cells);
        }
        Ok(())
    }

    fn add(&mut self, name: &str, cells: impl IntoIterator<Item = Cell>) {
        let cells = cells.into_iter().enumerate().collect();
        self.columns.push(Values { name: name.into(), cells });
    }

    fn npy(&mut self) -> Result<(), TableError> {
        let read = || -> Result<_, ArrayError> {
            let file = Npy::open(&self.path)?;
            let array = file.arrays()[0].clone();
            Ok((file.read_all(0)?, array))
        };
        let (mut bytes, array) = match read() {
            Ok(read) => read,
            Err(ArrayError::Io(cause)) if cause.kind() != std::io::ErrorKind::UnexpectedEof => {
                return Err(FileError::io("read", &self.path)(cause).into());
            }
            Err(error) => return self.refused(error),
        };
        if array.shape.len() != 1 {
            return self
                .refused(format!("it has {} dimensions; a list has one", array.shape.len()));
        }
        let element = array.element;
        let cells: Vec<Cell> = match element.class {
            Class::Boolean => bytes.iter().map(|&byte| Cell::Flag(byte != 0)).collect(),
            Class::Unsigned if element.size == 8 => {
                element.unsigned(&mut bytes).into_iter().map(|v| Cell::Whole(v.into())).collect()
            }
            Class::Signed | Class::Unsigned => {
                let whole = element.integers(&mut bytes).unwrap_or_default();
                whole.into_iter().map(|value| Cell::Whole(value.into())).collect()
            }
            Class::Float | Class::Brain => {
                element.numbers(&mut bytes).into_iter().map(Cell::Real).collect()
            }
            Class::Bytes | Class::Unicode => {
                return self.refused(format!("it holds {element}; a list holds integers"));
            }
        };
        self.add("", cells);
        Ok(())
    }

    fn json(&mut self) -> Result<(), TableError> {
        let value: Value = match serde_json::from_str(&self.text()?) {
            Ok(value) => value,
            Err(error) => return self.refused(error),
        };
        match value {
            Value::Array(all) if all.first().is_some_and(Value::is_object) => {
                let names = all[0].as_object().into_iter().flat_map(|first| first.keys());
                for name in names {
                    self.add(name, all.iter().map(|entry| cell(&entry[name.as_str()])));
                }
            }
            Value::Array(all) => self.add("", all.iter().map(cell)),
            Value::Object(entries) => {
                let text = |key: &str| entries.get(key).and_then(Value::as_str).map(str::to_owned);
                let limit = entries.get(LIMIT).and_then(Value::as_u64);
                self.data = text(FINGERPRINT).map(|fingerprint| DataRef {
                    name: text(DATA).unwrap_or_default(),
                    fingerprint,
                    limit: limit.and_then(|limit| limit.try_into().ok()),
                });
                for (name, value) in &entries {
                    if let Value::Array(all) = value {
                        self.add(name, all.iter().map(cell));
                    }
                }
            }
            _ => return self.refused("it is neither an array nor an object of arrays"),
        }
        Ok(())
    }

    /// The file's text, whatever program of which system wrote it.
    fn text(&self) -> Result<String, TableError> {
        let bytes = std::fs::read(&self.path).map_err(FileError::io("read", &self.path))?;
        let wide = |from: fn([u8; 2]) -> u16| {
            let units: Vec<u16> =
                bytes[2..].chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect();
            String::from_utf16(&units).ok()
        };
        let text = match bytes[..] {
            [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
            [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
            _ => std::str::from_utf8(&bytes).ok().map(str::to_owned),
        };
        match text {
            Some(text) => Ok(text.trim_start_matches('\u{feff}').to_owned()),
            None => self.refused("it is not text in UTF-8 or UTF-16"),
        }
    }

    fn lines(&mut self, text: &str) {
        self.place = "line";
        let lines = (1..).zip(text.lines().map(str::trim));
        let kept = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let cells = kept.map(|(place, line)| (place, Cell::Text(line.to_owned()))).collect();
        self.columns.push(Values { name: String::new(), cells });
    }

    fn csv(&mut self, text: &str) -> Result<(), TableError> {
        if !text.contains(',') {
            self.lines(text);
            return Ok(());
        }
        self.place = "line";
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let names = match reader.headers() {
            Ok(names) => names.clone(),
            Err(error) => return self.refused(error),
        };
        if names.iter().any(|name| number(name).is_some()) {
            return self.refused("its first line does not name its columns; add one that does");
        }
        let mut columns: Vec<Values> = names
            .iter()
            .map(|name| Values { name: name.trim().to_owned(), cells: Vec::new() })
            .collect();
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => return self.refused(error),
            };
            let line = record.position().map_or(0, |at| at.line() as usize);
            for (values, cell) in columns.iter_mut().zip(&record) {
                values.cells.push((line, Cell::Text(cell_text(cell.trim()).to_owned())));
            }
        }
        self.columns = columns;
        Ok(())
    }
}

/// The cells as numbers, NaN where one is empty; none where one is something else, or all are empty.
fn floats(values: &Values) -> Option<Vec<f32>> {
    let real = |(_, cell): &(usize, Cell)| match cell {
        Cell::Whole(value) => Some(*value as f32),
        Cell::Real(value) => Some(*value as f32),
        Cell::Flag(value) => Some(f32::from(u8::from(*value))),
        Cell::Text(text) if text.is_empty() => Some(f32::NAN),
        Cell::Text(text) => text.parse().ok(),
        Cell::Nothing => Some(f32::NAN),
    };
    let numbers: Option<Vec<f32>> = values.cells.iter().map(real).collect();
    numbers.filter(|numbers| numbers.iter().any(|number| !number.is_nan()))
}

/// A text that cannot be part of a list of numbers: neither a number nor a plain word or mistyped
/// number.
fn is_own_text(cell: &Cell) -> bool {
    let Cell::Text(text) = cell else { return false };
    let letters = text.chars().any(char::is_alphabetic);
    let others = text.chars().any(|c| c.is_ascii_digit() || c.is_ascii_punctuation());
    letters && others
}

/// A whole number from 0 as it is written: `7`, `7.0`, `true`. `007` is the name of an example or a
/// file, not the number 7.
fn number(text: &str) -> Option<u32> {
    match text {
        "true" | "True" => return Some(1),
        "false" | "False" => return Some(0),
        _ => {}
    }
    let whole = text.strip_suffix(".0").unwrap_or(text);
    let padded = whole.len() > 1 && whole.starts_with('0');
    whole.parse().ok().filter(|_| !padded && !whole.starts_with('+'))
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Bool(flag) => Cell::Flag(*flag),
        Value::String(text) => Cell::Text(text.clone()),
        Value::Number(number) => {
            let whole = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
            whole.map_or(Cell::Real(number.as_f64().unwrap_or(f64::NAN)), Cell::Whole)
        }
        _ => Cell::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn labels(name: &str, bytes: &[u8]) -> Result<Vec<u32>, TableError> {
        let (_folder, path) = file(name, bytes);
        ListFile::read(&path, "labels")?.labels()
    }

    fn ids(name: &str, bytes: &[u8]) -> ListedIds {
        let (_folder, path) = file(name, bytes);
        ListFile::read(&path, "ids").unwrap().ids().unwrap()
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        let utf16: Vec<u8> =
            "\u{feff}3\r\n0\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (name, bytes) in [
            ("a.txt", &b"3\n0\n"[..]),
            ("a.txt", "\u{feff}3\r\n0\r\n\r\n".as_bytes()),
            ("a.txt", &utf16[..]),
            ("a.txt", b"label\n# a comment\n3\n0.0\n"),
            ("a.json", b"[3.0, 0]"),
            ("a.json", br#"["3", false]"#),
            ("a.json", br#"[{"label": 3}, {"label": 0}]"#),
            ("a.json", br#"{"labels": [3, 0], "fingerprint": "ab"}"#),
            ("a.csv", b"id,label\n0,3\n1,0\n"),
        ] {
            assert_eq!(labels(name, bytes).unwrap(), [3, 0], "{name}: {bytes:?}");
        }
    }

    #[test]
    fn columns_of_numbers_are_found_whatever_stands_beside_them() {
        let columns = |name: &str, bytes: &[u8]| {
            let (_folder, path) = file(name, bytes);
            ListFile::read(&path, "columns").unwrap().number_columns_of("mine", "ab")
        };
        let csv = b"id,label,text,length,ratio\n0,1,a b,2,0.5\n1,0,12,3,\n2,1,\"c, d\",-1,1e3\n";
        let found = columns("a.csv", csv).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["length", "ratio"]);
        assert_eq!(found[0].1, [2.0, 3.0, -1.0]);
        assert!(found[1].1[1].is_nan() && found[1].1[2] == 1000.0);
        let json =
            columns("a.json", br#"[{"length": 2, "seen": true}, {"length": null, "seen": false}]"#);
        let json = json.unwrap();
        assert!(json[0].1[0] == 2.0 && json[0].1[1].is_nan() && json[1].1 == [1.0, 0.0]);
        for (bytes, expected) in [
            (&b"id,label\n0,1\n1,0\n"[..], "no column of numbers with a name"),
            (b"id,length\n1,4\n0,5\n", "columns must be of all examples, in order"),
        ] {
            let message = columns("a.csv", bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
        let other = columns("a.json", br#"{"length": [1], "fingerprint": "cd", "data": "other"}"#);
        assert!(other.is_err(), "of another data set");
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (name, text, expected) in [
            ("a.txt", "1\n-5\n", "line 2 is \"-5\""),
            ("a.txt", "label\n1\nfour\n", "line 3 is \"four\""),
            ("a.txt", "1_000\n", "line 1 is \"1_000\""),
            ("a.json", "[1, 1.5]", "1.5 is not a whole number"),
            ("a.json", "[1, null]", "entry 1 holds nothing"),
            ("a.json", "{\"ids\": [1]}", "an object with `labels`"),
            ("a.csv", "id,label\n1,3\n0,0\n", "sort it by id"),
            ("a.csv", "guid,label\n1,3\n0,0\n", "sort it by id"),
            ("a.csv", ",label\n1,3\n0,0\n", "sort it by id"),
            ("a.csv", "filename,label\nb.png,3\na.png,0\n", "(column \"filename\")"),
            ("a.json", r#"[{"idx": 1, "label": 3}, {"idx": 0, "label": 0}]"#, "sort it by id"),
            ("a.csv", "0,3\n1,0\n", "does not name its columns"),
            ("a.xlsx", "", ".parquet, .npy, .json, .txt and .csv"),
        ] {
            let message = labels(name, text.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains(name), "{message}");
        }
    }

    #[test]
    fn ids_are_numbers_or_texts() {
        let texts = |texts: [&str; 2]| ListedIds::Texts(texts.map(str::to_owned).to_vec());
        assert_eq!(ids("a.txt", b"id\n7\n3\n"), ListedIds::Numbers(vec![7, 3]));
        assert_eq!(ids("a.txt", b"ex7\nex3\n"), texts(["ex7", "ex3"]));
        assert_eq!(ids("a.txt", b"007\n012\n"), texts(["007", "012"]));
        assert_eq!(ids("a.txt", b"guid\nex7\nex3\n"), texts(["ex7", "ex3"]));
        assert_eq!(ids("a.json", br#"{"ids": [0, 1], "keys": ["a", "b"]}"#), texts(["a", "b"]));
        assert_eq!(
            ids("a.json", br#"{"ids": [0, 1], "keys": [9, 8]}"#).own(),
            OwnIds::Numbers(&[9, 8])
        );
    }
}
