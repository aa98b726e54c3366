//! The folder that holds all runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datadiet_table::{ASIDE, write_atomically};

use crate::store_lock::StoreLock;

use crate::{
    ListRef, Measurement, MeasurementFolder, RunFolder, RunId, RunSpec, StoreError, lists,
};

/// A folder of runs with a layout version. While it is open, nothing that no run needs yet is removed.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    lock: Arc<StoreLock>,
}

impl Store {
    /// The layout that this program reads and writes.
    pub const LAYOUT: u32 = 1;

    /// Opens the store at `root`, making it when it does not exist.
    ///
    /// # Errors
    /// When the folder cannot be written, or holds a store with another layout; when another process
    /// is cleaning it up and does not end.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let marker = root.join("STORE");
        match std::fs::read_to_string(&marker) {
            Ok(text) => check_version(&root, &text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                write_atomically(&marker, |file| {
                    use std::io::Write;
                    writeln!(file, "datadiet store, layout {}", Self::LAYOUT)
                })?;
            }
            Err(error) => return Err(StoreError::io("read", &marker)(error)),
        }
        let lock = Arc::new(StoreLock::share(&root)?);
        Ok(Self { root, lock })
    }

    pub(crate) fn lock(&self) -> &StoreLock {
        &self.lock
    }

    /// Where the store is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the run that `spec` describes; nothing is written yet.
    pub fn run(&self, spec: &RunSpec) -> RunFolder {
        let id = RunId::of(spec);
        let path = self.root.join("runs").join(id.as_str());
        RunFolder::new(path, id)
    }

    /// The folder of a measurement; nothing is written yet.
    pub fn measurement(&self, measurement: &Measurement) -> MeasurementFolder {
        MeasurementFolder::of(&self.root, measurement)
    }

    /// Keeps a list of ids or labels for specifications to refer to.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_list(&self, values: &[u32]) -> Result<ListRef, StoreError> {
        lists::keep(&self.root, values)
    }

    /// Reads a list that was kept.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read_list(&self, list: &ListRef) -> Result<Vec<u32>, StoreError> {
        lists::read(&self.root, list)
    }

    /// The folders of all runs, by id. Some may be damaged: [`RunFolder::open`] tells.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn run_folders(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut paths = entries(&self.root.join("runs"))?;
        paths.retain(|path| path.is_dir() && !is_aside(path));
        Ok(paths)
    }
}

/// What is in a folder, by name; nothing where there is no such folder.
pub(crate) fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("read", folder)(error)),
    };
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(StoreError::io("read", folder))?;
    paths.sort();
    Ok(paths)
}

/// Whether it is being written or removed, or was left behind half-written.
pub(crate) fn is_aside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(ASIDE))
}

fn check_version(root: &Path, text: &str) -> Result<(), StoreError> {
    let found = text.trim().rsplit(' ').next().unwrap_or_default();
    if found == Store::LAYOUT.to_string() {
        return Ok(());
    }
    Err(StoreError::Version {
        path: root.to_owned(),
        found: if found.is_empty() { "unknown".into() } else { found.into() },
        expected: Store::LAYOUT,
    })
}
