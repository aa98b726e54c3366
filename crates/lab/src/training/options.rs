//! How networks are trained, as typed on the command line or in a TOML file; nothing is resolved
//! here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use datadiet_store::{Activation, Flip, Precision, Views};
use serde::{Deserialize, Serialize};

use super::given::{ACTIVATIONS, FLIPS, OrNone, VIEWS, Width, has_filters, has_whitening, one_of};
use super::program::ProgramOption;
use super::recipe::Recipe;
use crate::data::ExamplesOption;
use crate::defaults_to::DefaultsTo;

/// Options of a training. Those left out have the values of the recipe, the data set or the network.
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
    /// A program of your own that trains instead of one of our networks, such as 'python train.py'; it is
    /// given a folder with the job, see docs/TRAINERS.md.
    #[arg(long, value_name = "COMMAND")]
    pub trainer: Option<ProgramOption>,
    /// Examples that only your trainer can load: a file (.parquet, .csv, .npy, .json, .txt) with the label
    /// of each; `examples` in a file of options.
    // `--examples` is a number of examples elsewhere.
    #[arg(id = "train-examples", long = "train-examples", value_name = "FILE")]
    pub examples: Option<ExamplesOption>,
    /// What your trainer is told beside; in a file of options alone.
    #[arg(skip)]
    pub settings: Option<BTreeMap<String, serde_json::Value>>,
    /// Values for the options of the training that are not given [default: classic; speedrun for
    /// airbench].
    #[arg(long, value_enum)]
    pub recipe: Option<Recipe>,
    /// resnet8, resnet14, resnet20, resnet18, resnet50, simple-cnn, mlp or airbench [default: the
    /// recipe's].
    #[arg(long)]
    pub model: Option<String>,
    /// Channels of the network's first stage, such as 16, or a multiple of the model's own, such as
    /// 0.25x [default: the model's own, 16 for resnet8, 64 for airbench].
    #[arg(long, value_name = "WIDTH")]
    pub width: Option<Width>,
    /// Nonlinearity [default: the model's own, gelu for airbench, relu for the others].
    #[arg(long, value_parser = one_of(&ACTIVATIONS))]
    pub activation: Option<Activation>,
    /// Length of the training schedule, in epochs of the whole training set.
    #[arg(long, defaults_to = "classic 4, paper 200, speedrun 8")]
    pub epochs: Option<f64>,
    /// Examples in a minibatch.
    #[arg(long, defaults_to = "128; speedrun a 25th of the training set, 32 to 2000")]
    pub batch: Option<u32>,
    /// Highest learning rate, of the mean loss of a minibatch; with --muon of all but the filters
    /// [default: 0.1; speedrun 0.67 × batch × width / 64].
    #[arg(long)]
    pub lr: Option<f64>,
    /// Shape of the learning rate.
    #[arg(long, value_enum, defaults_to = "linear; paper in the recipe paper")]
    pub schedule: Option<ScheduleKind>,
    /// Epochs of rising learning rate, for `linear` [default: a tenth of the epochs; speedrun 0].
    #[arg(long, value_name = "EPOCHS")]
    pub warm_up: Option<f64>,
    /// Momentum, Nesterov's.
    #[arg(long, defaults_to = "0.9; speedrun 0.85")]
    pub momentum: Option<f64>,
    /// L2 penalty on all parameters but those of Muon.
    #[arg(long, defaults_to = "5e-4; speedrun such that a step takes 2e-6 × batch off")]
    pub weight_decay: Option<f64>,
    /// Factor on the learning rate of biases and of batch-norm scales and shifts; their penalty is
    /// divided by it.
    #[arg(
        long,
        value_name = "FACTOR",
        defaults_to = "1; speedrun such that theirs is 0.053 × batch"
    )]
    pub bias_rate: Option<f64>,
    /// Train the filters of convolutions by Muon, with steps of this length at the highest; `none`
    /// for like the rest.
    #[arg(long, value_name = "RATE", defaults_to = "none; speedrun 0.24")]
    pub muon: Option<OrNone<f64>>,
    /// Momentum of Muon.
    #[arg(long, value_name = "MOMENTUM", defaults_to = Recipe::MUON_MOMENTUM)]
    pub muon_momentum: Option<f64>,
    /// Draw the weights back to their moving average every so many steps, or `none`.
    #[arg(long, value_name = "STEPS", defaults_to = "none")]
    pub lookahead: Option<OrNone<u64>>,
    /// Decay of that average a step, at the end of training.
    #[arg(long, value_name = "DECAY", defaults_to = Recipe::LOOKAHEAD_DECAY)]
    pub lookahead_decay: Option<f64>,
    /// Part of each label that training spreads over all classes; scores are of the labels as they
    /// are.
    #[arg(long, value_name = "PART", defaults_to = "0; speedrun 0.2")]
    pub label_smoothing: Option<f64>,
    /// Examples that pass through the network at a time, `none` for the whole minibatch; batch norm
    /// takes its statistics of each such part.
    #[arg(
        long,
        value_name = "N",
        defaults_to = "none; speedrun a quarter of batches from 1000 on"
    )]
    pub micro_batch: Option<OrNone<u32>>,
    /// Epochs in which the bias of the whitened layer of airbench trains.
    #[arg(long, value_name = "EPOCHS", defaults_to = "all; speedrun 3/8 of them")]
    pub whitening_epochs: Option<f64>,
    /// Border of the random crop in pixels, 0 for none [default: an eighth of the side, at most 4;
    /// speedrun at most 2; paper 4].
    #[arg(long, value_name = "PIXELS")]
    pub crop_padding: Option<u32>,
    /// Mirror half of the training images: drawn anew each time, or `alternating`, a half in one
    /// epoch and the other half in the next; `--flip` alone is true.
    #[arg(
            long, num_args = 0..=1, require_equals = true, default_missing_value = "true",
            value_parser = one_of(&FLIPS), defaults_to = "true; speedrun alternating",
        )]
    pub flip: Option<Flip>,
    /// What a network sees of a test image: it; its mirror image too; both shifted by a pixel too.
    /// Scores are always of the image as it is.
    #[arg(long, value_parser = one_of(&VIEWS), defaults_to = "plain; speedrun mirrored-shifted")]
    pub views: Option<Views>,
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
    /// What `auto` is where trainings are carried out, if that is elsewhere; else this machine decides.
    #[arg(skip)]
    #[serde(skip)]
    pub auto: Option<Precision>,
}

