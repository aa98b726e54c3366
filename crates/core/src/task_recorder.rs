//! Recorders of other tasks than to tell one class: of tokens, of several labels an example, of numbers.
//!
//! Each is a [`LossRecorder`], whose scores over time are of the task's own loss, with what the task knows beside:
//! values of the last epoch and of those kept, and tracks over the epochs. Ids, epochs, what is missed,
//! checkpoints and the joining of ranks are as there.
//!
//! Losses are joined bit for bit as if one recorder had seen everything; sums of margins, of errors' tokens and of
//! presentations are added up, so that a presentation that two ranks recorded counts twice in AUM and in the
//! mean loss of a token.

use fixedbitset::FixedBitSet;

use crate::{
    ExampleId, LossRecorder, Measure, MultiLabelScores, RegressionScores, ScoreError, ScoreKind,
    SequenceScores, Task, TokenScores,
    checks::{self, ROWS_LISTED},
    fast::Element,
    label_tracks::{LabelBatch, LabelTracks},
    ranks::same,
    state_column::{Saved, StateColumn},
    token_tracks::{KeptTokens, TokenColumn, TokenTracks},
};

/// What a recorder keeps over the epochs beside losses.
pub(crate) trait Tracks: Clone + std::fmt::Debug {
    /// Makes room for n examples.
    fn grow(&mut self, examples: usize);
    /// Keeps no history.
    fn single_rank(&mut self);
    /// Ends the epoch of this number, of which these examples were seen; `keep`: its values are kept.
    fn end_epoch(&mut self, epoch: u32, seen: &FixedBitSet, keep: bool);
    /// The other may be merged.
    fn check_same(&self, other: &Self) -> Result<(), ScoreError>;
    /// Adds what another rank has; of the current epoch, the examples that only that one saw.
    fn merge(&mut self, other: &Self, only_theirs: &FixedBitSet);
    /// Columns over the finished epochs.
    fn columns(&self, epochs: u32) -> Vec<(Measure, u32, Vec<f32>)>;
    /// Everything, as named columns; `unfinished`: the current epoch too.
    fn state(&self, unfinished: bool) -> Vec<(String, StateColumn)>;
    /// What wrote a state; `kept`: epochs that it kept.
    fn from_state<F: Fn(&str) -> Option<StateColumn>>(
        saved: &Saved<F>,
        examples: usize,
        epochs: u32,
        kept: &[u32],
        unfinished: bool,
    ) -> Result<Self, ScoreError>;
}

/// Records the losses of a task and what it knows beside; see [`TokenRecorder`], [`MultiLabelRecorder`] and
/// [`RegressionRecorder`].
#[derive(Clone, Debug)]
#[expect(private_bounds, reason = "the three recorders are all there are")]
pub struct TaskRecorder<T: Tracks> {
    losses: LossRecorder,
    /// Whether losses are those given, not the task's own; none before the first batch.
    given: Option<bool>,
    tracks: T,
}

/// Scores of sequences of tokens over training.
///
/// ```
/// use datadiet_core::{ExampleId, KeptTokens, Sequences, TokenRecorder, Unlabelled};
///
/// let mut recorder = TokenRecorder::of_tokens(2, KeptTokens::All);
/// // One sequence of two tokens over two classes.
/// let labels = Sequences { labels: &[0, 1], length: 2, ignore: -100, shift: false, examples: None };
/// let logits = [0.0_f32, 0.0, /**/ 3.0, 0.0];
/// recorder.update(&[ExampleId(1)], &logits, 2, &labels, Unlabelled::Refuse)?;
/// recorder.end_epoch();
/// let tokens = recorder.tokens();
/// assert_eq!((&tokens.position[..], tokens.predicted[1]), (&[0, 1][..], 0));
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub type TokenRecorder = TaskRecorder<TokenTracks>;

/// Scores of examples of several labels over training.
///
/// ```
/// use datadiet_core::{ExampleId, MultiLabelRecorder, ScoreKind};
///
/// let mut recorder = MultiLabelRecorder::of_labels(2, 2, true);
/// recorder.update(&[ExampleId(0)], &[2.0_f32, 3.0], &[1, 0], None)?;
/// recorder.end_epoch();
/// let (least, epoch, labels) = &recorder.least_labels().pop().expect("of the least AUM");
/// assert_eq!((*least, *epoch, labels[0]), (ScoreKind::LeastAum, 1, 1));
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub type MultiLabelRecorder = TaskRecorder<LabelTracks>;

