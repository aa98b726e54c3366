//! Scores of other tasks than to tell one class: tokens, several labels, numbers.

use datadiet_core::{MultiLabelScores, RegressionScores, Sequences, TokenScores};
use numpy::{IntoPyArray, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::arrays::{Floats, with_numbers};
use crate::errors::OrRaise;

/// Calls something with two arrays of floats of one type: themselves or, of two types, copies of 64 bits, so
/// that no digit of either is lost.
macro_rules! with_pair {
    ($pair:expr, |$first:ident, $second:ident| $call:expr) => {
        match $pair {
            ($crate::arrays::FloatSlice::F16($first), $crate::arrays::FloatSlice::F16($second)) => {
                $call
            }
            (
                $crate::arrays::FloatSlice::Bf16($first),
                $crate::arrays::FloatSlice::Bf16($second),
            ) => $call,
            ($crate::arrays::FloatSlice::F32($first), $crate::arrays::FloatSlice::F32($second)) => {
                $call
            }
            (first, second) => {
                let (first, second) = (first.to_f64(), second.to_f64());
                let ($first, $second) = (&first[..], &second[..]);
                $call
            }
        }
    };
}
pub(crate) use with_pair;

/// Where labels are and what they mean: see [`Sequences`].
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Layout {
    ignore: i64,
    shift: bool,
    /// Number of examples.
    examples: usize,
    /// Whether the predicted classes are wanted.
    predicted: bool,
}

/// Scores by token and by example, each by name. `outputs` are B × T × V logits, or B × T log-probabilities
/// of the labels; `examples` the example of each token, where it is not that of its row.
#[pyfunction]
pub fn token_scores<'py>(
    py: Python<'py>,
    outputs: &Bound<'py, PyAny>,
    labels: PyReadonlyArray2<'py, i64>,
    examples: Option<PyReadonlyArray2<'py, u32>>,
    layout: Layout,
) -> PyResult<[Bound<'py, PyDict>; 2]> {
    let axes = outputs.getattr("ndim")?.extract()?;
    let outputs = Floats::of(outputs, if axes == 3 { "logits" } else { "log_probs" }, axes)?;
    let classes = outputs.shape().get(2).copied();
    let length = labels.shape()[1];
    let (values, labels) = (outputs.slice()?, labels.as_slice()?);
    let examples = examples.as_ref().map(|examples| examples.as_slice()).transpose()?;
    let Layout { ignore, shift, examples: n, predicted } = layout;
    let sequences = Sequences { labels, length, ignore, shift, examples };
    let found = py.detach(|| {
        with_numbers!(values, |values| match classes {
            Some(classes) => TokenScores::of(values, classes, &sequences, predicted),
            None => TokenScores::of_log_probs(values, &sequences),
        })
    });
    let found = found.or_raise()?;
    let by_example = py.detach(|| found.of_examples(n));
    let with_logits = classes.is_some();
    let examples = PyDict::new(py);
    examples.set_item("loss", by_example.loss.into_pyarray(py))?;
    examples.set_item("loss-sum", by_example.loss_sum.into_pyarray(py))?;
    examples.set_item("perplexity", by_example.perplexity.into_pyarray(py))?;
    if with_logits {
        examples.set_item("el2n", by_example.el2n.into_pyarray(py))?;
        examples.set_item("token-accuracy", by_example.accuracy.into_pyarray(py))?;
    }
    examples.set_item("length", by_example.length.into_pyarray(py))?;
    let tokens = PyDict::new(py);
    let wholes = |of: fn(&datadiet_core::Token) -> i64| -> Vec<i64> {
        found.tokens.iter().map(of).collect()
    };
    tokens.set_item("place", wholes(|token| token.place as i64).into_pyarray(py))?;
    tokens.set_item("example", wholes(|token| i64::from(token.example)).into_pyarray(py))?;
    tokens.set_item("label", wholes(|token| i64::from(token.label)).into_pyarray(py))?;
    tokens.set_item("loss", found.loss.into_pyarray(py))?;
    if with_logits {
        tokens.set_item("el2n", found.el2n.into_pyarray(py))?;
        tokens.set_item("correct", found.correct.into_pyarray(py))?;
        if predicted {
            tokens.set_item("predicted", found.predicted.into_pyarray(py))?;
        }
    }
    Ok([tokens, examples])
}

/// Scores of n × K logits with n × K zeros and ones, by name; `margins` (n·K) where they are wanted.
#[pyfunction]
pub fn multi_label_scores<'py>(
    py: Python<'py>,
    logits: &Bound<'py, PyAny>,
    labels: PyReadonlyArray2<'py, u8>,
    margins: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let logits = Floats::of(logits, "logits", 2)?;
    let classes = logits.shape()[1];
    let (values, labels) = (logits.slice()?, labels.as_slice()?);
    let mut room = if margins { vec![0.0; values.len()] } else { Vec::new() };
    let found = py.detach(|| {
        let room = margins.then_some(&mut room[..]);
        with_numbers!(values, |values| MultiLabelScores::of(values, labels, classes, room))
    });
    let found = found.or_raise()?;
    let scores = PyDict::new(py);
    scores.set_item("el2n", found.el2n.into_pyarray(py))?;
    scores.set_item("loss", found.loss.into_pyarray(py))?;
    scores.set_item("correct", found.correct.into_pyarray(py))?;
    scores.set_item("mean-margin", found.mean_margin.into_pyarray(py))?;
    scores.set_item("least-margin", found.least_margin.into_pyarray(py))?;
    scores.set_item("least-margin-label", found.least_label.into_pyarray(py))?;
    if margins {
        scores.set_item("margins", room.into_pyarray(py))?;
    }
    Ok(scores)
}

/// Scores of n × D outputs with as many targets, by name.
#[pyfunction]
pub fn regression_scores<'py>(
    py: Python<'py>,
    outputs: &Bound<'py, PyAny>,
    targets: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    let outputs = Floats::of(outputs, "outputs", 2)?;
    let targets = Floats::of(targets, "targets", 2)?;
    let size = outputs.shape()[1];
    let pair = (outputs.slice()?, targets.slice()?);
    let found = py.detach(|| {
        with_pair!(pair, |outputs, targets| RegressionScores::of(outputs, targets, size))
    });
    let found = found.or_raise()?;
    let scores = PyDict::new(py);
    scores.set_item("error-norm", found.error_norm.into_pyarray(py))?;
    scores.set_item("loss", found.loss.into_pyarray(py))?;
    Ok(scores)
}
