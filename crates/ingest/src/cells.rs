//! One meaning of ids, labels and epochs for all formats: numbers in whatever coat they come.
//!
//! A whole number may be an integer of any width, a float (`2.0`), a decimal, a boolean (labels) or
//! a text (`"2"`, for labels and epochs also `"2.0"`). An id may be any other text besides.

use std::path::Path;
use std::sync::Arc;

use crate::{IngestError, Keys};

/// One value of a row, as its format has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// Null, an empty cell.
    Missing,
    Bool(bool),
    Integer(i64),
    /// 2⁶³ or more.
    Large(u64),
    Float(f64),
    Text(&'a str),
}

impl Cell<'_> {
    /// For messages.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Missing => "nothing".into(),
            Self::Bool(value) => value.to_string(),
            Self::Integer(value) => value.to_string(),
            Self::Large(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Text(text) => format!("{text:?}"),
        }
    }

    /// The whole number that it says.
    fn whole(&self) -> Option<i64> {
        let of_float =
            |value: f64| (value.fract() == 0.0 && value.abs() < 9.0e15).then_some(value as i64);
        match *self {
            Self::Integer(value) => Some(value),
            Self::Float(value) => of_float(value),
            Self::Text(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| of_float(text.parse().ok()?))
            }
            Self::Missing | Self::Bool(_) | Self::Large(_) => None,
        }
    }
}

impl From<u64> for Cell<'_> {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Large(value), Self::Integer)
    }
}

/// Names of classes, in the order of the columns of values.
#[derive(Clone, Debug, Default)]
pub struct ClassNames(Arc<[String]>);

impl From<Vec<String>> for ClassNames {
    fn from(names: Vec<String>) -> Self {
        Self(names.into())
    }
}

impl ClassNames {
    /// A label: the index of a class, or its name; `row` is counted as the format counts.
    pub(crate) fn label(&self, path: &Path, row: u64, cell: Cell<'_>) -> Result<u32, IngestError> {
        let path = || path.to_owned();
        let number = match cell {
            Cell::Bool(value) => Some((value.into(), value.to_string())),
            _ => cell.whole().map(|value| (value, value.to_string())),
        };
        if let Some((value, text)) = number {
            // A class that is called by another number than its own.
            if let Some(place) = self.place(&text).filter(|&place| place != value) {
                return Err(IngestError::Row {
                    path: path(),
                    row,
                    reason: two_classes(&text, value, place),
                });
            }
            let fits = u32::try_from(value).ok().filter(|&value| value != u32::MAX);
            return fits.ok_or_else(|| IngestError::Label { path: path(), row, value: text });
        }
        if let Cell::Text(text) = cell {
            let text = text.trim();
            let of_flag = |word: &&str| text.eq_ignore_ascii_case(word);
            let flag = || ["false", "true"].iter().position(of_flag).map(|flag| flag as i64);
            if let Some(place) = self.place(text).or_else(flag) {
                return Ok(place as u32);
            }
        }
        match cell {
            Cell::Float(value) if value.is_nan() => Err(missing_label(path(), row)),
            Cell::Float(value) => Err(IngestError::Regression { path: path(), row, value }),
            Cell::Text(text) => match text.trim().parse() {
                Ok(value) if f64::is_finite(value) => {
                    Err(IngestError::Regression { path: path(), row, value })
                }
                _ if text.trim().is_empty() => Err(missing_label(path(), row)),
                _ => {
                    let (value, named) = (text.to_owned(), self.0.len());
                    Err(IngestError::LabelText { path: path(), row, value, named })
                }
            },
            Cell::Missing => Err(missing_label(path(), row)),
            other => Err(IngestError::Label { path: path(), row, value: other.shown() }),
        }
    }

    /// The place of a name.
    fn place(&self, name: &str) -> Option<i64> {
        self.0.iter().position(|known| known == name).map(|place| place as i64)
    }
}

fn two_classes(label: &str, value: i64, place: i64) -> String {
    format!(
        "is label {label} class number {value}, or the class that --classes calls {label}, which is \
         number {place}? Where classes are called by numbers, write labels as the places of their classes \
         and leave --classes out"
    )
}

fn missing_label(path: std::path::PathBuf, row: u64) -> IngestError {
    let reason = "its label is missing (null or NaN); leave the row out, or fill it in".into();
    IngestError::Row { path, row, reason }
}

/// An epoch.
pub(crate) fn epoch(path: &Path, row: u64, cell: Cell<'_>) -> Result<i64, IngestError> {
    cell.whole().ok_or_else(|| IngestError::Row {
        path: path.to_owned(),
        row,
        reason: format!(
            "its epoch is {}; epochs are whole numbers (where a trainer logs parts of epochs, \
             name the steps with --epoch)",
            cell.shown()
        ),
    })
}

/// Ids as they come, row by row.
#[derive(Debug, Default)]
pub(crate) struct KeysBuilder {
    integers: Vec<i64>,
    /// All of them, once one is a text.
    texts: Option<Vec<String>>,
}