/// Scores of regressions over training.
///
/// ```
/// use datadiet_core::{ExampleId, RegressionRecorder, ScoreKind};
///
/// let mut recorder = RegressionRecorder::of_numbers(1);
/// for output in [3.0_f32, 1.0] {
///     recorder.update(&[ExampleId(0)], &[output], &[0.0], 1, None)?;
///     recorder.end_epoch();
/// }
/// let columns = recorder.columns();
/// let (.., ratio) = columns.iter().find(|(m, ..)| *m == ScoreKind::ErrorRatio.into()).unwrap();
/// assert_eq!(ratio, &[2.0], "the mean of 3 and 1 by their deviation of 1");
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub type RegressionRecorder = TaskRecorder<ErrorTracks>;

/// What becomes of an example without a labelled token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlabelled {
    /// An error.
    Refuse,
    /// It is left out, and counts as missed in this epoch.
    Skip,
}

/// A score, an epoch, and of each example the label that has the least of it, [`crate::NO_LABEL`] where it was
/// not seen.
pub type LeastLabels = (ScoreKind, u32, Vec<u32>);

#[expect(private_bounds, reason = "the three recorders are all there are")]
impl<T: Tracks> TaskRecorder<T> {
    /// Epochs, counted from 1, whose values are kept beside the last one's; see [`LossRecorder::keep_at`].
    #[must_use]
    pub fn keep_at(self, epochs: &[u32]) -> Self {
        Self { losses: self.losses.keep_at(epochs), ..self }
    }

    /// See [`LossRecorder::single_rank`].
    #[must_use]
    pub fn single_rank(mut self) -> Self {
        self.tracks.single_rank();
        Self { losses: self.losses.single_rank(), ..self }
    }

    /// See [`LossRecorder::with_threshold`].
    ///
    /// # Errors
    /// As there.
    pub fn with_threshold(self, threshold: f32) -> Result<Self, ScoreError> {
        Ok(Self { losses: self.losses.with_threshold(threshold)?, ..self })
    }

    /// See [`LossRecorder::with_reference`].
    ///
    /// # Errors
    /// As there.
    pub fn with_reference(self, losses: Vec<f32>) -> Result<Self, ScoreError> {
        Ok(Self { losses: self.losses.with_reference(losses)?, ..self })
    }

    /// See [`LossRecorder::grow`].
    pub fn grow(&mut self, examples: usize) {
        if examples > self.losses.examples() {
            self.losses.grow(examples);
            self.tracks.grow(examples);
        }
    }

    /// What is recorded of losses, and of values beside them.
    #[must_use]
    pub fn losses(&self) -> &LossRecorder {
        &self.losses
    }

    /// Whether losses were given with the batches; none before the first.
    #[must_use]
    pub fn losses_given(&self) -> Option<bool> {
        self.given
    }

    /// Losses are given as they were before, or not.
    fn check_given(&self, now: bool) -> Result<(), ScoreError> {
        let Some(before) = self.given.filter(|&before| before != now) else { return Ok(()) };
        let now = if now { "this batch" } else { "none of this batch" };
        let before = if before { "those before" } else { "none before" };
        Err(ScoreError::SomeLosses { now, before })
    }

    /// Notes it of a batch that was recorded.
    fn note_given(&mut self, ids: &[ExampleId], given: bool) {
        if !ids.is_empty() {
            self.given = Some(given);
        }
    }

    /// Ends the current epoch: counts the examples that it missed and starts the next.
    pub fn end_epoch(&mut self) {
        let epoch = self.losses.epochs() + 1;
        let keep = self.losses.keep_at.binary_search(&epoch).is_ok();
        self.tracks.end_epoch(epoch, self.losses.current.seen(), keep);
        self.losses.end_epoch();
    }

