//! The catalogue of scores: their names, directions, sources and definitions.
//!
//! Every number that datadiet writes carries the [`Definition`] of its kind, because papers, code
//! and followers use the same word for different quantities.
//!
//! It holds no values and computes nothing.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A score of a training example. Written and parsed as [`ScoreKind::name`].
///
/// ```
/// use datadiet_core::{Direction, ScoreKind};
///
/// let kind: ScoreKind = "max-margin".parse()?;
/// assert_eq!(kind, ScoreKind::MaxMargin);
/// assert_eq!(kind.direction(), Direction::HigherIsHarder);
/// # Ok::<(), datadiet_core::ParseScoreKindError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum ScoreKind {
    /// Length of the error vector, `‖p − y‖₂`.
    El2n,
    /// `‖p − y‖₁`.
    L1,
    /// Cross-entropy.
    Loss,
    /// Entropy of the prediction.
    Entropy,
    /// Largest wrong minus true probability.
    MaxMargin,
    /// Sum of wrong minus true probability.
    SumMargin,
    /// Whether the prediction is the label.
    Correct,
    /// Length of the loss gradient over all parameters.
    Grand,
    /// Length of the loss gradient over the last layer only.
    GrandLastLayer,
    /// Length of the input.
    InputNorm,
    /// Number of forgetting events.
    Forgetting,
    /// Whether the example was never predicted correctly.
    NeverLearned,
    /// Mean logit margin over training.
    Aum,
    /// Mean true probability over training.
    Confidence,
    /// Standard deviation of the true probability over training.
    Variability,
    /// Fraction of presentations predicted correctly.
    Correctness,
}

/// Which end of a score holds the hard examples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The highest values are the hardest examples.
    HigherIsHarder,
    /// The lowest values are the hardest examples.
    LowerIsHarder,
}

/// What must be at hand to compute a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Logits of an evaluation pass: eval mode, un-augmented images.
    EvalLogits,
    /// Gradients of each example's loss: eval mode, un-augmented images.
    Gradients,
    /// The images alone.
    Inputs,
    /// Logits of the augmented training minibatches, as they are seen.
    TrainingMinibatches,
}

/// What a column of a score means, in words that go beside it into every output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The quantity, for one network.
    pub formula: Cow<'static, str>,
    /// The pass it is taken from.
    pub pass: Cow<'static, str>,
    /// Closed or half-open interval of values.
    pub range: Cow<'static, str>,
    /// Where it was defined.
    pub reference: Cow<'static, str>,
}

/// A word that names no score.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no score is called `{given}`; did you mean `{nearest}`? Known: {}", known_names())]
pub struct ParseScoreKindError {
    /// The word given.
    pub given: String,
    /// The known name at the smallest edit distance.
    pub nearest: &'static str,
}

const EVAL: &str = "eval mode, un-augmented images";
const EVAL_GRADIENT: &str = "eval mode, un-augmented images, per-example gradient";
const TRAINING: &str = "training mode, augmented minibatches, before each step";

const PAUL: &str = "Paul, Ganguli, Dziugaite 2021, arXiv:2107.07075";
const PAUL_CODE: &str = "code released with Paul, Ganguli, Dziugaite 2021, arXiv:2107.07075";
const DEEPCORE: &str = "DeepCore: Guo, Zhao, Bai 2022, arXiv:2204.08499";
const KIRSCH: &str = "Kirsch 2023, arXiv:2303.14753";
const TONEVA: &str = "Toneva et al. 2019, arXiv:1812.05159";
const PLEISS: &str = "Pleiss et al. 2020, arXiv:2001.10528";
const SWAYAMDIPTA: &str = "Swayamdipta et al. 2020, arXiv:2009.10795";
const TEXTBOOK: &str = "textbook quantity";

impl ScoreKind {
    /// Every score, in the order of the catalogue.
    pub const ALL: &[Self] = &[
        Self::El2n,
        Self::L1,
        Self::Loss,
        Self::Entropy,
        Self::MaxMargin,
        Self::SumMargin,
        Self::Correct,
        Self::Grand,
        Self::GrandLastLayer,
        Self::InputNorm,
        Self::Forgetting,
        Self::NeverLearned,
        Self::Aum,
        Self::Confidence,
        Self::Variability,
        Self::Correctness,
    ];

