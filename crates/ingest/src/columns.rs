//! Columns of Arrow (from Parquet and Arrow IPC) as batches: how values, ids, labels and epochs are
//! taken out of arrays of any type. Nothing may be missing (null): a score of half a row is none.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal32Type, Decimal64Type, Decimal128Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};

use crate::IngestError;
use crate::batch::{Batch, Kind};
use crate::cells::{self, Cell, ClassNames, KeysBuilder};
use crate::fields::{Content, Fields};
use crate::names::Names;

/// Which columns of a table are read.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    path: PathBuf,
    pub(crate) fields: Fields,
    classes: ClassNames,
}

/// The cell of each row of a column.
type Cells<'a> = Box<dyn Fn(usize) -> Cell<'a> + 'a>;

impl Columns {
    /// Finds the columns of a schema.
    pub(crate) fn find(path: &Path, schema: &Schema, names: &Names) -> Result<Self, IngestError> {
        let content = |found: &DataType| match found {
            found if is_list(found) => Content::Lists,
            DataType::Float16 | DataType::Float32 | DataType::Float64 => Content::Floats,
            _ => Content::Other,
        };
        let fields = schema.fields().iter();
        let all: Vec<_> =
            fields.map(|field| (field.name().clone(), content(field.data_type()))).collect();
        let fields = Fields::find(path, &all, names)?;
        Ok(Self { path: path.to_owned(), fields, classes: names.classes.clone() })
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
        let path = &self.path;
        let rows = || (0..from.num_rows()).zip(first..);
        batch.keys = None;
        if let Some(name) = &self.fields.keys {
            let cell = self.cells(from, name, "ids are whole numbers or texts")?;
            let mut keys = KeysBuilder::default();
            rows().try_for_each(|(at, row)| keys.push(path, row, cell(at)))?;
            batch.keys = Some(keys.finish());
        }
        batch.labels = None;
        if let Some(name) = &self.fields.labels {
            let found = self.column(from, name)?.data_type();
            if is_list(found) {
                let found = found.to_string();
                return Err(IngestError::MultiLabel { path: path.clone(), found });
            }
            let cell = self.cells(from, name, "labels are class indices, 0 to K − 1")?;
            let labels = rows().map(|(at, row)| self.classes.label(path, row, cell(at)));
            batch.labels = Some(labels.collect::<Result<_, _>>()?);
        }
        batch.epochs = None;
        if let Some(name) = &self.fields.epochs {
            let cell = self.cells(from, name, "epochs are whole numbers")?;
            let epochs = rows().map(|(at, row)| cells::epoch(path, row, cell(at)));
            batch.epochs = Some(epochs.collect::<Result<_, _>>()?);
        }
        match &self.fields.values[..] {
            [one] if is_list(self.column(from, one)?.data_type()) => {
                self.lists(self.column(from, one)?, one, batch)
            }
            all => self.wide(from, all, batch),
        }
    }

    fn column<'b>(&self, from: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, IngestError> {
        from.column_by_name(name)
            .ok_or_else(|| IngestError::damaged(&self.path, format!("column {name} is gone")))
    }

    fn cells<'b>(
        &self,
        from: &'b RecordBatch,
        name: &str,
        wanted: &'static str,
    ) -> Result<Cells<'b>, IngestError> {
        let column = self.column(from, name)?;
        cells_of(&**column).ok_or_else(|| self.wrong_type(name, column.data_type(), wanted))
    }

    fn wrong_type(&self, name: &str, found: &DataType, wanted: &'static str) -> IngestError {
        IngestError::Type {
            path: self.path.clone(),
            array: format!("column {name}"),
            found: found.to_string(),
            wanted,
        }
    }

    /// A value that is not there, named by its example.
    fn no_nulls(&self, column: &ArrayRef, name: &str, batch: &Batch) -> Result<(), IngestError> {
        let row = (0..column.len()).find(|&row| column.is_null(row));
        let Some(row) = row.filter(|_| column.null_count() > 0) else { return Ok(()) };
        Err(IngestError::missing_value(&self.path, batch, row, &format!("column {name}")))
    }

    /// A column of lists: all of one length, which is given back.
    fn lists(
        &self,
        column: &ArrayRef,
        name: &str,
        batch: &mut Batch,
    ) -> Result<usize, IngestError> {
        self.no_nulls(column, name, batch)?;
        let first = batch.first;
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
            let row = missing / columns.max(1);
            let place = format!("a list of column {name}");
            return Err(IngestError::missing_value(&self.path, batch, row, &place));
        }
        batch.values.clear();
        let wanted = "logits and probabilities are f16, f32 or f64";
        floats(&values, |value| batch.values.push(value))
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
        batch: &mut Batch,
    ) -> Result<usize, IngestError> {
        let columns = names.len();
        batch.values.clear();
        batch.values.resize(from.num_rows() * columns, 0.0);
        for (place, name) in names.iter().enumerate() {
            let column = self.column(from, name)?;
            self.no_nulls(column, name, batch)?;
            let mut at = place;
            let values = &mut batch.values;
            let set = |value| {
                values[at] = value;
                at += columns;
            };
            let wanted = match self.fields.kind {
                Some(Kind::Losses) => "losses are f16, f32 or f64",
                _ => "logits and probabilities are f16, f32 or f64, or lists of them",
            };
            floats(column, set).ok_or_else(|| self.wrong_type(name, column.data_type(), wanted))?;
        }
        Ok(columns)
    }
}

