//! The recorder of losses that a training loop feeds.

use std::borrow::Cow;

use datadiet_core::{LossRecorder as Losses, Measure, ScoreError, Task};
use datadiet_table::{Recorded, ScoreTable};
use numpy::{IntoPyArray, PyArray1, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, Wholes};
use crate::errors::{IntoPython, OrRaise, exception};
use crate::shared::{Shared, check_memory, scores};
use crate::table::Table;

/// Records the losses of one training.
#[pyclass(frozen, module = "datadiet._datadiet")]
pub struct LossRecorder(Shared<Losses>);

#[pymethods]
impl LossRecorder {
    /// A recorder of n examples that keeps the losses of some epochs.
    #[new]
    fn new(
        examples: usize,
        keep_at: Vec<u32>,
        mergeable: bool,
        threshold: Option<f32>,
        reference: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        check_memory(examples, examples.saturating_mul(Losses::BYTES), "")?;
        let mut recorder = Losses::new(examples).keep_at(&keep_at);
        if !mergeable {
            recorder = recorder.single_rank();
        }
        if let Some(threshold) = threshold {
            recorder = recorder.with_threshold(threshold).or_raise()?;
        }
        if let Some(reference) = reference {
            let losses = Floats::of(reference, "reference", 1)?;
            recorder = recorder.with_reference(losses.slice()?.to_f32().into_owned()).or_raise()?;
        }
        Ok(Self(Shared::new(recorder)))
    }

    /// Records a batch, with values beside its losses and their names; all of it or nothing.
    fn update(
        &self,
        py: Python<'_>,
        ids: &Bound<'_, PyAny>,
        losses: &Bound<'_, PyAny>,
        names: Vec<String>,
        beside: Vec<Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let ids = Wholes::ids(ids)?.to_ids()?;
        let losses = one_each(losses, "losses", ids.len())?;
        let beside: Vec<Floats<'_>> = names
            .iter()
            .zip(&beside)
            .map(|(name, values)| one_each(values, name, ids.len()))
            .collect::<PyResult<_>>()?;
        let losses = losses.slice()?.to_f32();
        let beside: Vec<Cow<'_, [f32]>> =
            beside.iter().map(|values| Ok(values.slice()?.to_f32())).collect::<PyResult<_>>()?;
        let beside: Vec<&[f32]> = beside.iter().map(AsRef::as_ref).collect();
        let done = self.0.tell(py, |recorder| {
            if let Some(measures) = measures(recorder, &names)? {
                recorder.set_beside(&measures)?;
            }
            recorder.update(&ids, &losses, &beside)
        });
        done.or_raise()
    }

    /// Ends the epoch.
    fn end_epoch(&self, py: Python<'_>) {
        self.0.tell(py, Losses::end_epoch);
    }

    /// Number of examples.
    #[getter]
    fn examples(&self, py: Python<'_>) -> usize {
        self.0.read(py, Losses::examples)
    }

    /// Finished epochs.
    #[getter]
    fn epochs(&self, py: Python<'_>) -> u32 {
        self.0.read(py, Losses::epochs)
    }

    /// Examples recorded since the last epoch ended.
    #[getter]
    fn unfinished(&self, py: Python<'_>) -> usize {
        self.0.read(py, Losses::unfinished)
    }

    /// Examples that each finished epoch missed.
    fn unseen<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
        self.0.read(py, |recorder| recorder.unseen().to_vec()).into_pyarray(py)
    }

    /// Epochs whose losses have columns.
    #[getter]
    fn scored_epochs(&self, py: Python<'_>) -> Vec<u32> {
        self.0.read(py, Losses::scored_epochs)
    }

    /// The loss down to which an example counts as learned.
    #[getter]
    fn threshold(&self, py: Python<'_>) -> Option<f32> {
        self.0.read(py, Losses::threshold)
    }

    /// Whether there are losses of a reference model.
    #[getter]
    fn has_reference(&self, py: Python<'_>) -> bool {
        self.0.read(py, |recorder| recorder.reference().is_some())
    }

    /// Names of the values that come beside the losses.
    #[getter]
    fn beside(&self, py: Python<'_>) -> Vec<String> {
        self.0.read(py, |recorder| recorder.beside().iter().map(Measure::to_string).collect())
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
    /// which pass of the network their losses are of.
    #[staticmethod]
    fn table(py: Python<'_>, replicas: Vec<Bound<'_, Self>>, pass_: &str) -> PyResult<Table> {
        let all: Vec<&Shared<_>> = replicas.iter().map(|replica| &replica.get().0).collect();
        let replicas = Shared::copies(py, &all);
        let made = py.detach(|| {
            let record = |one: &Losses| Recorded { scores: scores(one), predicted: Vec::new() };
            let all: Vec<Recorded> = replicas.iter().map(record).collect();
            ScoreTable::recorded_of(Task::Loss, &all, None, 0, pass_)
        });
        Ok(made.or_raise()?.into())
    }
}

/// The losses of a batch, or values beside them. Of the right number of axes they may be of the wrong number
/// all the same, which the recorder says.
pub fn one_each<'py>(array: &Bound<'py, PyAny>, what: &str, ids: usize) -> PyResult<Floats<'py>> {
    let shape = array.cast::<PyUntypedArray>()?.shape();
    match shape {
        [_] => Floats::of(array, what, 1),
        [] => Err(ScoreError::BatchLoss { ids }.into_python()),
        _ => {
            let text = format!(
                "{what} of shape {shape:?}; pass one for each example: of tokens, boxes or pixels take the \
                 mean (or the sum) over each example first, such as losses.flatten(1).mean(1)"
            );
            Err(exception("ShapeError", &text, &[]))
        }
    }
}

/// The measures of values beside the losses, of these names; none where the recorder has them already, which is
/// found out without making them anew.
pub fn measures(recorder: &Losses, names: &[String]) -> Result<Option<Vec<Measure>>, ScoreError> {
    let known = recorder.beside();
    let is = |(measure, name): (&Measure, &String)| {
        let (kind, part) =
            name.split_once(':').map_or((name.as_str(), None), |(a, b)| (a, Some(b)));
        measure.kind().name() == kind && measure.part_name() == part
    };
    if known.len() == names.len() && known.iter().zip(names).all(is) {
        return Ok(None);
    }
    names.iter().map(|name| name.parse()).collect::<Result<_, _>>().map(Some)
}
