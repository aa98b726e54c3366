//! Which instructions a kernel is compiled for, and the choice among them when it is called.
//!
//! A kernel is written once, as loops over arrays of [`LANES`] numbers, and compiled three times:
//! for AVX-512, for AVX2 with FMA and F16C, and for whatever the build's target has. The compiler
//! turns the loops into vector instructions of that width; by hand are only the conversions from
//! half precision, which it does not find by itself.
//!
//! Kernels and all that they call are `inline(always)`: a function on its own would be compiled
//! for the build's target.

use std::array;

use half::f16;

use super::exp::exp2;

/// Numbers in one step of a kernel: as many `f32` as an AVX-512 register holds.
pub const LANES: usize = 16;

/// One number a lane.
pub type Lanes = [f32; LANES];

/// Sums of exponentials and of their squares, and the largest size of what they are taken of; NaN
/// has no size.
#[derive(Clone, Copy)]
pub struct Totals {
    pub sum: Lanes,
    pub squares: Lanes,
    pub size: Lanes,
}

impl Totals {
    /// Of nothing.
    pub const ZERO: Self = Self { sum: [0.0; LANES], squares: [0.0; LANES], size: [0.0; LANES] };
}

/// A set of instructions that is known to be there.
pub trait Isa: Copy {
    /// Whether `a·b + c` with one rounding is an instruction; elsewhere it is a slow call.
    const FMA: bool;

    /// Sixteen half-precision numbers as `f32`.
    fn widen(self, halves: &[f16; LANES]) -> Lanes;

    /// The sum of the lanes, in pairs.
    #[inline(always)]
    fn sum(self, lanes: &Lanes) -> f32 {
        let mut lanes = *lanes;
        let mut half = LANES / 2;
        while half > 0 {
            for lane in 0..half {
                lanes[lane] += lanes[lane + half];
            }
            half /= 2;
        }
        lanes[0]
    }

    /// The totals with an exponential `e` of a number `z` added in each lane.
    #[inline(always)]
    fn add(self, totals: &Totals, z: &Lanes, e: &Lanes) -> Totals {
        let mut totals = *totals;
        for lane in 0..LANES {
            let size = z[lane].abs();
            totals.sum[lane] += e[lane];
            totals.squares[lane] = self.mul_add(e[lane], e[lane], totals.squares[lane]);
            totals.size[lane] = if size > totals.size[lane] { size } else { totals.size[lane] };
        }
        totals
    }

    /// `2^(z·log₂e)` of |z| ≤ 87, log₂e rounded to `f32`; of larger ones, or NaN, some number.
    #[inline(always)]
    fn exp2(self, z: &Lanes) -> Lanes {
        array::from_fn(|lane| exp2(self, z[lane]))
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

/// A computation that is compiled for each set of instructions.
pub(crate) trait Kernel {
    /// What it gives.
    type Output;

    /// The computation; `inline(always)` in every implementation.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// Runs a kernel with the best instructions of this processor.
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if x86::has_avx512() {
            // SAFETY: the processor has just said that it has every feature of `avx512`.
            return unsafe { x86::avx512(kernel) };
        }
        if x86::has_avx2() {
            // SAFETY: the processor has just said that it has every feature of `avx2`.
            return unsafe { x86::avx2(kernel) };
        }
    }
    kernel.run(Baseline)
}

/// What the build's target has for certain.
#[derive(Clone, Copy)]
pub(super) struct Baseline;

impl Isa for Baseline {
    const FMA: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

    #[inline(always)]
    fn widen(self, halves: &[f16; LANES]) -> Lanes {
        array::from_fn(|lane| widen_one(halves[lane]))
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

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::{
        arch::{is_x86_feature_detected, x86_64 as arch},
        mem::transmute,
    };

    use half::f16;

    use super::{Isa, Kernel, LANES, Lanes, Totals};

    pub(super) fn has_avx512() -> bool {
        is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && has_avx2()
    }

    pub(super) fn has_avx2() -> bool {
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c")
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub(super) fn avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Avx512(()))
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run(Avx2(()))
    }

    /// The numbers of a register.
    #[inline(always)]
    fn lanes(register: arch::__m512) -> Lanes {
        // SAFETY: both are 64 bytes, and any bits are numbers.
        unsafe { transmute(register) }
    }

    /// Made by [`avx512`] alone.
    #[derive(Clone, Copy)]
    pub(super) struct Avx512(());

    impl Isa for Avx512 {
        const FMA: bool = true;

        #[inline(always)]
        fn widen(self, halves: &[f16; LANES]) -> Lanes {
            // SAFETY: a value of this type exists only inside `avx512`, so the instruction is
            // there; the arrays and the registers are plain bits of the same size (32 and 64
            // bytes).
            unsafe {
                let halves: arch::__m256i = transmute(*halves);
                transmute(arch::_mm512_cvtph_ps(halves))
            }
        }

        #[inline(always)]
        fn sum(self, lanes: &Lanes) -> f32 {
            // SAFETY: as of `widen`; the array and the register have 64 bytes.
            unsafe { arch::_mm512_reduce_add_ps(transmute::<Lanes, arch::__m512>(*lanes)) }
        }

