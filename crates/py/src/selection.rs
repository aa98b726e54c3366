//! Subsets of the training set by score.

use std::borrow::Cow;
use std::path::PathBuf;

use datadiet_core::{
    Amount, Candidates, Choice, Classes, Direction, ExampleId, KeepFraction, Rule, RuleOptions,
    Scores, SelectionError, check_no_class_vanishes,
};
use datadiet_table::{AmongMarked, Made, Marked, Ranking, Spelling, cautions};
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;
use serde_json::json;

use crate::arrays::{FloatSlice, Wholes, class_count, scores};
use crate::errors::{IntoPython, OrRaise};
use crate::table::{Table, direction};

/// How a subset is chosen, as Python's keywords say it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Request {
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

/// Ids of the rows of a table that are chosen, ascending, and how, as JSON. `by` is None for a choice at random;
/// `request` is None where nothing but `marks`, files of them, decides.
#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "keywords of Python")]
pub fn choose<'py>(
    py: Python<'py>,
    table: &Table,
    by: Option<&str>,
    hard_is: Option<&str>,
    request: Option<Request>,
    marks: Vec<PathBuf>,
    keep_relabelled: bool,
    allow_empty_class: bool,
) -> PyResult<(Bound<'py, PyArray1<u32>>, String)> {
    let table = &table.0;
    let hard = direction(hard_is)?;
    let ranking = by.map(|by| table.ranking(by, hard)).transpose().or_raise()?;
    let choice = request.as_ref().map(|request| request.choice(table.rows())).transpose()?;
    let labels = table.columns().integers("label").ok();
    let marked = (!marks.is_empty())
        .then(|| Marked::read(table, &marks, keep_relabelled))
        .transpose()
        .or_raise()?;
    let names = match labels {
        Some(_) => table.classes().or_raise()?,
        None => vec!["all".into()],
    };
    let classes = labels.map(|labels| Classes { labels, count: names.len() });
    let (ids, how) = py
        .detach(|| -> Result<_, SelectionError> {
            let scored = request.as_ref().zip(ranking.as_ref());
            let scored = scored.and_then(|(request, ranking)| request.scored(&ranking.values));
            let among = AmongMarked::new(table.rows(), scored, marked.as_ref())?;
            let ordered = ranking.as_ref().map(Ranking::scores);
            let chosen = among.choose(choice.as_ref(), ordered, classes)?;
            if !allow_empty_class {
                check_no_class_vanishes(&chosen.shares)?;
            }
            let mut warnings = match choice {
                Some(Choice { rule, .. }) => cautions(&Made {
                    rule,
                    fraction: chosen.ids.len() as f64 / among.candidates().count() as f64,
                    ranking: ranking.as_ref(),
                    table,
                    shares: &chosen.shares,
                    classes: &names,
                    spelling: Spelling::Python,
                }),
                None => Vec::new(),
            };
            warnings.extend(marked.iter().flat_map(|marked| marked.warnings.iter().cloned()));
            let shares = chosen.shares.iter().map(|share| {
                let class = names.get(share.class as usize);
                json!({ "class": class, "kept": share.kept, "of": share.of })
            });
            let of = if marked.is_some() { table.rows() } else { among.candidates().count() };
            let how = json!({
                "of": of,
                "by": ranking.as_ref().map(|ranking| &ranking.name),
                "rule": choice.map(|choice| choice.rule.to_string()),
                "marked": marked.as_ref().map(ToString::to_string),
                "classes": shares.collect::<Vec<_>>(),
                "cautions": warnings,
            });
            Ok((chosen.ids.into_iter().map(|id| id.0).collect::<Vec<u32>>(), how.to_string()))
        })
        .or_raise()?;
    Ok((ids.into_pyarray(py), how))
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