    /// Every score of the finished epochs, with the epoch that it stands at: those of
    /// [`LossRecorder::columns`], then those of the task over time. n values each, NaN where the example was
    /// not seen.
    #[must_use]
    pub fn columns(&self) -> Vec<(Measure, u32, Vec<f32>)> {
        let mut columns = self.losses.columns();
        columns.extend(self.tracks.columns(self.losses.epochs()));
        columns
    }

    /// Joins what another rank of the **same** training recorded; see [`LossRecorder::merge_ranks`].
    ///
    /// # Errors
    /// As there; other labels of an example. Nothing is changed then.
    pub fn merge_ranks(&mut self, other: &Self) -> Result<u64, ScoreError> {
        self.tracks.check_same(&other.tracks)?;
        if let (Some(mine), Some(theirs)) = (self.given, other.given) {
            same("whether losses are given", &mine, &theirs)?;
        }
        let mut only_theirs = other.losses.current.seen().clone();
        only_theirs.difference_with(self.losses.current.seen());
        let repeated = self.losses.merge_ranks(&other.losses)?;
        self.tracks.merge(&other.tracks, &only_theirs);
        self.given = self.given.or(other.given);
        Ok(repeated)
    }

    /// Another is of an independent training of the same examples: what is known of them is the same.
    ///
    /// # Errors
    /// Other labels of an example.
    pub fn check_replica(&self, other: &Self) -> Result<(), ScoreError> {
        self.tracks.check_same(&other.tracks)
    }

    /// Everything, as named columns; see [`LossRecorder::state`].
    #[must_use]
    pub fn state(&self) -> Vec<(String, StateColumn)> {
        let mut columns = self.losses.state();
        let given = self.given.map_or(NOTHING_YET, u32::from);
        columns.push((GIVEN.to_owned(), StateColumn::U32(vec![given])));
        columns.extend(self.tracks.state(self.losses.unfinished() > 0));
        columns
    }

    /// The recorder that wrote [`Self::state`]; `column` finds a saved column by its name.
    ///
    /// # Errors
    /// A column that is missing, of another type or length, or holds what no recorder writes.
    pub fn from_state(column: impl Fn(&str) -> Option<StateColumn>) -> Result<Self, ScoreError> {
        let losses = LossRecorder::of_task_state(&column)?;
        let saved = Saved(column);
        let given = match saved.u32(GIVEN)?[..] {
            [NOTHING_YET] => None,
            [given @ (0 | 1)] => Some(given == 1),
            _ => return Err(Saved::<fn(&str) -> _>::damaged(GIVEN, "it is neither yes nor no")),
        };
        let kept: Vec<u32> = losses.kept.iter().map(|(epoch, _)| *epoch).collect();
        let (examples, epochs) = (losses.examples(), losses.epochs());
        let unfinished = losses.unfinished() > 0;
        let tracks = T::from_state(&saved, examples, epochs, &kept, unfinished)?;
        Ok(Self { losses, given, tracks })
    }

    /// Before anything is recorded, with these values beside the losses.
    fn with_beside(examples: usize, beside: &[ScoreKind], tracks: T) -> Self {
        let beside: Vec<Measure> = beside.iter().map(|&kind| kind.into()).collect();
        let mut losses = LossRecorder::new(examples);
        let named = losses.set_beside(&beside);
        debug_assert!(named.is_ok(), "nothing is recorded yet: {named:?}");
        Self { losses, given: None, tracks }
    }
}

impl TokenRecorder {
    /// What the scores mean.
    pub const TASK: Task = Task::Tokens;

    const OF_LOGITS: [ScoreKind; 5] = [
        ScoreKind::LossSum,
        ScoreKind::Perplexity,
        ScoreKind::El2n,
        ScoreKind::TokenAccuracy,
        ScoreKind::Length,
    ];
    const OF_LOG_PROBS: [ScoreKind; 3] =
        [ScoreKind::LossSum, ScoreKind::Perplexity, ScoreKind::Length];

    /// A recorder of n examples that keeps some tokens.
    #[must_use]
    pub fn of_tokens(examples: usize, keep: KeptTokens) -> Self {
        let losses = LossRecorder::new(examples);
        Self { losses, given: None, tracks: TokenTracks::new(keep) }
    }

    /// Whether predicted classes are kept.
    #[must_use]
    pub fn keeps_tokens(&self) -> bool {
        self.tracks.keeps()
    }

