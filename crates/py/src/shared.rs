//! What all recorders have in common: a lock, the merging of ranks, a state as arrays.
//!
//! The lock is never waited for with Python's lock in hand: threads may feed one recorder, and their
//! order does not matter to any score, since an example is presented once an epoch. A thread waits for
//! a recorder with at most one other in hand, and then none else does so ([`MERGING`]), so that no two
//! wait for each other.

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datadiet_core::{
    LossRecorder, Measure, MultiLabelRecorder, RegressionRecorder, ScoreError, StateColumn,
    TokenRecorder, TrajectoryRecorder,
};
use datadiet_table::TimePoint;
use numpy::{IntoPyArray, PyReadonlyArray1};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors::OrRaise;

/// Held by the one merge of ranks that is under way: it holds two recorders at once.
pub static MERGING: Mutex<()> = Mutex::new(());

/// A recorder of the core.
pub trait Recording: Clone + Send + Sync + Sized {
    /// Joins another rank of the same training.
    fn merge_ranks(&mut self, other: &Self) -> Result<u64, ScoreError>;
    /// Everything, as named columns.
    fn state(&self) -> Vec<(String, StateColumn)>;
    /// The recorder that wrote a state.
    fn from_state(column: impl Fn(&str) -> Option<StateColumn>) -> Result<Self, ScoreError>;
    /// Every score of the finished epochs, with the epoch that it stands at.
    fn columns(&self) -> Vec<(Measure, u32, Vec<f32>)>;
}

impl Recording for TrajectoryRecorder {
    fn merge_ranks(&mut self, other: &Self) -> Result<u64, ScoreError> {
        self.merge_ranks(other)
    }

    fn state(&self) -> Vec<(String, StateColumn)> {
        self.state()
    }

    fn from_state(column: impl Fn(&str) -> Option<StateColumn>) -> Result<Self, ScoreError> {
        Self::from_state(column)
    }

    fn columns(&self) -> Vec<(Measure, u32, Vec<f32>)> {
        let columns = self.columns().into_iter();
        columns.map(|(kind, epoch, column)| (kind.into(), epoch, column)).collect()
    }
}

/// Recorders whose methods are these.
macro_rules! recording {
    ($($recorder:ty),+) => {
        $(impl Recording for $recorder {
            fn merge_ranks(&mut self, other: &Self) -> Result<u64, ScoreError> {
                self.merge_ranks(other)
            }

            fn state(&self) -> Vec<(String, StateColumn)> {
                self.state()
            }

            fn from_state(column: impl Fn(&str) -> Option<StateColumn>) -> Result<Self, ScoreError> {
                Self::from_state(column)
            }

            fn columns(&self) -> Vec<(Measure, u32, Vec<f32>)> {
                self.columns()
            }
        })+
    };
}

recording!(LossRecorder, MultiLabelRecorder, RegressionRecorder, TokenRecorder);

/// A recorder that threads share.
pub struct Shared<R>(Mutex<R>);

impl<R: Recording> Shared<R> {
    /// One that nobody has yet.
    pub fn new(recorder: R) -> Self {
        Self(Mutex::new(recorder))
    }

    /// The recorder; not to be asked for with Python's lock in hand.
    ///
    /// A panic leaves it as the last whole update did: an update checks before it writes.
    pub fn lock(&self) -> MutexGuard<'_, R> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the recorder answers.
    pub fn read<T: Send>(&self, py: Python<'_>, answer: impl FnOnce(&R) -> T + Send) -> T {
        py.detach(|| answer(&self.lock()))
    }

    /// What the recorder answers when it is told something.
    pub fn tell<T: Send>(&self, py: Python<'_>, tell: impl FnOnce(&mut R) -> T + Send) -> T {
        py.detach(|| tell(&mut self.lock()))
    }

    /// Adds what other ranks of the same training recorded, all of them or, on an error, none; gives
    /// the presentations that more than one had.
    pub fn merge_ranks(&self, py: Python<'_>, ranks: &[&Self]) -> PyResult<u64> {
        let merged = py.detach(|| {
            let _alone = MERGING.lock().unwrap_or_else(PoisonError::into_inner);
            let mut own = self.lock();
            let mut merged = own.clone();
            let mut repeated = 0;
            for rank in ranks {
                repeated += if ptr::eq(*rank, self) {
                    merged.merge_ranks(&own)?
                } else {
                    merged.merge_ranks(&rank.lock())?
                };
            }
            *own = merged;
            Ok::<_, ScoreError>(repeated)
        });
        merged.or_raise()
    }

    /// Copies of some recorders, one after the other.
    pub fn copies(py: Python<'_>, all: &[&Self]) -> Vec<R> {
        py.detach(|| all.iter().map(|one| one.lock().clone()).collect())
    }

    /// Everything, as arrays by name.
    pub fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        to_arrays(py, self.read(py, R::state))
    }

    /// The recorder that wrote a state.
    pub fn of_state(state: &Bound<'_, PyDict>) -> PyResult<Self> {
        let column = |name: &str| column(&state.get_item(name).ok()??);
        Ok(Self::new(R::from_state(column).or_raise()?))
    }
}

/// Columns as arrays by name.
pub fn to_arrays(py: Python<'_>, state: Vec<(String, StateColumn)>) -> PyResult<Bound<'_, PyDict>> {
    let arrays = PyDict::new(py);
    for (name, column) in state {
        let array = match column {
            StateColumn::F64(values) => values.into_pyarray(py).into_bound_py_any(py),
            StateColumn::F32(values) => values.into_pyarray(py).into_bound_py_any(py),
            StateColumn::U32(values) => values.into_pyarray(py).into_bound_py_any(py),
            StateColumn::U8(values) => values.into_pyarray(py).into_bound_py_any(py),
        };
        arrays.set_item(name, array?)?;
    }
    Ok(arrays)
}

/// The scores of a recorder, as a table takes them.
pub fn scores(recorder: &impl Recording) -> Vec<(Measure, TimePoint, Vec<f32>)> {
    let columns = recorder.columns().into_iter();
    columns.map(|(measure, epoch, column)| (measure, time(epoch), column)).collect()
}

/// An epoch as a time.
pub fn time(epoch: u32) -> TimePoint {
    TimePoint { epochs: f64::from(epoch), step: u64::from(epoch) }
}

/// There is room for a recorder of so many examples: all of it is asked for at once and given back,
/// since the parts of a recorder cannot say that they found none.
pub fn check_memory(examples: usize, bytes: usize, less: &str) -> PyResult<()> {
    Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| {
        PyMemoryError::new_err(format!(
            "a recorder of {examples} examples takes {bytes} bytes, which there are not; {less}record fewer \
             examples, or on a larger machine"
        ))
    })
}

/// A column of a state that was an array.
pub fn column(array: &Bound<'_, PyAny>) -> Option<StateColumn> {
    if let Ok(values) = array.extract::<PyReadonlyArray1<'_, f64>>() {
        return Some(StateColumn::F64(values.as_slice().ok()?.to_vec()));
    }
    if let Ok(values) = array.extract::<PyReadonlyArray1<'_, f32>>() {
        return Some(StateColumn::F32(values.as_slice().ok()?.to_vec()));
    }
    if let Ok(values) = array.extract::<PyReadonlyArray1<'_, u32>>() {
        return Some(StateColumn::U32(values.as_slice().ok()?.to_vec()));
    }
    let values = array.extract::<PyReadonlyArray1<'_, u8>>().ok()?;
    Some(StateColumn::U8(values.as_slice().ok()?.to_vec()))
}
