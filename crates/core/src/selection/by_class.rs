//! Choosing within each class, with a size for each.
//!
//! The quota gives the sizes ([`crate::selection::quota`]); then the rule is applied to each class
//! as if it were the whole training set. A window starts at the same fraction of each class,
//! `round(offset n_c / N)`, or lower where it would pass the class's end. `CoverageCentred` cuts
//! its fraction of each class, and has strata of each class's own range, no more than it keeps of it.
//!
//! Scores must differ over the whole training set, not within a class: a class whose scores are
//! all equal is chosen from by id.

use crate::{
    example_id::ExampleId,
    selection::{
        Classes, Part, Quota, SelectionError, ascending, checks, choose, generator, ids, quota,
        select,
    },
};

/// The positions of `size` examples shared among classes by a quota, in ascending order.
///
/// With [`Quota::None`] the same as `select`. Chance is drawn for each class of its own.
pub(super) fn select_by_class(
    part: Part,
    scores: &[f32],
    classes: Classes<'_>,
    quota: Quota,
    size: usize,
    seed: u64,
) -> Result<Vec<ExampleId>, SelectionError> {
    classes.check(scores.len())?;
    if quota == Quota::None {
        return select(part, scores, size, seed);
    }
    checks::request(part, scores.len(), size)?;
    let sizes = sizes(part, classes, quota, size)?;
    checks::scores(part, scores)?;
    let mut chosen = Vec::with_capacity(size);
    for ((class, members), size) in (0..).zip(classes.members()).zip(sizes) {
        let column: Vec<f32> = members.iter().map(|&id| scores[id as usize]).collect();
        let part = part.within_class(members.len(), scores.len(), size);
        let positions = choose(part, &column, size, &mut generator(seed, 1 + class));
        chosen.extend(positions.into_iter().map(|position| members[position as usize]));
    }
    Ok(ids(ascending(scores.len(), chosen)))
}

/// The size of each class, which has so many candidates.
fn sizes(
    part: Part,
    classes: Classes<'_>,
    quota: Quota,
    size: usize,
) -> Result<Vec<usize>, SelectionError> {
    let members = classes.sizes();
    let candidates: Vec<usize> = members.iter().map(|&of| part.candidates(of)).collect();
    checks::candidates(part, candidates.iter().sum(), size)?;
    let sizes = match quota {
        Quota::Balanced => quota::balanced(&candidates, size),
        _ => quota::proportional(&members, size),
    };
    for (class, (&candidates, &size)) in candidates.iter().zip(&sizes).enumerate() {
        checks::candidates(part, candidates, size).map_err(|error| error.in_class(class as u32))?;
    }
    Ok(sizes)
}
