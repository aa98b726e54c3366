//! Tokens of chosen examples over training: which of them look wrong.
//!
//! Of each labelled token of an example that is kept: its position, its label, the mean of its losses over
//! presentations, and the loss, EL2N and prediction of the last one. About 48 bytes a token.
//!
//! Positions and labels must be the same in every epoch: a token that is not always labelled, as in masked
//! language modelling, is one whenever it is.

use std::collections::{BTreeMap, BTreeSet};

use fixedbitset::FixedBitSet;

use crate::{
    ExampleId, Measure, ScoreError, TokenScores, checks,
    ranks::same,
    state_column::{Saved, StateColumn},
    task_recorder::Tracks,
};

/// Whose tokens are kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum KeptTokens {
    /// Nobody's.
    #[default]
    None,
    /// Those of some examples.
    Of(BTreeSet<u32>),
    /// All.
    All,
}

impl KeptTokens {
    fn contains(&self, id: u32) -> bool {
        match self {
            Self::None => false,
            Self::Of(ids) => ids.contains(&id),
            Self::All => true,
        }
    }
}

/// One token over the epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Kept {
    label: u32,
    /// Of losses.
    sum: f64,
    presentations: u32,
    last: Shown,
}

/// One presentation of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Shown {
    epoch: u32,
    loss: f32,
    el2n: f32,
    predicted: u32,
}

/// A presentation that has not entered the scores yet.
#[derive(Clone, Copy, Debug, PartialEq)]
struct New {
    position: u32,
    label: u32,
    shown: Shown,
}

/// Columns of all kept tokens, by example and position.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenColumn {
    /// The example.
    pub example: Vec<u32>,
    /// Place in its sequence, from 0.
    pub position: Vec<u32>,
    /// The label.
    pub label: Vec<u32>,
    /// Mean over presentations of the loss, in nats; high is hard.
    pub mean_loss: Vec<f32>,
    /// Loss of the last presentation.
    pub loss: Vec<f32>,
    /// EL2N of the last presentation; NaN of log-probabilities.
    pub el2n: Vec<f32>,
    /// Class predicted in the last presentation; [`NOT_PREDICTED`] of log-probabilities.
    pub predicted: Vec<u32>,
}

/// In a column of predictions: there were only log-probabilities.
pub const NOT_PREDICTED: u32 = u32::MAX;

/// The kept tokens of one training.
#[derive(Clone, Debug, Default)]
pub struct TokenTracks {
    keep: KeptTokens,
    /// V; 0 before there were logits.
    classes: usize,
    tokens: BTreeMap<(u32, u32), Kept>,
    /// Of the epoch that is not finished, by example.
    current: BTreeMap<u32, Vec<New>>,
}

impl TokenTracks {
    pub(crate) fn new(keep: KeptTokens) -> Self {
        Self { keep, ..Self::default() }
    }

    /// There are as many classes as there were.
    ///
    /// # Errors
    /// Another number.
    pub(crate) fn check_classes(&self, classes: usize) -> Result<(), ScoreError> {
        if self.classes == 0 { Ok(()) } else { checks::classes(self.classes, classes) }
    }

    /// Notes the number of classes.
    pub(crate) fn set_classes(&mut self, classes: usize) {
        self.classes = classes;
    }

    /// Whether any tokens are kept.
    pub(crate) fn keeps(&self) -> bool {
        self.keep != KeptTokens::None
    }

    /// Tokens of the examples of a batch have the labels that they had. `ids`: of the examples by their
    /// numbers in the scores.
    ///
    /// # Errors
    /// The first whose label changed.
    pub(crate) fn check(&self, ids: &[ExampleId], scores: &TokenScores) -> Result<(), ScoreError> {
        if !self.keeps() {
            return Ok(());
        }
        for token in &scores.tokens {
            let id = ids[token.example as usize].0;
            let known = self.tokens.get(&(id, token.position));
            if let Some(known) = known.filter(|known| known.label != token.label) {
                let (before, now, position) = (known.label, token.label, token.position);
                return Err(ScoreError::TokenChanged { id, position, before, now });
            }
        }
        Ok(())
    }

    /// Notes the tokens of a batch of the epoch `epoch`.
    pub(crate) fn set(&mut self, epoch: u32, ids: &[ExampleId], scores: &TokenScores) {
        if !self.keeps() {
            return;
        }
        for (at, token) in scores.tokens.iter().enumerate() {
            let id = ids[token.example as usize].0;
            if !self.keep.contains(id) {
                continue;
            }
            let shown = Shown {
                epoch,
                loss: scores.loss[at],
                el2n: scores.el2n.get(at).copied().unwrap_or(f32::NAN),
                predicted: scores.predicted.get(at).copied().unwrap_or(NOT_PREDICTED),
            };
            let new = New { position: token.position, label: token.label, shown };
            self.current.entry(id).or_default().push(new);
        }
    }

    /// The tokens of finished epochs.
    pub(crate) fn column(&self) -> TokenColumn {
        let mut columns = TokenColumn::default();
        for (&(example, position), kept) in &self.tokens {
            columns.example.push(example);
            columns.position.push(position);
            columns.label.push(kept.label);
            columns.mean_loss.push((kept.sum / f64::from(kept.presentations)) as f32);
            columns.loss.push(kept.last.loss);
            columns.el2n.push(kept.last.el2n);
            columns.predicted.push(kept.last.predicted);
        }
        columns
    }
}

impl Tracks for TokenTracks {
    fn grow(&mut self, _: usize) {}

