//! Training dynamics from one tracker: forgetting, AUM and dataset cartography; dynamic uncertainty,
//! DUAL and mean EL2N (`windows.rs`); the margin of the mean and TDDS (`class_tracks.rs`).
//!
//! Over the T presentations of an example in training minibatches, on the augmented image that was
//! presented and before the step, with p = p_y(t):
//!
//! * **forgetting**: steps from correct to wrong between two consecutive presentations; **never
//!   learned**: presented and never correct. Toneva et al., "An Empirical Study of Example Forgetting
//!   during Deep Neural Network Learning", ICLR 2019 (arXiv 1812.05159), algorithm 1. The released
//!   code of Paul et al. gives a never-learned example infinitely many events, so that a mean over
//!   replicas is infinite for good; here the two facts stay two columns, which
//!   [`crate::forgetting_key()`] joins for ranking.
//! * **AUM**, `(1/T) Σ_t ( z_y(t) − max_{j≠y} z_j(t) )`, on **logits**, not probabilities: Pleiss,
//!   Zhang, Elenberg, Weinberger, "Identifying Mislabeled Data using the Area Under the Margin
//!   Ranking", NeurIPS 2020 (arXiv 2001.10528), equation 2. The threshold samples of that paper are
//!   not made here.
//! * **confidence** `μ = (1/T) Σ p`, **variability** `sqrt( (1/T) Σ (p − μ)² )` (population, not
//!   sample), **correctness**, the fraction of presentations whose prediction is the label: Swayamdipta
//!   et al., "Dataset Cartography", EMNLP 2020 (arXiv 2009.10795), section 2. No region names (easy,
//!   ambiguous, hard) are given: the paper draws no threshold.
//!
//! Mean and squared deviations follow Welford's update, since a running sum of squares would cancel
//! for the many examples whose p stays near 1.
//!
//! What is kept of an example lies in lanes of sixteen, so that a whole epoch in order advances as
//! vectors ([`TrainingDynamics::of_epochs`]) and a minibatch example by example
//! ([`TrainingDynamics::observe`]), by the same operations and to the same bits.

use rayon::prelude::*;
use thiserror::Error;

use crate::{
    checks,
    class_tracks::{ClassTracks, DISTANCES, Part, Presented},
    example_id::ExampleId,
    fast::{
        BatchScores, Element, Matrix,
        distribution::{distribution, distributions},
        sums::{Scores, Sums},
        walk::{Sink, Walk, room},
    },
    isa::{Isa, LANES, dispatch},
    kept::Kept,
    presence::Presence,
    row_scores::RowScores,
    score_error::ScoreError,
    score_kind::ScoreKind,
    trajectory_recorder::UNKNOWN,
    windows::{WINDOW, Windows},
};

/// Lanes of examples that a thread takes through all epochs at a time: they stay in its cache.
const TOGETHER: usize = 32;

/// Training dynamics of all examples of the full training set.
///
/// A resumed run continues bit for bit: [`TrainingDynamics::state`] is the whole state. It keeps no
/// history of epochs, for which see [`crate::TrajectoryRecorder`].
///
/// ```
/// use datadiet_core::{ExampleId, Matrix, ScoreKind, TrainingDynamics};
///
/// let mut dynamics = TrainingDynamics::new(4);
/// // A minibatch of examples 2 and 0.
/// let logits = Matrix::logits(&[1.0_f32, 0.0, /**/ 0.0, 3.0], 2);
/// dynamics.observe(&[ExampleId(2), ExampleId(0)], logits, &[0, 0])?;
/// let aum = dynamics.column(ScoreKind::Aum).expect("all came as logits");
/// assert_eq!((aum[2], aum[0]), (1.0, -3.0));
/// assert!(aum[1].is_nan(), "not seen yet");
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrainingDynamics {
    examples: usize,
    /// Whether every presentation came as logits, so that there is AUM.
    pub(crate) only_logits: bool,
    /// Whether this tracker saw every presentation of an example in its order, so that there are scores
    /// of windows.
    pub(crate) in_order: bool,
    tracks: Vec<Track>,
    windows: Option<Vec<Windows>>,
    classes: Option<ClassTracks>,
    /// The minibatch at hand, and its probabilities; kept for their room.
    batch: BatchScores,
    probabilities: Vec<f32>,
}

