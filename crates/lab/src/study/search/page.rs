//! What is told of a search: what was tried, what came out, what it is worth on the test set.

use datadiet_core::grouped;
use datadiet_report::{Block, NoteKind, Section, Stat, TableBlock};
use datadiet_store::Metric;

use super::verdict::{HARDEST, RANDOM, RANDOM_EACH_EPOCH};
use super::{PointOutcome, SearchOutcome};
use crate::by_class::{class_name, most_lost};
use crate::spread::{four_digits, metric_with_unit};
use crate::study::Findings;
use crate::study::page::sentence;
use crate::study::points::Place;
use crate::text::table;
use crate::{ByClass, Spread};

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
    let text = table(&["trained on", "examples", &judged], rows, 1);
    let lost = finals.answer.accuracy.as_ref().and_then(|of| {
        let of = (&finals.classes[..], of);
        most_lost(&finals.answer.by_class, &finals.full_by_class, of, 3)
    });
    match lost {
        Some(lost) => format!("{text}\n\nclasses that lose most: {lost}"),
        None => text,
    }
}

fn section(search: &SearchOutcome) -> Section {
    let plan = &search.plan;
    let sure = search.within_tolerance && search.cautions.is_empty();
    let kind = if sure { NoteKind::Info } else { NoteKind::Warning };
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
            "Ways to choose by {} were tried by successive halving: {goal}. What came out first was \
             chosen from the whole training set, retrained, and only then tested.",
            plan.by
        )),
        Block::Note { kind, text: search.verdict.clone() },
        Block::Stats(finals(search)),
        Block::Table(rungs(search)),
    ];
    let blocks = blocks.into_iter().chain(by_class(search).map(Block::Table)).collect();
    Section { id: "search".into(), title: "The search".into(), blocks }
}

/// What the subset that came out first is called.
fn tried(search: &SearchOutcome) -> &'static str {
    if search.advisable { "the answer" } else { "tried, not advised" }
}

/// The classes that the subset costs most, beside what else was trained on; none where nothing is said by
/// class.
fn by_class(search: &SearchOutcome) -> Option<TableBlock> {
    const SHOWN: usize = 20;
    let finals = &search.finals;
    let of = finals.answer.accuracy.as_ref()?;
    let lost = finals.answer.by_class.against(&finals.full_by_class, of);
    let cell = |class: usize, by_class: &ByClass| {
        let value = by_class.values().find(|(known, _)| *known == class);
        value.map_or("–".into(), |(_, value)| of.value_text(value))
    };
    let rows: Vec<Vec<String>> = lost
        .iter()
        .take(SHOWN)
        .map(|lost| {
            vec![
                class_name(&finals.classes, lost.class),
                of.value_text(lost.everything),
                of.value_text(lost.subset),
                cell(lost.class, &finals.random.by_class),
            ]
        })
        .collect();
    let shown = if lost.len() > SHOWN { format!(", the first {SHOWN}") } else { String::new() };
    (!rows.is_empty()).then(|| TableBlock {
        caption: format!(
            "Test {} by class, those first that the subset costs most{shown}: means over the trainings",
            search.metric()
        ),
        header: ["class", "everything", tried(search), "at random"].map(String::from).to_vec(),
        rows,
        text_columns: 1,
    })
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
        stat(tried(search), finals.answer.accuracy.as_ref(), search.answer.text()),
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
            "{} on the held-out examples, rung by rung; in a rung {}",
            sentence(search.metric()),
            match search.plan.tolerance {
                Some(_) =>
                    "the smallest within the tolerance first, then the others from the best on",
                None => "from the best on",
            }
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
