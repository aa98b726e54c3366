//! From the errors of the crates below to the classes of `datadiet.exceptions`.
//!
//! The classes are written in Python, so that they can have two parents (`DatadietError` and the
//! builtin that fits) and attributes with types. Here is which error becomes which class.

use datadiet_core::{KeepFractionError, ScoreError, ScoreKind, SelectionError, StatsError};
use datadiet_pages::PageError;
use datadiet_table::{FileError, TableError};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::given_keys::OwnedKey;

/// The value of an attribute of an exception.
pub enum Detail {
    /// A count, a row, an id.
    Whole(usize),
    /// Several of them.
    Wholes(Vec<usize>),
    /// A sum, a probability.
    Real(f64),
    /// An id of any kind.
    Key(OwnedKey),
    /// Several of them.
    Keys(Vec<OwnedKey>),
}

impl Detail {
    fn to_object(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match self {
            Self::Whole(value) => value.into_py_any(py),
            Self::Wholes(values) => values.clone().into_py_any(py),
            Self::Real(value) => value.into_py_any(py),
            Self::Key(key) => key.to_object(py),
            Self::Keys(keys) => {
                let keys: Vec<_> =
                    keys.iter().map(|key| key.to_object(py)).collect::<PyResult<_>>()?;
                keys.into_py_any(py)
            }
        }
    }
}

/// An exception of `datadiet.exceptions` with its message and attributes.
pub fn exception(class: &str, message: &str, details: &[(&str, Detail)]) -> PyErr {
    let made = Python::attach(|py| -> PyResult<PyErr> {
        let class = py.import("datadiet.exceptions")?.getattr(class)?;
        let attributes = PyDict::new(py);
        for (name, value) in details {
            attributes.set_item(name, value.to_object(py)?)?;
        }
        Ok(PyErr::from_value(class.call((message,), Some(&attributes))?))
    });
    made.unwrap_or_else(|failure| failure)
}

/// Errors that have a class in Python.
pub trait IntoPython {
    /// The exception.
    fn into_python(self) -> PyErr;
}

impl IntoPython for ScoreError {
    fn into_python(self) -> PyErr {
        let text = self.to_string();
        match self {
            Self::ShapeMismatch { .. }
            | Self::TooFewClasses { .. }
            | Self::OtherClasses { .. }
            | Self::BatchLoss { .. }
            | Self::LossCount { .. } => exception("ShapeError", &text, &[]),
            Self::LabelOutOfRange { row, label, classes } => {
                let label = Detail::Whole(label as usize);
                let classes = Detail::Whole(classes);
                let details = [("row", Detail::Whole(row)), ("label", label), ("classes", classes)];
                exception("LabelError", &text, &details)
            }
            Self::NonFinite { rows, total, .. } => {
                let details = [("rows", Detail::Wholes(rows)), ("total", Detail::Whole(total))];
                exception("NonFiniteError", &text, &details)
            }
            Self::NoTokens { .. } => exception("ShapeError", &text, &[]),
            Self::TokenLabel { sequence, .. } => {
                exception("LabelError", &text, &[("row", Detail::Whole(sequence))])
            }
            Self::NotZeroOrOne { row, .. } => {
                exception("LabelError", &text, &[("row", Detail::Whole(row))])
            }
            Self::PositiveLogProbability { sequence, value, .. } => {
                let details = [("row", Detail::Whole(sequence)), ("value", Detail::Real(value))];
                exception("ProbabilityError", &text, &details)
            }
            Self::NotNormalised { row, sum, .. } => {
                let details = [("row", Detail::Whole(row)), ("value", Detail::Real(sum))];
                exception("ProbabilityError", &text, &details)
            }
            Self::NegativeProbability { row, value, .. } => {
                let value = Detail::Real(f64::from(value));
                let details = [("row", Detail::Whole(row)), ("value", value)];
                exception("ProbabilityError", &text, &details)
            }
            Self::IdOutOfRange { row, id, .. } => {
                let details = [("row", Detail::Whole(row)), ("id", Detail::Whole(id as usize))];
                exception("IdError", &text, &details)
            }
            Self::RepeatedId { row, id, .. } => {
                let details = [("row", Detail::Whole(row)), ("id", Detail::Whole(id as usize))];
                exception("IdError", &text, &details)
            }
            Self::Unlabelled { rows, total } => {
                let details = [("rows", Detail::Wholes(rows)), ("total", Detail::Whole(total))];
                exception("LabelError", &text, &details)
            }
            Self::LabelChanged { id, .. }
            | Self::LabelsChanged { id, .. }
            | Self::TokenChanged { id, .. } => {
                exception("LabelError", &text, &[("id", Detail::Whole(id as usize))])
            }
            Self::OfExamples { ids, problem } => of_examples(&text, ids, *problem),
            Self::OfPart { part, problem } => placed(problem.into_python(), &part),
            Self::MissingState { .. }
            | Self::CorruptState { .. }
            | Self::DamagedState { .. }
            | Self::DifferentTraining { .. }
            | Self::MergedBefore { .. }
            | Self::OtherParts { .. }
            | Self::NoHistory => exception("StateError", &text, &[]),
            Self::PartName { .. } | Self::UnknownScore(_) => exception("ColumnError", &text, &[]),
            Self::Threshold { .. } => PyValueError::new_err(text),
            _ => exception("DatadietError", &text, &[]),
        }
    }
}