impl TrainingDynamics {
    /// Bytes that are kept of an example, with windows and without what each class needs.
    pub(crate) const BYTES: usize = size_of::<Track>() / LANES + Windows::BYTES;

    /// Trackers of examples 0 to n − 1 of the **full** training set, none of them seen, that keep what
    /// every score needs.
    #[must_use]
    pub fn new(examples: usize) -> Self {
        Self::keeping(examples, Kept::ALL)
    }

    /// The same that keep less.
    #[must_use]
    pub fn keeping(examples: usize, kept: Kept) -> Self {
        let lanes = examples.div_ceil(LANES);
        Self {
            examples,
            only_logits: true,
            in_order: true,
            tracks: vec![Track::NEW; lanes],
            windows: kept.windows.then(|| vec![Windows::NEW; lanes]),
            classes: kept.classes.then(|| ClassTracks::new(examples, 0)),
            batch: BatchScores::default(),
            probabilities: Vec::new(),
        }
    }

    /// What is kept for scores that need more than counts and means.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept { windows: self.windows.is_some(), classes: self.classes.is_some() }
    }

    /// Keeps no numbers of each example and class any more.
    pub(crate) fn forget_classes(&mut self) {
        self.classes = None;
    }

    /// Makes room for K classes, where numbers of each are kept; false where it has them of another
    /// number of classes.
    pub(crate) fn set_classes(&mut self, classes: usize) -> bool {
        self.classes.as_mut().is_none_or(|tracks| {
            tracks.set_classes(classes);
            tracks.classes == classes
        })
    }

    /// Training dynamics of n examples that are presented once in each of T epochs, on all cores.
    ///
    /// `epochs`: the logits (or probabilities) of each epoch in order, each n × K with the examples in
    /// the same order, K ≥ 2; `labels`: n class indices. A T × n × K array is cut into its epochs by
    /// `chunks_exact(n * classes)`.
    ///
    /// # Errors
    /// The first epoch whose length does not fit, which has another number of classes than the
    /// first one, or whose numbers cannot be scored; labels outside `0..K`.
    ///
    /// ```
    /// use datadiet_core::{EpochError, Matrix, ScoreKind, TrainingDynamics};
    ///
    /// // Three epochs of one example of two classes.
    /// let logits = [3.0_f32, 0.0, /**/ 0.0, 1.0, /**/ 2.0, 1.0];
    /// let epochs: Vec<_> = logits.chunks_exact(2).map(|epoch| Matrix::logits(epoch, 2)).collect();
    /// let dynamics = TrainingDynamics::of_epochs(&epochs, &[0])?;
    /// assert_eq!(dynamics.column(ScoreKind::Forgetting), Some(vec![1.0]));
    /// assert_eq!(dynamics.column(ScoreKind::Aum), Some(vec![1.0]));
    /// # Ok::<(), EpochError>(())
    /// ```
    pub fn of_epochs<E: Element>(epochs: &[Matrix<E>], labels: &[u32]) -> Result<Self, EpochError> {
        Self::of_epochs_keeping(epochs, labels, Kept::ALL)
    }

    /// The same that keep less, which is quicker too.
    ///
    /// # Errors
    /// As [`Self::of_epochs`].
    pub fn of_epochs_keeping<E: Element>(
        epochs: &[Matrix<E>],
        labels: &[u32],
        kept: Kept,
    ) -> Result<Self, EpochError> {
        for (epoch, matrix) in (1..).zip(epochs) {
            let checked = checks::classes(epochs[0].classes(), matrix.classes())
                .and_then(|()| matrix.check(labels));
            checked.map_err(|source| EpochError { epoch, source })?;
        }
        let mut dynamics = Self::keeping(labels.len(), kept);
        dynamics.only_logits = !epochs.iter().any(Matrix::is_probabilities);
        let with_margins = dynamics.only_logits;
        let classes = epochs.first().map_or(0, Matrix::classes);
        dynamics.set_classes(classes);
        let room = || (room(classes), vec![0.0; classes]);
        let through = |(room, distribution): &mut (Vec<_>, Vec<f32>),
                       (index, run): (usize, Run)| {
            let first = index * TOGETHER * LANES;
            let rows = first..labels.len().min(first + run.tracks.len() * LANES);
            let Run { tracks, mut windows, mut classes } = run;
            let mut good = true;
            for (epoch, &matrix) in (0..).zip(epochs) {
                let sink = &mut Tracks {
                    tracks,
                    windows: windows.as_deref_mut(),
                    classes: classes.as_mut(),
                    matrix,
                    first,
                    epoch,
                    with_margins,
                    distribution,
                };
                good &= dispatch(Walk { matrix, rows: rows.clone(), labels, room, sink });
            }
            good
        };
        let runs = dynamics.runs().into_par_iter().enumerate();
        if !runs.map_init(room, through).reduce(|| true, |a, b| a & b) {
            for (epoch, matrix) in (1..).zip(epochs) {
                let checked = matrix.check_numbers(labels.len());
                checked.map_err(|source| EpochError { epoch, source })?;
            }
        }
        Ok(dynamics)
    }

    /// Of n examples from T × n marks of whether each prediction was right: forgetting, never-learned and
    /// correctness. A right prediction counts as a probability of 1, and there is no AUM.
    ///
    /// # Panics
    /// If the marks are not a multiple of n.
    #[must_use]
    pub fn of_correct(correct: &[bool], examples: usize) -> Self {
        assert!(correct.is_empty() || correct.len().is_multiple_of(examples), "T × n marks");
        let fresh = Self::keeping(examples, Kept::NONE);
        let mut dynamics = Self { only_logits: false, ..fresh };
        for epoch in correct.chunks_exact(examples.max(1)) {
            for (id, &correct) in (0..).map(ExampleId).zip(epoch) {
                let true_prob = f64::from(u8::from(correct));
                dynamics.present(id, Told { true_prob, margin: 0.0, el2n: 0.0, correct });
            }
        }
        dynamics
    }

    /// Runs of examples that a thread takes through all epochs.
    fn runs(&mut self) -> Vec<Run<'_>> {
        let mut windows = self.windows.as_mut().map(|windows| windows.chunks_mut(TOGETHER));
        let classes = self.classes.as_mut().map(|classes| classes.parts(TOGETHER * LANES));
        let mut classes = classes.map(Vec::into_iter);
        let run = |tracks| Run {
            tracks,
            windows: windows.as_mut().and_then(Iterator::next),
            classes: classes.as_mut().and_then(Iterator::next),
        };
        self.tracks.chunks_mut(TOGETHER).map(run).collect()
    }

    /// Records one training minibatch of B examples.
    ///
    /// `ids`: B ids; `outputs`: B × K logits (or probabilities, which leave no AUM); `labels`: the B
    /// class indices that training used (noisy ones, where the labels are noisy); the margin of the mean
    /// takes an example's last. An id that occurs twice counts as two presentations, in order.
    ///
    /// # Errors
    /// Lengths that do not fit, an id or label out of range, numbers that cannot be scored; another
    /// number of classes than before, where numbers of each class are kept. Rows in the error are
    /// positions in the minibatch. Nothing is recorded then.
    pub fn observe<E: Element>(
        &mut self,
        ids: &[ExampleId],
        outputs: Matrix<E>,
        labels: &[u32],
    ) -> Result<(), ScoreError> {
        checks::length("labels", ids.len(), labels.len())?;
        if let Some(ClassTracks { classes: known @ 1.., .. }) = self.classes {
            checks::classes(known, outputs.classes())?;
        }
        let mut batch = std::mem::take(&mut self.batch);
        let scored = batch.score(outputs, labels).and_then(|()| checks::ids(ids, self.examples));
        if scored.is_ok() && !ids.is_empty() {
            self.only_logits &= !outputs.is_probabilities();
            let mut presented = Vec::with_capacity(ids.len());
            for (row, (&id, &label)) in ids.iter().zip(labels).enumerate() {
                let times = self.present(id, Told::of(&RowScores::from_batch(&batch, row, label)));
                presented.push(Presented { index: id.index(), times, label, row });
            }
            if let Some(classes) = &mut self.classes {
                classes.set_classes(outputs.classes());
                self.probabilities.resize(ids.len() * outputs.classes(), 0.0);
                distributions(outputs, &mut self.probabilities);
                classes.present(&presented, &self.probabilities);
            }
        }
        self.batch = batch;
        scored
    }

    /// Records one presentation but for the numbers of each class; gives how many there were before.
    pub(crate) fn present(&mut self, id: ExampleId, told: Told) -> u32 {
        let (track, lane) = (&mut self.tracks[id.index() / LANES], id.index() % LANES);
        let times = track.presentations[lane];
        let share = 1.0 / f64::from(times + 1);
        let margin = if self.only_logits { told.margin } else { 0.0 };
        track.present(lane, share, &[told.true_prob], &[margin], &[u32::from(told.correct)]);
        if let Some(windows) = &mut self.windows {
            let windows = &mut windows[id.index() / LANES];
            windows.present(lane, &[times], &[told.true_prob], &[told.el2n]);
        }
        times
    }

    /// Records the numbers of each class of presentations in order, whose rows of K probabilities are
    /// given.
    pub(crate) fn present_classes(&mut self, presented: &[Presented], probabilities: &[f32]) {
        if let Some(classes) = &mut self.classes {
            classes.present(presented, probabilities);
        }
    }

    /// Adds examples, unseen, until there are n.
    pub(crate) fn grow(&mut self, examples: usize) {
        self.examples = examples;
        self.tracks.resize(examples.div_ceil(LANES), Track::NEW);
        if let Some(windows) = &mut self.windows {
            windows.resize(examples.div_ceil(LANES), Windows::NEW);
        }
        if let Some(classes) = &mut self.classes {
            classes.grow(examples);
        }
    }

    /// Adds the presentations that another tracker of the same n examples saw, whatever their order:
    /// all but forgetting events, which [`Self::recount`] takes from the joined history. Counts add
    /// up, and means and squared deviations join by the pairwise formula of Chan, Golub, LeVeque
    /// 1983, which cancels no more than Welford's. Scores of windows need the order: they are lost if
    /// both saw an example.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.only_logits &= other.only_logits;
        self.in_order &= other.in_order;
        for (block, (mine, theirs)) in self.tracks.iter_mut().zip(&other.tracks).enumerate() {
            for lane in 0..LANES {
                let more = f64::from(theirs.presentations[lane]);
                if more == 0.0 {
                    continue;
                }
                let before = f64::from(mine.presentations[lane]);
                let distance = theirs.mean[lane] - mine.mean[lane];
                mine.mean[lane] += distance * more / (before + more);
                mine.squares[lane] +=
                    theirs.squares[lane] + distance * distance * before * more / (before + more);
                mine.margins[lane] += theirs.margins[lane];
                mine.presentations[lane] += theirs.presentations[lane];
                mine.correct[lane] += theirs.correct[lane];
                self.in_order &= before == 0.0;
                if let (Some(mine), Some(theirs)) = (&mut self.windows, &other.windows) {
                    let (mine, theirs) = (&mut mine[block], &theirs[block]);
                    if before == 0.0 {
                        mine.take(theirs, lane);
                    } else {
                        mine.el2n[lane] += theirs.el2n[lane];
                    }
                }
                if let (Some(mine), Some(theirs)) = (&mut self.classes, &other.classes) {
                    let example = block * LANES + lane;
                    if before == 0.0 {
                        mine.take(theirs, example);
                    } else {
                        mine.add(theirs, example);
                    }
                }
            }
        }
    }

    /// Takes forgetting events from the history of epochs alone; whether there were others before, or
    /// other examples were seen.
    pub(crate) fn recount(&mut self, epochs: &[Presence]) -> bool {
        let before = self.tracks.clone();
        for track in &mut self.tracks {
            (track.known, track.forgotten) = ([0; LANES], [0; LANES]);
        }
        let mut seen = vec![[false; LANES]; self.tracks.len()];
        for epoch in epochs {
            for index in epoch.seen.ones() {
                seen[index / LANES][index % LANES] = true;
                let (track, lane) = (&mut self.tracks[index / LANES], index % LANES);
                let correct = u32::from(epoch.correct.contains(index));
                track.forgotten[lane] += track.known[lane] & (1 - correct);
                track.known[lane] = correct;
            }
        }
        let events = |track: &Track| (track.known, track.forgotten);
        let others = |(before, now): (&Track, &Track)| events(before) != events(now);
        let presented = self.tracks.iter().map(|track| track.presentations.map(|times| times > 0));
        before.iter().zip(&self.tracks).any(others) || presented.ne(seen)
    }

    /// The column of a score of training dynamics: n values, NaN where unseen; `None` for a score of
    /// another source, for AUM where presentations came as probabilities, for what was not kept
    /// ([`Kept`]), and for dynamic uncertainty, DUAL and TDDS where presentations of an example were
    /// joined from several trackers.
    #[must_use]
    pub fn column(&self, kind: ScoreKind) -> Option<Vec<f32>> {
        let windows = self.windows.as_deref();
        let classes = self.classes.as_ref();
        let in_order = self.in_order;
        match kind {
            ScoreKind::Forgetting => {
                Some(self.values(|_, track, lane, _| f64::from(track.forgotten[lane])))
            }
            ScoreKind::NeverLearned => {
                Some(self.values(|_, track, lane, _| f64::from(u8::from(track.correct[lane] == 0))))
            }
            ScoreKind::Aum if self.only_logits => {
                Some(self.values(|_, track, lane, times| track.margins[lane] / times))
            }
            ScoreKind::Confidence => Some(self.values(|_, track, lane, _| track.mean[lane])),
            ScoreKind::Variability => {
                Some(self.values(|_, track, lane, times| (track.squares[lane] / times).sqrt()))
            }
            ScoreKind::Correctness => {
                Some(self.values(|_, track, lane, times| f64::from(track.correct[lane]) / times))
            }
            ScoreKind::MarginOfMean => classes.map(|classes| {
                self.values(|example, _, _, times| classes.margin_of_mean(example, times))
            }),
            ScoreKind::Tdds => classes.filter(|_| in_order).map(|classes| {
                self.values(|example, track, lane, _| {
                    classes.tdds(example, track.presentations[lane])
                })
            }),
            ScoreKind::MeanEl2n => windows.map(|windows| {
                self.values(|example, _, lane, times| windows[example / LANES].el2n[lane] / times)
            }),
            ScoreKind::DynUnc | ScoreKind::Dual => windows.filter(|_| in_order).map(|windows| {
                self.values(|example, track, lane, _| {
                    let times = track.presentations[lane];
                    let (deviation, dual) = windows[example / LANES].means(lane, times);
                    if kind == ScoreKind::Dual { dual } else { deviation }
                })
            }),
            _ => None,
        }
    }

    /// `value` of the example, its lane and the number of its presentations; NaN where unseen.
    fn values(&self, value: impl Fn(usize, &Track, usize, f64) -> f64) -> Vec<f32> {
        let of = |example: usize| {
            let (track, lane) = (&self.tracks[example / LANES], example % LANES);
            match track.presentations[lane] {
                0 => f32::NAN,
                times => value(example, track, lane, f64::from(times)) as f32,
            }
        };
        (0..self.examples).map(of).collect()
    }

    /// The whole state as named columns for a checkpoint, of n values or of n rows of values. Names are
    /// unique and stable; counts are exact in `f64`.
    #[must_use]
    pub fn state(&self) -> Vec<(&'static str, Vec<f64>)> {
        let mut tracks = self.tracks.clone();
        let mut columns = Vec::new();
        for (name, of, _) in COUNTS {
            let lanes = tracks.iter_mut().flat_map(|track| *of(track)).map(f64::from);
            columns.push((name, lanes.take(self.examples).collect()));
        }
        for (name, of) in SUMS {
            let lanes = tracks.iter_mut().flat_map(|track| *of(track));
            columns.push((name, lanes.take(self.examples).collect()));
        }
        if let Some(windows) = &self.windows {
            let lanes = (0..self.examples).map(|example| (example / LANES, example % LANES));
            let truths = lanes.flat_map(|(block, lane)| {
                windows[block].truths.iter().map(move |truths| f64::from(truths[lane]))
            });
            columns.push((TRUTHS, truths.collect()));
            let mut windows = windows.clone();
            for (name, of) in WINDOW_SUMS {
                let lanes = windows.iter_mut().flat_map(|windows| *of(windows));
                columns.push((name, lanes.take(self.examples).collect()));
            }
        }
        if let Some(classes) = &self.classes {
            let wide = |values: &[f32]| values.iter().copied().map(f64::from).collect();
            let labels = classes.labels.iter().copied().map(f64::from);
            columns.push((LABELS, labels.collect()));
            columns.push((CLASS_SUMS, classes.sums.clone()));
            columns.push((CLASS_LOGS, wide(&classes.logs)));
            columns.push((CLASS_DISTANCES, wide(classes.distances.as_flattened())));
            columns.push((MOVING, classes.moving.clone()));
        }
        columns
    }

    /// The trackers that wrote [`Self::state`]; they go on as if they had never stopped.
    ///
    /// `kept`: what they kept; states from before there was a choice hold [`Kept::NONE`]. `only_logits`:
    /// whether all presentations came as logits; `column` finds a saved column by its name.
    ///
    /// # Errors
    /// A column that is missing, has another length than it should, or holds an impossible value.
    ///
    /// ```
    /// use datadiet_core::{Kept, TrainingDynamics};
    ///
    /// let saved = TrainingDynamics::new(3).state();
    /// let find = |name: &str| saved.iter().find(|(n, _)| *n == name).map(|(_, c)| c.clone());
    /// assert_eq!(TrainingDynamics::from_state(3, Kept::ALL, true, find)?.state(), saved);
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn from_state(
        examples: usize,
        kept: Kept,
        only_logits: bool,
        column: impl Fn(&str) -> Option<Vec<f64>>,
    ) -> Result<Self, ScoreError> {
        let mut dynamics = Self { only_logits, ..Self::keeping(examples, kept) };
        for (name, of, most) in COUNTS {
            let count = |value| checks::count(value).filter(|&count| count <= most);
            let values = checks::state_column(name, examples, &column, count)?;
            for (track, values) in dynamics.tracks.iter_mut().zip(values.chunks(LANES)) {
                of(track)[..values.len()].copy_from_slice(values);
            }
        }
        for (name, of) in SUMS {
            let values = checks::state_column(name, examples, &column, checks::finite_value)?;
            for (track, values) in dynamics.tracks.iter_mut().zip(values.chunks(LANES)) {
                of(track)[..values.len()].copy_from_slice(values);
            }
        }
        if let Some(windows) = &mut dynamics.windows {
            let truth = |value: f64| single(value).filter(|truth| (0.0..=1.0).contains(truth));
            let truths = checks::state_column(TRUTHS, examples * WINDOW, &column, truth)?;
            for (example, truths) in truths.as_chunks::<WINDOW>().0.iter().enumerate() {
                let places = windows[example / LANES].truths.iter_mut().zip(truths);
                places.for_each(|(place, truth)| place[example % LANES] = *truth);
            }
            for (name, of) in WINDOW_SUMS {
                let values = checks::state_column(name, examples, &column, checks::finite_value)?;
                for (windows, values) in windows.iter_mut().zip(values.chunks(LANES)) {
                    of(windows)[..values.len()].copy_from_slice(values);
                }
            }
        }
        if kept.classes {
            dynamics.classes = Some(saved_classes(examples, &column)?);
        }
        Ok(dynamics)
    }
}

