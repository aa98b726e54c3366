//! Scores of tokens, and of the sequences that they are of: language models, token classification.
//!
//! Of a token with a label: its loss `−ln p_y` in nats, its EL2N `‖p − y‖₂` and whether y is predicted. Of
//! an example, over its labelled tokens: the mean and the sum of the losses, perplexity = exp(mean), mean
//! EL2N, accuracy, and their number. As in PyTorch's `cross_entropy`, a label of the ignored value (−100
//! there) is none; logits of such tokens are not read, and no softmax is written to memory.
//!
//! The logits at t are of the label at t, or of the label at t + 1 (`shift`), as a causal language model gives
//! them; nothing in the numbers tells which, so it has to be said.

use crate::{
    checks::{self, ROWS_LISTED},
    fast::{
        Element, Matrix, chunk,
        tokens::{Room, TokenColumns, score},
    },
    score_error::ScoreError,
};

/// In [`Sequences::examples`]: the token is of no example.
pub const NO_EXAMPLE: u32 = u32::MAX;

/// A log-probability may be so far above 0 by rounding, in bfloat16 too.
const ROUNDED: f64 = 0.01;

/// The labels of a batch of B sequences of T tokens, and which logits they belong to.
#[derive(Clone, Copy, Debug)]
pub struct Sequences<'a> {
    /// B × T labels: classes below V, or [`Self::ignore`].
    pub labels: &'a [i64],
    /// T.
    pub length: usize,
    /// The value that is no label; −100 in PyTorch.
    pub ignore: i64,
    /// Whether the logits at t are of the label at t + 1, not of that at t.
    pub shift: bool,
    /// For several examples in a sequence (packing): B × T numbers of examples, [`NO_EXAMPLE`] for a
    /// token of none. Without it sequence b is example b. With `shift` the first token of an example
    /// has no logits: those before it are of another.
    pub examples: Option<&'a [u32]>,
}

/// A token that has a label and logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Place of the label among the B × T.
    pub place: usize,
    /// Row of the logits among the B × T.
    pub row: usize,
    /// Place of the label in its example: in its sequence, or since the example began in it.
    pub position: u32,
    /// The label.
    pub label: u32,
    /// The example.
    pub example: u32,
}

impl Sequences<'_> {
    /// The tokens that have a label and logits, in order; `classes` is V.
    ///
    /// # Errors
    /// Lengths that do not fit; a label that is neither below V nor the ignored one.
    pub fn tokens(&self, classes: usize) -> Result<Vec<Token>, ScoreError> {
        let length = self.length;
        if length == 0 || !self.labels.len().is_multiple_of(length) {
            return Err(ScoreError::NoTokens { labels: self.labels.len(), length });
        }
        if let Some(examples) = self.examples {
            checks::length("examples of tokens", self.labels.len(), examples.len())?;
        }
        let example_of = |place: usize| match self.examples {
            Some(examples) => examples[place],
            None => (place / length) as u32,
        };
        let mut tokens = Vec::new();
        let mut begin = 0;
        for (place, &value) in self.labels.iter().enumerate() {
            if place.is_multiple_of(length) || example_of(place - 1) != example_of(place) {
                begin = place;
            }
            if value == self.ignore {
                continue;
            }
            let label = u32::try_from(value).ok().filter(|&label| (label as usize) < classes);
            let Some(label) = label else {
                return Err(ScoreError::TokenLabel {
                    sequence: place / length,
                    position: place % length,
                    label: value,
                    classes,
                    ignore: self.ignore,
                });
            };
            let example = example_of(place);
            if example == NO_EXAMPLE {
                continue;
            }
            if self.shift && place == begin {
                continue;
            }
            let (row, position) = (place - usize::from(self.shift), (place - begin) as u32);
            tokens.push(Token { place, row, position, label, example });
        }
        Ok(tokens)
    }
}

