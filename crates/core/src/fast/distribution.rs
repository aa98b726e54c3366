//! The whole distribution of a row, p = softmax(z), for scores that are taken from more than the
//! label's probability and the strongest other's.
//!
//! The largest entry is subtracted, exponentials are `f32`, their sum is taken in `f64`: each
//! probability is right to 5·10⁻⁷ of itself, and one below 2⁻¹²⁶ of the largest is 0. The label has no
//! part in it. Sixteen classes are taken at a time, by the same operations with AVX2 and AVX-512.

use super::{
    element::Element,
    exp::{clamp, exp_clamped},
    matrix::Matrix,
    vector::Lanes,
    wide::below,
};
use crate::{
    isa::{Isa, Kernel, LANES, dispatch},
    value_kind::EXACT_SUM,
};

/// Chunks of lanes whose sum stays in `f32`; then it goes into `f64`.
const FLUSH: usize = 64;

/// Writes the probabilities of rows 0 to n − 1 of a matrix that has been checked, n × K, into `to`.
pub(crate) fn distributions<E: Element>(matrix: Matrix<E>, to: &mut [f32]) {
    dispatch(Rows { matrix, to });
}

struct Rows<'a, E> {
    matrix: Matrix<'a, E>,
    to: &'a mut [f32],
}

impl<E: Element> Kernel for Rows<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) {
        for (row, to) in self.to.chunks_exact_mut(self.matrix.classes()).enumerate() {
            distribution(isa, &self.matrix, row, to);
        }
    }
}

/// Writes the K probabilities of a row; of numbers that cannot be scored they are worth nothing.
#[inline(always)]
pub(crate) fn distribution<I: Isa, E: Element>(
    isa: I,
    matrix: &Matrix<E>,
    row: usize,
    to: &mut [f32],
) {
    let row = matrix.row(row);
    if matrix.is_probabilities() {
        return divide(row, to);
    }
    let top = if E::FITS_F32 { copy(row, to) } else { copy_rounded(row, to) };
    let share = (1.0 / exponentials(isa, top, to)) as f32;
    for power in to {
        *power *= share;
    }
}

/// Probabilities as they are, divided by their sum where that is not 1.
#[inline(always)]
fn divide<E: Element>(row: &[E], to: &mut [f32]) {
    let mut sum = 0.0;
    for &number in row {
        let wide: f64 = number.into();
        sum += wide;
    }
    let factor = if (sum - 1.0).abs() > EXACT_SUM { 1.0 / sum } else { 1.0 };
    for (to, &number) in to.iter_mut().zip(row) {
        let wide: f64 = number.into();
        *to = (wide * factor) as f32;
    }
}

/// Copies a row; gives its largest entry.
#[inline(always)]
fn copy<E: Element>(row: &[E], to: &mut [f32]) -> f32 {
    let mut top = f32::NEG_INFINITY;
    for (to, number) in to.iter_mut().zip(row) {
        *to = number.single();
        top = if *to > top { *to } else { top };
    }
    top
}

/// As [`copy`] for numbers that `f32` rounds: their differences from the largest, which is then 0.
#[inline(always)]
fn copy_rounded<E: Element>(row: &[E], to: &mut [f32]) -> f32 {
    let mut top = f64::NEG_INFINITY;
    for &number in row {
        let wide: f64 = number.into();
        top = if wide > top { wide } else { top };
    }
    for (to, &number) in to.iter_mut().zip(row) {
        *to = below(number.into(), top);
    }
    0.0
}

/// Puts `exp(z − top)` in the place of each z; gives their sum.
#[inline(always)]
fn exponentials<I: Isa>(isa: I, top: f32, row: &mut [f32]) -> f64 {
    let mut total = 0.0;
    for block in row.chunks_mut(FLUSH * LANES) {
        let mut sum = [0.0; LANES];
        let (whole, tail) = block.as_chunks_mut::<LANES>();
        for numbers in whole {
            powers(isa, top, numbers);
            for lane in 0..LANES {
                sum[lane] += numbers[lane];
            }
        }
        if !tail.is_empty() {
            let mut numbers = [f32::NEG_INFINITY; LANES];
            numbers[..tail.len()].copy_from_slice(tail);
            powers(isa, top, &mut numbers);
            for lane in 0..LANES {
                sum[lane] += numbers[lane];
            }
            tail.copy_from_slice(&numbers[..tail.len()]);
        }
        total += f64::from(isa.sum(&sum));
    }
    total
}

#[inline(always)]
fn powers<I: Isa>(isa: I, top: f32, numbers: &mut Lanes) {
    for lane in 0..LANES {
        numbers[lane] = exp_clamped(isa, clamp(numbers[lane] - top));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::everywhere;

    #[derive(Clone)]
    struct Of<'a, E>(Matrix<'a, E>, usize);

    impl<E: Element> Kernel for Of<'_, E> {
        type Output = Vec<f32>;

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> Vec<f32> {
            let mut to = vec![0.0; self.0.classes() * self.1];
            for (row, to) in to.chunks_exact_mut(self.0.classes()).enumerate() {
                distribution(isa, &self.0, row, to);
            }
            to
        }
    }

    /// Against the softmax in `f64`; the same bits with every set of fused instructions.
    #[test]
    fn distributions_are_right_to_a_few_roundings() {
        for classes in [2, 3, 16, 17, 40, 1000, 2100] {
            for scale in [1.0_f64, 20.0, 60.0] {
                let z: Vec<f64> =
                    (0..3 * classes).map(|i| (i as f64 * 0.7).sin() * scale).collect();
                let single: Vec<f32> = z.iter().map(|&z| z as f32).collect();
                for wide in [true, false] {
                    let found = if wide {
                        everywhere(Of(Matrix::logits(&z, classes), 3))
                    } else {
                        everywhere(Of(Matrix::logits(&single, classes), 3))
                    };
                    assert!(found[1..].windows(2).all(|pair| pair[0] == pair[1]));
                    for (row, found) in found.iter().flat_map(|p| p.chunks(classes).enumerate()) {
                        let numbers = &z[row * classes..][..classes];
                        let numbers: Vec<f64> = if wide {
                            numbers.to_vec()
                        } else {
                            numbers.iter().map(|&z| f64::from(z as f32)).collect()
                        };
                        let top = numbers.iter().copied().fold(f64::MIN, f64::max);
                        let sum: f64 = numbers.iter().map(|z| (z - top).exp()).sum();
                        for (found, z) in found.iter().zip(numbers) {
                            // Differences of f32 numbers and of rounded ones are off by their rounding.
                            let slack = 6e-7 + 6e-8 * (z - top).abs();
                            let truth = (z - top).exp() / sum;
                            let off = (f64::from(*found) - truth).abs();
                            assert!(off <= slack * truth + 2e-38, "{found} is not {truth}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn probabilities_are_divided_by_a_sum_that_is_not_one() {
        let mut to = [0.0; 4];
        distributions(Matrix::probabilities(&[0.5_f64, 0.5, 0.396, 0.6], 2), &mut to);
        let sum = 0.396 + 0.6;
        assert_eq!(to, [0.5, 0.5, (0.396 / sum) as f32, (0.6 / sum) as f32]);
    }
}