/// A number that was written from an `f32`.
fn single(value: f64) -> Option<f32> {
    let single = value as f32;
    (f64::from(single) == value && single.is_finite()).then_some(single)
}

/// What a tracker kept of each class.
fn saved_classes(
    examples: usize,
    column: &impl Fn(&str) -> Option<Vec<f64>>,
) -> Result<ClassTracks, ScoreError> {
    let sums = column(CLASS_SUMS).ok_or(ScoreError::MissingState { column: CLASS_SUMS })?;
    let classes = sums.len().checked_div(examples).unwrap_or(0);
    let label = |value| {
        let label = checks::count(value)?;
        (label == UNKNOWN || (label as usize) < classes).then_some(label)
    };
    let numbers = examples * classes;
    let distances = checks::state_column(CLASS_DISTANCES, examples * DISTANCES, column, single)?;
    Ok(ClassTracks {
        classes,
        labels: checks::state_column(LABELS, examples, column, label)?,
        sums: checks::state_column(CLASS_SUMS, numbers, column, checks::finite_value)?,
        logs: checks::state_column(CLASS_LOGS, numbers, column, single)?,
        distances: distances.as_chunks::<DISTANCES>().0.to_vec(),
        moving: checks::state_column(MOVING, examples, column, checks::finite_value)?,
    })
}

