//! Ids of any kind as Python gives them: arrays of whole numbers of 64 bits, lists of texts.

use datadiet_table::Key;
use numpy::{PyReadonlyArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

use crate::arrays::{type_name, wrong_axes};
use crate::errors::exception;

/// Ids of some rows, as they lie in Python's memory.
pub enum GivenKeys<'py> {
    Whole(PyReadonlyArray1<'py, i64>),
    Unsigned(PyReadonlyArray1<'py, u64>),
    Texts(Vec<PyBackedStr>),
}

/// The same, for a thread without Python's lock.
#[derive(Clone, Copy)]
pub enum KeySlice<'a> {
    Whole(&'a [i64]),
    Unsigned(&'a [u64]),
    Texts(&'a [PyBackedStr]),
}

impl<'py> GivenKeys<'py> {
    /// An array of int64 or uint64, or a list of texts.
    pub fn of(ids: &Bound<'py, PyAny>) -> PyResult<Self> {
        let Ok(array) = ids.cast::<PyUntypedArray>() else {
            return Ok(Self::Texts(ids.extract()?));
        };
        if array.ndim() != 1 {
            return Err(wrong_axes("ids", 1, array.shape()));
        }
        if let Ok(array) = ids.extract() {
            return Ok(Self::Whole(array));
        }
        if let Ok(array) = ids.extract() {
            return Ok(Self::Unsigned(array));
        }
        let name = type_name(array)?;
        let text = format!("ids: {name} values; pass whole numbers or texts");
        Err(exception("DtypeError", &text, &[]))
    }

    /// The memory.
    pub fn slice(&self) -> PyResult<KeySlice<'_>> {
        Ok(match self {
            Self::Whole(array) => KeySlice::Whole(array.as_slice()?),
            Self::Unsigned(array) => KeySlice::Unsigned(array.as_slice()?),
            Self::Texts(texts) => KeySlice::Texts(texts),
        })
    }
}

impl<'a> KeySlice<'a> {
    /// Number of ids.
    pub fn len(self) -> usize {
        match self {
            Self::Whole(keys) => keys.len(),
            Self::Unsigned(keys) => keys.len(),
            Self::Texts(keys) => keys.len(),
        }
    }

    /// All of them, in order.
    pub fn iter(self) -> impl Iterator<Item = Key<'a>> {
        (0..self.len()).map(move |index| match self {
            Self::Whole(keys) => Key::Whole(keys[index]),
            Self::Unsigned(keys) => Key::Unsigned(keys[index]),
            Self::Texts(keys) => Key::Text(&keys[index]),
        })
    }
}

/// An id that outlives its map, for an exception.
#[derive(Clone, Debug)]
pub enum OwnedKey {
    Whole(i64),
    Unsigned(u64),
    Text(String),
}

impl From<Key<'_>> for OwnedKey {
    fn from(key: Key<'_>) -> Self {
        match key {
            Key::Whole(key) => Self::Whole(key),
            Key::Unsigned(key) => Self::Unsigned(key),
            Key::Text(key) => Self::Text(key.to_owned()),
        }
    }
}

impl std::fmt::Display for OwnedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(key) => key.fmt(f),
            Self::Unsigned(key) => key.fmt(f),
            Self::Text(key) => f.write_str(key),
        }
    }
}

impl OwnedKey {
    /// A whole number or a text of Python's.
    pub fn to_object(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Self::Whole(key) => key.into_py_any(py),
            Self::Unsigned(key) => key.into_py_any(py),
            Self::Text(key) => key.into_py_any(py),
        }
    }
}
