//! Dataset cartography: confidence, variability and correctness.
//!
//! Over the T presentations of an example in training minibatches, with p = p_y(t):
//! confidence `μ = (1/T) Σ p`, variability `sqrt( (1/T) Σ (p − μ)² )` (population, not sample),
//! correctness the fraction of presentations whose prediction is the label.
//!
//! Source: Swayamdipta et al., "Dataset Cartography: Mapping and Diagnosing Datasets with Training
//! Dynamics", EMNLP 2020 (arXiv 2009.10795), section 2.
//!
//! Mean and squared deviations follow Welford's update, since a running sum of squares would
//! cancel for the many examples whose p stays near 1. No region names (easy, ambiguous, hard) are
//! given: the paper draws no threshold.

use crate::{checks, example_id::ExampleId, score_error::ScoreError};

/// Confidence, variability and correctness of n examples.
///
/// ```
/// use datadiet_core::{Cartography, ExampleId};
///
/// let mut tracker = Cartography::new(1);
/// tracker.observe(ExampleId(0), 0.25, false);
/// tracker.observe(ExampleId(0), 0.75, true);
/// assert_eq!(tracker.confidence(), [0.5]);
/// assert_eq!(tracker.variability(), [0.25]);
/// assert_eq!(tracker.correctness(), [0.5]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cartography {
    presentations: Vec<u32>,
    correct: Vec<u32>,
    mean: Vec<f64>,
    /// Sum of squared deviations from the mean so far.
    squares: Vec<f64>,
}

const PRESENTATIONS: &str = "cartography.presentations";
const CORRECT: &str = "cartography.correct";
const MEAN: &str = "cartography.mean";
const SQUARES: &str = "cartography.squares";

impl Cartography {
    /// A tracker of examples 0 to n − 1, none of them seen.
    #[must_use]
    pub fn new(n_examples: usize) -> Self {
        Self {
            presentations: vec![0; n_examples],
            correct: vec![0; n_examples],
            mean: vec![0.0; n_examples],
            squares: vec![0.0; n_examples],
        }
    }

    /// Records one presentation: the probability of the true class, in [0, 1], and whether the
    /// prediction was right.
    ///
    /// # Panics
    /// If `id` is not below n.
    pub fn observe(&mut self, id: ExampleId, true_prob: f64, correct: bool) {
        let example = id.index();
        self.presentations[example] += 1;
        self.correct[example] += u32::from(correct);
        let before = true_prob - self.mean[example];
        self.mean[example] += before / f64::from(self.presentations[example]);
        let after = true_prob - self.mean[example];
        self.squares[example] += before * after;
    }

    /// Adds examples, unseen, until there are n.
    pub(crate) fn grow(&mut self, examples: usize) {
        self.presentations.resize(examples, 0);
        self.correct.resize(examples, 0);
        self.mean.resize(examples, 0.0);
        self.squares.resize(examples, 0.0);
    }

    /// Adds the presentations that another tracker of the same n examples saw: counts add up, and
    /// means and squared deviations join by the pairwise formula of Chan, Golub, LeVeque 1983,
    /// which cancels no more than Welford's.
    pub(crate) fn merge(&mut self, other: &Self) {
        for example in 0..self.mean.len() {
            let theirs = f64::from(other.presentations[example]);
            if theirs == 0.0 {
                continue;
            }
            let mine = f64::from(self.presentations[example]);
            let distance = other.mean[example] - self.mean[example];
            self.mean[example] += distance * theirs / (mine + theirs);
            self.squares[example] +=
                other.squares[example] + distance * distance * mine * theirs / (mine + theirs);
            self.presentations[example] += other.presentations[example];
            self.correct[example] += other.correct[example];
        }
    }

    /// Mean probability of the true class: n values in [0, 1], NaN if unseen; **lower** is harder.
    #[must_use]
    pub fn confidence(&self) -> Vec<f32> {
        self.column(|example, _| self.mean[example])
    }

    /// Population standard deviation of the probability of the true class: n values in [0, 1/2],
    /// NaN if unseen; higher is more ambiguous.
    #[must_use]
    pub fn variability(&self) -> Vec<f32> {
        self.column(|example, times| (self.squares[example] / times).sqrt())
    }

    /// Fraction of presentations that were correct: n values in [0, 1], NaN if unseen; **lower**
    /// is harder.
    #[must_use]
    pub fn correctness(&self) -> Vec<f32> {
        self.column(|example, times| f64::from(self.correct[example]) / times)
    }

    fn column(&self, value: impl Fn(usize, f64) -> f64) -> Vec<f32> {
        let times = self.presentations.iter().enumerate();
        times
            .map(|(example, &times)| match times {
                0 => f32::NAN,
                _ => value(example, f64::from(times)) as f32,
            })
            .collect()
    }

    /// The whole state as named columns of n values.
    #[must_use]
    pub fn state(&self) -> Vec<(&'static str, Vec<f64>)> {
        let widen = |counts: &[u32]| counts.iter().map(|&count| f64::from(count)).collect();
        vec![
            (PRESENTATIONS, widen(&self.presentations)),
            (CORRECT, widen(&self.correct)),
            (MEAN, self.mean.clone()),
            (SQUARES, self.squares.clone()),
        ]
    }

    /// The tracker that wrote `state`.
    ///
    /// # Errors
    /// A column that is missing, has another length than n, or holds an impossible value.
    pub fn from_state(
        n_examples: usize,
        column: impl Fn(&str) -> Option<Vec<f64>>,
    ) -> Result<Self, ScoreError> {
        Ok(Self {
            presentations: checks::state_column(PRESENTATIONS, n_examples, &column, checks::count)?,
            correct: checks::state_column(CORRECT, n_examples, &column, checks::count)?,
            mean: checks::state_column(MEAN, n_examples, &column, checks::finite_value)?,
            squares: checks::state_column(SQUARES, n_examples, &column, checks::finite_value)?,
        })
    }
}
