//! Scores of the losses of any training loop: one loss an example and epoch, whatever the task.
//!
//! Where [`crate::TrajectoryRecorder`] needs logits of one class an example, this recorder takes what a
//! detector, a language model or a regression has too. An example is recorded at most once an epoch;
//! examples that were missed are counted; the losses of chosen epochs are kept beside the last epoch's; the
//! recorders of several distributed ranks of one training join into one ([`LossRecorder::merge_ranks`]), bit
//! for bit as if one had seen everything. What the scores over time are stands in `loss_tracks.rs`.
//!
//! Values *beside* the losses, parts of them such as the loss of boxes, or any other [`Measure`], are kept of
//! the last epoch and of the chosen ones.
//!
//! Memory: [`LossRecorder::BYTES`] (48) an example and 8 for each value beside; 4 more (and 4 for each value
//! beside) for each kept epoch; and, for the joining of ranks, 4 bytes and a bit for each loss and epoch,
//! which [`LossRecorder::single_rank`] does not keep. Losses are rounded to 32 bits, means of them are taken
//! in 64. Whether the losses come from training minibatches or from an evaluation pass is the caller's choice,
//! and belongs beside the numbers. Independent trainings (replicas) are not joined here: take means of their
//! columns.

use fixedbitset::FixedBitSet;

use crate::{
    ExampleId, Measure, ScoreError, ScoreKind, checks,
    epoch_losses::EpochLosses,
    kept_epochs::{epochs_to_keep, with_the_last},
    loss_tracks::{LossEpoch, LossTrack, advance},
    ranks::{Seen, same},
};

/// Losses of all examples of the full training set over the epochs of one training.
///
/// ```
/// use datadiet_core::{ExampleId, LossRecorder, ScoreKind};
///
/// let mut recorder = LossRecorder::new(3).with_threshold(0.5)?;
/// for losses in [[2.0_f32, 1.0], [0.5, 3.0]] {
///     // Examples 2 and 0.
///     recorder.update(&[ExampleId(2), ExampleId(0)], &losses, &[])?;
///     recorder.end_epoch();
/// }
/// let mean = recorder.column(ScoreKind::MeanLoss).expect("always there");
/// assert_eq!((mean[0], mean[2]), (2.0, 1.25));
/// assert!(mean[1].is_nan(), "never seen");
/// let learned = recorder.column(ScoreKind::LearnedAt).expect("there is a threshold");
/// assert_eq!((learned[0], learned[2]), (3.0, 2.0), "never, and in epoch 2");
/// let names: Vec<String> =
///     recorder.columns().iter().map(|(measure, epoch, _)| format!("{measure}@{epoch}")).collect();
/// let expected =
///     ["loss@2", "mean-loss@2", "loss-std@2", "loss-drop@2", "learned-at@2", "loss-forgetting@2"];
/// assert_eq!(names, expected);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LossRecorder {
    pub(crate) examples: usize,
    /// Finished epochs.
    pub(crate) epochs: u32,
    /// Whether anything was recorded, so that the values beside are known.
    pub(crate) started: bool,
    pub(crate) threshold: Option<f32>,
    /// Losses of a reference model, NaN where there is none.
    pub(crate) reference: Option<Vec<f32>>,
    pub(crate) beside: Vec<Measure>,
    pub(crate) tracks: Vec<LossTrack>,
    /// Examples missed, by finished epoch.
    pub(crate) unseen: Vec<u32>,
    /// The epoch that is not finished.
    pub(crate) current: EpochLosses,
    /// The last finished epoch.
    pub(crate) last: EpochLosses,
    /// Finished epochs that were asked for.
    pub(crate) kept: Vec<(u32, EpochLosses)>,
    /// Epochs to keep, ascending.
    pub(crate) keep_at: Vec<u32>,
    /// Every finished epoch; none where ranks are not joined.
    pub(crate) history: Option<Vec<LossEpoch>>,
    /// For the median; kept for its memory.
    pub(crate) room: Vec<f32>,
}

impl LossRecorder {
    /// Memory of one example: its track, and its losses in the current and the last epoch. Sets of
    /// examples, of one bit each, values beside, kept epochs and history are not in it.
    pub const BYTES: usize = size_of::<LossTrack>() + 2 * size_of::<f32>();