/// What is wrong with the logits of an epoch.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("epoch {epoch}: {source}")]
pub struct EpochError {
    /// The epoch, from 1.
    pub epoch: usize,
    /// What is wrong with it.
    pub source: ScoreError,
}

/// What is kept of sixteen examples.
#[derive(Clone, Copy, Debug)]
struct Track {
    presentations: [u32; LANES],
    correct: [u32; LANES],
    /// Whether the last presentation was correct.
    known: [u32; LANES],
    forgotten: [u32; LANES],
    margins: [f64; LANES],
    /// Of the probability of the true class, and the sum of squared deviations from it (Welford).
    mean: [f64; LANES],
    squares: [f64; LANES],
}

type CountsOf = fn(&mut Track) -> &mut [u32; LANES];
type SumsOf = fn(&mut Track) -> &mut [f64; LANES];
type WindowSumsOf = fn(&mut Windows) -> &mut [f64; LANES];

/// Counts by name, with the most that each can be.
const COUNTS: [(&str, CountsOf, u32); 4] = [
    ("dynamics.presentations", |track| &mut track.presentations, u32::MAX),
    ("dynamics.correct", |track| &mut track.correct, u32::MAX),
    ("dynamics.known", |track| &mut track.known, 1),
    ("dynamics.forgotten", |track| &mut track.forgotten, u32::MAX),
];

