//! Exponentials and logarithms in a fixed number of operations, without branches, so that a loop
//! over an array of them becomes vector instructions.
//!
//! `exp(x) = 2ⁿ · exp(r)`, with n the whole number nearest to `x / ln 2`, `r = x − n ln 2` in
//! [−ln 2 / 2, ln 2 / 2], and a polynomial for `exp(r)`. `ln w = n ln 2 + ln m`, with m in
//! [√½, √2] and `ln m = 2 artanh s`, `s = (m − 1) / (m + 1)`, as a series in s².
//!
//! Relative errors: 4·10⁻⁷ for [`exp_clamped`] at −87 and 1.5·10⁻⁷ near 0, 10⁻¹³ for the `f64` ones. Only arguments
//! of the stated signs are right.

use super::vector::{Lanes, Vector};
use crate::isa::LANES;

/// Adding it rounds a number below 2²² to a whole one, which its lowest bits then hold, here with
/// the exponent's bias of 127 added: shifted up by 23 they are 2ⁿ.
const ROUND: f32 = 12_582_912.0 + 127.0;

/// Below it `exp` is 0: n is −127, whose power of two is written with all bits zero.
const LOWEST: f32 = -88.0;

/// Coefficients of r² to r⁶ for `exp(r)` with 1 + r in front, of least largest relative error
/// (4·10⁻⁹ after rounding to `f32`) on |r| ≤ 1.002 · ln 2 / 2: Lawson's iteration in NumPy, weights
/// of 4,001 Chebyshev nodes.
const EXP: [f32; 5] = [0.499_999_94, 0.166_665_2, 0.041_668_4, 0.008_368_85, 0.001_381_432];

/// A finite number with the same [`exp_clamped`], also of −∞.
#[inline(always)]
pub(super) fn clamp(x: f32) -> f32 {
    if x > LOWEST { x } else { LOWEST }
}

/// `exp(x)` of −88 ≤ x ≤ 0, and 0 where it is below 2⁻¹²⁶.
#[inline(always)]
pub(super) fn exp_clamped<I: Vector>(isa: I, x: f32) -> f32 {
    let rounded = isa.mul_add(x, std::f32::consts::LOG2_E, ROUND);
    let n = rounded - ROUND;
    let r = if I::FMA {
        // The rounding of ln 2 weighs n·2·10⁻⁹, nothing beside the sum's largest term.
        n.mul_add(-std::f32::consts::LN_2, x)
    } else {
        // ln 2 in two parts, the first with so few digits that its product with n is exact.
        (x - n * (355.0 / 512.0)) - n * -2.121_944_4e-4
    };
    let mut sum = EXP[4];
    for coefficient in [EXP[3], EXP[2], EXP[1], EXP[0], 1.0, 1.0] {
        sum = isa.mul_add(sum, r, coefficient);
    }
    sum * f32::from_bits(rounded.to_bits() << 23)
}

