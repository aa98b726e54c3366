//! What the losses of one example were like over training, from one loss a presentation.
//!
//! Over the T presentations of an example, with loss ℓ(t):
//!
//! * **mean** μ = (1/T) Σ ℓ and **standard deviation** `sqrt( (1/T) Σ (ℓ − μ)² )` (population), by
//!   Welford's update;
//! * **drop**, ℓ of the first presentation minus ℓ of the last;
//! * **learned at**: the first epoch from which on every ℓ was at or below a threshold, after the iteration
//!   learned of Baldock, Maennel, Neyshabur 2021 (arXiv 2106.09647), which goes by predictions;
//! * **forgetting**: how often ℓ went from at or below the median of its epoch to above the median of the
//!   next epoch that has the example, after the events of Toneva et al. 2019 (arXiv 1812.05159), which go by
//!   predictions. The median is that of all losses of the epoch, the lower of two in the middle: no loss lies
//!   between the two, so that their mean would say the same.

use fixedbitset::FixedBitSet;

use crate::ScoreKind;

/// What is kept of one example.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LossTrack {
    pub(crate) mean: f64,
    /// Sum of squared deviations from the mean.
    pub(crate) squares: f64,
    pub(crate) first: f32,
    pub(crate) last: f32,
    pub(crate) presentations: u32,
    /// The epoch since which every loss is at or below the threshold; 0 where the last was not.
    pub(crate) learned: u32,
    pub(crate) forgotten: u32,
    /// Whether the last loss was at or below the median of its epoch.
    pub(crate) low: bool,
}

/// What losses of an epoch are compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bars {
    /// The epoch, from 1.
    pub(crate) epoch: u32,
    /// Median of its losses.
    pub(crate) median: f32,
    /// Loss down to which an example is learned; infinite where nobody says.
    pub(crate) threshold: f32,
}

impl LossTrack {
    /// Before the first presentation.
    pub(crate) const NEW: Self = Self {
        mean: 0.0,
        squares: 0.0,
        first: 0.0,
        last: 0.0,
        presentations: 0,
        learned: 0,
        forgotten: 0,
        low: false,
    };

    /// One more presentation.
    fn present(&mut self, loss: f32, bars: Bars) {
        let value = f64::from(loss);
        self.presentations += 1;
        let distance = value - self.mean;
        self.mean += distance / f64::from(self.presentations);
        self.squares += distance * (value - self.mean);
        if self.presentations == 1 {
            self.first = loss;
        }
        self.last = loss;
        if loss > bars.threshold {
            self.learned = 0;
        } else if self.learned == 0 {
            self.learned = bars.epoch;
        }
        let low = loss <= bars.median;
        self.forgotten += u32::from(self.low && !low);
        self.low = low;
    }

    /// A score over the epochs so far; `None` for a score of another source. NaN before the first
    /// presentation.
    pub(crate) fn value(&self, kind: ScoreKind, epochs: u32) -> Option<f32> {
        let value = match kind {
            ScoreKind::MeanLoss => self.mean,
            ScoreKind::LossStd => (self.squares / f64::from(self.presentations)).sqrt(),
            ScoreKind::LossDrop => f64::from(self.first) - f64::from(self.last),
            ScoreKind::LearnedAt if self.learned == 0 => f64::from(epochs) + 1.0,
            ScoreKind::LearnedAt => f64::from(self.learned),
            ScoreKind::LossForgetting => f64::from(self.forgotten),
            _ => return None,
        };
        Some(if self.presentations == 0 { f32::NAN } else { value as f32 })
    }
}

/// The losses of the examples that were seen in one finished epoch, in the order of ids.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LossEpoch {
    pub(crate) seen: FixedBitSet,
    pub(crate) losses: Vec<f32>,
}

impl LossEpoch {
    /// Adds what another rank saw; where both saw an example, this rank's loss stands.
    pub(crate) fn join(&mut self, other: &Self) {
        let mut seen = self.seen.clone();
        seen.union_with(&other.seen);
        let (mut mine, mut theirs) = (self.losses.iter(), other.losses.iter());
        let mut losses = Vec::with_capacity(seen.count_ones(..));
        for index in seen.ones() {
            let own = self.seen.contains(index).then(|| mine.next()).flatten();
            let others = other.seen.contains(index).then(|| theirs.next()).flatten();
            losses.extend(own.or(others));
        }
        (self.seen, self.losses) = (seen, losses);
    }
}

/// The median of some losses, the lower of two in the middle; NaN of none.
fn median(losses: &[f32], room: &mut Vec<f32>) -> f32 {
    room.clear();
    room.extend_from_slice(losses);
    let Some(last) = room.len().checked_sub(1) else { return f32::NAN };
    *room.select_nth_unstable_by(last / 2, f32::total_cmp).1
}

/// Ends an epoch of which these losses were seen.
pub(crate) fn advance(
    tracks: &mut [LossTrack],
    epoch: u32,
    seen: &LossEpoch,
    threshold: Option<f32>,
    room: &mut Vec<f32>,
) {
    let median = median(&seen.losses, room);
    let bars = Bars { epoch, median, threshold: threshold.unwrap_or(f32::INFINITY) };
    for (index, &loss) in seen.seen.ones().zip(&seen.losses) {
        tracks[index].present(loss, bars);
    }
}
