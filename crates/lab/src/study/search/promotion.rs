//! Which arms go on to the next rung, and which of a rung is best.

use std::cmp::Ordering;

use super::{Arm, RungOutcome};
use crate::Spread;

type Judged = (Arm, Option<Spread>);

impl RungOutcome {
    /// With a tolerance, the smallest of those within it first, of one size the better, then the others from
    /// the best on; without one, all from the best on.
    pub(super) fn sort(&mut self, tolerance: Option<f64>) {
        let least = self.least(tolerance);
        self.arms.sort_by(|a, b| compare(key(a, least), key(b, least)));
    }

    /// What is good enough; none without a tolerance.
    fn least(&self, tolerance: Option<f64>) -> Option<f64> {
        Some(self.full.as_ref()?.goodness() - tolerance?)
    }
}

/// The mean accuracy, or how good another metric is; of failed trainings the least.
fn mean(judged: &Judged) -> f64 {
    judged.1.as_ref().map_or(f64::NEG_INFINITY, Spread::goodness)
}

fn key(judged: &Judged, least: Option<f64>) -> (bool, f64, f64) {
    let within = least.is_some_and(|least| mean(judged) >= least);
    let size = if within { f64::from(judged.0.keep) } else { 0.0 };
    (!within, size, -mean(judged))
}

fn compare(a: (bool, f64, f64), b: (bool, f64, f64)) -> Ordering {
    a.partial_cmp(&b).unwrap_or(Ordering::Equal)
}

/// The `count` arms of a rung that go on. Without a tolerance the most accurate. With one, of every
/// size the best: from the smallest within the tolerance (and one standard error of `held_out`
/// examples) upwards, then downwards; then the others by accuracy.
pub(super) fn promoted(
    rung: &RungOutcome,
    count: usize,
    tolerance: Option<f64>,
    held_out: usize,
) -> Vec<Arm> {
    let mut by_accuracy: Vec<&Judged> = rung.arms.iter().collect();
    by_accuracy.sort_by(|a, b| mean(b).total_cmp(&mean(a)));
    let mut chosen: Vec<Arm> = Vec::new();
    if let Some(least) = rung.least(tolerance) {
        // Of another metric than accuracy nobody knows it.
        let accuracy = rung.full.as_ref().filter(|full| full.metric.is_none());
        let full = accuracy.map_or(0.0, |full| full.mean);
        let error = (full * (1.0 - full) / held_out.max(1) as f64).sqrt();
        chosen = best_of_each_size(&by_accuracy, least - error);
    }
    let others = by_accuracy.iter().map(|(arm, _)| *arm);
    let others: Vec<Arm> = others.filter(|arm| !chosen.contains(arm)).collect();
    chosen.extend(others);
    chosen.truncate(count);
    chosen
}

fn best_of_each_size(by_accuracy: &[&Judged], least: f64) -> Vec<Arm> {
    let mut best: Vec<&Judged> = Vec::new();
    for judged in by_accuracy {
        if best.iter().all(|other| other.0.keep != judged.0.keep) {
            best.push(judged);
        }
    }
    best.sort_by(|a, b| f64::from(a.0.keep).total_cmp(&f64::from(b.0.keep)));
    let enough = best.iter().position(|judged| mean(judged) >= least);
    let from = enough.unwrap_or(best.len().saturating_sub(1));
    let upwards = best[from..].iter();
    let downwards = best[..from].iter().rev();
    upwards.chain(downwards).map(|(arm, _)| *arm).collect()
}

#[cfg(test)]
mod tests {
    use datadiet_core::{KeepFraction, Quota};

    use super::*;

    fn rung(arms: &[(f64, f64, f64)]) -> RungOutcome {
        let judged = |&(keep, drop, accuracy): &(f64, f64, f64)| {
            let keep = KeepFraction::try_from(keep).unwrap();
            (Arm { keep, drop, quota: Quota::None }, Spread::of(vec![accuracy]))
        };
        RungOutcome {
            steps: 1,
            full: Spread::of(vec![0.9]),
            arms: arms.iter().map(judged).collect(),
        }
    }

    fn sizes(arms: &[Arm]) -> Vec<f64> {
        arms.iter().map(|arm| arm.keep.into()).collect()
    }

    #[test]
    fn larger_subsets_go_on_beside_the_smallest_that_is_good_enough() {
        let rung =
            rung(&[(0.3, 0.0, 0.895), (0.3, 0.1, 0.897), (0.5, 0.0, 0.89), (0.8, 0.0, 0.88)]);
        let next = promoted(&rung, 3, Some(0.01), 1_000_000);
        assert_eq!(sizes(&next), [0.3, 0.5, 0.8]);
        assert_eq!(next[0].drop, 0.1, "the best of its size");
    }

    #[test]
    fn the_largest_go_on_where_none_is_good_enough() {
        let rung = rung(&[(0.3, 0.0, 0.5), (0.5, 0.0, 0.6), (0.8, 0.0, 0.7)]);
        assert_eq!(sizes(&promoted(&rung, 2, Some(0.01), 1_000_000)), [0.8, 0.5]);
    }

    #[test]
    fn of_a_loss_less_is_better() {
        let metric = datadiet_store::Metric { name: "loss".into(), higher_is_better: false };
        let mut rung = rung(&[(0.3, 0.0, 0.95), (0.5, 0.0, 0.91), (0.8, 0.0, 0.97)]);
        let spreads = rung.arms.iter_mut().map(|(_, spread)| spread).chain([&mut rung.full]);
        spreads.flatten().for_each(|spread| spread.metric = Some(metric.clone()));
        rung.sort(None);
        assert_eq!(sizes(&rung.arms.iter().map(|(arm, _)| *arm).collect::<Vec<_>>())[0], 0.5);
        // Everything has 0.9, and 0.02 may be lost: no standard error is added to that.
        assert_eq!(sizes(&promoted(&rung, 1, Some(0.02), 4)), [0.5]);
        rung.sort(Some(0.06));
        assert_eq!(sizes(&[rung.arms[0].0]), [0.3], "the smallest that is within");
        rung.arms[0].1 = None;
        rung.sort(Some(0.06));
        assert!(rung.arms[2].1.is_none(), "a failed training is the worst");
    }

    #[test]
    fn without_a_tolerance_accuracy_decides() {
        let rung = rung(&[(0.3, 0.0, 0.6), (0.5, 0.0, 0.7), (0.8, 0.0, 0.5)]);
        assert_eq!(sizes(&promoted(&rung, 2, None, 100)), [0.5, 0.3]);
    }
}
