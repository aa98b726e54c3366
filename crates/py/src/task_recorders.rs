//! The recorders of tokens, of several labels an example and of regressions.
//!
//! What they share is written once, by a macro (see `shared.rs`).

use std::collections::BTreeSet;

use datadiet_core::{
    KeptTokens, LossRecorder, MultiLabelRecorder as Labels, NO_LABEL, NOT_PREDICTED,
    RegressionRecorder as Numbers, ScoreKind, Sequences, Task, TokenColumn,
    TokenRecorder as Tokens, Unlabelled,
};
use datadiet_table::{
    Column, KEY, ScoreTable, TOKEN, TableBuilder, TableError, TimePoint, most_voted,
};
use numpy::{IntoPyArray, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, Wholes, with_numbers};
use crate::errors::OrRaise;
use crate::loss_recorder::one_each;
use crate::shared::{Options, Shared, check_memory, loss_recorder, time, with_options};
use crate::table::Table;
use crate::tasks::with_pair;

/// A class around a recorder of the core, with what those of all tasks do.
macro_rules! task_recorder {
    ($(#[$about:meta])* $name:ident($recorder:ty), { $($methods:tt)* }) => {
        loss_recorder! {
            $(#[$about])*
            $name($recorder), |recorder| recorder.losses(), {
                $($methods)*

                /// Whether losses were given with the batches; none before the first.
                #[getter]
                fn losses_given(&self, py: Python<'_>) -> Option<bool> {
                    self.0.read(py, <$recorder>::losses_given)
                }
            }
        }

        impl $name {
            /// Copies of some recorders, and the table of them.
            fn recorded(
                py: Python<'_>,
                replicas: &[Bound<'_, Self>],
                pass_: &str,
            ) -> PyResult<(Vec<$recorder>, ScoreTable)> {
                let replicas = Shared::copies(py, &Self::parts(replicas));
                // An example that one replica missed is known to another: each is held against each.
                for (place, one) in replicas.iter().enumerate() {
                    for other in &replicas[..place] {
                        other.check_replica(one).or_raise()?;
                    }
                }
                let table = Shared::table_of(py, &replicas, <$recorder>::TASK, pass_)?;
                Ok((replicas, table))
            }
        }
    };
}

task_recorder! {
    /// Records scores of sequences of tokens.
    TokenRecorder(Tokens), {
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
            Ok(Self(Shared::new(with_options!(Tokens::of_tokens(examples, keep), options, reference))))
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

task_recorder! {
    /// Records scores of examples of several labels.
    MultiLabelRecorder(Labels), {
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
            Ok(Self(Shared::new(with_options!(Labels::of_labels(examples, labels, by_label), options, reference))))
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
            let losses = given_losses(losses, ids.len())?;
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

/// The losses of a batch, where training uses others than the task's own.
fn given_losses(losses: Option<&Bound<'_, PyAny>>, ids: usize) -> PyResult<Option<Vec<f32>>> {
    let Some(losses) = losses else { return Ok(None) };
    Ok(Some(one_each(losses, "losses", ids)?.slice()?.to_f32().into_owned()))
}

/// Which label has the least margin and AUM, and whether it is given, in the view of most replicas (among
/// equals the lowest): `least-aum-label@4`, `least-aum-given@4`. Of an example that was missed [`NO_LABEL`], or no
/// name, which is not given.
fn least_labels(replicas: &[Labels], names: Option<&[String]>) -> Vec<(String, Column)> {
    let all: Vec<_> = replicas.iter().map(Labels::least_labels).collect();
    let Some(first) = all.first() else { return Vec::new() };
    let mut columns = Vec::new();
    for (place, (kind, epoch, labels)) in first.iter().enumerate() {
        let most = |example: usize| {
            let cast = all.iter().filter_map(|one| one.get(place)).map(|one| one.2[example]);
            most_voted(cast.filter(|&label| label != NO_LABEL)).unwrap_or(NO_LABEL)
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

task_recorder! {
    /// Records scores of regressions.
    RegressionRecorder(Numbers), {
        /// A recorder of n examples.
        #[new]
        fn new(
            examples: usize,
            options: Options,
            reference: Option<&Bound<'_, PyAny>>,
        ) -> PyResult<Self> {
            let bytes = examples.saturating_mul(2 * LossRecorder::BYTES + 8);
            check_memory(examples, bytes, "")?;
            Ok(Self(Shared::new(with_options!(Numbers::of_numbers(examples), options, reference))))
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
            let losses = given_losses(losses, ids.len())?;
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
