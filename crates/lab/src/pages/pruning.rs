//! Figures and tables of what subsets can still teach.

use datadiet_table::kind_of;
use std::collections::BTreeMap;

use datadiet_report::{
    Axis, Block, Chart, Figure, LineChart, Point, Reference, Section, Series, TableBlock,
};

use super::{band_point, percent, scene_name};
use crate::Spread;
use crate::ledger::LedgerRow;
use crate::study::point::{PointOutcome, PointsOutcome};

const BAND: &str = "Bands go from the 16th to the 84th percentile of the trainings on one subset; \
                    random is one random subset of each size.";

/// Accuracy against the fraction kept and the time of the scores.
pub fn curve_section(curve: &PointsOutcome) -> Section {
    let mut blocks = vec![Block::Text(format!(
        "{} A score is worth its cost where its curve lies above random.",
        curve.how
    ))];
    if fractions(curve).len() > 1 {
        blocks.push(Block::Figure(against_fraction(curve)));
    }
    for keep in fractions(curve) {
        blocks.extend(against_time(curve, keep).map(Block::Figure));
    }
    blocks.push(Block::Table(points_table("Test accuracy of every subset", &[curve])));
    Section { id: "curve".into(), title: "How much can go".into(), blocks }
}

/// What scoring costs and saves.
pub fn ledger_section(ledger: &[LedgerRow]) -> Section {
    let blocks = vec![
        Block::Text(
            "With the number of steps fixed, as in the paper, a subset saves no step of a training. The ledger says what scoring cost (in seconds of one worker) and what a \
             training on the subset would save with the number of epochs fixed; the accuracy of \
             such shorter trainings is another question."
                .into(),
        ),
        Block::Table(ledger_table(ledger)),
    ];
    Section { id: "ledger".into(), title: "What scoring costs and saves".into(), blocks }
}

/// Accuracy of windows over the order.
pub fn window_section(windows: &[PointsOutcome]) -> Section {
    let series = windows.iter().map(|points| {
        let windows = points.points.iter().filter(|point| point.place.offset.is_some());
        Series {
            name: scene_name(&points.scene).into(),
            points: windows
                .filter_map(|p| point(percent(p.place.offset?), p, format!("{} examples", p.size)))
                .collect(),
            dashed: false,
        }
    });
    let mut references = Vec::new();
    for points in windows {
        let random = points.points.iter().find(|point| point.place.offset.is_none());
        let accuracy = random.and_then(|point| point.accuracy.as_ref());
        references.extend(reference(&format!("{}, random", scene_name(&points.scene)), accuracy));
    }
    let first = windows.first().and_then(|points| points.points.first());
    let (by, keep) = first.map_or(("", 0.0), |p| (p.place.series.as_str(), p.place.keep));
    let figure = Figure {
        id: "window".into(),
        title: format!("Accuracy of a window of {} % over the order of {by}", percent(keep)),
        caption: format!(
            "The window keeps the examples between the percentile on the axis and {} % further. \
             {BAND}",
            percent(keep)
        ),
        chart: Chart::Lines(LineChart {
            x: Axis::new(format!("window begins after, % of the ascending order of {by}")),
            y: Axis::new("test accuracy, %"),
            series: series.collect(),
            references,
        }),
    };
    let all: Vec<&PointsOutcome> = windows.iter().collect();
    let how = windows.first().map_or(String::new(), |points| points.how.clone());
    let blocks = vec![
        Block::Text(how),
        Block::Figure(figure),
        Block::Table(points_table("Test accuracy of every window", &all)),
    ];
    Section { id: "windows".into(), title: "Which part teaches most".into(), blocks }
}

fn fractions(curve: &PointsOutcome) -> Vec<f64> {
    let mut fractions: Vec<f64> = curve.points.iter().map(|point| point.place.keep).collect();
    fractions.sort_by(f64::total_cmp);
    fractions.dedup();
    fractions
}

fn point(x: f64, outcome: &PointOutcome, note: String) -> Option<Point> {
    Some(band_point(x, outcome.accuracy.as_ref()?, 100.0, note))
}

fn reference(name: &str, accuracy: Option<&Spread>) -> Option<Reference> {
    let accuracy = accuracy?;
    let several = accuracy.values.len() > 1;
    Some(Reference {
        name: name.into(),
        value: accuracy.mean * 100.0,
        low: several.then_some(accuracy.low * 100.0),
        high: several.then_some(accuracy.high * 100.0),
    })
}

