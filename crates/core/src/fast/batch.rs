//! Everything that a minibatch tells, for a recorder that is called thousands of times an epoch.

use super::{
    columns::Columns,
    element::Element,
    matrix::Matrix,
    sums::Scores,
    vector::Lanes,
    walk::{Sink, make_room, on_this_thread},
};
use crate::{
    isa::{Isa, LANES},
    logit_scores::LogitScores,
    score_error::ScoreError,
};

/// The scores of a minibatch; made once and used again, it allocates nothing from the second
/// minibatch of a size on. It works on the thread that calls it.
///
/// ```
/// use datadiet_core::{BatchScores, Matrix, ScoreKind};
///
/// let mut batch = BatchScores::default();
/// batch.score(Matrix::logits(&[1.0_f32, 0.0, 0.0, 3.0], 2), &[0, 0])?;
/// assert_eq!(batch.margin(), [1.0, -3.0]);
/// assert_eq!(batch.scores()[ScoreKind::Correct], [1.0, 0.0]);
/// assert!((batch.true_prob()[0] - 1.0 / (1.0 + (-1.0_f64).exp())).abs() < 1e-6);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct BatchScores {
    true_prob: Vec<f64>,
    margin: Vec<f64>,
    scores: LogitScores,
    room: Vec<Lanes>,
}

impl BatchScores {
    /// Takes the scores of B examples, in place of those of the last minibatch.
    ///
    /// `outputs`: B × K, K ≥ 2; `labels`: B class indices.
    ///
    /// # Errors
    /// As [`LogitScores::of`]; the scores are then worth nothing.
    pub fn score<E: Element>(
        &mut self,
        outputs: Matrix<E>,
        labels: &[u32],
    ) -> Result<(), ScoreError> {
        outputs.check(labels)?;
        let rows = labels.len();
        self.true_prob.resize(rows, 0.0);
        self.margin.resize(rows, 0.0);
        make_room(&mut self.room, outputs.classes());
        let mut sink = Batch {
            true_prob: &mut self.true_prob,
            margin: &mut self.margin,
            columns: Columns::of(&mut self.scores, rows),
        };
        on_this_thread(outputs, labels, &mut self.room, &mut sink)
    }

    /// The probability of the true class: B numbers in [0, 1], unrounded.
    #[must_use]
    pub fn true_prob(&self) -> &[f64] {
        &self.true_prob
    }

    /// The logit of the true class less the largest other: B numbers in (−∞, ∞), whose mean over
    /// presentations is AUM; exact. NaN of probabilities.
    #[must_use]
    pub fn margin(&self) -> &[f64] {
        &self.margin
    }

    /// The scores of the evaluation pass, and the predicted classes.
    #[must_use]
    pub fn scores(&self) -> &LogitScores {
        &self.scores
    }
}

struct Batch<'a> {
    true_prob: &'a mut [f64],
    margin: &'a mut [f64],
    columns: Columns<'a>,
}

impl Sink for Batch<'_> {
    const ALL: bool = true;

    #[inline(always)]
    fn take_scores<I: Isa>(
        &mut self,
        isa: I,
        at: usize,
        rows: usize,
        labels: &[u32; LANES],
        scores: &Scores,
    ) {
        self.true_prob[at..at + rows].copy_from_slice(&scores.true_prob[..rows]);
        self.margin[at..at + rows].copy_from_slice(&scores.margin[..rows]);
        self.columns.take_scores(isa, at, rows, labels, scores);
    }
}
