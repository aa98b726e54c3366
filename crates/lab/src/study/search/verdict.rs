//! What the test accuracies of a search mean, in words.

use super::{Arm, Finals, SearchPlan};
use crate::Spread;

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
    let all = (&finals.answer.accuracy, &finals.random.accuracy, &finals.full, within);
    let (Some(reached), Some(random), Some(full), Some(within)) = all else {
        return advice(false, "Trainings failed, so that there is no answer.".into());
    };
    let trainings = [reached, random, full].map(|of| of.values.len()).into_iter().min();
    let advice = |advisable: bool, text: String| {
        let counted = match trainings {
            Some(count @ 2..) => format!("(Means of {count} trainings each.)"),
            _ => "(One training each, whose chance is a part of this.)".into(),
        };
        advice(advisable, format!("{text} {counted}"))
    };
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
    let good_enough = |of: &Spread| plan.tolerance.is_none_or(|t| full.mean - of.mean <= t);
    if as_good(random, reached) {
        let enough = if good_enough(random) {
            "Prune at random, if at all"
        } else {
            "Neither is within the tolerance: do not prune so far"
        };
        return advice(
            false,
            format!(
                "Scores buy nothing here: as many examples at random reach {}, {chosen} {}. {enough}.",
                random.percent(),
                reached.percent()
            ),
        );
    }
    if !good_enough(reached) {
        return advice(
            false,
            format!(
                "Not advised: within the tolerance on the held-out examples, but {outcome}. It is \
                 better than as many at random ({}).",
                random.percent()
            ),
        );
    }
    advice(true, format!("{outcome}, where as many at random reach {}.", random.percent()))
}

/// Whether the first is as good as the second, or better, within the spread of their trainings.
fn as_good(first: &Spread, second: &Spread) -> bool {
    first.mean >= second.mean || first.high >= second.low
}

fn against(reached: &Spread, full: &Spread) -> String {
    let points = (reached.mean - full.mean) * 100.0;
    let verb = if points < 0.0 { "loses" } else { "gains" };
    format!("{verb} {:.1} points against training on everything", points.abs())
}
