//! What trainings on subsets say together: how much can go.
//!
//! Two means differ where Student's t says so with 95 % confidence. The deviation behind it is pooled over all
//! subsets that were trained on more than once: each alone has too few trainings.

use datadiet_core::grouped;

use super::baseline::Baseline;
use super::points::{PointOutcome, PointsOutcome};
use crate::Spread;
use crate::spread::four_digits;

/// In sentences: the smallest subset that is not worse than everything, what as many random examples give, and
/// which differences so many trainings can tell. None where no score chose a subset, or everything failed.
pub(super) fn verdict(points: &PointsOutcome) -> Option<String> {
    let full = points.full.as_ref()?;
    let chosen: Vec<(&PointOutcome, &Spread)> = points
        .points
        .iter()
        .filter(|point| is_chosen(&point.place.series))
        .filter_map(|point| Some((point, point.accuracy.as_ref()?)))
        .collect();
    let best = |points: &[(&PointOutcome, &Spread)]| {
        let of = points.iter().max_by(|a, b| a.1.goodness().total_cmp(&b.1.goodness()));
        of.map(|&(point, spread)| (point.size, point.place.clone(), spread.clone()))
    };
    let (size, place, spread) = best(&chosen)?;
    let Some((deviation, freedom)) = deviation(points) else {
        return Some(
            "One training a subset: what differs by chance is not known; give retrainings = 3 or more."
                .into(),
        );
    };
    let told = |a: &Spread, b: &Spread| {
        quantile(freedom) * deviation * (1.0 / count(a) + 1.0 / count(b)).sqrt()
    };
    let as_good: Vec<_> = chosen
        .iter()
        .filter(|(_, spread)| full.goodness() - spread.goodness() <= told(full, spread))
        .copied()
        .collect();
    let smallest = as_good.iter().map(|(point, _)| point.size).min();
    let of_smallest: Vec<_> =
        as_good.into_iter().filter(|(point, _)| Some(point.size) == smallest).collect();
    let finding = match best(&of_smallest) {
        Some((size, place, spread)) => {
            let from = place
                .offset
                .map_or(String::new(), |offset| format!(" from {:.0} %", offset * 100.0));
            let better = spread.goodness() - full.goodness() > told(full, &spread);
            format!(
                "{}: {:.0} %{from} by {}, {} against {}{}; {} of {} examples can go.",
                if better {
                    "Better than everything"
                } else {
                    "As good as everything, as far as these trainings tell"
                },
                place.keep * 100.0,
                place.series,
                spread.mean_text(),
                full.mean_text(),
                random(points, size),
                grouped((points.examples - size) as u64),
                grouped(points.examples as u64),
            )
        }
        None => format!(
            "Every subset is worse than everything: the best, {:.0} % by {}, reaches {} against {}{}.",
            place.keep * 100.0,
            place.series,
            spread.mean_text(),
            full.mean_text(),
            random(points, size),
        ),
    };
    let least = told(full, &spread);
    let least = match full.metric {
        None => format!("{:.1} points", least * 100.0),
        Some(_) => four_digits(least),
    };
    Some(format!("{finding} Differences under {least} are not told from chance."))
}

/// Whether a score chose the subsets of a series, or a column of the user's, which has no time in its name.
fn is_chosen(series: &str) -> bool {
    series.contains('@') || series.parse::<Baseline>().is_err()
}

/// What as many random examples give, where they were tried.
fn random(points: &PointsOutcome, size: usize) -> String {
    let tried = points.points.iter().find(|p| p.place.series == "random" && p.size == size);
    let text = tried.and_then(|point| point.accuracy.as_ref()).map(Spread::mean_text);
    text.map_or(String::new(), |text| format!(" (at random {text})"))
}

fn count(spread: &Spread) -> f64 {
    spread.values.len() as f64
}

/// The standard deviation of trainings on one set of examples, pooled, and its degrees of freedom; none of single
/// trainings, nor where one set alone was trained on twice: two trainings may agree by chance.
fn deviation(points: &PointsOutcome) -> Option<(f64, usize)> {
    let spreads = points.points.iter().filter_map(|point| point.accuracy.as_ref());
    let (mut squares, mut freedom) = (0.0, 0);
    for spread in spreads.chain(points.full.as_ref()) {
        squares += spread.values.iter().map(|value| (value - spread.mean).powi(2)).sum::<f64>();
        freedom += spread.values.len() - 1;
    }
    (freedom > 1).then(|| ((squares / freedom as f64).sqrt(), freedom))
}

/// The 97.5 % quantile of Student's t; beyond the tabulated degrees of freedom the first terms of its expansion, which
/// are right to 0.01.
fn quantile(freedom: usize) -> f64 {
    const FIRST: [f64; 6] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447];
    let more = freedom as f64;
    FIRST.get(freedom - 1).copied().unwrap_or(1.96 + 2.37 / more + 2.82 / (more * more))
}

