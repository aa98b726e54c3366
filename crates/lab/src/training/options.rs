//! How networks are trained, as typed on the command line or in a TOML file; nothing is resolved
//! here.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::defaults_to::DefaultsTo;

/// Options of a training. Those left out have the defaults of the data set or the network.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TrainingOptions {
    /// Data set, as `datadiet data list` names it.
    #[arg(long, value_name = "NAME")]
    pub data: Option<String>,
    /// Labels to use instead of the data set's: a file of `datadiet noise`, or .npy, .json, .txt
    /// with one class number for each training example.
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
    /// resnet8, resnet14, resnet20, resnet18, resnet50, simple-cnn or mlp.
    #[arg(long, defaults_to = Self::MODEL)]
    pub model: Option<String>,
    /// Channels of the network's first stage [default: the model's own, 16 for resnet8].
    #[arg(long)]
    pub width: Option<u32>,
    /// Length of the training schedule, in epochs of the whole training set.
    #[arg(long, defaults_to = Self::EPOCHS)]
    pub epochs: Option<f64>,
    /// Examples in a minibatch.
    #[arg(long, defaults_to = Self::BATCH)]
    pub batch: Option<u32>,
    /// Highest learning rate.
    #[arg(long, defaults_to = Self::LR)]
    pub lr: Option<f64>,
    /// Shape of the learning rate.
    #[arg(long, value_enum, defaults_to = "linear")]
    pub schedule: Option<ScheduleKind>,
    /// Epochs of rising learning rate, for `linear` [default: a tenth of the epochs].
    #[arg(long, value_name = "EPOCHS")]
    pub warm_up: Option<f64>,
    /// Momentum, Nesterov's.
    #[arg(long, defaults_to = Self::MOMENTUM)]
    pub momentum: Option<f64>,
    /// L2 penalty on all parameters.
    #[arg(long, defaults_to = Self::WEIGHT_DECAY)]
    pub weight_decay: Option<f64>,
    /// Border of the random crop in pixels, 0 for none [default: an eighth of the side, at most 4].
    #[arg(long, value_name = "PIXELS")]
    pub crop_padding: Option<u32>,
    /// Mirror half of the training images.
    #[arg(
            long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
            defaults_to = Self::FLIP,
        )]
    pub flip: Option<bool>,
    /// Arithmetic [default: auto: bf16 where the processor or GPU has it, else f32].
    #[arg(long, value_enum)]
    pub precision: Option<PrecisionChoice>,
    /// cpu or cuda.
    #[arg(long, value_enum, defaults_to = "cpu")]
    pub device: Option<DeviceChoice>,
    /// GPUs to spread trainings over, with --device cuda.
    #[arg(long, defaults_to = 1)]
    pub gpus: Option<u32>,
    /// Trainings at a time, a process each [default: one a core, or one a GPU].
    #[arg(long)]
    pub workers: Option<u32>,
    /// Threads of a worker; one is fastest when there are trainings enough.
    #[arg(long, defaults_to = 1)]
    pub threads: Option<u32>,
    /// Memory for the gradients of GraNd, MiB a worker [default: half the machine's, shared out].
    #[arg(long, value_name = "MIB")]
    pub memory: Option<u64>,
    /// Seed from which all random streams derive.
    #[arg(long, defaults_to = 0)]
    pub seed: Option<u64>,
    /// Only the first so many training examples, for a quick trial.
    #[arg(long, value_name = "N")]
    pub limit: Option<u32>,
}

impl TrainingOptions {
    /// The network where none is named.
    pub const MODEL: &str = "resnet8";
    /// Epochs of the schedule where no number is given.
    pub const EPOCHS: f64 = 4.0;
    /// Examples in a minibatch where no number is given.
    pub const BATCH: u32 = 128;
    /// Highest learning rate where none is given.
    pub const LR: f64 = 0.1;
    /// Momentum where none is given.
    pub const MOMENTUM: f64 = 0.9;
    /// L2 penalty where none is given.
    pub const WEIGHT_DECAY: f64 = 5e-4;
    /// Whether images are mirrored where nothing is said.
    pub const FLIP: bool = true;

    /// Name of the network.
    pub fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(Self::MODEL)
    }

    /// Length of the schedule in epochs.
    pub fn epochs(&self) -> f64 {
        self.epochs.unwrap_or(Self::EPOCHS)
    }
}

/// Shapes of the learning rate.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Linear warm-up, then linear decay to 0.
    Linear,
    /// The paper's: × 0.2 at 30 %, 60 % and 80 % of the epochs.
    Paper,
}

/// Precisions to choose from.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrecisionChoice {
    /// bf16 where the hardware has it.
    Auto,
    /// 32-bit floats.
    F32,
    /// bfloat16 activations, 32-bit master weights.
    Bf16,
}

/// Devices to choose from.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceChoice {
    /// The processor.
    Cpu,
    /// NVIDIA GPUs.
    Cuda,
}
