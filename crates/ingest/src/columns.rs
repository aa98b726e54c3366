//! Tables (Parquet, Arrow) as batches: which column is what, and how its values are taken out.
//!
//! Values are one column of lists of K floats, or K columns of floats whose names end in their
//! numbers (`logit_0`, `logit_1`, …). Nothing may be missing (null): a score of half a row is none.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};

use crate::arrays::label;
use crate::batch::{Batch, Kind};
use crate::names::{Field, Names};
use crate::{IngestError, Keys};

/// Which columns of a table are read.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    path: PathBuf,
    /// What the values are, where their name says.
    pub(crate) kind: Option<Kind>,
    /// One column of lists, or one column a class, in order.
    values: Vec<String>,
    labels: Option<String>,
    keys: Option<String>,
    epochs: Option<String>,
}

impl Columns {
    /// Finds the columns of a schema.
    pub(crate) fn find(path: &Path, schema: &Schema, names: &Names) -> Result<Self, IngestError> {
        let of = |wanted| {
            let all = schema.fields().iter().map(|field| field.name().as_str());
            names.one(path, wanted, all).map(|found| found.map(str::to_owned))
        };
        let (values, kind) = values_of(path, schema, names)?;
        Ok(Self {
            path: path.to_owned(),
            kind,
            values,
            labels: of(Field::Labels)?,
            keys: of(Field::Ids)?,
            epochs: of(Field::Epochs)?,
        })
    }

