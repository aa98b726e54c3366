//! NumPy arrays as slices, without a copy where the memory allows it.
//!
//! The Python layer hands over C-contiguous arrays of native byte order; here they are told apart
//! by type. Floats may have 16 (IEEE or bfloat16), 32 or 64 bits; labels and ids any whole type.

use std::borrow::Cow;

use datadiet_core::{Element, ExampleId, MOST_CLASSES, Matrix};
use half::{
    bf16, f16,
    slice::{HalfBitsSliceExt, HalfFloatSliceExt},
};
use numpy::{
    PyArrayDescrMethods, PyReadonlyArray1, PyReadonlyArrayDyn, PyUntypedArray,
    PyUntypedArrayMethods,
};
use pyo3::prelude::*;

use crate::errors::{Detail, exception};
use crate::order;

/// An array of floats that Python owns.
pub enum Floats<'py> {
    F16(PyReadonlyArrayDyn<'py, f16>),
    /// Its bits.
    Bf16(PyReadonlyArrayDyn<'py, u16>),
    F32(PyReadonlyArrayDyn<'py, f32>),
    F64(PyReadonlyArrayDyn<'py, f64>),
}

/// Its memory, row-major.
#[derive(Clone, Copy)]
pub enum FloatSlice<'a> {
    F16(&'a [f16]),
    Bf16(&'a [bf16]),
    F32(&'a [f32]),
    F64(&'a [f64]),
}

impl<'py> Floats<'py> {
    /// The array, which must have so many axes.
    pub fn of(array: &Bound<'py, PyAny>, what: &str, axes: usize) -> PyResult<Self> {
        let untyped = array.cast::<PyUntypedArray>()?;
        if untyped.ndim() != axes {
            return Err(wrong_axes(what, axes, untyped.shape()));
        }
        if let Ok(array) = array.extract() {
            return Ok(Self::F32(array));
        }
        let name = type_name(untyped)?;
        match name.as_str() {
            "float16" => Ok(Self::F16(array.extract()?)),
            "bfloat16" => Ok(Self::Bf16(array.call_method1("view", ("uint16",))?.extract()?)),
            "float64" => Ok(Self::F64(array.extract()?)),
            _ => Err(exception(
                "DtypeError",
                &format!("{what}: {name} values; pass float16, bfloat16, float32 or float64"),
                &[],
            )),
        }
    }

    /// Lengths of the axes.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F16(array) => array.shape(),
            Self::Bf16(array) => array.shape(),
            Self::F32(array) => array.shape(),
            Self::F64(array) => array.shape(),
        }
    }

    /// The memory.
    pub fn slice(&self) -> PyResult<FloatSlice<'_>> {
        Ok(match self {
            Self::F16(array) => FloatSlice::F16(array.as_slice()?),
            Self::Bf16(array) => FloatSlice::Bf16(array.as_slice()?.reinterpret_cast()),
            Self::F32(array) => FloatSlice::F32(array.as_slice()?),
            Self::F64(array) => FloatSlice::F64(array.as_slice()?),
        })
    }
}

/// Calls something generic over the type of the numbers: `with_numbers!(slice, |values| …)`.
macro_rules! with_numbers {
    ($slice:expr, |$values:ident| $call:expr) => {
        match $slice {
            $crate::arrays::FloatSlice::F16($values) => $call,
            $crate::arrays::FloatSlice::Bf16($values) => $call,
            $crate::arrays::FloatSlice::F32($values) => $call,
            $crate::arrays::FloatSlice::F64($values) => $call,
        }
    };
}
pub(crate) use with_numbers;

/// The same with a matrix of logits or probabilities of K classes.
macro_rules! with_matrix {
    ($slice:expr, $classes:expr, $probabilities:expr, |$matrix:ident| $call:expr) => {
        $crate::arrays::with_numbers!($slice, |values| {
            let $matrix = $crate::arrays::matrix(values, $classes, $probabilities);
            $call
        })
    };
}
pub(crate) use with_matrix;

/// Logits or probabilities of K classes.
pub fn matrix<E: Element>(values: &[E], classes: usize, probabilities: bool) -> Matrix<'_, E> {
    if probabilities {
        Matrix::probabilities(values, classes)
    } else {
        Matrix::logits(values, classes)
    }
}

impl<'a> FloatSlice<'a> {
    /// The values as 32-bit floats: themselves, or rounded copies.
    pub fn to_f32(self) -> Cow<'a, [f32]> {
        match self {
            Self::F16(values) => Cow::Owned(values.to_f32_vec()),
            Self::Bf16(values) => Cow::Owned(values.to_f32_vec()),
            Self::F32(values) => Cow::Borrowed(values),
            Self::F64(values) => Cow::Owned(values.iter().map(|&value| value as f32).collect()),
        }
    }

    /// The values as 64-bit floats: themselves, or wider copies.
    pub fn to_f64(self) -> Cow<'a, [f64]> {
        match self {
            Self::F16(values) => Cow::Owned(values.to_f64_vec()),
            Self::Bf16(values) => Cow::Owned(values.to_f64_vec()),
            Self::F32(values) => Cow::Owned(values.iter().copied().map(f64::from).collect()),
            Self::F64(values) => Cow::Borrowed(values),
        }
    }

    /// Numbers of 32 bits in the same order and with the same ties, for what reads only that.
    pub fn ordered(self) -> Cow<'a, [f32]> {
        match self {
            Self::F64(values) => Cow::Owned(order::in_32_bits(values)),
            exact => exact.to_f32(),
        }
    }

    /// Number of values.
    pub fn len(self) -> usize {
        with_numbers!(self, |values| values.len())
    }
}