impl TrainingOptions {
    /// The recipe that fills in what is not given.
    pub fn recipe(&self) -> Recipe {
        let of_model = || self.model.as_deref().map_or(Recipe::Classic, Recipe::of_model);
        self.recipe.unwrap_or_else(of_model)
    }

    /// Name of the network.
    pub fn model(&self) -> &str {
        self.model.as_deref().unwrap_or(self.recipe().model())
    }

    /// Length of the schedule in epochs.
    pub fn epochs(&self) -> f64 {
        self.epochs.unwrap_or(self.recipe().epochs())
    }

    /// Whether the arithmetic of the trainings depends on the processor that they meet.
    pub fn asks_processor(&self) -> bool {
        let auto = self.precision.unwrap_or(PrecisionChoice::Auto) == PrecisionChoice::Auto;
        auto && self.trainer.is_none() && self.device != Some(DeviceChoice::Cuda)
    }

    /// The same for another network by its recipe, `width` wide: without what was given for this
    /// network's recipe, where that is another, and for layers that the other network has not.
    #[must_use]
    pub(crate) fn with_network(&self, model: &str, width: Option<Width>, recipe: Recipe) -> Self {
        let mut options =
            Self { model: Some(model.into()), width, recipe: Some(recipe), ..self.clone() };
        let of_this_recipe = recipe == self.recipe();
        if !of_this_recipe {
            options.lr = None;
            options.warm_up = None;
            options.weight_decay = None;
            options.bias_rate = None;
            options.micro_batch = None;
        }
        if !of_this_recipe || !has_filters(model) {
            options.muon = None;
            options.muon_momentum = None;
        }
        if !of_this_recipe || !has_whitening(model) {
            options.whitening_epochs = None;
        }
        options
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
