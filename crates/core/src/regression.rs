//! Scores of examples whose outputs are numbers: how far they are from their targets.
//!
//! An output may have any shape; D is its number of numbers. The error norm is `‖ŷ − y‖₂`, the loss the mean
//! squared error `‖ŷ − y‖₂² / D`. Both depend on the units of the targets.

use crate::{
    checks::{self, ROWS_LISTED},
    fast::{Element, chunk, squares::squared_distance},
    score_error::ScoreError,
};

/// Scores of n examples, one entry each.
///
/// ```
/// use datadiet_core::RegressionScores;
///
/// let scores = RegressionScores::of(&[3.0_f32, 4.0, /**/ 1.0, 1.0], &[0.0, 0.0, 1.0, 1.0], 2)?;
/// assert_eq!(scores.error_norm, [5.0, 0.0]);
/// assert_eq!(scores.loss, [12.5, 0.0]);
/// # Ok::<(), datadiet_core::ScoreError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegressionScores {
    /// `‖ŷ − y‖₂` in [0, ∞), in the targets' units; high is hard.
    pub error_norm: Vec<f32>,
    /// Mean squared error over the numbers of an output, in [0, ∞); high is hard.
    pub loss: Vec<f32>,
}

impl RegressionScores {
    /// Scores of n examples, on all cores. Differences are taken in 64 bits.
    ///
    /// `outputs`, `targets`: n × D numbers; `size`: D ≥ 1.
    ///
    /// # Errors
    /// Lengths that do not fit; NaN or infinity, or errors beyond the range of `f32`, with their rows.
    pub fn of<E: Element>(outputs: &[E], targets: &[E], size: usize) -> Result<Self, ScoreError> {
        let n = outputs.len().checked_div(size).unwrap_or(0);
        checks::length("outputs", n * size, outputs.len())?;
        checks::length("targets", outputs.len(), targets.len())?;
        let mut squares = vec![0.0; n];
        let rows = chunk::few_rows(2 * size * size_of::<E>());
        let chunks = squares.chunks_mut(rows).collect();
        chunk::all_good(
            chunks,
            || (),
            |(), at, squares: &mut [f64]| {
                for (row, square) in squares.iter_mut().enumerate() {
                    let of = (at * rows + row) * size..(at * rows + row + 1) * size;
                    *square = squared_distance(&outputs[of.clone()], &targets[of]);
                }
                true
            },
        );
        let mean = |square: f64| (square / size as f64) as f32;
        let bad = || (0..n).filter(|&row| !mean(squares[row]).is_finite());
        let total = bad().count();
        if total > 0 {
            let infinite = |all: &[E]| {
                let mut values = bad().flat_map(|row| &all[row * size..(row + 1) * size]);
                values.any(|&value| !Into::<f64>::into(value).is_finite())
            };
            let what = if infinite(outputs) {
                "outputs"
            } else if infinite(targets) {
                "targets"
            } else {
                "squared errors"
            };
            return Err(ScoreError::NonFinite {
                what,
                rows: bad().take(ROWS_LISTED).collect(),
                total,
            });
        }
        Ok(Self {
            error_norm: squares.iter().map(|square| square.sqrt() as f32).collect(),
            loss: squares.iter().map(|&square| mean(square)).collect(),
        })
    }
}
