//! What can be wrong with files of logits and losses, each with the next thing to do.

use std::path::{Path, PathBuf};

use datadiet_arrays::ArrayError;
use datadiet_core::ScoreError;
use datadiet_table::KeyError;

use crate::Batch;

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

    /// Labels or ids beside the logits, in a table that does not have them.
    #[error(transparent)]
    List(#[from] datadiet_table::TableError),

    /// A folder without files to read.
    #[error(
        "{path} holds no file of logits or losses{}; name a folder with one file an epoch, such as epoch_1.npz, epoch_2.npz, …, or one file of all epochs ({READ})", besides(.found)
    )]
    NoFiles {
        /// The folder.
        path: PathBuf,
        /// Names of the files that it has.
        found: Vec<String>,
    },

    /// A name whose ending is not one of a format.
    #[error("{path}: not a known ending; {READ} are read{}", unread(.path))]
    Format {
        /// The file.
        path: PathBuf,
    },

    /// Names of files that leave open what is what.
    #[error("{reason}; {hint}")]
    FileNames {
        /// What is not clear.
        reason: String,
        /// What decides it.
        hint: String,
    },

    /// A pattern of names that cannot be read.
    #[error("--pattern '{text}': {reason}; write it such as 'preds_{{epoch}}_{{run}}.npz'")]
    Pattern {
        /// The pattern.
        text: String,
        /// What is wrong with it.
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

    /// A file of arrays that cannot be read.
    #[error("{path}: {problem}")]
    Array {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: ArrayError,
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
        "{path}: the labels are a matrix ({found}): a multi-label problem, for which these scores are not defined; ingest each label as a binary problem of its own: one column of probabilities or logits and labels 0 or 1, or give the loss of each example; if they are one-hot, save labels.argmax(1)"
    )]
    MultiLabel {
        /// The file.
        path: PathBuf,
        /// Shape or type of the labels.
        found: String,
    },

    /// Targets that are real numbers.
    #[error(
        "{path}: label {value} of row {row} is not a whole number: a regression problem, for which these scores are not defined: give the loss of each example; for classes give their indices, 0 to K − 1"
    )]
    Regression {
        /// The file.
        path: PathBuf,
        /// Row of the file.
        row: u64,
        /// The label.
        value: f64,
    },

    /// A label that is not a class index.
    #[error("{path}: label {value} of row {row} is not a class index; give 0 to K − 1")]
    Label {
        /// The file.
        path: PathBuf,
        /// Row of the file.
        row: u64,
        /// The label.
        value: String,
    },

    /// A label that is a word.
    #[error(
        "{path}: label {value:?} of row {row} is {}", if *.named == 0 { "a name, and the file does not tell which column of values is which class; give --classes FILE with the names in that order, one a line" } else { "not one of the names that --classes gives; add it there, or correct it" }
    )]
    LabelText {
        /// The file.
        path: PathBuf,
        /// Row of the file.
        row: u64,
        /// The label.
        value: String,
        /// Number of classes whose names are known.
        named: usize,
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

    /// Predicted classes where values should be.
    #[error(
        "{path}: each row holds a single 1 and zeros: the class that was predicted, and nothing of how surely; write the logits or probabilities (if these are logits, say --kind logits)"
    )]
    OneHot {
        /// The file.
        path: PathBuf,
    },

    /// Values that are not called probabilities, and that look like them.
    #[error(
        "{path}: each row lies in [0, 1] and sums to 1 (or 100), as probabilities do, {}; say --kind probabilities",
        if *.called { "though they are called logits" } else { "and nothing says that they are" }
    )]
    LooksLikeProbabilities {
        /// The file.
        path: PathBuf,
        /// Whether they are called logits.
        called: bool,
    },

    /// Values in [0, 1] whose rows do not sum to 1.
    #[error(
        "{path}: the values lie in [0, 1], but rows do not sum to 1{}: a sigmoid for each class, counts, or logits by chance; say --kind probabilities --renormalise to divide each row by its sum, or --kind logits if no sigmoid or softmax was applied",
        if *.called { ", and they are called logits" } else { "" }
    )]
    LooksLikeFractions {
        /// The file.
        path: PathBuf,
        /// Whether they are called logits.
        called: bool,
    },

    /// Probabilities that do not sum to 1.
    #[error("{path}, example {key}: its probabilities sum to {sum:.4}, further from 1 than rounding explains (0.01); {}",
        if *.fractions { "say --renormalise to divide each row by its sum" } else { "some are above 1: for counts or percentages say --renormalise, for logits --kind logits" }
    )]
    Sum {
        /// The file.
        path: PathBuf,
        /// The id, or the number of the row.
        key: String,
        /// The sum.
        sum: f64,
        /// Whether all values are in [0, 1].
        fractions: bool,
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
        /// The problem; rows are counted within a batch.
        problem: ScoreError,
    },

    /// An example that occurs twice in an epoch with different values.
    #[error(
        "{path}: example {key} occurs twice in epoch {epoch}, with different values; give each example one row an epoch; say --keep-first to take the first of its rows, or --per-step if each file is one step of training"
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

    /// Rows in no known order, and a column that may tell.
    #[error(
        "{path} has no column that is known for ids, but {}; say --id {} if it is the id of an example, or --id none if rows are the same examples in every file", columns.iter().map(|name| as_word(name)).collect::<Vec<_>>().join(", "), as_word(&columns[0])
    )]
    UnusedIds {
        /// The file.
        path: PathBuf,
        /// Columns that look like ids.
        columns: Vec<String>,
    },

    /// Parts of several processes without ids.
    #[error(
        "{path} is of one process of several and has no ids: samplers deal the examples out, so that nothing says which rows are of one example; add a column or array `id`"
    )]
    NoIdsOfProcess {
        /// The file.
        path: PathBuf,
    },

    /// Folds of which it is not clear what they are.
    #[error(
        "{path} {reason}: folds may be runs over the same examples, or parts of one run; say which with --pattern, such as --pattern 'fold_{{run}}.npz' or --pattern 'fold_{{part}}.npz'"
    )]
    Folds {
        /// A file or folder.
        path: PathBuf,
        /// Why.
        reason: &'static str,
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
        "{path} holds no labels; put them beside the logits, or give --labels FILE (npy or text, one label an example); of losses give --kind losses"
    )]
    NoLabels {
        /// The file.
        path: PathBuf,
    },

    /// Labels or ids of another number than the rows that they are for.
    #[error("{file} has {items} {what}, but {path} has {rows} rows{}; give one for each row", if *.or_more { " or more" } else { "" })]
    Beside {
        /// The file of labels or ids.
        file: PathBuf,
        /// How many it has.
        items: usize,
        /// What they are.
        what: &'static str,
        /// The file of values.
        path: PathBuf,
        /// Its rows, with the rows of the parts before it.
        rows: u64,
        /// Whether it may have more.
        or_more: bool,
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
        run: String,
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

    /// A threshold that no loss is compared with.
    #[error(
        "--threshold is {threshold}; give the loss down to which an example counts as learned, a finite number"
    )]
    Threshold {
        /// What was given.
        threshold: f32,
    },

    /// Ids that there is no room for.
    #[error(transparent)]
    Keys(#[from] KeyError),

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
        ScoreError::NegativeProbability { class, value, .. } => format!(
            "{value} of class {class} is not a probability; if they are logits, say --kind logits"
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

/// What is read, for messages.
const READ: &str = "npy, npz, safetensors, parquet, arrow, feather, jsonl, json, csv, tsv (texts also as .gz, .zst)";

/// What no file of values lacks.
const VALUES: &str = "logits, probabilities or losses";

/// Files of other formats that a folder has.
fn besides(found: &[String]) -> String {
    match found {
        [] => String::new(),
        found => format!(
            " (it has {}{})",
            found.iter().take(4).cloned().collect::<Vec<_>>().join(", "),
            if found.len() > 4 { ", …" } else { "" }
        ),
    }
}

/// How to turn files of known other formats into ones that are read.
fn unread(path: &Path) -> &'static str {
    let ending = path.extension().and_then(std::ffi::OsStr::to_str).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "pt" | "pth" | "ckpt" | "bin" => {
            ": a file of PyTorch may run any program; save numpy.savez(path, logits=…, labels=…)"
        }
        "pkl" | "pickle" | "joblib" => {
            ": a pickle may run any program; save numpy.savez(path, logits=…, labels=…)"
        }
        "h5" | "hdf5" | "keras" | "mat" => ": save numpy.savez(path, logits=…, labels=…)",
        "xlsx" | "xls" | "ods" => ": save the table as CSV or Parquet",
        "zip" | "tar" | "bz2" | "xz" | "7z" | "gz" | "zst" => ": unpack it first",
        _ => "",
    }
}

