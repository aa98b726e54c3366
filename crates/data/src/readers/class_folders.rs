//! Folders of pictures, one folder a class: what image folders, CINIC-10 and Tiny ImageNet share.
//!
//! Classes are the sorted names of the folders. All pictures below a class folder belong to it,
//! however deep; they are in the order of `walk`, so example ids are the same on every machine.
//! A file is a picture by its ending. Everything else is counted.

use super::classes::Classes;
use super::file_name;
use super::split_name::SplitName;
use super::walk::{below, entries, names, walk};
use crate::images::{Labelled, Picture};
use crate::{DataError, ImportNotes, Result};
use std::path::{Path, PathBuf};

/// Endings of pictures: torchvision's, and what else the decoders know.
const ENDINGS: [&str; 12] =
    ["png", "jpg", "jpeg", "jfif", "bmp", "gif", "webp", "tif", "tiff", "ppm", "pgm", "pbm"];

/// The pictures of one class.
#[derive(Debug)]
pub(crate) struct ClassFolder {
    pub name: String,
    pub path: PathBuf,
    pub pictures: Vec<PathBuf>,
}

impl ClassFolder {
    /// How many of the pictures lie in further folders.
    pub(crate) fn deeper(&self) -> usize {
        self.pictures.iter().filter(|picture| picture.parent() != Some(&self.path)).count()
    }
}

/// Whether a file's ending is that of a picture.
pub(crate) fn is_picture(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.as_str()))
}

/// Whether a folder itself has pictures.
pub(crate) fn has_pictures(folder: &Path) -> bool {
    entries(folder).is_ok_and(|here| here.files.iter().any(|file| is_picture(file)))
}

/// Whether there are pictures in folders below a folder.
pub(crate) fn holds_classes(folder: &Path) -> bool {
    let deeper = |folder: &PathBuf| has_pictures(folder) || holds_classes(folder);
    entries(folder).is_ok_and(|here| here.folders.iter().any(deeper))
}

/// The class folders directly below a folder, in order; empty ones too. Notes what is left out, with
/// names as seen from `root`.
pub(crate) fn list(
    folder: &Path,
    root: &Path,
    notes: &mut ImportNotes,
) -> Result<Vec<ClassFolder>> {
    let here = entries(folder)?;
    leave_out_files(root, &here.files, notes);
    leave_out_hidden(root, &here.hidden, notes);
    of_folders(here.folders, root, notes)
}

/// The given folders as class folders, in order.
///
/// # Errors
/// When folders below a class are called as splits, or the only class is a folder of folders: then
/// the classes are likely meant to be those.
pub(crate) fn of_folders(
    folders: Vec<PathBuf>,
    root: &Path,
    notes: &mut ImportNotes,
) -> Result<Vec<ClassFolder>> {
    check_not_splits(&folders, root)?;
    let only = folders.len() == 1;
    folders.into_iter().map(|path| class_folder(path, only, root, notes)).collect()
}

/// Folders without pictures of their own that all hold the same folders: `trainset/cat`,
/// `trainset/dog`, `testset/cat`, `testset/dog` are splits of some kind, not two classes.
fn check_not_splits(folders: &[PathBuf], root: &Path) -> Result<()> {
    let [first, _, ..] = folders else { return Ok(()) };
    let below = |folder: &PathBuf| -> Result<Vec<String>> {
        let folders = entries(folder)?.folders;
        Ok(folders.iter().filter(|folder| has_pictures(folder)).map(|f| file_name(f)).collect())
    };
    let names = below(first)?;
    if names.len() < 2 || folders.iter().any(|folder| has_pictures(folder)) {
        return Ok(());
    }
    for folder in folders {
        if below(folder)? != names {
            return Ok(());
        }
    }
    let problem = format!(
        "{} all hold the same folders ({}): these are the classes, and those look like splits or folds; \
         rename them to train and test, or give one of them",
        super::walk::names(root, folders).join(", "),
        names.join(", ")
    );
    Err(DataError::bad_file(root, problem))
}

fn class_folder(
    path: PathBuf,
    only: bool,
    root: &Path,
    notes: &mut ImportNotes,
) -> Result<ClassFolder> {
    let all = walk(&path)?;
    let split = all.folders.iter().find(|folder| {
        let is_split = SplitName::of_word(&file_name(folder)).is_some();
        is_split && (has_pictures(folder) || holds_classes(folder))
    });
    if let Some(split) = split {
        let problem = format!(
            "`{}` is called as a split, but lies below `{}`, which would be a class; give the folder \
             that holds the splits, put splits above classes, or rename it",
            below(root, split).display(),
            below(root, &path).display()
        );
        return Err(DataError::bad_file(root, problem));
    }
    if only && !has_pictures(&path) && all.folders.len() > 1 {
        let problem = format!(
            "the only class would be `{}`, whose pictures lie in further folders; give the folder \
             {} if those are the classes",
            below(root, &path).display(),
            path.display()
        );
        return Err(DataError::bad_file(root, problem));
    }
    let (pictures, other): (Vec<_>, Vec<_>) =
        all.files.into_iter().partition(|file| is_picture(file));
    leave_out_other(root, &other, notes);
    leave_out_hidden(root, &all.hidden, notes);
    Ok(ClassFolder { name: file_name(&path), path, pictures })
}

/// Notes files that lie beside folders of classes.
pub(crate) fn leave_out_files(root: &Path, files: &[PathBuf], notes: &mut ImportNotes) {
    let (loose, other): (Vec<_>, Vec<_>) = files.iter().cloned().partition(|file| is_picture(file));
    notes.leave_out("pictures beside the folders of classes", loose.len(), names(root, &loose));
    leave_out_other(root, &other, notes);
}

/// Notes files that are not pictures.
pub(crate) fn leave_out_other(root: &Path, files: &[PathBuf], notes: &mut ImportNotes) {
    notes.leave_out("files without the ending of a picture", files.len(), names(root, files));
}

/// Notes hidden files and folders.
pub(crate) fn leave_out_hidden(root: &Path, hidden: &[PathBuf], notes: &mut ImportNotes) {
    notes.leave_out("hidden files or folders", hidden.len(), names(root, hidden));
}

/// Notes everything below folders that are not read.
pub(crate) fn leave_out_folders(
    reason: &str,
    root: &Path,
    folders: &[PathBuf],
    notes: &mut ImportNotes,
) -> Result<()> {
    for folder in folders {
        let files = walk(folder)?.files;
        notes.leave_out(reason, files.len(), names(root, &files));
    }
    Ok(())
}

/// The pictures of class folders with their classes, joined by name. `below` is for messages.
pub(crate) fn labelled(
    folders: Vec<ClassFolder>,
    classes: &Classes,
    below: &Path,
) -> Result<Labelled> {
    let mut found = Labelled::default();
    for folder in folders {
        let Some(class) = classes.of_folder(&folder.name) else {
            let problem = format!(
                "the class folder `{}` is not among the training classes; rename or remove it",
                folder.name
            );
            return Err(DataError::bad_file(below, problem));
        };
        found.labels.extend(std::iter::repeat_n(class as u32, folder.pictures.len()));
        found.pictures.extend(folder.pictures.into_iter().map(Picture::File));
    }
    Ok(found)
}
