//! What a tracker of training dynamics keeps beside its counts and means: some scores need more memory
//! than others, and who does not want them need not pay for them.

use crate::score_kind::ScoreKind;

/// What [`TrainingDynamics`](crate::TrainingDynamics) keep for the scores that need more than counts and
/// means. A score whose needs were not kept has no column.
///
/// ```
/// use datadiet_core::{Kept, ScoreKind, TrainingDynamics};
///
/// let kept = Kept::of(&[ScoreKind::Aum, ScoreKind::Dual]);
/// let dynamics = TrainingDynamics::keeping(4, kept);
/// assert!(dynamics.column(ScoreKind::Dual).is_some());
/// assert!(dynamics.column(ScoreKind::Tdds).is_none());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The last probabilities of the true class, for dynamic uncertainty and DUAL, and the sum of EL2N:
    /// 64 bytes an example.
    pub windows: bool,
    /// Sums and last values of all K probabilities, for the margin of the mean and TDDS: 12 bytes an
    /// example **and class**.
    pub classes: bool,
}

impl Kept {
    /// What every score needs.
    pub const ALL: Self = Self { windows: true, classes: true };

    /// Nothing beside counts and means: forgetting, AUM, cartography.
    pub const NONE: Self = Self { windows: false, classes: false };

    /// Examples times classes up to which what each class needs is kept where nobody says: 33 million,
    /// 512 MiB in a [`TrajectoryRecorder`](crate::TrajectoryRecorder).
    pub const MOST_NUMBERS: usize = 1 << 25;

    /// What these scores need.
    #[must_use]
    pub fn of(kinds: &[ScoreKind]) -> Self {
        let any = |wanted: &[ScoreKind]| kinds.iter().any(|kind| wanted.contains(kind));
        Self {
            windows: any(&[ScoreKind::Dual, ScoreKind::DynUnc, ScoreKind::MeanEl2n]),
            classes: any(&Self::OF_CLASSES),
        }
    }

    /// The scores that need numbers for each example and class.
    pub const OF_CLASSES: [ScoreKind; 2] = [ScoreKind::MarginOfMean, ScoreKind::Tdds];

    /// All that n examples of K classes have room for, by [`Self::MOST_NUMBERS`].
    #[must_use]
    pub fn within(examples: usize, classes: usize) -> Self {
        let numbers = examples.saturating_mul(classes);
        Self { classes: numbers <= Self::MOST_NUMBERS, ..Self::ALL }
    }
}