/// Scores of tokens, each in the order of [`Self::tokens`].
///
/// ```
/// use datadiet_core::{Sequences, TokenScores};
///
/// // One sequence of three tokens over two classes; the second has no label.
/// let logits = [0.0_f32, 0.0, /**/ 5.0, 9.0, /**/ 0.0, 2.0];
/// let sequences =
///     Sequences { labels: &[0, -100, 1], length: 3, ignore: -100, shift: false, examples: None };
/// let tokens = TokenScores::of(&logits, 2, &sequences, false)?;
/// assert_eq!(tokens.correct, [1.0, 1.0]);
/// let examples = tokens.of_examples(1);
/// let mean = (2.0_f64.ln() + (-2.0_f64).exp().ln_1p()) / 2.0;
/// assert!((f64::from(examples.loss[0]) - mean).abs() < 1e-6);
/// assert_eq!((examples.length[0], examples.accuracy[0]), (2.0, 1.0));
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenScores {
    /// Which tokens.
    pub tokens: Vec<Token>,
    /// `−ln p_y` in nats, in [0, ∞); high is hard.
    pub loss: Vec<f32>,
    /// `‖p − y‖₂` in [0, √2]; high is hard. Empty where there were only log-probabilities.
    pub el2n: Vec<f32>,
    /// 1 where the label is predicted, else 0. Empty where there were only log-probabilities.
    pub correct: Vec<f32>,
    /// The predicted classes; empty where nobody asked.
    pub predicted: Vec<u32>,
}

/// Scores of examples over their labelled tokens; NaN (and length 0) for an example that has none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SequenceScores {
    /// Mean of the losses, in nats a token.
    pub loss: Vec<f32>,
    /// Sum of the losses, in nats.
    pub loss_sum: Vec<f32>,
    /// exp of the mean loss, in [1, ∞].
    pub perplexity: Vec<f32>,
    /// Mean EL2N; empty where there were only log-probabilities.
    pub el2n: Vec<f32>,
    /// Fraction of tokens predicted correctly; empty where there were only log-probabilities.
    pub accuracy: Vec<f32>,
    /// Number of labelled tokens.
    pub length: Vec<f32>,
}

impl TokenScores {
    /// From logits, on all cores.
    ///
    /// `logits`: B × T × V, V = `classes` ≥ 2, read where they are, without a copy; `predicted`: also the
    /// predicted classes, which of many classes costs another look at rows that are predicted wrongly.
    ///
    /// # Errors
    /// As [`Sequences::tokens`]; another number of logits, fewer than 2 classes; NaN or infinity in the
    /// logits of a token with a label: [`ScoreError::NonFinite`], whose rows are examples.
    pub fn of<E: Element>(
        logits: &[E],
        classes: usize,
        sequences: &Sequences,
        predicted: bool,
    ) -> Result<Self, ScoreError> {
        if classes < 2 {
            return Err(ScoreError::TooFewClasses { classes });
        }
        checks::length("logits", sequences.labels.len().saturating_mul(classes), logits.len())?;
        let logits = Matrix::logits(logits, classes);
        let tokens = sequences.tokens(classes)?;
        let rows: Vec<usize> = tokens.iter().map(|token| token.row).collect();
        let labels: Vec<u32> = tokens.iter().map(|token| token.label).collect();
        let n = tokens.len();
        let mut found = Self {
            tokens,
            loss: vec![0.0; n],
            el2n: vec![0.0; n],
            correct: vec![0.0; n],
            predicted: if predicted { vec![0; n] } else { Vec::new() },
        };
        let size = chunk::few_rows(logits.row_bytes());
        let part = |room: &mut Room<E>, at: usize, to: TokenColumns| {
            let of = at * size..at * size + to.loss.len();
            score(logits, &rows[of.clone()], &labels[of], room, to)
        };
        let good = chunk::all_good(found.chunks(size), || Room::new(classes), part);
        if good {
            return Ok(found);
        }
        Err(found.not_finite("logits", |token| {
            logits.row(token.row).iter().any(|value| !value.single().is_finite())
        }))
    }