    /// Names of all columns that are read.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let others = [&self.labels, &self.keys, &self.epochs];
        let others = others.into_iter().flatten().map(String::as_str);
        self.values.iter().map(String::as_str).chain(others)
    }

    /// As [`Self::take`], of a file whose rows so far have `width` values.
    pub(crate) fn take_like(
        &self,
        from: &RecordBatch,
        first: u64,
        width: usize,
        batch: &mut Batch,
    ) -> Result<(), IngestError> {
        let found = self.take(from, first, batch)?;
        if found == width {
            return Ok(());
        }
        let reason = format!("it has {found} values, rows before it have {width}");
        Err(IngestError::Row { path: self.path.clone(), row: first, reason })
    }

    /// Takes the rows of a record batch; `first` is the number of its first row in the file. Gives
    /// the number of values in a row.
    pub(crate) fn take(
        &self,
        from: &RecordBatch,
        first: u64,
        batch: &mut Batch,
    ) -> Result<usize, IngestError> {
        batch.rows = from.num_rows();
        batch.first = first;
        batch.axis = false;
        let columns = match &self.values[..] {
            [one] if is_list(self.column(from, one)?.data_type()) => {
                self.lists(self.column(from, one)?, one, first, &mut batch.values)?
            }
            all => self.wide(from, all, first, &mut batch.values)?,
        };
        batch.labels = None;
        if let Some(name) = &self.labels {
            batch.labels = Some(self.labels(self.column(from, name)?, name, first)?);
        }
        batch.keys = None;
        if let Some(name) = &self.keys {
            batch.keys = Some(self.keys(self.column(from, name)?, name, first)?);
        }
        batch.epochs = None;
        if let Some(name) = &self.epochs {
            let column = self.column(from, name)?;
            self.no_nulls(column, name, first)?;
            let wanted = "epochs are whole numbers";
            let epochs = integers(column)
                .ok_or_else(|| self.wrong_type(name, column.data_type(), wanted))?;
            batch.epochs = Some(epochs);
        }
        Ok(columns)
    }

    fn column<'b>(&self, from: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, IngestError> {
        from.column_by_name(name)
            .ok_or_else(|| IngestError::damaged(&self.path, format!("column {name} is gone")))
    }

    fn wrong_type(&self, name: &str, found: &DataType, wanted: &'static str) -> IngestError {
        IngestError::Type {
            path: self.path.clone(),
            array: format!("column {name}"),
            found: found.to_string(),
            wanted,
        }
    }

    fn no_nulls(&self, column: &ArrayRef, name: &str, first: u64) -> Result<(), IngestError> {
        let row = (0..column.len()).find(|&row| column.is_null(row));
        let Some(row) = row.filter(|_| column.null_count() > 0) else { return Ok(()) };
        let reason = format!("column {name} holds nothing there; leave the row out, or fill it in");
        Err(IngestError::Row { path: self.path.clone(), row: first + row as u64, reason })
    }

    /// A column of lists: all of one length, which is given back.
    fn lists(
        &self,
        column: &ArrayRef,
        name: &str,
        first: u64,
        out: &mut Vec<f32>,
    ) -> Result<usize, IngestError> {
        self.no_nulls(column, name, first)?;
        out.clear();
        let (values, columns) = match column.data_type() {
            DataType::FixedSizeList(_, width) => {
                (column.as_fixed_size_list().values().clone(), *width as usize)
            }
            DataType::List(_) => {
                let list = column.as_list::<i32>();
                let ends = list.value_offsets().iter().map(|&end| end as usize);
                self.even(ends, list.values(), first)?
            }
            _ => {
                let list = column.as_list::<i64>();
                let ends = list.value_offsets().iter().map(|&end| end as usize);
                self.even(ends, list.values(), first)?
            }
        };
        if values.null_count() > 0 {
            let missing = (0..values.len()).find(|&at| values.is_null(at)).unwrap_or(0);
            let row = first + (missing / columns.max(1)) as u64;
            let reason = format!("a list of column {name} has a hole");
            return Err(IngestError::Row { path: self.path.clone(), row, reason });
        }
        let wanted = "logits and probabilities are f16, f32 or f64";
        floats(&values, |value| out.push(value))
            .ok_or_else(|| self.wrong_type(name, column.data_type(), wanted))?;
        Ok(columns)
    }

    /// The values of lists that are all of one length, and that length.
    fn even(
        &self,
        ends: impl Iterator<Item = usize> + Clone,
        values: &ArrayRef,
        first: u64,
    ) -> Result<(ArrayRef, usize), IngestError> {
        let lengths = || ends.clone().zip(ends.clone().skip(1)).map(|(start, end)| end - start);
        let columns = lengths().next().unwrap_or(0);
        if let Some(row) = lengths().position(|length| length != columns) {
            let found = lengths().nth(row).unwrap_or(0);
            let reason = format!("it has {found} values, rows before it have {columns}");
            let row = first + row as u64;
            return Err(IngestError::Row { path: self.path.clone(), row, reason });
        }
        let start = ends.clone().next().unwrap_or(0);
        Ok((values.slice(start, lengths().sum()), columns))
    }

    /// One column a class.
    fn wide(
        &self,
        from: &RecordBatch,
        names: &[String],
        first: u64,
        out: &mut Vec<f32>,
    ) -> Result<usize, IngestError> {
        let columns = names.len();
        out.clear();
        out.resize(from.num_rows() * columns, 0.0);
        for (place, name) in names.iter().enumerate() {
            let column = self.column(from, name)?;
            self.no_nulls(column, name, first)?;
            let mut at = place;
            let set = |value| {
                out[at] = value;
                at += columns;
            };
            let wanted = "logits and probabilities are f16, f32 or f64, or lists of them";
            floats(column, set).ok_or_else(|| self.wrong_type(name, column.data_type(), wanted))?;
        }
        Ok(columns)
    }

    fn labels(&self, column: &ArrayRef, name: &str, first: u64) -> Result<Vec<u32>, IngestError> {
        if is_list(column.data_type()) {
            let found = column.data_type().to_string();
            return Err(IngestError::MultiLabel { path: self.path.clone(), found });
        }
        self.no_nulls(column, name, first)?;
        let numbers: Vec<f64> = match column.data_type() {
            DataType::Float32 => {
                column.as_primitive::<Float32Type>().values().iter().map(|&v| v.into()).collect()
            }
            DataType::Float64 => column.as_primitive::<Float64Type>().values().to_vec(),
            DataType::Boolean => {
                column.as_boolean().values().iter().map(|v| f64::from(u8::from(v))).collect()
            }
            _ => {
                let wanted = "labels are class indices, 0 to K − 1";
                let whole = integers(column)
                    .ok_or_else(|| self.wrong_type(name, column.data_type(), wanted))?;
                whole.into_iter().map(|value| value as f64).collect()
            }
        };
        let rows = numbers.into_iter().zip(first..);
        rows.map(|(value, row)| label(&self.path, row, value)).collect()
    }

    fn keys(&self, column: &ArrayRef, name: &str, first: u64) -> Result<Keys, IngestError> {
        self.no_nulls(column, name, first)?;
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        Ok(match column.data_type() {
            DataType::Utf8 => Keys::Texts(column.as_string::<i32>().iter().map(text).collect()),
            DataType::LargeUtf8 => {
                Keys::Texts(column.as_string::<i64>().iter().map(text).collect())
            }
            DataType::UInt64 => Keys::of_u64(column.as_primitive::<UInt64Type>().values()),
            DataType::Utf8View => Keys::Texts(column.as_string_view().iter().map(text).collect()),
            other => {
                Keys::Integers(integers(column).ok_or_else(|| {
                    self.wrong_type(name, other, "ids are whole numbers or texts")
                })?)
            }
        })
    }
}