fn against_fraction(curve: &PointsOutcome) -> Figure {
    let mut series: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for outcome in &curve.points {
        let note = format!("{} examples", outcome.size);
        let point = point(percent(outcome.place.keep), outcome, note);
        series.entry(&outcome.place.series).or_default().extend(point);
    }
    let series = series.into_iter().map(|(name, mut points)| {
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        Series { name: name.into(), points, dashed: name == "random" }
    });
    Figure {
        id: "accuracy-by-fraction".into(),
        title: "Accuracy against the fraction kept".into(),
        caption: BAND.into(),
        chart: Chart::Lines(LineChart {
            x: Axis::new("kept, % of the training examples"),
            y: Axis::new("test accuracy, %"),
            series: series.collect(),
            references: reference("everything", curve.full.as_ref()).into_iter().collect(),
        }),
    }
}

/// None where no score was taken at three times or more.
fn against_time(curve: &PointsOutcome, keep: f64) -> Option<Figure> {
    let mut series: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for outcome in curve.points.iter().filter(|point| point.place.keep == keep) {
        let Some(time) = outcome.place.time else { continue };
        let name = kind_of(&outcome.place.series)?.name();
        series.entry(name).or_default().extend(point(time, outcome, outcome.place.series.clone()));
    }
    if series.values().all(|points| points.len() < 3) {
        return None;
    }
    let series = series.into_iter().map(|(name, mut points)| {
        points.sort_by(|a, b| a.x.total_cmp(&b.x));
        Series { name: name.into(), points, dashed: false }
    });
    let random = curve.points.iter().find(|p| p.place.series == "random" && p.place.keep == keep);
    let random = random.and_then(|point| point.accuracy.as_ref());
    let references = [("random", random), ("everything", curve.full.as_ref())];
    Some(Figure {
        id: format!("accuracy-by-time-{}", percent(keep)),
        title: format!("Accuracy with {} % kept, against the time of the scores", percent(keep)),
        caption: BAND.into(),
        chart: Chart::Lines(LineChart {
            x: Axis::new("scores taken after, epochs"),
            y: Axis::new("test accuracy, %"),
            series: series.collect(),
            references: references.iter().filter_map(|(n, a)| reference(n, *a)).collect(),
        }),
    })
}

fn points_table(caption: &str, all: &[&PointsOutcome]) -> TableBlock {
    let several = all.len() > 1;
    let mut header: Vec<String> = if several { vec!["labels".into()] } else { Vec::new() };
    header.extend(
        ["chosen by", "kept, %", "from, %", "examples", "skew", "accuracy, %", "p16", "p84", "n"]
            .map(String::from),
    );
    let mut rows = Vec::new();
    for points in all {
        let scene = several.then(|| scene_name(&points.scene).to_owned());
        if let Some(full) = &points.full {
            let size = points.examples.to_string();
            let cells = ["everything".into(), "100".into(), "–".into(), size, "1.0".into()];
            rows.push(row(scene.clone(), cells, Some(full)));
        }
        for point in &points.points {
            let offset = point.place.offset;
            let cells = [
                point.place.series.clone(),
                percent(point.place.keep).to_string(),
                offset.map_or("–".into(), |offset| percent(offset).to_string()),
                point.size.to_string(),
                point.skew.map_or("a class vanished".into(), |skew| format!("{skew:.1}")),
            ];
            rows.push(row(scene.clone(), cells, point.accuracy.as_ref()));
        }
    }
    TableBlock {
        caption: format!(
            "{caption}. Skew: largest over smallest kept share of a class. n: trainings."
        ),
        header,
        rows,
        text_columns: 1 + usize::from(several),
    }
}

fn row(scene: Option<String>, cells: [String; 5], accuracy: Option<&Spread>) -> Vec<String> {
    let number = |value: f64| format!("{:.2}", value * 100.0);
    let mut row: Vec<String> = scene.into_iter().chain(cells).collect();
    match accuracy {
        None => row.extend(["failed", "–", "–", "0"].map(String::from)),
        Some(accuracy) => {
            row.extend([accuracy.mean, accuracy.low, accuracy.high].map(number));
            row.push(accuracy.values.len().to_string());
        }
    }
    row
}

fn ledger_table(ledger: &[LedgerRow]) -> TableBlock {
    let row = |row: &LedgerRow| {
        vec![
            row.by.clone(),
            percent(row.keep).to_string(),
            row.replicas.to_string(),
            row.scoring_steps.to_string(),
            format!("{:.0}", row.scoring_seconds),
            format!("{:.0}", row.full_seconds),
            row.saved_steps.to_string(),
            row.saved_examples.to_string(),
            row.pays_after.map_or("never".into(), |trainings| trainings.to_string()),
        ]
    };
    let header = [
        "chosen by",
        "kept, %",
        "replicas",
        "steps of each",
        "scoring, s",
        "a full training, s",
        "steps saved",
        "examples saved",
        "pays after, trainings",
    ];
    TableBlock {
        caption: "What scoring cost, and what a training on the subset saves with epochs fixed"
            .into(),
        header: header.map(String::from).to_vec(),
        rows: ledger.iter().map(row).collect(),
        text_columns: 1,
    }
}
