//! What is told of how fast kernels move.

use datadiet_report::{Axis, Block, Chart, Figure, LineChart, Section, Series, TableBlock};

use super::{VelocityOutcome, WindowOutcome, WindowPlace};
use crate::study::page::{band_point, scene_name, sentence};
use crate::study::{Findings, NamedTable, cells};
use crate::text::{percent, table};

/// All of it.
pub(super) fn findings(all: &[VelocityOutcome]) -> Findings {
    Findings {
        tables: vec![csv(all)],
        text: all.iter().map(text).collect(),
        sections: vec![section(all)],
        ..Findings::default()
    }
}

fn csv(all: &[VelocityOutcome]) -> NamedTable {
    let mut rows = Vec::new();
    for velocity in all {
        for window in &velocity.windows {
            let place = &window.place;
            let mut row = vec![velocity.scene.clone(), place.time.to_string()];
            row.push(place.position.to_string());
            row.extend([place.first_rank.to_string(), place.score.to_string()]);
            row.extend(cells(window.velocity.as_ref()));
            rows.push(row);
        }
    }
    let header = [
        "scene",
        "epoch",
        "position",
        "first rank",
        "mean score",
        "velocity",
        "p16",
        "p84",
        "velocities",
    ];
    NamedTable::new("velocity.csv", &header, rows)
}

/// A row a position, a column a time.
fn text(velocity: &VelocityOutcome) -> String {
    let distinct = |of: fn(&WindowPlace) -> f64| {
        let mut values: Vec<f64> = velocity.windows.iter().map(|w| of(&w.place)).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        values
    };
    let (times, positions) = (distinct(|place| place.time), distinct(|place| place.position));
    let mut header = vec!["position".to_owned()];
    header.extend(times.iter().map(|time| format!("{time} to {}", time + velocity.interval)));
    let rows = positions.iter().map(|&position| {
        let cell = |&time: &f64| {
            let at = |w: &&WindowOutcome| w.place.time == time && w.place.position == position;
            let found = velocity.windows.iter().find(at).and_then(|w| w.velocity.as_ref());
            found.map_or("failed".into(), |velocity| format!("{:.4}", velocity.mean))
        };
        std::iter::once(format!("{:.0} %", position * 100.0))
            .chain(times.iter().map(cell))
            .collect()
    });
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let scene = if velocity.scene.is_empty() { "" } else { ", " };
    format!(
        "kernel velocity in the order of {}{scene}{}, between epochs\n{}",
        velocity.by,
        velocity.scene,
        table(&header, rows.collect(), 1)
    )
}

/// Velocity along the order of the scores, a figure for each labelling.
fn section(all: &[VelocityOutcome]) -> Section {
    let mut blocks = vec![Block::Text(
        "The velocity of a set of examples is how far the data-dependent neural tangent kernel on \
         them turns in the time between two epochs: S = 1 − ⟨K, K′⟩ / (‖K‖ ‖K′‖), 0 for no change, \
         at most 1; higher is faster. K is the Gram matrix of the logits' gradients over all \
         parameters, evaluation mode, un-augmented images (Paul, Ganguli, Dziugaite 2021, \
         section 5)."
            .into(),
    )];
    blocks.extend(all.iter().enumerate().map(|(index, one)| Block::Figure(figure(index, one))));
    blocks.push(Block::Table(block(all)));
    Section { id: "velocity".into(), title: "Kernel velocity".into(), blocks }
}

fn figure(index: usize, velocity: &VelocityOutcome) -> Figure {
    let mut times: Vec<f64> = velocity.windows.iter().map(|window| window.place.time).collect();
    times.dedup();
    let series = times.iter().map(|&time| {
        let windows = velocity.windows.iter().filter(|window| window.place.time == time);
        Series {
            name: format!("epoch {time} to {}", time + velocity.interval),
            points: windows.filter_map(point).collect(),
            dashed: false,
        }
    });
    Figure {
        id: format!("velocity-{index}"),
        title: match velocity.scene.as_str() {
            "" => format!("Kernel velocity along the order of {}", velocity.by),
            scene => format!("Kernel velocity along the order of {}, {scene}", velocity.by),
        },
        caption: format!(
            "{}. Windows of {} examples with consecutive ranks; 0 % are the lowest scores. Bands go \
             from the 16th to the 84th percentile of the replicas.",
            sentence(scene_name(&velocity.scene)),
            velocity.examples
        ),
        chart: Chart::Lines(LineChart {
            x: Axis::new(format!("position in the ascending order of {}, %", velocity.by)),
            y: Axis::new("kernel velocity"),
            series: series.collect(),
            references: Vec::new(),
        }),
    }
}

fn point(window: &WindowOutcome) -> Option<datadiet_report::Point> {
    let place = &window.place;
    let note = format!("from rank {}, mean score {:.3}", place.first_rank, place.score);
    Some(band_point(percent(place.position), window.velocity.as_ref()?, 1.0, note))
}

fn block(all: &[VelocityOutcome]) -> TableBlock {
    let row = |velocity: &VelocityOutcome, window: &WindowOutcome| {
        let place = &window.place;
        let (mean, band) = window.velocity.as_ref().map_or(("–".into(), "–".into()), |spread| {
            (format!("{:.4}", spread.mean), format!("{:.4} to {:.4}", spread.low, spread.high))
        });
        vec![
            scene_name(&velocity.scene).to_owned(),
            place.time.to_string(),
            place.first_rank.to_string(),
            format!("{:.3}", place.score),
            mean,
            band,
        ]
    };
    TableBlock {
        caption: "Velocity of every window: mean over the replicas, 16th to 84th percentile".into(),
        header: ["labels", "epoch", "first rank", "mean score", "velocity", "band"]
            .map(String::from)
            .to_vec(),
        rows: all.iter().flat_map(|v| v.windows.iter().map(move |w| row(v, w))).collect(),
        text_columns: 1,
    }
}
