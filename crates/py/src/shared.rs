//! What all recorders have in common: a lock, what they know of their epochs, the merging of ranks, a state as
//! arrays, tables of replicas.
//!
//! The lock is never waited for with Python's lock in hand: threads may feed one recorder, and their
//! order does not matter to any score, since an example is presented once an epoch. A thread waits for
//! a recorder with at most one other in hand, and then none else does so ([`MERGING`]), so that no two
//! wait for each other.

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datadiet_core::{
    LossRecorder, Measure, MultiLabelRecorder, RegressionRecorder, ScoreError, StateColumn, Task,
    TokenRecorder, TrajectoryRecorder,
};
use datadiet_table::{Recorded, ScoreTable, TimePoint};
use numpy::{IntoPyArray, PyReadonlyArray1};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::Floats;
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

/// Recorders whose methods are these; how the columns are found.
macro_rules! recording {
    ($($recorder:ty, |$one:ident| $columns:expr;)+) => {
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
                let $one = self;
                $columns
            }
        })+
    };
}

recording! {
    TrajectoryRecorder, |one| {
        let columns = one.columns().into_iter();
        columns.map(|(kind, epoch, column)| (kind.into(), epoch, column)).collect()
    };
    LossRecorder, |one| one.columns();
    MultiLabelRecorder, |one| one.columns();
    RegressionRecorder, |one| one.columns();
    TokenRecorder, |one| one.columns();
}

/// A recorder that threads share.
pub struct Shared<R>(Mutex<R>);

impl<R: Send> Shared<R> {
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
}

impl<R: Recording> Shared<R> {
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

    /// The table of independent trainings of a task that has no labels of one class.
    pub fn table_of(
        py: Python<'_>,
        replicas: &[R],
        task: Task,
        pass_: &str,
    ) -> PyResult<ScoreTable> {
        let made = py.detach(|| {
            let record = |one: &R| Recorded { scores: scores(one), predicted: Vec::new() };
            let all: Vec<Recorded> = replicas.iter().map(record).collect();
            ScoreTable::recorded_of(task, &all, None, pass_)
        });
        made.or_raise()
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

/// A class of Python around a recorder, with what every recorder knows of its epochs: written once, by a macro,
/// since such a class has no type parameters, and all its methods stand in one block. `|one| part`: the part of a
/// recorder that counts its epochs.
macro_rules! recorder {
    ($(#[$about:meta])* $name:ident($recorder:ty), |$one:ident| $part:expr, { $($methods:tt)* }) => {
        $(#[$about])*
        #[pyclass(frozen, module = "datadiet._datadiet")]
        pub struct $name($crate::shared::Shared<$recorder>);

        #[pymethods]
        impl $name {
            $($methods)*

            /// Ends the epoch.
            fn end_epoch(&self, py: Python<'_>) {
                self.0.tell(py, <$recorder>::end_epoch);
            }

            /// Number of examples.
            #[getter]
            fn examples(&self, py: Python<'_>) -> usize {
                self.0.read(py, |$one| $part.examples())
            }

            /// Finished epochs.
            #[getter]
            fn epochs(&self, py: Python<'_>) -> u32 {
                self.0.read(py, |$one| $part.epochs())
            }

            /// Examples recorded since the last epoch ended.
            #[getter]
            fn unfinished(&self, py: Python<'_>) -> usize {
                self.0.read(py, |$one| $part.unfinished())
            }

            /// Examples that each finished epoch missed.
            fn unseen<'py>(&self, py: Python<'py>) -> Bound<'py, numpy::PyArray1<u32>> {
                let unseen = self.0.read(py, |$one| $part.unseen().to_vec());
                numpy::IntoPyArray::into_pyarray(unseen, py)
            }

            /// Epochs that have scores of one forward pass.
            #[getter]
            fn scored_epochs(&self, py: Python<'_>) -> Vec<u32> {
                self.0.read(py, |$one| $part.scored_epochs())
            }
        }
    };
}
pub(crate) use recorder;

/// The same around a recorder of the core: ranks join, and there is a state.
macro_rules! core_recorder {
    ($(#[$about:meta])* $name:ident($recorder:ty), |$one:ident| $part:expr, { $($methods:tt)* }) => {
        $crate::shared::recorder! {
            $(#[$about])*
            $name($recorder), |$one| $part, {
                $($methods)*

                /// Adds what other ranks of the same training recorded, all of them or, on an error, none;
                /// gives the presentations that more than one had.
                fn merge_ranks(&self, py: Python<'_>, ranks: Vec<Bound<'_, Self>>) -> PyResult<u64> {
                    self.0.merge_ranks(py, &Self::parts(&ranks))
                }

                /// Everything, as arrays by name.
                fn state<'py>(
                    &self,
                    py: Python<'py>,
                ) -> PyResult<Bound<'py, pyo3::types::PyDict>> {
                    self.0.state(py)
                }

                /// The recorder that wrote a state.
                #[staticmethod]
                fn of_state(state: &Bound<'_, pyo3::types::PyDict>) -> PyResult<Self> {
                    $crate::shared::Shared::of_state(state).map(Self)
                }
            }
        }

        impl $name {
            fn parts<'a>(
                all: &'a [Bound<'_, Self>],
            ) -> Vec<&'a $crate::shared::Shared<$recorder>> {
                all.iter().map(|one| &one.get().0).collect()
            }
        }
    };
}
pub(crate) use core_recorder;

