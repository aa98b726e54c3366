//! All trajectory scores of whole trainings at once: one pass over the logits of T epochs.
//!
//! The definitions are those of [`crate::forgetting`], [`crate::aum`] and [`crate::cartography`],
//! for examples that are presented once in every epoch. Threads share the examples: each takes a
//! few hundred of them through all epochs, and what it keeps of them stays in its cache.

use rayon::prelude::*;
use thiserror::Error;

use super::{
    element::Element,
    isa::{Isa, LANES, dispatch},
    matrix::Matrix,
    sums::Sums,
    walk::{Sink, Walk, room},
};
use crate::{score_error::ScoreError, score_kind::ScoreKind};

/// Examples that a thread takes at a time.
const TOGETHER: usize = 32 * LANES;

/// One column for each score of the training minibatches; each has one entry an example.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrajectoryScores {
    /// Steps from correct to wrong.
    pub forgetting: Vec<f32>,
    /// 1 where no presentation was correct, else 0.
    pub never_learned: Vec<f32>,
    /// Mean logit margin; **lower** is harder.
    pub aum: Vec<f32>,
    /// Mean probability of the true class; **lower** is harder.
    pub confidence: Vec<f32>,
    /// Population standard deviation of that probability.
    pub variability: Vec<f32>,
    /// Fraction of correct presentations; **lower** is harder.
    pub correctness: Vec<f32>,
}

impl TrajectoryScores {
    /// Trajectory scores of n examples over T epochs, on all cores.
    ///
    /// `epochs`: the logits of each epoch in order, each n × K with the examples in the same
    /// order, K ≥ 2; `labels`: n class indices. A T × n × K array is cut into its epochs by
    /// `chunks_exact(n * classes)`. Without epochs every score is NaN.
    ///
    /// # Errors
    /// The first epoch whose length does not fit, which has another number of classes than the
    /// first one, or which has NaN or infinity in it; labels outside `0..K`.
    ///
    /// ```
    /// use datadiet_core::fast::{Matrix, TrajectoryScores};
    ///
    /// // Three epochs of one example of two classes.
    /// let logits = [3.0_f32, 0.0, /**/ 0.0, 1.0, /**/ 2.0, 1.0];
    /// let epochs: Vec<_> = logits.chunks_exact(2).map(|epoch| Matrix::new(epoch, 2)).collect();
    /// let scores = TrajectoryScores::from_logits(&epochs, &[0])?;
    /// assert_eq!((scores.forgetting[0], scores.never_learned[0]), (1.0, 0.0));
    /// assert_eq!(scores.aum, [1.0]);
    /// # Ok::<(), datadiet_core::fast::EpochError>(())
    /// ```
    pub fn from_logits<E: Element>(
        epochs: &[Matrix<E>],
        labels: &[u32],
    ) -> Result<Self, EpochError> {
        check_shapes(epochs, labels)?;
        let mut scores = Self::unseen(labels.len());
        if epochs.is_empty() {
            return Ok(scores);
        }
        let room = || room(epochs[0].classes());
        let through = |room: &mut Vec<_>, (index, columns): (usize, Columns)| {
            let first = index * TOGETHER;
            let rows = first..first + columns.0.len();
            let mut tracks = [Track::NEW; TOGETHER / LANES];
            let mut finite = true;
            for (epoch, &matrix) in epochs.iter().enumerate() {
                let mut sink = Tracks { tracks: &mut tracks, share: 1.0 / (epoch + 1) as f64 };
                let rows = rows.clone();
                finite &= dispatch(Walk { matrix, rows, labels, room, sink: &mut sink });
            }
            write(&tracks, epochs.len() as f64, columns);
            finite
        };
        let finite = scores.chunks().map_init(room, through).reduce(|| true, |a, b| a & b);
        if !finite {
            for (epoch, matrix) in (1..).zip(epochs) {
                let checked = matrix.check_finite("logits", labels.len());
                checked.map_err(|source| EpochError { epoch, source })?;
            }
        }
        Ok(scores)
    }

    /// The column of a score, or `None` where the score does not come from training minibatches.
    #[must_use]
    pub fn column(&self, kind: ScoreKind) -> Option<&[f32]> {
        match kind {
            ScoreKind::Forgetting => Some(&self.forgetting),
            ScoreKind::NeverLearned => Some(&self.never_learned),
            ScoreKind::Aum => Some(&self.aum),
            ScoreKind::Confidence => Some(&self.confidence),
            ScoreKind::Variability => Some(&self.variability),
            ScoreKind::Correctness => Some(&self.correctness),
            _ => None,
        }
    }

