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
    /// Mean loss over training.
    MeanLoss,
    /// Standard deviation of the loss over training.
    LossStd,
    /// First minus last recorded loss.
    LossDrop,
    /// The epoch from which on the loss stays at or below a threshold.
    LearnedAt,
    /// How often the loss rises above the median of its epoch.
    LossForgetting,
    /// Loss minus that of a reference model.
    ExcessLoss,
    /// Sum of the losses of the labelled tokens.
    LossSum,
    /// Exponential of the mean loss of the labelled tokens.
    Perplexity,
    /// Fraction of labelled tokens that are predicted correctly.
    TokenAccuracy,
    /// Number of labelled tokens, boxes, pixels: the size of an example.
    Length,
    /// Length of the error of a regression.
    ErrorNorm,
    /// Mean over training of the length of the error.
    MeanError,
    /// Standard deviation over training of the length of the error.
    ErrorStd,
    /// Mean over training of the length of the error, in its standard deviations.
    ErrorRatio,
    /// Mean margin over several labels.
    MeanMargin,
    /// Least margin over several labels.
    LeastMargin,
    /// Least over several labels of the mean margin over training.
    LeastAum,
    /// Number of forgetting events, label by label.
    LabelForgetting,
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
    /// Losses that a training loop computed, one an example and epoch, whatever the task.
    Losses,
    /// Outputs of another task than to tell one class: tokens, several labels, numbers.
    Outputs,
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

const LOSSES: &str = "losses as the training loop recorded them, one an example and epoch";
const OUTPUTS: &str = "outputs as the training loop recorded them, one example a row and epoch";

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
const BALDOCK: &str =
    "after Baldock, Maennel, Neyshabur 2021, arXiv:2106.09647, whose is of predictions";
const TONEVA_OF_LOSSES: &str =
    "after Toneva et al. 2019, arXiv:1812.05159, whose is of predictions";
const MINDERMANN: &str = "RHO-Loss: Mindermann et al. 2022, arXiv:2206.07137";
const MARION: &str = "Marion et al. 2023, arXiv:2309.04564";
const PLEISS_OF_LABELS: &str = "after Pleiss et al. 2020, arXiv:2001.10528, label by label";
const TONEVA_OF_LABELS: &str = "after Toneva et al. 2019, arXiv:1812.05159, label by label";
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
use Source::{EvalLogits, Gradients, Inputs, Losses, Outputs, TrainingMinibatches};

