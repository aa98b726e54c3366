//! Folders of pictures: `ROOT/CLASS/*.png`, or `ROOT/{train,test}/CLASS/*.png`.
//!
//! Pictures may be PNG, JPEG, BMP, GIF, WebP or TIFF. The held-out split is the first of `test`,
//! `val`, `valid` and `validation` that is there; another one is left out, and the source says so.
//! A `ROOT` with class folders only has no test split. CINIC-10 has its own reader.

use super::{class_folders, file_name};
use crate::{DataError, ImportOptions, RawDataset, Result};
use datadiet_core::Progress;
use std::path::{Path, PathBuf};

const HELD_OUT: [&str; 4] = ["test", "val", "valid", "validation"];

/// Whether there are class folders with pictures, or a training folder of them.
pub(crate) fn detect(root: &Path) -> bool {
    class_folders::has_pictures(&root.join("train")) || class_folders::has_pictures(root)
}

/// Reads all pictures.
pub(crate) fn read(
    root: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    let source = format!("pictures from {}", file_name(root));
    let train = root.join("train");
    let dataset = if train.is_dir() {
        let (test, left_out) = held_out(root);
        let source = if left_out.is_empty() {
            source
        } else {
            format!("{source} (without {})", left_out.join(", "))
        };
        class_folders::read(&[train], test.as_deref(), source, options, progress)?
    } else {
        class_folders::read(&[root.to_path_buf()], None, source, options, progress)?
    };
    if dataset.train.labels.is_empty() {
        let problem =
            "no pictures in class folders; expected CLASS/*.png or train/CLASS/*.png below it";
        return Err(DataError::bad_file(root, problem));
    }
    Ok(dataset)
}

/// Where the training pictures and the held-out ones of a folder are.
pub(crate) fn splits(root: &Path) -> (PathBuf, Option<PathBuf>) {
    let train = root.join("train");
    if train.is_dir() { (train, held_out(root).0) } else { (root.to_path_buf(), None) }
}

/// The held-out folder, and the names of further ones that are not used.
fn held_out(root: &Path) -> (Option<PathBuf>, Vec<&'static str>) {
    let mut present = HELD_OUT.into_iter().filter(|name| root.join(name).is_dir());
    let used = present.next().map(|name| root.join(name));
    (used, present.collect())
}
