//! The recorder of losses of examples that are not known beforehand: by ids of any kind.
//!
//! A map gives each id the next number when it first comes, a [`LossRecorder`](Losses) records by these.
//! Tables, ranks and replicas are joined by the ids, never by the numbers, which depend on the order.

use std::borrow::Cow;
use std::ptr;
use std::sync::PoisonError;

use datadiet_core::{ExampleId, LossRecorder as Losses, ScoreError, StateColumn, Task};
use datadiet_table::{KeyError, KeyMap, Recorded, ScoreTable};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::Floats;
use crate::errors::{Detail, IntoPython, OrRaise, exception, placed, with_place};
use crate::given_keys::{GivenKeys, KeySlice, OwnedKey};
use crate::loss_recorder::{Given, measures};
use crate::shared::{
    MERGING, Options, Shared, column, names, recorder, scores, to_arrays, with_options,
};
use crate::table::Table;

/// Names of the columns of a state that a recorder by numbers has not.
const KEYS: &str = "keys";
const MEMORY: &str = "keys.memory";
const REFERENCE_KEYS: &str = "keys.reference";
const REFERENCE: &str = "keys.reference.losses";

/// A recorder of losses, the numbers of its ids, and the losses of a reference model by id.
struct Keyed {
    recorder: Losses,
    keys: KeyMap,
    reference: Option<Reference>,
}

/// Losses of a reference model.
struct Reference {
    keys: KeyMap,
    losses: Vec<f32>,
}

/// What goes wrong.
enum Problem {
    Score(ScoreError),
    Keys(KeyError),
    /// A reference of none of the ids recorded: one of each.
    OtherReference {
        recorded: OwnedKey,
        reference: OwnedKey,
    },
    /// A problem of examples, by their ids.
    Examples(ScoreError, Vec<OwnedKey>),
    /// The same of one of the values beside the losses.
    Part(String, Box<Problem>),
}

impl From<ScoreError> for Problem {
    fn from(error: ScoreError) -> Self {
        Self::Score(error)
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        Self::Keys(error)
    }
}

impl Problem {
    /// The ids in place of their numbers.
    fn named(self, keys: &KeyMap) -> Self {
        let of = |ids: &[u32]| ids.iter().map(|&id| keys.key(id).into()).collect();
        match self {
            Self::Score(ScoreError::OfExamples { ids, problem }) => {
                Self::Examples(*problem, of(&ids))
            }
            Self::Score(error @ ScoreError::RepeatedId { id, .. }) => {
                Self::Examples(error, of(&[id]))
            }
            Self::Score(ScoreError::OfPart { part, problem }) => {
                Self::Part(part, Box::new(Self::Score(*problem).named(keys)))
            }
            other => other,
        }
    }
}

impl IntoPython for Problem {
    fn into_python(self) -> PyErr {
        match self {
            Self::Score(error) => error.into_python(),
            Self::Part(part, problem) => placed(problem.into_python(), &part),
            Self::Examples(error @ ScoreError::RepeatedId { row, id, .. }, keys) => {
                let (text, key) = (error.to_string(), &keys[0]);
                let text = text.replacen(&format!("example {id} "), &format!("example {key} "), 1);
                let details = [("row", Detail::Whole(row)), ("id", Detail::Key(key.clone()))];
                exception("IdError", &text, &details)
            }
            Self::Examples(error, keys) => {
                let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
                let place = format!("example(s) [{}]", names.join(", "));
                with_place(error.into_python(), &place, "ids", &Detail::Keys(keys))
            }
            Self::OtherReference { recorded, reference } => {
                let text = format!(
                    "the reference has the loss of no example that was recorded: its ids are such as {reference}, \
                     those recorded such as {recorded}; pass losses by the same ids"
                );
                exception("IdError", &text, &[("id", Detail::Key(recorded))])
            }
            Self::Keys(error @ KeyError::TooMany) => exception("IdError", &error.to_string(), &[]),
            Self::Keys(KeyError::Aside { ref cause, .. }) => {
                let Self::Keys(error) = &self else { unreachable!("as above") };
                std::io::Error::new(cause.kind(), error.to_string()).into()
            }
            Self::Keys(error @ KeyError::Damaged(_)) => {
                exception("StateError", &error.to_string(), &[])
            }
        }
    }
}