    /// The scores over the epochs of a training, in the order of [`Self::columns`].
    pub const OVER_TIME: [ScoreKind; 5] = [
        ScoreKind::MeanLoss,
        ScoreKind::LossStd,
        ScoreKind::LossDrop,
        ScoreKind::LearnedAt,
        ScoreKind::LossForgetting,
    ];

    /// A recorder of examples 0 to n − 1 of the full training set, before the first epoch.
    #[must_use]
    pub fn new(examples: usize) -> Self {
        Self {
            examples,
            epochs: 0,
            started: false,
            threshold: None,
            reference: None,
            beside: Vec::new(),
            tracks: vec![LossTrack::NEW; examples],
            unseen: Vec::new(),
            current: EpochLosses::new(examples, 0),
            last: EpochLosses::new(examples, 0),
            kept: Vec::new(),
            keep_at: Vec::new(),
            history: Some(Vec::new()),
            room: Vec::new(),
        }
    }

    /// Keeps the losses of these epochs, counted from 1, and the values beside them, next to those of the
    /// last one. Epochs that are finished already cannot be kept any more.
    #[must_use]
    pub fn keep_at(mut self, epochs: &[u32]) -> Self {
        self.keep_at = epochs_to_keep(&self.kept, self.epochs, epochs);
        self
    }

    /// Keeps no history, so that memory does not grow with the number of epochs; such a recorder
    /// cannot be merged with another rank.
    #[must_use]
    pub fn single_rank(mut self) -> Self {
        self.history = None;
        self
    }

    /// The loss down to which an example counts as learned; without one there is no `learned-at`. For a recorder
    /// before its first epoch.
    ///
    /// # Errors
    /// A threshold that is not finite.
    pub fn with_threshold(self, threshold: f32) -> Result<Self, ScoreError> {
        if !threshold.is_finite() {
            return Err(ScoreError::Threshold { value: threshold });
        }
        Ok(Self { threshold: Some(threshold), ..self })
    }

    /// The losses of a reference model, one for each of the n examples, NaN where it has none; without them
    /// there is no `excess-loss`.
    ///
    /// # Errors
    /// Another number than n, or an infinite one.
    pub fn with_reference(self, losses: Vec<f32>) -> Result<Self, ScoreError> {
        checks::length("reference", self.examples, losses.len())?;
        checks::values("reference", &losses, |loss| !loss.is_infinite())?;
        Ok(Self { reference: Some(losses), ..self })
    }

    /// Names the values that come beside the losses of each batch: before anything is recorded, or the same
    /// ones again.
    ///
    /// # Errors
    /// Other ones than before.
    pub fn set_beside(&mut self, measures: &[Measure]) -> Result<(), ScoreError> {
        if self.beside == measures {
            return Ok(());
        }
        if self.started {
            let names = |of: &[Measure]| of.iter().map(ToString::to_string).collect();
            let (expected, found) = (names(&self.beside), names(measures));
            return Err(ScoreError::OtherParts { expected, found });
        }
        self.beside = measures.to_vec();
        let epochs = self.kept.iter_mut().map(|(_, epoch)| epoch);
        for epoch in epochs.chain([&mut self.current, &mut self.last]) {
            epoch.set_beside(measures.len());
        }
        Ok(())
    }

    /// Makes room for n examples in all, where their number is not known beforehand; new ones have
    /// not been seen in any epoch, and have no reference. Fewer than there are change nothing.
    pub fn grow(&mut self, examples: usize) {
        let Some(more @ 1..) = examples.checked_sub(self.examples) else { return };
        self.examples = examples;
        self.tracks.resize(examples, LossTrack::NEW);
        self.unseen.iter_mut().for_each(|unseen| *unseen += more as u32);
        if let Some(reference) = &mut self.reference {
            reference.resize(examples, f32::NAN);
        }
        self.current.grow(examples);
        self.last.grow(examples);
        self.kept.iter_mut().for_each(|(_, epoch)| epoch.grow(examples));
        self.history.iter_mut().flatten().for_each(|epoch| epoch.seen.grow(examples));
    }

