//! CINIC-10: `train`, `valid` and `test` folders, each with ten class folders of PNG.
//!
//! Train and valid together (180,000 pictures) form the training split, train first, as in the
//! data-diet paper. Source: <https://github.com/BayesWatch/cinic-10>. Order is that of the paths.
//! The `.tar.gz` as published must be unpacked first.

use super::cifar::CIFAR10_CLASSES;
use super::class_folders::{self, list};
use super::classes::Classes;
use super::file_name;
use super::image_folder::Layout;
use super::walk::entries;
use crate::{DataError, ImportNotes, ImportOptions, RawDataset, Result};
use datadiet_core::Progress;
use std::path::Path;

const FOLDERS: [&str; 3] = ["train", "valid", "test"];

/// Whether all three folders hold the classes of CINIC-10.
pub(crate) fn detect(root: &Path) -> bool {
    FOLDERS
        .iter()
        .all(|folder| CIFAR10_CLASSES.iter().all(|class| root.join(folder).join(class).is_dir()))
}

/// Reads all pictures.
pub(crate) fn read(
    root: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    if let Some(missing) = FOLDERS.iter().find(|folder| !root.join(folder).is_dir()) {
        let problem = format!(
            "there is no folder `{missing}`; unpack the whole CINIC-10 archive and give the folder that holds train, valid and test"
        );
        return Err(DataError::bad_file(root, problem));
    }
    let mut notes = ImportNotes::default();
    let mut list = |folder: &str| list(&root.join(folder), root, &mut notes);
    let mut train = list("train")?;
    train.extend(list("valid")?);
    let test = Some(list("test")?);
    let classes = Classes::of(root, train.iter().map(|class| class.name.clone()))?;
    let mut here = entries(root)?;
    here.folders.retain(|folder| !FOLDERS.contains(&file_name(folder).as_str()));
    let beside = "files in folders beside the splits";
    class_folders::leave_out_folders(beside, root, &here.folders, &mut notes)?;
    here.files.retain(|file| Some(file) != classes.source.as_ref());
    class_folders::leave_out_files(root, &here.files, &mut notes);
    class_folders::leave_out_hidden(root, &here.hidden, &mut notes);
    notes.decide("the training split is train and valid together, as in the data-diet paper");
    let source = format!("CINIC-10, train + valid, from {}", file_name(root));
    Layout { train, test, classes }.read(root, source, options, progress, notes)
}
