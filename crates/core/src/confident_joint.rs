//! The confident joint: how many examples of each label the networks confidently take for each class.
//!
//! With t_j the mean of p_j over the examples labelled j (at least 2·10⁻⁶), an example labelled i is
//! counted in `C[i][j]` if `p_j ≥ t_j − 10⁻⁶` for class j alone; if for several classes, in that of its
//! largest probability (ties: the lower class); if for none, nowhere. A diagonal count of 0 is taken
//! as 1. The joint of given and true labels is `C` with each row scaled to the number of examples with
//! that label, over n; the fraction of wrong labels is what lies off its diagonal.
//!
//! The probabilities should be **out of sample** (of networks that were not trained on the example, as
//! by cross-validation): networks that memorised the labels confirm them.
//!
//! Source: Northcutt, Jiang, Chuang 2021 (arXiv 1911.00068), with the choices of its authors' package
//! cleanlab 2.9 where they differ: the paper takes the largest probability among the confident classes
//! only, and leaves a diagonal of 0. cleanlab rounds the joint to whole examples; here it is not rounded.

use crate::{
    fast::{Element, Matrix},
    score_error::ScoreError,
};

/// How far below its threshold a probability still counts.
const SLACK: f64 = 1e-6;

/// What [`confident_joint`] finds for K classes.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfidentJoint {
    /// K thresholds, each in [2·10⁻⁶, 1]; NaN for a class that no example is labelled as, which none
    /// is counted in.
    pub thresholds: Vec<f64>,
    /// K × K counts, row-major: given label, then confident class.
    pub counts: Vec<u64>,
    /// K × K fractions of the examples, row-major: given label, then true label; they sum to 1.
    pub joint: Vec<f64>,
}

impl ConfidentJoint {
    /// The estimated fraction of wrong labels, in [0, 1]; NaN where there are no examples.
    #[must_use]
    pub fn wrong(&self) -> f64 {
        let classes = self.thresholds.len();
        1.0 - self.joint.iter().step_by(classes + 1).sum::<f64>()
    }
}

/// The confident joint of n examples.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, best out of sample; `labels`: n class indices.
///
/// # Errors
/// As [`crate::LogitScores::of`].
///
/// ```
/// use datadiet_core::{Matrix, confident_joint};
///
/// let p = [0.9_f32, 0.1, /**/ 0.7, 0.3, /**/ 0.2, 0.8, /**/ 0.9, 0.1];
/// let found = confident_joint(Matrix::probabilities(&p, 2), &[0, 0, 1, 1])?;
/// // t = 0.8, 0.45: the second is confidently nothing, the fourth confidently of class 0.
/// assert_eq!(found.counts, [1, 0, 1, 1]);
/// assert_eq!(found.joint, [0.5, 0.0, 0.25, 0.25]);
/// assert_eq!(found.wrong(), 0.25);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn confident_joint<E: Element>(
    outputs: Matrix<'_, E>,
    labels: &[u32],
) -> Result<ConfidentJoint, ScoreError> {
    outputs.check(labels)?;
    outputs.check_numbers(labels.len())?;
    let classes = outputs.classes();
    let mut members = vec![0_u64; classes];
    let mut thresholds = vec![0.0; classes];
    let mut row = vec![0.0; classes];
    for (index, &label) in labels.iter().enumerate() {
        probabilities(&outputs, index, &mut row);
        members[label as usize] += 1;
        thresholds[label as usize] += row[label as usize];
    }
    for (threshold, &members) in thresholds.iter_mut().zip(&members) {
        // 0 / 0 is a NaN, which no probability is at least as large as.
        *threshold = if members == 0 { f64::NAN } else { *threshold / members as f64 };
        if *threshold < 2.0 * SLACK {
            *threshold = 2.0 * SLACK;
        }
    }
    let mut counts = vec![0; classes * classes];
    for (index, &label) in labels.iter().enumerate() {
        probabilities(&outputs, index, &mut row);
        if let Some(class) = confident_class(&row, &thresholds) {
            counts[label as usize * classes + class] += 1;
        }
    }
    counts.iter_mut().step_by(classes + 1).for_each(|count| *count = (*count).max(1));
    let joint = joint(&counts, &members, labels.len());
    Ok(ConfidentJoint { thresholds, counts, joint })
}

/// The class that an example is counted in.
fn confident_class(row: &[f64], thresholds: &[f64]) -> Option<usize> {
    let is_confident = |class: &usize| row[*class] >= thresholds[*class] - SLACK;
    let mut confident = (0..row.len()).filter(is_confident);
    match (confident.next(), confident.next()) {
        (Some(_), Some(_)) => {
            // `max_by` takes the last of equals.
            (0..row.len()).rev().max_by(|&one, &other| row[one].total_cmp(&row[other]))
        }
        (only, _) => only,
    }
}

/// Counts with each row scaled to its label's share of the examples.
fn joint(counts: &[u64], members: &[u64], examples: usize) -> Vec<f64> {
    let scaled = |(row, &members): (&[u64], &u64)| {
        let total = row.iter().sum::<u64>() as f64;
        let scale = members as f64 / examples as f64 / total;
        row.iter().map(|&count| count as f64 * scale).collect::<Vec<_>>()
    };
    counts.chunks_exact(members.len()).zip(members).flat_map(scaled).collect()
}

/// The probabilities of a row: of logits by softmax, else divided by their sum.
fn probabilities<E: Element>(outputs: &Matrix<'_, E>, index: usize, row: &mut [f64]) {
    let given = outputs.row(index).iter().map(|&number| -> f64 { number.into() });
    row.iter_mut().zip(given).for_each(|(to, from)| *to = from);
    if !outputs.is_probabilities() {
        let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        row.iter_mut().for_each(|number| *number = (*number - largest).exp());
    }
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|number| *number /= sum);
}
