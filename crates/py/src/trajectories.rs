//! Scores of training dynamics from whole trajectories, T × n × K.
//!
//! Logits go to `datadiet_core::fast`. Probabilities go to recorders: examples do not touch each
//! other, so they are shared out over the cores, and each thread walks its examples through the
//! epochs.

use datadiet_core::fast::{EpochError, Matrix, TrajectoryScores};
use datadiet_core::{ExampleId, Forgetting, ScoreError, ScoreKind, Source, TrajectoryRecorder};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use rayon::prelude::*;

use crate::arrays::{FloatSlice, Floats, Wholes, with_numbers};
use crate::errors::{Detail, IntoPython, exception, with_place};

/// Examples that one thread takes at a time.
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
    let cube = Cube { values, epochs, examples, classes, labels };
    let columns = py.detach(|| if probabilities { cube.of_probs() } else { cube.of_logits() });
    let columns = columns.map_err(in_epoch)?;
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
) -> PyResult<[Bound<'py, PyArray1<f32>>; 2]> {
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
    Ok([tracker.events().into_pyarray(py), tracker.never_learned().into_pyarray(py)])
}

type Columns = Vec<(ScoreKind, Vec<f32>)>;

/// What is walked through.
struct Cube<'a> {
    values: FloatSlice<'a>,
    epochs: usize,
    examples: usize,
    classes: usize,
    labels: &'a [u32],
}

/// The error's own exception, with the epoch before its message and as `epoch`.
fn in_epoch(error: EpochError) -> PyErr {
    let place = format!("epoch {}", error.epoch);
    with_place(error.source.into_python(), &place, "epoch", &Detail::Whole(error.epoch))
}

impl Cube<'_> {
    fn of_logits(&self) -> Result<Columns, EpochError> {
        let size = self.examples * self.classes;
        let scores = with_numbers!(self.values, |values| {
            let epoch =
                |epoch: usize| Matrix::new(&values[epoch * size..(epoch + 1) * size], self.classes);
            TrajectoryScores::from_logits(
                &(0..self.epochs).map(epoch).collect::<Vec<_>>(),
                self.labels,
            )
        })?;
        let column = |&kind: &ScoreKind| Some((kind, scores.column(kind)?.to_vec()));
        Ok(ScoreKind::ALL.iter().filter_map(column).collect())
    }

    fn of_probs(&self) -> Result<Columns, EpochError> {
        if self.epochs == 0 {
            let unseen = |&kind: &ScoreKind| (kind, vec![f32::NAN; self.examples]);
            let of_probs = |kind: &&ScoreKind| is_tracked(**kind) && **kind != ScoreKind::Aum;
            return Ok(ScoreKind::ALL.iter().filter(of_probs).map(unseen).collect());
        }
        let starts: Vec<usize> = (0..self.examples).step_by(CHUNK).collect();
        let parts: Vec<Columns> =
            starts.par_iter().map(|&first| self.part(first)).collect::<Result<_, _>>()?;
        let mut parts = parts.into_iter();
        // The recorder of no examples still names its columns.
        let mut all = parts.next().map_or_else(|| self.part(0), Ok)?;
        for part in parts {
            for ((_, column), (_, more)) in all.iter_mut().zip(part) {
                column.extend(more);
            }
        }
        Ok(all)
    }

    /// The columns of some examples.
    fn part(&self, first: usize) -> Result<Columns, EpochError> {
        let count = CHUNK.min(self.examples - first);
        let mut recorder = TrajectoryRecorder::new(count, self.classes).single_rank();
        for epoch in 1..=self.epochs {
            let labels = &self.labels[first..first + count];
            let seen = recorder.update_probs(&ids(count), &self.rows(epoch, first, count), labels);
            seen.map_err(|error| self.located(epoch, error))?;
            recorder.end_epoch();
        }
        let columns = recorder.columns().into_iter().map(|(kind, _, column)| (kind, column));
        Ok(columns.filter(|(kind, _)| is_tracked(*kind)).collect())
    }

    fn rows(&self, epoch: usize, first: usize, count: usize) -> std::borrow::Cow<'_, [f32]> {
        let start = ((epoch - 1) * self.examples + first) * self.classes;
        self.values.part(start..start + count * self.classes).to_f32()
    }

    /// The error of a whole epoch, whose rows count from its first example.
    fn located(&self, epoch: usize, error: ScoreError) -> EpochError {
        let rows = self.rows(epoch, 0, self.examples);
        let mut recorder = TrajectoryRecorder::new(self.examples, self.classes);
        let found = recorder.update_probs(&ids(self.examples), &rows, self.labels);
        EpochError { epoch, source: found.err().unwrap_or(error) }
    }
}

/// Whether the score is one of training dynamics.
fn is_tracked(kind: ScoreKind) -> bool {
    kind.source() == Source::TrainingMinibatches
}

fn ids(count: usize) -> Vec<ExampleId> {
    (0..count as u32).map(ExampleId).collect()
}
