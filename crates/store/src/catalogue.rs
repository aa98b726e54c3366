//! The catalogue of networks: the paper's and affordable proxies, and which images they take. The
//! engine builds them.
//!
//! | name | what | width |
//! |---|---|---|
//! | `resnet18`, `resnet50` | He et al. 2015 with a low-resolution stem (3×3, stride 1, no max-pool); torchvision's v1.5 blocks and names | 64 |
//! | `resnet8`, `resnet14`, `resnet20` | three stages of 1, 2, 3 basic blocks, projection shortcuts | 16 |
//! | `simple-cnn` | pairs of 3×3 convolutions with bias, w, 2w, 4w channels, the second of each pair with stride 2; no batch norm | 32 |
//! | `mlp` | two hidden layers | 512 |
//! | `airbench` | Jordan 2024 (arXiv 2404.00498): whitened 2×2 patches, then three groups of two convolutions of w, 4w, 4w channels, max-pool, batch norm without scale, GELU | 64 |

use datadiet_core::nearest;

use crate::{Activation, NetworkSpec};

/// What the engine knows how to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Architecture {
    ResNet8,
    ResNet14,
    ResNet20,
    ResNet18,
    ResNet50,
    SimpleCnn,
    Mlp,
    Airbench,
}

/// An entry of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the engine builds.
    pub architecture: Architecture,
    /// Name on the command line.
    pub name: &'static str,
    /// Width when none is given.
    pub default_width: u32,
    /// Smallest side of an image, in pixels, that leaves something after all strides.
    pub smallest_side: usize,
    /// Its own nonlinearity, which the engine takes where a specification names none. A specification
    /// that names it would be another run of the same training.
    pub activation: Activation,
}

/// All networks.
pub const NETWORKS: [Entry; 8] = [
    entry(Architecture::ResNet8, "resnet8", 16, 4),
    entry(Architecture::ResNet14, "resnet14", 16, 4),
    entry(Architecture::ResNet20, "resnet20", 16, 4),
    entry(Architecture::ResNet18, "resnet18", 64, 8),
    entry(Architecture::ResNet50, "resnet50", 64, 8),
    entry(Architecture::SimpleCnn, "simple-cnn", 32, 8),
    entry(Architecture::Mlp, "mlp", 512, 1),
    Entry { activation: Activation::Gelu, ..entry(Architecture::Airbench, "airbench", 64, 9) },
];

const fn entry(
    architecture: Architecture,
    name: &'static str,
    default_width: u32,
    smallest_side: usize,
) -> Entry {
    Entry { architecture, name, default_width, smallest_side, activation: Activation::Relu }
}

/// A network that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// No such name.
    #[error(
        "there is no network {name:?}{}; there are {}",
        nearest(name, names()).map(|name| format!(" (did you mean {name}?)")).unwrap_or_default(),
        names().collect::<Vec<_>>().join(", ")
    )]
    Unknown {
        /// What was asked for.
        name: String,
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
        smallest: usize,
        /// Rows of an image.
        height: usize,
        /// Columns of an image.
        width: usize,
    },
    /// A width of zero, or too wide for any memory.
    #[error("a network cannot be {0} channels wide; try --width 16")]
    Width(u32),
}

fn names() -> impl Iterator<Item = &'static str> {
    NETWORKS.iter().map(|entry| entry.name)
}

/// The entry called `name`.
///
/// # Errors
/// When there is none, with the most similar name.
pub fn find(name: &str) -> Result<&'static Entry, NetworkError> {
    let entry = NETWORKS.iter().find(|entry| entry.name == name);
    entry.ok_or_else(|| NetworkError::Unknown { name: name.into() })
}

impl NetworkSpec {
    /// Its entry of the catalogue, if it can be built for images of `height` × `width` pixels.
    ///
    /// # Errors
    /// For an unknown name, an impossible width, and images that are too small.
    pub fn check(&self, height: usize, width: usize) -> Result<&'static Entry, NetworkError> {
        let entry = find(&self.name)?;
        if !(1..=4096).contains(&self.width) {
            return Err(NetworkError::Width(self.width));
        }
        if height.min(width) < entry.smallest_side {
            let (name, smallest) = (entry.name, entry.smallest_side);
            return Err(NetworkError::TooSmall { name, smallest, height, width });
        }
        Ok(entry)
    }
}
