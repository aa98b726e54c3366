//! The recorder of logits that a training loop feeds.

use datadiet_core::{Kept, ScoreError, TrajectoryRecorder};
use datadiet_table::{Recorded, ScoreTable};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, Wholes, with_matrix};
use crate::errors::OrRaise;
use crate::shared::{Shared, check_memory, scores, time};
use crate::table::Table;

/// Records the scores of one training.
#[pyclass(frozen, module = "datadiet._datadiet")]
pub struct Recorder(Shared<TrajectoryRecorder>);

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
        let less = if class_means { "pass class_means=False, " } else { "" };
        let bytes = TrajectoryRecorder::bytes(examples, classes, class_means);
        check_memory(examples, bytes, less)?;
        let recorder =
            TrajectoryRecorder::keeping(examples, classes, class_means).keep_at(&keep_at);
        Ok(Self(Shared::new(if mergeable { recorder } else { recorder.single_rank() })))
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
        let done = self.0.tell(py, |recorder| {
            with_matrix!(values, columns, probabilities, |outputs| {
                recorder.update(&ids, outputs, labels)
            })
        });
        done.or_raise()
    }

    /// Ends the epoch.
    fn end_epoch(&self, py: Python<'_>) {
        self.0.tell(py, TrajectoryRecorder::end_epoch);
    }

    /// Number of examples.
    #[getter]
    fn examples(&self, py: Python<'_>) -> usize {
        self.0.read(py, TrajectoryRecorder::examples)
    }

    /// Number of classes.
    #[getter]
    fn classes(&self, py: Python<'_>) -> usize {
        self.0.read(py, TrajectoryRecorder::classes)
    }

    /// Finished epochs.
    #[getter]
    fn epochs(&self, py: Python<'_>) -> u32 {
        self.0.read(py, TrajectoryRecorder::epochs)
    }

    /// Examples recorded since the last epoch ended.
    #[getter]
    fn unfinished(&self, py: Python<'_>) -> usize {
        self.0.read(py, TrajectoryRecorder::unfinished)
    }

    /// Examples that each finished epoch missed.
    fn unseen<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        self.0.read(py, |recorder| recorder.unseen().to_vec()).into_pyarray(py)
    }

    /// Epochs that have scores of one forward pass.
    #[getter]
    fn scored_epochs(&self, py: Python<'_>) -> Vec<u32> {
        self.0.read(py, TrajectoryRecorder::scored_epochs)
    }

    /// Whether all rows came as logits.
    #[getter]
    fn only_logits(&self, py: Python<'_>) -> bool {
        self.0.read(py, TrajectoryRecorder::only_logits)
    }

    /// Whether numbers of each class are kept.
    #[getter]
    fn class_means(&self, py: Python<'_>) -> bool {
        self.0.read(py, |recorder| recorder.kept().classes)
    }

    /// Whether there is all that windows need.
    #[getter]
    fn windows(&self, py: Python<'_>) -> bool {
        self.0.read(py, |recorder| recorder.kept().windows)
    }

    /// Whether no example was recorded on several ranks.
    #[getter]
    fn in_order(&self, py: Python<'_>) -> bool {
        self.0.read(py, TrajectoryRecorder::in_order)
    }

    /// Adds what other ranks of the same training recorded, all of them or, on an error, none; gives
    /// the presentations that more than one had.
    fn merge_ranks(&self, py: Python<'_>, ranks: Vec<Bound<'_, Self>>) -> PyResult<u64> {
        let ranks: Vec<&Shared<_>> = ranks.iter().map(|rank| &rank.get().0).collect();
        self.0.merge_ranks(py, &ranks)
    }

    /// Everything, as arrays by name.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.0.state(py)
    }

    /// The recorder that wrote a state.
    #[staticmethod]
    fn of_state(state: &Bound<'_, PyDict>) -> PyResult<Self> {
        Shared::of_state(state).map(Self)
    }

    /// The table of some replicas: independent trainings, each with its recorder. `pass_` says
    /// which pass of the network their logits are of.
    #[staticmethod]
    fn table(py: Python<'_>, replicas: Vec<Bound<'_, Self>>, pass_: &str) -> PyResult<Table> {
        let all: Vec<&Shared<_>> = replicas.iter().map(|replica| &replica.get().0).collect();
        let replicas = Shared::copies(py, &all);
        let labels = common_labels(&replicas).or_raise()?;
        let classes = replicas.first().map_or(0, TrajectoryRecorder::classes);
        let made = py.detach(|| {
            let all: Vec<Recorded> = replicas.iter().map(record).collect();
            ScoreTable::recorded(&all, labels.as_deref(), classes, pass_)
        });
        Ok(made.or_raise()?.into())
    }
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
    let predicted = replica.predicted().into_iter();
    Recorded {
        scores: scores(replica),
        predicted: predicted.map(|(epoch, classes)| (time(epoch), classes)).collect(),
    }
}
