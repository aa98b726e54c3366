//! Which columns of a table are read: values, labels, ids and epochs, for all formats of tables.
//!
//! Values are one column of lists of K floats, or K columns of floats whose names end in their
//! numbers (`logit_0`, `logit.0`, `logit[0]`, or only `0`, `1`, …). Losses are one column of floats, or one of
//! each epoch (`loss_epoch_1`, `loss_epoch_2`, …), and are read where there is nothing to compute them from.

use std::path::Path;

use crate::batch::Kind;
use crate::names::{self, Field, Names, Rank, STEP};
use crate::{IngestError, Keys};

/// What a column holds, as far as it matters to whether it can be values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Lists,
    Floats,
    Other,
}

/// The columns of a table that are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields {
    /// What the values are, where their name says.
    pub(crate) kind: Option<Kind>,
    /// One column of lists, or one column a class, in order.
    pub(crate) values: Vec<String>,
    pub(crate) labels: Option<String>,
    pub(crate) keys: Option<String>,
    pub(crate) epochs: Option<String>,
    /// What the names say besides.
    pub(crate) said: Said,
}

/// What names of columns say besides what is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The epoch in the name of the values: 3 for `logits_epoch_3`.
    pub epoch: Option<i64>,
    /// The epochs in the names of the values, where a row has a loss of each.
    pub epochs: Vec<i64>,
    /// Whether the epochs are numbers of steps.
    pub steps: bool,
    /// Columns that look like ids and are not read, where none is.
    pub unused_ids: Vec<String>,
    /// Losses that are not read, since there are logits or probabilities.
    pub unused_losses: Option<String>,
    /// Labels that are not read, since losses need none.
    pub unused_labels: Option<String>,
}

impl Said {
    /// What names of arrays, columns or fields say about losses and labels that are not read, where values of a
    /// kind are.
    pub(crate) fn unused<'n>(
        &mut self,
        kind: Option<Kind>,
        names: &Names,
        all: impl Iterator<Item = &'n str> + Clone,
    ) {
        let first =
            |of: &dyn Fn(&str) -> bool| all.clone().find(|name| of(name)).map(str::to_owned);
        if kind == Some(Kind::Losses) {
            let label = |name: &str| names.field(name) == Some(Field::Labels);
            self.unused_labels = if names.wants_labels(kind) { None } else { first(&label) };
        } else if names.kind.is_none() && names.values.is_none() {
            self.unused_losses =
                first(&|name| names.field(name) == Some(Field::Values(Some(Kind::Losses))));
        }
    }
}

impl Fields {
    /// Finds the columns of a table.
    pub(crate) fn find(
        path: &Path,
        all: &[(String, Content)],
        names: &Names,
    ) -> Result<Self, IngestError> {
        let (values, kind) = values_of(path, all, names)?;
        let losses = kind == Some(Kind::Losses);
        let rest = || {
            let rest = all.iter().map(|(name, _)| name.as_str());
            rest.filter(|name| !values.iter().any(|value| value == name))
        };
        let of = |field| names.one(path, field, rest());
        let labels = if names.wants_labels(kind) { of(Field::Labels)? } else { None };
        let (keys, epochs) = (of(Field::Ids)?, of(Field::Epochs)?);
        if losses && keys.is_none() && !names.rows_may_be_examples() {
            return Err(IngestError::log(path, all.iter().map(|(name, _)| name.clone()).collect()));
        }
        let mut said = Said {
            epoch: match &values[..] {
                [one] => Names::epoch(one),
                _ => None,
            },
            epochs: match &values[..] {
                [_] => Vec::new(),
                several if losses => several.iter().filter_map(|name| Names::epoch(name)).collect(),
                _ => Vec::new(),
            },
            steps: names.epochs.is_none() && epochs.is_some_and(|(_, rank)| rank == STEP),
            unused_ids: if keys.is_none() { names.like_ids(rest()) } else { Vec::new() },
            ..Said::default()
        };
        said.unused(kind, names, all.iter().map(|(name, _)| name.as_str()));
        if let (Some((name, _)), false) = (epochs, said.epochs.is_empty()) {
            return Err(IngestError::epochs_twice(path, name));
        }
        let owned = |found: Option<(&str, Rank)>| found.map(|(name, _)| name.to_owned());
        let (labels, keys, epochs) = (owned(labels), owned(keys), owned(epochs));
        Ok(Self { kind, values, labels, keys, epochs, said })
    }

    /// Names of all columns that are read.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let others = [&self.labels, &self.keys, &self.epochs];
        let others = others.into_iter().flatten().map(String::as_str);
        self.values.iter().map(String::as_str).chain(others)
    }
}