    /// From B × T log-probabilities of the labels, at the places of logits: with `shift` that at t is of the
    /// label at t + 1. Where no label is, anything may stand. There is then no EL2N and no accuracy.
    ///
    /// # Errors
    /// As [`Sequences::tokens`]; another length; NaN, infinity or a number above 0 where a label is.
    pub fn of_log_probs<E: Element>(
        log_probs: &[E],
        sequences: &Sequences,
    ) -> Result<Self, ScoreError> {
        checks::length("log-probabilities", sequences.labels.len(), log_probs.len())?;
        let tokens = sequences.tokens(usize::MAX)?;
        let value = |token: &Token| -> f64 { log_probs[token.row].into() };
        let loss = tokens.iter().map(|token| (-value(token)).max(0.0) as f32).collect();
        let found = Self { tokens, loss, ..Self::default() };
        let bad = |token: &Token| !(value(token) as f32).is_finite();
        if found.tokens.iter().any(bad) {
            return Err(found.not_finite("log-probabilities", bad));
        }
        match found.tokens.iter().find(|token| value(token) > ROUNDED) {
            None => Ok(found),
            Some(token) => Err(ScoreError::PositiveLogProbability {
                sequence: token.row / sequences.length,
                position: token.row % sequences.length,
                value: value(token),
            }),
        }
    }

    /// Scores of examples 0 to n − 1, each over its tokens.
    #[must_use]
    pub fn of_examples(&self, n: usize) -> SequenceScores {
        let mut sums = vec![[0.0_f64; 3]; n];
        let mut counts = vec![0_u32; n];
        let with_logits = !self.el2n.is_empty() || self.tokens.is_empty();
        for (at, token) in self.tokens.iter().enumerate() {
            let example = token.example as usize;
            counts[example] += 1;
            sums[example][0] += f64::from(self.loss[at]);
            if with_logits {
                sums[example][1] += f64::from(self.el2n[at]);
                sums[example][2] += f64::from(self.correct[at]);
            }
        }
        let mean = |which: usize| -> Vec<f32> {
            // 0 of 0 tokens is NaN.
            let of = |(sums, &count): (&[f64; 3], &u32)| (sums[which] / f64::from(count)) as f32;
            sums.iter().zip(&counts).map(of).collect()
        };
        let loss = mean(0);
        let total = |(sums, &count): (&[f64; 3], &u32)| {
            if count == 0 { f32::NAN } else { sums[0] as f32 }
        };
        SequenceScores {
            loss_sum: sums.iter().zip(&counts).map(total).collect(),
            perplexity: sums
                .iter()
                .zip(&counts)
                .map(|(sums, &count)| (sums[0] / f64::from(count)).exp() as f32)
                .collect(),
            loss,
            el2n: if with_logits { mean(1) } else { Vec::new() },
            accuracy: if with_logits { mean(2) } else { Vec::new() },
            length: counts.iter().map(|&count| count as f32).collect(),
        }
    }

    /// Runs of at most `size` tokens, as room to write to.
    fn chunks(&mut self, size: usize) -> Vec<TokenColumns<'_>> {
        let predicted = !self.predicted.is_empty();
        let mut rest = self.predicted.chunks_mut(size);
        let columns = self.loss.chunks_mut(size).zip(self.el2n.chunks_mut(size));
        columns
            .zip(self.correct.chunks_mut(size))
            .map(|((loss, el2n), correct)| TokenColumns {
                loss,
                el2n,
                correct,
                predicted: if predicted { rest.next().unwrap_or_default() } else { &mut [] },
            })
            .collect()
    }

    /// The error of examples that have a token that `bad` says is not finite.
    fn not_finite(&self, what: &'static str, bad: impl Fn(&Token) -> bool) -> ScoreError {
        let mut rows: Vec<usize> = self
            .tokens
            .iter()
            .filter(|token| bad(token))
            .map(|token| token.example as usize)
            .collect();
        rows.sort_unstable();
        rows.dedup();
        let total = rows.len();
        rows.truncate(ROWS_LISTED);
        ScoreError::NonFinite { what, rows, total }
    }
}
