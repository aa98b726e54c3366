//! AVX-512 and AVX2 by hand.

use std::{arch::x86_64 as arch, mem::transmute};

use half::f16;

use super::{Lanes, Vector};
use crate::{
    fast::{direct, element::Element, sums::Sums},
    isa::{Avx2, Avx512, LANES},
};

/// The numbers of a register.
#[inline(always)]
fn lanes(register: arch::__m512) -> Lanes {
    // SAFETY: both are 64 bytes, and any bits are numbers.
    unsafe { transmute(register) }
}

impl Vector for Avx512 {
    const FMA: bool = true;

    #[inline(always)]
    fn widen(self, halves: &[f16; LANES]) -> Lanes {
        // SAFETY: the token proves AVX-512 F, BW, DQ and VL; the arrays and the registers are plain
        // bits of the same size (32 and 64 bytes).
        unsafe {
            let halves: arch::__m256i = transmute(*halves);
            transmute(arch::_mm512_cvtph_ps(halves))
        }
    }

    #[inline(always)]
    fn sum(self, lanes: &Lanes) -> f32 {
        // SAFETY: as of [`Vector::widen`]; the array and the register have 64 bytes.
        unsafe { arch::_mm512_reduce_add_ps(transmute::<Lanes, arch::__m512>(*lanes)) }
    }

    #[inline(always)]
    fn direct<E: Element, const TOP: bool>(
        self,
        row: &[E],
        label: u32,
        sums: &mut Sums,
        lane: usize,
    ) -> Option<f32> {
        if E::FITS_F32 { direct::add_row::<E, TOP>(self, row, label, sums, lane) } else { None }
    }
}

/// Sums of exponentials and of their squares, the largest size of what they are taken of, and the largest
/// of that; NaN has no size.
#[derive(Clone, Copy)]
pub struct Totals {
    pub sum: Lanes,
    pub squares: Lanes,
    pub size: Lanes,
    /// Only where it is asked for.
    pub top: Lanes,
}

impl Totals {
    /// Of nothing.
    pub const ZERO: Self = Self {
        sum: [0.0; LANES],
        squares: [0.0; LANES],
        size: [0.0; LANES],
        top: [f32::NEG_INFINITY; LANES],
    };
}

impl Avx512 {
    /// The totals with an exponential `e` of a number `z` added in each lane; `TOP`: the largest too.
    ///
    /// By hand, because the compiler may cut these sums into quarters of a register.
    #[inline(always)]
    pub(in crate::fast) fn add<const TOP: bool>(
        self,
        totals: &Totals,
        z: &Lanes,
        e: &Lanes,
    ) -> Totals {
        /// The number of larger size, without its sign.
        const SIZE: i32 = 0b1011;
        // SAFETY: as of [`Vector::widen`]; the arrays and the registers have 64 bytes.
        unsafe {
            let z: arch::__m512 = transmute(*z);
            let e: arch::__m512 = transmute(*e);
            let sum: arch::__m512 = transmute(totals.sum);
            let squares: arch::__m512 = transmute(totals.squares);
            let size: arch::__m512 = transmute(totals.size);
            let top: arch::__m512 = transmute(totals.top);
            Totals {
                sum: lanes(arch::_mm512_add_ps(sum, e)),
                squares: lanes(arch::_mm512_fmadd_ps(e, e, squares)),
                size: lanes(arch::_mm512_range_ps::<SIZE>(size, z)),
                top: if TOP { lanes(arch::_mm512_max_ps(top, z)) } else { totals.top },
            }
        }
    }

    /// `2^(z·log₂e)` of |z| ≤ 87, log₂e rounded to `f32`; of larger ones, or NaN, some number.
    ///
    /// With N the whole number nearest to `32 z log₂e`: a table of 32 for `2^(N/32)` up to its
    /// whole powers of two, which are added to the exponent, and a polynomial of degree 2 for
    /// the rest. That is three multiplications less than without a table, and multiplications
    /// are what limits this.
    #[inline(always)]
    pub(in crate::fast) fn exp2(self, z: &Lanes) -> Lanes {
        // SAFETY: as of [`Vector::widen`]; the arrays and the registers have 64 bytes.
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
/// (5·10⁻⁸) on |r| ≤ ½, found as those of `crate::fast::exp::EXP`.
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

impl Vector for Avx2 {
    const FMA: bool = true;

    #[inline(always)]
    fn widen(self, halves: &[f16; LANES]) -> Lanes {
        // SAFETY: the token proves F16C and AVX2; the arrays and the registers are plain bits of the
        // same size (2 × 16 and 2 × 32 bytes).
        unsafe {
            let [low, high]: [arch::__m128i; 2] = transmute(*halves);
            transmute([arch::_mm256_cvtph_ps(low), arch::_mm256_cvtph_ps(high)])
        }
    }
}
