//! The recorder of losses that a training loop feeds.

use std::borrow::Cow;

use datadiet_core::{LossRecorder as Losses, Measure, ScoreError, Task};
use numpy::{PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::arrays::{FloatSlice, Floats, Wholes};
use crate::errors::{IntoPython, OrRaise, exception};
use crate::shared::{Options, Shared, check_memory, loss_recorder, with_options};
use crate::table::Table;

loss_recorder! {
    /// Records the losses of one training.
    LossRecorder(Losses), |recorder| recorder, {
        /// A recorder of n examples.
        #[new]
        fn new(
            examples: usize,
            options: Options,
            reference: Option<&Bound<'_, PyAny>>,
        ) -> PyResult<Self> {
            check_memory(examples, examples.saturating_mul(Losses::BYTES), "")?;
            let recorder = with_options!(Losses::new(examples), options, reference);
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
            let given = Given::of(losses, &names, &beside, ids.len())?;
            let done = given.with(|losses, beside| {
                self.0.tell(py, |recorder| {
                    if let Some(measures) = measures(recorder, &names)? {
                        recorder.set_beside(&measures)?;
                    }
                    recorder.update(&ids, losses, beside)
                })
            })?;
            done.or_raise()
        }

        /// The table of some replicas: independent trainings, each with its recorder. `pass_` says
        /// which pass of the network their losses are of.
        #[staticmethod]
        fn table(py: Python<'_>, replicas: Vec<Bound<'_, Self>>, pass_: &str) -> PyResult<Table> {
            let replicas = Shared::copies(py, &Self::parts(&replicas));
            Ok(Shared::table_of(py, &replicas, Task::Loss, pass_)?.into())
        }
    }
}

/// The losses of a batch, and values beside them.
pub struct Given<'py> {
    losses: Floats<'py>,
    beside: Vec<Floats<'py>>,
}

impl<'py> Given<'py> {
    /// Of arrays of so many ids, and the names of those beside the losses.
    pub fn of(
        losses: &Bound<'py, PyAny>,
        names: &[String],
        beside: &[Bound<'py, PyAny>],
        ids: usize,
    ) -> PyResult<Self> {
        let one = |(name, values): (&String, _)| one_each(values, name, ids);
        let losses = one_each(losses, "losses", ids)?;
        Ok(Self { losses, beside: names.iter().zip(beside).map(one).collect::<PyResult<_>>()? })
    }

    /// What is done with them as 32-bit floats.
    pub fn with<T>(&self, done: impl FnOnce(&[f32], &[&[f32]]) -> T) -> PyResult<T> {
        let losses = self.losses.slice()?.to_f32();
        let slices: Vec<_> = self.beside.iter().map(Floats::slice).collect::<PyResult<_>>()?;
        let beside: Vec<Cow<'_, [f32]>> = slices.into_iter().map(FloatSlice::to_f32).collect();
        let beside: Vec<&[f32]> = beside.iter().map(AsRef::as_ref).collect();
        Ok(done(&losses, &beside))
    }
}

/// The losses of a batch, or values beside them. Of the right number of axes they may be of the wrong number
/// all the same, which the recorder says.
pub fn one_each<'py>(array: &Bound<'py, PyAny>, what: &str, ids: usize) -> PyResult<Floats<'py>> {
    let shape = array.cast::<PyUntypedArray>()?.shape();
    let is_loss = what.starts_with("loss");
    match shape {
        [_] => Floats::of(array, what, 1),
        [] if is_loss => Err(ScoreError::BatchLoss { ids }.into_python()),
        [] => {
            let text = format!(
                "{what} is one number for the whole batch; pass {ids}, one for each example"
            );
            Err(exception("ShapeError", &text, &[]))
        }
        _ if !is_loss => {
            let text = format!("{what} of shape {shape:?}; pass one for each example");
            Err(exception("ShapeError", &text, &[]))
        }
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
