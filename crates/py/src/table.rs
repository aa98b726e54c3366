//! Tables of scores: Parquet, Arrow, columns, the hard end, subsets, reports.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datadiet_core::Direction;
use datadiet_lab::Ranking;
use datadiet_table as columns;
use datadiet_table::Column;
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyString};

use crate::arrays::{Floats, Wholes};
use crate::errors::OrRaise;
use crate::{capsule, report};

/// A table of scores.
#[pyclass(frozen, module = "datadiet._datadiet")]
pub struct Table(pub Arc<columns::Table>);

impl From<columns::Table> for Table {
    fn from(table: columns::Table) -> Self {
        Self(Arc::new(table))
    }
}

#[pymethods]
impl Table {
    /// Reads a Parquet file.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Ok(py.detach(|| columns::Table::read(&path)).or_raise()?.into())
    }

    /// Writes a Parquet file, atomically.
    fn write(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.write(&path)).or_raise()
    }

    /// A table of columns: floats, whole numbers, lists of texts.
    #[staticmethod]
    fn of_columns(
        columns: &Bound<'_, PyDict>,
        metadata: BTreeMap<String, String>,
    ) -> PyResult<Self> {
        let mut table = columns::Table::default();
        table.metadata = metadata;
        for (name, values) in columns {
            let name: String = name.extract()?;
            table.push(name.as_str(), column(&name, &values)?).or_raise()?;
        }
        Ok(table.into())
    }

    /// The table of an `arrow_array_stream` capsule.
    #[staticmethod]
    fn of_stream(capsule: &Bound<'_, PyCapsule>) -> PyResult<Self> {
        Ok(capsule::import(capsule)?.into())
    }

    /// An `arrow_array_stream` capsule.
    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::export(py, &self.0)
    }

    /// Number of rows.
    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }

    /// Names of the columns.
    #[getter]
    fn names(&self) -> Vec<&str> {
        self.0.names().collect()
    }

    /// Names of the columns of scores: floats that are no standard error and no single replica.
    #[getter]
    fn scores(&self) -> Vec<&str> {
        let is_score = |name: &&str| {
            matches!(self.0.column(name), Some(Column::F32(_))) && !columns::is_detail(name)
        };
        self.0.names().filter(is_score).collect()
    }

    /// What the columns mean and where they come from.
    #[getter]
    fn metadata(&self) -> BTreeMap<String, String> {
        self.0.metadata.clone()
    }

    /// A column: an array of float32 or uint32, or a list of texts.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.0.column(name) {
            Some(Column::F32(values)) => PyArray1::from_slice(py, values).into_bound_py_any(py),
            Some(Column::U32(values)) => PyArray1::from_slice(py, values).into_bound_py_any(py),
            Some(Column::Text(values)) => values.clone().into_bound_py_any(py),
            // For its message, which names the nearest.
            None => Err(self.0.floats(name).or_raise().expect_err("there is no such column")),
        }
    }

    /// Some rows, in the order given.
    fn take(&self, rows: PyReadonlyArray1<'_, u32>) -> PyResult<Self> {
        let rows = rows.as_slice()?;
        let mut taken = columns::Table::default();
        taken.metadata.clone_from(&self.0.metadata);
        for name in self.0.names() {
            let values = match self.0.column(name) {
                Some(Column::F32(values)) => Column::F32(picked(values, rows)?),
                Some(Column::U32(values)) => Column::U32(picked(values, rows)?),
                Some(Column::Text(values)) => Column::Text(picked(values, rows)?),
                None => continue,
            };
            taken.push(name, values).or_raise()?;
        }
        Ok(taken.into())
    }

    /// The column to rank by: its name with the time in numbers, its values, and whether high ones
    /// are hard.
    fn ranking<'py>(
        &self,
        py: Python<'py>,
        by: &str,
    ) -> PyResult<(String, Bound<'py, PyArray1<f32>>, bool)> {
        let ranking = Ranking::of(&self.0, by).or_raise()?;
        let high = ranking.direction == Direction::HigherIsHarder;
        Ok((ranking.name, PyArray1::from_slice(py, &ranking.values), high))
    }

    /// Writes the HTML report; returns the files of the figures beside it.
    fn report(
        &self,
        py: Python<'_>,
        path: PathBuf,
        by: &str,
        title: String,
        suspects: usize,
        figures: bool,
    ) -> PyResult<Vec<PathBuf>> {
        py.detach(|| report::write(&self.0, &path, by, title, suspects, figures))
    }
}

fn column(name: &str, values: &Bound<'_, PyAny>) -> PyResult<Column> {
    if let Ok(texts) = values.extract::<Vec<Bound<'_, PyString>>>() {
        let texts = texts.iter().map(|text| text.extract()).collect::<PyResult<_>>()?;
        return Ok(Column::Text(texts));
    }
    match Floats::of(values, name, 1) {
        Ok(floats) => Ok(Column::F32(floats.slice()?.to_f32().into_owned())),
        // Its error says what is wrong with whole numbers too.
        Err(_) => Ok(Column::U32(Wholes::ids(values)?.slice()?.to_vec())),
    }
}

fn picked<T: Clone>(values: &[T], rows: &[u32]) -> PyResult<Vec<T>> {
    let pick = |&row: &u32| {
        values.get(row as usize).cloned().ok_or_else(|| {
            let text = format!("there is no row {row}: the table has {}", values.len());
            pyo3::exceptions::PyIndexError::new_err(text)
        })
    };
    rows.iter().map(pick).collect()
}
