//! The tables of an experiment, as rows of CSV files.

use datadiet_lab::Spread;
use datadiet_lab::study::connectivity::ConnectivityOutcome;
use datadiet_lab::study::noise::NoiseOutcome;
use datadiet_lab::study::point::PointsOutcome;
use datadiet_lab::study::velocity::VelocityOutcome;

fn words(row: &[&str]) -> Vec<String> {
    row.iter().map(|&word| word.to_owned()).collect()
}

/// Test accuracy of every subset.
pub fn points(all: &[&PointsOutcome]) -> Vec<Vec<String>> {
    let mut rows = vec![words(&[
        "scene",
        "series",
        "keep",
        "offset",
        "time",
        "examples",
        "steps",
        "skew",
        "accuracy",
        "p16",
        "p84",
        "accuracies",
    ])];
    for points in all {
        for point in &points.points {
            let optional = |value: Option<f64>| value.map_or(String::new(), |v| v.to_string());
            let mut row = vec![
                points.scene.clone(),
                point.place.series.clone(),
                point.place.keep.to_string(),
                optional(point.place.offset),
                optional(point.place.time),
                point.size.to_string(),
                point.steps.to_string(),
                optional(point.skew),
            ];
            row.extend(cells(point.accuracy.as_ref()));
            rows.push(row);
        }
        if let Some(full) = &points.full {
            let mut row = vec![
                points.scene.clone(),
                "full".into(),
                "1".into(),
                String::new(),
                String::new(),
                points.examples.to_string(),
                points.steps.to_string(),
                "1".into(),
            ];
            row.extend(cells(Some(full)));
            rows.push(row);
        }
    }
    rows
}

/// How well scores find wrong labels.
pub fn detection(all: &[NoiseOutcome]) -> Vec<Vec<String>> {
    let mut rows =
        vec![words(&["scene", "score", "auroc", "average precision", "k", "precision at k"])];
    for noise in all {
        for column in &noise.detection {
            let found = &column.found;
            for (k, precision) in &found.precision_at {
                rows.push(vec![
                    noise.scene.clone(),
                    column.column.clone(),
                    found.auroc.to_string(),
                    found.average_precision.to_string(),
                    k.to_string(),
                    precision.to_string(),
                ]);
            }
        }
    }
    rows
}

/// A matrix with names.
pub fn matrix(names: &[String], values: &[Vec<Option<f64>>]) -> Vec<Vec<String>> {
    let mut rows = vec![std::iter::once(String::new()).chain(names.iter().cloned()).collect()];
    for (name, values) in names.iter().zip(values) {
        let cells = values.iter().map(|value| value.map_or(String::new(), |v| v.to_string()));
        rows.push(std::iter::once(name.clone()).chain(cells).collect());
    }
    rows
}

/// Mean, 16th and 84th percentile, and each training's value; empty where there is none.
fn cells(spread: Option<&Spread>) -> [String; 4] {
    let Some(spread) = spread else { return Default::default() };
    let values: Vec<String> = spread.values.iter().map(f64::to_string).collect();
    let [mean, low, high] = [spread.mean, spread.low, spread.high].map(|v| v.to_string());
    [mean, low, high, values.join(" ")]
}

/// How fast kernels move.
pub fn velocity(all: &[VelocityOutcome]) -> Vec<Vec<String>> {
    let mut rows = vec![words(&[
        "scene",
        "epoch",
        "position",
        "first rank",
        "mean score",
        "velocity",
        "p16",
        "p84",
        "velocities",
    ])];
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
    rows
}

/// Barriers between parents and children.
pub fn barriers(found: &ConnectivityOutcome) -> Vec<Vec<String>> {
    let mut rows =
        vec![words(&["epoch", "step", "scores", "risk", "barrier", "p16", "p84", "barriers"])];
    for spawn in &found.spawns {
        for set in &spawn.sets {
            for (risk, barrier) in [("error", &set.error_barrier), ("loss", &set.loss_barrier)] {
                let mut row = vec![spawn.time.to_string(), spawn.step.to_string()];
                row.extend([set.set.clone(), risk.to_owned()]);
                row.extend(cells(barrier.as_ref()));
                rows.push(row);
            }
        }
    }
    rows
}

/// Risks at every point between parents and children.
pub fn lines(found: &ConnectivityOutcome) -> Vec<Vec<String>> {
    let mut rows =
        vec![words(&["epoch", "scores", "risk", "alpha", "mean", "p16", "p84", "values"])];
    for spawn in &found.spawns {
        for set in &spawn.sets {
            for (risk, curve) in [("error", &set.error), ("loss", &set.loss)] {
                for (alpha, spread) in found.alphas.iter().zip(curve) {
                    let mut row = vec![spawn.time.to_string(), set.set.clone(), risk.to_owned()];
                    row.push(alpha.to_string());
                    row.extend(cells(Some(spread)));
                    rows.push(row);
                }
            }
        }
    }
    rows
}
