//! Tables of scores: Parquet, Arrow, columns, the hard end, subsets, reports.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datadiet_core::Direction;
use datadiet_table::{
    self as tables, Column, ListedIds, MarkFile, OwnIds, Row, ScoreTable, Subset, SubsetFile,
};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1, PyReadonlyArray4};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyDict, PyString};

use crate::arrays::{Floats, Wholes};
use crate::errors::OrRaise;
use crate::pictures::Images;
use crate::{capsule, report};

/// Name of a column, its values, whether high ones are hard, and what was assumed about that.
type Ranked<'py> = (String, Bound<'py, PyArray1<f32>>, bool, Option<String>);

/// A table of scores.
#[pyclass(frozen, module = "datadiet._datadiet")]
pub struct Table(pub Arc<ScoreTable>);

impl From<ScoreTable> for Table {
    fn from(table: ScoreTable) -> Self {
        Self(Arc::new(table))
    }
}

#[pymethods]
impl Table {
    /// Reads a Parquet file, or the `scores.parquet` of a folder.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Ok(py.detach(|| ScoreTable::read(&path)).or_raise()?.into())
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
        let mut table = tables::Table::default();
        table.metadata = metadata;
        for (name, values) in columns {
            let name: String = name.extract()?;
            table.push(name.as_str(), column(&name, &values)?).or_raise()?;
        }
        Ok(ScoreTable::of(table).or_raise()?.into())
    }

    /// The table of an `arrow_array_stream` capsule.
    #[staticmethod]
    fn of_stream(capsule: &Bound<'_, PyCapsule>) -> PyResult<Self> {
        Ok(ScoreTable::of(capsule::import(capsule)?).or_raise()?.into())
    }

    /// An `arrow_array_stream` capsule.
    fn stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        capsule::export(py, self.0.columns())
    }

    /// Number of rows.
    #[getter]
    fn rows(&self) -> usize {
        self.0.rows()
    }

    /// Names of the columns.
    #[getter]
    fn names(&self) -> Vec<&str> {
        self.0.columns().names().collect()
    }

    /// Names of the columns of scores: floats that are neither a standard error nor of a single replica.
    #[getter]
    fn scores(&self) -> Vec<&str> {
        self.0.scores()
    }

    /// The column that examples are ranked by where none is named.
    fn default_column(&self) -> PyResult<String> {
        self.0.default_column().or_raise()
    }

    /// What is known about the table, as JSON; None for one without a card.
    fn card(&self) -> Option<String> {
        self.0.card().map(|card| serde_json::to_string(card).expect("a card is plain data"))
    }

    /// What the columns mean and where they come from.
    #[getter]
    fn metadata(&self) -> BTreeMap<String, String> {
        self.0.columns().metadata.clone()
    }

    /// A column: an array of float32 or uint32, or a list of texts.
    fn column<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        match self.0.columns().column(name) {
            Some(Column::F32(values)) => PyArray1::from_slice(py, values).into_bound_py_any(py),
            Some(Column::U32(values)) => PyArray1::from_slice(py, values).into_bound_py_any(py),
            Some(Column::Text(values)) => values.clone().into_bound_py_any(py),
            // For its message, which names the nearest.
            None => {
                Err(self.0.columns().floats(name).or_raise().expect_err("there is no such column"))
            }
        }
    }

    /// Some rows, in the order given. Where their places in the table are all that they are known by, these become ids:
    /// pictures and marks still find them.
    fn take(&self, rows: PyReadonlyArray1<'_, u32>) -> PyResult<Self> {
        let rows = rows.as_slice()?;
        let all = self.0.columns();
        let mut taken = tables::Table::default();
        taken.metadata.clone_from(&all.metadata);
        if matches!(self.0.own_ids(), Ok(OwnIds::Rows(_))) && all.column("id").is_none() {
            taken.push("id", Column::U32(rows.to_vec())).or_raise()?;
        }
        for name in all.names() {
            let values = match all.column(name) {
                Some(Column::F32(values)) => Column::F32(picked(values, rows)?),
                Some(Column::U32(values)) => Column::U32(picked(values, rows)?),
                Some(Column::Text(values)) => Column::Text(picked(values, rows)?),
                None => continue,
            };
            taken.push(name, values).or_raise()?;
        }
        Ok(ScoreTable::of(taken).or_raise()?.into())
    }

    /// The column to rank by: its name with the time in numbers, its values, whether high ones are
    /// hard, and what was assumed about that.
    fn ranking<'py>(
        &self,
        py: Python<'py>,
        by: &str,
        hard_is: Option<&str>,
    ) -> PyResult<Ranked<'py>> {
        let ranking = self.0.ranking(by, direction(hard_is)?).or_raise()?;
        let high = ranking.direction == Direction::HigherIsHarder;
        let assumed = ranking.assumption(TURN);
        Ok((ranking.name, PyArray1::from_slice(py, &ranking.values), high, assumed))
    }

    /// Rows that have a score, hardest first.
    fn hardest_first<'py>(
        &self,
        py: Python<'py>,
        by: &str,
        hard_is: Option<&str>,
    ) -> PyResult<Bound<'py, PyArray1<u32>>> {
        let hard = direction(hard_is)?;
        let rows = py.detach(|| self.0.ranking(by, hard)?.hardest_first(&self.0.ids()));
        let rows: Vec<u32> = rows.or_raise()?.into_iter().map(|row| row.0).collect();
        Ok(rows.into_pyarray(py))
    }

    /// How many labels look wrong: what `suspects --json` has of it, as JSON, and the sentence.
    fn wrong_labels(
        &self,
        py: Python<'_>,
        by: &str,
        hard_is: Option<&str>,
    ) -> PyResult<(String, String)> {
        let hard = direction(hard_is)?;
        let found = py.detach(|| self.0.wrong_labels(&self.0.ranking(by, hard)?)).or_raise()?;
        let json = serde_json::to_string(&found).expect("an estimate is plain data");
        Ok((json, found.to_string()))
    }

    /// The column that wrong labels are looked for with where none is named.
    fn default_suspicion(&self) -> PyResult<String> {
        self.0.default_suspicion().or_raise()
    }

    /// Writes chosen rows as a file of ids; `how` is JSON.
    fn write_subset(
        &self,
        path: PathBuf,
        rows: PyReadonlyArray1<'_, u32>,
        by: Option<&str>,
        how: &str,
    ) -> PyResult<()> {
        let rows: Vec<Row> = rows.as_slice()?.iter().map(|&row| Row(row)).collect();
        let ranking = by.map(|by| self.0.ranking(by, None)).transpose().or_raise()?;
        let how = serde_json::from_str(how).unwrap_or_default();
        let subset = Subset { table: &self.0, ranking: ranking.as_ref(), rows: &rows, how };
        subset.write(&path).or_raise()
    }

    /// Writes the HTML report, with `figures` its figures beside it; returns their files. `request`
    /// has the keywords of [`report::Request`]; `images` are of all training examples.
    fn report(
        &self,
        py: Python<'_>,
        path: PathBuf,
        title: String,
        figures: bool,
        request: report::Request,
        images: Option<PyReadonlyArray4<'_, u8>>,
    ) -> PyResult<Vec<PathBuf>> {
        let images = images.as_ref().map(Images::of).transpose()?;
        py.detach(|| report::write(&self.0, &path, title, figures, &request, images))
    }

    /// The likeliest suspects by a column, as `suspects --json` has them.
    fn suspects(
        &self,
        py: Python<'_>,
        by: &str,
        hard_is: Option<&str>,
        n: usize,
    ) -> PyResult<String> {
        let hard = direction(hard_is)?;
        let found = py.detach(|| {
            let classes = self.0.classes()?;
            self.0.suspects(&classes, &self.0.ranking(by, hard)?, None, n)
        });
        Ok(serde_json::to_string(&found.or_raise()?).expect("suspects are plain data"))
    }

    /// The column of predictions at the time of a column, else the latest.
    fn predictions_of(&self, by: &str) -> Option<String> {
        self.0.predictions_of(by)
    }

    /// The two columns that a map shows where nobody names others; `by` is the column in question.
    fn map_axes<'a>(&'a self, by: &'a str) -> (&'a str, &'a str) {
        self.0.map_axes(by)
    }

    /// Names of the classes.
    fn classes(&self) -> PyResult<Vec<String>> {
        self.0.classes().or_raise()
    }
}

/// The option that takes the low end, for messages.
pub const TURN: &str = "hard_is=\"low\"";

/// Which end is hard, as Python's keyword says it.
pub fn direction(hard_is: Option<&str>) -> PyResult<Option<Direction>> {
    match hard_is {
        None => Ok(None),
        Some("high") => Ok(Some(Direction::HigherIsHarder)),
        Some("low") => Ok(Some(Direction::LowerIsHarder)),
        Some(other) => {
            let text = format!("hard_is is {other:?}; \"high\" and \"low\" are known");
            Err(pyo3::exceptions::PyValueError::new_err(text))
        }
    }
}

/// Ids of a file of chosen examples, as their owner knows them: an array, or a list of texts.
#[pyfunction]
pub fn read_subset(py: Python<'_>, path: PathBuf) -> PyResult<Bound<'_, PyAny>> {
    match SubsetFile::read(&path).or_raise()?.ids {
        ListedIds::Numbers(ids) => ids.into_pyarray(py).into_bound_py_any(py),
        ListedIds::Texts(ids) => ids.into_bound_py_any(py),
    }
}

/// Where marks of a file of scores are by default.
#[pyfunction]
pub fn marks_beside(path: PathBuf) -> PathBuf {
    MarkFile::beside(&path)
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
