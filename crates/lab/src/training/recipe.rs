//! Recipes: sets of values for the options of a training, for where an option is not given. All of
//! them stand in the specification of a run; the name of the recipe does not.
//!
//! `speedrun` is `airbench94_muon` of Jordan's cifar10-airbench, in terms of our mean loss. There the
//! loss is summed over the batch, which multiplies gradients, and so the rates of whatever is not
//! orthogonalised, by the batch: 0.67·B for the head, 0.053·B for the biases. The head's logits are
//! divided by the number F of its features, 256 there. A step of the head changes the logits by its
//! rate times sums of F products of features, divided by F twice: at another width the same step of the
//! function takes the rate times F / 256. The decay is a product with the rate there, 2·10⁻⁶·B a step.

use clap::ValueEnum;
use datadiet_store::{Flip, Muon, Views};
use serde::{Deserialize, Serialize};

use super::options::ScheduleKind;

/// A set of values for the options of a training.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// For small residual networks: resnet8, 4 epochs of 128, lr 0.1 after a rise of a tenth, random
    /// flip.
    Classic,
    /// Paul et al. 2021: resnet18, 200 epochs of 128, lr 0.1, × 0.2 at 30, 60 and 80 %.
    Paper,
    /// Jordan 2024, airbench94_muon: airbench, 8 epochs of up to 2000, Muon, label smoothing,
    /// alternating flip, tested on mirrored and shifted images; --width 0.25x for processors.
    Speedrun,
}

/// The values of a recipe that do not follow from others, for one training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Values {
    pub lr: f64,
    pub shape: ScheduleKind,
    /// Steps of rising learning rate are one in so many; none for no rise.
    pub warm_up_part: Option<u64>,
    pub momentum: f64,
    pub weight_decay: f64,
    pub bias_rate: f64,
    pub muon: Option<Muon>,
    pub label_smoothing: f64,
    /// A minibatch passes in so many parts.
    pub passes: u32,
    /// The part of the training in which the bias of a whitened layer trains.
    pub whitening: Option<f64>,
    pub crop_padding: u32,
    pub flip: Flip,
    pub views: Views,
}

impl Recipe {
    /// The recipe of a network where none is named.
    pub fn of_model(model: &str) -> Self {
        if model == Self::Speedrun.model() { Self::Speedrun } else { Self::Classic }
    }

    /// Its name in commands and files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Paper => "paper",
            Self::Speedrun => "speedrun",
        }
    }

    /// Its network.
    pub const fn model(self) -> &'static str {
        match self {
            Self::Classic => "resnet8",
            Self::Paper => "resnet18",
            Self::Speedrun => "airbench",
        }
    }

    /// Its length in epochs.
    pub const fn epochs(self) -> f64 {
        match self {
            Self::Classic => 4.0,
            Self::Paper => 200.0,
            Self::Speedrun => 8.0,
        }
    }

    /// Examples in a minibatch, for a training set of so many.
    pub fn batch(self, examples: usize) -> u32 {
        match self {
            Self::Classic | Self::Paper => 128,
            // 25 steps an epoch as with 2,000 of 50,000; a multiple of four, as it passes in four parts.
            Self::Speedrun => ((examples / 25) as u32).clamp(32, 2000) / 4 * 4,
        }
    }

    /// Its values for minibatches of `batch`, a network `width` channels wide, and images whose
    /// shorter side is so many pixels long.
    pub(super) fn values(self, batch: u32, width: u32, side: u32) -> Values {
        let classic = Values {
            lr: 0.1,
            shape: ScheduleKind::Linear,
            warm_up_part: Some(10),
            momentum: 0.9,
            weight_decay: 5e-4,
            bias_rate: 1.0,
            muon: None,
            label_smoothing: 0.0,
            passes: 1,
            whitening: None,
            crop_padding: (side / 8).min(4),
            flip: Flip::Random,
            views: Views::Plain,
        };
        match self {
            Self::Classic => classic,
            Self::Paper => Values { shape: ScheduleKind::Paper, crop_padding: 4, ..classic },
            Self::Speedrun => {
                let (batch, features) = (f64::from(batch), 4.0 * f64::from(width));
                let lr = 0.67 * batch * features / 256.0;
                Values {
                    lr,
                    shape: ScheduleKind::Linear,
                    warm_up_part: None,
                    momentum: 0.85,
                    weight_decay: 2e-6 * batch / lr,
                    bias_rate: 0.053 * batch / lr,
                    muon: Some(Muon { rate: 0.24, momentum: Self::MUON_MOMENTUM }),
                    label_smoothing: 0.2,
                    passes: if batch >= 1000.0 { 4 } else { 1 },
                    whitening: Some(3.0 / 8.0),
                    crop_padding: (side / 8).min(2),
                    flip: Flip::Alternating,
                    views: Views::MirroredShifted,
                }
            }
        }
    }

    /// Momentum of Muon where none is given.
    pub const MUON_MOMENTUM: f64 = 0.6;

    /// Decay of the lookahead where none is given.
    pub const LOOKAHEAD_DECAY: f64 = 0.95;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_speedrun_has_the_values_of_airbench94_muon() {
        // With the loss summed over 2,000: head 0.67, biases 0.053, decay 2e-6 · 2000 over the rate.
        let values = Recipe::Speedrun.values(2000, 64, 32);
        assert!((values.lr / 2000.0 - 0.67).abs() < 1e-12);
        assert!((values.lr * values.bias_rate / 2000.0 - 0.053).abs() < 1e-12);
        assert!((values.lr * values.weight_decay - 0.004).abs() < 1e-15);
        assert_eq!(values.crop_padding, 2);
        assert_eq!(values.passes, 4);
        // A quarter of the width: a quarter of the features, and biases and decay as they were.
        let narrow = Recipe::Speedrun.values(2000, 16, 32);
        assert!((narrow.lr - values.lr / 4.0).abs() < 1e-9);
        assert!((narrow.lr * narrow.bias_rate - 106.0).abs() < 1e-9);
        assert!((narrow.lr * narrow.weight_decay - 0.004).abs() < 1e-15);
    }

    #[test]
    fn the_batch_of_the_speedrun_leaves_25_steps_an_epoch() {
        for (examples, batch) in
            [(50_000, 2000), (60_000, 2000), (30_000, 1200), (27_777, 1108), (1000, 40), (10, 32)]
        {
            assert_eq!(Recipe::Speedrun.batch(examples), batch);
        }
        assert_eq!(Recipe::Speedrun.values(40, 64, 28).passes, 1);
    }
}
