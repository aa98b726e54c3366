//! What rows of numbers are, by their range and sums: a softmax that is taken for logits gives
//! scores of a second softmax, which look plausible and are wrong.

/// How far the sum of rounded probabilities may be from 1: rows within it are probabilities, and
/// can be divided by their sums without a change that matters.
pub const ROUNDING_TOLERANCE: f64 = 0.01;

/// A sum this far from 1 comes from the arithmetic of 32-bit floats: nothing is renormalised.
const EXACT: f64 = 1e-4;

/// At most so many rows are looked at, spread over all of them.
pub(crate) const SAMPLE: usize = 1000;

/// Room for the sum of numbers that were rounded themselves.
const ROOM: f64 = 1e-6;

/// Of the rows looked at, those that may be otherwise: 1 in this many.
const EXCEPTIONS: usize = 20;

/// What some rows look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// Every number in [0, 1], rows that sum to 1 within [`ROUNDING_TOLERANCE`]; one column: every
    /// number in [0, 1].
    Probabilities,
    /// Every number in [0, 1], rows that sum to something else: of a sigmoid a class, or counts.
    Fractions,
    /// Anything else: logits.
    Other,
}

/// What the rows of a sample look like. Rows of 0 and 1 alone, such as one-hot rows, say nothing and are
/// not counted: people make such logits by hand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sample {
    /// Rows that say something.
    pub(crate) rows: usize,
    /// Rows in [0, 1].
    pub(crate) in_range: usize,
    /// Rows of these that sum to 1, within [`ROUNDING_TOLERANCE`]; of one column, all of them.
    pub(crate) sum_to_one: usize,
}

impl Sample {
    /// Looks at rows of an n × `columns` matrix.
    pub(crate) fn of<T: Copy + Into<f64>>(values: &[T], columns: usize) -> Self {
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
            if numbers().all(|value| (0.0..=1.0).contains(&value)) {
                found.in_range += 1;
                let off = (numbers().sum::<f64>() - 1.0).abs();
                found.sum_to_one += usize::from(columns == 1 || off <= ROUNDING_TOLERANCE + ROOM);
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
/// assert_eq!(value_kind(&[0.9, 0.8, 0.2, 0.1], 2), ValueKind::Fractions);
/// assert_eq!(value_kind(&[0.9, -0.8, 2.0, 0.1], 2), ValueKind::Other);
/// assert_eq!(value_kind(&[1.0, 0.0], 2), ValueKind::Other);
/// ```
#[must_use]
pub fn value_kind(values: &[f32], columns: usize) -> ValueKind {
    let Sample { rows, in_range, sum_to_one } = Sample::of(values, columns);
    let nearly_all = |count: usize| rows > 0 && (rows - count) * EXCEPTIONS <= rows;
    if nearly_all(sum_to_one) {
        ValueKind::Probabilities
    } else if nearly_all(in_range) {
        ValueKind::Fractions
    } else {
        ValueKind::Other
    }
}

/// What renormalising did.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Renormalised {
    /// Rows that were divided by their sums.
    pub rows: usize,
    /// How far the sums of these were from 1, at most.
    pub furthest: f64,
}

/// Divides every row of an n × `columns` matrix by its sum where that is further from 1 than
/// arithmetic explains, and at most `limit` (`f64::INFINITY`: any positive sum).
///
/// # Errors
/// The first row whose sum is further from 1, not positive or not finite, with its sum; nothing is
/// changed then. Rows with NaN are left to the checks of the scores.
pub fn renormalise(
    values: &mut [f32],
    columns: usize,
    limit: f64,
) -> Result<Renormalised, (usize, f64)> {
    let columns = columns.max(1);
    let mut done = Renormalised::default();
    for (row, values) in values.chunks_exact(columns).enumerate() {
        let sum = row_sum(values);
        let off = (sum - 1.0).abs();
        if off > limit || sum <= 0.0 || sum.is_infinite() {
            return Err((row, sum));
        }
        if off > EXACT {
            done.rows += 1;
            done.furthest = done.furthest.max(off);
        }
    }
    if done.rows > 0 {
        for row in values.chunks_exact_mut(columns) {
            let sum = row_sum(row);
            if (sum - 1.0).abs() > EXACT {
                row.iter_mut().for_each(|value| *value = (f64::from(*value) / sum) as f32);
            }
        }
    }
    Ok(done)
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
    fn rows_are_divided_by_their_sums() {
        let mut values = [0.5, 0.5, 0.502, 0.5];
        let done = renormalise(&mut values, 2, ROUNDING_TOLERANCE).unwrap();
        assert_eq!(done.rows, 1);
        assert_eq!(values[..2], [0.5, 0.5]);
        assert!((row_sum(&values[2..]) - 1.0).abs() < 1e-6);
        let mut far = [0.5, 0.5, 2.0, 6.0];
        assert_eq!(renormalise(&mut far, 2, ROUNDING_TOLERANCE), Err((1, 8.0)));
        assert_eq!(far, [0.5, 0.5, 2.0, 6.0]);
        renormalise(&mut far, 2, f64::INFINITY).unwrap();
        assert_eq!(far[2..], [0.25, 0.75]);
        assert!(renormalise(&mut [0.0, 0.0], 2, f64::INFINITY).is_err());
    }
}
