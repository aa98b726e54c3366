//! The catalogue of scores: their names, directions, sources and definitions.
//!
//! Every number that datadiet writes carries the [`Definition`] of its kind, because papers, code
//! and followers use the same word for different quantities.
//!
//! It holds no values and computes nothing.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::nearest::nearest;

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
    /// Log of the true minus log of the largest wrong probability.
    LogMargin,
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
    /// Log margin of the mean probabilities over training.
    MarginOfMean,
    /// Mean over windows of (1 − mean) times standard deviation of the true probability.
    Dual,
    /// Mean over windows of the standard deviation of the true probability.
    DynUnc,
    /// Mean over training of the length of the error vector.
    MeanEl2n,
    /// Moving average over windows of how unevenly the prediction changes.
    Tdds,
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
    /// When to use it and when not: `to …; not …`. Empty in what was written before there was one.
    #[serde(default)]
    pub when: Cow<'static, str>,
}

/// A word that names no score.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no score is called `{given}`; {}known: {}", did_you_mean(*.nearest), known_names())]
pub struct ParseScoreKindError {
    /// The word given.
    pub given: String,
    /// The most similar known name, if any is similar.
    pub nearest: Option<&'static str>,
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
const PICKLER: &str = "Pickler, Kamassury, Silva 2025, arXiv:2510.16211";
const CHO: &str = "DUAL: Cho et al. 2025, arXiv:2502.06905, and its code";
const HE: &str = "Dyn-Unc: He et al. 2024, arXiv:2306.05175";
const ZHENG_CODE: &str = "code released with Zheng et al. 2023, arXiv:2210.15809";
const ZHANG_CODE: &str = "code released with Zhang et al. 2024, arXiv:2311.13613";
const TEXTBOOK: &str = "textbook quantity";

/// What is known of a score.
struct Entry {
    kind: ScoreKind,
    name: &'static str,
    direction: Direction,
    source: Source,
    formula: &'static str,
    pass: &'static str,
    range: &'static str,
    reference: &'static str,
    when: &'static str,
}

use Direction::{HigherIsHarder, LowerIsHarder};
use Source::{EvalLogits, Gradients, Inputs, TrainingMinibatches};

/// The catalogue, in the order of [`ScoreKind`].
const CATALOGUE: [Entry; 22] = [
    Entry {
        kind: ScoreKind::El2n,
        name: "el2n",
        direction: HigherIsHarder,
        source: EvalLogits,
        formula: "‖p − y‖₂, p = softmax(logits), y one-hot",
        pass: EVAL,
        range: "[0, √2]",
        reference: PAUL,
        when: "to prune and to find wrong labels, from a few epochs on and as a mean over several trainings; not at initialisation, and not to keep the hardest alone where little is kept or labels are noisy",
    },
    Entry {
        kind: ScoreKind::L1,
        name: "l1",
        direction: HigherIsHarder,
        source: EvalLogits,
        formula: "‖p − y‖₁ = 2 (1 − p_y)",
        pass: EVAL,
        range: "[0, 2]",
        reference: PAUL_CODE,
        when: "to compare with the paper's released code; not where it should count how the wrong classes share the rest, which EL2N sees and this does not",
    },
    Entry {
        kind: ScoreKind::Loss,
        name: "loss",
        direction: HigherIsHarder,
        source: EvalLogits,
        formula: "−ln p_y, from logits, in nats",
        pass: EVAL,
        range: "[0, ∞)",
        reference: TEXTBOOK,
        when: "to find wrong labels late in training, and to compare with methods that choose by loss; not as a mean over few trainings: it has no upper end, so one confident mistake outweighs the others (L1 has the same order in one training)",
    },
    Entry {
        kind: ScoreKind::Entropy,
        name: "entropy",
        direction: HigherIsHarder,
        source: EvalLogits,
        formula: "−Σ_j p_j ln p_j, in nats",
        pass: EVAL,
        range: "[0, ln K]",
        reference: TEXTBOOK,
        when: "to find what the network is unsure of; not to find wrong labels: it does not look at the label, and a confident mistake has low entropy",
    },
    Entry {
        kind: ScoreKind::MaxMargin,
        name: "max-margin",
        direction: HigherIsHarder,
        source: EvalLogits,
        formula: "max_{j≠y} p_j − p_y",
        pass: EVAL,
        range: "[−1, 1]",
        reference: PAUL_CODE,
        when: "to find examples near the decision boundary, at 0, or predicted wrongly, above 0; not in place of AUM, which sees the margins of a whole training",
    },
    Entry {
        kind: ScoreKind::SumMargin,
        name: "sum-margin",
        direction: HigherIsHarder,
        source: EvalLogits,
        formula: "Σ_{j≠y} (p_j − p_y)",
        pass: EVAL,
        range: "[1 − K, 1]",
        reference: PAUL_CODE,
        when: "to compare with the paper's released code; not beside L1 as a second opinion: it is 1 − K p_y and has the same order",
    },
    Entry {
        kind: ScoreKind::LogMargin,
        name: "log-margin",
        direction: LowerIsHarder,
        source: EvalLogits,
        formula: "ln p_y − max_{j≠y} ln p_j = logit_y − max_{j≠y} logit_j",
        pass: EVAL,
        range: "(−∞, ∞)",
        reference: PICKLER,
        when: "to find wrong labels at the end of one training, where it tells more than the probabilities, which are all but 0 for many; not to compare networks: its scale grows with their confidence",
    },
    Entry {
        kind: ScoreKind::Correct,
        name: "correct",
        direction: LowerIsHarder,
        source: EvalLogits,
        formula: "1 if argmax_j logit_j = y (ties to the lowest class), else 0",
        pass: EVAL,
        range: "{0, 1}",
        reference: TEXTBOOK,
        when: "to see which examples most trainings get wrong; not to rank by from few trainings: one has two values only",
    },
    Entry {
        kind: ScoreKind::Grand,
        name: "grand",
        direction: HigherIsHarder,
        source: Gradients,
        formula: "‖∇_w ℓ(p, y)‖₂ over all parameters, ℓ cross-entropy",
        pass: EVAL_GRADIENT,
        range: "[0, ∞)",
        reference: PAUL,
        when: "to prune by the gradient itself, after some epochs; not at initialisation, where it follows the norm of the input and does not beat a random choice, and not where EL2N will do, which costs less and keeps nearly the same examples",
    },
    Entry {
        kind: ScoreKind::GrandLastLayer,
        name: "grand-last-layer",
        direction: HigherIsHarder,
        source: Gradients,
        formula: "‖∇_w ℓ(p, y)‖₂ over the weight and bias of the last layer only",
        pass: EVAL_GRADIENT,
        range: "[0, ∞)",
        reference: DEEPCORE,
        when: "to compare with DeepCore, or where the gradient of all parameters costs too much; not under the name of GraNd: it is a different score",
    },
    Entry {
        kind: ScoreKind::InputNorm,
        name: "input-norm",
        direction: HigherIsHarder,
        source: Inputs,
        formula: "‖x‖₂ of the normalised input",
        pass: "no network, un-augmented images",
        range: "[0, ∞)",
        reference: KIRSCH,
        when: "as the baseline beside GraNd at initialisation; not to choose examples by: it knows nothing of labels or networks",
    },
    Entry {
        kind: ScoreKind::Forgetting,
        name: "forgetting",
        direction: HigherIsHarder,
        source: TrainingMinibatches,
        formula: "number of times the example goes from correct to wrong between consecutive presentations",
        pass: TRAINING,
        range: "{0, 1, …}",
        reference: TONEVA,
        when: "to prune what is never forgotten, at the end of a training and together with never-learned; not early in training, and not to find wrong labels",
    },
    Entry {
        kind: ScoreKind::NeverLearned,
        name: "never-learned",
        direction: HigherIsHarder,
        source: TrainingMinibatches,
        formula: "1 if the example was presented and never correct, else 0",
        pass: TRAINING,
        range: "{0, 1}",
        reference: TONEVA,
        when: "beside forgetting, above whose counts it ranks; not early in training, when most examples have not been learned yet",
    },
    Entry {
        kind: ScoreKind::Aum,
        name: "aum",
        direction: LowerIsHarder,
        source: TrainingMinibatches,
        formula: "mean over presentations of logit_y − max_{j≠y} logit_j",
        pass: TRAINING,
        range: "(−∞, ∞)",
        reference: PLEISS,
        when: "to find wrong labels, over a training that has not yet memorised them; not from probabilities: it is defined on logits",
    },
    Entry {
        kind: ScoreKind::Confidence,
        name: "confidence",
        direction: LowerIsHarder,
        source: TrainingMinibatches,
        formula: "mean over presentations of p_y",
        pass: TRAINING,
        range: "[0, 1]",
        reference: SWAYAMDIPTA,
        when: "to find wrong labels, and with variability to draw a map of the data set; not after a few presentations, when all examples still have low values",
    },
    Entry {
        kind: ScoreKind::Variability,
        name: "variability",
        direction: HigherIsHarder,
        source: TrainingMinibatches,
        formula: "population standard deviation over presentations of p_y",
        pass: TRAINING,
        range: "[0, 1/2]",
        reference: SWAYAMDIPTA,
        when: "to find ambiguous examples, which a network learns only at times; not to find wrong labels: what is always wrong varies as little as what is always right",
    },
    Entry {
        kind: ScoreKind::Correctness,
        name: "correctness",
        direction: LowerIsHarder,
        source: TrainingMinibatches,
        formula: "fraction of presentations that are correct",
        pass: TRAINING,
        range: "[0, 1]",
        reference: SWAYAMDIPTA,
        when: "to colour a map of the data set; not to rank by from a short training: it has one value more than there are presentations",
    },
    Entry {
        kind: ScoreKind::MarginOfMean,
        name: "margin-of-mean",
        direction: LowerIsHarder,
        source: TrainingMinibatches,
        formula: "ln p̄_y − max_{j≠y} ln p̄_j, p̄ the mean over presentations of p (the paper's over trainings too; here the mean over trainings is that of the scores); a p below 2⁻¹²⁶ counts as 0, a mean below it as 2⁻¹²⁶",
        pass: TRAINING,
        range: "[−87.4, 87.4]",
        reference: PICKLER,
        when: "to find wrong labels from the training that has them, over a training that has not yet memorised them; not to prune by where labels may be wrong: what is hardest by it is mislabelled first",
    },
    Entry {
        kind: ScoreKind::Dual,
        name: "dual",
        direction: HigherIsHarder,
        source: TrainingMinibatches,
        formula: "mean over windows of J = 10 consecutive presentations (one of all where there are fewer) of (1 − m) s, m the mean and s the standard deviation, by J − 1, of p_y in the window",
        pass: TRAINING,
        range: "[0, 2/√27]",
        reference: CHO,
        when: "to prune early, after some 30 epochs of 200; not before 10 epochs, when there is no whole window, and not at the end of a training, where dynamic uncertainty is defined",
    },
    Entry {
        kind: ScoreKind::DynUnc,
        name: "dyn-unc",
        direction: HigherIsHarder,
        source: TrainingMinibatches,
        formula: "mean over windows of J = 10 consecutive presentations (one of all where there are fewer) of the standard deviation, by J − 1, of p_y in the window",
        pass: TRAINING,
        range: "[0, 1/√2]",
        reference: HE,
        when: "to prune what varies least, at the end of a training; not to find wrong labels: what is always wrong varies as little as what is always right",
    },
    Entry {
        kind: ScoreKind::MeanEl2n,
        name: "mean-el2n",
        direction: HigherIsHarder,
        source: TrainingMinibatches,
        formula: "mean over presentations of ‖p − y‖₂",
        pass: TRAINING,
        range: "[0, √2]",
        reference: ZHENG_CODE,
        when: "to prune with coverage as the authors of CCS do, after 10 epochs; not beside EL2N as a second opinion: it is a mean over epochs where that is one over trainings",
    },
    Entry {
        kind: ScoreKind::Tdds,
        name: "tdds",
        direction: HigherIsHarder,
        source: TrainingMinibatches,
        formula: "moving average R ← 0.9 w + 0.1 R over windows of J = 10 consecutive presentations (one of all where there are fewer), w the length of the deviation from their mean of the window's distances Σ_j |p_j (ln(p_j + 10⁻⁸) − ln(p′_j + 10⁻⁸))|, p′ the presentation before",
        pass: TRAINING,
        range: "[0, 27.5]",
        reference: ZHANG_CODE,
        when: "to compare with TDDS, which keeps the highest, at the epochs that its authors searched for each fraction; not to find wrong labels: it does not look at the label",
    },
];

const _: () = {
    let mut at = 0;
    while at < CATALOGUE.len() {
        assert!(CATALOGUE[at].kind as usize == at, "the catalogue is in the order of the scores");
        at += 1;
    }
};

impl ScoreKind {
    /// Every score, in the order of the catalogue.
    pub const ALL: &[Self] = &{
        let mut all = [Self::El2n; CATALOGUE.len()];
        let mut at = 0;
        while at < all.len() {
            all[at] = CATALOGUE[at].kind;
            at += 1;
        }
        all
    };