impl KeysBuilder {
    /// Adds the id of a row.
    pub(crate) fn push(
        &mut self,
        path: &Path,
        row: u64,
        cell: Cell<'_>,
    ) -> Result<(), IngestError> {
        let refused = || IngestError::Row {
            path: path.to_owned(),
            row,
            reason: match cell {
                Cell::Missing => "it has no id (null); give every row one".into(),
                _ => format!("its id is {}; ids are whole numbers or texts", cell.shown()),
            },
        };
        let integer = match cell {
            Cell::Integer(key) => Some(key),
            Cell::Float(_) => Some(cell.whole().ok_or_else(refused)?),
            Cell::Bool(_) | Cell::Missing => return Err(refused()),
            Cell::Large(_) | Cell::Text(_) => None,
        };
        match (integer, &mut self.texts) {
            (Some(key), None) => self.integers.push(key),
            (Some(key), Some(texts)) => texts.push(key.to_string()),
            (None, _) => {
                let before = || self.integers.iter().map(i64::to_string).collect();
                let text = if let Cell::Text(text) = cell { text.into() } else { cell.shown() };
                self.texts.get_or_insert_with(before).push(text);
            }
        }
        Ok(())
    }

    /// The ids so far.
    pub(crate) fn finish(self) -> Keys {
        self.texts.map_or(Keys::Integers(self.integers), Keys::Texts)
    }
}

/// The cell of a text without types, such as CSV: empty and `nan` are missing, `2.0` is 2.
pub(crate) fn untyped(text: &str) -> Cell<'_> {
    let text = text.trim();
    if text.is_empty()
        || ["nan", "na", "null", "none", "<na>"].iter().any(|m| text.eq_ignore_ascii_case(m))
    {
        return Cell::Missing;
    }
    let plain = text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && !text.trim_start_matches('-').starts_with("00");
    if plain
        && let Some((whole, zeros)) = text.split_once('.')
        && zeros.bytes().all(|digit| digit == b'0')
        && let Ok(value) = whole.parse()
    {
        return Cell::Integer(value);
    }
    Cell::Text(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_in_any_coat() {
        let path = Path::new("f");
        let names = ClassNames::from(vec!["owl".into(), "dog".into()]);
        for cell in [Cell::Integer(2), Cell::Float(2.0), Cell::Text("2"), Cell::Text(" 2.0 ")] {
            assert_eq!(names.label(path, 0, cell).unwrap(), 2);
            assert_eq!(epoch(path, 0, cell).unwrap(), 2);
        }
        assert_eq!(names.label(path, 0, Cell::Bool(true)).unwrap(), 1);
        assert_eq!(names.label(path, 0, Cell::Text("False")).unwrap(), 0);
        assert_eq!(names.label(path, 0, Cell::Text("dog")).unwrap(), 1);
        let numbers = ClassNames::from(["0", "1", "10", "2"].map(str::to_owned).to_vec());
        assert_eq!(numbers.label(path, 0, Cell::Integer(1)).unwrap(), 1);
        for cell in [Cell::Integer(10), Cell::Text("2"), Cell::Float(2.0)] {
            let error = numbers.label(path, 0, cell).unwrap_err().to_string();
            assert!(error.contains("leave --classes out"), "{error}");
        }
        let refused = |cell| names.label(path, 4, cell).unwrap_err().to_string();
        assert!(refused(Cell::Float(0.5)).contains("regression"));
        assert!(refused(Cell::Text("0.5")).contains("regression"));
        assert!(refused(Cell::Text("cat")).contains("cat"));
        assert!(refused(Cell::Missing).contains("missing"));
        assert!(refused(Cell::Integer(-1)).contains("label -1 of row 4"));
        assert!(epoch(path, 0, Cell::Float(0.5)).unwrap_err().to_string().contains("0.5"));
    }

    #[test]
    fn ids_are_numbers_until_one_is_a_text() {
        let path = Path::new("f");
        let keys = |cells: &[Cell<'_>]| {
            let mut keys = KeysBuilder::default();
            cells.iter().try_for_each(|&cell| keys.push(path, 0, cell)).map(|()| keys.finish())
        };
        let found = keys(&[Cell::Integer(1), Cell::Float(2.0), untyped("3.0")]).unwrap();
        assert_eq!(found, Keys::Integers(vec![1, 2, 3]));
        let found = keys(&[Cell::Float(1.0), Cell::Text("a"), Cell::Integer(2)]).unwrap();
        assert_eq!(found, Keys::Texts(["1", "a", "2"].map(str::to_owned).to_vec()));
        assert!(keys(&[Cell::Float(0.5)]).is_err() && keys(&[Cell::Missing]).is_err());
        assert_eq!(untyped("007"), Cell::Text("007"));
        assert_eq!(untyped("1.5"), Cell::Text("1.5"));
    }
}
