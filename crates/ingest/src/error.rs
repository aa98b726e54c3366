//! What can be wrong with files of logits, each with the next thing to do.

use std::path::{Path, PathBuf};

use datadiet_core::ScoreError;

/// A file or run that no score can be computed from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {cause}")]
    Io {
        /// Where.
        path: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },

    /// A folder without files to read.
    #[error(
        "{path} holds no file of logits; name a folder with one file an epoch, such as epoch_1.npz, epoch_2.npz, …, or one file of all epochs (npy, npz, safetensors, parquet, arrow, jsonl)"
    )]
    NoFiles {
        /// The folder.
        path: PathBuf,
    },

    /// A name whose ending is not one of a format.
    #[error(
        "{path}: not a known ending; these are: .npy, .npz, .safetensors, .parquet, .arrow (.feather, .ipc), .arrows, .jsonl (.ndjson)"
    )]
    Format {
        /// The file.
        path: PathBuf,
    },

    /// Two files of a folder are of the same epoch, or a name has no number.
    #[error("{path}: {reason}; name the files by epoch, such as epoch_1.npz, epoch_2.npz")]
    FileName {
        /// The file.
        path: PathBuf,
        /// What is wrong with its name.
        reason: String,
    },

    /// A file that ends early, or is not what its name says.
    #[error("{path} is damaged: {reason}; write it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// A pickle inside an npy or npz.
    #[error(
        "{path}: {array} holds pickled Python objects, which are never loaded: they can run any program; save numbers, or texts with `numpy.asarray(ids, dtype=str)`"
    )]
    Pickle {
        /// The file.
        path: PathBuf,
        /// The array.
        array: String,
    },

    /// A compressed member that expands beyond what is allowed.
    #[error(
        "{path}: {member} expands from {packed} to {unpacked} bytes, more than {limit} are allowed for its size; if it is not an attack, save it uncompressed (numpy.savez)"
    )]
    Bomb {
        /// The file.
        path: PathBuf,
        /// The member.
        member: String,
        /// Its size in the file.
        packed: u64,
        /// Its declared size, or what came out before reading stopped.
        unpacked: u64,
        /// The most that is allowed.
        limit: u64,
    },

    /// A type of numbers that is not read.
    #[error("{path}: {array} is of type {found}; {wanted}")]
    Type {
        /// The file.
        path: PathBuf,
        /// The array or column.
        array: String,
        /// Its type.
        found: String,
        /// What is read there.
        wanted: &'static str,
    },

    /// An array or column is not there.
    #[error("{path} has no {what}; it has {}; {hint}", list(.found))]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// Names of what is there.
        found: Vec<String>,
        /// What to do.
        hint: &'static str,
    },

    /// Several arrays or columns that could each be the one.
    #[error("{path} has several {what}: {}; name the one to read with {option}", list(.found))]
    Several {
        /// The file.
        path: PathBuf,
        /// What they are, as their names say.
        what: &'static str,
        /// Their names.
        found: Vec<String>,
        /// The option that chooses.
        option: &'static str,
    },

    /// Arrays whose shapes do not fit.
    #[error("{path}: {reason}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Which, and what was expected.
        reason: String,
    },

    /// Targets of a multi-label problem.
    #[error(
        "{path}: the labels are a matrix ({found}): a multi-label problem, for which these scores are not defined; ingest each label as a binary problem of its own: one column of probabilities or logits and labels 0 or 1; if they are one-hot, save labels.argmax(1)"
    )]
    MultiLabel {
        /// The file.
        path: PathBuf,
        /// Shape or type of the labels.
        found: String,
    },

    /// Targets that are real numbers.
    #[error(
        "{path}: label {value} of row {row} is no whole number: a regression problem, for which these scores are not defined; for classes give their indices, 0 to K − 1"
    )]
    Regression {
        /// The file.
        path: PathBuf,
        /// Row of the file.
        row: u64,
        /// The label.
        value: f64,
    },

    /// A label that is no class index.
    #[error("{path}: label {value} of row {row} is no class index; give 0 to K − 1")]
    Label {
        /// The file.
        path: PathBuf,
        /// Row of the file.
        row: u64,
        /// The label.
        value: String,
    },

    /// A row that cannot be read.
    #[error("{path}: row {row}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Row of the file, from 0; of a text file its line, from 1.
        row: u64,
        /// What is wrong.
        reason: String,
    },

    /// Files of different numbers of classes.
    #[error("{path} has {found} classes, files before it had {expected}; ingest them apart")]
    Classes {
        /// The file.
        path: PathBuf,
        /// Classes so far.
        expected: usize,
        /// Classes of this file.
        found: usize,
    },

    /// Logits where there were probabilities, or the other way round.
    #[error("{path} holds {found}, files before it had {expected}; say which with --kind")]
    Kind {
        /// The file.
        path: PathBuf,
        /// The kind so far.
        expected: super::Kind,
        /// The kind of this file.
        found: super::Kind,
    },

    /// Values that nothing calls probabilities, and that look like them.
    #[error(
        "{path}: each row looked at lies in [0, 1] and sums to 1, as probabilities do, and nothing says that they are; say --kind probabilities, or --kind logits if they are none"
    )]
    LooksLikeProbabilities {
        /// The file.
        path: PathBuf,
    },

    /// Rows that no score can be taken of.
    #[error("{path}, epoch {epoch}, example{} {}: {}", if .keys.len() == 1 { "" } else { "s" }, .keys.join(", "), said(.problem))]
    Scores {
        /// The file.
        path: PathBuf,
        /// The epoch, as the file numbers it.
        epoch: i64,
        /// Ids as they are in the file; the first few.
        keys: Vec<String>,
        /// The problem; rows are those of a batch.
        problem: ScoreError,
    },

    /// An example that occurs twice in an epoch.
    #[error(
        "{path}: example {key} occurs twice in epoch {epoch}; give each example one row an epoch (if each file is one step of training, say --per-step)"
    )]
    Repeated {
        /// The file.
        path: PathBuf,
        /// The epoch.
        epoch: i64,
        /// The id.
        key: String,
    },

    /// An example whose label is not the same everywhere.
    #[error(
        "{path}: example {key} has label {now}, but had {before}; scores over time need one label an example, the same in every epoch and run"
    )]
    LabelChanged {
        /// The file.
        path: PathBuf,
        /// The id.
        key: String,
        /// The label so far.
        before: u32,
        /// The label here.
        now: u32,
    },

    /// Rows of several epochs, or steps, without ids.
    #[error(
        "{path} holds rows of several epochs or steps and no ids, so that nothing says which rows are of one example; add a column or array `id`, or write one file an epoch with the examples in the same order"
    )]
    NoIds {
        /// The file.
        path: PathBuf,
    },

    /// Ids that are numbers here and row numbers there.
    #[error(
        "{path} has {found}, files before it had {expected}; give all files ids of one kind, or none"
    )]
    MixedIds {
        /// The file.
        path: PathBuf,
        /// What came before.
        expected: &'static str,
        /// What is here.
        found: &'static str,
    },

    /// Nothing says what the labels are.
    #[error(
        "{path} holds no labels; put them beside the logits, or give --labels FILE (npy or text, one label an example)"
    )]
    NoLabels {
        /// The file.
        path: PathBuf,
    },

    /// Labels from a file of their own that lacks an example.
    #[error("{labels} has no label for example {key} of {path}; {hint}")]
    NoLabelOf {
        /// The file of labels.
        labels: PathBuf,
        /// The id.
        key: String,
        /// The file of logits.
        path: PathBuf,
        /// What to do.
        hint: &'static str,
    },

    /// Runs whose epochs differ, so that no mean can be taken.
    #[error(
        "{run} has epochs {found}, the first run has {expected}; replicas need the same epochs: leave files out, or ingest it apart"
    )]
    Epochs {
        /// The run.
        run: PathBuf,
        /// Epochs of the first run.
        expected: String,
        /// Epochs of this one.
        found: String,
    },

    /// An epoch that was asked for and is not there.
    #[error("there is no epoch {asked}; the epochs are {found}")]
    NoEpoch {
        /// The epoch asked for.
        asked: i64,
        /// Those there are.
        found: String,
    },

    /// Too many examples to number.
    #[error("{path}: more than 2³² − 1 examples; ingest the data in parts")]
    TooManyExamples {
        /// The file.
        path: PathBuf,
    },

    /// Nothing was read.
    #[error("{path} holds no rows")]
    Empty {
        /// The run.
        path: PathBuf,
    },
}

