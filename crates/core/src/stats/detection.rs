//! How well a score finds touched examples, such as those with wrong labels.
//!
//! Examples are looked through from the highest score (the most suspect) down. With P touched and
//! N untouched ones:
//!
//! - AUROC: the probability that a touched example scores higher than an untouched one, a tie
//!   counting half: `(wins + ties/2) / (P N)`;
//! - average precision: `Σ_t (R_t − R_{t−1}) Pr_t` over distinct scores t from the top, with `Pr_t`
//!   and `R_t` the precision and recall of "score ≥ t" (no interpolation);
//! - precision at k: the fraction of touched ones among the k highest. If the k-th lies among ties,
//!   its expected value with the ties in random order: each tied example counts for its share.
//!
//! Agrees with scikit-learn's `roc_auc_score` and `average_precision_score`. Where low scores are
//! suspect (AUM, confidence) the caller negates them; the direction is not guessed. −∞ and ∞ are
//! ordinary ends.

use serde::{Deserialize, Serialize};

use crate::{
    packed::{index_of, tied},
    stats::{StatsError, rank::sorted_keys},
};

/// How well one score finds the touched examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// Area under the receiver operating characteristic, in [0, 1]; 1/2 is chance.
    pub auroc: f64,
    /// Average precision, in (0, 1]; the fraction touched is chance.
    pub average_precision: f64,
    /// Each k asked for, with the precision there, in [0, 1].
    pub precision_at: Vec<(usize, f64)>,
    /// Number of touched examples.
    pub positives: usize,
    /// Number of examples.
    pub examples: usize,
}

/// How well `scores`, higher being more suspect, find the `touched` examples.
///
/// `scores` and `touched`: n entries each; `at`: the k to take the precision at, 1 to n.
///
/// # Errors
/// Lengths that differ, NaN (with its index), no touched or no untouched example, a k of 0 or
/// above n.
///
/// ```
/// let scores = [0.9, 0.8, 0.3, 0.1];
/// let found = datadiet_core::detection(&scores, &[true, false, true, false], &[2])?;
/// assert_eq!(found.auroc, 0.75);
/// assert_eq!(found.precision_at, [(2, 0.5)]);
/// # Ok::<(), datadiet_core::StatsError>(())
/// ```
pub fn detection(scores: &[f32], touched: &[bool], at: &[usize]) -> Result<Detection, StatsError> {
    let examples = scores.len();
    StatsError::check_lengths(examples, touched.len())?;
    at.iter().try_for_each(|&k| StatsError::check_top(k, examples))?;
    let steps = steps(scores, touched)?;
    let positives = touched.iter().filter(|touched| **touched).count();
    if positives == 0 {
        return Err(StatsError::NothingTouched { examples });
    }
    if positives == examples {
        return Err(StatsError::AllTouched { examples });
    }
    Ok(Detection {
        auroc: auroc(&steps, positives, examples - positives),
        average_precision: average_precision(&steps, positives),
        precision_at: at.iter().map(|&k| (k, precision_at(&steps, k))).collect(),
        positives,
        examples,
    })
}

/// One distinct score, from the top: examples that have it, and those above it.
#[derive(Clone, Copy)]
struct Step {
    above: usize,
    touched_above: usize,
    tied: usize,
    touched_tied: usize,
}

fn steps(scores: &[f32], touched: &[bool]) -> Result<Vec<Step>, StatsError> {
    let sorted = sorted_keys(scores)?;
    let (mut above, mut touched_above) = (0, 0);
    let step = |tied: &[u64]| {
        let is_touched = |packed: &&u64| touched[index_of(**packed) as usize];
        let touched_tied = tied.iter().filter(is_touched).count();
        let step = Step { above, touched_above, tied: tied.len(), touched_tied };
        above += step.tied;
        touched_above += step.touched_tied;
        step
    };
    Ok(tied(&sorted).rev().map(step).collect())
}

fn auroc(steps: &[Step], positives: usize, negatives: usize) -> f64 {
    let doubled_wins = |step: &Step| {
        let untouched = (step.tied - step.touched_tied) as u128;
        untouched * (2 * step.touched_above + step.touched_tied) as u128
    };
    let wins = steps.iter().map(doubled_wins).sum::<u128>() as f64 / 2.0;
    wins / (positives as f64 * negatives as f64)
}

fn average_precision(steps: &[Step], positives: usize) -> f64 {
    let term = |step: &Step| {
        let touched = (step.touched_above + step.touched_tied) as f64;
        step.touched_tied as f64 * (touched / (step.above + step.tied) as f64)
    };
    steps.iter().map(term).sum::<f64>() / positives as f64
}

fn precision_at(steps: &[Step], k: usize) -> f64 {
    let last = steps.partition_point(|step| step.above < k) - 1;
    let Step { above, touched_above, tied, touched_tied } = steps[last];
    let share = (k - above) as f64 / tied as f64;
    (touched_above as f64 + touched_tied as f64 * share) / k as f64
}
