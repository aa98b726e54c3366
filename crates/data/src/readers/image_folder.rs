//! Folders of pictures: `ROOT/CLASS/*.png`, or splits above classes: `ROOT/train/CLASS/*.png`.
//!
//! A folder is a split if a whole word of its name says so (`Train`, `testing`, `val`, …) and it
//! holds folders of pictures; one that holds pictures itself is a class, even if it is called
//! `train`. The held-out split is the test split, else the validation split. A `ROOT` with class
//! folders only has no test split. CINIC-10, Tiny ImageNet and GTSRB have their own readers.

use super::class_folders::{self, ClassFolder, has_pictures, holds_classes};
use super::classes::Classes;
use super::file_name;
use super::split_name::SplitName::{self, Test, Train, Validation};
use super::walk::{Entries, entries, names};
use crate::images::decode_splits;
use crate::{DataError, ImportNotes, ImportOptions, RawDataset, Result};
use datadiet_core::Progress;
use std::path::{Path, PathBuf};

/// Which class folders a folder of pictures has.
pub(crate) struct Layout {
    pub train: Vec<ClassFolder>,
    pub test: Option<Vec<ClassFolder>>,
    pub classes: Classes,
}

/// Whether there are folders with pictures below a folder.
pub(crate) fn detect(root: &Path) -> bool {
    holds_classes(root)
}

/// Reads all pictures.
pub(crate) fn read(
    root: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    let mut notes = ImportNotes::default();
    let layout = Layout::of(root, &mut notes)?;
    let source = format!("pictures from {}", file_name(root));
    layout.read(root, source, options, progress, notes)
}

impl Layout {
    /// Finds the splits and classes of a folder; notes what is left out.
    pub(crate) fn of(root: &Path, notes: &mut ImportNotes) -> Result<Self> {
        let here = entries(root)?;
        let (train, test) = match Splits::of(root, &here)? {
            Some(splits) => {
                let test = splits.test(root, notes)?;
                class_folders::leave_out_folders(
                    "files in folders beside the splits",
                    root,
                    &splits.other,
                    notes,
                )?;
                let train = class_folders::list(&splits.train, root, notes)?;
                let test = test.map(|test| class_folders::list(&test, root, notes)).transpose()?;
                (train, test)
            }
            None => {
                for folder in &here.folders {
                    if SplitName::one_of(folder).is_ok_and(|split| split.is_some()) {
                        let name = file_name(folder);
                        notes.decide(format!(
                            "`{name}` is a class, not a split: it holds pictures, and no folders of classes"
                        ));
                    }
                }
                (class_folders::of_folders(here.folders, root, notes)?, None)
            }
        };
        if train.iter().all(|class| class.pictures.is_empty()) {
            let problem =
                "no pictures in class folders; expected CLASS/*.png or train/CLASS/*.png below it";
            return Err(DataError::bad_file(root, problem));
        }
        let all = train.iter().chain(test.iter().flatten());
        let deeper: usize = all.map(ClassFolder::deeper).sum();
        if deeper > 0 {
            notes.decide(format!(
                "{deeper} pictures in further folders below the folders of classes are of these classes"
            ));
        }
        let classes = Classes::of(root, train.iter().map(|class| class.name.clone()))?;
        let unused = here.files.into_iter().filter(|file| Some(file) != classes.source.as_ref());
        class_folders::leave_out_files(root, &unused.collect::<Vec<_>>(), notes);
        class_folders::leave_out_hidden(root, &here.hidden, notes);
        Ok(Self { train, test, classes })
    }

    /// Decodes all pictures.
    pub(crate) fn read(
        self,
        root: &Path,
        source: String,
        options: &ImportOptions,
        progress: &dyn Progress,
        mut notes: ImportNotes,
    ) -> Result<RawDataset> {
        let labelled = |folders| class_folders::labelled(folders, &self.classes, root);
        let train = labelled(self.train)?;
        let test = self.test.map(labelled).transpose()?;
        let decoded = decode_splits(train, test, options, progress, &mut notes)?;
        Ok(RawDataset::of_pictures(self.classes.names, decoded, source, notes))
    }
}

