//! Scores over time from any training loop: logits or probabilities by example id, epoch by epoch.
//!
//! Where [`crate::TrainingDynamics`] is fed by the training minibatches of one process, this
//! recorder knows epochs: an example is presented at most once in each, examples that were missed
//! are counted, the scores of chosen epochs are kept beside the last epoch's, and the recorders
//! of several distributed ranks of one training join into one ([`TrajectoryRecorder::merge_ranks`]).
//! Forgetting, AUM and dataset cartography come from that tracker, which the end of an epoch
//! advances; the scores of a pass are the same as from [`crate::LogitScores`], bit for bit. Whether the
//! logits come from training minibatches or from an evaluation pass is the caller's choice, and
//! belongs beside the numbers.
//!
//! Memory: [`TrajectoryRecorder::BYTES`] (220) an example, 56 more for each kept epoch, and two
//! bits an example and epoch for the joining of ranks; [`TrajectoryRecorder::single_rank`] keeps
//! none of the latter. The margin of the mean and TDDS take [`TrajectoryRecorder::BYTES_OF_CLASS`] (16)
//! more for each example and class; where that comes to more than [`Kept::MOST_NUMBERS`] examples times
//! classes, there are none of them unless [`TrajectoryRecorder::keeping`] asks. Independent trainings
//! (replicas) are not joined here: take means of their columns.

use crate::{
    ExampleId, Kept, ScoreError, ScoreKind, TrainingDynamics, checks,
    class_tracks::{ClassTracks, Presented},
    epoch_rows::EpochRows,
    fast::{BatchScores, Element, Matrix, distribution::distributions},
    kept_epochs::{epochs_to_keep, with_the_last},
    presence::Presence,
    ranks::{Seen, same},
    row_scores::RowScores,
    training_dynamics::Told,
};
use fixedbitset::FixedBitSet;

/// The label of an example that was never presented.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// Scores of all examples of the full training set over the epochs of one training.
///
/// ```
/// use datadiet_core::{ExampleId, Matrix, ScoreKind, TrajectoryRecorder};
///
/// let mut recorder = TrajectoryRecorder::new(3, 2);
/// for logits in [[2.0_f32, 0.0, /**/ 0.0, 1.0], [0.0, 1.0, /**/ 0.0, 3.0]] {
///     // Examples 2 and 0, with labels 0 and 1.
///     recorder.update(&[ExampleId(2), ExampleId(0)], Matrix::logits(&logits, 2), &[0, 1])?;
///     recorder.end_epoch();
/// }
/// let columns = recorder.columns();
/// let (_, epoch, forgetting) =
///     columns.iter().find(|(kind, ..)| *kind == ScoreKind::Forgetting).expect("always there");
/// assert_eq!((*epoch, forgetting[0], forgetting[2]), (2, 0.0, 1.0));
/// assert!(forgetting[1].is_nan(), "never seen");
/// assert_eq!(recorder.unseen(), [1, 1]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrajectoryRecorder {
    pub(crate) examples: usize,
    pub(crate) classes: usize,
    /// Finished epochs.
    pub(crate) epochs: u32,
    /// By example, [`UNKNOWN`] before the first presentation.
    pub(crate) labels: Vec<u32>,
    /// Examples missed, by finished epoch.
    pub(crate) unseen: Vec<u32>,
    pub(crate) dynamics: TrainingDynamics,
    /// The epoch that is not finished.
    pub(crate) current: EpochRows,
    /// The last finished epoch.
    pub(crate) last: EpochRows,
    /// Finished epochs that were asked for.
    pub(crate) kept: Vec<(u32, EpochRows)>,
    /// Epochs to keep, ascending.
    pub(crate) keep_at: Vec<u32>,
    /// Every finished epoch; none where ranks are not joined.
    pub(crate) history: Option<Vec<Presence>>,
    /// n × K probabilities of the current epoch, where numbers of each class are kept.
    pub(crate) distributions: Vec<f32>,
    /// Whether numbers of each class are kept only as long as they are few.
    pub(crate) few_classes: bool,
    /// The batch at hand, and its probabilities; kept for their room.
    pub(crate) batch: BatchScores,
    pub(crate) room: Vec<f32>,
}

impl TrajectoryRecorder {
    /// Memory of one example: what the trackers keep of it, its label, and its rows in the current
    /// and the last epoch. Sets of examples, of one bit each, and kept epochs are not in it.
    pub const BYTES: usize =
        TrainingDynamics::BYTES + size_of::<u32>() + 2 * size_of::<RowScores>();