/// The catalogue, in the order of [`ScoreKind`].
const CATALOGUE: [Entry; 40] = [
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
    Entry {
        kind: ScoreKind::MeanLoss,
        name: "mean-loss",
        direction: HigherIsHarder,
        source: Losses,
        formula: "mean over presentations of the loss",
        pass: LOSSES,
        range: "(−∞, ∞)",
        reference: TEXTBOOK,
        when: "to find wrong labels and damaged inputs where there are only losses, over a training that has not yet memorised them; not to compare examples whose losses are sums over more or fewer parts: give a mean over tokens, boxes or pixels",
    },
    Entry {
        kind: ScoreKind::LossStd,
        name: "loss-std",
        direction: HigherIsHarder,
        source: Losses,
        formula: "population standard deviation over presentations of the loss",
        pass: LOSSES,
        range: "[0, ∞)",
        reference: TEXTBOOK,
        when: "to find examples that are learned at times only; not to find wrong labels: what is never learned varies as little as what is always known",
    },
    Entry {
        kind: ScoreKind::LossDrop,
        name: "loss-drop",
        direction: LowerIsHarder,
        source: Losses,
        formula: "first minus last recorded loss",
        pass: LOSSES,
        range: "(−∞, ∞)",
        reference: TEXTBOOK,
        when: "to tell hard examples that were learned, whose loss fell, from noise, whose loss did not; not alone: what was easy from the start falls as little, so look at the mean loss beside it, and not where most were recorded once, whose drop is 0",
    },
    Entry {
        kind: ScoreKind::LearnedAt,
        name: "learned-at",
        direction: HigherIsHarder,
        source: Losses,
        formula: "first epoch from which on every recorded loss was at or below the threshold, the number of epochs + 1 where the last one was above",
        pass: LOSSES,
        range: "{1, 2, …}",
        reference: BALDOCK,
        when: "to see in which order examples are learned; not across trainings of other lengths, nor with a threshold that hardly any or nearly all of the last losses pass",
    },
    Entry {
        kind: ScoreKind::LossForgetting,
        name: "loss-forgetting",
        direction: HigherIsHarder,
        source: Losses,
        formula: "number of times the loss goes from at or below the median of its epoch to above that of the next epoch that has the example",
        pass: LOSSES,
        range: "{0, 1, …}",
        reference: TONEVA_OF_LOSSES,
        when: "to prune what is learned and stays so, where there are no predictions to count forgetting by; not alone: what is above every median has no event, as what is below every one",
    },
    Entry {
        kind: ScoreKind::ExcessLoss,
        name: "excess-loss",
        direction: HigherIsHarder,
        source: Losses,
        formula: "loss minus the loss of the reference model",
        pass: LOSSES,
        range: "(−∞, ∞)",
        reference: MINDERMANN,
        when: "to choose what is worth learning and not yet learnt, with a reference that was trained on other data; not with a reference that saw the same examples, and not at the end of training",
    },
    Entry {
        kind: ScoreKind::LossSum,
        name: "loss-sum",
        direction: HigherIsHarder,
        source: Outputs,
        formula: "sum over labelled tokens of −ln p_y, in nats",
        pass: OUTPUTS,
        range: "[0, ∞)",
        reference: TEXTBOOK,
        when: "to count what all of a text costs, in nats; not to choose by: it follows the length more than anything else",
    },
    Entry {
        kind: ScoreKind::Perplexity,
        name: "perplexity",
        direction: HigherIsHarder,
        source: Outputs,
        formula: "exp of the mean over labelled tokens of −ln p_y",
        pass: OUTPUTS,
        range: "[1, ∞]",
        reference: MARION,
        when: "to choose the middle of a set of texts, as Marion et al. found best; not as a mean over trainings: one large value outweighs the others, and the loss has the same order",
    },
    Entry {
        kind: ScoreKind::TokenAccuracy,
        name: "token-accuracy",
        direction: LowerIsHarder,
        source: Outputs,
        formula: "fraction of labelled tokens whose label has the largest logit",
        pass: OUTPUTS,
        range: "[0, 1]",
        reference: TEXTBOOK,
        when: "to see which texts are predicted wrongly, as in token classification; not to rank short texts by: few tokens have few values",
    },
    Entry {
        kind: ScoreKind::Length,
        name: "length",
        direction: HigherIsHarder,
        source: Outputs,
        formula: "number of labelled tokens, or the size that was given with the losses: boxes, pixels",
        pass: OUTPUTS,
        range: "{0, 1, …}",
        reference: TEXTBOOK,
        when: "beside every other score of texts and of images with boxes: what a choice by it gives is given for nothing; not to choose by, but as a baseline",
    },
    Entry {
        kind: ScoreKind::ErrorNorm,
        name: "error-norm",
        direction: HigherIsHarder,
        source: Outputs,
        formula: "‖ŷ − y‖₂ over all outputs of the example",
        pass: OUTPUTS,
        range: "[0, ∞)",
        reference: TEXTBOOK,
        when: "to find wrong targets late in training; not where outputs have units of their own: bring them to one scale first",
    },
    Entry {
        kind: ScoreKind::MeanError,
        name: "mean-error",
        direction: HigherIsHarder,
        source: Outputs,
        formula: "mean over presentations of ‖ŷ − y‖₂",
        pass: OUTPUTS,
        range: "[0, ∞)",
        reference: TEXTBOOK,
        when: "to find wrong targets over a training that has not yet memorised them; not where large targets have large errors by nature: take their logarithm first",
    },
    Entry {
        kind: ScoreKind::ErrorStd,
        name: "error-std",
        direction: HigherIsHarder,
        source: Outputs,
        formula: "population standard deviation over presentations of ‖ŷ − y‖₂",
        pass: OUTPUTS,
        range: "[0, ∞)",
        reference: TEXTBOOK,
        when: "to find examples that the network changes its mind about; not to find wrong targets: an error that stays does not vary",
    },
    Entry {
        kind: ScoreKind::ErrorRatio,
        name: "error-ratio",
        direction: HigherIsHarder,
        source: Outputs,
        formula: "mean over presentations of ‖ŷ − y‖₂ by its population standard deviation; none for fewer than 2 presentations",
        pass: OUTPUTS,
        range: "[0, ∞]",
        reference: TEXTBOOK,
        when: "to tell an error that stays from one that varies, beside the mean error; not to list wrong targets by, of which the mean error finds more (docs/REGRESSION.md), and not after a few epochs, when the deviation of few values is chance",
    },
    Entry {
        kind: ScoreKind::MeanMargin,
        name: "mean-margin",
        direction: LowerIsHarder,
        source: Outputs,
        formula: "mean over labels of (2 y − 1) z",
        pass: OUTPUTS,
        range: "(−∞, ∞)",
        reference: PLEISS_OF_LABELS,
        when: "to rank examples of several labels by all of these; not to find one wrong label among many: least-margin does",
    },
    Entry {
        kind: ScoreKind::LeastMargin,
        name: "least-margin",
        direction: LowerIsHarder,
        source: Outputs,
        formula: "least over labels of (2 y − 1) z",
        pass: OUTPUTS,
        range: "(−∞, ∞)",
        reference: PLEISS_OF_LABELS,
        when: "to find examples of which one label is wrong; not to see of which from this column: `suspects` names the label",
    },
    Entry {
        kind: ScoreKind::LeastAum,
        name: "least-aum",
        direction: LowerIsHarder,
        source: Outputs,
        formula: "least over labels of the mean over presentations of (2 y − 1) z; of several trainings the mean of each one's least, and `least-aum-label` is the label that most of them name",
        pass: OUTPUTS,
        range: "(−∞, ∞)",
        reference: PLEISS_OF_LABELS,
        when: "to find examples of which one label is wrong, over a training that has not yet memorised it; not where labels are missing on purpose, which it finds first",
    },
    Entry {
        kind: ScoreKind::LabelForgetting,
        name: "label-forgetting",
        direction: HigherIsHarder,
        source: Outputs,
        formula: "sum over labels of the times that the label goes from right to wrong between consecutive presentations",
        pass: OUTPUTS,
        range: "{0, 1, …}",
        reference: TONEVA_OF_LABELS,
        when: "to prune what is never forgotten, label by label; not to find wrong labels: what is never learned is never forgotten",
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

    /// The scores of a classification, each example of one class: those that our own trainings take, and that
    /// logits of any training give. The first of [`Self::ALL`].
    pub const OF_CLASSIFICATION: &[Self] = Self::ALL.split_at(Self::MeanLoss as usize).0;

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
    /// Some are conventions rather than facts: high variability (of losses and errors too) means ambiguous, a
    /// long input is called hard only because GraNd at initialisation follows it, and a long text because
    /// sums over its tokens do.
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
