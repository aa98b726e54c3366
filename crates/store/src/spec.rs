//! The complete description of one training.
//!
//! Whatever changes a result is a field here; whatever does not (where the store is, how progress
//! is drawn, how often a checkpoint is written) is not.

use datadiet_core::ScoreKind;
use datadiet_table::DataRef;
use serde::{Deserialize, Serialize};

use crate::{ListRef, RunId};

/// One training, described completely.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// Raised when the program changes what the same specification gives.
    pub semantics: u32,
    /// The data set.
    pub data: DataRef,
    /// The labels trained on.
    pub labels: Labels,
    /// The training examples used.
    pub subset: Subset,
    /// Training examples that are held out to judge the trained network; they belong to no subset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<ListRef>,
    /// The network.
    pub network: NetworkSpec,
    /// Optimiser, steps and learning rate.
    pub schedule: Schedule,
    /// Random changes of the training images.
    pub augmentation: Augmentation,
    /// Arithmetic.
    pub precision: Precision,
    /// What kind of device computes: results differ in the last bits.
    pub device: DeviceKind,
    /// Threads of a worker: sums are split by thread, so results differ in the last bits.
    pub threads: u32,
    /// Seed from which, with the replica, all random streams derive.
    pub seed: u64,
    /// Which of the independent trainings this is.
    pub replica: u32,
    /// Training stops after so many steps, at most `schedule.steps`: scores of early training need
    /// the schedule of the whole training, but not its end.
    pub stop_after: u64,
    /// What is recorded, and when.
    pub record: Recording,
    /// Where this run leaves another one; none for a run from initialisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spawn: Option<Spawn>,
}

/// A child: it is its parent up to a step, and goes on from the parent's weights and momentum with
/// data order and augmentation of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// The parent, which trained by the same specification and kept its weights at that step.
    pub parent: RunId,
    /// Steps that both share.
    pub step: u64,
    /// Which of the parent's children; each has random streams of its own.
    pub child: u32,
}

impl RunSpec {
    /// The current meaning of specifications.
    ///
    /// 1 took the scores of a pass and the training dynamics in 64-bit floats. 2 takes them as `ingest`
    /// and Python do, by the kernels of `datadiet-core`, to the same bits: they differ from 1 by at
    /// most 10⁻⁶ of the larger of 1 and themselves.
    pub const SEMANTICS: u32 = 2;

    /// Steps that this run trains itself: a child leaves the steps before it to its parent.
    pub fn own_steps(&self) -> u64 {
        self.stop_after - self.spawn.as_ref().map_or(0, |spawn| spawn.step)
    }

    /// The same training, whatever is recorded of it and wherever it begins and stops.
    pub fn trains_like(&self, other: &Self) -> bool {
        let plain = |spec: &Self| Self {
            record: Recording::default(),
            spawn: None,
            stop_after: 0,
            ..spec.clone()
        };
        plain(self) == plain(other)
    }

    /// Steps in one epoch over `examples` examples: incomplete batches are dropped.
    pub fn steps_per_epoch(&self, examples: usize) -> u64 {
        (examples as u64 / u64::from(self.schedule.batch)).max(1)
    }
}

/// The labels trained on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Labels {
    /// As they are in the data set.
    Original,
    /// Others, one for each training example.
    Listed(ListRef),
}

/// The training examples used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Subset {
    /// All of them.
    Full,
    /// Some of them.
    Listed(ListRef),
}

impl Subset {
    /// How many of `all` examples.
    pub fn size(&self, all: usize) -> usize {
        match self {
            Self::Full => all,
            Self::Listed(list) => list.length as usize,
        }
    }
}

/// A network of the zoo.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSpec {
    /// Its name, such as `resnet8`.
    pub name: String,
    /// Channels of its first stage (units of a hidden layer for `mlp`).
    pub width: u32,
}

/// Stochastic gradient descent: how long, how fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Number of steps of the whole schedule, fixed whatever the size of the subset.
    pub steps: u64,
    /// Examples in a minibatch; the incomplete last batch of an epoch is dropped.
    pub batch: u32,
    /// The learning rate over time.
    pub learning_rate: LearningRate,
    /// Momentum.
    pub momentum: f64,
    /// Nesterov's form of momentum.
    pub nesterov: bool,
    /// L2 penalty on all parameters, batch-norm scales and biases too.
    pub weight_decay: f64,
}

/// The learning rate as a function of the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum LearningRate {
    /// `base × factor^(number of milestones passed)`; the paper's, milestones in steps.
    Milestones {
        /// Rate before the first milestone.
        base: f64,
        /// Factor at each milestone.
        factor: f64,
        /// Steps, ascending.
        milestones: Vec<u64>,
    },
    /// Rises linearly to `peak` over `warm_up` steps, then falls linearly to 0 at the end.
    WarmUpLinear {
        /// The highest rate.
        peak: f64,
        /// Steps of the rise.
        warm_up: u64,
    },
}

impl LearningRate {
    /// The rate used by step `step` (0-based) of `total`.
    pub fn at(&self, step: u64, total: u64) -> f64 {
        match self {
            Self::Milestones { base, factor, milestones } => {
                let passed = milestones.iter().filter(|&&at| step >= at).count();
                base * factor.powi(passed as i32)
            }
            Self::WarmUpLinear { peak, warm_up } if step < *warm_up => {
                peak * (step + 1) as f64 / *warm_up as f64
            }
            Self::WarmUpLinear { peak, warm_up } => {
                peak * (total - step) as f64 / (total - warm_up) as f64
            }
        }
    }
}

/// Random changes of a training image, drawn again each time it is seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Pixels of reflected border before a random crop back to size; 0 for no crop.
    pub crop_padding: u32,
    /// Mirror half of the images, left to right.
    pub flip: bool,
}

/// Arithmetic of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats throughout.
    F32,
    /// Convolutions, matrix products and activations in bfloat16; loss, batch-norm statistics and
    /// master weights in 32-bit floats.
    Bf16,
}

/// The kind of device that computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// An NVIDIA GPU; which one is a matter of scheduling, not of the specification.
    Cuda,
}

/// What a run records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Scores to take.
    pub scores: Vec<ScoreKind>,
    /// When, in steps done, ascending and distinct; 0 is the initialisation.
    pub steps: Vec<u64>,
    /// Those of these steps at which scores of gradients and inputs are taken too.
    pub gradient_steps: Vec<u64>,
    /// When weights and momentum are kept, in steps done, ascending and distinct.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warm_up_rises_then_falls_to_nothing() {
        let rate = LearningRate::WarmUpLinear { peak: 0.1, warm_up: 10 };
        assert!((rate.at(0, 100) - 0.01).abs() < 1e-12);
        assert!((rate.at(9, 100) - 0.1).abs() < 1e-12);
        assert!((rate.at(10, 100) - 0.1).abs() < 1e-12);
        assert!((rate.at(99, 100) - 0.1 / 90.0).abs() < 1e-12);
    }

    #[test]
    fn milestones_of_the_paper() {
        let milestones = vec![23_400, 46_800, 62_400];
        let rate = LearningRate::Milestones { base: 0.1, factor: 0.2, milestones };
        assert_eq!(rate.at(23_399, 78_000), 0.1);
        assert!((rate.at(23_400, 78_000) - 0.02).abs() < 1e-12);
        assert!((rate.at(77_999, 78_000) - 0.0008).abs() < 1e-12);
    }
}
