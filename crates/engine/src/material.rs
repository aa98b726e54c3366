//! What a run is trained and judged on, read from the lists that its specification refers to.

use std::borrow::Cow;

use datadiet_core::ExampleId;
use datadiet_store::{Labels, ListRef, RunFolder, RunSpec, Subset};

use crate::EngineError;

/// Labels and examples of a run.
#[derive(Debug)]
pub(crate) struct Material<'a> {
    /// One label for each training example, in the numbering of the full set.
    pub(crate) labels: Cow<'a, [u32]>,
    /// The examples trained on, ascending.
    pub(crate) examples: Vec<ExampleId>,
    /// The training examples held out, ascending; none where there is no validation.
    pub(crate) validation: Vec<ExampleId>,
}

impl<'a> Material<'a> {
    /// Reads and checks the lists of a run on a data set with these labels.
    ///
    /// # Errors
    /// When a list is missing, damaged, or does not fit the data set.
    pub(crate) fn read(
        folder: &RunFolder,
        spec: &RunSpec,
        original: &'a [u32],
        classes: u32,
    ) -> Result<Self, EngineError> {
        let all = original.len();
        let ids = |list: &ListRef| read_ids(folder, list, all);
        let labels = match &spec.labels {
            Labels::Original => Cow::Borrowed(original),
            Labels::Listed(list) => Cow::Owned(read_labels(folder, list, all, classes)?),
        };
        let validation = spec.validation.as_ref().map(ids).transpose()?.unwrap_or_default();
        let examples = match &spec.subset {
            Subset::Full => (0..all as u32).map(ExampleId).collect(),
            Subset::Listed(list) => ids(list)?,
        };
        check_disjoint(&examples, &validation)?;
        Ok(Self { labels, examples, validation })
    }
}

fn read_ids(folder: &RunFolder, list: &ListRef, all: usize) -> Result<Vec<ExampleId>, EngineError> {
    checked_ids(folder.read_list(list)?, all)
}

/// A list of ids of a data set with so many examples.
///
/// # Errors
/// When it is empty, not ascending, or names an example that there is not.
pub(crate) fn checked_ids(ids: Vec<u32>, all: usize) -> Result<Vec<ExampleId>, EngineError> {
    if ids.is_empty() {
        return Err(unsuitable("a list of ids is empty: there is nothing to train or judge on"));
    }
    if !ids.is_sorted_by(|a, b| a < b) {
        return Err(unsuitable("a list of ids is not ascending, or names an example twice"));
    }
    match ids.last() {
        Some(&last) if last as usize >= all => Err(unsuitable(format!(
            "a list names example {last}, but the data set has {all} (0 to {}); the list belongs \
             to another data set",
            all - 1
        ))),
        _ => Ok(ids.into_iter().map(ExampleId).collect()),
    }
}

fn read_labels(
    folder: &RunFolder,
    list: &ListRef,
    all: usize,
    classes: u32,
) -> Result<Vec<u32>, EngineError> {
    let labels = folder.read_list(list)?;
    if labels.len() != all {
        let found = labels.len();
        return Err(unsuitable(format!(
            "there are {found} labels for {all} examples; they belong to another data set"
        )));
    }
    match labels.iter().position(|&label| label >= classes) {
        None => Ok(labels),
        Some(id) => Err(unsuitable(format!(
            "example {id} has label {}, but there are {classes} classes (0 to {})",
            labels[id],
            classes - 1
        ))),
    }
}

/// Both lists ascend.
fn check_disjoint(examples: &[ExampleId], validation: &[ExampleId]) -> Result<(), EngineError> {
    match validation.iter().find(|id| examples.binary_search(id).is_ok()) {
        None => Ok(()),
        Some(id) => Err(unsuitable(format!(
            "example {id} is both trained on and held out for validation; leave it out of one"
        ))),
    }
}

fn unsuitable(what: impl Into<String>) -> EngineError {
    EngineError::Unsuitable(what.into())
}
