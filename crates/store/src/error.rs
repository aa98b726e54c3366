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
    #[error(
        "run {id} is locked by {holder}; wait for it to end, or end that process and try again"
    )]
    Locked {
        /// The run.
        id: String,
        /// Process and time, as the holder wrote them.
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