    /// Memory of one example and class more, where the margin of the mean and TDDS are recorded: a sum,
    /// the last logarithm, and the probability in the current epoch.
    pub const BYTES_OF_CLASS: usize = ClassTracks::BYTES_OF_CLASS + size_of::<f32>();

    /// Bytes that a recorder of n examples and K classes takes, without kept epochs.
    #[must_use]
    pub fn bytes(examples: usize, classes: usize, with_classes: bool) -> usize {
        let of_classes = classes.saturating_mul(Self::BYTES_OF_CLASS) + ClassTracks::BYTES;
        let each = Self::BYTES + if with_classes { of_classes } else { 0 };
        examples.saturating_mul(each)
    }

    /// A recorder of examples 0 to n − 1 of the full training set and K classes, before the first
    /// epoch. Fewer than 2 classes are refused by the first [`Self::update`].
    #[must_use]
    pub fn new(examples: usize, classes: usize) -> Self {
        let few = Kept::within(examples, classes).classes;
        Self { few_classes: true, ..Self::keeping(examples, classes, few) }
    }

    /// The same that keeps what the margin of the mean and TDDS need of each example and class, however
    /// much memory that takes, or does not keep it, however little.
    #[must_use]
    pub fn keeping(examples: usize, classes: usize, of_classes: bool) -> Self {
        let kept = Kept { classes: of_classes, ..Kept::ALL };
        let mut dynamics = TrainingDynamics::keeping(examples, kept);
        dynamics.set_classes(classes);
        let distributions = if kept.classes { vec![0.0; examples * classes] } else { Vec::new() };
        Self {
            examples,
            classes,
            epochs: 0,
            labels: vec![UNKNOWN; examples],
            unseen: Vec::new(),
            dynamics,
            current: EpochRows::new(examples),
            last: EpochRows::new(examples),
            kept: Vec::new(),
            keep_at: Vec::new(),
            history: Some(Vec::new()),
            distributions,
            few_classes: false,
            batch: BatchScores::default(),
            room: Vec::new(),
        }
    }

    /// What is recorded for scores that need more than counts and means.
    #[must_use]
    pub fn kept(&self) -> Kept {
        self.dynamics.kept()
    }

    /// Whether all presentations of an example were recorded by one rank, so that there are dynamic
    /// uncertainty, DUAL and TDDS.
    #[must_use]
    pub fn in_order(&self) -> bool {
        self.dynamics.in_order
    }

    /// Keeps the scores of the evaluation pass of these epochs, counted from 1, beside those of
    /// the last one. Epochs that are finished already cannot be kept any more.
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

    /// Makes room for n examples in all, where their number is not known beforehand; new ones have
    /// not been seen in any epoch. Fewer than there are change nothing.
    pub fn grow(&mut self, examples: usize) {
        let Some(more @ 1..) = examples.checked_sub(self.examples) else { return };
        self.examples = examples;
        self.labels.resize(examples, UNKNOWN);
        self.unseen.iter_mut().for_each(|unseen| *unseen += more as u32);
        if self.few_classes && self.kept().classes && !Kept::within(examples, self.classes).classes
        {
            self.dynamics.forget_classes();
            self.distributions = Vec::new();
        }
        self.dynamics.grow(examples);
        if self.kept().classes {
            self.distributions.resize(examples * self.classes, 0.0);
        }
        self.current.grow(examples);
        self.last.grow(examples);
        self.kept.iter_mut().for_each(|(_, rows)| rows.grow(examples));
        self.history.iter_mut().flatten().for_each(|epoch| epoch.grow(examples));
    }

