//! A run on disk: which files, in which order, of which epochs.

use std::path::{Path, PathBuf};

use crate::IngestError;
use crate::open::Format;

/// Dataset cartography's folder of files, inside that of a model.
const CARTOGRAPHY: &str = "training_dynamics";

/// One training: its files in the order of epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The folder or file that was named.
    pub path: PathBuf,
    /// Files of logits or probabilities.
    pub files: Vec<EpochFile>,
    /// `labels.npy` or `labels.txt` of the folder.
    pub labels: Option<PathBuf>,
    /// `ids.npy` or `ids.txt` of the folder.
    pub ids: Option<PathBuf>,
}

/// A file and the epoch that its name tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochFile {
    /// The last number in its name; `None` for a file that is the only one and has no number.
    pub epoch: Option<i64>,
    /// The file.
    pub path: PathBuf,
}

impl Run {
    /// Finds the files of a run: those of a folder, or one file.
    ///
    /// # Errors
    /// A folder without files of logits, names without numbers or with equal ones.
    pub fn find(path: &Path) -> Result<Self, IngestError> {
        if !path.is_dir() {
            std::fs::metadata(path).map_err(IngestError::io(path))?;
            Format::of(path).ok_or_else(|| IngestError::Format { path: path.to_owned() })?;
            let file = EpochFile { epoch: number(path), path: path.to_owned() };
            return Ok(Self { path: path.to_owned(), files: vec![file], labels: None, ids: None });
        }
        let mut paths = listed(path)?;
        if !paths.iter().any(|path| is_values(path)) && path.join(CARTOGRAPHY).is_dir() {
            paths = listed(&path.join(CARTOGRAPHY))?;
        }
        let side = |stem: &str| {
            let found = paths.iter().find(|path| is_side(path, stem));
            found.cloned()
        };
        let (labels, ids) = (side("labels"), side("ids"));
        paths.retain(|path| is_values(path));
        let files = in_order(path, paths)?;
        Ok(Self { path: path.to_owned(), files, labels, ids })
    }
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, IngestError> {
    let io = IngestError::io(folder);
    let entries = std::fs::read_dir(folder).map_err(&io)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(&io)?;
    paths.retain(|path| path.is_file() && !name(path).starts_with('.'));
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn is_side(path: &Path, stem: &str) -> bool {
    let ending = path.extension().is_some_and(|ending| ending == "npy" || ending == "txt");
    ending && path.file_stem().is_some_and(|found| found == stem)
}

fn is_values(path: &Path) -> bool {
    Format::of(path).is_some() && !is_side(path, "labels") && !is_side(path, "ids")
}

fn in_order(folder: &Path, paths: Vec<PathBuf>) -> Result<Vec<EpochFile>, IngestError> {
    if paths.is_empty() {
        return Err(IngestError::NoFiles { path: folder.to_owned() });
    }
    let single = paths.len() == 1;
    let mut files = Vec::new();
    for path in paths {
        let epoch = number(&path);
        if epoch.is_none() && !single {
            let reason = "its name has no number that tells its epoch".into();
            return Err(IngestError::FileName { path, reason });
        }
        files.push(EpochFile { epoch, path });
    }
    files.sort_by_key(|file| file.epoch);
    if let Some(pair) = files.windows(2).find(|pair| pair[0].epoch == pair[1].epoch) {
        let reason = format!("it is of the same epoch as {}", name(&pair[0].path));
        return Err(IngestError::FileName { path: pair[1].path.clone(), reason });
    }
    Ok(files)
}

/// The last number in the name of a file, its ending aside.
fn number(path: &Path) -> Option<i64> {
    let stem = path.file_stem()?.to_str()?;
    let digits = |c: char| !c.is_ascii_digit();
    stem.rsplit(digits).find(|part| !part.is_empty())?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        folder
    }

    #[test]
    fn files_are_in_the_order_of_their_numbers() {
        let names =
            ["e10.npy", "e9.npy", "run2-epoch_001.npz", "labels.npy", "ids.txt", "notes.md"];
        let folder = folder(&names);
        let run = Run::find(folder.path()).unwrap();
        let found: Vec<_> = run.files.iter().map(|f| (f.epoch, name(&f.path))).collect();
        let expected = [(1, "run2-epoch_001.npz"), (9, "e9.npy"), (10, "e10.npy")];
        assert_eq!(found, expected.map(|(epoch, name)| (Some(epoch), name.to_owned())));
        assert_eq!(run.labels, Some(folder.path().join("labels.npy")));
        assert_eq!(run.ids, Some(folder.path().join("ids.txt")));
    }

    #[test]
    fn names_that_tell_no_order_are_refused() {
        let find = |names: &[&str]| Run::find(folder(names).path()).unwrap_err().to_string();
        assert!(find(&["first.npy", "second.npy"]).contains("its name has no number"));
        assert!(find(&["a_1.npy", "a_01.npz"]).contains("same epoch as a_01.npz"));
        assert!(find(&["labels.npy"]).contains("holds no file of logits"));
    }

    #[test]
    fn one_file_needs_no_number_and_cartographys_folder_is_found() {
        let single = folder(&["all.parquet"]);
        assert_eq!(Run::find(single.path()).unwrap().files[0].epoch, None);
        let model = tempfile::tempdir().unwrap();
        let inside = model.path().join(CARTOGRAPHY);
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("dynamics_epoch_0.jsonl"), "").unwrap();
        assert_eq!(Run::find(model.path()).unwrap().files[0].epoch, Some(0));
    }
}
