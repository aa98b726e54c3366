//! Labels of Parquet files, and the one numbering of the classes of all files.
//!
//! Numbers mean something only with their list of names: files whose lists differ are joined by name.

use crate::readers::{file_name, numbered_classes};
use crate::{DataError, ImportNotes, Result};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_schema::DataType;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// One label as a file has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Number(i64),
    Text(String),
}

impl Label {
    /// The label of a row; `None` where it is missing.
    ///
    /// # Errors
    /// What is wrong with it, to follow the row's name.
    pub(super) fn at(column: &dyn Array, row: usize) -> Result<Option<Self>, String> {
        if column.is_null(row) {
            return Ok(None);
        }
        let text = |text: &str| Ok(Some(Self::Text(text.to_owned())));
        match column.data_type() {
            DataType::Utf8 => text(column.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => text(column.as_string::<i64>().value(row)),
            DataType::Utf8View => text(column.as_string_view().value(row)),
            DataType::Boolean => text(&column.as_boolean().value(row).to_string()),
            DataType::Dictionary(..) => {
                let dictionary = column.as_any_dictionary();
                match Self::at(dictionary.keys(), row)? {
                    Some(Self::Number(key)) => Self::at(&**dictionary.values(), key as usize),
                    _ => Ok(None),
                }
            }
            _ => match number_at(column, row) {
                Some(value) if value.is_nan() => Ok(None),
                Some(value) => whole(value).map(|value| Some(Self::Number(value))),
                None => Err(format!("has a label of type {}", column.data_type())),
            },
        }
    }

    /// The whole number that it says.
    fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }
}

fn whole(value: f64) -> Result<i64, String> {
    let fits = value.fract() == 0.0 && value.abs() < 9.0e15;
    fits.then_some(value as i64).ok_or_else(|| {
        format!("has the label {value}; labels are whole numbers or names of classes")
    })
}

/// The number of a row. Labels are far below 2⁵³, where this is exact; larger ones are refused later.
fn number_at(column: &dyn Array, row: usize) -> Option<f64> {
    macro_rules! value {
        ($type:ty) => {
            column.as_primitive::<$type>().value(row)
        };
    }
    let decimal = |digits: f64, scale: i8| digits / 10_f64.powi(scale.into());
    Some(match column.data_type() {
        DataType::Int8 => value!(Int8Type).into(),
        DataType::Int16 => value!(Int16Type).into(),
        DataType::Int32 => value!(Int32Type).into(),
        DataType::Int64 => value!(Int64Type) as f64,
        DataType::UInt8 => value!(UInt8Type).into(),
        DataType::UInt16 => value!(UInt16Type).into(),
        DataType::UInt32 => value!(UInt32Type).into(),
        DataType::UInt64 => value!(UInt64Type) as f64,
        DataType::Float16 => value!(Float16Type).into(),
        DataType::Float32 => value!(Float32Type).into(),
        DataType::Float64 => value!(Float64Type),
        DataType::Decimal32(_, scale) => decimal(value!(Decimal32Type).into(), *scale),
        DataType::Decimal64(_, scale) => decimal(value!(Decimal64Type) as f64, *scale),
        DataType::Decimal128(_, scale) => decimal(value!(Decimal128Type) as f64, *scale),
        _ => return None,
    })
}

/// The labels of one file.
pub(super) struct FileLabels {
    path: PathBuf,
    /// What the file calls the classes that its numbers are.
    names: Option<Vec<String>>,
    pub labels: Vec<Label>,
}

impl FileLabels {
    pub(super) fn new(path: &Path, names: Option<Vec<String>>) -> Self {
        Self { path: path.to_owned(), names, labels: Vec::new() }
    }

    fn refuse<T>(&self, problem: impl Into<String>) -> Result<T> {
        Err(DataError::bad_file(&self.path, problem))
    }
}

/// The classes of a data set in order.
pub(super) struct Numbering {
    pub classes: Vec<String>,
    /// Places of the classes by name; `None` where labels are numbers without names.
    places: Option<HashMap<String, usize>>,
}

impl Numbering {
    /// The classes of all files: by the first list of names, else the texts in order, else numbers.
    pub(super) fn of(
        train: &[FileLabels],
        test: &[FileLabels],
        notes: &mut ImportNotes,
    ) -> Result<Self> {
        let files = || train.iter().chain(test);
        if let Some((first, names)) = files().find_map(|file| Some((file, file.names.as_ref()?))) {
            let unnamed = files().filter(|file| {
                file.names.is_none()
                    && file.labels.iter().any(|label| matches!(label, Label::Number(0..)))
            });
            let unnamed: Vec<String> = unnamed.map(|file| file_name(&file.path)).collect();
            if !unnamed.is_empty() {
                notes.decide(format!(
                    "the labels of {} are numbers without names: they are the classes that {} calls so",
                    unnamed.join(", "),
                    file_name(&first.path)
                ));
            }
            return Ok(Self::named(names.clone()));
        }
        let labels = || files().flat_map(|file| &file.labels);
        if let Some(numbers) = labels().map(Label::number).collect::<Option<Vec<i64>>>() {
            return Ok(Self { classes: numbered_classes(&[&numbers])?, places: None });
        }
        let texts = labels().filter_map(|label| match label {
            Label::Text(text) => Some(text.clone()),
            Label::Number(_) => None,
        });
        let texts: BTreeSet<String> = texts.collect();
        let mixed = files()
            .find(|file| file.labels.iter().any(|label| matches!(label, Label::Number(0..))));
        match mixed {
            Some(file) => file.refuse(
                "its labels are numbers, labels of other files are texts; write them all as one or the other",
            ),
            None => Ok(Self::named(texts.into_iter().collect())),
        }
    }

    fn named(classes: Vec<String>) -> Self {
        let places = classes.iter().cloned().zip(0..).collect();
        Self { classes, places: Some(places) }
    }

    /// The labels of files as numbers of classes, -1 where one is missing.
    pub(super) fn numbers(&self, files: &[FileLabels]) -> Result<Vec<i64>> {
        let mut numbers = Vec::new();
        for file in files {
            for label in &file.labels {
                numbers.push(self.number(file, label)?);
            }
        }
        Ok(numbers)
    }

    fn number(&self, file: &FileLabels, label: &Label) -> Result<i64> {
        let Some(places) = &self.places else { return Ok(label.number().unwrap_or(-1)) };
        let name = match (label, &file.names) {
            (Label::Text(text), _) => text,
            (Label::Number(number), None) => return Ok(*number),
            (Label::Number(number), Some(names)) if *names == self.classes => return Ok(*number),
            (Label::Number(number), Some(names)) => {
                match usize::try_from(*number).ok().and_then(|number| names.get(number)) {
                    Some(name) => name,
                    // A missing label, which the caller reports with its row.
                    None if *number < 0 => return Ok(*number),
                    None => {
                        let known = names.len();
                        return file.refuse(format!(
                            "it has the label {number}, but names {known} classes"
                        ));
                    }
                }
            }
        };
        if places.len() < self.classes.len() {
            return file.refuse(
                "its classes cannot be told by name, since two have one name; rename them",
            );
        }
        match places.get(name) {
            Some(&place) => Ok(place as i64),
            None => file.refuse(format!(
                "its class `{name}` is not among the classes of the other files ({}); correct their names",
                self.classes.join(", ")
            )),
        }
    }
}
