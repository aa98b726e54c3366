//! The complete description of one training.
//!
//! Whatever changes a result is a field here; whatever does not (where the store is, how progress
//! is drawn, how often a checkpoint is written) is not.

use datadiet_core::ScoreKind;
use datadiet_table::DataRef;
use serde::{Deserialize, Serialize};

use crate::written::Written;
use crate::{ListRef, RunId, TrainerSpec};

/// One training, described completely.
///
/// Where a program of the user's trains ([`RunSpec::trainer`]), `network`, `schedule` but for its steps,
/// `augmentation`, `views`, `precision`, `device` and `threads` say nothing, and are not written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
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
    pub validation: Option<ListRef>,
    /// The program that trains; none for one of our own networks.
    pub trainer: Option<TrainerSpec>,
    /// The network.
    pub network: NetworkSpec,
    /// Optimiser, steps and learning rate.
    pub schedule: Schedule,
    /// Random changes of the training images.
    pub augmentation: Augmentation,
    /// What the network is shown of an image when it is tested; scores are of the image as it is.
    pub views: Views,
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

    /// A run of a program on all examples, which records nothing but how well it did: it passes so many
    /// training examples through training, with repetition. A step is one of them.
    pub fn of_program(
        trainer: TrainerSpec,
        (data, labels): (DataRef, Labels),
        presentations: u64,
        seed: u64,
    ) -> Self {
        let unused = LearningRate::Milestones { base: 0.0, factor: 1.0, milestones: Vec::new() };
        Self {
            semantics: Self::SEMANTICS,
            data,
            labels,
            subset: Subset::Full,
            validation: None,
            network: NetworkSpec::new(trainer.name.clone(), 0),
            trainer: Some(trainer),
            schedule: Schedule::plain((presentations, 1), unused, 0.0, 0.0),
            augmentation: Augmentation { crop_padding: 0, flip: Flip::Never },
            views: Views::Plain,
            precision: Precision::F32,
            device: DeviceKind::Cpu,
            threads: 1,
            seed,
            replica: 0,
            stop_after: presentations,
            record: Recording::default(),
            spawn: None,
        }
    }

    /// Epochs that a program trains for so many presentations of `examples` examples: whole ones, one at
    /// least.
    pub fn whole_epochs(presentations: u64, examples: usize) -> u64 {
        ((presentations as f64 / examples.max(1) as f64).round() as u64).max(1)
    }

    /// What is trained, in words: a network and its width, or the name of a program.
    pub fn trained(&self) -> String {
        match &self.trainer {
            Some(trainer) => trainer.name.clone(),
            None => format!("{} of width {}", self.network.name, self.network.width),
        }
    }

    /// A name for files: that of the network, or of the program.
    pub fn file_name(&self) -> String {
        let Some(trainer) = &self.trainer else { return self.network.name.clone() };
        let kept = |c: char| if c.is_ascii_alphanumeric() || "._".contains(c) { c } else { '-' };
        trainer.name.chars().map(kept).collect()
    }

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
    /// Its nonlinearity, where it is not the network's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

impl NetworkSpec {
    /// A network with the nonlinearity of its own.
    pub fn new(name: impl Into<String>, width: u32) -> Self {
        Self { name: name.into(), width, activation: None }
    }
}

/// A nonlinearity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x·Φ(x)`, Φ the standard normal distribution function (Hendrycks and Gimpel 2016), not the
    /// approximation by tanh.
    Gelu,
    /// `x / (1 + exp(−x))`, also called swish (Elfwing et al. 2018).
    Silu,
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
    /// L2 penalty on all parameters, batch-norm scales and biases too; not on those of Muon.
    pub weight_decay: f64,
    /// Factor on the learning rate of biases and of batch-norm scales and shifts. Their penalty is
    /// divided by it, so that a step takes the same part off all parameters.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub bias_rate: f64,
    /// Filters of convolutions descend by Muon instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muon: Option<Muon>,
    /// Weights are drawn back to their own past.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookahead: Option<Lookahead>,
    /// The part of each label that training spreads over all classes, in [0, 1). Scores are of the
    /// labels as they are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub label_smoothing: f64,
    /// Examples that pass through the network at a time; none: the whole minibatch. Batch norm takes
    /// the statistics of each such part for itself; gradients and running statistics are the means
    /// over the parts, whatever the number of threads that share them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<u32>,
    /// The bias of a whitened first layer trains for so many steps and then stays; none: to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whitening_steps: Option<u64>,
}

