//! What the test accuracies of a search mean, in words.

use datadiet_core::grouped;
use datadiet_table::{ScoreTable, chance_of_order};

use super::{Arm, Finals, SearchPlan};
use crate::{Spread, metric_name};

/// A judgement.
pub(super) struct Verdict {
    /// Whether training on the chosen subset is advised.
    pub advisable: bool,
    /// Why, or why not.
    pub text: String,
}

/// Judges an answer. `within`: whether it was within the tolerance on the held-out examples; none
/// where a training failed that would tell.
pub(super) fn verdict(
    plan: &SearchPlan,
    answer: &Arm,
    within: Option<bool>,
    finals: &Finals,
) -> Verdict {
    let advice = |advisable: bool, text: String| Verdict { advisable, text };
    let all = (&finals.answer.accuracy, baselines(finals), &finals.full, within);
    let (Some(reached), Some(baselines), Some(full), Some(within)) = all else {
        return advice(false, "Trainings failed, so that there is no answer.".into());
    };
    let of_each = [reached, full].into_iter().chain(baselines.iter().map(|(_, of)| *of));
    let trainings = of_each.map(|of| of.values.len()).min();
    let advice = |advisable: bool, text: String| {
        let counted = match trainings {
            Some(count @ 2..) => format!("(Means of {count} trainings each.)"),
            _ => "(One training each, whose chance is a part of this.)".into(),
        };
        advice(advisable, format!("{text}{} {counted}", ranked(&baselines)))
    };
    // What scores have to beat: the better of what costs none.
    let (name, random) = *baselines.iter().find(|(name, _)| *name != HARDEST).expect("random");
    let chosen = format!("{} ({} examples by {})", answer.text(), finals.answer.size, plan.by);
    let outcome = format!("{chosen} {} on the test set", against(reached, full));
    if !within {
        return advice(
            false,
            format!(
                "No pruning is advised: nothing that was trained at full length stayed within the \
                 tolerance on the held-out examples. The closest, {outcome}."
            ),
        );
    }
    let good_enough =
        |of: &Spread| plan.tolerance.is_none_or(|t| full.goodness() - of.goodness() <= t);
    if as_good(random, reached) {
        let enough = match (good_enough(random), name == RANDOM) {
            (true, true) => "Prune at random, if at all",
            (true, false) => "Train on everything for as short a time, if at all",
            (false, _) => "Neither is within the tolerance: do not prune so far",
        };
        return advice(
            false,
            format!(
                "Scores buy nothing here: {name} reach {}, {chosen} {}. {enough}.",
                random.text(),
                reached.text()
            ),
        );
    }
    if !good_enough(reached) {
        return advice(
            false,
            format!(
                "Not advised: within the tolerance on the held-out examples, but {outcome}. It is \
                 better than {name} ({}).",
                random.text()
            ),
        );
    }
    advice(true, format!("{outcome}, where {name} reach {}.", random.text()))
}

/// Held-out examples of which a metric other than accuracy is said to be judged by few.
const FEW: usize = 500;

/// What a verdict rests on that is partly chance, each with its number: an unreliable order of the examples,
/// and held-out examples so few that accuracies on them (`full`: of training on everything) are less sure
/// than what may be lost.
pub(super) fn cautions(
    plan: &SearchPlan,
    scores: &ScoreTable,
    held_out: usize,
    full: Option<&Spread>,
) -> Vec<String> {
    chance_of_order(scores, &plan.by).into_iter().chain(few(plan, held_out, full)).collect()
}

/// Points of accuracy that count where no tolerance is given.
const WORTH: f64 = 0.005;

fn few(plan: &SearchPlan, held_out: usize, full: Option<&Spread>) -> Option<String> {
    let full = full?;
    let count = grouped(held_out as u64);
    if full.metric.is_some() {
        return (held_out < FEW).then(|| {
            format!(
                "the search judged {} on {count} held-out examples, and another {count} might order the \
                 subsets otherwise; hold out a larger part",
                metric_name(Some(full))
            )
        });
    }
    let of = held_out.max(1) as f64;
    // Where all are right, one that is not would still change it by its part.
    let error = (full.mean * (1.0 - full.mean) / of).sqrt().max(1.0 / of);
    let than = match plan.tolerance {
        Some(tolerance) => format!("the {:.1} that may be lost", tolerance * 100.0),
        None => format!("{:.1}", WORTH * 100.0),
    };
    (error > plan.tolerance.unwrap_or(WORTH)).then(|| {
        format!(
            "an accuracy on {count} held-out examples has a standard error of {:.1} points, more than {than}: \
             which subset the search found is partly chance; hold out a larger part, or allow a larger loss",
            error * 100.0
        )
    })
}

/// As many random examples as the answer has.
pub(super) const RANDOM: &str = "as many at random";

/// The same, drawn anew every epoch.
pub(super) const RANDOM_EACH_EPOCH: &str = "as many at random anew every epoch";

/// As many of the hardest.
pub(super) const HARDEST: &str = "as many of the hardest";

/// The baselines, best first; none where all trainings of one failed.
fn baselines(finals: &Finals) -> Option<Vec<(&'static str, &Spread)>> {
    let all = [
        (RANDOM, Some(&finals.random)),
        (RANDOM_EACH_EPOCH, finals.each_epoch.as_ref()),
        (HARDEST, finals.hardest.as_ref()),
    ];
    let trained = all.into_iter().filter_map(|(name, point)| Some((name, point?)));
    let judged = trained.map(|(name, point)| Some((name, point.accuracy.as_ref()?)));
    let mut judged = judged.collect::<Option<Vec<(&str, &Spread)>>>()?;
    judged.sort_by(|(_, a), (_, b)| b.goodness().total_cmp(&a.goodness()));
    Some(judged)
}

/// Which of several baselines won.
fn ranked(baselines: &[(&str, &Spread)]) -> String {
    let text = |(name, of): &(&str, &Spread)| format!("{name}, {}", of.text());
    match baselines {
        [best, others @ ..] if !others.is_empty() => {
            let others: Vec<String> = others.iter().map(text).collect();
            format!(" The best baseline is {}; then {}.", text(best), others.join(", then "))
        }
        _ => String::new(),
    }
}

/// Whether the first is as good as the second, or better, within the spread of their trainings.
fn as_good(first: &Spread, second: &Spread) -> bool {
    match first.less_is_better() {
        false => first.mean >= second.mean || first.high >= second.low,
        true => first.mean <= second.mean || first.low <= second.high,
    }
}

fn against(reached: &Spread, full: &Spread) -> String {
    if let Some(metric) = &reached.metric {
        let verb =
            if reached.goodness() < full.goodness() { "is worse than" } else { "is as good as" };
        return format!(
            "{verb} training on everything by a {} of {} to {}",
            metric.name,
            reached.mean_text(),
            full.mean_text()
        );
    }
    let points = (reached.mean - full.mean) * 100.0;
    let verb = if points < 0.0 { "loses" } else { "gains" };
    format!("{verb} {:.1} points against training on everything", points.abs())
}
