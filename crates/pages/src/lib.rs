//! From a table of scores to a page and to pictures: which figures, which tables, in which words.
//!
//! The command and the Python package write the same ones. It knows of pictures what [`Pictures`]
//! says: pixels of a row of the table, wherever they are kept.

mod gallery;
mod scores;
mod write;

pub use gallery::{extremes_picture, suspects_picture};
pub use scores::{
    ScoresView, brief_sections, provenance, scores_sections, suspects_of, suspects_table,
};
pub use write::write;

use datadiet_table::Row;

/// The images of the examples in a table.
pub trait Pictures {
    /// The 8-bit pixels of a row and their shape: height, width, channels (1 or 3).
    fn pixels(&self, row: Row) -> Option<(&[u8], [usize; 3])>;
}

/// A page or picture that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The table does not have what is shown.
    #[error(transparent)]
    Table(#[from] datadiet_table::TableError),
    /// A figure cannot be drawn.
    #[error(transparent)]
    Report(#[from] datadiet_report::ReportError),
    /// A file cannot be written.
    #[error(transparent)]
    File(#[from] datadiet_table::FileError),
    /// A picture cannot be encoded.
    #[error(transparent)]
    Picture(#[from] image::ImageError),
    /// There is nothing on the page.
    #[error("there is nothing to report")]
    Empty,
}