impl Keyed {
    /// Ends the epoch.
    fn end_epoch(&mut self) {
        self.recorder.end_epoch();
    }

    /// Records a batch; all of it or nothing.
    fn update(
        &mut self,
        ids: KeySlice<'_>,
        losses: &[f32],
        names: &[String],
        beside: &[&[f32]],
    ) -> Result<(), Problem> {
        let before = self.keys.len();
        let done = self.try_update(ids, losses, names, beside);
        done.map_err(|problem| {
            let problem = problem.named(&self.keys);
            self.recorder.shrink(before);
            self.keys.truncate(before);
            problem
        })
    }

    fn try_update(
        &mut self,
        ids: KeySlice<'_>,
        losses: &[f32],
        names: &[String],
        beside: &[&[f32]],
    ) -> Result<(), Problem> {
        let numbers = ids.iter().map(|key| self.keys.number(key).map(ExampleId));
        let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
        if let Some(measures) = measures(&self.recorder, names)? {
            self.recorder.set_beside(&measures)?;
        }
        self.recorder.grow(self.keys.len());
        Ok(self.recorder.update(&numbers, losses, beside)?)
    }

    /// The recorder with the losses of the reference model that there are.
    ///
    /// # Errors
    /// Of none of the examples there is one.
    fn with_reference(&self) -> Result<Cow<'_, Losses>, Problem> {
        let Some(reference) = &self.reference else { return Ok(Cow::Borrowed(&self.recorder)) };
        let places: Vec<_> = (0..self.keys.len() as u32)
            .map(|number| reference.keys.find(self.keys.key(number)))
            .collect();
        if places.iter().all(Option::is_none) && !places.is_empty() && !reference.losses.is_empty()
        {
            let (recorded, reference) = (self.keys.key(0).into(), reference.keys.key(0).into());
            return Err(Problem::OtherReference { recorded, reference });
        }
        let of =
            |place: Option<u32>| place.map_or(f32::NAN, |place| reference.losses[place as usize]);
        let losses = places.into_iter().map(of).collect();
        Ok(self.recorder.clone().with_reference(losses).map(Cow::Owned)?)
    }

    /// Adds what other ranks recorded, all of them or none; the presentations that more than one had.
    fn merge_ranks(&mut self, ranks: &[&Shared<Self>], own: &Shared<Self>) -> Result<u64, Problem> {
        let before = self.keys.len();
        let mut merged = self.recorder.clone();
        let done = ranks.iter().try_fold(0, |repeated, rank| {
            let again = if ptr::eq(*rank, own) {
                merged.merge_ranks(&self.recorder)?
            } else {
                let rank = rank.lock();
                check_reference(self.reference.as_ref(), rank.reference.as_ref())?;
                let numbers = (0..rank.keys.len() as u32)
                    .map(|number| self.keys.number(rank.keys.key(number)).map(ExampleId))
                    .collect::<Result<Vec<_>, _>>()?;
                merged.grow(self.keys.len());
                merged.merge_ranks(&rank.recorder.renumbered(&numbers, self.keys.len())?)?
            };
            Ok::<_, Problem>(repeated + again)
        });
        match done {
            Ok(_) => self.recorder = merged,
            Err(_) => self.keys.truncate(before),
        }
        done
    }

    fn state(&self) -> Vec<(String, StateColumn)> {
        let mut state = self.recorder.state();
        let mut add = |name: &str, column| state.push((name.to_owned(), column));
        add(KEYS, StateColumn::U8(self.keys.state()));
        add(MEMORY, StateColumn::F64(vec![self.keys.memory() as f64]));
        if let Some(reference) = &self.reference {
            add(REFERENCE_KEYS, StateColumn::U8(reference.keys.state()));
            add(REFERENCE, StateColumn::F32(reference.losses.clone()));
        }
        state
    }

    fn of_state(
        column: impl Fn(&str) -> Option<StateColumn>,
        memory: Option<usize>,
    ) -> Result<Self, Problem> {
        let damaged = |reason| Problem::Keys(KeyError::Damaged(reason));
        let memory = match (memory, column(MEMORY)) {
            (Some(memory), _) => memory,
            (None, Some(StateColumn::F64(saved))) if saved.len() == 1 => saved[0] as usize,
            _ => KeyMap::MEMORY,
        };
        let Some(StateColumn::U8(keys)) = column(KEYS) else {
            return Err(damaged("it has none: it is of a recorder that was made with n_examples"));
        };
        let keys = KeyMap::of_state(&keys, memory)?;
        let reference = match (column(REFERENCE_KEYS), column(REFERENCE)) {
            (Some(StateColumn::U8(keys)), Some(StateColumn::F32(losses))) => {
                let keys = KeyMap::of_state(&keys, memory)?;
                if keys.len() != losses.len() {
                    return Err(damaged(
                        "it has another number of losses of the reference than ids",
                    ));
                }
                Some(Reference { keys, losses })
            }
            (None, None) => None,
            _ => return Err(damaged("its reference is not whole")),
        };
        let recorder = Losses::from_state(column)?;
        if recorder.examples() != keys.len() {
            return Err(damaged("it has another number of ids than of examples"));
        }
        Ok(Self { recorder, keys, reference })
    }
}