/// Sums by name.
const SUMS: [(&str, SumsOf); 3] = [
    ("dynamics.margins", |track| &mut track.margins),
    ("dynamics.mean", |track| &mut track.mean),
    ("dynamics.squares", |track| &mut track.squares),
];

/// Sums over windows by name.
const WINDOW_SUMS: [(&str, WindowSumsOf); 3] = [
    ("dynamics.window_deviations", |windows| &mut windows.deviations),
    ("dynamics.window_duals", |windows| &mut windows.duals),
    ("dynamics.el2n", |windows| &mut windows.el2n),
];

const TRUTHS: &str = "dynamics.window";
const LABELS: &str = "dynamics.label";
const CLASS_SUMS: &str = "dynamics.class_sums";
const CLASS_LOGS: &str = "dynamics.class_logs";
const CLASS_DISTANCES: &str = "dynamics.class_distances";
const MOVING: &str = "dynamics.tdds";

/// What one presentation tells, but for the numbers of each class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    true_prob: f64,
    margin: f64,
    el2n: f32,
    correct: bool,
}

impl Told {
    /// What a row of scores tells.
    pub(crate) fn of(row: &RowScores) -> Self {
        Self {
            true_prob: row.true_prob,
            margin: row.logit_margin,
            el2n: row.scores[ScoreKind::El2n as usize],
            correct: row.correct(),
        }
    }
}

