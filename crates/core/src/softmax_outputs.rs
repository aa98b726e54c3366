//! Whether rows that were given as logits look like the outputs of a softmax.
//!
//! A softmax of a softmax is nearly uniform, so every score of such rows is wrong and none looks so.
//! A row looks like them if all its numbers lie in [0, 1] and their sum is 1, as
//! [`value_kind`](crate::value_kind()) has it; but all rows of the sample must look so, where that lets a
//! few be otherwise: who passes logits said that they are logits, and of one row they may look so by
//! chance.

use crate::value_kind::Sample;

/// The number of rows that were looked at and say something, if all of them look like outputs of a
/// softmax; else 0.
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
    let Sample { rows, sum_to_one, .. } = Sample::of(values, classes);
    if sum_to_one == rows { rows } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value_kind::SAMPLE;

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