    /// Records B examples of the current epoch.
    ///
    /// `ids`: B ids below n, in any order; `outputs`: B × K logits, or probabilities: AUM is defined on
    /// logits, so once a row came as probabilities [`Self::columns`] has none; `labels`: the B class
    /// indices in `0..K`, which must not change from epoch to epoch.
    ///
    /// # Errors
    /// Lengths that do not fit, another number of classes, an id or label out of range, numbers that
    /// cannot be scored (see [`crate::LogitScores::of`]), an id that was presented before in this
    /// epoch, a label that changed. Nothing is recorded then.
    pub fn update<E: Element>(
        &mut self,
        ids: &[ExampleId],
        outputs: Matrix<E>,
        labels: &[u32],
    ) -> Result<(), ScoreError> {
        checks::length("labels", ids.len(), labels.len())?;
        checks::classes(self.classes, outputs.classes())?;
        self.batch.score(outputs, labels).map_err(|error| error.of_examples(ids))?;
        self.check_examples(ids, labels)?;
        self.claim(ids, labels)?;
        self.dynamics.only_logits &= ids.is_empty() || !outputs.is_probabilities();
        for (row, (&id, &label)) in ids.iter().zip(labels).enumerate() {
            self.current.set(id, RowScores::from_batch(&self.batch, row, label));
        }
        if self.kept().classes {
            self.room.resize(ids.len() * self.classes, 0.0);
            distributions(outputs, &mut self.room);
            for (&id, row) in ids.iter().zip(self.room.chunks_exact(self.classes)) {
                self.distributions[id.index() * self.classes..][..self.classes]
                    .copy_from_slice(row);
            }
        }
        Ok(())
    }

