//! Tiny ImageNet as published: `train/WNID/images/*.JPEG`, `val/images/*.JPEG` with the classes in
//! `val/val_annotations.txt`, and `test/images` without labels.
//!
//! The validation split is the test split, as everyone has it. Classes are in the order of their
//! WordNet ids and called by `words.txt`. Bounding boxes are not used.
//! Source: <http://cs231n.stanford.edu/tiny-imagenet-200.zip>.

use super::class_folders::{self, is_picture, labelled, list};
use super::classes::Classes;
use super::file_name;
use super::walk::{entries, names, walk};
use crate::images::{Labelled, Picture, decode_splits};
use crate::{DataError, ImportNotes, ImportOptions, RawDataset, Result};
use datadiet_core::Progress;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const TRAIN: &str = "train";
const VALIDATION: &str = "val";
const ANNOTATIONS: &str = "val_annotations.txt";
const FILES: [&str; 2] = ["wnids.txt", "words.txt"];

/// Whether there are training folders and the classes of validation pictures.
pub(crate) fn detect(root: &Path) -> bool {
    root.join(TRAIN).is_dir() && root.join(VALIDATION).join(ANNOTATIONS).is_file()
}

/// Reads all pictures.
pub(crate) fn read(
    root: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    let mut notes = ImportNotes::default();
    let train = list(&root.join(TRAIN), root, &mut notes)?;
    let classes = Classes::of(root, train.iter().map(|class| class.name.clone()))?;
    let test = validation(root, &classes, &mut notes)?;
    notes.decide("the validation split is the test split: the test pictures have no labels");
    leave_out(root, &classes, &mut notes)?;
    let train = labelled(train, &classes, root)?;
    let decoded = decode_splits(train, Some(test), options, progress, &mut notes)?;
    let source = format!("Tiny ImageNet from {}", file_name(root));
    Ok(RawDataset::of_pictures(classes.names, decoded, source, notes))
}

fn validation(root: &Path, classes: &Classes, notes: &mut ImportNotes) -> Result<Labelled> {
    let list = root.join(VALIDATION).join(ANNOTATIONS);
    let mut annotated = annotations(&list)?;
    let mut all = walk(&root.join(VALIDATION))?;
    all.files.retain(|file| *file != list);
    let (pictures, other): (Vec<_>, Vec<_>) =
        all.files.into_iter().partition(|file| is_picture(file));
    class_folders::leave_out_other(root, &other, notes);
    class_folders::leave_out_hidden(root, &all.hidden, notes);
    let (mut found, mut unknown) = (Labelled::default(), Vec::new());
    for picture in pictures {
        let Some(folder) = annotated.remove(&file_name(&picture)) else {
            unknown.push(picture);
            continue;
        };
        let Some(class) = classes.of_folder(&folder) else {
            let problem = format!(
                "{} is of `{folder}`, which has no training folder; correct the list",
                file_name(&picture)
            );
            return Err(DataError::bad_file(&list, problem));
        };
        found.labels.push(class as u32);
        found.pictures.push(Picture::File(picture));
    }
    let reason = format!("validation pictures that {ANNOTATIONS} does not list");
    notes.leave_out(reason, unknown.len(), names(root, &unknown));
    let reason = format!("pictures that {ANNOTATIONS} lists and that are not there");
    notes.leave_out(reason, annotated.len(), annotated.into_keys());
    Ok(found)
}

/// Name of the file and WordNet id of each line; a box follows.
fn annotations(list: &Path) -> Result<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(list).map_err(DataError::io("read", list))?;
    let mut found = BTreeMap::new();
    for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
        let mut cells = line.split('\t').map(|cell| cell.trim().to_owned());
        let (Some(file), Some(class)) = (cells.next(), cells.next()) else {
            let problem = format!("line {number} has no tab; it needs a file and a WordNet id");
            return Err(DataError::bad_file(list, problem));
        };
        if found.insert(file.clone(), class).is_some() {
            let problem =
                format!("line {number} lists {file} a second time; remove one of the lines");
            return Err(DataError::bad_file(list, problem));
        }
    }
    Ok(found)
}

/// Notes what is beside the two splits.
fn leave_out(root: &Path, classes: &Classes, notes: &mut ImportNotes) -> Result<()> {
    let here = entries(root)?;
    let name = |path: &PathBuf| file_name(path);
    let beside = here.folders.iter().filter(|path| ![TRAIN, VALIDATION].contains(&&*name(path)));
    let (test, other): (Vec<PathBuf>, Vec<PathBuf>) =
        beside.cloned().partition(|path| name(path) == "test");
    let unlabelled = "files of the test split, which has no labels";
    if !test.is_empty() {
        class_folders::leave_out_folders(unlabelled, root, &test, notes)?;
    }
    let beside = "files in folders beside the splits";
    class_folders::leave_out_folders(beside, root, &other, notes)?;
    let files = here
        .files
        .into_iter()
        .filter(|path| !FILES.contains(&&*name(path)) && Some(path) != classes.source.as_ref());
    class_folders::leave_out_files(root, &files.collect::<Vec<_>>(), notes);
    class_folders::leave_out_hidden(root, &here.hidden, notes);
    Ok(())
}