/// `exp(x)` of x ≤ 0 in each lane; of less than −708 it gives that of −708, 3·10⁻³⁰⁸.
#[inline(always)]
pub(super) fn exp_f64<I: Vector>(isa: I, x: [f64; LANES]) -> [f64; LANES] {
    /// As [`ROUND`], with the bias of `f64`.
    const ROUND: f64 = 6_755_399_441_055_744.0 + 1023.0;
    let mut exps = [0.0; LANES];
    for lane in 0..LANES {
        let x = if x[lane] > -708.0 { x[lane] } else { -708.0 };
        let rounded = isa.mul_add_f64(x, std::f64::consts::LOG2_E, ROUND);
        let n = rounded - ROUND;
        // ln 2 in two parts, the first with so few digits that its product with n is exact.
        let r = (x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10;
        // Taylor's series: its first term left out is 6·10⁻¹⁵.
        let mut sum = 1.0 / 39_916_800.0;
        for factorial in
            [3_628_800.0, 362_880.0, 40_320.0, 5_040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0]
        {
            sum = isa.mul_add_f64(sum, r, 1.0 / factorial);
        }
        exps[lane] = sum * f64::from_bits(rounded.to_bits() << 52);
    }
    exps
}

/// `ln(1 + v)` of finite v ≥ 0 in each lane; small ones keep their digits.
#[inline(always)]
pub(super) fn ln_1p<I: Vector>(isa: I, v: [f64; LANES]) -> [f64; LANES] {
    /// √½, whose bits taken from those of w leave n in the exponent.
    const ROOT: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    /// 2⁵², whose lowest bits take a small whole number.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let mut logs = [0.0; LANES];
    for lane in 0..LANES {
        let w = 1.0 + v[lane];
        let n = (w.to_bits() - ROOT) >> 52;
        let m = f64::from_bits(w.to_bits() - (n << 52));
        let n = f64::from_bits(WHOLE.to_bits() | n) - WHOLE;
        // Without a power of two to take out, m − 1 is v itself, not rounded with the 1.
        let f = if n == 0.0 { v[lane] } else { m - 1.0 };
        let s = f / (2.0 + f);
        let square = s * s;
        // The first term left out is 4·10⁻¹⁴ of the whole.
        let mut sum = 1.0 / 15.0;
        for odd in [13.0, 11.0, 9.0, 7.0, 5.0, 3.0, 1.0] {
            sum = isa.mul_add_f64(sum, square, 1.0 / odd);
        }
        logs[lane] = isa.mul_add_f64(n, std::f64::consts::LN_2, 2.0 * s * sum);
    }
    logs
}

/// `ln w` of a positive normal w.
#[inline(always)]
fn ln_normal<I: Vector>(isa: I, w: f32) -> f32 {
    const ROOT: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    let n = (w.to_bits().wrapping_sub(ROOT)).cast_signed() >> 23;
    let m = f32::from_bits(w.to_bits().wrapping_sub((n << 23).cast_unsigned()));
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let square = s * s;
    let mut sum = 1.0 / 9.0;
    for odd in [7.0, 5.0, 3.0, 1.0] {
        sum = isa.mul_add(sum, square, 1.0 / odd);
    }
    isa.mul_add(n as f32, std::f32::consts::LN_2, 2.0 * s * sum)
}

/// `ln w` of positive normal w in each lane.
#[inline(always)]
pub(crate) fn ln<I: Vector>(isa: I, w: Lanes) -> Lanes {
    let mut logs = [0.0; LANES];
    for lane in 0..LANES {
        logs[lane] = ln_normal(isa, w[lane]);
    }
    logs
}

/// `p ln p` of p ≥ 0 in each lane, 0 where p is 0 or subnormal.
#[inline(always)]
pub(super) fn p_ln_p<I: Vector>(isa: I, p: Lanes) -> Lanes {
    let mut products = [0.0; LANES];
    for lane in 0..LANES {
        // 1 in place of what has no exponent: its logarithm is 0.
        let w = if p[lane] >= f32::MIN_POSITIVE { p[lane] } else { 1.0 };
        products[lane] = p[lane] * ln_normal(isa, w);
    }
    products
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::{Isa, Kernel, everywhere};

    #[inline(always)]
    fn exp<I: Isa>(isa: I, x: Lanes) -> Lanes {
        std::array::from_fn(|lane| exp_clamped(isa, clamp(x[lane])))
    }

    /// A function of lanes as a kernel.
    macro_rules! kernel {
        ($name:ident, $function:ident, $number:ty) => {
            #[derive(Clone)]
            struct $name([$number; LANES]);

            impl Kernel for $name {
                type Output = [$number; LANES];

                #[inline(always)]
                fn run<I: Isa>(self, isa: I) -> Self::Output {
                    $function(isa, self.0)
                }
            }
        };
    }

    kernel!(Exp, exp, f32);
    kernel!(ExpF64, exp_f64, f64);
    kernel!(Ln1p, ln_1p, f64);
    kernel!(Ln, ln, f32);
    kernel!(PLnP, p_ln_p, f32);

    /// The largest distance of a kernel from `truth`, relative to it.
    #[track_caller]
    fn assert_near<N: Copy + Into<f64>, K: Kernel<Output = [N; LANES]> + Clone>(
        arguments: &[N],
        kernel: impl Fn([N; LANES]) -> K,
        truth: impl Fn(f64) -> f64,
        tolerance: f64,
    ) {
        for arguments in arguments.chunks_exact(LANES) {
            for found in everywhere(kernel(std::array::from_fn(|lane| arguments[lane]))) {
                for (&x, found) in arguments.iter().zip(found) {
                    let (x, found): (f64, f64) = (x.into(), found.into());
                    let truth = truth(x);
                    let near = (found - truth).abs() <= tolerance * truth.abs();
                    assert!(near, "of {x}: {found} is not {truth}");
                }
            }
        }
    }

    #[test]
    fn exponentials_are_right_to_a_few_roundings() {
        let x: Vec<f32> = (0..1 << 20).map(|i| -87.0 * i as f32 / (1 << 20) as f32).collect();
        assert_near(&x, Exp, f64::exp, 4e-7);
        assert_near(&x[..1 << 16], Exp, f64::exp, 1.5e-7);
        let x: Vec<f64> = (0..1 << 16).map(|i| -707.9 * f64::from(i) / 65_536.0).collect();
        assert_near(&x, ExpF64, f64::exp, 1e-13);
    }

    #[test]
    fn exponentials_end_at_zero() {
        let x = [f32::NEG_INFINITY, f32::MIN, -1e9, -88.1, -0.0, 0.0];
        let x = std::array::from_fn(|lane| x.get(lane).copied().unwrap_or(0.0));
        for found in everywhere(Exp(x)) {
            assert_eq!(found[..6], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
        }
    }

    #[test]
    fn logarithms_keep_the_digits_of_small_and_large_ones() {
        let v: Vec<f64> = (-300..20).flat_map(|n| [10f64.powi(n), 0.7 * 10f64.powi(n)]).collect();
        assert_near(&v, Ln1p, f64::ln_1p, 1e-13);
        let v: Vec<f64> = (0..1 << 14).map(|i| f64::from(i) / 4096.0).collect();
        assert_near(&v, Ln1p, f64::ln_1p, 1e-13);
        for found in everywhere(Ln1p([0.0; LANES])) {
            assert_eq!(found, [0.0; LANES]);
        }
    }

    #[test]
    fn logarithms_of_normal_numbers() {
        let w: Vec<f32> = (-37..38).map(|n| 1.7 * 10f32.powi(n)).collect();
        assert_near(&w, Ln, f64::ln, 3e-7);
    }

    #[test]
    fn surprise_of_probabilities() {
        let p: Vec<f32> = (1..1 << 16).map(|i| i as f32 / 65_536.0).collect();
        assert_near(&p, PLnP, |p| p * p.ln(), 3e-7);
        for found in everywhere(PLnP([0.0; LANES])) {
            assert_eq!(found, [0.0; LANES]);
        }
        for found in everywhere(PLnP([1.0; LANES])) {
            assert_eq!(found, [0.0; LANES]);
        }
    }
}
