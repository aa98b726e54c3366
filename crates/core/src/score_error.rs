//! What can be wrong with the arrays that a score is asked of. Each message ends with the next
//! thing to do.

use thiserror::Error;

use crate::{ExampleId, ParseScoreKindError};

/// How far the probabilities of one row may sum from 1: wide enough for probabilities that were
/// rounded to two digits, or to `bf16` (which moves a sum by up to 2⁻⁹, and a little more in a softmax
/// that works in it), narrow enough to catch logits and percentages. A row that is off by more than
/// the arithmetic of 32-bit floats explains, 10⁻⁴, is divided by its sum.
pub const PROBABILITY_TOLERANCE: f64 = 0.01;

/// Classes that labels may be of: above this a label is taken for a mistake, and counting the
/// classes would take memory without end.
pub const MOST_CLASSES: u32 = 1 << 20;

/// An array that no score can be computed from.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// An array has another length than its companions ask for.
    #[error(
        "{what}: expected {expected} values, found {found}; pass a row-major n × K matrix and one label (and one id) for each row"
    )]
    ShapeMismatch {
        /// Which array.
        what: &'static str,
        /// Length that the other arguments ask for.
        expected: usize,
        /// Length that was passed.
        found: usize,
    },

    /// Another number of classes than before.
    #[error("{found} columns, expected {expected}; pass all classes, in the same order every time")]
    OtherClasses {
        /// The number so far.
        expected: usize,
        /// The number passed.
        found: usize,
    },

    /// Fewer than two classes: every score would be constant.
    #[error(
        "{classes} class(es): a score needs at least 2; for a binary problem with one logit z pass the two columns [0, z]"
    )]
    TooFewClasses {
        /// The number passed.
        classes: usize,
    },

    /// A label is not a class index.
    #[error("row {row} has label {label}, but there are {classes} classes (0 to {}); map the labels to 0..K, or pass the right number of classes", .classes - 1)]
    LabelOutOfRange {
        /// Row of the arrays passed.
        row: usize,
        /// Its label.
        label: u32,
        /// Number of classes K.
        classes: usize,
    },

    /// NaN or infinite entries.
    #[error(
        "{what}: {total} row(s) hold NaN or infinity, first rows {rows:?}; {}",
        after_non_finite(what)
    )]
    NonFinite {
        /// Which array.
        what: &'static str,
        /// The first few rows concerned.
        rows: Vec<usize>,
        /// How many rows are concerned.
        total: usize,
    },

    /// A row of probabilities does not sum to one.
    #[error(
        "row {row} of the probabilities sums to {sum}, further than {tolerance} from 1; if these are logits, pass them as logits; if they are counts, divide each row by its sum first"
    )]
    NotNormalised {
        /// Row of the matrix.
        row: usize,
        /// Sum of its entries.
        sum: f64,
        /// Distance from 1 that is allowed, [`PROBABILITY_TOLERANCE`].
        tolerance: f64,
    },

    /// A probability below zero.
    #[error(
        "row {row}, class {class}: {value} is not a probability; if these are logits, pass them as logits"
    )]
    NegativeProbability {
        /// Row of the matrix.
        row: usize,
        /// Column of the matrix.
        class: usize,
        /// The entry.
        value: f32,
    },

    /// Labels that are not those of sequences of some length.
    #[error(
        "{labels} labels are no sequences of {length} tokens; pass B × T labels, T at least 1, and logits of the same B and T"
    )]
    NoTokens {
        /// How many labels.
        labels: usize,
        /// Tokens of a sequence.
        length: usize,
    },

    /// A token's label is neither a class nor the value that marks a token without one.
    #[error(
        "sequence {sequence}, position {position}: the label {label} is neither a class (0 to {}) nor the ignored value {ignore}; pass as ignore_index what marks tokens without a label, and logits over all classes", .classes - 1
    )]
    TokenLabel {
        /// Row of the batch.
        sequence: usize,
        /// Place in the row.
        position: usize,
        /// The label.
        label: i64,
        /// Number of classes.
        classes: usize,
        /// The value that is no label.
        ignore: i64,
    },

    /// A logarithm of a probability above zero.
    #[error(
        "sequence {sequence}, position {position}: {value} is not a log-probability, which is at most 0; pass losses with the sign turned, logits as logits, and logarithms of probabilities"
    )]
    PositiveLogProbability {
        /// Row of the batch.
        sequence: usize,
        /// Place in the row.
        position: usize,
        /// The value.
        value: f64,
    },

    /// A label of a multi-label task that is neither 0 nor 1.
    #[error(
        "row {row}, label {label}: {value} is neither 0 nor 1; scores of several labels need each given or not: leave out examples with unknown ones, and record soft labels by their losses"
    )]
    NotZeroOrOne {
        /// Row of the matrix.
        row: usize,
        /// Column of the matrix.
        label: usize,
        /// The value.
        value: u8,
    },

    /// An example id beyond the training set.
    #[error(
        "row {row} has example id {id}, but the recorder was made for {examples} examples; make it with the size of the full training set, not of the subset"
    )]
    IdOutOfRange {
        /// Row of the minibatch.
        row: usize,
        /// Its id.
        id: u32,
        /// Number of examples tracked.
        examples: usize,
    },

    /// A saved tracker lacks a column.
    #[error(
        "the saved tracker has no column `{column}`; it was written by another version: start the run again"
    )]
    MissingState {
        /// Name of the column.
        column: &'static str,
    },

    /// A saved tracker holds a value that no tracker writes.
    #[error(
        "column `{column}` of the saved tracker holds {value} for example {example}, which no tracker writes; the checkpoint is damaged: resume from an earlier one"
    )]
    CorruptState {
        /// Name of the column.
        column: &'static str,
        /// Index of the example.
        example: usize,
        /// The value found.
        value: f64,
    },

    /// An example that occurs twice in one epoch.
    #[error(
        "row {row}: example {id} was seen before in epoch {epoch}; an example is recorded once an epoch: end the epoch between passes, and give each example an id of its own"
    )]
    RepeatedId {
        /// Row of the batch.
        row: usize,
        /// Its id.
        id: u32,
        /// The epoch, counted from 1.
        epoch: u32,
    },

    /// An example whose label is another than it was.
    #[error(
        "example {id} had label {before} and now has {now}; scores over time need one label an example: give the labels that training uses, the same in every epoch"
    )]
    LabelChanged {
        /// The example.
        id: u32,
        /// Its label so far.
        before: u32,
        /// The label given now.
        now: u32,
    },

    /// An example of several labels, one of which is another than it was.
    #[error(
        "example {id}: its label {label} is now {now} and was not before; scores over time need the same labels of an example in every epoch"
    )]
    LabelsChanged {
        /// The example.
        id: u32,
        /// Number of the label.
        label: usize,
        /// What it is now.
        now: u8,
    },

    /// A kept token whose label is another than it was.
    #[error(
        "example {id}, position {position}: the token had label {before} and now has {now}; keep tokens only where they and their labels are the same in every epoch, on the same positions"
    )]
    TokenChanged {
        /// The example.
        id: u32,
        /// Position of the token.
        position: u32,
        /// Its label so far.
        before: u32,
        /// The label given now.
        now: u32,
    },

    /// Examples without a token that has a label.
    #[error(
        "{total} example(s) have no labelled token: all of their labels are ignored, or they have no tokens; leave them out of the batch, or skip them (unlabelled=\"skip\" of a recorder's update), so that they count as missed"
    )]
    Unlabelled {
        /// The first few rows concerned.
        rows: Vec<usize>,
        /// How many there are.
        total: usize,
    },

    /// Something wrong with the rows of known examples.
    #[error("example(s) {ids:?}: {problem}")]
    OfExamples {
        /// Ids of the rows that the problem names.
        ids: Vec<u32>,
        /// The problem, by row of the batch.
        problem: Box<ScoreError>,
    },

    /// The saved state of a recorder cannot be read back.
    #[error(
        "column `{column}` of the saved recorder: {reason}; the checkpoint is damaged or of another version: resume from an earlier one"
    )]
    DamagedState {
        /// Name of the column.
        column: String,
        /// What is wrong with it.
        reason: String,
    },

    /// The state of a recorder of another kind.
    #[error(
        "the state is that of a recorder of {of}, not of losses alone; make the recorder as it was made then"
    )]
    OtherRecorder {
        /// What it recorded.
        of: &'static str,
    },

    /// Losses were given with some batches and not with others.
    #[error(
        "losses are given with {now}, and with {before}; pass losses=… with every batch of a training or with none, since scores over them are of one loss"
    )]
    SomeLosses {
        /// Whether with this batch.
        now: &'static str,
        /// Whether with those before.
        before: &'static str,
    },

    /// Recorders that do not belong to the same training.
    #[error(
        "the two recorders differ in {what} ({mine} and {theirs}); only the ranks of one training can be merged, all after the same epoch"
    )]
    DifferentTraining {
        /// In what.
        what: &'static str,
        /// That of the recorder merged into.
        mine: String,
        /// That of the other.
        theirs: String,
    },

    /// A recorder merged with one whose presentations it has.
    #[error(
        "every presentation of the other recorder is in this one already ({presentations} of them); it was merged before, or it is the same rank: merge each rank once"
    )]
    MergedBefore {
        /// Presentations of the other.
        presentations: u64,
    },

    /// A recorder that kept no history.
    #[error(
        "a recorder made with `single_rank` cannot be merged; make the recorder of every rank without it"
    )]
    NoHistory,

    /// One loss for a whole batch.
    #[error(
        "that is one loss for the batch of {ids} examples, and a score needs the loss of each: ask the loss function for all of them (in PyTorch `reduction=\"none\"`, in Keras `reduction=None`), record these, and train on their mean"
    )]
    BatchLoss {
        /// Ids that were passed with it.
        ids: usize,
    },

    /// Another number of losses than of examples.
    #[error(
        "{what}: {found} values for {ids} examples; pass one for each example: of tokens, boxes or pixels take the mean (or the sum) over each example first, such as losses.flatten(1).mean(1)"
    )]
    LossCount {
        /// Which values.
        what: String,
        /// Number of them.
        found: usize,
        /// Number of ids.
        ids: usize,
    },

    /// Parts of a loss, or other values beside it, that are not those of the batches before.
    #[error(
        "the values beside the loss are {found:?}, and were {expected:?} in the batches before; pass the same ones every time"
    )]
    OtherParts {
        /// Those of the batches before.
        expected: Vec<String>,
        /// Those passed.
        found: Vec<String>,
    },

    /// A value of a batch that is not of its losses as a whole.
    #[error("{part}: {problem}")]
    OfPart {
        /// What it is a value of, such as `loss:box`.
        part: String,
        /// What is wrong with it.
        problem: Box<ScoreError>,
    },

    /// A name of a part that cannot stand in the name of a column.
    #[error(
        "a part of the {kind} is called {part:?}; give it a name of letters, digits, `_` and `-`"
    )]
    PartName {
        /// The score that it is a part of.
        kind: &'static str,
        /// The name.
        part: String,
    },

    /// A threshold that no loss can be compared with.
    #[error("the threshold is {value}; pass a number, such as a loss that counts as learned")]
    Threshold {
        /// The value.
        value: f32,
    },

    /// A word that names no score.
    #[error(transparent)]
    UnknownScore(#[from] ParseScoreKindError),
}

/// What to do about numbers that are not finite.
fn after_non_finite(what: &str) -> &'static str {
    match what {
        "targets" => "leave out the examples whose target is missing",
        "logits" => {
            "training has probably diverged: lower the learning rate or score an earlier checkpoint (of entries \
             that are masked with −inf write a large negative number, such as −10000)"
        }
        _ => {
            "training has probably diverged: lower the learning rate or score an earlier checkpoint"
        }
    }
}

impl ScoreError {
    /// The same error, with the ids of the rows that it names.
    pub(crate) fn of_examples(self, ids: &[ExampleId]) -> Self {
        let rows = match &self {
            Self::NonFinite { rows, .. } | Self::Unlabelled { rows, .. } => rows.clone(),
            Self::LabelOutOfRange { row, .. }
            | Self::NotZeroOrOne { row, .. }
            | Self::NotNormalised { row, .. }
            | Self::NegativeProbability { row, .. } => vec![*row],
            _ => return self,
        };
        let ids = rows.into_iter().filter_map(|row| ids.get(row)).map(|id| id.0).collect();
        Self::OfExamples { ids, problem: Box::new(self) }
    }
}
