//! EL2N's sums of one row in a single pass, without looking for the largest entry first: with AVX-512,
//! whose exponentials are quick enough for that.
//!
//! That entry is subtracted from the others so that no exponential overflows and not all of them
//! vanish. Entries of at most [`MOST`] in size
//! do neither, even squared, and networks seldom give
//! larger ones: so the row is summed as if there were none, its largest size noted beside, and a
//! row with a larger one (or with NaN or infinity) is left to [`super::wide`]. The label's entry
//! has no part in the sums and may have any size.
//!
//! `exp(z) = 2^y` with `y = z·log₂e`, where log₂e is rounded to `f32`: all logits are read as if
//! multiplied by 1 − 1.3·10⁻⁸, the label's too. The product itself is exact, as part of a fused
//! multiply and add.

use super::{
    element::Element,
    sums::Sums,
    vector::{Lanes, Totals, Vector},
};
use crate::isa::{Avx512, LANES};

/// The largest size of an entry: e⁸⁰ is 2¹¹⁵, and 2⁻¹¹⁵ is a normal number.
const MOST: f32 = 40.0;

/// Chunks of lanes taken at a time, so that one's operations fill the waiting times of the other's.
const TOGETHER: usize = 2;

/// Chunks whose sums stay in `f32`; then they go into `f64`.
const FLUSH: usize = 128;

/// Each lane's number.
const INDEX: [u32; LANES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

/// Writes the sums of a row of at least [`LANES`] numbers into a lane, and gives its largest entry other
/// than the label's, with `TOP`, else some number; none if the row is none for this file, nothing then
/// being written.
#[inline(always)]
pub(super) fn add_row<E: Element, const TOP: bool>(
    isa: Avx512,
    row: &[E],
    label: u32,
    sums: &mut Sums,
    lane: usize,
) -> Option<f32> {
    let label = label as usize;
    let (whole, tail) = row.as_chunks::<LANES>();
    let last = row.last_chunk::<LANES>()?;
    let at = label / LANES;
    let mut pass = Pass::<TOP>::NEW;
    pass.chunks_without(isa, whole, at);
    let mut truth = 0.0;
    if let Some(chunk) = whole.get(at) {
        truth = pass.without(isa, &E::widen(isa, chunk), 0, label % LANES);
    }
    if !tail.is_empty() {
        // The last numbers again as a whole chunk, of which the first have been summed before.
        let summed = LANES - tail.len();
        let last = E::widen(isa, last);
        if at == whole.len() {
            truth = pass.without(isa, &last, summed, label + LANES - row.len());
        } else {
            pass.without(isa, &last, summed, LANES);
        }
    }
    pass.write(isa, truth, sums, lane)
}

/// The sums so far.
struct Pass<const TOP: bool> {
    totals: [Totals; TOGETHER],
    rest: f64,
    squares: f64,
}

impl<const TOP: bool> Pass<TOP> {
    const NEW: Self = Self { totals: [Totals::ZERO; TOGETHER], rest: 0.0, squares: 0.0 };

    /// Adds all chunks but the one `at`. The number of steps is the same wherever the label is:
    /// loops up to it and from it on would end where the processor does not foresee it.
    #[inline(always)]
    fn chunks_without<E: Element>(&mut self, isa: Avx512, chunks: &[[E; LANES]], at: usize) {
        let count = chunks.len() - usize::from(at < chunks.len());
        let chunk = |i: usize| E::widen(isa, &chunks[i + usize::from(i >= at)]);
        let mut next = 0;
        while next < count {
            let end = count.min(next + FLUSH);
            while next + TOGETHER <= end {
                self.step(isa, [chunk(next), chunk(next + 1)]);
                next += TOGETHER;
            }
            if next < end {
                self.step(isa, [chunk(next)]);
                next += 1;
            }
            if next < count {
                self.flush(isa);
            }
        }
    }

    #[inline(always)]
    fn step<const N: usize>(&mut self, isa: Avx512, numbers: [Lanes; N]) {
        for (totals, numbers) in self.totals.iter_mut().zip(&numbers) {
            *totals = isa.add::<TOP>(totals, numbers, &isa.exp2(numbers));
        }
    }

    /// Adds a chunk from one of its lanes on, without the label, whose entry it gives; a label
    /// beyond the lanes is in no lane.
    #[inline(always)]
    fn without(&mut self, isa: Avx512, numbers: &Lanes, from: usize, label: usize) -> f32 {
        let (mut z, mut e) = (*numbers, isa.exp2(numbers));
        for lane in 0..LANES {
            let counts = INDEX[lane] >= from as u32 && INDEX[lane] != label as u32;
            let top = &mut self.totals[0].top[lane];
            *top = if TOP && counts && z[lane] > *top { z[lane] } else { *top };
            z[lane] = if counts { z[lane] } else { 0.0 };
            e[lane] = if counts { e[lane] } else { 0.0 };
        }
        self.totals[0] = isa.add::<false>(&self.totals[0], &z, &e);
        numbers[label % LANES]
    }

    #[inline(always)]
    fn flush(&mut self, isa: Avx512) {
        let [first, second] = &mut self.totals;
        for lane in 0..LANES {
            first.sum[lane] += second.sum[lane];
            first.squares[lane] += second.squares[lane];
        }
        self.rest += f64::from(isa.sum(&first.sum));
        self.squares += f64::from(isa.sum(&first.squares));
        for totals in [first, second] {
            (totals.sum, totals.squares) = ([0.0; LANES], [0.0; LANES]);
        }
    }

    #[inline(always)]
    fn write(mut self, isa: Avx512, truth: f32, sums: &mut Sums, lane: usize) -> Option<f32> {
        self.flush(isa);
        // NaN has no size, but it is in the sum.
        let mut above = !truth.is_finite() || self.rest.is_nan();
        let mut top = f32::NEG_INFINITY;
        for lane in 0..LANES {
            for totals in &self.totals {
                above |= totals.size[lane] > MOST;
                top = if totals.top[lane] > top { totals.top[lane] } else { top };
            }
        }
        if above {
            return None;
        }
        // The power of two below the sum stands for the strongest other's exponential.
        let exponent = self.rest.to_bits() >> 52;
        let scale = f64::from_bits((2046 - exponent) << 52);
        sums.rest[lane] = self.rest * scale - 1.0;
        sums.squares[lane] = self.squares * scale * scale - 1.0;
        let n = exponent as f64 - 1023.0;
        let y = f64::from(truth) * f64::from(std::f32::consts::LOG2_E);
        sums.margin[lane] = (y - n) * std::f64::consts::LN_2;
        Some(top)
    }
}