/// Examples that a thread takes through all epochs.
struct Run<'a> {
    tracks: &'a mut [Track],
    windows: Option<&'a mut [Windows]>,
    classes: Option<Part<'a>>,
}

impl Track {
    const NEW: Self = Self {
        presentations: [0; LANES],
        correct: [0; LANES],
        known: [0; LANES],
        forgotten: [0; LANES],
        margins: [0.0; LANES],
        mean: [0.0; LANES],
        squares: [0.0; LANES],
    };

    /// A presentation in each of some lanes, the first of which is `first`; `share` is what it weighs
    /// in a mean of those so far.
    #[inline(always)]
    fn present(
        &mut self,
        first: usize,
        share: f64,
        truth: &[f64],
        margin: &[f64],
        correct: &[u32],
    ) {
        let lanes = first..first + truth.len();
        let means = self.mean[lanes.clone()].iter_mut().zip(&mut self.squares[lanes.clone()]);
        for ((mean, squares), truth) in means.zip(truth) {
            let before = truth - *mean;
            *mean += before * share;
            let after = truth - *mean;
            *squares += before * after;
        }
        for (margins, margin) in self.margins[lanes.clone()].iter_mut().zip(margin) {
            *margins += margin;
        }
        for presentations in &mut self.presentations[lanes.clone()] {
            *presentations += 1;
        }
        let counts = self.correct[lanes.clone()].iter_mut().zip(&mut self.known[lanes.clone()]);
        for (((count, known), forgotten), correct) in
            counts.zip(&mut self.forgotten[lanes]).zip(correct)
        {
            *forgotten += *known & (1 - correct);
            *count += correct;
            *known = *correct;
        }
    }
}