/// Both have the same reference, or none.
fn check_reference(mine: Option<&Reference>, theirs: Option<&Reference>) -> Result<(), ScoreError> {
    let same = match (mine, theirs) {
        (None, None) => true,
        (Some(mine), Some(theirs)) => {
            let like = |number| {
                let place = theirs.keys.find(mine.keys.key(number));
                let loss = place.map(|place| theirs.losses[place as usize].to_bits());
                loss == Some(mine.losses[number as usize].to_bits())
            };
            mine.keys.len() == theirs.keys.len() && (0..mine.keys.len() as u32).all(like)
        }
        _ => false,
    };
    if same {
        return Ok(());
    }
    let text = |of: Option<&Reference>| of.map_or("none".to_owned(), |_| "some".to_owned());
    let what = "losses of a reference model";
    Err(ScoreError::DifferentTraining { what, mine: text(mine), theirs: text(theirs) })
}

recorder! {
    /// Records the losses of one training by ids of any kind.
    KeyedLossRecorder(Keyed), |keyed| keyed.recorder, {
        /// A recorder of no examples yet, which holds so many bytes of ids in memory.
        #[new]
        fn new(
            options: Options,
            reference: Option<(Bound<'_, PyAny>, Bound<'_, PyAny>)>,
            memory: Option<usize>,
        ) -> PyResult<Self> {
            let memory = memory.unwrap_or(KeyMap::MEMORY);
            let recorder = with_options!(Losses::new(0), options, None);
            let reference =
                reference.map(|(ids, losses)| reference_of(&ids, &losses, memory)).transpose()?;
            Ok(Self(Shared::new(Keyed { recorder, keys: KeyMap::within(memory), reference })))
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
            let ids = GivenKeys::of(ids)?;
            let ids = ids.slice()?;
            let given = Given::of(losses, &names, &beside, ids.len())?;
            let done = given.with(|losses, beside| {
                self.0.tell(py, |keyed| keyed.update(ids, losses, &names, beside))
            })?;
            done.or_raise()
        }

        /// The loss down to which an example counts as learned.
        #[getter]
        fn threshold(&self, py: Python<'_>) -> Option<f32> {
            self.0.read(py, |keyed| keyed.recorder.threshold())
        }

        /// Whether there are losses of a reference model.
        #[getter]
        fn has_reference(&self, py: Python<'_>) -> bool {
            self.0.read(py, |keyed| keyed.reference.is_some())
        }

        /// Names of the values that come beside the losses.
        #[getter]
        fn beside(&self, py: Python<'_>) -> Vec<String> {
            self.0.read(py, |keyed| names(keyed.recorder.beside()))
        }

        /// Bytes of ids that are held in memory at most.
        #[getter]
        fn memory(&self, py: Python<'_>) -> usize {
            self.0.read(py, |keyed| keyed.keys.memory())
        }

        /// Bytes that the ids take in memory, and in files.
        #[getter]
        fn bytes(&self, py: Python<'_>) -> (usize, usize) {
            self.0.read(py, |keyed| keyed.keys.bytes())
        }

        /// Adds what other ranks of the same training recorded, all of them or, on an error, none; gives
        /// the presentations that more than one had.
        fn merge_ranks(&self, py: Python<'_>, ranks: Vec<Bound<'_, Self>>) -> PyResult<u64> {
            let ranks: Vec<&Shared<Keyed>> = ranks.iter().map(|rank| &rank.get().0).collect();
            let merged = py.detach(|| {
                let _alone = MERGING.lock().unwrap_or_else(PoisonError::into_inner);
                self.0.lock().merge_ranks(&ranks, &self.0)
            });
            merged.or_raise()
        }

        /// Everything, as arrays by name.
        fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
            to_arrays(py, self.0.read(py, Keyed::state))
        }

        /// The recorder that wrote a state; its ids take the memory given, else as much as then.
        #[staticmethod]
        #[pyo3(signature = (state, memory=None))]
        fn of_state(state: &Bound<'_, PyDict>, memory: Option<usize>) -> PyResult<Self> {
            let find = |name: &str| column(&state.get_item(name).ok()??);
            Ok(Self(Shared::new(Keyed::of_state(find, memory).or_raise()?)))
        }

        /// The table of some replicas: independent trainings, each with its recorder, joined by the ids. `pass_`
        /// says which pass of the network their losses are of.
        #[staticmethod]
        fn table(py: Python<'_>, replicas: Vec<Bound<'_, Self>>, pass_: &str) -> PyResult<Table> {
            let replicas: Vec<_> = replicas.iter().map(|replica| &replica.get().0).collect();
            let all = py.detach(|| joined(&replicas)).or_raise()?;
            let (keys, recorded) = all;
            let made = py.detach(|| ScoreTable::recorded_by_key(Task::Loss, keys, &recorded, pass_));
            Ok(made.or_raise()?.into())
        }
    }
}