/// A problem in the words of files: the core speaks of rows of its arguments, and of functions.
fn said(problem: &ScoreError) -> String {
    match problem {
        ScoreError::NotNormalised { sum, tolerance, .. } => format!(
            "its probabilities sum to {sum}, further than {tolerance} from 1; if they are logits, \
             say --kind logits"
        ),
        ScoreError::NegativeProbability { class, value, .. } => format!(
            "{value} of class {class} is no probability; if they are logits, say --kind logits"
        ),
        ScoreError::LabelOutOfRange { label, classes, .. } => format!(
            "label {label}, but there are {classes} columns of values (classes 0 to {}); map the \
             labels to these",
            classes - 1
        ),
        ScoreError::NonFinite { total, .. } => format!(
            "NaN or infinity among the values (of {total} examples here); training has probably \
             diverged: lower the learning rate, or leave the epochs from there on out"
        ),
        other => other.to_string(),
    }
}

fn list(names: &[String]) -> String {
    match names {
        [] => "nothing".into(),
        names => names.join(", "),
    }
}

impl IngestError {
    /// Wraps an I/O error with where it happened; an end that came early is damage.
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| match cause.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Self::Damaged { path: path.clone(), reason: "it ends too early".into() }
            }
            std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
                Self::Damaged { path: path.clone(), reason: cause.to_string() }
            }
            _ => Self::Io { path: path.clone(), cause },
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn shape(path: &Path, reason: impl ToString) -> Self {
        Self::Shape { path: path.to_owned(), reason: reason.to_string() }
    }
}
