//! Subsets of the training set by score.

use std::borrow::Cow;

use datadiet_core::{
    Direction, ExampleId, KeepFraction, Quota, SelectionError, StatsError, check_no_class_vanishes,
    order,
};
use datadiet_lab::{Amount, Candidates, Choice, Keep, LabError, Ranking};
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

use crate::arrays::{FloatSlice, Wholes, class_count, scores};
use crate::errors::{IntoPython, OrRaise, exception};

/// How a subset is chosen, as Python's keywords say it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
struct Request {
    rule: String,
    keep: Option<f64>,
    count: Option<usize>,
    /// A fraction.
    offset: f64,
    cut: f64,
    strata: u32,
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
    let choice = request.choice()?;
    let values = scores(values, "scores")?;
    let values = values.slice()?;
    let labels = labels.map(Wholes::labels).transpose()?;
    let labels = labels.as_ref().map(Wholes::slice).transpose()?;
    if labels.is_some_and(|labels| labels.len() != values.len()) {
        let (scores, labels) = (values.len(), labels.map_or(0, <[u32]>::len));
        return Err(SelectionError::LengthMismatch { scores, labels }.into_python());
    }
    let labels = labels.unwrap_or_default();
    // Without labels all are of one class.
    let classes = class_count(labels)?.max(1);
    let chosen = py.detach(|| -> Result<Vec<u32>, LabError> {
        let values = request.read(values);
        let direction = match request.higher_is_harder {
            true => Direction::HigherIsHarder,
            false => Direction::LowerIsHarder,
        };
        let scored = request.scored(&values);
        let candidates = scored.as_ref().map_or(Candidates::All(values.len()), Candidates::from);
        let ranking = Ranking { name: "scores".into(), values, direction };
        let chosen = choice.among(candidates, Some(&ranking), labels, classes)?;
        if !request.allow_empty_class {
            check_no_class_vanishes(&chosen.shares)?;
        }
        Ok(chosen.ids.into_iter().map(|id| id.0).collect())
    });
    Ok(chosen.or_raise()?.into_pyarray(py))
}

impl Request {
    fn choice(&self) -> PyResult<Choice> {
        let amount = match (self.keep, self.count) {
            (Some(keep), _) => Amount::Fraction(KeepFraction::try_from(keep).or_raise()?),
            (None, count) => Amount::Count(count.unwrap_or_default()),
        };
        Ok(Choice { keep: self.part()?, amount, quota: self.quota()?, seed: self.seed })
    }

    fn part(&self) -> PyResult<Keep> {
        match self.rule.as_str() {
            "hardest" => Ok(Keep::Hardest),
            "easiest" => Ok(Keep::Easiest),
            "highest" => Ok(Keep::Highest),
            "lowest" => Ok(Keep::Lowest),
            "random" => Ok(Keep::Random),
            "window" => Ok(Keep::Window { offset: self.offset }),
            "ccs" => Ok(Keep::Ccs { cut: self.cut, strata: self.strata }),
            other => Err(unknown(
                "rule",
                other,
                "hardest, easiest, highest, lowest, random, window and ccs",
            )),
        }
    }

    fn quota(&self) -> PyResult<Quota> {
        match self.quota.as_str() {
            "none" => Ok(Quota::None),
            "proportional" => Ok(Quota::Proportional),
            "balanced" => Ok(Quota::Balanced),
            other => Err(unknown("quota", other, "none, proportional and balanced")),
        }
    }

    /// The scores as the rule reads them: strata are of their values, all else of their order.
    fn read<'v>(&self, scores: FloatSlice<'v>) -> Cow<'v, [f32]> {
        if self.rule == "ccs" { scores.to_f32() } else { scores.ordered() }
    }

    /// The examples to choose from, where those are not all.
    fn scored(&self, values: &[f32]) -> Option<Vec<ExampleId>> {
        if !self.drop_unscored || !values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let rows = (0..).zip(values);
        Some(rows.filter(|(_, value)| !value.is_nan()).map(|(id, _)| ExampleId(id)).collect())
    }
}

fn unknown(what: &str, given: &str, known: &str) -> PyErr {
    exception("SelectionError", &format!("no {what} is called {given:?}; there are {known}"), &[])
}

/// Rows that have a score, highest first or lowest first; ties by id, in the same sense.
#[pyfunction]
pub fn ranked<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, f32>,
    ids: Option<&Bound<'py, PyAny>>,
    highest_first: bool,
) -> PyResult<Bound<'py, PyArray1<u32>>> {
    let values = values.as_slice()?;
    let ids = ids.map(Wholes::ids).transpose()?;
    let ids = ids.as_ref().map(Wholes::slice).transpose()?;
    let rows = py.detach(|| -> Result<Vec<u32>, StatsError> {
        let scored = (0..values.len() as u32).filter(|&row| !values[row as usize].is_nan());
        let scored: Vec<u32> = scored.collect();
        let known: Vec<f32> = scored.iter().map(|&row| values[row as usize]).collect();
        let name = |&row: &u32| ExampleId(ids.map_or(row, |ids| ids[row as usize]));
        let names: Vec<ExampleId> = scored.iter().map(name).collect();
        let mut rows = order(&known, &names)?;
        rows.iter_mut().for_each(|row| *row = scored[*row as usize]);
        if highest_first {
            rows.reverse();
        }
        Ok(rows)
    });
    Ok(rows.or_raise()?.into_pyarray(py))
}
