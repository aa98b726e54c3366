//! The recorder that a training loop feeds.
//!
//! It is behind a lock that is never waited for with Python's lock in hand: threads may feed one
//! recorder, and their order does not matter to any score, since an example is presented once an
//! epoch. A thread waits for a recorder with at most one other in hand, and then none else does so
//! ([`MERGING`]), so that no two wait for each other.

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datadiet_core::{Kept, ScoreError, StateColumn, TrajectoryRecorder};
use datadiet_table::{Recorded, ScoreTable, TimePoint};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, Wholes, with_matrix};
use crate::errors::OrRaise;
use crate::table::Table;

/// Held by the one merge of ranks that is under way: it holds two recorders at once.
pub static MERGING: Mutex<()> = Mutex::new(());

/// Records the scores of one training.
#[pyclass(frozen, module = "datadiet._datadiet")]
pub struct Recorder(Mutex<TrajectoryRecorder>);

#[pymethods]
impl Recorder {
    /// A recorder of n examples and K classes that keeps the scores of some epochs, and numbers of each
    /// class if it is told so or, where nobody says, if they are few.
    #[new]
    fn new(
        examples: usize,
        classes: usize,
        keep_at: Vec<u32>,
        mergeable: bool,
        class_means: Option<bool>,
    ) -> PyResult<Self> {
        let class_means = class_means.unwrap_or(Kept::within(examples, classes).classes);
        check_memory(examples, classes, class_means)?;
        let recorder =
            TrajectoryRecorder::keeping(examples, classes, class_means).keep_at(&keep_at);
        Ok(Self(Mutex::new(if mergeable { recorder } else { recorder.single_rank() })))
    }

    /// Records a batch; all of it or nothing.
    fn update(
        &self,
        py: Python<'_>,
        ids: &Bound<'_, PyAny>,
        matrix: &Bound<'_, PyAny>,
        labels: &Bound<'_, PyAny>,
        probabilities: bool,
    ) -> PyResult<()> {
        let matrix = Floats::of(matrix, if probabilities { "probs" } else { "logits" }, 2)?;
        let (ids, labels) = (Wholes::ids(ids)?.to_ids()?, Wholes::labels(labels)?);
        let (values, labels, columns) = (matrix.slice()?, labels.slice()?, matrix.shape()[1]);
        let done = py.detach(|| {
            with_matrix!(values, columns, probabilities, |outputs| {
                self.lock().update(&ids, outputs, labels)
            })
        });
        done.or_raise()
    }

    /// Ends the epoch.
    fn end_epoch(&self, py: Python<'_>) {
        py.detach(|| self.lock().end_epoch());
    }

    /// Number of examples.
    #[getter]
    fn examples(&self, py: Python<'_>) -> usize {
        py.detach(|| self.lock().examples())
    }

    /// Number of classes.
    #[getter]
    fn classes(&self, py: Python<'_>) -> usize {
        py.detach(|| self.lock().classes())
    }

    /// Finished epochs.
    #[getter]
    fn epochs(&self, py: Python<'_>) -> u32 {
        py.detach(|| self.lock().epochs())
    }

    /// Examples recorded since the last epoch ended.
    #[getter]
    fn unfinished(&self, py: Python<'_>) -> usize {
        py.detach(|| self.lock().unfinished())
    }

