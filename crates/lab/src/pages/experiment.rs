//! The sections of an experiment.

use datadiet_report::{
    Axis, Block, Chart, Figure, HeatmapChart, HistogramChart, HistogramMeasure, HistogramSeries,
    NoteKind, Section, Stat, TableBlock,
};

use super::connectivity::connectivity_section;
use super::percent;
use super::pruning::{curve_section, ledger_section, window_section};
use super::search::search_section;
use super::velocity::velocity_section;
use crate::ExperimentOutcome;
use crate::study::correlations::CorrelationsOutcome;
use crate::study::noise::NoiseOutcome;

/// Rows of a detection table.
const SHOWN: usize = 12;

/// Everything that an experiment found.
pub fn experiment_sections(outcome: &ExperimentOutcome) -> Vec<Section> {
    let mut sections = vec![summary(outcome)];
    sections.extend(outcome.curve.as_ref().map(curve_section));
    if !outcome.window.is_empty() {
        sections.push(window_section(&outcome.window));
    }
    sections.extend(outcome.tune.as_ref().map(search_section));
    sections.extend(outcome.correlations.as_ref().map(correlations_section));
    if !outcome.noise.is_empty() {
        sections.push(noise_section(&outcome.noise));
    }
    if !outcome.velocity.is_empty() {
        sections.push(velocity_section(&outcome.velocity));
    }
    sections.extend(outcome.connectivity.as_ref().map(connectivity_section));
    if !outcome.ledger.is_empty() {
        sections.push(ledger_section(&outcome.ledger));
    }
    sections
}

fn summary(outcome: &ExperimentOutcome) -> Section {
    let spec = &outcome.template;
    let cost = &outcome.cost;
    let stat =
        |label: &str, value: String, detail: String| Stat { label: label.into(), value, detail };
    let full = outcome.curve.iter().chain(&outcome.window).find_map(|points| points.full.as_ref());
    let full = full.or(outcome.scenes.first().and_then(|scene| scene.accuracy.as_ref()));
    let mut stats = vec![
        stat("data", spec.data.name.clone(), spec.data.fingerprint[..12].to_owned()),
        stat("network", spec.network.name.clone(), format!("width {}", spec.network.width)),
        stat(
            "schedule",
            format!("{} steps", spec.schedule.steps),
            format!("of {}", spec.schedule.batch),
        ),
        stat(
            "trainings",
            cost.trainings.to_string(),
            format!("{:.1} h of workers", cost.worker_seconds / 3600.0),
        ),
    ];
    if let Some(full) = full {
        let value = format!("{:.1} %", full.mean * 100.0);
        stats.push(stat("trained on everything", value, "test accuracy".into()));
    }
    let mut blocks = vec![Block::Stats(stats)];
    if !outcome.failed.is_empty() {
        let names: Vec<String> =
            outcome.failed.iter().map(|f| format!("{}: {}", f.name, f.reason)).collect();
        let text =
            format!("Trainings that failed, and are missing below:\n\n{}", names.join("\n\n"));
        blocks.push(Block::Note { kind: NoteKind::Warning, text });
    }
    Section { id: "summary".into(), title: "Summary".into(), blocks }
}

fn correlations_section(found: &CorrelationsOutcome) -> Section {
    let details = |row: usize, column: usize| {
        let interval = found.intervals[row][column].filter(|_| row != column);
        let interval = interval
            .map_or(String::new(), |i| format!("95 % interval {:.3} to {:.3}; ", i.low, i.high));
        let overlap = found.top_half_overlap[row][column];
        let overlap =
            overlap.map_or(String::new(), |o| format!("hardest halves share {:.1} %", o * 100.0));
        format!("{interval}{overlap}")
    };
    let size = found.names.len();
    let figure = Figure {
        id: "spearman".into(),
        title: "Spearman's rank correlation of scores".into(),
        caption: "Each column is turned so that higher is harder. Intervals: bootstrap over \
                  examples, which says nothing of other replicas. Hardest halves share 50 % by \
                  chance; ties are in random order, so a coarse score does not wholly share with itself."
            .into(),
        chart: Chart::Heatmap(HeatmapChart {
            rows: found.names.clone(),
            columns: found.names.clone(),
            values: found.spearman.clone(),
            details: (0..size).map(|r| (0..size).map(|c| details(r, c)).collect()).collect(),
            range: (-1.0, 1.0),
        }),
    };
    let overlap = TableBlock {
        caption: "Share of the hardest half that two scores have in common, %".into(),
        header: std::iter::once(String::new()).chain(found.names.iter().cloned()).collect(),
        rows: found
            .names
            .iter()
            .zip(&found.top_half_overlap)
            .map(|(name, row)| {
                let cells =
                    row.iter().map(|o| o.map_or("–".into(), |o| format!("{:.1}", o * 100.0)));
                std::iter::once(name.clone()).chain(cells).collect()
            })
            .collect(),
        text_columns: 1,
    };
    let blocks = vec![Block::Figure(figure), Block::Table(overlap)];
    Section { id: "correlations".into(), title: "How much scores agree".into(), blocks }
}

fn noise_section(all: &[NoiseOutcome]) -> Section {
    let mut blocks = Vec::new();
    for (index, noise) in all.iter().enumerate() {
        blocks.push(Block::Figure(histogram(noise, index)));
        blocks.push(Block::Table(detection(noise)));
    }
    Section { id: "noise".into(), title: "Which labels are wrong".into(), blocks }
}

fn histogram(noise: &NoiseOutcome, index: usize) -> Figure {
    let bars = &noise.histogram;
    let series =
        |name: &str, counts: &[u64]| HistogramSeries { name: name.into(), counts: counts.to_vec() };
    Figure {
        id: format!("noise-{index}"),
        title: format!("{}: {} of right and wrong labels", noise.scene, bars.column),
        caption: format!(
            "{} of {} labels are wrong ({} %). “Before” is the same score under the labels of the \
             data set. Bars are shares of each group.",
            noise.changed,
            noise.examples,
            percent(noise.changed as f64 / noise.examples as f64)
        ),
        chart: Chart::Histogram(HistogramChart {
            x: Axis::new(bars.column.clone()),
            edges: bars.edges.clone(),
            series: vec![
                series("right labels", &bars.unchanged),
                series("wrong labels", &bars.changed),
                series("all, before", &bars.before),
            ],
            measure: HistogramMeasure::Shares,
        }),
    }
}

fn detection(noise: &NoiseOutcome) -> TableBlock {
    let chance = noise.changed as f64 / noise.examples as f64;
    let ks =
        noise.detection.first().map(|column| &column.found.precision_at[..]).unwrap_or_default();
    let mut header: Vec<String> =
        ["score", "AUROC", "average precision"].map(String::from).to_vec();
    header.extend(ks.iter().map(|(k, _)| format!("precision at {k}")));
    let rows = noise.detection.iter().take(SHOWN).map(|column| {
        let found = &column.found;
        let mut row = vec![column.column.clone()];
        row.extend([found.auroc, found.average_precision].map(|value| format!("{value:.4}")));
        row.extend(found.precision_at.iter().map(|(_, value)| format!("{value:.4}")));
        row
    });
    TableBlock {
        caption: format!(
            "{}: how well scores find wrong labels, the best {SHOWN} of {}. By chance: AUROC 0.5, \
             average precision and precision {chance:.3}",
            noise.scene,
            noise.detection.len()
        ),
        header,
        rows: rows.collect(),
        text_columns: 1,
    }
}
