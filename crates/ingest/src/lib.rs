//! Scores from anyone's training loop: readers of logits, probabilities or losses by example id over time.
//!
//! A run is one training: a folder with one file an epoch, or one file of all epochs. Several runs
//! are replicas. [`find`] tells runs, epochs and parts by the names of files. Each format is a [`Reader`] in its own file that yields bounded batches of rows
//! (`npy`, `npz`, `safetensors`, Parquet, Arrow IPC, JSON lines, CSV); [`ingest()`] feeds them to one
//! [`datadiet_core::TrajectoryRecorder`] a run, or [`datadiet_core::LossRecorder`], so memory grows with the number of examples alone:
//! not with epochs, runs or the size of a file (a record batch of Arrow excepted, which is in memory
//! as a whole). Finished columns lie on disk; who makes a table of them ([`Ingested::column`]) has
//! as many in memory as it asks for.
//!
//! Ids may be any whole numbers or texts, in any order: [`IdMap`] numbers the examples 0 to n − 1
//! in sorted order and keeps the original keys. What cannot be read is an [`IngestError`] that
//! names the file, the row or the example, and what to do next.
//!
//! Targets of logits are single classes. One column of a binary problem is read as two (see [`batch::Kind`]).
//! Multi-label targets and regression are refused: of these there are losses to read.

mod arrays;
mod arrow_ipc;
mod arrow_sizes;
pub mod batch;
mod by_epoch;
mod cells;
mod columns;
mod csv;
mod error;
mod fields;
mod file_name;
mod guard;
mod id_map;
mod ingest;
mod json_lines;
mod layout;
mod names;
mod open;
mod parquet;
mod pass;
mod pattern;
mod plan;
mod recorder;
mod recording;
mod side;
mod source;
mod spool;
mod table;
mod text;

pub use batch::{Batch, Kind, Reader, Said};
pub use cells::ClassNames;
pub use datadiet_table::Keys;
pub use error::IngestError;
pub use id_map::IdMap;
pub use ingest::{Ingested, IngestedRun, Options, ReadFile, ingest};
pub use names::Names;
pub use open::open;
pub use pattern::Pattern;
pub use source::{Found, Run, RunFile, SideFile, find};
pub use table::IntoTableError;