/// A name as a shell takes it: that of a frame's own index is empty.
pub(crate) fn as_word(name: &str) -> String {
    let plain = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '\'');
    if plain { name.to_owned() } else { format!("'{}'", name.replace('\'', r"'\''")) }
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

    /// Wraps the error of a file of arrays.
    pub(crate) fn array(path: &Path) -> impl Fn(ArrayError) -> Self {
        let path = path.to_owned();
        move |problem| match problem {
            ArrayError::Io(cause) => Self::io(&path)(cause),
            ArrayError::Damaged(reason) => Self::Damaged { path: path.clone(), reason },
            problem => Self::Array { path: path.clone(), problem },
        }
    }

    pub(crate) fn damaged(path: &Path, reason: impl ToString) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.to_string() }
    }

    /// A file that holds no values.
    pub(crate) fn no_values(path: &Path, found: Vec<String>) -> Self {
        Self::Missing {
            path: path.to_owned(),
            what: VALUES,
            found,
            hint: "call the array, column or field `logits` or `probs` (columns of one class each \
                   `logit_0`, `logit_1`, …) or `loss`, or name it with --values",
        }
    }

    /// A table with losses of nobody.
    pub(crate) fn log(path: &Path, found: Vec<String>) -> Self {
        Self::Missing {
            path: path.to_owned(),
            what: VALUES,
            found,
            hint: "a loss and no ids is what a trainer logs of its batches and epochs; name the ids \
                   with --id, or say --kind losses if each row is the loss of one example",
        }
    }

    /// Epochs in names of columns and in a column.
    pub(crate) fn epochs_twice(path: &Path, column: &str) -> Self {
        Self::shape(
            path,
            format!(
                "it has losses of several epochs in each row, and epochs in {column}; name the one \
                 column of losses to read with --values, or say --epoch none"
            ),
        )
    }

    /// A value that is null.
    pub(crate) fn missing_value(path: &Path, batch: &Batch, row: usize, place: &str) -> Self {
        let reason = format!(
            "{place} holds nothing (null) for example {}: a missing value, as pandas writes NaN; \
             leave the row out, or fill it in",
            batch.example(row)
        );
        Self::Row { path: path.to_owned(), row: batch.first + row as u64, reason }
    }

    /// Whether a file is whole and simply holds something else than values.
    pub(crate) fn is_of_other_content(&self) -> bool {
        matches!(self, Self::Missing { what, .. } if *what == VALUES)
            || matches!(self, Self::Type { .. } | Self::Shape { .. })
    }

    pub(crate) fn shape(path: &Path, reason: impl ToString) -> Self {
        Self::Shape { path: path.to_owned(), reason: reason.to_string() }
    }
}
