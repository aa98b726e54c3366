//! What the joining of the ranks of one training asks of any recorder: that they are of the same
//! training, and that no rank is joined twice.

use std::fmt::Debug;

use fixedbitset::FixedBitSet;

use crate::ScoreError;

/// Two ranks agree in something.
pub(crate) fn same<T: PartialEq + Debug>(
    what: &'static str,
    mine: &T,
    theirs: &T,
) -> Result<(), ScoreError> {
    if mine == theirs {
        return Ok(());
    }
    let (mine, theirs) = (format!("{mine:?}"), format!("{theirs:?}"));
    Err(ScoreError::DifferentTraining { what, mine, theirs })
}

/// Who was seen on a rank: in each finished epoch, and in the current one.
pub(crate) struct Seen<'a> {
    pub(crate) finished: Vec<&'a FixedBitSet>,
    pub(crate) current: &'a FixedBitSet,
}

impl Seen<'_> {
    /// Presentations of finished epochs that both ranks recorded; an error if the other has no others.
    pub(crate) fn repeated(&self, theirs: &Self) -> Result<u64, ScoreError> {
        let both = |(a, b): (&FixedBitSet, &FixedBitSet)| a.intersection_count(b) as u64;
        let finished = self.finished.iter().copied().zip(theirs.finished.iter().copied());
        let repeated: u64 = finished.map(both).sum();
        let count = |seen: &FixedBitSet| seen.count_ones(..) as u64;
        let all =
            theirs.finished.iter().map(|seen| count(seen)).sum::<u64>() + count(theirs.current);
        if all > 0 && all == repeated + both((self.current, theirs.current)) {
            return Err(ScoreError::MergedBefore { presentations: all });
        }
        Ok(repeated)
    }
}
