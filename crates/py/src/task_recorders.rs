//! The recorders of tokens, of several labels an example and of regressions.
//!
//! What they share is written once, by a macro, since a class of Python has no type parameters.

use std::borrow::Cow;
use std::collections::BTreeSet;

use datadiet_core::{
    KeptTokens, LossRecorder, Measure, MultiLabelRecorder as Labels, NO_LABEL, NOT_PREDICTED,
    RegressionRecorder as Numbers, ScoreKind, Sequences, Task, TokenColumn,
    TokenRecorder as Tokens, Unlabelled,
};
use datadiet_table::{
    Column, KEY, Recorded, ScoreTable, TOKEN, TableBuilder, TableError, TimePoint,
};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, Wholes, with_numbers};
use crate::errors::OrRaise;
use crate::loss_recorder::one_each;
use crate::shared::{Shared, check_memory, scores, time};
use crate::table::Table;
use crate::tasks::with_pair;

/// What every recorder is made with.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Options {
    keep_at: Vec<u32>,
    mergeable: bool,
    threshold: Option<f32>,
}

/// A class of Python around a recorder of the core, with what all of them do.
macro_rules! recorder {
    ($(#[$about:meta])* $name:ident, $recorder:ty, { $($methods:tt)* }) => {
        $(#[$about])*
        #[pyclass(frozen, module = "datadiet._datadiet")]
        pub struct $name(Shared<$recorder>);

        impl $name {
            fn of(
                recorder: $recorder,
                options: &Options,
                reference: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<Self> {
                let mut recorder = recorder.keep_at(&options.keep_at);
                if !options.mergeable {
                    recorder = recorder.single_rank();
                }
                if let Some(threshold) = options.threshold {
                    recorder = recorder.with_threshold(threshold).or_raise()?;
                }
                if let Some(reference) = reference {
                    let losses = Floats::of(reference, "reference", 1)?;
                    let losses = losses.slice()?.to_f32().into_owned();
                    recorder = recorder.with_reference(losses).or_raise()?;
                }
                Ok(Self(Shared::new(recorder)))
            }

            /// Copies of some recorders, and the table of them.
            fn recorded(
                py: Python<'_>,
                replicas: &[Bound<'_, Self>],
                pass_: &str,
            ) -> PyResult<(Vec<$recorder>, ScoreTable)> {
                let all: Vec<&Shared<_>> = replicas.iter().map(|replica| &replica.get().0).collect();
                let replicas = Shared::copies(py, &all);
                // An example that one replica missed is known to another: each is held against each.
                for (place, one) in replicas.iter().enumerate() {
                    for other in &replicas[..place] {
                        other.check_replica(one).or_raise()?;
                    }
                }
                let made = py.detach(|| {
                    let record =
                        |one: &$recorder| Recorded { scores: scores(one), predicted: Vec::new() };
                    let all: Vec<Recorded> = replicas.iter().map(record).collect();
                    ScoreTable::recorded_of(<$recorder>::TASK, &all, None, 0, pass_)
                });
                Ok((replicas, made.or_raise()?))
            }
        }

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
                self.0.read(py, |recorder| recorder.losses().examples())
            }

            /// Finished epochs.
            #[getter]
            fn epochs(&self, py: Python<'_>) -> u32 {
                self.0.read(py, |recorder| recorder.losses().epochs())
            }

            /// Examples recorded since the last epoch ended.
            #[getter]
            fn unfinished(&self, py: Python<'_>) -> usize {
                self.0.read(py, |recorder| recorder.losses().unfinished())
            }

            /// Examples that each finished epoch missed.
            fn unseen<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray1<u32>> {
                self.0.read(py, |recorder| recorder.losses().unseen().to_vec()).into_pyarray(py)
            }

            /// Epochs that have values of one forward pass.
            #[getter]
            fn scored_epochs(&self, py: Python<'_>) -> Vec<u32> {
                self.0.read(py, |recorder| recorder.losses().scored_epochs())
            }

            /// The loss down to which an example counts as learned.
            #[getter]
            fn threshold(&self, py: Python<'_>) -> Option<f32> {
                self.0.read(py, |recorder| recorder.losses().threshold())
            }

            /// Whether there are losses of a reference model.
            #[getter]
            fn has_reference(&self, py: Python<'_>) -> bool {
                self.0.read(py, |recorder| recorder.losses().reference().is_some())
            }

            /// Names of the values beside the losses.
            #[getter]
            fn beside(&self, py: Python<'_>) -> Vec<String> {
                self.0.read(py, |recorder| {
                    recorder.losses().beside().iter().map(Measure::to_string).collect()
                })
            }

            /// Whether losses were given with the batches; none before the first.
            #[getter]
            fn losses_given(&self, py: Python<'_>) -> Option<bool> {
                self.0.read(py, <$recorder>::losses_given)
            }

            /// Adds what other ranks of the same training recorded, all of them or, on an error, none;
            /// gives the presentations that more than one had.
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
        }
    };
}

recorder! {
    /// Records scores of sequences of tokens.
    TokenRecorder, Tokens, {
        /// A recorder of n examples that keeps the tokens of some, of all (True) or of none.
        #[new]
        fn new(
            examples: usize,
            keep_tokens: Option<Vec<u32>>,
            keep_all: bool,
            options: Options,
            reference: Option<&Bound<'_, PyAny>>,
        ) -> PyResult<Self> {
            check_memory(examples, examples.saturating_mul(LossRecorder::BYTES + 40), "")?;
            let keep = match keep_tokens {
                _ if keep_all => KeptTokens::All,
                Some(ids) => KeptTokens::Of(ids.into_iter().collect::<BTreeSet<u32>>()),
                None => KeptTokens::None,
            };
            Self::of(Tokens::of_tokens(examples, keep), &options, reference)
        }

        /// Records a batch; all of it or nothing. `rows`: the example among `ids` that each token is of,
        /// where sequences have several.
        #[expect(clippy::too_many_arguments, reason = "one for each of Python's")]
        fn update(
            &self,
            py: Python<'_>,
            ids: &Bound<'_, PyAny>,
            outputs: &Bound<'_, PyAny>,
            labels: PyReadonlyArray2<'_, i64>,
            rows: Option<PyReadonlyArray2<'_, u32>>,
            ignore: i64,
            shift: bool,
            skip: bool,
        ) -> PyResult<()> {
            let axes = outputs.getattr("ndim")?.extract()?;
            let outputs = Floats::of(outputs, if axes == 3 { "logits" } else { "log_probs" }, axes)?;
            let classes = outputs.shape().get(2).copied();
            let ids = Wholes::ids(ids)?.to_ids()?;
            let length = labels.shape()[1];
            let (values, labels) = (outputs.slice()?, labels.as_slice()?);
            let examples = rows.as_ref().map(|rows| rows.as_slice()).transpose()?;
            let sequences = Sequences { labels, length, ignore, shift, examples };
            let unlabelled = if skip { Unlabelled::Skip } else { Unlabelled::Refuse };
            let done = self.0.tell(py, |recorder| {
                with_numbers!(values, |values| match classes {
                    Some(classes) => {
                        recorder.update(&ids, values, classes, &sequences, unlabelled)
                    }
                    None => recorder.update_log_probs(&ids, values, &sequences, unlabelled),
                })
            });
            done.or_raise()
        }

        /// Whether tokens are kept.
        #[getter]
        fn keeps_tokens(&self, py: Python<'_>) -> bool {
            self.0.read(py, Tokens::keeps_tokens)
        }

        /// The kept tokens of finished epochs, by example and position: columns by name.
        fn tokens<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
            let found = self.0.read(py, Tokens::tokens);
            let columns = PyDict::new(py);
            let predicted = found.predicted.iter().all(|&class| class != NOT_PREDICTED);
            columns.set_item("example", found.example.into_pyarray(py))?;
            columns.set_item("position", found.position.into_pyarray(py))?;
            columns.set_item("label", found.label.into_pyarray(py))?;
            columns.set_item("mean-loss", found.mean_loss.into_pyarray(py))?;
            columns.set_item("loss", found.loss.into_pyarray(py))?;
            if predicted {
                columns.set_item("el2n", found.el2n.into_pyarray(py))?;
                columns.set_item("predicted", found.predicted.into_pyarray(py))?;
            }
            Ok(columns)
        }

        /// The kept tokens as a table: each a row. `classes` and `texts` of them,
        /// where there are some.
        fn token_table(
            &self,
            py: Python<'_>,
            classes: Option<Vec<String>>,
            texts: Option<Vec<String>>,
            pass_: &str,
        ) -> PyResult<Table> {
            let (found, epochs) =
                self.0.read(py, |recorder| (recorder.tokens(), recorder.losses().epochs()));
            Ok(token_table(found, &time(epochs), classes, texts, pass_).or_raise()?.into())
        }

        /// The table of some replicas.
        #[staticmethod]
        fn table(py: Python<'_>, replicas: Vec<Bound<'_, Self>>, pass_: &str) -> PyResult<Table> {
            Ok(Self::recorded(py, &replicas, pass_)?.1.into())
        }
    }
}

fn token_table(
    found: TokenColumn,
    time: &TimePoint,
    classes: Option<Vec<String>>,
    texts: Option<Vec<String>>,
    pass: &str,
) -> Result<ScoreTable, TableError> {
    let mut made = TableBuilder::of_task(Task::Tokens);
    // Of a token that the last epoch missed nothing is known at its end.
    let shown: Vec<bool> =
        found.epoch.iter().map(|&epoch| f64::from(epoch) == time.epochs).collect();
    let at_end = |values: Vec<f32>| -> Vec<f32> {
        let one = |(value, &shown): (f32, &bool)| if shown { value } else { f32::NAN };
        values.into_iter().zip(&shown).map(one).collect()
    };
    let places = found.example.iter().zip(&found.position);
    let keys = places.map(|(example, position)| format!("{example}:{position}")).collect();
    made.push("id", Column::U32((0..found.example.len() as u32).collect()))?;
    made.push(KEY, Column::Text(keys))?;
    made.push("example", Column::U32(found.example))?;
    made.push("position", Column::U32(found.position))?;
    made.push("label", Column::U32(found.label))?;
    for (name, column) in [("class", classes), (TOKEN, texts)] {
        if let Some(column) = column {
            made.push(name, Column::Text(column))?;
        }
    }
    let logits = found.predicted.iter().all(|&class| class != NOT_PREDICTED);
    made.add(ScoreKind::MeanLoss, time, &[&found.mean_loss])?;
    made.add(ScoreKind::Loss, time, &[&at_end(found.loss)])?;
    if logits {
        made.add(ScoreKind::El2n, time, &[&at_end(found.el2n)])?;
        made.push(format!("predicted@{}", time.epochs), Column::U32(found.predicted))?;
    }
    let (table, card) = made.finish(Some(pass));
    Ok(ScoreTable::new(table, card))
}

recorder! {
    /// Records scores of examples of several labels.
    MultiLabelRecorder, Labels, {
        /// A recorder of n examples with K labels that keeps numbers of each label, or not.
        #[new]
        fn new(
            examples: usize,
            labels: usize,
            by_label: bool,
            options: Options,
            reference: Option<&Bound<'_, PyAny>>,
        ) -> PyResult<Self> {
            let less = if by_label { "pass by_label=False, " } else { "" };
            check_memory(examples, Labels::bytes(examples, labels, by_label), less)?;
            Self::of(Labels::of_labels(examples, labels, by_label), &options, reference)
        }

        /// Records a batch; all of it or nothing.
        fn update(
            &self,
            py: Python<'_>,
            ids: &Bound<'_, PyAny>,
            logits: &Bound<'_, PyAny>,
            labels: PyReadonlyArray2<'_, u8>,
            losses: Option<&Bound<'_, PyAny>>,
        ) -> PyResult<()> {
            let logits = Floats::of(logits, "logits", 2)?;
            let ids = Wholes::ids(ids)?.to_ids()?;
            let (values, labels) = (logits.slice()?, labels.as_slice()?);
            let losses = losses.map(|losses| one_each(losses, "losses", ids.len())).transpose()?;
            let losses = losses.as_ref().map(|losses| Ok::<_, PyErr>(losses.slice()?.to_f32()));
            let losses: Option<Cow<'_, [f32]>> = losses.transpose()?;
            let done = self.0.tell(py, |recorder| {
                with_numbers!(values, |values| {
                    recorder.update(&ids, values, labels, losses.as_deref())
                })
            });
            done.or_raise()
        }

        /// Number of labels.
        #[getter]
        fn labels(&self, py: Python<'_>) -> usize {
            self.0.read(py, Labels::labels)
        }

        /// Whether numbers of each label are kept.
        #[getter]
        fn by_label(&self, py: Python<'_>) -> bool {
            self.0.read(py, Labels::by_label)
        }

        /// The table of some replicas; `names` of the labels, where they have some.
        #[staticmethod]
        fn table(
            py: Python<'_>,
            replicas: Vec<Bound<'_, Self>>,
            pass_: &str,
            names: Option<Vec<String>>,
        ) -> PyResult<Table> {
            let (replicas, mut table) = Self::recorded(py, &replicas, pass_)?;
            for (name, column) in least_labels(&replicas, names.as_deref()) {
                table.columns_mut().push(name, column).or_raise()?;
            }
            Ok(table.into())
        }
    }
}

/// Which label has the least margin and AUM, and whether it is given, in the view of most replicas (among
/// equals the lowest): `least-aum-label@4`, `least-aum-given@4`. Of an example that was missed [`NO_LABEL`], or no
/// name, which is not given.
fn least_labels(replicas: &[Labels], names: Option<&[String]>) -> Vec<(String, Column)> {
    let Some(first) = replicas.first() else { return Vec::new() };
    let all: Vec<_> = replicas.iter().map(Labels::least_labels).collect();
    let mut columns = Vec::new();
    for (place, (kind, epoch, labels)) in all[0].iter().enumerate() {
        let mut votes = vec![0_u32; first.labels()];
        let most = |example: usize| {
            votes.fill(0);
            let cast = all.iter().filter_map(|one| one.get(place)).map(|one| one.2[example]);
            cast.filter(|&label| label != NO_LABEL).for_each(|label| votes[label as usize] += 1);
            let most = votes.iter().max().filter(|&&most| most > 0);
            let found = most.and_then(|most| votes.iter().position(|count| count == most));
            found.map_or(NO_LABEL, |label| label as u32)
        };
        let labels: Vec<u32> = (0..labels.len()).map(most).collect();
        let given = labels.iter().enumerate().map(|(example, &label)| {
            let is = |replica: &Labels| label != NO_LABEL && replica.is_given(example, label);
            u32::from(replicas.iter().any(is))
        });
        let given = Column::U32(given.collect());
        let labels = match names {
            None => Column::U32(labels),
            Some(names) => {
                let name = |&label: &u32| names.get(label as usize).cloned().unwrap_or_default();
                Column::Text(labels.iter().map(name).collect())
            }
        };
        columns.push((format!("{kind}-label@{epoch}"), labels));
        columns.push((format!("{kind}-given@{epoch}"), given));
    }
    columns
}

recorder! {
    /// Records scores of regressions.
    RegressionRecorder, Numbers, {
        /// A recorder of n examples.
        #[new]
        fn new(
            examples: usize,
            options: Options,
            reference: Option<&Bound<'_, PyAny>>,
        ) -> PyResult<Self> {
            let bytes = examples.saturating_mul(2 * LossRecorder::BYTES + 8);
            check_memory(examples, bytes, "")?;
            Self::of(Numbers::of_numbers(examples), &options, reference)
        }

        /// Records a batch; all of it or nothing.
        fn update(
            &self,
            py: Python<'_>,
            ids: &Bound<'_, PyAny>,
            outputs: &Bound<'_, PyAny>,
            targets: &Bound<'_, PyAny>,
            losses: Option<&Bound<'_, PyAny>>,
        ) -> PyResult<()> {
            let outputs = Floats::of(outputs, "outputs", 2)?;
            let targets = Floats::of(targets, "targets", 2)?;
            let ids = Wholes::ids(ids)?.to_ids()?;
            let size = outputs.shape()[1];
            let losses = losses.map(|losses| one_each(losses, "losses", ids.len())).transpose()?;
            let losses = losses.as_ref().map(|losses| Ok::<_, PyErr>(losses.slice()?.to_f32()));
            let losses: Option<Cow<'_, [f32]>> = losses.transpose()?;
            let pair = (outputs.slice()?, targets.slice()?);
            let done = self.0.tell(py, |recorder| {
                with_pair!(pair, |outputs, targets| {
                    recorder.update(&ids, outputs, targets, size, losses.as_deref())
                })
            });
            done.or_raise()
        }

        /// The table of some replicas.
        #[staticmethod]
        fn table(py: Python<'_>, replicas: Vec<Bound<'_, Self>>, pass_: &str) -> PyResult<Table> {
            Ok(Self::recorded(py, &replicas, pass_)?.1.into())
        }
    }
}
