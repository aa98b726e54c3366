//! Which Parquet file is of which split.

use crate::readers::split_name::SplitName;
use crate::readers::walk::{Entries, below, names, walk};
use crate::{DataError, ImportNotes, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Which file belongs to which split; a file is in one at most.
#[derive(Debug, Default)]
pub(super) struct SplitFiles {
    pub train: Vec<PathBuf>,
    pub test: Vec<PathBuf>,
    pub validation: Vec<PathBuf>,
}

impl SplitFiles {
    /// The files at a path by their splits; notes what is in none.
    pub(super) fn of(path: &Path, notes: &mut ImportNotes) -> Result<Self> {
        let (all, others) = parquet_files(path)?;
        if path.is_file() {
            return Ok(Self { train: all, ..Self::default() });
        }
        for (reason, files) in [
            ("files other than Parquet", &others.files),
            ("hidden files or folders", &others.hidden),
        ] {
            notes.leave_out(reason, files.len(), names(path, files));
        }
        check_all_parts(path, &all)?;
        let mut by_split: BTreeMap<Option<SplitName>, Vec<PathBuf>> = BTreeMap::new();
        for file in all {
            by_split.entry(split_of(path, &file)?).or_default().push(file);
        }
        let mut take = |split| by_split.remove(&split).unwrap_or_default();
        let [train, test, validation, other] =
            [Some(SplitName::Train), Some(SplitName::Test), Some(SplitName::Validation), None]
                .map(&mut take);
        if train.is_empty() && test.is_empty() && validation.is_empty() {
            notes.decide(format!(
                "no file or folder is called train, test or validation: all {} Parquet files are the training split",
                other.len()
            ));
            return Ok(Self { train: other, ..Self::default() });
        }
        if train.is_empty() {
            let problem = format!(
                "no Parquet file is of the training split, there are {}; call its files train-*.parquet, or give one file",
                names(path, &[test, validation, other].concat()).join(", ")
            );
            return Err(DataError::bad_file(path, problem));
        }
        notes.leave_out(
            "Parquet files whose names say no split (train, test or validation)",
            other.len(),
            names(path, &other),
        );
        let folders: BTreeSet<_> = train.iter().filter_map(|file| file.parent()).collect();
        if folders.len() > 1 {
            let folders = names(path, &folders.into_iter().collect::<Vec<_>>());
            notes.decide(format!("training files of several folders: {}", folders.join(", ")));
        }
        Ok(Self { train, test, validation })
    }
}

/// That all parts are there that names such as `train-00000-of-00003` promise.
fn check_all_parts(root: &Path, files: &[PathBuf]) -> Result<()> {
    let mut parts: BTreeMap<(PathBuf, String, usize), BTreeSet<usize>> = BTreeMap::new();
    for file in files {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Some((before, count)) = stem.rsplit_once("-of-") else { continue };
        let (before, count) = (before, count.split(['-', '.']).next().unwrap_or_default());
        let (name, part) = before.rsplit_once(['-', '_', '.']).unwrap_or(("", before));
        if let (Ok(part), Ok(count)) = (part.parse(), count.parse()) {
            let folder = file.parent().unwrap_or(root).to_owned();
            parts.entry((folder, name.to_owned(), count)).or_default().insert(part);
        }
    }
    for ((folder, name, count), there) in parts {
        if there.len() < count {
            let problem = format!(
                "{} of the {count} parts of `{name}` are there; fetch the others, or rename the files if \
                 these are all",
                there.len()
            );
            return Err(DataError::bad_file(&folder, problem));
        }
    }
    Ok(())
}

/// The split of a file: by its own name, else by that of the nearest folder below `root`.
fn split_of(root: &Path, file: &Path) -> Result<Option<SplitName>> {
    let parts = below(root, file).ancestors().filter(|part| part.file_name().is_some());
    let mut splits = parts.map(SplitName::one_of);
    splits.find_map(Result::transpose).transpose()
}

/// Parquet files at a path, in path order, and what else is there.
pub(super) fn parquet_files(path: &Path) -> Result<(Vec<PathBuf>, Entries)> {
    let is_parquet = |file: &PathBuf| {
        let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        ending.is_some_and(|ending| ending == "parquet" || ending == "pq")
    };
    let mut all = match path.is_dir() {
        true => walk(path)?,
        false => Entries { files: vec![path.to_path_buf()], ..Entries::default() },
    };
    let (mut files, others): (Vec<_>, Vec<_>) = all.files.into_iter().partition(is_parquet);
    files.sort();
    all.files = others;
    Ok((files, all))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Names of files and folders as people give them, of splits or not.
    fn name() -> impl Strategy<Value = String> {
        const WORDS: [&str; 9] =
            ["train", "Test", "val", "dev", "training", "data", "0000", "birds", "latest"];
        prop::collection::vec(prop::sample::select(&WORDS[..]), 1..3)
            .prop_map(|words| words.join("-"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Splits are disjoint, every file is in one or noted, and the given folder's own name
        /// changes nothing.
        #[test]
        fn a_file_is_in_one_split_whatever_the_folder_is_called(
            names in prop::collection::btree_set(prop::collection::vec(name(), 1..3), 1..6),
            roots in prop::array::uniform2(name()),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let found = ["a", "b"].iter().zip(&roots).map(|(parent, root)| {
                let root = folder.path().join(parent).join(root);
                for name in &names {
                    let file = root.join(name.join("/") + ".parquet");
                    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                    std::fs::write(file, "").unwrap();
                }
                let mut notes = ImportNotes::default();
                SplitFiles::of(&root, &mut notes).ok().map(|files| {
                    let left_out: usize = notes.left_out.iter().map(|entry| entry.count).sum();
                    let relative = [files.train, files.test, files.validation];
                    (relative.map(|files| super::names(&root, &files)), left_out)
                })
            });
            let found: Vec<_> = found.collect();
            prop_assert_eq!(&found[0], &found[1]);
            if let Some((splits, left_out)) = &found[0] {
                let files: std::collections::BTreeSet<_> = splits.iter().flatten().collect();
                prop_assert_eq!(files.len(), splits.iter().map(Vec::len).sum::<usize>());
                prop_assert_eq!(files.len() + left_out, names.len());
            }
        }
    }
}