#[cfg(test)]
mod tests {
    use datadiet_store::Metric;

    use super::*;
    use crate::by_class::ByClass;
    use crate::study::points::Place;

    fn point(series: &str, keep: f64, values: &[f64]) -> PointOutcome {
        PointOutcome {
            place: Place { series: series.into(), keep, ..Place::default() },
            size: (keep * 1000.0) as usize,
            skew: None,
            steps: 10,
            accuracy: Spread::of(values.to_vec()),
            by_class: ByClass::default(),
        }
    }

    fn curve(full: &[f64], points: Vec<PointOutcome>) -> PointsOutcome {
        PointsOutcome {
            scene: String::new(),
            how: String::new(),
            points,
            full: Spread::of(full.to_vec()),
            steps: 10,
            examples: 1000,
            full_by_class: ByClass::default(),
            classes: Vec::new(),
        }
    }

    #[test]
    fn a_column_of_the_users_is_as_good_as_a_score_and_baselines_are_none() {
        let points = vec![
            point("el2n@3", 0.5, &[0.34, 0.35]),
            point("longest", 0.5, &[0.55, 0.56]),
            point("random", 0.5, &[0.58, 0.59]),
            point("random/balanced", 0.5, &[0.59, 0.60]),
            point("random-each-epoch", 0.5, &[0.59, 0.60]),
        ];
        let text = verdict(&curve(&[0.65, 0.66], points)).unwrap();
        let expected =
            "the best, 50 % by longest, reaches 55.5 % against 65.5 % (at random 58.5 %)";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn the_smallest_subset_that_is_not_worse_is_named() {
        let points = vec![
            point("el2n@4", 0.75, &[0.943, 0.941]),
            point("el2n@4", 0.5, &[0.935, 0.937]),
            point("aum@end", 0.5, &[0.941, 0.939]),
            point("random", 0.5, &[0.925, 0.927]),
        ];
        let text = verdict(&curve(&[0.940, 0.942], points)).unwrap();
        let expected = "50 % by aum@end, 94.0 % against 94.1 % (at random 92.6 %); 500 of 1,000 examples can go. \
                        Differences under 0.4 points";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn what_wins_is_said_to_win() {
        let points =
            vec![point("aum@4", 0.3, &[0.840, 0.842]), point("random", 0.3, &[0.810, 0.812])];
        let text = verdict(&curve(&[0.830, 0.832], points)).unwrap();
        assert!(text.starts_with("Better than everything: 30 % by aum@4, 84.1 %"), "{text}");
    }

    #[test]
    fn what_loses_is_said_to_lose() {
        let points =
            vec![point("el2n@4", 0.5, &[0.900, 0.902]), point("random", 0.5, &[0.920, 0.922])];
        let text = verdict(&curve(&[0.940, 0.942], points)).unwrap();
        assert!(text.starts_with("Every subset is worse"), "{text}");
        assert!(
            text.contains(
                "the best, 50 % by el2n@4, reaches 90.1 % against 94.1 % (at random 92.1 %)"
            ),
            "{text}"
        );
    }

    #[test]
    fn single_trainings_tell_no_difference_and_random_alone_no_score() {
        let text = verdict(&curve(&[0.94], vec![point("el2n@4", 0.5, &[0.94])])).unwrap();
        assert!(text.contains("retrainings = 3"), "{text}");
        let one_pair = curve(&[0.9400, 0.9401], vec![point("el2n@4", 0.5, &[0.94])]);
        assert!(verdict(&one_pair).unwrap().contains("retrainings = 3"));
        assert_eq!(verdict(&curve(&[0.94, 0.95], vec![point("random", 0.5, &[0.9])])), None);
    }

    /// Values of tables.
    #[test]
    fn few_trainings_tell_large_differences_only() {
        for (freedom, expected) in
            [(1, 12.706), (7, 2.365), (10, 2.228), (30, 2.042), (1000, 1.962)]
        {
            assert!((quantile(freedom) - expected).abs() < 0.01, "{freedom}");
        }
    }

    #[test]
    fn less_may_be_better() {
        let loss = |series: &str, values: &[f64]| {
            let metric = Metric { name: "loss".into(), higher_is_better: false };
            let mut point = point(series, 0.5, values);
            point.accuracy = point.accuracy.map(|of| Spread { metric: Some(metric), ..of });
            point
        };
        let full = loss("full", &[0.40, 0.42]).accuracy;
        let worse = loss("el2n@4", &[0.60, 0.61]);
        let points = PointsOutcome { full, ..curve(&[], vec![worse]) };
        let text = verdict(&points).unwrap();
        assert!(
            text.starts_with("Every subset is worse") && text.contains("0.605 against 0.41"),
            "{text}"
        );
    }
}
