//! What a training learns of each example, and what the scores that several tasks share mean in each.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Definition, Measure, ScoreKind};

/// What is learned of an example.
///
/// ```
/// use datadiet_core::{ScoreKind, Task};
///
/// let formula = |task: Task| task.definition(ScoreKind::Loss).formula;
/// assert_eq!(formula(Task::Classification), "−ln p_y, from logits, in nats");
/// assert_eq!(formula(Task::Loss), "the loss of the example, as it was given");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// One class of K.
    #[default]
    Classification,
    /// Anything that has a loss an example.
    Loss,
    /// Some of K labels.
    MultiLabel,
    /// Numbers.
    Regression,
    /// The tokens of a text.
    Tokens,
}

/// A word that names no task.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no task is called `{0}`; known: {known}", known = Task::ALL.map(Task::name).join(", "))]
pub struct ParseTaskError(pub String);

/// How a task reads a score that others have too.
struct Reading {
    formula: &'static str,
    range: &'static str,
    reference: Option<&'static str>,
    when: &'static str,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 5] =
        [Self::Classification, Self::Loss, Self::MultiLabel, Self::Regression, Self::Tokens];

    /// The name in files and cards: lower case, words joined by `-`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classification => "classification",
            Self::Loss => "loss",
            Self::MultiLabel => "multi-label",
            Self::Regression => "regression",
            Self::Tokens => "tokens",
        }
    }

    /// Whether it is the task of one class, which tables do not name.
    #[must_use]
    pub fn is_classification(&self) -> bool {
        *self == Self::Classification
    }

    /// What a score means in a table of this task.
    #[must_use]
    pub fn definition(self, kind: ScoreKind) -> Definition {
        let definition = kind.definition();
        let Some(reading) = self.reading(kind) else { return definition };
        Definition {
            formula: Cow::Borrowed(reading.formula),
            range: Cow::Borrowed(reading.range),
            reference: reading.reference.map_or(definition.reference, Cow::Borrowed),
            when: Cow::Borrowed(reading.when),
            ..definition
        }
    }

    /// The same of a score or of a part of one.
    #[must_use]
    pub fn definition_of(self, measure: &Measure) -> Definition {
        let definition = self.definition(measure.kind());
        let Some(part) = measure.part_name() else { return definition };
        let formula = match (self, measure.kind()) {
            (Self::Loss, ScoreKind::Loss) => {
                format!("the part `{part}` of the loss of the example, as it was given")
            }
            _ => format!("of the part `{part}`: {}", definition.formula),
        };
        Definition { formula: formula.into(), ..definition }
    }

    /// Its own reading of a score; none where the catalogue's stands.
    fn reading(self, kind: ScoreKind) -> Option<Reading> {
        use ScoreKind::{Aum, Correct, Correctness, El2n, Forgetting, Loss, NeverLearned};
        let read = |formula, range, when| Reading { formula, range, reference: None, when };
        Some(match (self, kind) {
            (Self::Loss, Loss) => Reading {
                reference: Some("the training loop"),
                ..read(
                    "the loss of the example, as it was given",
                    "(−∞, ∞)",
                    "to find wrong labels and damaged inputs late in training, and to compare with methods that choose by loss; not early in training, nor where the loss is a sum over parts of which examples have more or fewer",
                )
            },
            (Self::Tokens, Loss) => read(
                "mean over labelled tokens of −ln p_y, in nats",
                "[0, ∞)",
                "to find texts that are garbled, in another language or wrongly labelled, late in training; not for texts of a few tokens beside long ones: a mean of few is extreme by chance",
            ),
            (Self::Tokens, El2n) => Reading {
                reference: Some("Marion et al. 2023, arXiv:2309.04564"),
                ..read(
                    "mean over labelled tokens of ‖p − y‖₂, p = softmax(logits), y one-hot",
                    "[0, √2]",
                    "to prune texts, from some epochs or checkpoints on; not to keep the hardest alone: garbled texts are the hardest",
                )
            },
            (Self::MultiLabel, El2n) => read(
                "‖σ(z) − y‖₂, σ the logistic function of each logit, y zeros and ones",
                "[0, √K]",
                "to prune, from a few epochs on; not to find which label is wrong: least-margin does",
            ),
            (Self::MultiLabel, Loss) => read(
                "mean over labels of −y ln σ(z) − (1 − y) ln(1 − σ(z)), in nats",
                "[0, ∞)",
                "to find wrong labels late in training; not where labels are rare: what an example lacks of them outweighs what it has",
            ),
            (Self::MultiLabel, Correct) => read(
                "1 if for every label z > 0 where y = 1 and z ≤ 0 where y = 0, else 0",
                "{0, 1}",
                "to see which examples most trainings get wrong in some label; not to rank by from few trainings: one has two values only",
            ),
            (Self::MultiLabel, Correctness) => read(
                "fraction of presentations of which every label is right",
                "[0, 1]",
                "to colour a map of the data set; not to rank by from a short training: it has one value more than there are presentations",
            ),
            (Self::MultiLabel, Aum) => read(
                "mean over labels of the mean over presentations of (2 y − 1) z",
                "(−∞, ∞)",
                "to find examples whose labels are wrong as a whole, over a training that has not yet memorised them; not to find one wrong label among many: least-aum does",
            ),
            (Self::MultiLabel, Forgetting) => read(
                "number of times the example goes from all labels right to some wrong between consecutive presentations",
                "{0, 1, …}",
                "to prune what is never forgotten, at the end of a training and together with never-learned; not of many labels, which are hardly ever all right: label-forgetting counts each",
            ),
            (Self::MultiLabel, NeverLearned) => read(
                "1 if the example was presented and never had all labels right, else 0",
                "{0, 1}",
                "beside forgetting, above whose counts it ranks; not early in training, when most examples have not been learned yet",
            ),
            (Self::Regression, Loss) => read(
                "mean over outputs of (ŷ − y)², or the loss as it was given",
                "[0, ∞)",
                "to find wrong targets late in training; not to compare with error-norm as a second opinion: it has the same order where it was not given",
            ),
            _ => return None,
        })
    }
}

impl FromStr for Task {
    type Err = ParseTaskError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|task| task.name() == word);
        found.ok_or_else(|| ParseTaskError(word.to_owned()))
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
