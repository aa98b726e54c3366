//! Checks of a request before anything is chosen.

use rayon::prelude::*;

use crate::{
    example_id::ExampleId,
    monotone_key::monotone_key,
    selection::{SelectionError, part::Part},
};

/// How many ids without a score an error lists.
const IDS_LISTED: usize = 5;

/// Scores that one thread looks through at a time.
const CHUNK: usize = 1 << 20;

/// The part can hold `size` of n examples.
pub(super) fn request(part: Part, n: usize, size: usize) -> Result<(), SelectionError> {
    if n == 0 {
        return Err(SelectionError::Empty);
    }
    if u32::try_from(n).is_err() {
        return Err(SelectionError::TooMany { found: n });
    }
    if size == 0 || size > n {
        return Err(SelectionError::SizeOutOfRange { size, examples: n });
    }
    part.check(n, size)
}

/// There are enough examples after the cut.
pub(super) fn candidates(part: Part, candidates: usize, size: usize) -> Result<(), SelectionError> {
    match part {
        Part::CoverageCentred { cut, .. } if size > candidates => {
            Err(SelectionError::TooFewCandidates { size, candidates, cut, class: None })
        }
        _ => Ok(()),
    }
}

/// A part that reads scores has some, and they differ.
pub(super) fn scores(part: Part, scores: &[f32]) -> Result<(), SelectionError> {
    if !part.reads_scores() {
        return Ok(());
    }
    let found = scores.par_chunks(CHUNK).map(Extent::of).reduce(Extent::default, Extent::join);
    if found.any_nan {
        return Err(nan(scores));
    }
    if found.lowest == found.highest && scores.len() > 1 {
        return Err(SelectionError::Constant { value: scores[0], examples: scores.len() });
    }
    Ok(())
}

/// The lowest and the highest key, and whether there is a NaN.
struct Extent {
    any_nan: bool,
    lowest: u32,
    highest: u32,
}

impl Default for Extent {
    fn default() -> Self {
        Self { any_nan: false, lowest: u32::MAX, highest: 0 }
    }
}

impl Extent {
    fn of(scores: &[f32]) -> Self {
        let mut extent = Self::default();
        for &score in scores {
            let key = monotone_key(score);
            extent.any_nan |= score.is_nan();
            extent.lowest = extent.lowest.min(key);
            extent.highest = extent.highest.max(key);
        }
        extent
    }

    fn join(self, other: Self) -> Self {
        Self {
            any_nan: self.any_nan | other.any_nan,
            lowest: self.lowest.min(other.lowest),
            highest: self.highest.max(other.highest),
        }
    }
}

fn nan(scores: &[f32]) -> SelectionError {
    let mut first = Vec::new();
    let mut total = 0;
    for (id, _) in scores.iter().enumerate().filter(|(_, score)| score.is_nan()) {
        total += 1;
        if first.len() < IDS_LISTED {
            first.push(ExampleId(id as u32));
        }
    }
    if total == scores.len() {
        return SelectionError::NoScores { examples: total };
    }
    SelectionError::Nan { total, first }
}
