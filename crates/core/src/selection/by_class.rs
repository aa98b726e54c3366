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
        Classes, Quota, Rule, SelectionError, ascending, checks, choose, generator, ids, quota,
        select,
    },
};

/// The ids of `size` examples shared among classes by a quota, in ascending order.
///
/// With [`Quota::None`] the same as [`select()`]. Chance is drawn for each class of its own.
///
/// # Errors
/// Those of [`select()`]; labels that are not one for each score, or not below K; a cut that
/// leaves a class fewer examples than it is to keep. That a class keeps nothing is none of them:
/// see [`crate::check_no_class_vanishes`].
///
/// ```
/// use datadiet_core::{Classes, ExampleId, Quota, Rule, SelectionError, select_by_class};
///
/// let scores = [0.1, 0.2, 0.3, 0.4];
/// let classes = Classes { labels: &[0, 0, 1, 1], count: 2 };
/// let chosen = select_by_class(Rule::Highest, &scores, classes, Quota::Balanced, 2, 0)?;
/// assert_eq!(chosen, [ExampleId(1), ExampleId(3)]);
/// # Ok::<(), SelectionError>(())
/// ```
pub fn select_by_class(
    rule: Rule,
    scores: &[f32],
    classes: Classes<'_>,
    quota: Quota,
    size: usize,
    seed: u64,
) -> Result<Vec<ExampleId>, SelectionError> {
    classes.check(scores.len())?;
    if quota == Quota::None {
        return select(rule, scores, size, seed);
    }
    checks::request(rule, scores.len(), size)?;
    let sizes = sizes(rule, classes, quota, size)?;
    checks::scores(rule, scores)?;
    let mut chosen = Vec::with_capacity(size);
    for ((class, members), size) in (0..).zip(classes.members()).zip(sizes) {
        let column: Vec<f32> = members.iter().map(|&id| scores[id as usize]).collect();
        let rule = rule.within_class(members.len(), scores.len(), size);
        let positions = choose(rule, &column, size, &mut generator(seed, 1 + class));
        chosen.extend(positions.into_iter().map(|position| members[position as usize]));
    }
    Ok(ids(ascending(scores.len(), chosen)))
}

/// The size of each class, which has so many candidates.
fn sizes(
    rule: Rule,
    classes: Classes<'_>,
    quota: Quota,
    size: usize,
) -> Result<Vec<usize>, SelectionError> {
    let members = classes.sizes();
    let candidates: Vec<usize> = members.iter().map(|&of| rule.candidates(of)).collect();
    checks::candidates(rule, candidates.iter().sum(), size)?;
    let sizes = match quota {
        Quota::Balanced => quota::balanced(&candidates, size),
        _ => quota::proportional(&members, size),
    };
    for (class, (&candidates, &size)) in candidates.iter().zip(&sizes).enumerate() {
        checks::candidates(rule, candidates, size).map_err(|error| error.in_class(class as u32))?;
    }
    Ok(sizes)
}