/// The columns of values: the one of lists of the best name, or several that are numbered.
fn values_of(
    path: &Path,
    all: &[(String, Content)],
    names: &Names,
) -> Result<(Vec<String>, Option<Kind>), IngestError> {
    let names_of_all = || all.iter().map(|(name, _)| name.clone()).collect();
    let missing = |what| IngestError::Missing {
        path: path.to_owned(),
        what,
        found: names_of_all(),
        hint: "call the column of lists `logits` or `probs`, columns of one class each `logit_0`, \
               `logit_1`, …, or name it with --values",
    };
    let candidate = |(name, content): &(String, Content)| match names.ranked(name) {
        Some((Field::Values(kind), rank))
            if names.values.is_some() || *content != Content::Other =>
        {
            Some((name.clone(), *content, kind, rank))
        }
        _ => None,
    };
    let found: Vec<_> = all.iter().filter_map(candidate).collect();
    let Some(best) = found.iter().map(|(.., rank)| *rank).min() else {
        return plain_numbers(all)
            .map(|values| (values, names.kind))
            .ok_or_else(|| IngestError::no_values(path, names_of_all()));
    };
    let found: Vec<_> = found.into_iter().filter(|(.., rank)| *rank == best).collect();
    let kind = found[0].2;
    if kind == Some(Kind::Losses) {
        return losses_of(path, &found, names).map(|values| (values, kind));
    }
    let mut lists = found.iter().filter(|(_, content, ..)| *content == Content::Lists);
    match (lists.next(), lists.next(), &found[..]) {
        (Some(_), Some(_), _) => Err(missing("single column of lists of values")),
        (Some((name, ..)), None, _) | (None, _, [(name, ..)]) => Ok((vec![name.clone()], kind)),
        (None, _, wide) => {
            let numbers: Option<Vec<_>> = wide
                .iter()
                .map(|(name, ..)| {
                    let (stem, number) = names::numbered(name)?;
                    Some((stem.to_owned(), number, name.clone()))
                })
                .collect();
            let mut numbers = numbers.ok_or_else(|| missing("single set of columns of values"))?;
            numbers.sort();
            let (stem, start) = (numbers[0].0.clone(), numbers[0].1);
            let expected = (start..).map(|number| (&stem, number));
            let found = numbers.iter().map(|(stem, number, _)| (stem, *number));
            if start > 1 || !found.eq(expected.take(numbers.len())) {
                return Err(missing("columns of values numbered without gaps from 0 or 1"));
            }
            Ok((numbers.into_iter().map(|(.., name)| name).collect(), kind))
        }
    }
}

/// A name that may be of values, what is in the column, what it is called, and the rank of that.
type Candidate = (String, Content, Option<Kind>, Rank);

/// The column of losses, or one of each epoch in the order of these.
fn losses_of(path: &Path, found: &[Candidate], names: &Names) -> Result<Vec<String>, IngestError> {
    if let Some((name, ..)) = found.iter().find(|(_, content, ..)| *content == Content::Lists) {
        return Err(IngestError::shape(path, several_losses(name)));
    }
    if let [(name, ..)] = found {
        return Ok(vec![name.clone()]);
    }
    let epochs = found.iter().map(|(name, ..)| Some((Names::epoch(name)?, name.clone())));
    let mut epochs: Vec<(i64, String)> = epochs.collect::<Option<_>>().unwrap_or_default();
    epochs.sort();
    if epochs.is_empty() || epochs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        let mut all: Vec<String> = found.iter().map(|(name, ..)| name.clone()).collect();
        all.sort();
        return Err(names.several(path, Field::Values(Some(Kind::Losses)), all));
    }
    Ok(epochs.into_iter().map(|(_, name)| name).collect())
}

/// That a row has a list of losses.
pub(crate) fn several_losses(name: &str) -> String {
    format!(
        "{name} is a list in each row; give one loss an example and epoch: of the parts of an example (its tokens,          its boxes) their mean or sum, of several epochs a row each with a column `epoch`, or columns \
         `loss_epoch_1`, `loss_epoch_2`, …"
    )
}

/// Columns called 0, 1, …, as a data frame made of a matrix has them.
fn plain_numbers(all: &[(String, Content)]) -> Option<Vec<String>> {
    let of = |(name, content): &(String, Content)| {
        let number: u32 = name.parse().ok()?;
        (*content == Content::Floats).then(|| (number, name.clone()))
    };
    let mut numbers: Vec<(u32, String)> = all.iter().filter_map(of).collect();
    numbers.sort();
    let even = numbers.iter().map(|(number, _)| *number).eq(0..numbers.len() as u32);
    (numbers.len() > 1 && even).then(|| numbers.into_iter().map(|(_, name)| name).collect())
}

/// Some of the ids.
pub(crate) fn some(keys: &Keys, here: std::ops::Range<usize>) -> Option<Keys> {
    match keys {
        Keys::Integers(keys) => keys.get(here).map(|keys| Keys::Integers(keys.to_vec())),
        Keys::Texts(keys) => keys.get(here).map(|keys| Keys::Texts(keys.to_vec())),
    }
}
