//! The formats by name, and which of them is at a path.
//!
//! Detection looks at names only, from the most to the least particular format; it never reads
//! pictures. `--format` overrules it.

use super::{cifar, cinic10, gtsrb, hf_parquet, idx, image_folder, npy, tiny_imagenet};
use crate::{DataError, Result};
use datadiet_core::nearest;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A format that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// CIFAR-10, binary version.
    Cifar10,
    /// CIFAR-100, binary version, fine labels.
    Cifar100,
    /// CINIC-10 as unpacked.
    Cinic10,
    /// MNIST, Fashion-MNIST and kin.
    Idx,
    /// Tiny ImageNet as unpacked.
    TinyImagenet,
    /// The German Traffic Sign Recognition Benchmark.
    Gtsrb,
    /// A folder of pictures for each class.
    ImageFolder,
    /// Parquet files of Hugging Face `datasets`.
    HfParquet,
    /// NumPy arrays.
    Npy,
}

impl Format {
    /// All formats, in the order of detection.
    pub const ALL: [Self; 9] = [
        Self::Cifar10,
        Self::Cifar100,
        Self::Npy,
        Self::Idx,
        Self::HfParquet,
        Self::Cinic10,
        Self::TinyImagenet,
        Self::Gtsrb,
        Self::ImageFolder,
    ];

    /// The name, as in `--format`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Cinic10 => "cinic10",
            Self::TinyImagenet => "tiny-imagenet",
            Self::Gtsrb => "gtsrb",
            Self::Idx => "idx",
            Self::ImageFolder => "image-folder",
            Self::HfParquet => "hf-parquet",
            Self::Npy => "npy",
        }
    }

    /// The format of what is at a path.
    pub fn detect(path: &Path) -> Result<Self> {
        for format in Self::ALL {
            if format.fits(path)? {
                return Ok(format);
            }
        }
        Err(DataError::NotDetected { path: path.into(), looked_for: looked_for() })
    }

    fn fits(self, path: &Path) -> Result<bool> {
        Ok(match self {
            Self::Cifar10 => cifar::detect(path)? == Some(cifar::Cifar::Ten),
            Self::Cifar100 => cifar::detect(path)? == Some(cifar::Cifar::Hundred),
            Self::Cinic10 => cinic10::detect(path),
            Self::TinyImagenet => tiny_imagenet::detect(path),
            Self::Gtsrb => gtsrb::detect(path),
            Self::Idx => idx::detect(path),
            Self::ImageFolder => image_folder::detect(path),
            Self::HfParquet => hf_parquet::detect(path),
            Self::Npy => npy::detect(path),
        })
    }

    /// What detection looks for.
    fn mark(self) -> &'static str {
        match self {
            Self::Cifar10 => "data_batch_1.bin (in a folder or .tar.gz)",
            Self::Cifar100 => "train.bin (in a folder or .tar.gz)",
            Self::Cinic10 => "train, valid and test folders with the ten classes",
            Self::Idx => "train-images-idx3-ubyte[.gz]",
            Self::TinyImagenet => "train and val/val_annotations.txt",
            Self::Gtsrb => "Train.csv with Path, or Final_Training/Images/*/GT-*.csv",
            Self::ImageFolder => {
                "CLASS/*.png or train/CLASS/*.png (also jpg, bmp, gif, webp, tiff, ppm)"
            }
            Self::HfParquet => "*.parquet",
            Self::Npy => "x_train.npy or an .npz",
        }
    }
}

fn looked_for() -> String {
    Format::ALL.map(|format| format!("{format}: {}", format.mark())).join("; ")
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self> {
        let names = Self::ALL.map(Self::name);
        Self::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
            DataError::UnknownFormat {
                text: text.into(),
                nearest: nearest(text, names).map(str::to_owned),
                known: names.join(", "),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
    }

    #[test]
    fn a_mistyped_format_suggests_the_nearest() {
        let message = "imagefolder".parse::<Format>().unwrap_err().to_string();
        assert!(
            message.contains("did you mean `image-folder`?") && message.contains("hf-parquet"),
            "{message}"
        );
    }
}