impl Schedule {
    /// Stochastic gradient descent on minibatches as they are and the labels as they are.
    pub fn plain(
        (steps, batch): (u64, u32),
        learning_rate: LearningRate,
        momentum: f64,
        weight_decay: f64,
    ) -> Self {
        Self {
            steps,
            batch,
            learning_rate,
            momentum,
            nesterov: momentum > 0.0,
            weight_decay,
            bias_rate: 1.0,
            muon: None,
            lookahead: None,
            label_smoothing: 0.0,
            micro_batch: None,
            whitening_steps: None,
        }
    }
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Descent by orthogonalised momentum, for filters (Jordan et al. 2024, as in `airbench94_muon`).
///
/// A filter bank W (C_out × C_in·k·k) is first scaled to the norm √C_out; then
/// `W −= rate · orthogonal(G + momentum·B)` with B the momentum, `B = momentum·B + G`, and three
/// Newton–Schulz iterations for the nearest half-orthogonal matrix. It has no L2 penalty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Muon {
    /// Length of a step where the learning rate is at its highest; it follows the same schedule.
    pub rate: f64,
    /// Momentum, Nesterov's.
    pub momentum: f64,
}

/// Every few steps the weights and running statistics become their own moving average (Zhang et al.
/// 2019, with the rising decay of Jordan 2024): after step t of T that `every` divides,
/// `slow = d·slow + (1 − d)·fast` with `d = decay^every · (t/T)³`, and `fast = slow`; after the last
/// step `fast = slow`. Scores and accuracies are of the slow weights, as training would give them if
/// it ended there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookahead {
    /// Steps between two averages.
    pub every: u64,
    /// Decay a step, at the end of training, in [0, 1).
    pub decay: f64,
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
    /// The highest rate.
    pub fn peak(&self) -> f64 {
        match self {
            Self::Milestones { base: peak, .. } | Self::WarmUpLinear { peak, .. } => *peak,
        }
    }

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
    /// Whether images are mirrored, left to right.
    pub flip: Flip,
}

/// When a training image is mirrored. Written as `false`, `true` and `"alternating"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "FlipForm", into = "FlipForm")]
pub enum Flip {
    /// Never.
    Never,
    /// Half of the images, drawn anew each time.
    Random,
    /// Half of the images, drawn once, in the first epoch; in every further one the other half of what
    /// was mirrored in the one before (Jordan 2024): two epochs show each image both ways.
    Alternating,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum FlipForm {
    Flag(bool),
    Word(String),
}

impl From<Flip> for FlipForm {
    fn from(flip: Flip) -> Self {
        match flip {
            Flip::Never => Self::Flag(false),
            Flip::Random => Self::Flag(true),
            Flip::Alternating => Self::Word("alternating".into()),
        }
    }
}

impl TryFrom<FlipForm> for Flip {
    type Error = String;

    fn try_from(form: FlipForm) -> Result<Self, String> {
        match form {
            FlipForm::Flag(false) => Ok(Self::Never),
            FlipForm::Flag(true) => Ok(Self::Random),
            FlipForm::Word(word) if word == "alternating" => Ok(Self::Alternating),
            FlipForm::Word(word) => {
                Err(format!("flip is true, false or \"alternating\", not {word:?}"))
            }
        }
    }
}

/// What a network is shown of an image when it is tested; its logits are averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Views {
    /// The image.
    #[default]
    Plain,
    /// The image and its mirror image.
    Mirrored,
    /// Half of the weight on these two, half on the same two shifted by one pixel up and left, and
    /// down and right, from a reflected border (Jordan 2024): the rules of CIFAR-10's speed records.
    MirroredShifted,
}

impl Views {
    /// Whether it is the image alone.
    pub fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
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

    #[test]
    fn what_is_as_it_always_was_is_not_written() {
        let rate = LearningRate::WarmUpLinear { peak: 0.1, warm_up: 0 };
        let schedule = Schedule::plain((10, 4), rate, 0.9, 0.0);
        let text = serde_json::to_string(&schedule).unwrap();
        assert!(text.ends_with(r#""momentum":0.9,"nesterov":true,"weight_decay":0.0}"#), "{text}");
        assert_eq!(serde_json::from_str::<Schedule>(&text).unwrap(), schedule);
        let network = serde_json::to_string(&NetworkSpec::new("resnet8", 16)).unwrap();
        assert_eq!(network, r#"{"name":"resnet8","width":16}"#);
    }

    #[test]
    fn flips_are_written_as_they_were_and_read_back() {
        let forms = [
            (Flip::Never, "false"),
            (Flip::Random, "true"),
            (Flip::Alternating, r#""alternating""#),
        ];
        for (flip, text) in forms {
            assert_eq!(serde_json::to_string(&flip).unwrap(), text);
            assert_eq!(serde_json::from_str::<Flip>(text).unwrap(), flip);
        }
        assert!(serde_json::from_str::<Flip>(r#""sometimes""#).is_err());
    }
}
