//! The kinds of numbers that a matrix may hold: `f16`, `bf16`, `f32` and `f64`.

use half::{bf16, f16};

use super::vector::Lanes;
use crate::isa::{Isa, LANES};

/// A number of a matrix of logits or probabilities.
///
/// Raw bits of half precision become [`struct@f16`] or [`bf16`] without a copy by `half`'s
/// `HalfBitsSliceExt::reinterpret_cast`. No other type can implement this.
pub trait Element: Copy + PartialOrd + Send + Sync + Into<f64> + private::Element {}

impl Element for f16 {}
impl Element for bf16 {}
impl Element for f32 {}
impl Element for f64 {}

pub(super) mod private {
    use super::*;

    /// How a kernel reads a number.
    pub trait Element: Sized {
        /// Whether `f32` holds every value exactly.
        const FITS_F32: bool;

        /// As `f32`; rounded only from `f64`.
        fn single(self) -> f32;

        /// The numbers themselves, if they are `f32`.
        fn singles(numbers: &[Self]) -> Option<&[f32]>;

        /// Sixteen at once.
        fn widen<I: Isa>(isa: I, numbers: &[Self; LANES]) -> Lanes;
    }

    /// All as `f32`, one by one.
    #[inline(always)]
    fn each<E: Element + Copy>(numbers: &[E; LANES]) -> Lanes {
        let mut singles = [0.0; LANES];
        for lane in 0..LANES {
            singles[lane] = numbers[lane].single();
        }
        singles
    }

    impl Element for f16 {
        const FITS_F32: bool = true;

        #[inline(always)]
        fn single(self) -> f32 {
            self.to_f32()
        }

        #[inline(always)]
        fn singles(_: &[Self]) -> Option<&[f32]> {
            None
        }

        #[inline(always)]
        fn widen<I: Isa>(isa: I, numbers: &[Self; LANES]) -> Lanes {
            isa.widen(numbers)
        }
    }

    impl Element for bf16 {
        const FITS_F32: bool = true;

        #[inline(always)]
        fn single(self) -> f32 {
            f32::from_bits(u32::from(self.to_bits()) << 16)
        }

        #[inline(always)]
        fn singles(_: &[Self]) -> Option<&[f32]> {
            None
        }

        #[inline(always)]
        fn widen<I: Isa>(_: I, numbers: &[Self; LANES]) -> Lanes {
            each(numbers)
        }
    }

    impl Element for f32 {
        const FITS_F32: bool = true;

        #[inline(always)]
        fn single(self) -> f32 {
            self
        }

        #[inline(always)]
        fn singles(numbers: &[Self]) -> Option<&[f32]> {
            Some(numbers)
        }

        #[inline(always)]
        fn widen<I: Isa>(_: I, numbers: &[Self; LANES]) -> Lanes {
            *numbers
        }
    }

    impl Element for f64 {
        const FITS_F32: bool = false;

        #[inline(always)]
        fn single(self) -> f32 {
            self as f32
        }

        #[inline(always)]
        fn singles(_: &[Self]) -> Option<&[f32]> {
            None
        }

        #[inline(always)]
        fn widen<I: Isa>(_: I, numbers: &[Self; LANES]) -> Lanes {
            each(numbers)
        }
    }
}
