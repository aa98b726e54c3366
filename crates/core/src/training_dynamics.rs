//! Training dynamics: forgetting, AUM and dataset cartography, from one tracker.
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
    example_id::ExampleId,
    fast::{
        BatchScores, Element, Matrix,
        sums::{Scores, Sums},
        walk::{Sink, Walk, room},
    },
    isa::{Isa, LANES, dispatch},
    presence::Presence,
    score_error::ScoreError,
    score_kind::ScoreKind,
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
    tracks: Vec<Track>,
    /// The minibatch at hand; kept for its room.
    batch: BatchScores,
}

impl TrainingDynamics {
    /// Bytes that are kept of an example.
    pub(crate) const BYTES: usize = size_of::<Track>() / LANES;

    /// Trackers of examples 0 to n − 1 of the **full** training set, none of them seen.
    #[must_use]
    pub fn new(examples: usize) -> Self {
        let tracks = vec![Track::NEW; examples.div_ceil(LANES)];
        Self { examples, only_logits: true, tracks, batch: BatchScores::default() }
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
        for (epoch, matrix) in (1..).zip(epochs) {
            let checked = checks::classes(epochs[0].classes(), matrix.classes())
                .and_then(|()| matrix.check(labels));
            checked.map_err(|source| EpochError { epoch, source })?;
        }
        let mut dynamics = Self::new(labels.len());
        dynamics.only_logits = !epochs.iter().any(Matrix::is_probabilities);
        let with_margins = dynamics.only_logits;
        let room = || room(epochs.first().map_or(0, Matrix::classes));
        let through = |room: &mut Vec<_>, (index, tracks): (usize, &mut [Track])| {
            let first = index * TOGETHER * LANES;
            let rows = first..labels.len().min(first + tracks.len() * LANES);
            epochs.iter().enumerate().fold(true, |good, (epoch, &matrix)| {
                let sink = &mut Tracks { tracks, share: 1.0 / (epoch + 1) as f64, with_margins };
                good & dispatch(Walk { matrix, rows: rows.clone(), labels, room, sink })
            })
        };
        let chunks = dynamics.tracks.par_chunks_mut(TOGETHER).enumerate();
        if !chunks.map_init(room, through).reduce(|| true, |a, b| a & b) {
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
        let mut dynamics = Self { only_logits: false, ..Self::new(examples) };
        for epoch in correct.chunks_exact(examples.max(1)) {
            for (id, &correct) in (0..).map(ExampleId).zip(epoch) {
                dynamics.present(id, f64::from(u8::from(correct)), 0.0, correct);
            }
        }
        dynamics
    }

    /// Records one training minibatch of B examples.
    ///
    /// `ids`: B ids; `outputs`: B × K logits (or probabilities, which leave no AUM); `labels`: the B
    /// class indices that training used (noisy ones, where the labels are noisy). An id that occurs
    /// twice counts as two presentations, in order.
    ///
    /// # Errors
    /// Lengths that do not fit, an id or label out of range, numbers that cannot be scored. Rows in the
    /// error are positions in the minibatch. Nothing is recorded then.
    pub fn observe<E: Element>(
        &mut self,
        ids: &[ExampleId],
        outputs: Matrix<E>,
        labels: &[u32],
    ) -> Result<(), ScoreError> {
        checks::length("labels", ids.len(), labels.len())?;
        let mut batch = std::mem::take(&mut self.batch);
        let scored = batch.score(outputs, labels).and_then(|()| checks::ids(ids, self.examples));
        if scored.is_ok() {
            self.only_logits &= ids.is_empty() || !outputs.is_probabilities();
            let predicted = batch.scores().predicted.iter().zip(labels);
            let correct = predicted.map(|(predicted, label)| predicted == label);
            let seen = batch.true_prob().iter().zip(batch.margin()).zip(correct);
            for (&id, ((&true_prob, &margin), correct)) in ids.iter().zip(seen) {
                self.present(id, true_prob, margin, correct);
            }
        }
        self.batch = batch;
        scored
    }

    /// Records one presentation.
    pub(crate) fn present(&mut self, id: ExampleId, true_prob: f64, margin: f64, correct: bool) {
        let (track, lane) = (&mut self.tracks[id.index() / LANES], id.index() % LANES);
        let share = 1.0 / f64::from(track.presentations[lane] + 1);
        let margin = if self.only_logits { margin } else { 0.0 };
        track.present(lane, share, &[true_prob], &[margin], &[u32::from(correct)]);
    }

    /// Adds examples, unseen, until there are n.
    pub(crate) fn grow(&mut self, examples: usize) {
        self.examples = examples;
        self.tracks.resize(examples.div_ceil(LANES), Track::NEW);
    }

    /// Adds the presentations that another tracker of the same n examples saw, whatever their order:
    /// all but forgetting events, which [`Self::recount`] takes from the joined history. Counts add
    /// up, and means and squared deviations join by the pairwise formula of Chan, Golub, LeVeque
    /// 1983, which cancels no more than Welford's.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.only_logits &= other.only_logits;
        for (mine, theirs) in self.tracks.iter_mut().zip(&other.tracks) {
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

    /// The column of one of the six scores of training dynamics: n values, NaN where unseen; `None`
    /// for a score of another source, and for AUM where presentations came as probabilities.
    #[must_use]
    pub fn column(&self, kind: ScoreKind) -> Option<Vec<f32>> {
        let value: fn(&Track, usize, f64) -> f64 = match kind {
            ScoreKind::Forgetting => |track, lane, _| f64::from(track.forgotten[lane]),
            ScoreKind::NeverLearned => {
                |track, lane, _| f64::from(u8::from(track.correct[lane] == 0))
            }
            ScoreKind::Aum if self.only_logits => |track, lane, times| track.margins[lane] / times,
            ScoreKind::Confidence => |track, lane, _| track.mean[lane],
            ScoreKind::Variability => |track, lane, times| (track.squares[lane] / times).sqrt(),
            ScoreKind::Correctness => |track, lane, times| f64::from(track.correct[lane]) / times,
            _ => return None,
        };
        let of = |example: usize| {
            let (track, lane) = (&self.tracks[example / LANES], example % LANES);
            match track.presentations[lane] {
                0 => f32::NAN,
                times => value(track, lane, f64::from(times)) as f32,
            }
        };
        Some((0..self.examples).map(of).collect())
    }

    /// The whole state as named columns of n values, for a checkpoint. Names are unique and
    /// stable; counts are exact in `f64`.
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
        columns
    }

    /// The trackers that wrote [`Self::state`]; they go on as if they had never stopped.
    ///
    /// `only_logits`: whether all presentations came as logits; `column` finds a saved column by its
    /// name.
    ///
    /// # Errors
    /// A column that is missing, has another length than n, or holds an impossible value.
    ///
    /// ```
    /// use datadiet_core::TrainingDynamics;
    ///
    /// let saved = TrainingDynamics::new(3).state();
    /// let find = |name: &str| saved.iter().find(|(n, _)| *n == name).map(|(_, c)| c.clone());
    /// assert_eq!(TrainingDynamics::from_state(3, true, find)?.state(), saved);
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn from_state(
        examples: usize,
        only_logits: bool,
        column: impl Fn(&str) -> Option<Vec<f64>>,
    ) -> Result<Self, ScoreError> {
        let mut dynamics = Self { only_logits, ..Self::new(examples) };
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
        Ok(dynamics)
    }
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
struct Tracks<'a> {
    tracks: &'a mut [Track],
    /// What one presentation weighs in a mean of those so far.
    share: f64,
    with_margins: bool,
}

impl Tracks<'_> {
    #[inline(always)]
    fn present(
        &mut self,
        at: usize,
        rows: usize,
        truth: &[f64; LANES],
        margin: &[f64; LANES],
        correct: [bool; LANES],
    ) {
        let correct = correct.map(u32::from);
        let margin = if self.with_margins { margin } else { &[0.0; LANES] };
        let track = &mut self.tracks[at / LANES];
        if rows == LANES {
            track.present(0, self.share, truth, margin, &correct);
        } else {
            track.present(0, self.share, &truth[..rows], &margin[..rows], &correct[..rows]);
        }
    }
}

impl Sink for Tracks<'_> {
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
        let correct = std::array::from_fn(|lane| predicted[lane] == labels[lane]);
        self.present(at, rows, &sums.shares(isa).truth, &sums.margin, correct);
    }

    #[inline(always)]
    fn take_scores(&mut self, at: usize, rows: usize, labels: &[u32; LANES], scores: &Scores) {
        let correct = std::array::from_fn(|lane| scores.predicted[lane] == labels[lane]);
        self.present(at, rows, &scores.true_prob, &scores.margin, correct);
    }
}