/// An epoch's presentations on their way into the tracks.
struct Tracks<'a, 'c, E> {
    tracks: &'a mut [Track],
    windows: Option<&'a mut [Windows]>,
    classes: Option<&'a mut Part<'c>>,
    /// The epoch's rows, the first of the tracks at `first`.
    matrix: Matrix<'a, E>,
    first: usize,
    /// Epochs before it.
    epoch: u32,
    with_margins: bool,
    /// Room for a row of probabilities.
    distribution: &'a mut [f32],
}

impl<E: Element> Tracks<'_, '_, E> {
    #[inline(always)]
    fn present<I: Isa>(&mut self, isa: I, at: usize, rows: usize, told: &ToldLanes) {
        let share = 1.0 / f64::from(self.epoch + 1);
        let correct = told.correct.map(u32::from);
        let margin = if self.with_margins { &told.margin } else { &[0.0; LANES] };
        let track = &mut self.tracks[at / LANES];
        // A whole block has a length that the compiler knows.
        if rows == LANES {
            track.present(0, share, &told.truth, margin, &correct);
        } else {
            track.present(0, share, &told.truth[..rows], &margin[..rows], &correct[..rows]);
        }
        if let Some(windows) = &mut self.windows {
            let (windows, times) = (&mut windows[at / LANES], [self.epoch; LANES]);
            if rows == LANES {
                windows.present(0, &times, &told.truth, &told.el2n);
            } else {
                windows.present(0, &times[..rows], &told.truth[..rows], &told.el2n[..rows]);
            }
        }
        if let Some(classes) = &mut self.classes {
            for lane in 0..rows {
                let index = at + lane;
                distribution(isa, &self.matrix, self.first + index, self.distribution);
                classes.present(isa, index, self.epoch, told.labels[lane], self.distribution);
            }
        }
    }
}

