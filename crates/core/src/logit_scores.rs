//! All scores that one forward pass pays for.
//!
//! The definitions are in the files of each score; this one walks the rows once. Logits must come
//! from eval mode (batch-norm running statistics) on un-augmented images, which is the paper's
//! reading; nothing here can check that.
//!
//! One network's logits in, one network's scores out: no mean over replicas.

use crate::{
    argmax::argmax,
    checks,
    el2n::el2n,
    entropy::entropy,
    l1::l1,
    loss::{loss, loss_from_prob},
    margin::{max_margin, sum_margin},
    score_error::ScoreError,
    score_kind::ScoreKind,
    softmax::softmax_into,
};

/// One column for each score of the evaluation pass; each has one entry a row of the logits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogitScores {
    /// `‖p − y‖₂`, in [0, √2].
    pub el2n: Vec<f32>,
    /// `‖p − y‖₁`, in [0, 2].
    pub l1: Vec<f32>,
    /// Cross-entropy in nats, in [0, ∞).
    pub loss: Vec<f32>,
    /// Entropy in nats, in [0, ln K].
    pub entropy: Vec<f32>,
    /// Largest wrong minus true probability, in [−1, 1].
    pub max_margin: Vec<f32>,
    /// Sum over wrong classes of their minus the true probability, in [1 − K, 1].
    pub sum_margin: Vec<f32>,
    /// 1 where the prediction is the label, else 0.
    pub correct: Vec<f32>,
    /// The predicted class: the largest logit's, ties to the lowest.
    pub predicted: Vec<u32>,
}

impl LogitScores {
    /// Scores of n examples from their logits.
    ///
    /// `logits`: n × K row-major; `classes`: K ≥ 2; `labels`: n class indices. n may be 0.
    ///
    /// # Errors
    /// Lengths that do not fit, fewer than 2 classes, a label outside `0..K`, NaN or infinity.
    ///
    /// ```
    /// use datadiet_core::{LogitScores, ScoreError};
    ///
    /// let scores = LogitScores::from_logits(&[0.0, 0.0, 0.0, 3.0], 2, &[0, 1])?;
    /// assert_eq!(scores.correct, [1.0, 1.0], "a tie goes to the lowest class");
    ///
    /// let error = LogitScores::from_logits(&[0.0, 0.0], 2, &[2]).unwrap_err();
    /// assert_eq!(error, ScoreError::LabelOutOfRange { row: 0, label: 2, classes: 2 });
    /// # Ok::<(), ScoreError>(())
    /// ```
    pub fn from_logits(logits: &[f32], classes: usize, labels: &[u32]) -> Result<Self, ScoreError> {
        checks::matrix_and_labels("logits", logits, classes, labels)?;
        let mut scores = Self::with_capacity(labels.len());
        let mut probs = vec![0.0_f64; classes];
        for (row, &label) in logits.chunks_exact(classes).zip(labels) {
            let label = label as usize;
            softmax_into(row, &mut probs);
            // The prediction from the logits: two of them can differ where their probabilities tie.
            scores.push(&probs, label, loss(row, label), argmax(row));
        }
        Ok(scores)
    }

    /// Scores of n examples from their probabilities.
    ///
    /// Prefer [`Self::from_logits`]: probabilities that were rounded to `f32` tie among the
    /// easiest examples, and the loss of one rounded to 0 is cut at 87.4
    /// ([`loss_from_prob`]).
    ///
    /// `probs`: n × K row-major; `classes`: K ≥ 2; `labels`: n class indices.
    ///
    /// # Errors
    /// As [`Self::from_logits`]; also a negative probability, or a row whose sum is further than
    /// [`PROBABILITY_TOLERANCE`](crate::score_error::PROBABILITY_TOLERANCE) from 1.
    ///
    /// ```
    /// let scores = datadiet_core::LogitScores::from_probs(&[0.75, 0.25], 2, &[0])?;
    /// assert_eq!(scores.l1, [0.5]);
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn from_probs(probs: &[f32], classes: usize, labels: &[u32]) -> Result<Self, ScoreError> {
        checks::matrix_and_labels("probabilities", probs, classes, labels)?;
        checks::probabilities(probs, classes)?;
        let mut scores = Self::with_capacity(labels.len());
        for (row, &label) in probs.chunks_exact(classes).zip(labels) {
            let label = label as usize;
            scores.push(row, label, loss_from_prob(row[label]), argmax(row));
        }
        Ok(scores)
    }

    /// The column of a score, or `None` where the score does not come from an evaluation pass.
    #[must_use]
    pub fn column(&self, kind: ScoreKind) -> Option<&[f32]> {
        match kind {
            ScoreKind::El2n => Some(&self.el2n),
            ScoreKind::L1 => Some(&self.l1),
            ScoreKind::Loss => Some(&self.loss),
            ScoreKind::Entropy => Some(&self.entropy),
            ScoreKind::MaxMargin => Some(&self.max_margin),
            ScoreKind::SumMargin => Some(&self.sum_margin),
            ScoreKind::Correct => Some(&self.correct),
            _ => None,
        }
    }

    /// Number of examples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.el2n.len()
    }

    /// Whether there are no examples.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.el2n.is_empty()
    }

    /// Appends the rows of `other`, for logits that arrive in batches.
    ///
    /// ```
    /// use datadiet_core::LogitScores;
    ///
    /// let mut all = LogitScores::default();
    /// all.append(LogitScores::from_logits(&[1.0, 0.0], 2, &[0])?);
    /// all.append(LogitScores::from_logits(&[1.0, 0.0], 2, &[1])?);
    /// assert_eq!(all.correct, [1.0, 0.0]);
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn append(&mut self, mut other: Self) {
        self.el2n.append(&mut other.el2n);
        self.l1.append(&mut other.l1);
        self.loss.append(&mut other.loss);
        self.entropy.append(&mut other.entropy);
        self.max_margin.append(&mut other.max_margin);
        self.sum_margin.append(&mut other.sum_margin);
        self.correct.append(&mut other.correct);
        self.predicted.append(&mut other.predicted);
    }

    fn with_capacity(n: usize) -> Self {
        Self {
            el2n: Vec::with_capacity(n),
            l1: Vec::with_capacity(n),
            loss: Vec::with_capacity(n),
            entropy: Vec::with_capacity(n),
            max_margin: Vec::with_capacity(n),
            sum_margin: Vec::with_capacity(n),
            correct: Vec::with_capacity(n),
            predicted: Vec::with_capacity(n),
        }
    }

    fn push<P: Copy + Into<f64>>(
        &mut self,
        probs: &[P],
        label: usize,
        loss: f32,
        predicted: usize,
    ) {
        self.el2n.push(el2n(probs, label));
        self.l1.push(l1(probs, label));
        self.loss.push(loss);
        self.entropy.push(entropy(probs));
        self.max_margin.push(max_margin(probs, label));
        self.sum_margin.push(sum_margin(probs, label));
        self.correct.push(f32::from(u8::from(predicted == label)));
        self.predicted.push(predicted as u32);
    }
}
