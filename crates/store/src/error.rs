//! Everything that can go wrong on disk, each with the next thing to do.

use std::path::{Path, PathBuf};

use datadiet_table::{FileError, TableError};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be read or written, or is not what it should be.
    #[error(transparent)]
    File(#[from] FileError),
    /// A table of scores, or a list, has other columns than it should have.
    #[error(transparent)]
    Table(TableError),
    /// The store was made by a version of datadiet with another layout.
    #[error(
        "the store {path} has layout version {found}, this datadiet reads version {expected}; \
         use another folder (--store DIR) or the datadiet that made it"
    )]
    Version {
        /// The store.
        path: PathBuf,
        /// The version that its STORE file names.
        found: String,
        /// The version that this program writes.
        expected: u32,
    },
    /// Another process is training this run.
    #[error("{id} is locked by {holder}; wait for it to end, or end that process and try again")]
    Locked {
        /// The run or the measurement.
        id: String,
        /// Process, machine, job and time, as the holder wrote them.
        holder: String,
    },
    /// Another process has taken this run over from this one.
    #[error(
        "{id} is no longer trained here: this process did not answer for so long that {holder} took it over; \
         nothing more is written here"
    )]
    Fenced {
        /// The run or the measurement.
        id: String,
        /// Process, machine, job and time, as the next holder wrote them.
        holder: String,
    },
    /// Another process removes what no run needs.
    #[error(
        "the store {0} is being cleaned up by another `datadiet runs gc`; try again when it has ended"
    )]
    Cleaning(PathBuf),
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::File(error) => error.into(),
            error => Self::Table(error),
        }
    }
}

impl StoreError {
    /// What is in `folder` is held by somebody else.
    pub(crate) fn locked(folder: &Path, holder: String) -> Self {
        Self::Locked { id: name(folder), holder }
    }

    /// What is in `folder` was taken over by somebody else.
    pub(crate) fn fenced(folder: &Path, holder: String) -> Self {
        Self::Fenced { id: name(folder), holder }
    }

    /// Wraps an I/O error with what was tried and where.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let wrapped = FileError::io(action, path);
        move |cause| wrapped(cause).into()
    }

    /// A file that is not what it should be.
    pub fn damaged(path: &Path, reason: impl ToString) -> Self {
        FileError::damaged(path, reason).into()
    }
}

/// What a folder of the store is of, for a person.
fn name(folder: &Path) -> String {
    let is_measurement = folder.parent().is_some_and(|parent| parent.ends_with("measurements"));
    let kind = if is_measurement { "measurement" } else { "run" };
    format!("{kind} {}", folder.file_name().unwrap_or_default().to_string_lossy())
}
