//! What rows of numbers are, by their range and sums: a softmax that is taken for logits gives
//! scores of a second softmax, which look plausible and are wrong.

use crate::PROBABILITY_TOLERANCE;

/// A sum this far from 1 comes from the arithmetic of 32-bit floats: such rows are left as they are.
pub(crate) const EXACT_SUM: f64 = 1e-4;

/// At most so many rows are looked at, spread over all of them.
const SAMPLE: usize = 1000;

/// Room for the sum of numbers that were rounded themselves.
const ROOM: f64 = 1e-6;

/// Of the rows looked at, those that may be otherwise: 1 in this many.
const EXCEPTIONS: usize = 20;

/// What some rows look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Every number in [0, 1], rows that sum to 1 within [`PROBABILITY_TOLERANCE`], or the same in
    /// per cent; one column: every number in [0, 1].
    Probabilities,
    /// Every number in [0, 1], rows that sum to something else: of a sigmoid a class, or counts.
    Fractions,
    /// Anything else: logits.
    Other,
}

/// What the rows of a sample look like. Rows of 0 and 1 alone, such as one-hot rows, say nothing and are
/// not counted: people make such logits by hand.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    /// Rows that say something.
    rows: usize,
    /// Rows in [0, 1], or in [0, 100] with a sum of 100.
    in_range: usize,
    /// Rows of these that sum to 1 (or 100), within [`PROBABILITY_TOLERANCE`]; of one column, all.
    sum_to_one: usize,
    /// How far the sums of the rows in [0, 1] are from 1, at most.
    furthest: f64,
    /// The least and the greatest number of the rows in [0, 1]; none without such rows.
    ends: Option<(f64, f64)>,
}

impl Sample {
    /// Looks at rows of an n × `columns` matrix.
    fn of<T: Copy + Into<f64>>(values: &[T], columns: usize) -> Self {
        let columns = columns.max(1);
        let rows = values.len() / columns;
        let looked_at = rows.min(SAMPLE);
        let mut found = Self::default();
        for sample in 0..looked_at {
            let row = &values[sample * rows / looked_at * columns..][..columns];
            let numbers = || row.iter().map(|&value| -> f64 { value.into() });
            if numbers().all(|value| value == 0.0 || value == 1.0) {
                continue;
            }
            found.rows += 1;
            let sum: f64 = numbers().sum();
            // Percentages are probabilities in another unit.
            let percent = columns > 1 && (sum - 100.0).abs() <= 100.0 * PROBABILITY_TOLERANCE;
            if percent && numbers().all(|value| (0.0..=100.0).contains(&value)) {
                found.in_range += 1;
                found.sum_to_one += 1;
            } else if numbers().all(|value| (0.0..=1.0).contains(&value)) {
                found.in_range += 1;
                let (least, most) = found.ends.unwrap_or((1.0, 0.0));
                found.ends =
                    Some((numbers().fold(least, f64::min), numbers().fold(most, f64::max)));
                let off = (sum - 1.0).abs();
                found.furthest = found.furthest.max(off);
                found.sum_to_one +=
                    usize::from(columns == 1 || off <= PROBABILITY_TOLERANCE + ROOM);
            }
        }
        found
    }
}

/// What the rows of an n × `columns` matrix look like, by a sample of them. Rows of 0 and 1 alone say
/// nothing; one row in 20 may be otherwise.
///
/// A row of logits lies in [0, 1] and sums to 1 only by a rare accident, many rows never do.
///
/// ```
/// use datadiet_core::ValueKind;
/// use datadiet_core::value_kind;
///
/// assert_eq!(value_kind(&[0.25, 0.75, 0.501, 0.5], 2), ValueKind::Probabilities);
/// assert_eq!(value_kind(&[25.0, 75.0, 50.1, 50.0], 2), ValueKind::Probabilities);
/// assert_eq!(value_kind(&[0.9, 0.8, 0.2, 0.1], 2), ValueKind::Fractions);
/// assert_eq!(value_kind(&[0.9, -0.8, 2.0, 0.1], 2), ValueKind::Other);
/// assert_eq!(value_kind(&[1.0, 0.0], 2), ValueKind::Other);
/// ```
#[must_use]
pub fn value_kind(values: &[f32], columns: usize) -> ValueKind {
    let Sample { rows, in_range, sum_to_one, .. } = Sample::of(values, columns);
    let nearly_all = |count: usize| rows > 0 && (rows - count) * EXCEPTIONS <= rows;
    if nearly_all(sum_to_one) {
        ValueKind::Probabilities
    } else if nearly_all(in_range) {
        ValueKind::Fractions
    } else {
        ValueKind::Other
    }
}

/// The number of rows that were looked at and say something, if all of them look like outputs of a
/// softmax; else 0.
///
/// Where [`value_kind`] lets a few rows be otherwise, here none may be: who passes logits said that they
/// are logits, and of one row they may look so by chance. `values` is a row-major n × `classes` matrix. Of
/// one class a row is one number in [0, 1].
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

