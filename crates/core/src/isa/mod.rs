//! Which instructions our kernels use: asked and chosen here, for the whole workspace.
//!
//! A kernel is written once, as loops over arrays of [`LANES`] numbers, and compiled three times:
//! for AVX-512, for AVX2 with FMA and F16C, and for whatever the build's target has. The compiler
//! turns the loops into vector instructions of that width. [`dispatch`] runs the best of them.
//!
//! What needs certain instructions takes a *token*: [`Avx2`], [`Avx512`] and [`Avx512Bf16`] come
//! from their `detect` alone, so that a value of one proves that the processor has them.
//!
//! The environment variable `DATADIET_MAX_ISA` is the most that any of our kernels uses: `scalar`,
//! `avx2`, `avx512` or `avx512-bf16`; without it, or empty, whatever the processor has. It is read
//! once. Another value is refused: by [`limit`] with an error, and with its text as a panic by the
//! first kernel or question where the program has not asked. PyTorch's own kernels have variables of
//! their own, `ATEN_CPU_CAPABILITY` and `ONEDNN_MAX_CPU_ISA`.
//!
//! ```
//! use datadiet_core::isa::{Isa, Kernel, dispatch};
//!
//! struct Sum<'a>(&'a [f32]);
//!
//! impl Kernel for Sum<'_> {
//!     type Output = f32;
//!
//!     #[inline(always)]
//!     fn run<I: Isa>(self, _: I) -> f32 {
//!         self.0.iter().sum()
//!     }
//! }
//!
//! assert_eq!(dispatch(Sum(&[1.0, 2.0])), 3.0);
//! ```

mod limit;
mod token;

pub use limit::{Level, UnknownLevel, limit};
pub use token::{Avx2, Avx512, Avx512Bf16, Scalar};

use crate::fast::vector::Vector;

/// Numbers in one step of a kernel: as many `f32` as an AVX-512 register holds.
pub const LANES: usize = 16;

/// A computation that is compiled for each set of instructions.
///
/// [`Kernel::run`] and all functions that it calls are `inline(always)`: one on its own would be
/// compiled for the build's target. So it has loops instead of closures, which cannot be marked so.
pub trait Kernel {
    /// What it gives.
    type Output;

    /// The computation.
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// A set of instructions that kernels are compiled for. No other type can implement it.
pub trait Isa: Vector {
    /// Runs a kernel compiled for these instructions.
    fn call<K: Kernel>(self, kernel: K) -> K::Output;
}

/// Runs a kernel with the best instructions that this processor has and [`limit`] allows.
///
/// # Panics
/// Where `DATADIET_MAX_ISA` has a value that [`limit`] refuses.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(isa) = Avx512::detect() {
            return isa.call(kernel);
        }
        if let Some(isa) = Avx2::detect() {
            return isa.call(kernel);
        }
    }
    Scalar.call(kernel)
}

/// What a kernel gives with each set of instructions that it may use here.
#[cfg(test)]
pub(crate) fn everywhere<K: Kernel + Clone>(kernel: K) -> Vec<K::Output> {
    let mut found = vec![Scalar.call(kernel.clone())];
    #[cfg(target_arch = "x86_64")]
    {
        found.extend(Avx2::detect().map(|isa| isa.call(kernel.clone())));
        found.extend(Avx512::detect().map(|isa| isa.call(kernel)));
    }
    found
}
