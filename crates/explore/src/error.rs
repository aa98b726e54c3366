//! What can go wrong before anything is served.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A page that cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ExploreError {
    /// The table, a list or the marks.
    #[error(transparent)]
    Table(#[from] datadiet_table::TableError),
    /// A file.
    #[error(transparent)]
    File(#[from] datadiet_table::FileError),
    /// A choice that cannot be made.
    #[error(transparent)]
    Selection(#[from] datadiet_core::SelectionError),
    /// Pictures or texts that do not belong to the rows.
    #[error("{0}")]
    Contents(String),
    /// An option that makes no sense.
    #[error("{0}")]
    Option(String),
    /// The address is taken, or not ours.
    #[error(
        "cannot listen on {address}: {cause}; give another --port, or leave it out for a free one"
    )]
    Bind {
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// The system does not give what a server needs.
    #[error("cannot serve: {0}")]
    Serve(#[from] std::io::Error),
    /// A picture that cannot be read or drawn.
    #[error("cannot show {path}: {cause}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}
