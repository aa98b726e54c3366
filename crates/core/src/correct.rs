//! Whether the predicted class is the label.
//!
//! `argmax_j z_j = y`; among equal entries the lowest class index wins, as in NumPy. Softmax keeps
//! order, so logits and probabilities predict the same class (save where rounding makes two
//! probabilities equal).

use crate::{
    fast::{Element, Matrix},
    logit_scores::LogitScores,
    score_error::ScoreError,
    score_kind::ScoreKind,
};

/// 1 where the prediction of an example is its label, else 0, of n examples; **lower is harder**.
///
/// Use it to see which examples most trainings get wrong; not to rank by from few trainings: one has two
/// values only.
///
/// `outputs`: n × K logits or probabilities, K ≥ 2, of eval mode and un-augmented images; `labels`: n
/// class indices.
///
/// # Errors
/// As [`LogitScores::of`].
///
/// ```
/// use datadiet_core::{Matrix, correct};
///
/// let scores = correct(Matrix::logits(&[0.0_f32, 0.0, /**/ 0.0, 3.0], 2), &[0, 0])?;
/// assert_eq!(scores, [1.0, 0.0], "a tie goes to the lowest class");
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
pub fn correct<E: Element>(outputs: Matrix<E>, labels: &[u32]) -> Result<Vec<f32>, ScoreError> {
    Ok(LogitScores::of(outputs, labels)?.into_column(ScoreKind::Correct))
}
