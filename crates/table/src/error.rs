//! What can go wrong with files and tables, each with the next thing to do.

use std::path::{Path, PathBuf};

/// A file that cannot be read or written, or is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
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

impl FileError {
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

/// An error of a table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// Its file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its columns differ in length, one lacks that was asked for, or holds what it cannot.
    #[error("{0}")]
    Column(String),
    /// There is no such table.
    #[error(
        "there is no {}; `datadiet score` writes its table to scores/DATA-MODEL-ID, `datadiet \
         ingest` to scores/NAME-ID",
        .0.display()
    )]
    Absent(PathBuf),
    /// A file of another kind.
    #[error(
        "{} is not a table of scores: give the folder of the results, or its scores.parquet",
        .0.display()
    )]
    NotATable(PathBuf),
    /// Its card is damaged, or of a newer version.
    #[error("{0}")]
    Card(String),
    /// Its rows are not those that they are taken for.
    #[error("{0}")]
    Ids(String),
    /// A file of ids, labels or known errors does not say what it should.
    #[error("{0}")]
    List(String),
    /// A label that is too large to be the number of a class.
    #[error(
        "row {row} has label {label}: no class's index; labels are the numbers of classes, below \
         {most}"
    )]
    Label {
        /// The row.
        row: usize,
        /// Its label.
        label: u32,
        /// Classes that a table may have.
        most: usize,
    },
    /// A statistic of a column cannot be computed.
    #[error(transparent)]
    Statistics(#[from] datadiet_core::StatsError),
}