    /// Examples that each finished epoch missed.
    fn unseen<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        py.detach(|| self.lock().unseen().to_vec()).into_pyarray(py)
    }

    /// Epochs that have scores of one forward pass.
    #[getter]
    fn scored_epochs(&self, py: Python<'_>) -> Vec<u32> {
        py.detach(|| self.lock().scored_epochs())
    }

    /// Whether all rows came as logits.
    #[getter]
    fn only_logits(&self, py: Python<'_>) -> bool {
        py.detach(|| self.lock().only_logits())
    }

    /// Whether numbers of each class are kept.
    #[getter]
    fn class_means(&self, py: Python<'_>) -> bool {
        py.detach(|| self.lock().kept().classes)
    }

    /// Whether there is all that windows need.
    #[getter]
    fn windows(&self, py: Python<'_>) -> bool {
        py.detach(|| self.lock().kept().windows)
    }

    /// Whether no example was recorded on several ranks.
    #[getter]
    fn in_order(&self, py: Python<'_>) -> bool {
        py.detach(|| self.lock().in_order())
    }

    /// Adds what other ranks of the same training recorded, all of them or, on an error, none; gives
    /// the presentations that more than one had.
    fn merge_ranks(&self, py: Python<'_>, ranks: Vec<Bound<'_, Self>>) -> PyResult<u64> {
        let ranks: Vec<&Mutex<TrajectoryRecorder>> =
            ranks.iter().map(|rank| &rank.get().0).collect();
        let merged = py.detach(|| {
            let _alone = MERGING.lock().unwrap_or_else(PoisonError::into_inner);
            let mut own = self.lock();
            let mut merged = own.clone();
            let mut repeated = 0;
            for rank in ranks {
                repeated += if ptr::eq(rank, &self.0) {
                    merged.merge_ranks(&own)?
                } else {
                    merged.merge_ranks(&locked(rank))?
                };
            }
            *own = merged;
            Ok::<_, ScoreError>(repeated)
        });
        merged.or_raise()
    }

    /// Everything, as arrays by name.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        state_arrays(py, py.detach(|| self.lock().state()))
    }

    /// The recorder that wrote a state.
    #[staticmethod]
    fn of_state(state: &Bound<'_, PyDict>) -> PyResult<Self> {
        let column = |name: &str| column(&state.get_item(name).ok()??);
        Ok(Self(Mutex::new(TrajectoryRecorder::from_state(column).or_raise()?)))
    }

    /// The table of some replicas: independent trainings, each with its recorder. `pass_` says
    /// which pass of the network their logits are of.
    #[staticmethod]
    fn table(py: Python<'_>, replicas: Vec<Bound<'_, Self>>, pass_: &str) -> PyResult<Table> {
        let replicas: Vec<TrajectoryRecorder> = {
            let all: Vec<&Mutex<TrajectoryRecorder>> =
                replicas.iter().map(|replica| &replica.get().0).collect();
            py.detach(|| all.iter().map(|replica| locked(replica).clone()).collect())
        };
        let labels = common_labels(&replicas).or_raise()?;
        let classes = replicas.first().map_or(0, TrajectoryRecorder::classes);
        let made = py.detach(|| {
            let all: Vec<Recorded> = replicas.iter().map(record).collect();
            ScoreTable::recorded(&all, labels.as_deref(), classes, pass_)
        });
        Ok(made.or_raise()?.into())
    }
}

impl Recorder {
    fn lock(&self) -> MutexGuard<'_, TrajectoryRecorder> {
        locked(&self.0)
    }
}

/// A panic leaves the recorder as the last whole update did: an update checks before it writes.
fn locked(recorder: &Mutex<TrajectoryRecorder>) -> MutexGuard<'_, TrajectoryRecorder> {
    recorder.lock().unwrap_or_else(PoisonError::into_inner)
}

/// There is room for a recorder of so many examples: all of it is asked for at once and given back,
/// since the parts of a recorder cannot say that they found none.
fn check_memory(examples: usize, classes: usize, class_means: bool) -> PyResult<()> {
    let bytes = TrajectoryRecorder::bytes(examples, classes, class_means);
    Vec::<u8>::new().try_reserve_exact(bytes).map_err(|_| {
        let less = if class_means { "pass class_means=False, " } else { "" };
        PyMemoryError::new_err(format!(
            "a recorder of {examples} examples takes {bytes} bytes, which there are not; {less}record fewer \
             examples, or on a larger machine"
        ))
    })
}

/// The columns of a state as arrays by name.
pub fn state_arrays(
    py: Python<'_>,
    state: Vec<(String, StateColumn)>,
) -> PyResult<Bound<'_, PyDict>> {
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

/// An array of a state.
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

/// The labels that the replicas agree on; none where an example was never seen by any.
fn common_labels(replicas: &[TrajectoryRecorder]) -> Result<Option<Vec<u32>>, ScoreError> {
    let mut replicas = replicas.iter().map(TrajectoryRecorder::labels);
    let Some(mut labels) = replicas.next() else { return Ok(None) };
    for more in replicas {
        for (id, (known, now)) in (0..).zip(labels.iter_mut().zip(more)) {
            match (*known, now) {
                (Some(before), Some(now)) if before != now => {
                    return Err(ScoreError::LabelChanged { id, before, now });
                }
                (None, _) => *known = now,
                _ => {}
            }
        }
    }
    Ok(labels.into_iter().collect())
}

fn record(replica: &TrajectoryRecorder) -> Recorded {
    let time = |epoch: u32| TimePoint { epochs: f64::from(epoch), step: u64::from(epoch) };
    let scores = replica.columns().into_iter();
    let predicted = replica.predicted().into_iter();
    Recorded {
        scores: scores.map(|(kind, epoch, column)| (kind, time(epoch), column)).collect(),
        predicted: predicted.map(|(epoch, classes)| (time(epoch), classes)).collect(),
    }
}