    /// Records examples of the current epoch from B × T × V logits.
    ///
    /// `ids`: of sequence 0, 1, …, or, where `sequences` says of which example each token is, of example 0, 1,
    /// …
    ///
    /// # Errors
    /// As [`TokenScores::of`] and [`LossRecorder::update`]; another number of classes than before, or
    /// log-probabilities; an example without a labelled token, if these are refused; a kept token whose label
    /// changed. Nothing is recorded then.
    pub fn update<E: Element>(
        &mut self,
        ids: &[ExampleId],
        logits: &[E],
        classes: usize,
        sequences: &crate::Sequences,
        unlabelled: Unlabelled,
    ) -> Result<(), ScoreError> {
        self.check_ids(ids, sequences)?;
        self.tracks.check_classes(classes)?;
        let scores = TokenScores::of(logits, classes, sequences, self.tracks.keeps())
            .map_err(|error| error.of_examples(ids))?;
        self.record(ids, &scores, &Self::OF_LOGITS, unlabelled)?;
        self.tracks.set_classes(classes);
        Ok(())
    }

    /// The same from B × T log-probabilities of the labels: without EL2N and accuracy.
    ///
    /// # Errors
    /// As [`Self::update`]; logits before.
    pub fn update_log_probs<E: Element>(
        &mut self,
        ids: &[ExampleId],
        log_probs: &[E],
        sequences: &crate::Sequences,
        unlabelled: Unlabelled,
    ) -> Result<(), ScoreError> {
        self.check_ids(ids, sequences)?;
        let scores = TokenScores::of_log_probs(log_probs, sequences)
            .map_err(|error| error.of_examples(ids))?;
        self.record(ids, &scores, &Self::OF_LOG_PROBS, unlabelled)
    }

    /// The kept tokens of finished epochs, by example and position.
    #[must_use]
    pub fn tokens(&self) -> TokenColumn {
        self.tracks.column()
    }

    /// Whether there were only log-probabilities.
    #[must_use]
    pub fn only_log_probs(&self) -> bool {
        self.losses.beside().len() == Self::OF_LOG_PROBS.len()
    }

    fn check_ids(&self, ids: &[ExampleId], sequences: &crate::Sequences) -> Result<(), ScoreError> {
        match sequences.examples {
            None => {
                let found = sequences.labels.len().checked_div(sequences.length).unwrap_or(0);
                checks::length("ids", found, ids.len())
            }
            Some(examples) => {
                let known = examples.iter().filter(|&&example| example != crate::NO_EXAMPLE);
                let most = known.max().map_or(0, |&most| most as usize + 1);
                if most > ids.len() { checks::length("ids", most, ids.len()) } else { Ok(()) }
            }
        }
    }

    fn record(
        &mut self,
        ids: &[ExampleId],
        scores: &TokenScores,
        beside: &[ScoreKind],
        unlabelled: Unlabelled,
    ) -> Result<(), ScoreError> {
        let of = scores.of_examples(ids.len());
        let rows: Vec<usize> = (0..ids.len()).filter(|&row| of.length[row] > 0.0).collect();
        if unlabelled == Unlabelled::Refuse && rows.len() < ids.len() {
            let all = (0..ids.len()).filter(|&row| of.length[row] == 0.0);
            let total = ids.len() - rows.len();
            let error = ScoreError::Unlabelled { rows: all.take(ROWS_LISTED).collect(), total };
            return Err(error.of_examples(ids));
        }
        self.tracks.check(ids, scores)?;
        let measures: Vec<Measure> = beside.iter().map(|&kind| kind.into()).collect();
        self.losses.set_beside(&measures)?;
        let values = |kind: ScoreKind| -> Vec<f32> {
            let column = column_of(&of, kind);
            rows.iter().map(|&row| column[row]).collect()
        };
        let labelled: Vec<ExampleId> = rows.iter().map(|&row| ids[row]).collect();
        let beside: Vec<Vec<f32>> = beside.iter().map(|&kind| values(kind)).collect();
        let beside: Vec<&[f32]> = beside.iter().map(Vec::as_slice).collect();
        self.losses.update(&labelled, &values(ScoreKind::Loss), &beside)?;
        self.tracks.set(self.losses.epochs() + 1, ids, scores);
        Ok(())
    }
}