/// Rows of numbers in [0, 1], as a sigmoid gives them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SigmoidRows {
    /// Rows that were looked at and say something.
    pub rows: usize,
    /// The least number of them; 1 where there are no rows.
    pub least: f64,
    /// The greatest; 0 where there are no rows.
    pub most: f64,
}

/// The rows that were looked at and say something, if all of them lie in [0, 1], whatever their sums; else none.
///
/// `values` is a row-major n × `columns` matrix.
///
/// ```
/// use datadiet_core::{SigmoidRows, sigmoid_rows};
///
/// let found = sigmoid_rows(&[0.5f32, 0.75, 0.25, 0.5], 2);
/// assert_eq!(found, Some(SigmoidRows { rows: 2, least: 0.25, most: 0.75 }));
/// assert_eq!(sigmoid_rows(&[0.5f32, 0.75, 0.25, 1.5], 2), None);
/// ```
#[must_use]
pub fn sigmoid_rows<T: Copy + Into<f64>>(values: &[T], columns: usize) -> Option<SigmoidRows> {
    let Sample { rows, in_range, ends, .. } = Sample::of(values, columns);
    let (least, most) = ends.unwrap_or((1.0, 0.0));
    (in_range == rows).then_some(SigmoidRows { rows, least, most })
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
    Sample::of(values, classes).furthest
}

/// How far rows of probabilities sum from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RoundedRows {
    /// Rows whose sum is further from 1 than arithmetic explains.
    pub rows: usize,
    /// How far the sums of these are from 1, at most.
    pub furthest: f64,
}

/// Looks at the sums of an n × `columns` matrix of probabilities. Scores divide a rounded row by its sum;
/// with `divide` so does this, in place, where the sum is further from 1 than scores take.
///
/// # Errors
/// The first row whose sum is further from 1 than [`PROBABILITY_TOLERANCE`], or, with `divide`, not
/// positive or not finite, with its sum; nothing is changed then. Rows with NaN are left to the checks
/// of the scores.
pub fn rounded_rows(
    values: &mut [f32],
    columns: usize,
    divide: bool,
) -> Result<RoundedRows, (usize, f64)> {
    let columns = columns.max(1);
    let mut found = RoundedRows::default();
    for (row, values) in values.chunks_exact(columns).enumerate() {
        let sum = row_sum(values);
        let off = (sum - 1.0).abs();
        if off > PROBABILITY_TOLERANCE && (!divide || sum <= 0.0 || sum.is_infinite()) {
            return Err((row, sum));
        }
        if off > EXACT_SUM {
            found.rows += 1;
            found.furthest = found.furthest.max(off);
        }
    }
    if found.furthest > PROBABILITY_TOLERANCE {
        for row in values.chunks_exact_mut(columns) {
            let sum = row_sum(row);
            if (sum - 1.0).abs() > PROBABILITY_TOLERANCE {
                row.iter_mut().for_each(|value| *value = (f64::from(*value) / sum) as f32);
            }
        }
    }
    Ok(found)
}

fn row_sum(row: &[f32]) -> f64 {
    row.iter().map(|&value| f64::from(value)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_decides_and_exceptions_are_few() {
        let mut values = [0.2, 0.3, 0.499].repeat(5000);
        assert_eq!(value_kind(&values, 3), ValueKind::Probabilities);
        values[..3].copy_from_slice(&[f32::NAN, 2.0, -1.0]);
        assert_eq!(value_kind(&values, 3), ValueKind::Probabilities);
        let logits = [0.2, 0.3, 0.5, -1.0, 2.0, 0.5].repeat(100);
        assert_eq!(value_kind(&logits, 3), ValueKind::Other);
        assert_eq!(value_kind(&[0.3, 0.9], 1), ValueKind::Probabilities);
        assert_eq!(value_kind(&[], 3), ValueKind::Other);
    }

    #[test]
    fn sums_are_told_and_divided_where_asked() {
        let mut values = [0.5, 0.5, 0.502, 0.5];
        let found = rounded_rows(&mut values, 2, false).unwrap();
        assert_eq!((found.rows, values), (1, [0.5, 0.5, 0.502, 0.5]));
        let mut far = [0.5, 0.5, 2.0, 6.0];
        assert_eq!(rounded_rows(&mut far, 2, false), Err((1, 8.0)));
        assert_eq!(far, [0.5, 0.5, 2.0, 6.0]);
        assert_eq!(rounded_rows(&mut far, 2, true).unwrap().furthest, 7.0);
        assert_eq!(far, [0.5, 0.5, 0.25, 0.75]);
        assert!(rounded_rows(&mut [0.0, 0.0], 2, true).is_err());
    }

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