/// Name of the type of an array's values. NumPy has no bfloat16: it comes from a package that adds
/// the type, or as one field of this name (`datadiet._arrays.BFLOAT16`).
pub fn type_name(array: &Bound<'_, PyUntypedArray>) -> PyResult<String> {
    match array.dtype().names().as_deref() {
        Some([name]) if name == "bfloat16" => Ok(name.clone()),
        _ => Ok(array.dtype().typeobj().name()?.to_string()),
    }
}

pub fn wrong_axes(what: &str, axes: usize, shape: &[usize]) -> PyErr {
    let asked = match axes {
        1 => "one value an example (n)",
        2 => "examples × classes (n × K)",
        _ => "epochs × examples × classes (T × n × K)",
    };
    exception("ShapeError", &format!("{what} of shape {shape:?}; pass {asked}"), &[])
}

/// Scores: n floats.
pub fn scores<'py>(array: &Bound<'py, PyAny>, what: &str) -> PyResult<Floats<'py>> {
    Floats::of(array, what, 1)
}

/// A column of whole numbers that Python owns.
pub enum Wholes<'py> {
    U32(PyReadonlyArray1<'py, u32>),
    Other(Vec<u32>),
}

impl<'py> Wholes<'py> {
    /// Labels: a negative or huge one is a `LabelError`.
    pub fn labels(array: &Bound<'py, PyAny>) -> PyResult<Self> {
        Self::of(array, "labels", |row, value| {
            let text = format!("row {row} has label {value}; map the labels to 0..K");
            exception("LabelError", &text, &[("row", Detail::Whole(row))])
        })
    }

    /// Ids of examples: a negative or huge one is an `IdError`.
    pub fn ids(array: &Bound<'py, PyAny>) -> PyResult<Self> {
        Self::of(array, "ids", |row, value| {
            let text = format!(
                "row {row} has example id {value}; ids are indices in the full training set, from 0"
            );
            exception("IdError", &text, &[("row", Detail::Whole(row))])
        })
    }

    fn of(
        array: &Bound<'py, PyAny>,
        what: &str,
        unfit: impl Fn(usize, i128) -> PyErr,
    ) -> PyResult<Self> {
        let untyped = array.cast::<PyUntypedArray>()?;
        if untyped.ndim() != 1 {
            return Err(wrong_axes(what, 1, untyped.shape()));
        }
        if let Ok(array) = array.extract() {
            return Ok(Self::U32(array));
        }
        macro_rules! narrowed {
            ($($kind:ty),*) => {
                $(if let Ok(array) = array.extract::<PyReadonlyArray1<'py, $kind>>() {
                    return narrowed(array.as_slice()?, unfit).map(Self::Other);
                })*
            };
        }
        narrowed!(i64, i32, u64, u8, i16, u16, i8);
        let name = type_name(untyped)?;
        let text = format!("{what}: {name} values; pass whole numbers, such as int64");
        Err(exception("DtypeError", &text, &[]))
    }

    /// The values.
    pub fn slice(&self) -> PyResult<&[u32]> {
        match self {
            Self::U32(array) => Ok(array.as_slice()?),
            Self::Other(values) => Ok(values),
        }
    }

    /// The values as ids.
    pub fn to_ids(&self) -> PyResult<Vec<ExampleId>> {
        Ok(self.slice()?.iter().copied().map(ExampleId).collect())
    }
}

/// Number of classes that the labels are of: one more than the largest, 0 of none.
pub fn class_count(labels: &[u32]) -> PyResult<usize> {
    let Some(row) = labels.iter().position(|&label| label >= MOST_CLASSES) else {
        return Ok(labels.iter().max().map_or(0, |&most| most as usize + 1));
    };
    let label = labels[row];
    let text = format!(
        "row {row} has label {label}, above the {MOST_CLASSES} classes that there may be; map the \
         labels to 0..K"
    );
    let details = [("row", Detail::Whole(row)), ("label", Detail::Whole(label as usize))];
    Err(exception("LabelError", &text, &details))
}

fn narrowed<T: Copy + TryInto<u32> + Into<i128>>(
    values: &[T],
    unfit: impl Fn(usize, i128) -> PyErr,
) -> PyResult<Vec<u32>> {
    let narrow =
        |(row, &value): (usize, &T)| value.try_into().map_err(|_| unfit(row, value.into()));
    values.iter().enumerate().map(narrow).collect()
}