    fn unseen(n: usize) -> Self {
        let column = || vec![f32::NAN; n];
        Self {
            forgetting: column(),
            never_learned: column(),
            aum: column(),
            confidence: column(),
            variability: column(),
            correctness: column(),
        }
    }

    fn chunks(&mut self) -> impl IndexedParallelIterator<Item = (usize, Columns<'_>)> {
        let Self { forgetting, never_learned, aum, confidence, variability, correctness } = self;
        (
            forgetting.par_chunks_mut(TOGETHER),
            never_learned.par_chunks_mut(TOGETHER),
            aum.par_chunks_mut(TOGETHER),
            confidence.par_chunks_mut(TOGETHER),
            variability.par_chunks_mut(TOGETHER),
            correctness.par_chunks_mut(TOGETHER),
        )
            .into_par_iter()
            .enumerate()
    }
}

/// A run of examples in the columns of [`TrajectoryScores`], in their order.
type Columns<'a> =
    (&'a mut [f32], &'a mut [f32], &'a mut [f32], &'a mut [f32], &'a mut [f32], &'a mut [f32]);

/// What is wrong with the logits of an epoch.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("epoch {epoch}: {source}")]
pub struct EpochError {
    /// The epoch, from 1.
    pub epoch: usize,
    /// What is wrong with it.
    pub source: ScoreError,
}

fn check_shapes<E: Element>(epochs: &[Matrix<E>], labels: &[u32]) -> Result<(), EpochError> {
    for (epoch, matrix) in (1..).zip(epochs) {
        let (expected, found) = (epochs[0].classes(), matrix.classes());
        let checked = crate::checks::length("classes", expected, found)
            .and_then(|()| matrix.check("logits", labels));
        checked.map_err(|source| EpochError { epoch, source })?;
    }
    Ok(())
}

/// What is kept of sixteen examples.
#[derive(Clone, Copy)]
struct Track {
    margins: [f64; LANES],
    /// Of the probability of the true class, and the sum of squared deviations from it (Welford).
    mean: [f64; LANES],
    squares: [f64; LANES],
    correct: [u32; LANES],
    /// Whether the last presentation was correct.
    known: [u32; LANES],
    forgotten: [u32; LANES],
}

impl Track {
    const NEW: Self = Self {
        margins: [0.0; LANES],
        mean: [0.0; LANES],
        squares: [0.0; LANES],
        correct: [0; LANES],
        known: [0; LANES],
        forgotten: [0; LANES],
    };
}

/// An epoch's presentations on their way into the tracks.
struct Tracks<'a> {
    tracks: &'a mut [Track],
    /// What one presentation weighs in a mean of those so far.
    share: f64,
}

impl Sink for Tracks<'_> {
    const ALL: bool = true;

    #[inline(always)]
    fn take<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        _: usize,
        labels: &[u32; LANES],
        sums: &Sums,
        _: usize,
    ) {
        let track = &mut self.tracks[at / LANES];
        let truth = sums.shares(isa).truth;
        let predicted = sums.predicted(labels);
        for lane in 0..LANES {
            let before = truth[lane] - track.mean[lane];
            track.mean[lane] += before * self.share;
            let after = truth[lane] - track.mean[lane];
            track.squares[lane] += before * after;
            track.margins[lane] += sums.margin[lane];
        }
        for lane in 0..LANES {
            let correct = u32::from(predicted[lane] == labels[lane]);
            track.forgotten[lane] += track.known[lane] & (1 - correct);
            track.correct[lane] += correct;
            track.known[lane] = correct;
        }
    }
}

fn write(tracks: &[Track], times: f64, columns: Columns) {
    let (forgetting, never_learned, aum, confidence, variability, correctness) = columns;
    for example in 0..forgetting.len() {
        let (track, lane) = (&tracks[example / LANES], example % LANES);
        forgetting[example] = track.forgotten[lane] as f32;
        never_learned[example] = if track.correct[lane] == 0 { 1.0 } else { 0.0 };
        aum[example] = (track.margins[lane] / times) as f32;
        confidence[example] = track.mean[lane] as f32;
        variability[example] = (track.squares[lane].max(0.0) / times).sqrt() as f32;
        correctness[example] = (f64::from(track.correct[lane]) / times) as f32;
    }
}