/// A column of the scores of sequences.
fn column_of(scores: &SequenceScores, kind: ScoreKind) -> &[f32] {
    match kind {
        ScoreKind::LossSum => &scores.loss_sum,
        ScoreKind::Perplexity => &scores.perplexity,
        ScoreKind::El2n => &scores.el2n,
        ScoreKind::TokenAccuracy => &scores.accuracy,
        ScoreKind::Length => &scores.length,
        _ => &scores.loss,
    }
}

impl MultiLabelRecorder {
    /// What the scores mean.
    pub const TASK: Task = Task::MultiLabel;

    const BESIDE: [ScoreKind; 4] =
        [ScoreKind::El2n, ScoreKind::Correct, ScoreKind::MeanMargin, ScoreKind::LeastMargin];

    /// A recorder of n examples with K ≥ 1 labels each. `by_label`: each label is kept, which takes 12 bytes
    /// for each of them, so that there are `least-aum` and `label-forgetting`.
    #[must_use]
    pub fn of_labels(examples: usize, labels: usize, by_label: bool) -> Self {
        let tracks = LabelTracks::new(examples, labels.max(1), by_label);
        Self::with_beside(examples, &Self::BESIDE, tracks)
    }

    /// Bytes that a recorder of n examples with K labels takes, without kept epochs and history.
    #[must_use]
    pub fn bytes(examples: usize, labels: usize, by_label: bool) -> usize {
        let losses = LossRecorder::BYTES + 2 * Self::BESIDE.len() * size_of::<f32>();
        LabelTracks::bytes(examples, labels, by_label)
            .saturating_add(examples.saturating_mul(losses))
    }

    /// Number of labels of an example.
    #[must_use]
    pub fn labels(&self) -> usize {
        self.tracks.labels()
    }

    /// Whether each label is kept.
    #[must_use]
    pub fn by_label(&self) -> bool {
        self.tracks.by_label()
    }

    /// Records B examples of the current epoch: B × K logits and B × K zeros and ones, the same in every
    /// epoch; `losses`: B losses, if they are others than the mean binary cross-entropy.
    ///
    /// # Errors
    /// As [`MultiLabelScores::of`] and [`LossRecorder::update`]; labels that changed; losses in one batch and not
    /// in another. Nothing is recorded then.
    pub fn update<E: Element>(
        &mut self,
        ids: &[ExampleId],
        logits: &[E],
        labels: &[u8],
        losses: Option<&[f32]>,
    ) -> Result<(), ScoreError> {
        self.check_given(losses.is_some())?;
        let classes = self.tracks.labels();
        checks::length("logits", ids.len() * classes, logits.len())?;
        let mut margins = vec![0.0; logits.len()];
        let scores = MultiLabelScores::of(logits, labels, classes, Some(&mut margins))
            .map_err(|error| error.of_examples(ids))?;
        checks::ids(ids, self.losses.examples())?;
        self.tracks.check(ids, labels)?;
        let beside: [&[f32]; 4] =
            [&scores.el2n, &scores.correct, &scores.mean_margin, &scores.least_margin];
        self.losses.update(ids, losses.unwrap_or(&scores.loss), &beside)?;
        self.note_given(ids, losses.is_some());
        let batch = LabelBatch {
            labels,
            margins: &margins,
            correct: &scores.correct,
            mean_margin: &scores.mean_margin,
            least: &scores.least_label,
        };
        self.tracks.set(ids, &batch);
        Ok(())
    }

    /// Which label had the least margin in each kept epoch and the last, and which the least AUM.
    #[must_use]
    pub fn least_labels(&self) -> Vec<LeastLabels> {
        self.tracks.least_labels(self.losses.epochs())
    }

    /// Whether a label of an example is 1; false where the example was never seen.
    #[must_use]
    pub fn is_given(&self, example: usize, label: u32) -> bool {
        self.tracks.is_given(example, label)
    }
}

/// Errors of regressions over time: losses of another name.
#[derive(Clone, Debug)]
pub struct ErrorTracks(LossRecorder);