    /// The scores that one pass over logits gives ([`Source::EvalLogits`]): the first of
    /// [`Self::ALL`].
    pub const OF_PASS: [Self; 8] = [
        Self::El2n,
        Self::L1,
        Self::Loss,
        Self::Entropy,
        Self::MaxMargin,
        Self::SumMargin,
        Self::LogMargin,
        Self::Correct,
    ];

    const fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize]
    }

    /// The name in commands, files and columns: lower case, words joined by `-`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.entry().name
    }

    /// Which end holds the hard examples.
    ///
    /// Two are conventions rather than facts: high variability means ambiguous, and a long input
    /// is called hard only because GraNd at initialisation follows it.
    #[must_use]
    pub const fn direction(self) -> Direction {
        self.entry().direction
    }

    /// What must be at hand to compute it.
    #[must_use]
    pub const fn source(self) -> Source {
        self.entry().source
    }

    /// The reading of this score that datadiet uses, for one network; columns over replicas are
    /// means of it.
    #[must_use]
    pub const fn definition(self) -> Definition {
        let entry = self.entry();
        Definition {
            formula: Cow::Borrowed(entry.formula),
            pass: Cow::Borrowed(entry.pass),
            range: Cow::Borrowed(entry.range),
            reference: Cow::Borrowed(entry.reference),
            when: Cow::Borrowed(entry.when),
        }
    }

    /// Its place in [`Self::OF_PASS`].
    pub(crate) fn place_in_pass(self) -> Option<usize> {
        let place = self as usize;
        (place < Self::OF_PASS.len()).then_some(place)
    }
}

fn known_names() -> String {
    let names: Vec<_> = ScoreKind::ALL.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("did you mean `{name}`? "))
}

impl FromStr for ScoreKind {
    type Err = ParseScoreKindError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.iter().find(|kind| kind.name() == word);
        found.copied().ok_or_else(|| ParseScoreKindError {
            given: word.to_owned(),
            nearest: nearest(word, Self::ALL.iter().map(|kind| kind.name())),
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