fn is_list(found: &DataType) -> bool {
    matches!(found, DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..))
}

/// Gives every float to `take`; `None` if they are not floats.
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

/// The cells of a column; `None` where its type is none of ids, labels or epochs.
fn cells_of(column: &dyn Array) -> Option<Cells<'_>> {
    macro_rules! primitive {
        ($type:ty, $cell:expr) => {{
            let values = column.as_primitive::<$type>();
            let cell = $cell;
            Box::new(move |row| cell(values.value(row)))
        }};
    }
    macro_rules! text {
        ($values:expr) => {{
            let values = $values;
            Box::new(move |row| Cell::Text(values.value(row)))
        }};
    }
    macro_rules! decimal {
        ($type:ty, $scale:expr) => {{
            let scale = i32::from(*$scale);
            primitive!($type, move |value| decimal(i128::from(value), scale))
        }};
    }
    let cell: Cells<'_> = match column.data_type() {
        DataType::Int8 => primitive!(Int8Type, |v: i8| Cell::Integer(v.into())),
        DataType::Int16 => primitive!(Int16Type, |v: i16| Cell::Integer(v.into())),
        DataType::Int32 => primitive!(Int32Type, |v: i32| Cell::Integer(v.into())),
        DataType::Int64 => primitive!(Int64Type, Cell::Integer),
        DataType::UInt8 => primitive!(UInt8Type, |v: u8| Cell::Integer(v.into())),
        DataType::UInt16 => primitive!(UInt16Type, |v: u16| Cell::Integer(v.into())),
        DataType::UInt32 => primitive!(UInt32Type, |v: u32| Cell::Integer(v.into())),
        DataType::UInt64 => primitive!(UInt64Type, |v: u64| Cell::from(v)),
        DataType::Float16 => {
            let values = column.as_primitive::<Float16Type>();
            Box::new(move |row| Cell::Float(values.value(row).to_f64()))
        }
        DataType::Float32 => primitive!(Float32Type, |v: f32| Cell::Float(v.into())),
        DataType::Float64 => primitive!(Float64Type, Cell::Float),
        DataType::Decimal32(_, scale) => decimal!(Decimal32Type, scale),
        DataType::Decimal64(_, scale) => decimal!(Decimal64Type, scale),
        DataType::Decimal128(_, scale) => decimal!(Decimal128Type, scale),
        DataType::Boolean => {
            let values = column.as_boolean();
            Box::new(move |row| Cell::Bool(values.value(row)))
        }
        DataType::Utf8 => text!(column.as_string::<i32>()),
        DataType::LargeUtf8 => text!(column.as_string::<i64>()),
        DataType::Utf8View => text!(column.as_string_view()),
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let values = cells_of(&**dictionary.values())?;
            let is_null: Vec<bool> =
                (0..dictionary.values().len()).map(|at| dictionary.values().is_null(at)).collect();
            // Of no values there are no keys to look up.
            let keys = if is_null.is_empty() { Vec::new() } else { dictionary.normalized_keys() };
            Box::new(move |row| match keys.get(row) {
                Some(&key) if !is_null[key] => values(key),
                _ => Cell::Missing,
            })
        }
        DataType::Null => return Some(Box::new(|_| Cell::Missing)),
        _ => return None,
    };
    if column.null_count() == 0 {
        return Some(cell);
    }
    Some(Box::new(move |row| if column.is_null(row) { Cell::Missing } else { cell(row) }))
}

fn decimal(value: i128, scale: i32) -> Cell<'static> {
    let power = 10_i128.checked_pow(scale.unsigned_abs());
    let whole = match power {
        Some(power) if scale < 0 => value.checked_mul(power),
        Some(power) if value % power == 0 => Some(value / power),
        _ => None,
    };
    match whole.and_then(|whole| i64::try_from(whole).ok()) {
        Some(whole) => Cell::Integer(whole),
        None => Cell::Float(value as f64 / 10_f64.powi(scale)),
    }
}