    /// Records B examples of the current epoch.
    ///
    /// `ids`: B ids below n, in any order; `losses`: the B losses; `beside`: for each of the values that
    /// [`Self::set_beside`] named, B of them.
    ///
    /// # Errors
    /// One loss for the whole batch, or another number than B; an id out of range, or that was recorded before
    /// in this epoch; NaN or infinity (of values that are not losses, NaN alone). Nothing is recorded then.
    pub fn update(
        &mut self,
        ids: &[ExampleId],
        losses: &[f32],
        beside: &[&[f32]],
    ) -> Result<(), ScoreError> {
        count("losses", losses, ids.len())?;
        checks::length("values beside the loss", self.beside.len(), beside.len())?;
        for (measure, values) in self.beside.iter().zip(beside) {
            let is_loss = measure.kind() == ScoreKind::Loss;
            let good = |value: f32| if is_loss { value.is_finite() } else { !value.is_nan() };
            let checked = count(measure, values, ids.len()).and_then(|()| {
                checks::values("values", values, good).map_err(|error| {
                    let problem = Box::new(error.of_examples(ids));
                    ScoreError::OfPart { part: measure.to_string(), problem }
                })
            });
            checked?;
        }
        checks::values("losses", losses, f32::is_finite).map_err(|error| error.of_examples(ids))?;
        checks::ids(ids, self.examples)?;
        self.current.claim_all(ids, self.epochs + 1)?;
        self.started |= !ids.is_empty();
        self.current.set(ids, losses, beside);
        Ok(())
    }

    /// Ends the current epoch: counts the examples that it missed and starts the next.
    pub fn end_epoch(&mut self) {
        self.epochs += 1;
        let seen = self.current.seen_losses();
        self.unseen.push(missed(self.examples, &seen.seen));
        advance(&mut self.tracks, self.epochs, &seen, self.threshold, &mut self.room);
        if let Some(history) = &mut self.history {
            history.push(seen);
        }
        if self.keep_at.binary_search(&self.epochs).is_ok() {
            self.kept.push((self.epochs, self.current.clone()));
        }
        std::mem::swap(&mut self.last, &mut self.current);
        self.current.clear();
    }

    /// Number of examples of the full training set.
    #[must_use]
    pub fn examples(&self) -> usize {
        self.examples
    }

    /// Finished epochs.
    #[must_use]
    pub fn epochs(&self) -> u32 {
        self.epochs
    }

    /// The values that come beside the losses.
    #[must_use]
    pub fn beside(&self) -> &[Measure] {
        &self.beside
    }

    /// The loss down to which an example counts as learned.
    #[must_use]
    pub fn threshold(&self) -> Option<f32> {
        self.threshold
    }

    /// The losses of a reference model.
    #[must_use]
    pub fn reference(&self) -> Option<&[f32]> {
        self.reference.as_deref()
    }

    /// Whether there is a history, which the merging of ranks needs.
    #[must_use]
    pub fn is_mergeable(&self) -> bool {
        self.history.is_some()
    }

    /// Epochs whose losses have columns: those kept so far, ascending, and the last.
    #[must_use]
    pub fn scored_epochs(&self) -> Vec<u32> {
        self.epochs_with_losses().map(|(epoch, _)| epoch).collect()
    }

    /// How many examples each finished epoch missed: entry 0 belongs to epoch 1.
    #[must_use]
    pub fn unseen(&self) -> &[u32] {
        &self.unseen
    }

