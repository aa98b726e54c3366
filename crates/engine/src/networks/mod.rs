//! The zoo: the networks of the paper and affordable proxies.
//!
//! | name | what | width |
//! |---|---|---|
//! | `resnet18`, `resnet50` | He et al. 2015 with a low-resolution stem (3×3, stride 1, no max-pool); torchvision's v1.5 blocks and names | 64 |
//! | `resnet8`, `resnet14`, `resnet20` | three stages of 1, 2, 3 basic blocks, projection shortcuts | 16 |
//! | `simple-cnn` | pairs of 3×3 convolutions with bias, w, 2w, 4w channels, the second of each pair with stride 2; no batch norm | 32 |
//! | `mlp` | two hidden layers | 512 |
//!
//! Filters start as He normal (fan-out), fully connected layers as PyTorch's default, batch-norm
//! scales as 1: torchvision's choice.

mod builder;
mod mlp;
mod resnet;
mod simple_cnn;

use datadiet_store::NetworkSpec;

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

/// An entry of the zoo.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Name on the command line.
    pub name: &'static str,
    /// Width when none is given.
    pub default_width: u32,
    /// Smallest side of an image that leaves something after all strides.
    pub smallest_side: i64,
    build: fn(&mut Builder, Task, i64) -> Network,
}

/// All networks.
pub const ZOO: &[Entry] = &[
    Entry { name: "resnet8", default_width: 16, smallest_side: 4, build: resnet::resnet8 },
    Entry { name: "resnet14", default_width: 16, smallest_side: 4, build: resnet::resnet14 },
    Entry { name: "resnet20", default_width: 16, smallest_side: 4, build: resnet::resnet20 },
    Entry { name: "resnet18", default_width: 64, smallest_side: 8, build: resnet::resnet18 },
    Entry { name: "resnet50", default_width: 64, smallest_side: 8, build: resnet::resnet50 },
    Entry { name: "simple-cnn", default_width: 32, smallest_side: 8, build: simple_cnn::build },
    Entry { name: "mlp", default_width: 512, smallest_side: 1, build: mlp::build },
];

/// A network that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No such name.
    #[error("there is no network {name:?}; did you mean {nearest}? There are: {}", names().join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The most similar name.
        nearest: &'static str,
    },
    /// Images that the strides would shrink to nothing.
    #[error(
        "{name} needs images of at least {smallest}×{smallest} pixels, these are \
         {height}×{width}; choose another network or import the data with --resize"
    )]
    TooSmall {
        /// The network.
        name: &'static str,
        /// Smallest side.
        smallest: i64,
        /// Rows of an image.
        height: i64,
        /// Columns of an image.
        width: i64,
    },
    /// A width of zero, or too wide for any memory.
    #[error("a network cannot be {0} channels wide; try --width 16")]
    Width(u32),
}

fn names() -> Vec<&'static str> {
    ZOO.iter().map(|entry| entry.name).collect()
}

/// The entry of the zoo called `name`.
pub fn find(name: &str) -> Result<&'static Entry, NetworkError> {
    ZOO.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let similarity = |entry: &&Entry| strsim::jaro_winkler(entry.name, name);
        let nearest = ZOO.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
        NetworkError::Unknown { name: name.into(), nearest: nearest.expect("a zoo").name }
    })
}

/// Checks that a network exists and suits the task, without building it.
pub fn check(spec: &NetworkSpec, task: Task) -> Result<&'static Entry, NetworkError> {
    let entry = find(&spec.name)?;
    if !(1..=4096).contains(&spec.width) {
        return Err(NetworkError::Width(spec.width));
    }
    if task.height.min(task.width) < entry.smallest_side {
        return Err(NetworkError::TooSmall {
            name: entry.name,
            smallest: entry.smallest_side,
            height: task.height,
            width: task.width,
        });
    }
    Ok(entry)
}

/// Builds a network with freshly initialised parameters on the processor, from libtorch's generator
/// seeded with `seed`: the same seed gives the same network on every device.
pub fn build(
    spec: &NetworkSpec,
    task: Task,
    seed: i64,
) -> Result<(Network, Parameters), NetworkError> {
    let entry = check(spec, task)?;
    tch::manual_seed(seed);
    let mut builder = Builder::default();
    let network = (entry.build)(&mut builder, task, i64::from(spec.width));
    Ok((network, builder.parameters))
}
