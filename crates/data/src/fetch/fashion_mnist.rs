//! Fashion-MNIST from its authors' repository, from an installed Debian package, or from that
//! package without installing it.
//!
//! Source: <https://github.com/zalandoresearch/fashion-mnist> (MIT licence). Debian's package
//! `dataset-fashion-mnist` holds the same four files with the name and time removed from their gzip
//! headers. Putting those back gives files with the MD5 sums that the authors publish
//! (8d4fb7e6c68d591d4c3dfef9ec88bf0d and bef4ecab320f06d8554ea6380940ec79 for the images), so the
//! unpacked bytes are the same; those are pinned here.

use super::{command, download, first_of};
use crate::archive::read_maybe_gz;
use crate::readers::read_idx;
use crate::{RawDataset, Result, checksum};
use datadiet_core::Progress;
use std::path::Path;

/// The fingerprint of the cached data set.
pub(super) const FINGERPRINT: &str =
    "f06ac1f5bc3d8e1a54b5b4ea5ac79663edd76e8d68c91d603d5b17c3aee24abd";

const URL: &str =
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion";
const INSTALLED: &str = "/usr/share/datasets/fashion-mnist";
const PACKAGE: &str = "dataset-fashion-mnist";
/// The largest file has 26,421,880 bytes packed and 47,040,016 unpacked.
const PACKED_LIMIT: u64 = 32 << 20;
const UNPACKED_LIMIT: u64 = 64 << 20;

/// The files, and SHA-256 of what they unpack to.
const FILES: [(&str, &str); 4] = [
    (
        "train-images-idx3-ubyte.gz",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    (
        "train-labels-idx1-ubyte.gz",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    (
        "t10k-images-idx3-ubyte.gz",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    (
        "t10k-labels-idx1-ubyte.gz",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
];

const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// Obtains and checks the data set.
pub(super) fn obtain(temporary: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    first_of(
        "fashion-mnist",
        &[
            &|| from_authors(temporary, progress),
            &|| from_folder(Path::new(INSTALLED), &format!("Debian package {PACKAGE}"), progress),
            &|| from_debian(temporary, progress),
        ],
    )
}

fn from_authors(temporary: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    for (file, _) in FILES {
        download::to_file(&format!("{URL}/{file}"), &temporary.join(file), PACKED_LIMIT, progress)?;
    }
    from_folder(temporary, URL, progress)
}

fn from_debian(temporary: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    let root = command::debian_unpack(PACKAGE, temporary, progress)?;
    let folder = root.join(INSTALLED.trim_start_matches('/'));
    from_folder(&folder, &format!("Debian package {PACKAGE}"), progress)
}

fn from_folder(folder: &Path, source: &str, progress: &dyn Progress) -> Result<RawDataset> {
    for (file, expected) in FILES {
        let path = folder.join(file);
        let bytes = read_maybe_gz(&path, UNPACKED_LIMIT)?;
        checksum::expect(
            &format!("{file} of Fashion-MNIST"),
            "SHA-256",
            expected,
            checksum::sha256(&bytes),
        )?;
    }
    let mut dataset = read_idx(folder, progress)?;
    dataset.classes = CLASSES.map(str::to_owned).to_vec();
    dataset.source = format!("Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), {source}");
    Ok(dataset)
}