    /// Examples recorded since the last [`Self::end_epoch`]; their losses are in no column yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.current.seen().count_ones(..)
    }

    /// A score over the finished epochs, of [`Self::OVER_TIME`]: n values, NaN where the example was never
    /// seen. `None` of another score, and of `learned-at` where there is no threshold.
    #[must_use]
    pub fn column(&self, kind: ScoreKind) -> Option<Vec<f32>> {
        if kind == ScoreKind::LearnedAt && self.threshold.is_none() {
            return None;
        }
        // Of no examples each of the scores has a column too.
        LossTrack::NEW.value(kind, self.epochs)?;
        Some(self.tracks.iter().filter_map(|track| track.value(kind, self.epochs)).collect())
    }

    /// Every score of the finished epochs, with the epoch that it stands at. For each kept epoch and the
    /// last: `loss`, `excess-loss` where there is a reference, and the values beside; then at the last epoch
    /// [`Self::OVER_TIME`]. n values each, NaN where the example was not seen (in that epoch; for the scores
    /// over time, in any). Empty before the first epoch has ended.
    #[must_use]
    pub fn columns(&self) -> Vec<(Measure, u32, Vec<f32>)> {
        let mut columns = Vec::new();
        for (epoch, losses) in self.epochs_with_losses() {
            let loss = losses.column();
            let excess = self.reference.as_ref().map(|reference| {
                loss.iter().zip(reference).map(|(loss, reference)| loss - reference).collect()
            });
            columns.push((ScoreKind::Loss.into(), epoch, loss));
            columns.extend(excess.map(|excess| (ScoreKind::ExcessLoss.into(), epoch, excess)));
            for (place, measure) in self.beside.iter().enumerate() {
                columns.push((measure.clone(), epoch, losses.column_beside(place)));
            }
        }
        if self.epochs > 0 {
            for kind in Self::OVER_TIME {
                let column = self.column(kind);
                columns.extend(column.map(|column| (kind.into(), self.epochs, column)));
            }
        }
        columns
    }

    /// Joins what another rank of the **same** training recorded. The examples of an epoch may lie
    /// on any rank, another one in each epoch; the result is bit for bit as from one recorder that saw
    /// everything, since the histories are overlaid and gone through again.
    ///
    /// Returns how many presentations of finished epochs were on both ranks, as samplers make that
    /// fill up the last batch with repeated examples: of these this recorder's losses stand.
    ///
    /// # Errors
    /// Recorders of another shape, number of epochs, threshold, reference or values beside the losses, a rank
    /// that was merged before, a recorder without history. Nothing is changed then.
    pub fn merge_ranks(&mut self, other: &Self) -> Result<u64, ScoreError> {
        self.check_same_training(other)?;
        let (Some(mine), Some(theirs)) = (&self.history, &other.history) else {
            return Err(ScoreError::NoHistory);
        };
        let repeated = seen_of(mine, &self.current).repeated(&seen_of(theirs, &other.current))?;
        if !self.started {
            self.set_beside(&other.beside)?;
            self.started = other.started;
        }
        for (mine, theirs) in self.history.iter_mut().flatten().zip(theirs) {
            mine.join(theirs);
        }
        self.replay();
        self.current.fill_from(&other.current);
        self.last.fill_from(&other.last);
        for ((_, mine), (_, theirs)) in self.kept.iter_mut().zip(&other.kept) {
            mine.fill_from(theirs);
        }
        Ok(repeated)
    }

    /// Goes through the history again, from the beginning.
    pub(crate) fn replay(&mut self) {
        let Some(history) = &self.history else { return };
        self.tracks.fill(LossTrack::NEW);
        self.unseen.clear();
        for (epoch, seen) in (1..).zip(history) {
            self.unseen.push(missed(self.examples, &seen.seen));
            advance(&mut self.tracks, epoch, seen, self.threshold, &mut self.room);
        }
    }

    /// The kept epochs and the last, ascending.
    fn epochs_with_losses(&self) -> impl Iterator<Item = (u32, &EpochLosses)> {
        with_the_last(&self.kept, self.epochs, &self.last)
    }

    fn check_same_training(&self, other: &Self) -> Result<(), ScoreError> {
        same("number of examples", &self.examples, &other.examples)?;
        same("number of finished epochs", &self.epochs, &other.epochs)?;
        same("epochs kept", &self.keep_at, &other.keep_at)?;
        same("threshold", &self.threshold, &other.threshold)?;
        let bits = |of: &Self| -> Option<Vec<u32>> {
            Some(of.reference.as_ref()?.iter().map(|loss| loss.to_bits()).collect())
        };
        if bits(self) != bits(other) {
            let (mine, theirs) = (self.reference.is_some(), other.reference.is_some());
            let text = |has| if has { "some" } else { "none" }.to_owned();
            let (what, mine, theirs) = ("losses of a reference model", text(mine), text(theirs));
            return Err(ScoreError::DifferentTraining { what, mine, theirs });
        }
        if self.started && other.started {
            let names = |of: &Self| of.beside.iter().map(Measure::to_string).collect::<Vec<_>>();
            same("values beside the loss", &names(self), &names(other))?;
        }
        Ok(())
    }
}

/// Who was seen on a rank.
fn seen_of<'a>(history: &'a [LossEpoch], current: &'a EpochLosses) -> Seen<'a> {
    Seen { finished: history.iter().map(|one| &one.seen).collect(), current: current.seen() }
}

fn missed(examples: usize, seen: &FixedBitSet) -> u32 {
    (examples - seen.count_ones(..)) as u32
}

/// There is one value for each id.
fn count(what: impl ToString, values: &[f32], ids: usize) -> Result<(), ScoreError> {
    match values.len() {
        found if found == ids => Ok(()),
        1 => Err(ScoreError::BatchLoss { ids }),
        found => Err(ScoreError::LossCount { what: what.to_string(), found, ids }),
    }
}
