//! What is told of a search: what was tried, what came out, what it is worth on the test set.

use datadiet_core::grouped;
use datadiet_report::{Block, NoteKind, Section, Stat, TableBlock};
use datadiet_store::Metric;

use super::verdict::{HARDEST, RANDOM, RANDOM_EACH_EPOCH};
use super::{PointOutcome, SearchOutcome};
use crate::Spread;
use crate::spread::{four_digits, metric_with_unit};
use crate::study::Findings;
use crate::study::page::sentence;
use crate::study::points::Place;
use crate::text::table;

/// All of it.
pub(super) fn findings(search: &SearchOutcome) -> Findings {
    let (series, keep) = (search.plan.by.clone(), search.answer.keep.into());
    Findings {
        text: vec![text(search), search.verdict.clone()],
        sections: vec![section(search)],
        places: vec![Place { series, keep, ..Place::default() }],
        ..Findings::default()
    }
}

fn text(search: &SearchOutcome) -> String {
    let percent =
        |accuracy: &Option<Spread>| accuracy.as_ref().map_or("failed".to_owned(), Spread::text);
    let finals = &search.finals;
    let row = |name: String, point: &PointOutcome| {
        vec![name, grouped(point.size as u64), percent(&point.accuracy)]
    };
    let mut rows = vec![
        vec!["everything".to_owned(), String::new(), percent(&finals.full)],
        row(search.answer.text(), &finals.answer),
        row(RANDOM.into(), &finals.random),
    ];
    rows.extend(finals.each_epoch.as_ref().map(|of| row(RANDOM_EACH_EPOCH.into(), of)));
    rows.extend(finals.hardest.as_ref().map(|of| row(HARDEST.into(), of)));
    let judged = format!("test {}", search.metric());
    table(&["trained on", "examples", &judged], rows, 1)
}

fn section(search: &SearchOutcome) -> Section {
    let plan = &search.plan;
    let kind = if search.within_tolerance { NoteKind::Info } else { NoteKind::Warning };
    let metric = search.metric();
    let goal = match plan.tolerance {
        Some(tolerance) => format!(
            "the smallest subset whose {metric} on {} held-out training examples is within {} of \
             training on everything else",
            search.held_out,
            match metric {
                Metric::ACCURACY => format!("{:.1} points", tolerance * 100.0),
                _ => four_digits(tolerance),
            },
        ),
        None => format!("the best {metric} on {} held-out training examples", search.held_out),
    };
    let blocks = vec![
        Block::Text(format!(
            "Ways to choose by {} were tried by successive halving: {goal}. The best was chosen \
             from the whole training set, retrained, and only then tested.",
            plan.by
        )),
        Block::Note { kind, text: search.verdict.clone() },
        Block::Stats(finals(search)),
        Block::Table(rungs(search)),
    ];
    Section { id: "search".into(), title: "The search".into(), blocks }
}

fn finals(search: &SearchOutcome) -> Vec<Stat> {
    let finals = &search.finals;
    let stat = |label: &str, accuracy: Option<&Spread>, detail: String| Stat {
        label: label.into(),
        value: accuracy.map_or("failed".into(), Spread::mean_text),
        detail,
    };
    let of = |size: usize| format!("{size} examples");
    let mut stats = vec![
        stat("everything", finals.full.as_ref(), format!("test {}", search.metric())),
        stat("the answer", finals.answer.accuracy.as_ref(), search.answer.text()),
        stat("at random", finals.random.accuracy.as_ref(), of(finals.random.size)),
    ];
    if let Some(point) = &finals.each_epoch {
        let detail = format!("{} an epoch", of(point.size));
        stats.push(stat("at random, anew every epoch", point.accuracy.as_ref(), detail));
    }
    if let Some(hardest) = &finals.hardest {
        stats.push(stat("the hardest", hardest.accuracy.as_ref(), of(hardest.size)));
    }
    stats
}

fn rungs(search: &SearchOutcome) -> TableBlock {
    let number = |accuracy: Option<&Spread>| {
        accuracy.map_or("failed".into(), |a| match a.metric {
            None => format!("{:.2}", a.mean * 100.0),
            Some(_) => four_digits(a.mean),
        })
    };
    let mut rows = Vec::new();
    for rung in &search.rungs {
        let steps = rung.steps.to_string();
        rows.push(vec![steps.clone(), "everything else".into(), number(rung.full.as_ref())]);
        for (arm, accuracy) in &rung.arms {
            rows.push(vec![steps.clone(), arm.text(), number(accuracy.as_ref())]);
        }
    }
    TableBlock {
        caption: format!(
            "{} on the held-out examples, rung by rung, best first",
            sentence(search.metric())
        ),
        header: vec![
            "steps".into(),
            "trained on".into(),
            format!("validation {}", metric_with_unit(search.any())),
        ],
        rows,
        text_columns: 2,
    }
}
