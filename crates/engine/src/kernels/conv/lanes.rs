//! Sixteen numbers at a time: the innermost loops, for each kind of processor.
//!
//! Operands are 32-bit words: floats, or pairs of bfloat16 whose products are summed. A word is
//! broadcast to 16 lanes and multiplied with 16 others.

use crate::kernels::Bf16;

/// Lanes of a block of channels.
pub const LANES: usize = 16;

/// What a word is, and what multiplies it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// Pairs of bfloat16, AVX512-BF16.
    Bf16Pairs,
    /// Floats, AVX-512.
    F32Wide,
    /// Floats, any processor.
    F32,
}

/// Whether this processor multiplies whole tiles of bfloat16 (AMX).
pub fn has_amx() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        // Leaf 7: extended features; bit 22 of EDX is AMX-BF16.
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & 1 << 22 != 0
    }
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether this processor has 512-bit registers.
pub fn has_avx512() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The operands of [`outer`]: `rows` × `columns` words, and as many times 16 lanes.
#[derive(Clone, Copy, Debug)]
pub struct Outer<'a> {
    /// Words that are broadcast.
    pub words: &'a [u32],
    /// Lanes that they are multiplied with.
    pub lanes: &'a [u32],
    /// Rows of both.
    pub rows: usize,
    /// Places in a row of both.
    pub columns: usize,
    /// From one row or column of the words to the next.
    pub word_steps: [usize; 2],
    /// From one row or column of the lanes to the next.
    pub lane_steps: [usize; 2],
}

impl Outer<'_> {
    /// Asserts that `n` words and 16 lanes of every place are there.
    fn check(&self, n: usize) {
        let last = |[row, column]: [usize; 2]| (self.rows - 1) * row + (self.columns - 1) * column;
        assert!(last(self.word_steps) + n <= self.words.len());
        assert!(last(self.lane_steps) + LANES <= self.lanes.len());
    }
}

/// `Σ_places words[place][i] · lanes[place][c]` for `i < N`.
#[inline]
pub fn outer<const N: usize>(arithmetic: Arithmetic, places: &Outer<'_>) -> [[f32; LANES]; N] {
    places.check(N);
    match arithmetic {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: chosen only where the processor has the instructions; operands checked.
        Arithmetic::Bf16Pairs => unsafe { x86::outer_bf16::<N>(places) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Arithmetic::F32Wide => unsafe { x86::outer_f32::<N>(places) },
        #[cfg(not(target_arch = "x86_64"))]
        Arithmetic::Bf16Pairs | Arithmetic::F32Wide => unreachable!("not on this processor"),
        Arithmetic::F32 => outer_portable::<N>(places),
    }
}

fn outer_portable<const N: usize>(places: &Outer<'_>) -> [[f32; LANES]; N] {
    let mut sums = [[0f32; LANES]; N];
    for row in 0..places.rows {
        for column in 0..places.columns {
            let at = |[down, right]: [usize; 2]| row * down + column * right;
            let words = &places.words[at(places.word_steps)..][..N];
            let lanes = &places.lanes[at(places.lane_steps)..][..LANES];
            for (sum, &word) in sums.iter_mut().zip(words) {
                for (sum, &lane) in sum.iter_mut().zip(lanes) {
                    *sum += f32::from_bits(word) * f32::from_bits(lane);
                }
            }
        }
    }
    sums
}

/// One run of filters over a row of the input: see [`dot`].
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// Pairs of the input, from the first position's on.
    pub words: &'a [u32],
    /// Pairs of the filters, 16 outputs each: as many rows as pairs are used.
    pub filters: &'a [u32],
}

/// Where [`dot`] writes.
#[derive(Debug)]
pub struct Out<'a> {
    /// From the first position's first lane on.
    pub values: &'a mut [Bf16],
    /// From one position to the next.
    pub step: usize,
    /// Lanes that are written.
    pub lanes: usize,
}

/// `out[t][c] = Σ_run Σ_q run.words[t·step + q] · run.filters[q][c]` for `t < T`, rounded to
/// bfloat16. `STEP` is `step` where it is known when compiling, else 0.
#[inline]
pub fn dot<const T: usize, const STEP: usize>(runs: &[Run<'_>], step: usize, out: Out<'_>) {
    for run in runs {
        assert!(run.filters.len() / LANES + (T - 1) * step <= run.words.len());
    }
    assert!(out.lanes <= LANES && (T - 1) * out.step + out.lanes <= out.values.len());
    assert!(STEP == 0 || STEP == step);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: only called where `has_bf16` says so; operands checked.
    unsafe {
        x86::dot::<T, STEP>(runs, step, out);
    }
    #[cfg(not(target_arch = "x86_64"))]
    unreachable!("not on this processor")
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{LANES, Out, Outer, Run};

    /// # Safety
    /// Needs AVX512-BF16, and operands that reach as far as [`Outer::check`] says.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub unsafe fn outer_bf16<const N: usize>(places: &Outer<'_>) -> [[f32; LANES]; N] {
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
    pub unsafe fn outer_f32<const N: usize>(places: &Outer<'_>) -> [[f32; LANES]; N] {
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

    /// # Safety
    /// Needs AVX512-BF16, and operands that reach as far as [`super::dot`] checks.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub unsafe fn dot<const T: usize, const STEP: usize>(
        runs: &[Run<'_>],
        step: usize,
        out: Out<'_>,
    ) {
        let step = if STEP > 0 { STEP } else { step };
        let mut acc = [_mm512_setzero_ps(); T];
        for run in runs {
            let (words, filters) = (run.words.as_ptr(), run.filters.as_ptr());
            for q in 0..run.filters.len() / LANES {
                // SAFETY: the caller's promise.
                unsafe {
                    let filter = load_pairs(filters.add(q * LANES));
                    for (t, acc) in acc.iter_mut().enumerate() {
                        *acc = _mm512_dpbf16_ps(*acc, filter, broadcast(words.add(t * step + q)));
                    }
                }
            }
        }
        let mask = ((1u32 << out.lanes) - 1) as u16;
        for (t, acc) in acc.iter().enumerate() {
            // SAFETY: the caller's promise; a bfloat16 is 16 bits of any content.
            unsafe {
                let to = out.values.as_mut_ptr().add(t * out.step).cast();
                let rounded = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(*acc));
                _mm256_mask_storeu_epi16(to, mask, rounded);
            }
        }
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
