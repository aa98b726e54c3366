//! The trackers that are fed by training minibatches, behind one door.
//!
//! Each minibatch is observed once, with the logits that its training step computed (training
//! mode, augmented images, before the update): no extra forward pass. Forgetting, AUM and dataset
//! cartography take what they need; their files have the formulas.
//!
//! A resumed run continues bit for bit: [`TrainingDynamics::state`] is the whole state, as `f64`
//! columns that any checkpoint format can hold. It keeps no per-epoch history.

use crate::{
    argmax::is_correct, aum::Aum, cartography::Cartography, checks, example_id::ExampleId,
    forgetting::Forgetting, loss::cross_entropy, score_error::ScoreError, score_kind::ScoreKind,
};

/// Training dynamics of all examples of the full training set.
///
/// ```
/// use datadiet_core::{ExampleId, ScoreKind, TrainingDynamics};
///
/// let mut dynamics = TrainingDynamics::new(4, 2);
/// // A minibatch of examples 2 and 0: logits are 2 × 2 row-major.
/// dynamics.observe(&[ExampleId(2), ExampleId(0)], &[1.0, 0.0, 0.0, 3.0], &[0, 0])?;
/// let aum = dynamics.column(ScoreKind::Aum).expect("a tracker's score");
/// assert_eq!((aum[2], aum[0]), (1.0, -3.0));
/// assert!(aum[1].is_nan(), "not seen yet");
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TrainingDynamics {
    n_examples: usize,
    classes: usize,
    forgetting: Forgetting,
    aum: Aum,
    cartography: Cartography,
}

impl TrainingDynamics {
    /// Trackers of examples 0 to n − 1 of the **full** training set, none of them seen, and K
    /// classes. Fewer than 2 classes are refused by the first [`Self::observe`].
    #[must_use]
    pub fn new(n_examples: usize, classes: usize) -> Self {
        Self {
            n_examples,
            classes,
            forgetting: Forgetting::new(n_examples),
            aum: Aum::new(n_examples),
            cartography: Cartography::new(n_examples),
        }
    }

    /// Records one training minibatch of B examples.
    ///
    /// `ids`: B ids; `logits`: B × K row-major; `labels`: the B class indices that training used
    /// (noisy ones, where the labels are noisy). An id that occurs twice counts as two
    /// presentations, in order.
    ///
    /// # Errors
    /// Lengths that do not fit, an id or label out of range, NaN or infinite logits. Rows in the
    /// error are positions in the minibatch. Nothing is recorded then.
    pub fn observe(
        &mut self,
        ids: &[ExampleId],
        logits: &[f32],
        labels: &[u32],
    ) -> Result<(), ScoreError> {
        checks::length("labels", ids.len(), labels.len())?;
        checks::matrix_and_labels("logits", logits, self.classes, labels)?;
        checks::ids(ids, self.n_examples)?;
        let rows = logits.chunks_exact(self.classes);
        for ((&id, row), &label) in ids.iter().zip(rows).zip(labels) {
            self.observe_one(id, row, label as usize);
        }
        Ok(())
    }

    /// The column of one of the six tracker scores: n values, NaN where unseen; `None` for a
    /// score of another source.
    #[must_use]
    pub fn column(&self, kind: ScoreKind) -> Option<Vec<f32>> {
        match kind {
            ScoreKind::Forgetting => Some(self.forgetting.events()),
            ScoreKind::NeverLearned => Some(self.forgetting.never_learned()),
            ScoreKind::Aum => Some(self.aum.column()),
            ScoreKind::Confidence => Some(self.cartography.confidence()),
            ScoreKind::Variability => Some(self.cartography.variability()),
            ScoreKind::Correctness => Some(self.cartography.correctness()),
            _ => None,
        }
    }

    /// The whole state as named columns of n values, for a checkpoint. Names are unique and
    /// stable.
    #[must_use]
    pub fn state(&self) -> Vec<(&'static str, Vec<f64>)> {
        let mut columns = self.forgetting.state();
        columns.extend(self.aum.state());
        columns.extend(self.cartography.state());
        columns
    }

    /// The trackers that wrote [`Self::state`]; they go on as if they had never stopped.
    ///
    /// `column` finds a saved column by its name.
    ///
    /// # Errors
    /// A column that is missing, has another length than n, or holds an impossible value.
    ///
    /// ```
    /// use datadiet_core::TrainingDynamics;
    ///
    /// let before = TrainingDynamics::new(3, 10);
    /// let saved = before.state();
    /// let find = |name: &str| saved.iter().find(|(n, _)| *n == name).map(|(_, c)| c.clone());
    /// assert_eq!(TrainingDynamics::from_state(3, 10, find)?, before);
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn from_state(
        n_examples: usize,
        classes: usize,
        column: impl Fn(&str) -> Option<Vec<f64>>,
    ) -> Result<Self, ScoreError> {
        Ok(Self {
            n_examples,
            classes,
            forgetting: Forgetting::from_state(n_examples, &column)?,
            aum: Aum::from_state(n_examples, &column)?,
            cartography: Cartography::from_state(n_examples, &column)?,
        })
    }

    fn observe_one(&mut self, id: ExampleId, logits: &[f32], label: usize) {
        let correct = is_correct(logits, label);
        let true_prob = (-cross_entropy(logits, label)).exp();
        self.forgetting.observe(id, correct);
        self.aum.observe(id, logits, label);
        self.cartography.observe(id, true_prob, correct);
    }
}
