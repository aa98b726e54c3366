//! What is told of barriers between parents and children.

use datadiet_report::{Axis, Block, Chart, Figure, LineChart, Point, Section, Series, TableBlock};

use super::{ConnectivityOutcome, SetOutcome, SpawnOutcome};
use crate::Spread;
use crate::study::page::{band_point, sentence};
use crate::study::{Findings, NamedTable, cells};
use crate::text::table;

/// All of it.
pub(super) fn findings(found: &ConnectivityOutcome) -> Findings {
    Findings {
        tables: csv(found),
        text: vec![text(found)],
        sections: vec![section(found)],
        ..Findings::default()
    }
}

/// Barriers, and the risks at every point between parents and children.
fn csv(found: &ConnectivityOutcome) -> Vec<NamedTable> {
    let (mut barriers, mut lines) = (Vec::new(), Vec::new());
    for spawn in &found.spawns {
        for set in &spawn.sets {
            let risks =
                [("error", &set.error_barrier, &set.error), ("loss", &set.loss_barrier, &set.loss)];
            for (risk, barrier, curve) in risks {
                let time = spawn.time.to_string();
                let mut row = vec![time.clone(), spawn.step.to_string()];
                row.extend([set.set.clone(), risk.to_owned()]);
                row.extend(cells(barrier.as_ref()));
                barriers.push(row);
                for (alpha, spread) in found.alphas.iter().zip(curve) {
                    let mut row = vec![time.clone(), set.set.clone(), risk.to_owned()];
                    row.push(alpha.to_string());
                    row.extend(cells(Some(spread)));
                    lines.push(row);
                }
            }
        }
    }
    let header = ["epoch", "step", "scores", "risk", "barrier", "p16", "p84", "barriers"];
    let barriers = NamedTable::new("barriers.csv", &header, barriers);
    let header = ["epoch", "scores", "risk", "alpha", "mean", "p16", "p84", "values"];
    vec![barriers, NamedTable::new("lines.csv", &header, lines)]
}

/// A row a time, a column a set of examples.
fn text(found: &ConnectivityOutcome) -> String {
    let sets = found.spawns.first().map_or(&[][..], |spawn| &spawn.sets[..]);
    let mut header = vec!["spawned at epoch"];
    header.extend(sets.iter().map(|set| set.set.as_str()));
    let rows = found.spawns.iter().map(|spawn| {
        let cells = spawn
            .sets
            .iter()
            .map(|set| set.error_barrier.as_ref().map_or("failed".into(), Spread::text));
        std::iter::once(spawn.time.to_string()).chain(cells).collect()
    });
    format!(
        "barrier of the training error on {} examples by {}\n{}",
        found.examples,
        found.by,
        table(&header, rows.collect(), 1)
    )
}

/// Barriers against the time at which children leave, and the risk along the line.
fn section(found: &ConnectivityOutcome) -> Section {
    let accuracy = |of: &Option<Spread>| of.as_ref().map_or("–".into(), Spread::text);
    let mut blocks = vec![Block::Text(format!(
        "A child leaves its parent at an epoch, with the parent's weights and momentum, and goes on \
         with data order and augmentation of its own to the end. The barrier is the most by which \
         the risk on the straight line between their final weights lies above the chord between the \
         ends: 0 where they are linearly mode connected; higher is rougher. Risks are of the \
         {} training examples with the lowest, the highest and random scores by {}; batch-norm \
         statistics are taken again at every point (Paul, Ganguli, Dziugaite 2021, section 5). Test \
         accuracy of the parents {}, of the children {}.",
        found.examples,
        found.by,
        accuracy(&found.parents),
        accuracy(&found.children)
    ))];
    let error = |set: &SetOutcome| set.error_barrier.clone();
    blocks.push(Block::Figure(barriers(found, "error", "training error, points", 100.0, error)));
    let loss = |set: &SetOutcome| set.loss_barrier.clone();
    blocks.push(Block::Figure(barriers(found, "loss", "cross-entropy, nats", 1.0, loss)));
    let sets = found.spawns.first().map_or(&[][..], |spawn| &spawn.sets[..]);
    let names = sets.iter().enumerate();
    blocks.extend(names.map(|(index, set)| Block::Figure(lines(found, index, &set.set))));
    blocks.push(Block::Table(block(found)));
    Section { id: "connectivity".into(), title: "Linear mode connectivity".into(), blocks }
}

