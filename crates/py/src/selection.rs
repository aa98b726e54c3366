//! Subsets of the training set by score.

use std::borrow::Cow;

use datadiet_core::{
    Amount, Candidates, Choice, Classes, Direction, ExampleId, KeepFraction, Rule, RuleOptions,
    Scores, SelectionError, check_no_class_vanishes,
};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

use crate::arrays::{FloatSlice, Wholes, class_count, scores};
use crate::errors::{IntoPython, OrRaise};

/// How a subset is chosen, as Python's keywords say it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Request {
    rule: String,
    keep: Option<f64>,
    count: Option<usize>,
    offset: Option<f64>,
    cut: Option<f64>,
    strata: Option<u32>,
    quota: String,
    seed: u64,
    higher_is_harder: bool,
    drop_unscored: bool,
    allow_empty_class: bool,
}

/// Ids of the chosen examples, ascending. `labels` may be None.
#[pyfunction]
pub fn select<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyAny>,
    labels: Option<&Bound<'py, PyAny>>,
    request: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let request: Request = request.extract()?;
    let values = scores(values, "scores")?;
    let values = values.slice()?;
    let choice = request.choice(values.len())?;
    let labels = labels.map(Wholes::labels).transpose()?;
    let labels = labels.as_ref().map(Wholes::slice).transpose()?;
    let count = labels.map(class_count).transpose()?.unwrap_or_default();
    let classes = labels.map(|labels| Classes { labels, count });
    let chosen = py.detach(|| -> Result<Vec<u32>, SelectionError> {
        let values = request.read(values);
        let direction = match request.higher_is_harder {
            true => Direction::HigherIsHarder,
            false => Direction::LowerIsHarder,
        };
        let scored = request.scored(&values);
        let candidates = scored.as_ref().map_or(Candidates::All(values.len()), Candidates::from);
        let scores = Scores { values: &values, direction };
        let chosen = choice.among(candidates, Some(scores), classes)?;
        if !request.allow_empty_class {
            check_no_class_vanishes(&chosen.shares)?;
        }
        Ok(chosen.ids.into_iter().map(|id| id.0).collect())
    });
    Ok(chosen.or_raise()?.into_pyarray(py))
}

impl Request {
    fn choice(&self, examples: usize) -> PyResult<Choice> {
        let amount = match (self.keep, self.count) {
            (Some(keep), _) => Amount::Fraction(KeepFraction::try_from(keep).or_raise()?),
            (None, count) => Amount::Count(count.unwrap_or_default()),
        };
        let options = RuleOptions { offset: self.offset, cut: self.cut, strata: self.strata };
        let rule = Rule::named(&self.rule, options, examples).or_raise()?;
        let quota = self.quota.parse().map_err(SelectionError::into_python)?;
        Ok(Choice { rule, amount, quota, seed: self.seed })
    }

    /// The scores as the rule reads them: strata are of their values, all else of their order.
    fn read<'v>(&self, scores: FloatSlice<'v>) -> Cow<'v, [f32]> {
        if self.rule == "ccs" { scores.to_f32() } else { scores.ordered() }
    }

    /// The examples to choose from, where those are not all. Chance reads no scores, so they may be
    /// missing.
    fn scored(&self, values: &[f32]) -> Option<Vec<ExampleId>> {
        if self.rule == "random"
            || !self.drop_unscored
            || !values.iter().any(|value| value.is_nan())
        {
            return None;
        }
        let rows = (0..).zip(values);
        Some(rows.filter(|(_, value)| !value.is_nan()).map(|(id, _)| ExampleId(id)).collect())
    }
}
