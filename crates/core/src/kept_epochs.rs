//! Which epochs a recorder keeps beside the last one.

/// Epochs to keep, ascending: those that are kept, and of those asked for the ones that are not finished yet.
pub(crate) fn epochs_to_keep<E>(kept: &[(u32, E)], finished: u32, asked: &[u32]) -> Vec<u32> {
    let later = asked.iter().copied().filter(|&epoch| epoch > finished);
    let mut all: Vec<u32> = kept.iter().map(|(epoch, _)| *epoch).chain(later).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The kept epochs and the last, ascending; nothing before the first has ended.
pub(crate) fn with_the_last<'a, E>(
    kept: &'a [(u32, E)],
    finished: u32,
    last: &'a E,
) -> impl Iterator<Item = (u32, &'a E)> {
    let kept = kept.iter().map(|(epoch, one)| (*epoch, one));
    let earlier = kept.filter(move |(epoch, _)| *epoch < finished);
    earlier.chain((finished > 0).then_some((finished, last)))
}