    /// Ends the current epoch: counts the examples that it missed and starts the next.
    pub fn end_epoch(&mut self) {
        self.epochs += 1;
        let seen = self.current.seen();
        self.unseen.push((self.examples - seen.count_ones(..)) as u32);
        let mut correct = FixedBitSet::with_capacity(self.examples);
        let mut presented = Vec::new();
        for (id, row) in self.current.iter() {
            let times = self.dynamics.present(id, Told::of(row));
            let index = id.index();
            if self.dynamics.kept().classes {
                presented.push(Presented { index, times, label: row.label, row: index });
            }
            if row.correct() {
                correct.insert(index);
            }
        }
        self.dynamics.present_classes(&presented, &self.distributions);
        self.distributions.fill(0.0);
        if let Some(history) = &mut self.history {
            history.push(Presence { seen: seen.clone(), correct });
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

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Whether every row so far came as logits, so that there is AUM.
    #[must_use]
    pub fn only_logits(&self) -> bool {
        self.dynamics.only_logits
    }

    /// Epochs whose evaluation pass has columns: those kept so far, ascending, and the last.
    #[must_use]
    pub fn scored_epochs(&self) -> Vec<u32> {
        self.epochs_with_scores().map(|(epoch, _)| epoch).collect()
    }

    /// Finished epochs.
    #[must_use]
    pub fn epochs(&self) -> u32 {
        self.epochs
    }

    /// How many examples each finished epoch missed: entry 0 belongs to epoch 1.
    #[must_use]
    pub fn unseen(&self) -> &[u32] {
        &self.unseen
    }

    /// Examples recorded since the last [`Self::end_epoch`]; their presentations are in no column
    /// yet.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        self.current.seen().count_ones(..)
    }

    /// Labels by example, `None` where one was never presented.
    #[must_use]
    pub fn labels(&self) -> Vec<Option<u32>> {
        self.labels.iter().map(|&label| (label != UNKNOWN).then_some(label)).collect()
    }

    /// Every score of the finished epochs, with the epoch that it stands at: by epoch, then in the
    /// order of [`ScoreKind::ALL`]. n values each, NaN where the example was not seen (in that
    /// epoch; for the scores over time, in any). Empty before the first epoch has ended; without
    /// AUM where rows came as probabilities, and without what [`Self::kept`] and [`Self::in_order`]
    /// rule out.
    #[must_use]
    pub fn columns(&self) -> Vec<(ScoreKind, u32, Vec<f32>)> {
        let mut columns = Vec::new();
        for (epoch, rows) in self.epochs_with_scores() {
            for &kind in ScoreKind::ALL {
                columns.extend(rows.column(kind).map(|column| (kind, epoch, column)));
            }
        }
        if self.epochs > 0 {
            for &kind in ScoreKind::ALL {
                let column = self.dynamics.column(kind);
                columns.extend(column.map(|column| (kind, self.epochs, column)));
            }
        }
        columns
    }

    /// Predicted classes of the kept epochs and the last, `None` where the example was not seen
    /// in that epoch.
    #[must_use]
    pub fn predicted(&self) -> Vec<(u32, Vec<Option<u32>>)> {
        self.epochs_with_scores().map(|(epoch, rows)| (epoch, rows.predicted())).collect()
    }

    /// Joins what another rank of the **same** training recorded. The examples of an epoch may lie
    /// on any rank, another one in each epoch; the result is as from one recorder that saw
    /// everything (counts exactly, means to rounding), but for the scores of consecutive presentations:
    /// dynamic uncertainty, DUAL and TDDS have no column if both recorded an example.
    ///
    /// Returns how many presentations of finished epochs were on both ranks, as samplers make that
    /// fill up the last batch with repeated examples: in the means they count twice, for forgetting
    /// and for the scores of an epoch this recorder's stands.
    ///
    /// # Errors
    /// Recorders of another shape or number of epochs, a label that differs, a rank that was merged
    /// before, a recorder without history. Nothing is changed then.
    pub fn merge_ranks(&mut self, other: &Self) -> Result<u64, ScoreError> {
        self.check_same_training(other)?;
        let (Some(mine), Some(theirs)) = (&mut self.history, &other.history) else {
            return Err(ScoreError::NoHistory);
        };
        let repeated = seen_of(mine, &self.current).repeated(&seen_of(theirs, &other.current))?;
        let classes = if self.dynamics.kept().classes { self.classes } else { 0 };
        for (id, _) in other.current.iter().filter(|(id, _)| !self.current.seen()[id.index()]) {
            let of = id.index() * classes..(id.index() + 1) * classes;
            self.distributions[of.clone()].copy_from_slice(&other.distributions[of]);
        }
        for (mine, theirs) in mine.iter_mut().zip(theirs) {
            mine.join(theirs);
        }
        self.unseen =
            mine.iter().map(|one| (self.examples - one.seen.count_ones(..)) as u32).collect();
        self.dynamics.merge(&other.dynamics);
        self.dynamics.recount(mine);
        for (mine, &theirs) in self.labels.iter_mut().zip(&other.labels) {
            *mine = if *mine == UNKNOWN { theirs } else { *mine };
        }
        self.current.fill_from(&other.current);
        self.last.fill_from(&other.last);
        for ((_, mine), (_, theirs)) in self.kept.iter_mut().zip(&other.kept) {
            mine.fill_from(theirs);
        }
        Ok(repeated)
    }

    /// The kept epochs and the last, ascending.
    fn epochs_with_scores(&self) -> impl Iterator<Item = (u32, &EpochRows)> {
        with_the_last(&self.kept, self.epochs, &self.last)
    }

    /// Ids are known and have the labels that they had.
    fn check_examples(&self, ids: &[ExampleId], labels: &[u32]) -> Result<(), ScoreError> {
        checks::ids(ids, self.examples)?;
        let changed = ids.iter().zip(labels).find_map(|(id, &now)| {
            let before = self.labels[id.index()];
            (before != UNKNOWN && before != now).then_some((id.0, before, now))
        });
        match changed {
            None => Ok(()),
            Some((id, before, now)) => Err(ScoreError::LabelChanged { id, before, now }),
        }
    }

    /// Marks the examples as seen in this epoch and notes their labels; all of them or none.
    fn claim(&mut self, ids: &[ExampleId], labels: &[u32]) -> Result<(), ScoreError> {
        if let Some(row) = ids.iter().position(|&id| !self.current.claim(id)) {
            ids[..row].iter().for_each(|&id| self.current.release(id));
            let epoch = self.epochs + 1;
            return Err(ScoreError::RepeatedId { row, id: ids[row].0, epoch });
        }
        for (id, &label) in ids.iter().zip(labels) {
            self.labels[id.index()] = label;
        }
        Ok(())
    }

    fn check_same_training(&self, other: &Self) -> Result<(), ScoreError> {
        same("number of examples", &self.examples, &other.examples)?;
        same("number of classes", &self.classes, &other.classes)?;
        same("number of finished epochs", &self.epochs, &other.epochs)?;
        same("epochs kept", &self.keep_at, &other.keep_at)?;
        same("what is kept for scores", &self.kept(), &other.kept())?;
        let pairs = self.labels.iter().zip(&other.labels).enumerate();
        for (index, (&before, &now)) in pairs {
            if before != now && before != UNKNOWN && now != UNKNOWN {
                return Err(ScoreError::LabelChanged { id: index as u32, before, now });
            }
        }
        Ok(())
    }
}

/// Who was seen on a rank.
fn seen_of<'a>(history: &'a [Presence], current: &'a EpochRows) -> Seen<'a> {
    Seen { finished: history.iter().map(|one| &one.seen).collect(), current: current.seen() }
}
