//! What can be wrong with a request for a subset. Each message ends with the next thing to do.

use thiserror::Error;

use crate::{
    example_id::ExampleId,
    selection::{Quota, Rule},
};

/// A subset that does not exist, or that its caller cannot have meant.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// No examples at all.
    #[error("there are no examples to choose from; pass one score for each training example")]
    Empty,

    /// People marked all of them as wrong or to drop.
    #[error("everything is marked to be left out: nothing to choose from")]
    AllLeftOut,

    /// More examples than 32-bit ids can name.
    #[error("{found} examples: at most 2^32 - 1 can be told apart; split the training set")]
    TooMany {
        /// How many there are.
        found: usize,
    },

    /// A size of 0, or above the number of examples.
    #[error("{size} of {examples} examples cannot be kept; ask for 1 to {examples}")]
    SizeOutOfRange {
        /// The size asked for.
        size: usize,
        /// Number of examples.
        examples: usize,
    },

    /// A window that ends after the last example.
    #[error(
        "a window of {size} from position {offset} on passes the end of {examples} examples; use an offset of at most {}", .examples - .size
    )]
    WindowPastTheEnd {
        /// Position of the window's first example in the order.
        offset: usize,
        /// Its size.
        size: usize,
        /// Number of examples.
        examples: usize,
    },

    /// A word that names no rule.
    #[error("no rule is called `{given}`; there are {}", list(Rule::NAMES.map(|(name, _)| name)))]
    UnknownRule {
        /// The word.
        given: String,
    },

    /// A word that names no quota.
    #[error("no quota is called `{given}`; there are {}", list(Quota::ALL.map(Quota::name)))]
    UnknownQuota {
        /// The word.
        given: String,
    },

    /// An option that the rule does not have.
    #[error(
        "the option `{option}` belongs to the rule `{rule}`; ask for that rule, or leave the option out"
    )]
    OptionOfAnotherRule {
        /// The option.
        option: &'static str,
        /// The rule that it belongs to.
        rule: &'static str,
    },

    /// A window without a beginning.
    #[error("where does the window begin? Give an `offset`, such as 0.4")]
    NoOffset,

    /// An offset that is neither a fraction nor a number of examples.
    #[error(
        "an offset of {offset} is neither a fraction in [0, 1) nor a number of examples below {examples}; give one of the two"
    )]
    OffsetOutOfRange {
        /// The offset asked for.
        offset: f64,
        /// Number of examples.
        examples: usize,
    },

    /// A rule that reads scores without any.
    #[error("which score? Only a random choice needs none; name a column to choose by")]
    NoScore,

    /// A cut that is not a fraction, or leaves nothing.
    #[error(
        "a cut of {cut} is not in [0, 1); pass the fraction to drop, such as 0.1 for the hardest tenth"
    )]
    CutOutOfRange {
        /// The cut asked for.
        cut: f64,
    },

    /// Coverage of no strata.
    #[error("0 strata cover nothing; use 50, as the authors do, or at least 1")]
    NoStrata,

    /// The cut leaves fewer examples than are to be kept.
    #[error(
        "{size} example(s){} cannot be kept: a cut of {cut} leaves {candidates} to choose from; keep no more than that, or cut less", of_class(*.class)
    )]
    TooFewCandidates {
        /// The size asked for.
        size: usize,
        /// The largest size possible: examples left after the cut.
        candidates: usize,
        /// The cut.
        cut: f64,
        /// The class concerned, where each class has its own size.
        class: Option<u32>,
    },

    /// Examples without a score.
    #[error(
        "{total} example(s) have no score (NaN), first ids {}; score them, or choose by a score that all examples have", list(.first)
    )]
    Nan {
        /// How many examples have none.
        total: usize,
        /// The first few of them.
        first: Vec<ExampleId>,
    },

    /// No example has a score.
    #[error("none of the {examples} examples has a score (all are NaN); choose by another score")]
    NoScores {
        /// Number of examples.
        examples: usize,
    },

    /// All scores are equal.
    #[error(
        "all {examples} examples have the score {value}: there is nothing to choose by; choose by another score, or at random"
    )]
    Constant {
        /// The score.
        value: f32,
        /// Number of examples.
        examples: usize,
    },

    /// A quota, and nothing to share by.
    #[error("the quota `{}` needs labels: give the class of each example, or choose without a quota", .quota.name())]
    QuotaWithoutLabels {
        /// The quota.
        quota: Quota,
    },

    /// Not one label for each score.
    #[error("{scores} scores but {labels} labels; pass the label of each training example")]
    LengthMismatch {
        /// Number of scores.
        scores: usize,
        /// Number of labels.
        labels: usize,
    },

    /// A label is not a class index.
    #[error(
        "example {id} has label {label}, but there are {classes} classes; map the labels to 0..K, or pass the right number of classes"
    )]
    LabelOutOfRange {
        /// The first such example.
        id: ExampleId,
        /// Its label.
        label: u32,
        /// Number of classes K.
        classes: usize,
    },

    /// A class keeps none of its examples: a network trained on the subset cannot know it.
    #[error(
        "class {class} keeps none of its {of} examples ({vanished} class(es) in all); keep more, or use the quota `proportional` or `balanced`"
    )]
    ClassVanishes {
        /// The first such class.
        class: u32,
        /// Number of its examples in the full training set.
        of: usize,
        /// Number of classes that vanish.
        vanished: usize,
    },
}

impl SelectionError {
    /// The same error, about one class.
    pub(crate) fn in_class(self, class: u32) -> Self {
        match self {
            Self::TooFewCandidates { size, candidates, cut, .. } => {
                Self::TooFewCandidates { size, candidates, cut, class: Some(class) }
            }
            other => other,
        }
    }
}

fn of_class(class: Option<u32>) -> String {
    class.map_or_else(String::new, |class| format!(" of class {class}"))
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let words: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    words.join(", ")
}
