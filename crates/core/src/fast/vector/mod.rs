//! Sixteen numbers at a time, for each set of instructions: what the compiler does not find by itself
//! in loops over lanes, above all the conversions from half precision.

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(super) use x86::Totals;

use std::ops::AddAssign;

use half::f16;

use super::{
    element::Element,
    exp::{clamp, exp_clamped},
    sums::Sums,
};
use crate::isa::{LANES, Scalar};

/// One number a lane.
pub type Lanes = [f32; LANES];

/// The sum of lanes, in pairs: each of the first half and its like in the second, again and again.
#[inline(always)]
pub fn sum_in_pairs<T: Copy + AddAssign>(mut lanes: [T; LANES]) -> T {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            let other = lanes[lane + half];
            lanes[lane] += other;
        }
        half /= 2;
    }
    lanes[0]
}

/// Operations on lanes with a set of instructions that is known to be there.
pub trait Vector: Copy {
    /// Whether `a·b + c` with one rounding is an instruction; elsewhere it is a slow call.
    const FMA: bool;

    /// Sixteen half-precision numbers as `f32`.
    fn widen(self, halves: &[f16; LANES]) -> Lanes;

    /// The sum of the lanes, in pairs.
    #[inline(always)]
    fn sum(self, lanes: &Lanes) -> f32 {
        sum_in_pairs(*lanes)
    }

    /// EL2N's sums of a row in one pass ([`super::direct`]), where these instructions make that the
    /// faster way, and, with `TOP`, the row's largest entry other than the label's; none where they do
    /// not, or where the row does not suit.
    #[inline(always)]
    fn direct<E: Element, const TOP: bool>(
        self,
        _: &[E],
        _label: u32,
        _: &mut Sums,
        _lane: usize,
    ) -> Option<f32> {
        None
    }

    /// `exp(x)` of x ≤ 0, and 0 where it is below 2⁻¹²⁶; of NaN it is 0.
    #[inline(always)]
    fn exp(self, x: f32) -> f32 {
        exp_clamped(self, clamp(x))
    }

    /// `a·b + c`, with one rounding where that is an instruction and with two elsewhere.
    #[inline(always)]
    fn mul_add(self, a: f32, b: f32, c: f32) -> f32 {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }

    /// The same in `f64`.
    #[inline(always)]
    fn mul_add_f64(self, a: f64, b: f64, c: f64) -> f64 {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }
}

impl Vector for Scalar {
    const FMA: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

    #[inline(always)]
    fn widen(self, halves: &[f16; LANES]) -> Lanes {
        let mut wide = [0.0; LANES];
        for lane in 0..LANES {
            wide[lane] = widen_one(halves[lane]);
        }
        wide
    }
}

/// A half-precision number as `f32`, by integer operations that the compiler can vectorise, unlike
/// the branches of [`f16::to_f32`].
#[inline(always)]
fn widen_one(half: f16) -> f32 {
    /// 2¹¹², by which the exponents' biases differ: a product with it is exact, and makes normal
    /// numbers of the subnormal ones.
    const REBIAS: f32 = f32::from_bits((127 + 112) << 23);
    const INFINITY: u32 = 0x7c00;
    let bits = u32::from(half.to_bits());
    let magnitude = bits & 0x7fff;
    let finite = (f32::from_bits(magnitude << 13) * REBIAS).to_bits();
    let special = if magnitude >= INFINITY { 0x7f80_0000 | magnitude << 13 } else { 0 };
    f32::from_bits(finite | special | (bits & 0x8000) << 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, Kernel, everywhere};

    #[derive(Clone)]
    struct Widen([f16; LANES]);

    impl Kernel for Widen {
        type Output = Lanes;

        #[inline(always)]
        fn run<I: Isa>(self, isa: I) -> Lanes {
            isa.widen(&self.0)
        }
    }

    #[test]
    fn every_half_is_widened_as_the_library_does() {
        for first in (0..=u16::MAX).step_by(LANES) {
            let halves = std::array::from_fn(|lane| f16::from_bits(first + lane as u16));
            for found in everywhere(Widen(halves)) {
                for (found, half) in found.iter().zip(halves) {
                    let same = found.to_bits() == half.to_f32().to_bits();
                    assert!(same || found.is_nan() && half.is_nan(), "{half:?}: {found}");
                }
            }
        }
    }
}