        /// By hand, because the compiler may cut these sums into quarters of a register.
        #[inline(always)]
        fn add(self, totals: &Totals, z: &Lanes, e: &Lanes) -> Totals {
            /// The number of larger size, without its sign.
            const SIZE: i32 = 0b1011;
            // SAFETY: as of `widen`; the arrays and the registers have 64 bytes.
            unsafe {
                let z: arch::__m512 = transmute(*z);
                let e: arch::__m512 = transmute(*e);
                let sum: arch::__m512 = transmute(totals.sum);
                let squares: arch::__m512 = transmute(totals.squares);
                let size: arch::__m512 = transmute(totals.size);
                Totals {
                    sum: lanes(arch::_mm512_add_ps(sum, e)),
                    squares: lanes(arch::_mm512_fmadd_ps(e, e, squares)),
                    size: lanes(arch::_mm512_range_ps::<SIZE>(size, z)),
                }
            }
        }

        /// With N the whole number nearest to `32 z log₂e`: a table of 32 for `2^(N/32)` up to its
        /// whole powers of two, which are added to the exponent, and a polynomial of degree 2 for
        /// the rest. That is three multiplications less than without a table, and multiplications
        /// are what limits this.
        #[inline(always)]
        fn exp2(self, z: &Lanes) -> Lanes {
            // SAFETY: a value of this type exists only inside `avx512`, so the instructions are
            // there; the arrays and the registers are plain bits of the same size (64 bytes).
            unsafe {
                let z: arch::__m512 = transmute(*z);
                let [low, high]: [arch::__m512i; 2] = transmute(ROOTS);
                let steps = arch::_mm512_set1_ps(32.0 * std::f32::consts::LOG2_E);
                let round = arch::_mm512_set1_ps(12_582_912.0);
                let rounded = arch::_mm512_fmadd_ps(z, steps, round);
                let n = arch::_mm512_sub_ps(rounded, round);
                let r = arch::_mm512_fmsub_ps(z, steps, n);
                let bits = arch::_mm512_castps_si512(rounded);
                let root = arch::_mm512_permutex2var_epi32(low, bits, high);
                let power = arch::_mm512_add_epi32(root, arch::_mm512_slli_epi32::<18>(bits));
                let [linear, square] = ROOT.map(|c| arch::_mm512_set1_ps(c));
                let p = arch::_mm512_fmadd_ps(square, r, linear);
                let p = arch::_mm512_fmadd_ps(p, r, arch::_mm512_set1_ps(1.0));
                transmute(arch::_mm512_mul_ps(p, arch::_mm512_castsi512_ps(power)))
            }
        }
    }

    /// Coefficients of r and r² for `2^(r/32)` with 1 in front, of least largest relative error
    /// (5·10⁻⁸) on |r| ≤ ½, found as those of `super::exp::EXP2`.
    const ROOT: [f32; 2] = [0.021_661_166, 0.000_234_596_18];

    /// The bits of `2^(j/32)`, less what the j in the lowest bits of N adds when N is shifted to
    /// the exponent.
    static ROOTS: [u32; 32] = {
        /// `2^(j/32)`.
        const ROOTS: [f32; 32] = [
            1.0,
            1.021_897_2,
            1.044_273_7,
            1.067_140_5,
            1.090_507_7,
            1.114_386_8,
            1.138_788_6,
            1.163_724_9,
            1.189_207_1,
            1.215_247_4,
            1.241_857_8,
            1.269_051,
            1.296_839_6,
            1.325_236_7,
            1.354_255_6,
            1.383_91,
            std::f32::consts::SQRT_2,
            1.445_180_8,
            1.476_826_2,
            1.509_164_5,
            1.542_210_8,
            1.575_980_9,
            1.610_490_3,
            1.645_755_5,
            1.681_792_9,
            1.718_619_3,
            1.756_252_2,
            1.794_709_1,
            1.834_008_1,
            1.874_167_7,
            1.915_206_6,
            1.957_144_1,
        ];
        let mut bits = [0; 32];
        let mut j = 0;
        while j < 32 {
            bits[j] = ROOTS[j].to_bits() - ((j as u32) << 18);
            j += 1;
        }
        bits
    };

    /// Made by [`avx2`] alone.
    #[derive(Clone, Copy)]
    pub(super) struct Avx2(());

    impl Isa for Avx2 {
        const FMA: bool = true;

        #[inline(always)]
        fn widen(self, halves: &[f16; LANES]) -> Lanes {
            // SAFETY: a value of this type exists only inside `avx2`, so the instruction is there;
            // the arrays and the registers are plain bits of the same size (2 × 16 and 2 × 32
            // bytes).
            unsafe {
                let [low, high]: [arch::__m128i; 2] = transmute(*halves);
                transmute([arch::_mm256_cvtph_ps(low), arch::_mm256_cvtph_ps(high)])
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What a kernel gives with each set of instructions that this processor has.
    pub(in crate::fast) fn everywhere<K: Kernel + Clone>(kernel: K) -> Vec<K::Output> {
        let mut found = vec![kernel.clone().run(Baseline)];
        #[cfg(target_arch = "x86_64")]
        {
            if x86::has_avx2() {
                // SAFETY: the processor has just said that it has every feature of `avx2`.
                found.push(unsafe { x86::avx2(kernel.clone()) });
            }
            if x86::has_avx512() {
                // SAFETY: the processor has just said that it has every feature of `avx512`.
                found.push(unsafe { x86::avx512(kernel) });
            }
        }
        found
    }

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
            let halves = array::from_fn(|lane| f16::from_bits(first + lane as u16));
            for found in everywhere(Widen(halves)) {
                for (found, half) in found.iter().zip(halves) {
                    let same = found.to_bits() == half.to_f32().to_bits();
                    assert!(same || found.is_nan() && half.is_nan(), "{half:?}: {found}");
                }
            }
        }
    }
}
