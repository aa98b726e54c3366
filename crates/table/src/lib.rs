//! Tables of examples, one row each, as Parquet and in memory.
//!
//! Every file is written aside, synced and renamed ([`write_atomically`]): a reader never sees half
//! of one.

mod atomic;
mod error;
mod table;

pub use atomic::{write_atomically, write_json};
pub use error::{FileError, TableError};
pub use table::{Column, KEY, Table, TableFile, TableWriter, is_detail};
