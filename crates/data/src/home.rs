//! The folder that holds every imported data set: `<home>/<name>/dataset.safetensors`.
//!
//! Which folder that is, the caller decides. Entries whose name starts with a dot are work in
//! progress and are not listed.

use crate::fetch::FETCHABLE;
use crate::{DataError, Dataset, Result};
use datadiet_core::nearest;
use etcetera::BaseStrategy;
use std::path::{Path, PathBuf};

/// Name of the cache file in a data set's folder.
const FILE: &str = "dataset.safetensors";

/// The folder of data sets and runs where nobody names another: `datadiet` in the user's data folder; none for a
/// user without a home.
pub fn user_root() -> Option<PathBuf> {
    Some(etcetera::choose_base_strategy().ok()?.data_dir().join("datadiet"))
}

/// The folder of imported data sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataHome(PathBuf);

/// One line of a listing.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetSummary {
    /// Name of the data set.
    pub name: String,
    /// Its cache file.
    pub path: PathBuf,
    /// What is in it, or why it cannot be opened.
    pub contents: std::result::Result<DatasetContents, String>,
}

/// Sizes of a data set that can be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetContents {
    /// Number of training examples.
    pub train: usize,
    /// Number of test examples.
    pub test: Option<usize>,
    /// Number of classes.
    pub classes: usize,
    /// Height, width, channels.
    pub shape: [usize; 3],
    /// Where the data came from.
    pub source: String,
    /// The fingerprint.
    pub fingerprint: String,
}

impl DataHome {
    /// A home at `path`, which need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Data sets in a folder of data sets and runs.
    pub fn within(root: &Path) -> Self {
        Self::new(root.join("data"))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Where the cache file of `name` is, or would be.
    pub fn path_of(&self, name: &str) -> PathBuf {
        self.0.join(name).join(FILE)
    }

    /// All imported data sets by name; damaged ones too, with the reason.
    pub fn list(&self) -> Vec<DatasetSummary> {
        self.names().into_iter().map(|name| self.summarise(name)).collect()
    }

    fn names(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(&self.0) else { return Vec::new() };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| check_name(name).is_ok() && self.path_of(name).is_file())
            .collect();
        names.sort();
        names
    }

    fn summarise(&self, name: String) -> DatasetSummary {
        let contents =
            Dataset::open(self, &name).map_err(|error| error.to_string()).map(|dataset| {
                DatasetContents {
                    train: dataset.train().len(),
                    test: dataset.test().map(|test| test.len()),
                    classes: dataset.classes().len(),
                    shape: [dataset.height(), dataset.width(), dataset.channels()],
                    source: dataset.source().to_owned(),
                    fingerprint: dataset.fingerprint().to_owned(),
                }
            });
        DatasetSummary { path: self.path_of(&name), name, contents }
    }

    /// The error for a name that is not there: what was meant, and what to run.
    pub(crate) fn unknown(&self, name: &str) -> DataError {
        let imported = self.names();
        let known = imported.iter().map(String::as_str).chain(FETCHABLE);
        let near = nearest(name, known).filter(|near| *near != name);
        let wanted = near.unwrap_or(name);
        let hint = if imported.iter().any(|name| name == wanted) {
            format!("imported are {}", imported.join(", "))
        } else if FETCHABLE.contains(&wanted) {
            format!("run `datadiet data fetch {wanted}`")
        } else {
            format!(
                "run `datadiet data import PATH --name {name}`, or `datadiet data fetch NAME` for {}",
                FETCHABLE.join(", ")
            )
        };
        DataError::UnknownDataset { name: name.into(), nearest: near.map(str::to_owned), hint }
    }
}

/// Refuses names that would leave the home or cannot be folders everywhere.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(allowed) {
        return Ok(());
    }
    Err(DataError::InvalidName { name: name.into() })
}
