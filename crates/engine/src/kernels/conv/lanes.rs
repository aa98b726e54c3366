//! Sixteen numbers at a time: the innermost loops, for each set of instructions, whose token they take.
//!
//! Operands are 32-bit words: floats, or pairs of bfloat16 whose products are summed. A word is
//! broadcast to 16 lanes and multiplied with 16 others.

use datadiet_core::isa::{Avx512, Avx512Bf16, Isa, Kernel, LANES, dispatch};

/// What a word is, and what multiplies it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arithmetic {
    /// Pairs of bfloat16.
    Bf16Pairs(Avx512Bf16),
    /// Floats, in registers of sixteen.
    F32Wide(Avx512),
    /// Floats, with the best instructions there are.
    F32,
}

impl Arithmetic {
    /// Whether a word is a pair.
    pub(crate) fn is_pairs(self) -> bool {
        matches!(self, Self::Bf16Pairs(_))
    }
}

/// The operands of [`outer`]: `rows` × `columns` words, and as many times 16 lanes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer<'a> {
    /// Words that are broadcast.
    pub(crate) words: &'a [u32],
    /// Lanes that they are multiplied with.
    pub(crate) lanes: &'a [u32],
    /// Rows of both.
    pub(crate) rows: usize,
    /// Places in a row of both.
    pub(crate) columns: usize,
    /// From one row or column of the words to the next.
    pub(crate) word_steps: [usize; 2],
    /// From one row or column of the lanes to the next.
    pub(crate) lane_steps: [usize; 2],
}

impl Outer<'_> {
    /// Asserts that there are places, with `n` words and 16 lanes in each.
    fn check(&self, n: usize) {
        assert!(self.rows > 0 && self.columns > 0);
        assert!(
            reach(self.rows, self.word_steps[0], reach(self.columns, self.word_steps[1], n))
                <= self.words.len()
        );
        assert!(
            reach(self.rows, self.lane_steps[0], reach(self.columns, self.lane_steps[1], LANES))
                <= self.lanes.len()
        );
    }
}

/// Numbers from the start of the first of `count` things to the end of the last, each `length` long and
/// `step` after the one before; more than any slice has where it overflows.
fn reach(count: usize, step: usize, length: usize) -> usize {
    (count - 1).saturating_mul(step).saturating_add(length)
}

/// `Σ_places words[place][i] · lanes[place][c]` for `i < N`.
#[inline]
pub(crate) fn outer<const N: usize>(
    arithmetic: Arithmetic,
    places: &Outer<'_>,
) -> [[f32; LANES]; N] {
    places.check(N);
    match arithmetic {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the token proves the instructions; the operands have been checked.
        Arithmetic::Bf16Pairs(_) => unsafe { x86::outer_bf16::<N>(places) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Arithmetic::F32Wide(_) => unsafe { x86::outer_f32::<N>(places) },
        _ => dispatch(OuterKernel { places }),
    }
}

/// [`outer`] of floats, for any instructions.
struct OuterKernel<'a, const N: usize> {
    places: &'a Outer<'a>,
}

impl<const N: usize> Kernel for OuterKernel<'_, N> {
    type Output = [[f32; LANES]; N];

    #[inline(always)]
    fn run<I: Isa>(self, isa: I) -> Self::Output {
        let Outer { words, lanes, rows, columns, word_steps, lane_steps } = *self.places;
        let mut sums = [[0f32; LANES]; N];
        for row in 0..rows {
            for column in 0..columns {
                let words = &words[row * word_steps[0] + column * word_steps[1]..][..N];
                let lanes = &lanes[row * lane_steps[0] + column * lane_steps[1]..][..LANES];
                for (sum, &word) in sums.iter_mut().zip(words) {
                    for (sum, &lane) in sum.iter_mut().zip(lanes) {
                        *sum = isa.mul_add(f32::from_bits(word), f32::from_bits(lane), *sum);
                    }
                }
            }
        }
        sums
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{LANES, Outer};

    /// # Safety
    /// Needs AVX512-BF16, and operands that reach as far as [`Outer::check`] says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(crate) unsafe fn outer_bf16<const N: usize>(places: &Outer<'_>) -> [[f32; LANES]; N] {
        let mut acc = [_mm512_setzero_ps(); N];
        let ([word_row, word_column], [lane_row, lane_column]) =
            (places.word_steps, places.lane_steps);
        for row in 0..places.rows {
            // SAFETY: the caller's promise.
            unsafe {
                let mut words = places.words.as_ptr().add(row * word_row);
                let mut lanes = places.lanes.as_ptr().add(row * lane_row);
                for _ in 0..places.columns {
                    let pairs = load_pairs(lanes);
                    for (i, acc) in acc.iter_mut().enumerate() {
                        *acc = _mm512_dpbf16_ps(*acc, pairs, broadcast(words.add(i)));
                    }
                    words = words.wrapping_add(word_column);
                    lanes = lanes.wrapping_add(lane_column);
                }
            }
        }
        stored(acc)
    }

    /// # Safety
    /// Needs AVX-512, and operands that reach as far as [`Outer::check`] says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(crate) unsafe fn outer_f32<const N: usize>(places: &Outer<'_>) -> [[f32; LANES]; N] {
        let mut acc = [_mm512_setzero_ps(); N];
        let ([word_row, word_column], [lane_row, lane_column]) =
            (places.word_steps, places.lane_steps);
        for row in 0..places.rows {
            // SAFETY: the caller's promise.
            unsafe {
                let mut words = places.words.as_ptr().add(row * word_row).cast::<f32>();
                let mut lanes = places.lanes.as_ptr().add(row * lane_row).cast::<f32>();
                for _ in 0..places.columns {
                    let values = _mm512_loadu_ps(lanes);
                    for (i, acc) in acc.iter_mut().enumerate() {
                        *acc = _mm512_fmadd_ps(_mm512_set1_ps(*words.add(i)), values, *acc);
                    }
                    words = words.wrapping_add(word_column);
                    lanes = lanes.wrapping_add(lane_column);
                }
            }
        }
        stored(acc)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn stored<const N: usize>(acc: [__m512; N]) -> [[f32; LANES]; N] {
        let mut sums = [[0f32; LANES]; N];
        for (acc, sum) in acc.iter().zip(&mut sums) {
            // SAFETY: 16 numbers have room for 16.
            unsafe { _mm512_storeu_ps(sum.as_mut_ptr(), *acc) };
        }
        sums
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn load_pairs(from: *const u32) -> __m512bh {
        // SAFETY: 16 words are there, says the caller; both are 64 bytes of any content.
        unsafe { std::mem::transmute(_mm512_loadu_si512(from.cast())) }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    unsafe fn broadcast(from: *const u32) -> __m512bh {
        // SAFETY: a word is there, says the caller; both are 64 bytes of any content.
        unsafe { std::mem::transmute(_mm512_set1_epi32(*from as i32)) }
    }
}