/// The same around a recorder of losses, and of what it knows beside.
macro_rules! loss_recorder {
    ($(#[$about:meta])* $name:ident($recorder:ty), |$one:ident| $part:expr, { $($methods:tt)* }) => {
        $crate::shared::core_recorder! {
            $(#[$about])*
            $name($recorder), |$one| $part, {
                $($methods)*

                /// The loss down to which an example counts as learned.
                #[getter]
                fn threshold(&self, py: Python<'_>) -> Option<f32> {
                    self.0.read(py, |$one| $part.threshold())
                }

                /// Whether there are losses of a reference model.
                #[getter]
                fn has_reference(&self, py: Python<'_>) -> bool {
                    self.0.read(py, |$one| $part.reference().is_some())
                }

                /// Names of the values that come beside the losses.
                #[getter]
                fn beside(&self, py: Python<'_>) -> Vec<String> {
                    self.0.read(py, |$one| $crate::shared::names($part.beside()))
                }
            }
        }
    };
}
pub(crate) use loss_recorder;

/// What a recorder of losses is made with, beside its size.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Options {
    pub keep_at: Vec<u32>,
    pub mergeable: bool,
    pub threshold: Option<f32>,
}

/// A recorder of losses, whatever it knows beside, with [`Options`] and the losses of a reference model.
macro_rules! with_options {
    ($recorder:expr, $options:expr, $reference:expr) => {{
        let options: $crate::shared::Options = $options;
        let mut recorder = $recorder.keep_at(&options.keep_at);
        if !options.mergeable {
            recorder = recorder.single_rank();
        }
        if let Some(threshold) = options.threshold {
            recorder = recorder.with_threshold(threshold).or_raise()?;
        }
        if let Some(losses) = $crate::shared::reference_losses($reference)? {
            recorder = recorder.with_reference(losses).or_raise()?;
        }
        recorder
    }};
}
pub(crate) use with_options;

/// The losses of a reference model.
pub fn reference_losses(given: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Vec<f32>>> {
    let Some(given) = given else { return Ok(None) };
    Ok(Some(Floats::of(given, "reference", 1)?.slice()?.to_f32().into_owned()))
}

/// Names of measures.
pub fn names(measures: &[Measure]) -> Vec<String> {
    measures.iter().map(Measure::to_string).collect()
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
