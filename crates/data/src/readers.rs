//! Readers, one file for each format, and the choice between them.
//!
//! A reader returns the whole data set in memory and writes nothing.

pub(crate) mod cifar;
mod cinic10;
pub(crate) mod class_folders;
mod detect;
mod hf_parquet;
mod idx;
pub(crate) mod image_folder;
mod npy;
mod split_name;

pub use detect::Format;
pub(crate) use idx::read as read_idx;

use crate::{DataError, ImportOptions, RawDataset, Result};
use cifar::Cifar;
use datadiet_core::Progress;
use std::path::Path;

/// Class numbers beyond this are taken for a mistake, not for so many classes.
const MOST_CLASSES: i64 = 1 << 16;

/// Reads the data set at `path`, in the given format or the one that fits, and checks it.
pub fn read(
    path: &Path,
    format: Option<Format>,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    std::fs::metadata(path).map_err(DataError::io("read", path))?;
    let format = match format {
        Some(format) => format,
        None => Format::detect(path)?,
    };
    let dataset = match format {
        Format::Cifar10 => cifar::read(path, Cifar::Ten, progress),
        Format::Cifar100 => cifar::read(path, Cifar::Hundred, progress),
        Format::Cinic10 => cinic10::read(path, options, progress),
        Format::Idx => idx::read(path, progress),
        Format::ImageFolder => image_folder::read(path, options, progress),
        Format::HfParquet => hf_parquet::read(path, options, progress),
        Format::Npy => npy::read(path, progress),
    }?;
    dataset.validate(options)?;
    Ok(dataset)
}

/// The last part of a path, for messages and sources: full paths say too much about one machine.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The lines of a list of class names, without blank ones.
fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The class names in `classes.txt` of a folder, else numbers.
fn class_names(folder: &Path, labels: &[&[i64]]) -> Result<Vec<String>> {
    let path = folder.join("classes.txt");
    if !path.is_file() {
        return numbered_classes(labels);
    }
    let text = std::fs::read_to_string(&path).map_err(DataError::io("read", &path))?;
    Ok(lines(&text))
}

/// `0`, `1`, … up to the highest label.
fn numbered_classes(labels: &[&[i64]]) -> Result<Vec<String>> {
    let highest = labels.iter().flat_map(|labels| labels.iter()).max().copied().unwrap_or(0);
    if highest >= MOST_CLASSES {
        let what = format!("the highest label is {highest}, more classes than can be meant");
        return Err(DataError::Inconsistent { what });
    }
    Ok((0..=highest.max(0)).map(|class| class.to_string()).collect())
}

/// Labels as class indices; an error names the first that has no class.
fn class_indices(split: &'static str, labels: &[i64], classes: usize) -> Result<Vec<u32>> {
    let index = |(index, &label): (usize, &i64)| {
        let fits = usize::try_from(label).is_ok_and(|label| label < classes);
        fits.then_some(label as u32).ok_or(DataError::LabelOutsideClasses {
            split,
            index,
            label,
            classes,
        })
    };
    labels.iter().enumerate().map(index).collect()
}
