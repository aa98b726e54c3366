//! Whether rows that were given as logits look like the outputs of a softmax.
//!
//! A softmax of a softmax is nearly uniform, so every score of such rows is wrong and none looks so.
//! A row looks like probabilities if all its numbers lie in [0, 1] and their sum is 1 within
//! [`PROBABILITY_TOLERANCE`], which is wide enough for probabilities that were rounded to a few digits. A
//! sample of rows is looked at, and all of it must look so: logits of one row may by chance.
//!
//! Rows of 0 and 1 alone are not taken for outputs of a softmax: people make such logits by hand.

use crate::PROBABILITY_TOLERANCE;

/// How far from 1 the sum of a row that looks like probabilities may be: 0.01, as of numbers that were
/// rounded themselves.
const SUM_TOLERANCE: f64 = PROBABILITY_TOLERANCE + 1e-6;

/// At most so many rows are looked at, spread over all of them.
const SAMPLE: usize = 256;

/// The number of rows that were looked at, if all look like outputs of a softmax; else 0.
///
/// `values` is a row-major n × `classes` matrix. Of one class a row is one number in [0, 1].
///
/// ```
/// use datadiet_core::softmax_rows;
///
/// assert_eq!(softmax_rows(&[0.1f32, 0.9, 0.75, 0.25], 2), 2);
/// assert_eq!(softmax_rows(&[-0.1f32, 1.1, 0.75, 0.25], 2), 0);
/// assert_eq!(softmax_rows(&[0.0f32, 1.0, 1.0, 0.0], 2), 0);
/// ```
#[must_use]
pub fn softmax_rows<T: Copy + Into<f64>>(values: &[T], classes: usize) -> usize {
    let rows = values.len() / classes.max(1);
    let looked_at = rows.min(SAMPLE);
    let mut fractions = false;
    for sample in 0..looked_at {
        let row = &values[sample * rows / looked_at * classes..][..classes];
        let mut sum = 0.0;
        for &value in row {
            let value: f64 = value.into();
            if !(0.0..=1.0).contains(&value) {
                return 0;
            }
            fractions |= value.fract() != 0.0;
            sum += value;
        }
        if classes > 1 && (sum - 1.0).abs() > SUM_TOLERANCE {
            return 0;
        }
    }
    if fractions { looked_at } else { 0 }
}

/// How far the sums of rows of probabilities are from 1, at most, by the same sample.
///
/// `values` is a row-major n × `classes` matrix.
///
/// ```
/// assert_eq!(datadiet_core::furthest_sum(&[0.5f32, 0.5, 0.5, 0.75], 2), 0.25);
/// ```
#[must_use]
pub fn furthest_sum<T: Copy + Into<f64>>(values: &[T], classes: usize) -> f64 {
    let rows = values.len() / classes.max(1);
    let looked_at = rows.min(SAMPLE);
    let off = |sample: usize| {
        let row = &values[sample * rows / looked_at * classes..][..classes];
        (row.iter().map(|&value| -> f64 { value.into() }).sum::<f64>() - 1.0).abs()
    };
    (0..looked_at).map(off).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_row_of_the_sample_that_is_unlike_settles_it() {
        let mut values = [0.25f64, 0.75].repeat(SAMPLE);
        assert_eq!(softmax_rows(&values, 2), SAMPLE);
        values[2 * 100] = 0.3;
        assert_eq!(softmax_rows(&values, 2), 0);
    }

    #[test]
    fn a_large_matrix_is_sampled_to_its_end() {
        let mut values = [0.25f32, 0.75].repeat(10 * SAMPLE);
        assert_eq!(softmax_rows(&values, 2), SAMPLE);
        for value in &mut values[2 * 9 * SAMPLE..] {
            *value += 3.0;
        }
        assert_eq!(softmax_rows(&values, 2), 0);
    }

    #[test]
    fn rounded_probabilities_look_like_them() {
        assert_eq!(softmax_rows(&[0.333f32, 0.333, 0.333], 3), 1);
        assert_eq!(softmax_rows(&[0.33f32, 0.33, 0.33], 3), 1);
        assert_eq!(softmax_rows(&[0.3f32, 0.3, 0.3], 3), 0);
        assert_eq!(softmax_rows::<f32>(&[], 3), 0);
    }
}