/// Folders that are splits, and those beside them.
struct Splits {
    train: PathBuf,
    test: Option<PathBuf>,
    validation: Option<PathBuf>,
    /// Called as splits, but with pictures where folders of classes should be.
    without_classes: Vec<PathBuf>,
    other: Vec<PathBuf>,
}

impl Splits {
    /// The splits of a folder, unless it holds classes themselves.
    fn of(root: &Path, here: &Entries) -> Result<Option<Self>> {
        let refuse = |problem: String| Err(DataError::bad_file(root, problem));
        let mut found: Vec<(SplitName, &PathBuf)> = Vec::new();
        let (mut without_classes, mut other) = (Vec::new(), Vec::new());
        for folder in &here.folders {
            match (SplitName::one_of(folder)?, holds_classes(folder)) {
                (Some(split), true) => found.push((split, folder)),
                (Some(split), false) if has_pictures(folder) => {
                    without_classes.push((split, folder))
                }
                _ => other.push(folder.clone()),
            }
        }
        let of = |split: SplitName| -> Vec<&PathBuf> {
            found.iter().filter(|(found, _)| *found == split).map(|(_, folder)| *folder).collect()
        };
        let all = |folders: &[(SplitName, &PathBuf)]| -> String {
            names(root, &folders.iter().map(|(_, folder)| folder).collect::<Vec<_>>()).join(", ")
        };
        if found.is_empty() {
            let train = without_classes.iter().any(|(split, _)| *split == Train);
            let held_out = without_classes.iter().any(|(split, _)| *split != Train);
            if train && held_out {
                return refuse(format!(
                    "{} hold pictures, but no folders of classes: there are no labels; put the \
                     pictures in a folder for each class (if these are classes, rename them)",
                    all(&without_classes)
                ));
            }
            return Ok(None);
        }
        let is_class = |folder: &&PathBuf| has_pictures(folder);
        if let Some(class) = other.iter().find(is_class)
            && found.len() == 1
        {
            return refuse(format!(
                "`{}` holds folders of pictures, as a split does, and `{}` beside it holds pictures, as \
                 a class does; rename the first if it is a class, give it alone if it is a split",
                all(&found),
                file_name(class)
            ));
        }
        for split in [Train, Test, Validation] {
            if let [first, second, ..] = of(split)[..] {
                return refuse(format!(
                    "`{}` and `{}` are both the {} split by their names; rename one",
                    file_name(first),
                    file_name(second),
                    split.name()
                ));
            }
        }
        let [Some(train), test, validation] =
            [Train, Test, Validation].map(|split| of(split).first().map(|path| path.to_path_buf()))
        else {
            return refuse(format!(
                "no folder of classes is called train, there are {}; rename one, or give it alone",
                all(&found)
            ));
        };
        let without_classes =
            without_classes.into_iter().map(|(_, folder)| folder.clone()).collect();
        Ok(Some(Self { train, test, validation, without_classes, other }))
    }

    /// The held-out split. Says which it is, and counts what is left out.
    fn test(&self, root: &Path, notes: &mut ImportNotes) -> Result<Option<PathBuf>> {
        let unlabelled = "files of a split without folders of classes, so without labels";
        class_folders::leave_out_folders(unlabelled, root, &self.without_classes, notes)?;
        let Some(validation) = &self.validation else { return Ok(self.test.clone()) };
        if self.test.is_none() {
            notes.decide(VALIDATION_STANDS_IN);
            return Ok(Some(validation.clone()));
        }
        let second = "files of the validation split, as there is a test split";
        class_folders::leave_out_folders(second, root, std::slice::from_ref(validation), notes)?;
        Ok(self.test.clone())
    }
}

/// What is said where there is no labelled test split.
pub(crate) const VALIDATION_STANDS_IN: &str =
    "the validation split is the test split: there is no other with labels";
