//! Everything that can go wrong on disk, each with the next thing to do.

use std::path::{Path, PathBuf};

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}: {cause}{}", hint(cause))]
    Io {
        /// What was tried: "read", "write", …
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// A file was read but is not what it should be.
    #[error(
        "{path} is damaged ({reason}); if it is part of a run, `datadiet runs gc --yes` removes \
         that run and the same command trains it again; else make it again"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
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
    /// A table has columns of different length, or lacks one that was asked for.
    #[error("{0}")]
    Table(String),
}

fn hint(cause: &std::io::Error) -> &'static str {
    match cause.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "; free some space and run the same command again: finished work is kept"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "; choose a folder that you may write to (--store DIR, --out DIR or DATADIET_HOME)"
        }
        _ => "",
    }
}

impl StoreError {
    /// Wraps an I/O error with what was tried and where.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { action, path, cause }
    }

    /// A file that is not what it should be.
    pub fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }
}