    /// The name in commands, files and columns: lower case, words joined by `-`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::El2n => "el2n",
            Self::L1 => "l1",
            Self::Loss => "loss",
            Self::Entropy => "entropy",
            Self::MaxMargin => "max-margin",
            Self::SumMargin => "sum-margin",
            Self::Correct => "correct",
            Self::Grand => "grand",
            Self::GrandLastLayer => "grand-last-layer",
            Self::InputNorm => "input-norm",
            Self::Forgetting => "forgetting",
            Self::NeverLearned => "never-learned",
            Self::Aum => "aum",
            Self::Confidence => "confidence",
            Self::Variability => "variability",
            Self::Correctness => "correctness",
        }
    }

    /// Which end holds the hard examples.
    ///
    /// Two are conventions rather than facts: high variability means ambiguous, and a long input
    /// is called hard only because GraNd at initialisation follows it.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Correct | Self::Aum | Self::Confidence | Self::Correctness => {
                Direction::LowerIsHarder
            }
            _ => Direction::HigherIsHarder,
        }
    }

    /// What must be at hand to compute it.
    #[must_use]
    pub const fn source(self) -> Source {
        match self {
            Self::El2n
            | Self::L1
            | Self::Loss
            | Self::Entropy
            | Self::MaxMargin
            | Self::SumMargin
            | Self::Correct => Source::EvalLogits,
            Self::Grand | Self::GrandLastLayer => Source::Gradients,
            Self::InputNorm => Source::Inputs,
            Self::Forgetting
            | Self::NeverLearned
            | Self::Aum
            | Self::Confidence
            | Self::Variability
            | Self::Correctness => Source::TrainingMinibatches,
        }
    }

    /// The reading of this score that datadiet uses, for one network; columns over replicas are
    /// means of it.
    #[must_use]
    pub const fn definition(self) -> Definition {
        match self {
            Self::El2n => define("‖p − y‖₂, p = softmax(logits), y one-hot", EVAL, "[0, √2]", PAUL),
            Self::L1 => define("‖p − y‖₁ = 2 (1 − p_y)", EVAL, "[0, 2]", PAUL_CODE),
            Self::Loss => define("−ln p_y, from logits, in nats", EVAL, "[0, ∞)", TEXTBOOK),
            Self::Entropy => define("−Σ_j p_j ln p_j, in nats", EVAL, "[0, ln K]", TEXTBOOK),
            Self::MaxMargin => define("max_{j≠y} p_j − p_y", EVAL, "[−1, 1]", PAUL_CODE),
            Self::SumMargin => define("Σ_{j≠y} (p_j − p_y)", EVAL, "[1 − K, 1]", PAUL_CODE),
            Self::Correct => define(
                "1 if argmax_j logit_j = y (ties to the lowest class), else 0",
                EVAL,
                "{0, 1}",
                TEXTBOOK,
            ),
            Self::Grand => define(
                "‖∇_w ℓ(p, y)‖₂ over all parameters, ℓ cross-entropy",
                EVAL_GRADIENT,
                "[0, ∞)",
                PAUL,
            ),
            Self::GrandLastLayer => define(
                "‖∇_w ℓ(p, y)‖₂ over the weight and bias of the last layer only",
                EVAL_GRADIENT,
                "[0, ∞)",
                DEEPCORE,
            ),
            Self::InputNorm => define(
                "‖x‖₂ of the normalised input",
                "no network, un-augmented images",
                "[0, ∞)",
                KIRSCH,
            ),
            Self::Forgetting => define(
                "number of times the example goes from correct to wrong between consecutive presentations",
                TRAINING,
                "{0, 1, …}",
                TONEVA,
            ),
            Self::NeverLearned => define(
                "1 if the example was presented and never correct, else 0",
                TRAINING,
                "{0, 1}",
                TONEVA,
            ),
            Self::Aum => define(
                "mean over presentations of logit_y − max_{j≠y} logit_j",
                TRAINING,
                "(−∞, ∞)",
                PLEISS,
            ),
            Self::Confidence => {
                define("mean over presentations of p_y", TRAINING, "[0, 1]", SWAYAMDIPTA)
            }
            Self::Variability => define(
                "population standard deviation over presentations of p_y",
                TRAINING,
                "[0, 1/2]",
                SWAYAMDIPTA,
            ),
            Self::Correctness => define(
                "fraction of presentations that are correct",
                TRAINING,
                "[0, 1]",
                SWAYAMDIPTA,
            ),
        }
    }
}

const fn define(
    formula: &'static str,
    pass: &'static str,
    range: &'static str,
    reference: &'static str,
) -> Definition {
    Definition {
        formula: Cow::Borrowed(formula),
        pass: Cow::Borrowed(pass),
        range: Cow::Borrowed(range),
        reference: Cow::Borrowed(reference),
    }
}

fn known_names() -> String {
    let names: Vec<_> = ScoreKind::ALL.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

fn nearest_name(word: &str) -> &'static str {
    let distance = |kind: &&ScoreKind| strsim::damerau_levenshtein(word, kind.name());
    let nearest = ScoreKind::ALL.iter().min_by_key(distance);
    nearest.expect("the catalogue is not empty").name()
}

impl FromStr for ScoreKind {
    type Err = ParseScoreKindError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|kind| kind.name() == word);
        found.copied().ok_or_else(|| ParseScoreKindError {
            given: word.to_owned(),
            nearest: nearest_name(word),
        })
    }
}

impl TryFrom<String> for ScoreKind {
    type Error = ParseScoreKindError;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
    }
}

impl From<ScoreKind> for &'static str {
    fn from(kind: ScoreKind) -> Self {
        kind.name()
    }
}

impl fmt::Display for ScoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
