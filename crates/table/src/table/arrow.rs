//! Between columns and Arrow's arrays.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Float32Array, StringArray, UInt32Array};
use arrow_schema::DataType;

use super::Column;

/// An empty column for values of a type; none for a type that tables do not hold.
pub(super) fn empty_column(data_type: &DataType) -> Option<Column> {
    match data_type {
        DataType::Float32 | DataType::Float64 => Some(Column::F32(Vec::new())),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Some(Column::Text(Vec::new())),
        DataType::Boolean => Some(Column::U32(Vec::new())),
        integer if integer.is_integer() => Some(Column::U32(Vec::new())),
        _ => None,
    }
}

/// The type that a column is written as.
pub(super) fn data_type(column: &Column) -> DataType {
    match column {
        Column::F32(_) => DataType::Float32,
        Column::U32(_) => DataType::UInt32,
        Column::Text(_) => DataType::Utf8,
    }
}

/// The column as an array; NaN as null.
pub(super) fn to_array(column: Column) -> ArrayRef {
    match column {
        Column::F32(values) if values.iter().any(|value| value.is_nan()) => {
            let known = values.iter().map(|value| (!value.is_nan()).then_some(*value));
            Arc::new(known.collect::<Float32Array>())
        }
        Column::F32(values) => Arc::new(Float32Array::from(values)),
        Column::U32(values) => Arc::new(UInt32Array::from(values)),
        Column::Text(values) => Arc::new(StringArray::from_iter_values(values)),
    }
}

/// A value that a column cannot hold.
pub(super) struct Unfit {
    /// Its row in the array.
    pub row: usize,
    /// What it is.
    pub value: String,
}

/// Fills `out`, which is as long as the array; null becomes NaN.
pub(super) fn floats_into(array: &dyn Array, out: &mut [f32]) {
    if let Some(array) = array.as_primitive_opt::<Float32Type>() {
        out.copy_from_slice(array.values());
    } else {
        let values = array.as_primitive::<Float64Type>().values();
        out.iter_mut().zip(values).for_each(|(out, &value)| *out = value as f32);
    }
    if array.null_count() > 0 {
        let empty = (0..array.len()).filter(|&row| array.is_null(row));
        empty.for_each(|row| out[row] = f32::NAN);
    }
}

/// Whole numbers of any width, as 32 bits without sign; booleans as 0 and 1.
pub(super) fn integers(array: &dyn Array) -> Result<Cow<'_, [u32]>, Unfit> {
    if array.null_count() > 0 {
        let row = (0..array.len()).find(|&row| array.is_null(row)).unwrap_or_default();
        return Err(Unfit { row, value: "nothing".into() });
    }
    match array.data_type() {
        DataType::Boolean => {
            let flags = array.as_boolean();
            Ok((0..flags.len()).map(|row| u32::from(flags.value(row))).collect())
        }
        DataType::UInt32 => Ok(Cow::Borrowed(array.as_primitive::<UInt32Type>().values())),
        DataType::UInt8 => narrowed::<UInt8Type>(array),
        DataType::UInt16 => narrowed::<UInt16Type>(array),
        DataType::UInt64 => narrowed::<UInt64Type>(array),
        DataType::Int8 => narrowed::<Int8Type>(array),
        DataType::Int16 => narrowed::<Int16Type>(array),
        DataType::Int32 => narrowed::<Int32Type>(array),
        _ => narrowed::<Int64Type>(array),
    }
}

fn narrowed<T: ArrowPrimitiveType>(array: &dyn Array) -> Result<Cow<'_, [u32]>, Unfit>
where
    T::Native: TryInto<u32> + Display,
{
    let narrow = |(row, &value): (usize, &T::Native)| {
        value.try_into().map_err(|_| Unfit { row, value: value.to_string() })
    };
    array.as_primitive::<T>().values().iter().enumerate().map(narrow).collect()
}

/// Texts; empty for null.
pub(super) fn texts(array: &dyn Array) -> Box<dyn Iterator<Item = &str> + '_> {
    match array.data_type() {
        DataType::Utf8View => {
            Box::new(array.as_string_view().iter().map(Option::unwrap_or_default))
        }
        DataType::LargeUtf8 => {
            Box::new(array.as_string::<i64>().iter().map(Option::unwrap_or_default))
        }
        _ => Box::new(array.as_string::<i32>().iter().map(Option::unwrap_or_default)),
    }
}
