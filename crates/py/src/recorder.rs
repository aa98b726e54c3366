//! The recorder of logits that a training loop feeds.

use datadiet_core::{Kept, ScoreError, TrajectoryRecorder};
use datadiet_table::{Recorded, ScoreTable};
use pyo3::prelude::*;

use crate::arrays::{Floats, Wholes, with_matrix};
use crate::errors::OrRaise;
use crate::shared::{Shared, check_memory, core_recorder, scores, time};
use crate::table::Table;

core_recorder! {
    /// Records the scores of one training.
    Recorder(TrajectoryRecorder), |recorder| recorder, {
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

        /// Number of classes.
        #[getter]
        fn classes(&self, py: Python<'_>) -> usize {
            self.0.read(py, TrajectoryRecorder::classes)
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

        /// The table of some replicas: independent trainings, each with its recorder. `pass_` says
        /// which pass of the network their logits are of.
        #[staticmethod]
        fn table(py: Python<'_>, replicas: Vec<Bound<'_, Self>>, pass_: &str) -> PyResult<Table> {
            let replicas = Shared::copies(py, &Self::parts(&replicas));
            let labels = common_labels(&replicas).or_raise()?;
            let made = py.detach(|| {
                let all: Vec<Recorded> = replicas.iter().map(record).collect();
                ScoreTable::recorded(&all, labels.as_deref(), pass_)
            });
            Ok(made.or_raise()?.into())
        }
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