/// The ids of some replicas in order, and the scores of each in that order.
fn joined(replicas: &[&Shared<Keyed>]) -> Result<(datadiet_table::Keys, Vec<Recorded>), Problem> {
    let mut all: Option<KeyMap> = None;
    let mut parts = Vec::new();
    for replica in replicas {
        let one = replica.lock();
        let all = all.get_or_insert_with(|| KeyMap::within(one.keys.memory()));
        let numbers = (0..one.keys.len() as u32).map(|number| all.number(one.keys.key(number)));
        let numbers = numbers.collect::<Result<Vec<u32>, _>>()?;
        parts.push((numbers, scores(&*one.with_reference()?)));
    }
    let (keys, order) = all.unwrap_or_default().sorted();
    let mut places = vec![0_u32; order.len()];
    for (place, &number) in (0..).zip(&order) {
        places[number as usize] = place;
    }
    let recorded = parts.into_iter().map(|(numbers, scores)| {
        let placed = |values: Vec<f32>| {
            let mut placed = vec![f32::NAN; places.len()];
            for (&number, value) in numbers.iter().zip(values) {
                placed[places[number as usize] as usize] = value;
            }
            placed
        };
        let scores =
            scores.into_iter().map(|(measure, time, values)| (measure, time, placed(values)));
        Recorded { scores: scores.collect(), predicted: Vec::new() }
    });
    Ok((keys, recorded.collect()))
}

fn reference_of(
    ids: &Bound<'_, PyAny>,
    losses: &Bound<'_, PyAny>,
    memory: usize,
) -> PyResult<Reference> {
    let ids = GivenKeys::of(ids)?;
    let (ids, given) = (ids.slice()?, Floats::of(losses, "reference", 1)?);
    let losses = given.slice()?.to_f32().into_owned();
    let mut keys = KeyMap::within(memory);
    for (row, key) in ids.iter().enumerate() {
        let number = keys.number(key).map_err(Problem::Keys).or_raise()?;
        if number as usize != row {
            let key = OwnedKey::from(key);
            let text = format!("reference has the loss of {key} twice; give each example one");
            let details = [("row", Detail::Whole(row)), ("id", Detail::Key(key))];
            return Err(exception("IdError", &text, &details));
        }
    }
    if losses.len() != keys.len() {
        let text = format!("reference has {} losses of {} examples", losses.len(), keys.len());
        return Err(exception("ShapeError", &text, &[]));
    }
    // What is wrong with them the recorder says.
    Losses::new(losses.len()).with_reference(losses.clone()).or_raise()?;
    Ok(Reference { keys, losses })
}
