//! Tables through Arrow's C stream interface: capsules that pandas, polars, pyarrow and DuckDB read.
//!
//! Source: Arrow's PyCapsule interface, the method `__arrow_c_stream__` and the capsule's name
//! `arrow_array_stream`.

use std::ffi::CStr;

use arrow_array::ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader};
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::ArrowError;
use datadiet_table::Table;
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyCapsuleMethods};

use crate::errors::{OrRaise, exception};

const STREAM: &CStr = c"arrow_array_stream";

/// The table as a stream of one batch.
pub fn export<'py>(py: Python<'py>, table: &Table) -> PyResult<Bound<'py, PyCapsule>> {
    let batch = py.detach(|| table.to_batch());
    let batch = batch.map_err(|error| exception("TableError", &error.to_string(), &[]))?;
    let schema = batch.schema();
    let reader = RecordBatchIterator::new([Ok(batch)], schema);
    PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), STREAM)
}

/// The table that a stream holds.
pub fn import(capsule: &Bound<'_, PyCapsule>) -> PyResult<Table> {
    let pointer = capsule.pointer_checked(Some(STREAM))?.cast::<FFI_ArrowArrayStream>();
    // SAFETY: a capsule of this name points to a stream that is valid as long as the capsule is;
    // reading moves it out and leaves an empty one behind, as the interface asks for.
    let reader = unsafe { RecordBatchStreamReader::from_raw(pointer.as_ptr()) };
    let failed = |error: ArrowError| exception("TableError", &error.to_string(), &[]);
    let reader = reader.map_err(failed)?;
    let schema = reader.schema();
    // A stream of Python's may need Python's lock, and takes it by itself.
    let batches = capsule.py().detach(|| reader.collect::<Result<Vec<RecordBatch>, _>>());
    let batches = batches.map_err(failed)?;
    Table::from_batches(&schema, &batches).or_raise()
}
