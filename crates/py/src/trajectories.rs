//! Scores of training dynamics from whole trajectories, T × n × K.
//!
//! Examples do not touch each other, so they are shared out over the cores; each thread walks its
//! examples through the epochs with the trackers of `datadiet-core`.

use datadiet_core::{
    ExampleId, Forgetting, ScoreError, ScoreKind, TrainingDynamics, TrajectoryRecorder,
};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::prelude::*;

use crate::arrays::{FloatSlice, Floats, Wholes};
use crate::errors::{Detail, IntoPython, exception, with_place};

/// Examples that one thread takes at a time: their logits of one epoch fit its cache.
const CHUNK: usize = 1 << 10;

/// The six scores of training dynamics, by name; no AUM from probabilities.
#[pyfunction]
pub fn trajectory_scores<'py>(
    py: Python<'py>,
    cube: &Bound<'py, PyAny>,
    labels: &Bound<'py, PyAny>,
    probabilities: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let cube = Floats::of(cube, if probabilities { "probs" } else { "logits" }, 3)?;
    let labels = Wholes::labels(labels)?;
    let labels = labels.slice()?;
    let &[epochs, examples, classes] = cube.shape() else { unreachable!("three axes") };
    if examples != labels.len() {
        let text = format!("{} labels for {examples} examples; pass one for each", labels.len());
        return Err(exception("ShapeError", &text, &[]));
    }
    let values = cube.slice()?;
    let walk = Walk { values, epochs, examples, classes, labels, probabilities };
    let columns = py.detach(|| walk.columns()).map_err(|failed| failed.into_python())?;
    let given = PyDict::new(py);
    for (kind, column) in columns {
        given.set_item(kind.name(), column.into_pyarray(py))?;
    }
    Ok(given)
}

/// Forgetting events and never-learned marks from T × n predictions that were right or wrong.
#[pyfunction]
pub fn forgetting_of_correct<'py>(
    py: Python<'py>,
    correct: PyReadonlyArray2<'py, bool>,
) -> PyResult<(Bound<'py, PyArray1<f32>>, Bound<'py, PyArray1<f32>>)> {
    let examples = correct.as_array().ncols();
    let correct = correct.as_slice()?;
    let tracker = py.detach(|| {
        let mut tracker = Forgetting::new(examples);
        for epoch in correct.chunks_exact(examples.max(1)) {
            for (id, &correct) in (0..).zip(epoch) {
                tracker.observe(ExampleId(id), correct);
            }
        }
        tracker
    });
    Ok((tracker.events().into_pyarray(py), tracker.never_learned().into_pyarray(py)))
}

type Columns = Vec<(ScoreKind, Vec<f32>)>;

/// What is walked through.
struct Walk<'a> {
    values: FloatSlice<'a>,
    epochs: usize,
    examples: usize,
    classes: usize,
    labels: &'a [u32],
    probabilities: bool,
}

/// An error, and the epoch in which it was found.
struct Failed {
    epoch: usize,
    error: ScoreError,
}

impl Failed {
    fn into_python(self) -> PyErr {
        let place = format!("epoch {} (from 0)", self.epoch);
        with_place(self.error.into_python(), &place, "epoch", &Detail::Whole(self.epoch))
    }
}

impl Walk<'_> {
    fn columns(&self) -> Result<Columns, Failed> {
        let starts: Vec<usize> = (0..self.examples).step_by(CHUNK).collect();
        let parts: Vec<Columns> =
            starts.par_iter().map(|&first| self.part(first)).collect::<Result<_, _>>()?;
        let mut parts = parts.into_iter();
        // No examples: the trackers of none still name their columns.
        let mut all = parts.next().map_or_else(|| self.part(0), Ok)?;
        for part in parts {
            for ((_, column), (_, more)) in all.iter_mut().zip(part) {
                column.extend(more);
            }
        }
        Ok(all)
    }

    /// The columns of some examples.
    fn part(&self, first: usize) -> Result<Columns, Failed> {
        let count = CHUNK.min(self.examples - first);
        let ids: Vec<ExampleId> = (0..count as u32).map(ExampleId).collect();
        let labels = &self.labels[first..first + count];
        let rows = |epoch: usize| {
            let start = (epoch * self.examples + first) * self.classes;
            self.values.part(start..start + count * self.classes).to_f32()
        };
        if self.probabilities {
            let mut recorder = TrajectoryRecorder::new(count, self.classes);
            for epoch in 0..self.epochs {
                let seen = recorder.update_probs(&ids, &rows(epoch), labels);
                seen.map_err(|error| self.located(epoch, error))?;
                recorder.end_epoch();
            }
            let last = recorder.columns().into_iter();
            Ok(last.map(|(kind, _, column)| (kind, column)).filter(is_dynamic).collect())
        } else {
            let mut trackers = TrainingDynamics::new(count, self.classes);
            for epoch in 0..self.epochs {
                let seen = trackers.observe(&ids, &rows(epoch), labels);
                seen.map_err(|error| self.located(epoch, error))?;
            }
            let columns = ScoreKind::ALL.iter().map(|&kind| Some((kind, trackers.column(kind)?)));
            Ok(columns.flatten().collect())
        }
    }

    /// The error of a whole epoch, whose rows count from its first example.
    fn located(&self, epoch: usize, error: ScoreError) -> Failed {
        let ids: Vec<ExampleId> = (0..self.examples as u32).map(ExampleId).collect();
        let start = epoch * self.examples * self.classes;
        let rows = self.values.part(start..start + self.examples * self.classes).to_f32();
        let found = if self.probabilities {
            let mut recorder = TrajectoryRecorder::new(self.examples, self.classes);
            recorder.update_probs(&ids, &rows, self.labels)
        } else {
            TrainingDynamics::new(self.examples, self.classes).observe(&ids, &rows, self.labels)
        };
        Failed { epoch, error: found.err().unwrap_or(error) }
    }
}

fn is_dynamic((kind, column): &(ScoreKind, Vec<f32>)) -> bool {
    let dynamic = kind.source() == datadiet_core::Source::TrainingMinibatches;
    // AUM is a mean of logits: of probabilities there is none.
    dynamic && !(*kind == ScoreKind::Aum && column.iter().all(|value| value.is_nan()))
}
