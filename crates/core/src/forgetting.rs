//! Forgetting events, and examples that are never learned.
//!
//! An event is a step from correct to wrong between two consecutive presentations of an example
//! in training minibatches, on the augmented image that was presented. An example is never
//! learned if it was presented and never correct.
//!
//! Source: Toneva et al., "An Empirical Study of Example Forgetting during Deep Neural Network
//! Learning", ICLR 2019 (arXiv 1812.05159), algorithm 1.
//!
//! The released code of Paul et al. gives a never-learned example infinitely many events, so that
//! a mean over replicas is infinite for good. Here the two facts stay two columns;
//! [`crate::forgetting_key()`] joins them for ranking.

use crate::{example_id::ExampleId, score_error::ScoreError};

/// Where an example stands in the cycle of learning and forgetting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Unseen,
    NeverLearned,
    Learned,
    Forgotten,
}

impl Phase {
    /// The phase after a presentation.
    fn next(self, correct: bool) -> Self {
        match (self, correct) {
            (_, true) => Self::Learned,
            (Self::Unseen | Self::NeverLearned, false) => Self::NeverLearned,
            (Self::Learned | Self::Forgotten, false) => Self::Forgotten,
        }
    }

    fn code(self) -> f64 {
        match self {
            Self::Unseen => 0.0,
            Self::NeverLearned => 1.0,
            Self::Learned => 2.0,
            Self::Forgotten => 3.0,
        }
    }

    fn from_code(code: f64) -> Option<Self> {
        [Self::Unseen, Self::NeverLearned, Self::Learned, Self::Forgotten]
            .into_iter()
            .find(|phase| phase.code() == code)
    }
}

/// Counts forgetting events of n examples.
///
/// ```
/// use datadiet_core::{ExampleId, Forgetting};
///
/// let mut tracker = Forgetting::new(3);
/// for correct in [false, true, false, true, false] {
///     tracker.observe(ExampleId(0), correct);
///     tracker.observe(ExampleId(1), false);
/// }
/// let (events, never) = (tracker.events(), tracker.never_learned());
/// assert_eq!((events[0], never[0]), (2.0, 0.0));
/// assert_eq!((events[1], never[1]), (0.0, 1.0));
/// assert!(events[2].is_nan() && never[2].is_nan(), "never presented");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Forgetting {
    phase: Vec<Phase>,
    events: Vec<u32>,
}

const PHASE: &str = "forgetting.phase";
const EVENTS: &str = "forgetting.events";

impl Forgetting {
    /// A tracker of examples 0 to n − 1, none of them seen.
    #[must_use]
    pub fn new(n_examples: usize) -> Self {
        Self { phase: vec![Phase::Unseen; n_examples], events: vec![0; n_examples] }
    }

    /// Records one presentation.
    ///
    /// # Panics
    /// If `id` is not below n.
    pub fn observe(&mut self, id: ExampleId, correct: bool) {
        let phase = &mut self.phase[id.index()];
        if *phase == Phase::Learned && !correct {
            self.events[id.index()] += 1;
        }
        *phase = phase.next(correct);
    }

    /// Adds examples, unseen, until there are n.
    pub(crate) fn grow(&mut self, examples: usize) {
        self.phase.resize(examples, Phase::Unseen);
        self.events.resize(examples, 0);
    }

    /// Events of each example: n counts, 0 for a never-learned example, NaN for an unseen one;
    /// higher is harder.
    #[must_use]
    pub fn events(&self) -> Vec<f32> {
        self.column(|phase, events| if phase == Phase::Unseen { f32::NAN } else { events as f32 })
    }

    /// 1 for each example that was seen and never correct, 0 for one that was correct at least
    /// once, NaN for an unseen one; higher is harder.
    #[must_use]
    pub fn never_learned(&self) -> Vec<f32> {
        self.column(|phase, _| match phase {
            Phase::Unseen => f32::NAN,
            Phase::NeverLearned => 1.0,
            Phase::Learned | Phase::Forgotten => 0.0,
        })
    }

    fn column(&self, value: impl Fn(Phase, u32) -> f32) -> Vec<f32> {
        let pairs = self.phase.iter().zip(&self.events);
        pairs.map(|(&phase, &events)| value(phase, events)).collect()
    }

    /// The whole state as named columns of n values; all are small integers, exact in `f64`.
    #[must_use]
    pub fn state(&self) -> Vec<(&'static str, Vec<f64>)> {
        let phase = self.phase.iter().map(|phase| phase.code()).collect();
        let events = self.events.iter().map(|&events| f64::from(events)).collect();
        vec![(PHASE, phase), (EVENTS, events)]
    }

    /// The tracker that wrote `state`.
    ///
    /// # Errors
    /// A column that is missing, has another length than n, or holds an impossible value.
    pub fn from_state(
        n_examples: usize,
        column: impl Fn(&str) -> Option<Vec<f64>>,
    ) -> Result<Self, ScoreError> {
        let phase = crate::checks::state_column(PHASE, n_examples, &column, Phase::from_code)?;
        let events =
            crate::checks::state_column(EVENTS, n_examples, &column, crate::checks::count)?;
        Ok(Self { phase, events })
    }
}
