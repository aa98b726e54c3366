//! Tables of scores: columns, rows, and a card that says where they come from.
//!
//! A [`ScoreTable`] is opened, written, ranked by a column, chosen from, searched for wrong labels
//! and described here, once for the command, the reports and the Python package. Its rows are not
//! the examples of a data set: [`ScoreTable::examples_in`] is the only way from the one to the other.
//!
//! Every file is written aside, synced and renamed ([`write_atomically`]): a reader never sees half
//! of one.

mod atomic;
mod calendar;
mod card;
mod cautions;
mod detections;
mod error;
mod identity;
mod keys;
mod list;
mod marked;
mod marks;
mod ranking;
mod replicas;
mod score_table;
mod sheet;
mod subset;
mod suspects;
mod table;
mod truth;
mod wrong_labels;

pub use atomic::{
    ASIDE, make_folder_atomically, remove_folder_atomically, write_atomically, write_json,
    write_new_atomically, write_new_json,
};
pub use calendar::{seconds_of, utc};
pub use card::{
    Accuracy, Card, ColumnSummary, DataRef, FailedReplica, IngestedFile, IngestedFiles,
    IngestedRun, TimePoint,
};
pub use cautions::{Made, Spelling, cautions, chance_of_order, follows_length};
pub use detections::ColumnDetection;
pub use error::{FileError, TableError};
pub use identity::{Examples, ID_NAMES, OwnIds, Rows, TrainingSet};
pub use keys::{Key, KeyError, KeyMap, Keys};
pub use list::{DATA, FINGERPRINT, ListFile, ListedIds};
pub use marked::{AmongMarked, Marked};
pub use marks::{Act, Before, MarkFile, Marks, RowIndex, Verdict, mark_time, time_text};
pub use ranking::{Ranking, direction_of, hard_end, kind_of, measure_of, time_of};
pub use replicas::{RECORDED_PASS, Recorded, TableBuilder, column_name, most_voted};
pub use score_table::{ColumnDescription, Row, ScoreFile, ScoreTable, class_names};
pub use sheet::{cell_text, plain_cell, sheet_writer};
pub use subset::{Subset, SubsetFile};
pub use suspects::{
    Extremes, Histogram, MOST_SHOWN_CLASSES, Suspect, TEXT_NAMES, TokenPlace, WorstLabels,
};
pub use table::{Column, KEY, TOKEN, Table, TableFile, TableWriter, is_detail};
pub use truth::{Truth, TruthKind};
pub use wrong_labels::{WrongLabelCount, WrongLabelEstimate};