const BAND: &str = "Bands go from the 16th to the 84th percentile of the children.";

fn barriers(
    found: &ConnectivityOutcome,
    risk: &str,
    unit: &str,
    scale: f64,
    of: impl Fn(&SetOutcome) -> Option<Spread>,
) -> Figure {
    let sets = found.spawns.first().map_or(&[][..], |spawn| &spawn.sets[..]);
    let series = sets.iter().enumerate().map(|(index, set)| {
        let point = |spawn: &SpawnOutcome| {
            let spread = of(&spawn.sets[index])?;
            let note = format!("{} children, step {}", spread.values.len(), spawn.step);
            Some(band_point(spawn.time, &spread, scale, note))
        };
        Series {
            name: format!("{} scores", set.set),
            points: found.spawns.iter().filter_map(point).collect(),
            dashed: set.set == "random",
        }
    });
    Figure {
        id: format!("barrier-{risk}"),
        title: format!("{} barrier against spawn time", sentence(risk)),
        caption: format!("On the {} examples of each set. {BAND}", found.examples),
        chart: Chart::Lines(LineChart {
            x: Axis::new("spawn time, epochs"),
            y: Axis::new(format!("barrier of the {unit}")),
            series: series.collect(),
            references: Vec::new(),
        }),
    }
}

/// Error on one set along the line, for all times.
fn lines(found: &ConnectivityOutcome, index: usize, set: &str) -> Figure {
    let series = found.spawns.iter().map(|spawn| {
        let points = found.alphas.iter().zip(&spawn.sets[index].error);
        let point = |(&alpha, spread): (&f64, &Spread)| -> Point {
            band_point(alpha, spread, 100.0, String::new())
        };
        Series {
            name: format!("spawned at epoch {}", spawn.time),
            points: points.map(point).collect(),
            dashed: false,
        }
    });
    Figure {
        id: format!("line-{set}"),
        title: format!("Training error between parent and child, {set} scores"),
        caption: BAND.into(),
        chart: Chart::Lines(LineChart {
            x: Axis::new("α: 0 is the parent, 1 the child"),
            y: Axis::new("training error, %"),
            series: series.collect(),
            references: Vec::new(),
        }),
    }
}

fn block(found: &ConnectivityOutcome) -> TableBlock {
    let cell = |spread: Option<&Spread>, scale: f64, digits: usize| {
        spread.map_or(["–".to_owned(), "–".to_owned()], |spread| {
            let number = |value: f64| format!("{:.digits$}", value * scale);
            [number(spread.mean), format!("{} to {}", number(spread.low), number(spread.high))]
        })
    };
    let row = |spawn: &SpawnOutcome, set: &SetOutcome| {
        let mut row = vec![set.set.clone(), spawn.time.to_string()];
        row.extend(cell(set.error_barrier.as_ref(), 100.0, 2));
        row.extend(cell(set.loss_barrier.as_ref(), 1.0, 4));
        // What each end gets wrong itself.
        for end in [set.error.first(), set.error.last()] {
            row.extend(cell(end, 100.0, 1).into_iter().take(1));
        }
        row
    };
    let header = [
        "scores",
        "epoch",
        "error barrier, points",
        "band",
        "loss barrier",
        "band",
        "error of parent, %",
        "error of child, %",
    ];
    TableBlock {
        caption: "Barriers: mean over the children, 16th to 84th percentile".into(),
        header: header.map(String::from).to_vec(),
        rows: found.spawns.iter().flat_map(|s| s.sets.iter().map(move |set| row(s, set))).collect(),
        text_columns: 1,
    }
}