    fn single_rank(&mut self) {}

    fn end_epoch(&mut self, _: u32, _: &FixedBitSet, _: bool) {
        for (id, tokens) in std::mem::take(&mut self.current) {
            for New { position, label, shown } in tokens {
                let new = || Kept { label, sum: 0.0, presentations: 0, last: shown };
                let kept = self.tokens.entry((id, position)).or_insert_with(new);
                kept.sum += f64::from(shown.loss);
                kept.presentations += 1;
                kept.last = shown;
            }
        }
    }

    fn check_same(&self, other: &Self) -> Result<(), ScoreError> {
        let mine = matches!(self.keep, KeptTokens::None);
        if self.classes != 0 && other.classes != 0 {
            same("number of classes", &self.classes, &other.classes)?;
        }
        same("whether tokens are kept", &mine, &matches!(other.keep, KeptTokens::None))?;
        for (&(id, position), theirs) in &other.tokens {
            let known = self.tokens.get(&(id, position));
            if let Some(mine) = known.filter(|mine| mine.label != theirs.label) {
                let (before, now) = (mine.label, theirs.label);
                return Err(ScoreError::TokenChanged { id, position, before, now });
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: &Self, only_theirs: &FixedBitSet) {
        self.classes = self.classes.max(other.classes);
        for (&at, theirs) in &other.tokens {
            let Some(mine) = self.tokens.get_mut(&at) else {
                self.tokens.insert(at, *theirs);
                continue;
            };
            mine.sum += theirs.sum;
            mine.presentations += theirs.presentations;
            if theirs.last.epoch > mine.last.epoch {
                mine.last = theirs.last;
            }
        }
        for (&id, tokens) in &other.current {
            if only_theirs.contains(id as usize) {
                self.current.insert(id, tokens.clone());
            }
        }
    }

    fn columns(&self, _: u32) -> Vec<(Measure, u32, Vec<f32>)> {
        Vec::new()
    }

    fn state(&self, _: bool) -> Vec<(String, StateColumn)> {
        let (all, ids) = match &self.keep {
            KeptTokens::None => (0, Vec::new()),
            KeptTokens::Of(ids) => (1, ids.iter().copied().collect()),
            KeptTokens::All => (2, Vec::new()),
        };
        let mut wholes: Vec<u32> = Vec::new();
        let mut numbers: Vec<f64> = Vec::new();
        let mut push = |[id, position, label, presentations]: [u32; 4], sum: f64, last: Shown| {
            wholes.extend([id, position, label, presentations, last.epoch, last.predicted]);
            numbers.extend([sum, f64::from(last.loss), f64::from(last.el2n)]);
        };
        for (&(id, position), kept) in &self.tokens {
            push([id, position, kept.label, kept.presentations], kept.sum, kept.last);
        }
        // Presentations of the current epoch have none in the scores yet.
        for (&id, tokens) in &self.current {
            for new in tokens {
                push([id, new.position, new.label, 0], 0.0, new.shown);
            }
        }
        let mut columns = vec![
            (KEEP.to_owned(), StateColumn::U32([vec![all, self.classes as u32], ids].concat())),
            (WHOLES.to_owned(), StateColumn::U32(wholes)),
        ];
        // Of columns that are empty PyTorch refuses two of different types.
        if !numbers.is_empty() {
            columns.push((NUMBERS.to_owned(), StateColumn::F64(numbers)));
        }
        columns
    }

    fn from_state<F: Fn(&str) -> Option<StateColumn>>(
        saved: &Saved<F>,
        _: usize,
        epochs: u32,
        _: &[u32],
        _: bool,
    ) -> Result<Self, ScoreError> {
        let keep = saved.u32(KEEP)?;
        let (keep, classes) = match keep[..] {
            [0, classes] => (KeptTokens::None, classes),
            [1, classes, ref ids @ ..] => (KeptTokens::Of(ids.iter().copied().collect()), classes),
            [2, classes] => (KeptTokens::All, classes),
            _ => return Err(Saved::<F>::damaged(KEEP, "it does not say whose tokens are kept")),
        };
        let wholes = saved.u32(WHOLES)?;
        let (wholes, rest) = wholes.as_chunks::<6>();
        if !rest.is_empty() {
            return Err(Saved::<F>::damaged(WHOLES, "it is cut off"));
        }
        let numbers =
            if wholes.is_empty() { Vec::new() } else { saved.f64(NUMBERS, 3 * wholes.len())? };
        let mut tracks = Self { classes: classes as usize, ..Self::new(keep) };
        for (whole, number) in wholes.iter().zip(numbers.as_chunks::<3>().0) {
            let &[id, position, label, presentations, epoch, predicted] = whole;
            let &[sum, loss, el2n] = number;
            let (loss, el2n) = (loss as f32, el2n as f32);
            if !sum.is_finite() || !loss.is_finite() || epoch > epochs + 1 {
                let reason = format!("no recorder writes what it has of example {id}");
                return Err(Saved::<F>::damaged(NUMBERS, reason));
            }
            let last = Shown { epoch, loss, el2n, predicted };
            if presentations == 0 {
                let new = New { position, label, shown: last };
                tracks.current.entry(id).or_default().push(new);
            } else {
                tracks.tokens.insert((id, position), Kept { label, sum, presentations, last });
            }
        }
        Ok(tracks)
    }
}

const KEEP: &str = "tokens.keep";
const WHOLES: &str = "tokens.wholes";
const NUMBERS: &str = "tokens.numbers";
