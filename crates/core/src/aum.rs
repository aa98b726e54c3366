//! AUM, the area under the margin.
//!
//! `AUM = (1/T) Σ_t ( z_y(t) − max_{j≠y} z_j(t) )` over the T presentations of the example in
//! training minibatches, on **logits**, not probabilities.
//!
//! Source: Pleiss, Zhang, Elenberg, Weinberger, "Identifying Mislabeled Data using the Area Under
//! the Margin Ranking", NeurIPS 2020 (arXiv 2001.10528), equation 2.
//!
//! The threshold samples of that paper are not made here.

use crate::{checks, example_id::ExampleId, margin::largest_other, score_error::ScoreError};

/// Mean logit margin of n examples.
///
/// ```
/// use datadiet_core::{Aum, ExampleId};
///
/// let mut tracker = Aum::new(2);
/// tracker.observe(ExampleId(0), &[3.0, 1.0, 0.0], 0);
/// tracker.observe(ExampleId(0), &[0.0, 1.0, 0.0], 0);
/// let aum = tracker.column();
/// assert_eq!(aum[0], 0.5);
/// assert!(aum[1].is_nan(), "never presented");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Aum {
    presentations: Vec<u32>,
    sum: Vec<f64>,
}

const PRESENTATIONS: &str = "aum.presentations";
const SUM: &str = "aum.sum";

impl Aum {
    /// A tracker of examples 0 to n − 1, none of them seen.
    #[must_use]
    pub fn new(n_examples: usize) -> Self {
        Self { presentations: vec![0; n_examples], sum: vec![0.0; n_examples] }
    }

    /// Records one presentation: K ≥ 2 finite logits.
    ///
    /// # Panics
    /// If `id` is not below n or `label` not below K.
    pub fn observe(&mut self, id: ExampleId, logits: &[f32], label: usize) {
        self.observe_margin(id, f64::from(logits[label]) - largest_other(logits, label));
    }

    /// Records one presentation whose logit margin `z_y − max_{j≠y} z_j` is known.
    pub(crate) fn observe_margin(&mut self, id: ExampleId, margin: f64) {
        self.presentations[id.index()] += 1;
        self.sum[id.index()] += margin;
    }

    /// Adds examples, unseen, until there are n.
    pub(crate) fn grow(&mut self, examples: usize) {
        self.presentations.resize(examples, 0);
        self.sum.resize(examples, 0.0);
    }

    /// Adds the presentations that another tracker of the same n examples saw.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.presentations.iter_mut().zip(&other.presentations) {
            *mine += theirs;
        }
        for (mine, theirs) in self.sum.iter_mut().zip(&other.sum) {
            *mine += theirs;
        }
    }

    /// AUM of each example: n values in (−∞, ∞), NaN for an unseen example; **lower** is harder.
    #[must_use]
    pub fn column(&self) -> Vec<f32> {
        // 0 / 0 is the NaN of an unseen example.
        let pairs = self.sum.iter().zip(&self.presentations);
        pairs.map(|(&sum, &times)| (sum / f64::from(times)) as f32).collect()
    }

    /// The whole state as named columns of n values.
    #[must_use]
    pub fn state(&self) -> Vec<(&'static str, Vec<f64>)> {
        let presentations = self.presentations.iter().map(|&times| f64::from(times));
        vec![(PRESENTATIONS, presentations.collect()), (SUM, self.sum.clone())]
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
            sum: checks::state_column(SUM, n_examples, &column, checks::finite_value)?,
        })
    }
}
