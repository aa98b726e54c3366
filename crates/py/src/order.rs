//! Columns of 64-bit floats for what reads only their order: ranks, ends of it, windows.
//!
//! The core ranks numbers of 32 bits. Where those would tie values that differ, each value is
//! replaced by a number of 32 bits that stands at the same place: equal values by equal ones,
//! higher by higher. So statistics and subsets are as of the values themselves.

use rayon::prelude::*;

/// Numbers of 32 bits in the order of the values, with the same ties; NaN stays NaN. The values
/// themselves where 32 bits hold them.
pub fn in_32_bits(values: &[f64]) -> Vec<f32> {
    let mut narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    let exact = |(&value, &narrow): (&f64, &f32)| value.is_nan() || f64::from(narrow) == value;
    if values.iter().zip(&narrow).all(exact) {
        return narrow;
    }
    // Columns that are longer than ids go are refused by whoever ranks them.
    let rows = 0..u32::try_from(values.len()).unwrap_or_default();
    let known = rows.zip(values).filter(|(_, value)| !value.is_nan());
    let mut sorted: Vec<(u32, f64)> = known.map(|(row, &value)| (row, value)).collect();
    sorted.par_sort_unstable_by(|(_, a), (_, b)| a.total_cmp(b));
    // A constant column is told by its value.
    if sorted.first().zip(sorted.last()).is_none_or(|((_, low), (_, high))| low == high) {
        return narrow;
    }
    for (rank, tied) in (0..).zip(sorted.chunk_by(|(_, a), (_, b)| a == b)) {
        tied.iter().for_each(|&(row, _)| narrow[row as usize] = from_the_lowest(rank));
    }
    narrow
}

/// The finite number that has so many below it.
fn from_the_lowest(rank: u32) -> f32 {
    const BELOW_ZERO: u32 = f32::MAX.to_bits();
    if rank < BELOW_ZERO {
        -f32::from_bits(BELOW_ZERO - rank)
    } else {
        f32::from_bits(rank - BELOW_ZERO)
    }
}