fn is_list(found: &DataType) -> bool {
    matches!(found, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

/// The columns of values: the one named, one of lists with a usual name, or several that are
/// numbered.
fn values_of(
    path: &Path,
    schema: &Schema,
    names: &Names,
) -> Result<(Vec<String>, Option<Kind>), IngestError> {
    let missing = |what| IngestError::Missing {
        path: path.to_owned(),
        what,
        found: schema.fields().iter().map(|field| field.name().clone()).collect(),
        hint: "call the column of lists `logits` or `probs`, columns of one class each `logit_0`, \
               `logit_1`, …, or name it with --values",
    };
    let fields = || schema.fields().iter();
    let by_name = |name: &String| match &names.values {
        // `z` names the column z, or the columns z_0, z_1, …
        Some(given) => (name == given || numbered(name).is_some_and(|(stem, _)| stem == given))
            .then(|| Names::kind(name)),
        None => match names.field(name) {
            Some(Field::Values(kind)) => Some(kind),
            _ => None,
        },
    };
    let found: Vec<_> =
        fields().filter_map(|field| Some((field, by_name(field.name())?))).collect();
    let lists: Vec<_> = found.iter().filter(|(field, _)| is_list(field.data_type())).collect();
    match (&lists[..], &found[..]) {
        (_, []) => Err(missing("column of logits or probabilities")),
        ([(field, kind)], _) => Ok((vec![field.name().clone()], *kind)),
        ([], [(field, kind)]) => Ok((vec![field.name().clone()], *kind)),
        ([], wide) => {
            let number =
                |name: &str| numbered(name).map(|(stem, number)| (stem.to_owned(), number));
            let mut numbers: Vec<_> = wide
                .iter()
                .map(|(field, _)| Some((number(field.name())?, field.name().clone())))
                .collect::<Option<_>>()
                .ok_or_else(|| missing("single set of columns of values"))?;
            numbers.sort();
            let (stem, start) = numbers[0].0.clone();
            let expected = (start..).map(|number| (stem.clone(), number));
            let even = start <= 1
                && numbers.iter().map(|(key, _)| key.clone()).eq(expected.take(numbers.len()));
            if !even {
                return Err(missing("columns of values numbered without gaps from 0 or 1"));
            }
            Ok((numbers.into_iter().map(|(_, name)| name).collect(), wide[0].1))
        }
        _ => Err(missing("single column of lists of values")),
    }
}

/// `logit_12` is `logit` and 12.
fn numbered(name: &str) -> Option<(&str, u32)> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name[stem.len()..].parse().ok()?;
    Some((stem.trim_end_matches(['_', '-', '.']), number))
}

/// Gives every float to `take`; `None` if they are no floats.
fn floats(column: &ArrayRef, mut take: impl FnMut(f32)) -> Option<()> {
    match column.data_type() {
        DataType::Float16 => {
            let values = column.as_primitive::<Float16Type>().values();
            values.iter().for_each(|value| take(value.to_f32()));
        }
        DataType::Float32 => {
            column.as_primitive::<Float32Type>().values().iter().for_each(|&value| take(value));
        }
        DataType::Float64 => {
            let values = column.as_primitive::<Float64Type>().values();
            values.iter().for_each(|&value| take(value as f32));
        }
        _ => return None,
    }
    Some(())
}

/// Whole numbers; `None` if they are none, or one is 2⁶³ or more.
fn integers(column: &ArrayRef) -> Option<Vec<i64>> {
    macro_rules! widened {
        ($type:ty) => {
            column.as_primitive::<$type>().values().iter().map(|&value| value as i64).collect()
        };
    }
    Some(match column.data_type() {
        DataType::Int8 => widened!(Int8Type),
        DataType::Int16 => widened!(Int16Type),
        DataType::Int32 => widened!(Int32Type),
        DataType::Int64 => column.as_primitive::<Int64Type>().values().to_vec(),
        DataType::UInt8 => widened!(UInt8Type),
        DataType::UInt16 => widened!(UInt16Type),
        DataType::UInt32 => widened!(UInt32Type),
        DataType::UInt64 => {
            let values = column.as_primitive::<UInt64Type>().values().iter();
            values.map(|&value| i64::try_from(value).ok()).collect::<Option<_>>()?
        }
        _ => return None,
    })
}