/// The problem's own exception, with the ids that it concerns before its message and as `ids`.
fn of_examples(text: &str, ids: Vec<u32>, problem: ScoreError) -> PyErr {
    let error = problem.into_python();
    let place = text.split_once(": ").map_or(text, |(place, _)| place);
    let ids: Vec<usize> = ids.into_iter().map(|id| id as usize).collect();
    with_place(error, place, "ids", &Detail::Wholes(ids))
}

/// The same exception, with a place before its message.
pub fn placed(error: PyErr, place: &str) -> PyErr {
    let changed = Python::attach(|py| {
        let value = error.value(py);
        value.setattr("args", (format!("{place}: {}", value.str()?),))
    });
    changed.map_or_else(|failure: PyErr| failure, |()| error)
}

/// The same exception, with a place before its message and one more attribute.
pub fn with_place(error: PyErr, place: &str, name: &str, detail: &Detail) -> PyErr {
    let error = placed(error, place);
    let changed = Python::attach(|py| error.value(py).setattr(name, detail.to_object(py)?));
    changed.map_or_else(|failure: PyErr| failure, |()| error)
}

impl IntoPython for SelectionError {
    fn into_python(self) -> PyErr {
        let text = self.to_string();
        match self {
            Self::LengthMismatch { .. } => exception("ShapeError", &text, &[]),
            Self::LabelOutOfRange { id, label, classes } => {
                let label = Detail::Whole(label as usize);
                let classes = Detail::Whole(classes);
                let row = Detail::Whole(id.index());
                exception(
                    "LabelError",
                    &text,
                    &[("row", row), ("label", label), ("classes", classes)],
                )
            }
            Self::ClassVanishes { .. } => {
                let text = format!("{text}, or pass allow_empty_class=True");
                exception("SelectionError", &text, &[])
            }
            Self::Nan { .. } => {
                let text = format!("{text}, or pass drop_unscored=True to leave them out");
                exception("SelectionError", &text, &[])
            }
            _ => exception("SelectionError", &text, &[]),
        }
    }
}

impl IntoPython for KeepFractionError {
    fn into_python(self) -> PyErr {
        exception("SelectionError", &self.to_string(), &[])
    }
}

impl IntoPython for StatsError {
    fn into_python(self) -> PyErr {
        let class = match &self {
            Self::LengthMismatch { .. } => "ShapeError",
            Self::Constant { .. } => "UndefinedError",
            _ => "StatisticsError",
        };
        exception(class, &self.to_string(), &[])
    }
}

impl IntoPython for FileError {
    fn into_python(self) -> PyErr {
        match self {
            // Python's own classes: FileNotFoundError, PermissionError, …
            Self::Io { ref cause, .. } => {
                std::io::Error::new(cause.kind(), self.to_string()).into()
            }
            Self::Damaged { path, reason } => {
                let text = format!(
                    "{} is not a table of scores ({reason}); make it again",
                    path.display()
                );
                exception("TableError", &text, &[])
            }
        }
    }
}

impl IntoPython for TableError {
    fn into_python(self) -> PyErr {
        let text = self.to_string();
        match self {
            Self::File(error) => error.into_python(),
            Self::Statistics(error) => error.into_python(),
            Self::Column(_) => exception("ColumnError", &text, &[]),
            Self::Absent(_) => std::io::Error::new(std::io::ErrorKind::NotFound, text).into(),
            Self::Ids(_) | Self::List(_) => exception("IdError", &text, &[]),
            Self::Label { row, label, .. } => {
                let details =
                    [("row", Detail::Whole(row)), ("label", Detail::Whole(label as usize))];
                exception("LabelError", &text, &details)
            }
            Self::NotATable(_) | Self::Card(_) => exception("TableError", &text, &[]),
        }
    }
}

impl IntoPython for PageError {
    fn into_python(self) -> PyErr {
        match self {
            Self::Table(error) => error.into_python(),
            Self::File(error) => error.into_python(),
            other => exception("DatadietError", &other.to_string(), &[]),
        }
    }
}

/// `map_err` with the class that fits.
pub trait OrRaise<T> {
    /// The value, or the exception.
    fn or_raise(self) -> PyResult<T>;
}

impl<T, E: IntoPython> OrRaise<T> for Result<T, E> {
    fn or_raise(self) -> PyResult<T> {
        self.map_err(IntoPython::into_python)
    }
}

/// Name, formula, pass, range, source and hard end of every score.
pub fn catalogue(py: Python<'_>) -> PyResult<Bound<'_, PyList>> {
    let entry = |kind: &ScoreKind| -> PyResult<_> {
        let definition = kind.definition();
        let entry = PyDict::new(py);
        entry.set_item("name", kind.name())?;
        entry.set_item("formula", definition.formula)?;
        entry.set_item("pass", definition.pass)?;
        entry.set_item("range", definition.range)?;
        entry.set_item("reference", definition.reference)?;
        entry.set_item("when", definition.when)?;
        let higher = kind.direction() == datadiet_core::Direction::HigherIsHarder;
        entry.set_item("higher_is_harder", higher)?;
        Ok(entry)
    };
    PyList::new(py, ScoreKind::ALL.iter().map(entry).collect::<PyResult<Vec<_>>>()?)
}
