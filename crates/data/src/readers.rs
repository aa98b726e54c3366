//! Readers, one file for each format, and the choice between them.
//!
//! A reader returns the whole data set in memory and writes nothing.

pub(crate) mod cifar;
mod cinic10;
pub(crate) mod class_folders;
pub(crate) mod classes;
mod detect;
mod gtsrb;
mod hf_parquet;
mod idx;
pub(crate) mod image_folder;
mod npy;
mod split_name;
mod tiny_imagenet;
pub(crate) mod walk;

pub use detect::Format;
pub(crate) use idx::read as read_idx;

use crate::{DataError, ImportNotes, ImportOptions, RawDataset, Result};
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
    if options.label.is_some() && format != Format::HfParquet {
        let problem = format!("`--label` names a column of Parquet files, but this is {format}");
        return Err(DataError::bad_file(path, problem));
    }
    let dataset = match format {
        Format::Cifar10 => cifar::read(path, Cifar::Ten, progress),
        Format::Cifar100 => cifar::read(path, Cifar::Hundred, progress),
        Format::Cinic10 => cinic10::read(path, options, progress),
        Format::TinyImagenet => tiny_imagenet::read(path, options, progress),
        Format::Gtsrb => gtsrb::read(path, options, progress),
        Format::Idx => idx::read(path, progress),
        Format::ImageFolder => image_folder::read(path, options, progress),
        Format::HfParquet => hf_parquet::read(path, options, progress),
        Format::Npy => npy::read(path, progress),
    }?;
    if let Some((width, height)) = options.resize
        && (dataset.width, dataset.height) != (width as usize, height as usize)
    {
        let problem = format!(
            "`--resize` is for encoded pictures; the images of {format} stay {}x{}",
            dataset.width, dataset.height
        );
        return Err(DataError::bad_file(path, problem));
    }
    dataset.validate(options)?;
    Ok(dataset)
}

/// The last part of a path, for messages and sources: full paths say too much about one machine.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The class names of a list, one a line; blank lines at its end are not names.
fn lines(path: &Path, text: &str) -> Result<Vec<String>> {
    let text = text.trim_start_matches('\u{feff}').trim_end();
    let names: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
    match names.iter().position(String::is_empty) {
        None => Ok(names),
        Some(line) => {
            let problem = format!(
                "line {} is blank, which leaves open what the classes after it are; remove it or fill it in",
                line + 1
            );
            Err(DataError::bad_file(path, problem))
        }
    }
}

/// What lists of class names beside arrays are called.
const CLASSES: &str = "classes.txt";

/// The class names in `classes.txt` of a folder, else numbers.
fn class_names(folder: &Path, labels: &[&[i64]]) -> Result<Vec<String>> {
    let path = folder.join(CLASSES);
    if !path.is_file() {
        return numbered_classes(labels);
    }
    let text = std::fs::read_to_string(&path).map_err(DataError::io("read", &path))?;
    lines(&path, &text)
}

/// Notes everything in a folder but the files that were read.
fn leave_out_others(
    folder: &Path,
    is_used: impl Fn(&str) -> bool,
    notes: &mut ImportNotes,
) -> Result<()> {
    let mut all = walk::walk_to_count(folder)?;
    all.files.retain(|file| file.parent() != Some(folder) || !is_used(&file_name(file)));
    notes.leave_out("other files", all.files.len(), walk::names(folder, &all.files));
    notes.leave_out("hidden files or folders", all.hidden.len(), walk::names(folder, &all.hidden));
    Ok(())
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
