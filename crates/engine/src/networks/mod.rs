//! Builds the networks of the catalogue ([`datadiet_store::catalogue`]).
//!
//! Filters start as He normal (fan-out), fully connected layers as PyTorch's default, batch-norm
//! scales as 1: torchvision's choice. `airbench` has its own.

mod airbench;
mod builder;
mod mlp;
mod resnet;
mod simple_cnn;

use datadiet_store::NetworkSpec;
use datadiet_store::catalogue::{Architecture, NetworkError};

use crate::network::Network;
use crate::parameters::Parameters;
use builder::Builder;

/// Shape of the images and number of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Channels of an image.
    pub channels: i64,
    /// Rows of an image.
    pub height: i64,
    /// Columns of an image.
    pub width: i64,
    /// Classes.
    pub classes: i64,
}

/// Builds a network with freshly initialised parameters on the processor, from libtorch's generator
/// seeded with `seed`: the same seed gives the same network on every device.
///
/// # Errors
/// See [`NetworkSpec::check`].
pub fn build(
    spec: &NetworkSpec,
    task: Task,
    seed: i64,
) -> Result<(Network, Parameters), NetworkError> {
    let entry = spec.check(task.height as usize, task.width as usize)?;
    let build: fn(&mut Builder, Task, i64) -> Network = match entry.architecture {
        Architecture::ResNet8 => resnet::resnet8,
        Architecture::ResNet14 => resnet::resnet14,
        Architecture::ResNet20 => resnet::resnet20,
        Architecture::ResNet18 => resnet::resnet18,
        Architecture::ResNet50 => resnet::resnet50,
        Architecture::SimpleCnn => simple_cnn::build,
        Architecture::Mlp => mlp::build,
        Architecture::Airbench => airbench::build,
    };
    tch::manual_seed(seed);
    let mut builder = Builder { activation: spec.activation, ..Builder::default() };
    let network = build(&mut builder, task, i64::from(spec.width));
    Ok((network, builder.parameters))
}