impl RegressionRecorder {
    /// What the scores mean.
    pub const TASK: Task = Task::Regression;

    const BESIDE: [ScoreKind; 1] = [ScoreKind::ErrorNorm];

    /// A recorder of n examples.
    #[must_use]
    pub fn of_numbers(examples: usize) -> Self {
        let tracks = ErrorTracks(LossRecorder::new(examples));
        Self::with_beside(examples, &Self::BESIDE, tracks)
    }

    /// Records B examples of the current epoch: B × D outputs and targets, D = `size`; `losses`: B losses, if they
    /// are others than the mean squared error.
    ///
    /// # Errors
    /// As [`RegressionScores::of`] and [`LossRecorder::update`]; losses in one batch and not in another. Nothing is
    /// recorded then.
    pub fn update<E: Element>(
        &mut self,
        ids: &[ExampleId],
        outputs: &[E],
        targets: &[E],
        size: usize,
        losses: Option<&[f32]>,
    ) -> Result<(), ScoreError> {
        self.check_given(losses.is_some())?;
        checks::length("outputs", ids.len().saturating_mul(size), outputs.len())?;
        let scores =
            RegressionScores::of(outputs, targets, size).map_err(|error| error.of_examples(ids))?;
        self.losses.update(ids, losses.unwrap_or(&scores.loss), &[&scores.error_norm])?;
        self.note_given(ids, losses.is_some());
        // The same ids, and numbers that were looked at: nothing is left to refuse.
        self.tracks.0.update(ids, &scores.error_norm, &[])
    }
}

impl Tracks for ErrorTracks {
    fn grow(&mut self, examples: usize) {
        self.0.grow(examples);
    }

    fn single_rank(&mut self) {
        self.0 = self.0.clone().single_rank();
    }

    fn end_epoch(&mut self, _: u32, _: &FixedBitSet, _: bool) {
        self.0.end_epoch();
    }

    fn check_same(&self, _: &Self) -> Result<(), ScoreError> {
        Ok(())
    }

    fn merge(&mut self, other: &Self, _: &FixedBitSet) {
        // Its losses are those of the same examples and epochs, which were merged just now.
        let merged = self.0.merge_ranks(&other.0);
        debug_assert!(merged.is_ok(), "{merged:?}");
    }

    fn columns(&self, epochs: u32) -> Vec<(Measure, u32, Vec<f32>)> {
        let column = |kind| self.0.column(kind).filter(|_| epochs > 0);
        let (Some(mean), Some(deviation)) =
            (column(ScoreKind::MeanLoss), column(ScoreKind::LossStd))
        else {
            return Vec::new();
        };
        let ratio = self.0.tracks.iter().zip(mean.iter().zip(&deviation));
        let ratio = ratio.map(|(track, (&mean, deviation))| match track.presentations {
            0 | 1 => f32::NAN,
            // No error at all, and no deviation of it.
            _ if mean == 0.0 => 0.0,
            _ => mean / deviation,
        });
        let ratio: Vec<f32> = ratio.collect();
        let mut columns = vec![
            (ScoreKind::MeanError.into(), epochs, mean),
            (ScoreKind::ErrorStd.into(), epochs, deviation),
        ];
        // After one epoch nobody has a deviation.
        if epochs > 1 {
            columns.push((ScoreKind::ErrorRatio.into(), epochs, ratio));
        }
        columns
    }

    fn state(&self, _: bool) -> Vec<(String, StateColumn)> {
        let columns = self.0.state().into_iter();
        columns.map(|(name, column)| (format!("{ERRORS}{name}"), column)).collect()
    }

    fn from_state<F: Fn(&str) -> Option<StateColumn>>(
        saved: &Saved<F>,
        _: usize,
        _: u32,
        _: &[u32],
        _: bool,
    ) -> Result<Self, ScoreError> {
        let column = |name: &str| (saved.0)(&format!("{ERRORS}{name}"));
        Ok(Self(LossRecorder::from_state(column)?))
    }
}

/// Whether losses were given: 0, 1, or [`NOTHING_YET`].
const GIVEN: &str = "losses.given";
const NOTHING_YET: u32 = 2;

/// Before the names of columns of errors.
const ERRORS: &str = "errors.";
