//! The sum of squared differences of two runs of numbers, in `f64` throughout.

use super::element::Element;
use super::vector::sum_in_pairs;
use crate::isa::{Isa, Kernel, LANES, dispatch};

/// `Σ (a − b)²` of two runs of the same length; not finite where they are not.
pub(crate) fn squared_distance<E: Element>(a: &[E], b: &[E]) -> f64 {
    dispatch(Distance { a, b })
}

#[derive(Clone)]
struct Distance<'a, E> {
    a: &'a [E],
    b: &'a [E],
}

impl<E: Element> Kernel for Distance<'_, E> {
    type Output = f64;

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> f64 {
        let (a, a_tail) = self.a.as_chunks::<LANES>();
        let (b, b_tail) = self.b.as_chunks::<LANES>();
        let mut sums = [0.0; LANES];
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (wide(isa, a), wide(isa, b));
            for lane in 0..LANES {
                let off = a[lane] - b[lane];
                sums[lane] = isa.mul_add_f64(off, off, sums[lane]);
            }
        }
        for lane in 0..a_tail.len() {
            let (a, b): (f64, f64) = (a_tail[lane].into(), b_tail[lane].into());
            sums[lane] += (a - b) * (a - b);
        }
        sum_in_pairs(sums)
    }
}

#[inline(always)]
fn wide<I: Isa, E: Element>(isa: I, numbers: &[E; LANES]) -> [f64; LANES] {
    let mut wide = [0.0; LANES];
    if E::FITS_F32 {
        let single = E::widen(isa, numbers);
        for lane in 0..LANES {
            wide[lane] = f64::from(single[lane]);
        }
    } else {
        for lane in 0..LANES {
            wide[lane] = numbers[lane].into();
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::everywhere;

    #[test]
    fn distances_of_every_length_are_those_of_a_plain_sum() {
        for n in [0, 1, 15, 16, 17, 100] {
            let a: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.3).sin()).collect();
            let b: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.7).cos()).collect();
            let truth: f64 = a.iter().zip(&b).map(|(a, b)| (a - b).powi(2)).sum();
            for found in everywhere(Distance { a: &a, b: &b }) {
                assert!((found - truth).abs() <= 1e-14 * truth);
            }
            let halves = |v: &[f64]| v.iter().map(|&x| half::f16::from_f64(x)).collect::<Vec<_>>();
            let (a, b) = (halves(&a), halves(&b));
            let exact = |a: &half::f16, b: &half::f16| (a.to_f64() - b.to_f64()).powi(2);
            let truth: f64 = a.iter().zip(&b).map(|(a, b)| exact(a, b)).sum();
            for found in everywhere(Distance { a: &a, b: &b }) {
                assert!((found - truth).abs() <= 1e-14 * truth);
            }
        }
    }
}