/// What sixteen presentations tell.
struct ToldLanes {
    truth: [f64; LANES],
    margin: [f64; LANES],
    el2n: [f32; LANES],
    correct: [bool; LANES],
    labels: [u32; LANES],
}

impl<E: Element> Sink for Tracks<'_, '_, E> {
    const ALL: bool = true;

    #[inline(always)]
    fn take<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        rows: usize,
        labels: &[u32; LANES],
        sums: &Sums,
        _: usize,
    ) {
        let predicted = sums.predicted(labels);
        let told = ToldLanes {
            truth: sums.shares(isa).truth,
            margin: sums.margin,
            el2n: sums.el2n(isa),
            correct: std::array::from_fn(|lane| predicted[lane] == labels[lane]),
            labels: *labels,
        };
        self.present(isa, at, rows, &told);
    }

    #[inline(always)]
    fn take_scores<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        rows: usize,
        labels: &[u32; LANES],
        scores: &Scores,
    ) {
        let told = ToldLanes {
            truth: scores.true_prob,
            margin: scores.margin,
            el2n: scores.columns[ScoreKind::El2n as usize],
            correct: std::array::from_fn(|lane| scores.predicted[lane] == labels[lane]),
            labels: *labels,
        };
        self.present(isa, at, rows, &told);
    }
}
