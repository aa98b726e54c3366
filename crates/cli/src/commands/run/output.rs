//! What an experiment writes: its outcome as JSON, tables as CSV and Parquet.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use datadiet_data::Dataset;
use datadiet_lab::study::connectivity::ConnectivityOutcome;
use datadiet_lab::study::point::PointsOutcome;
use datadiet_lab::study::velocity::{VelocityOutcome, WindowOutcome, WindowPlace};
use datadiet_lab::{Done, ExperimentOutcome, Scene, Spread};
use datadiet_table::{Column, FINGERPRINT, ScoreTable, write_atomically, write_json};
use serde::{Deserialize, Serialize};

use super::file::ExperimentFile;
use super::plan::Plan;
use super::tables;
use crate::output::{grouped, table};

/// The content of `outcome.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Answer {
    /// Version of the program that wrote it.
    pub datadiet: String,
    /// The experiment as it was asked for, with changes from the command line.
    pub experiment: ExperimentFile,
    /// Where the data came from.
    pub source: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: ExperimentOutcome,
    /// Files written.
    pub files: Vec<PathBuf>,
}

/// `results/FOLDER-NAME` for `…/FOLDER/NAME.toml`.
pub fn default_folder(file: &Path) -> PathBuf {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let folder = file.parent().and_then(Path::file_name).map(|folder| folder.to_string_lossy());
    let name = match folder {
        Some(folder) if folder != "experiments" => format!("{folder}-{name}"),
        _ => name.into_owned(),
    };
    Path::new("results").join(name)
}

/// Refuses a folder that holds another experiment's results.
///
/// # Errors
/// Naming what to do.
pub fn check_same(out: &Path, file: &ExperimentFile) -> Result<()> {
    let Ok(text) = std::fs::read(out.join("outcome.json")) else { return Ok(()) };
    let known: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    ensure!(
        known["experiment"] == serde_json::to_value(file)?,
        "{} holds the results of another experiment; give another folder with --out, or remove it",
        out.display()
    );
    Ok(())
}

/// Writes everything to `out`.
///
/// # Errors
/// When it cannot be written.
pub fn write(
    out: &Path,
    file: &ExperimentFile,
    plan: &Plan,
    dataset: &Dataset,
    done: &Done,
) -> Result<Answer> {
    let mut files = Vec::new();
    for (scene, scored) in plan.experiment.scenes.iter().zip(&done.scored) {
        let name = match scene.name.as_str() {
            "" => "scores.parquet".to_owned(),
            name => format!("scores-{}.parquet", slug(name)),
        };
        let path = out.join(name);
        let mut table = scored.scores.clone();
        table.amend(|card| card.source = dataset.source().into());
        if scene.changed.contains(&true) {
            add_mask(&mut table, scene, dataset)?;
        }
        table.write(&path)?;
        files.push(path);
    }
    let outcome = &done.outcome;
    let points: Vec<&PointsOutcome> = outcome.curve.iter().chain(&outcome.window).collect();
    if !points.is_empty() {
        files.push(csv(out, "points.csv", &tables::points(&points))?);
    }
    if !outcome.noise.is_empty() {
        files.push(csv(out, "detection.csv", &tables::detection(&outcome.noise))?);
    }
    if let Some(found) = &outcome.correlations {
        files.push(csv(out, "spearman.csv", &tables::matrix(&found.names, &found.spearman))?);
    }
    if !outcome.velocity.is_empty() {
        files.push(csv(out, "velocity.csv", &tables::velocity(&outcome.velocity))?);
    }
    if let Some(found) = &outcome.connectivity {
        files.push(csv(out, "barriers.csv", &tables::barriers(found))?);
        files.push(csv(out, "lines.csv", &tables::lines(found))?);
    }
    let mut answer = Answer {
        datadiet: env!("CARGO_PKG_VERSION").into(),
        experiment: file.clone(),
        source: dataset.source().into(),
        outcome: outcome.clone(),
        files,
    };
    let path = out.join("outcome.json");
    answer.files.push(path.clone());
    write_json(&path, &answer)?;
    Ok(answer)
}

/// Which labels were changed: the table can be the `--truth` of `datadiet suspects`.
fn add_mask(table: &mut ScoreTable, scene: &Scene, dataset: &Dataset) -> Result<()> {
    let flags = |mask: &[bool]| Column::U32(mask.iter().map(|&set| u32::from(set)).collect());
    let original = dataset.train().labels[..scene.labels.len()].to_vec();
    let table = table.columns_mut();
    table.push("original", Column::U32(original))?;
    table.push("touched", flags(&scene.touched))?;
    table.push("changed", flags(&scene.changed))?;
    table.metadata.insert(FINGERPRINT.into(), dataset.fingerprint().into());
    Ok(())
}

/// Letters, digits and dashes.
fn slug(name: &str) -> String {
    let kept = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' });
    kept.collect::<String>().split_whitespace().collect::<Vec<_>>().join("-").to_lowercase()
}

fn csv(out: &Path, name: &str, rows: &[Vec<String>]) -> Result<PathBuf> {
    let path = out.join(name);
    write_atomically(&path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        rows.iter().try_for_each(|row| writer.write_record(row))?;
        writer.flush()
    })?;
    Ok(path)
}

impl Answer {
    /// For people.
    pub fn text(&self) -> String {
        let mut parts = Vec::new();
        for points in self.outcome.curve.iter().chain(&self.outcome.window) {
            parts.push(points_text(points));
        }
        if let Some(tune) = &self.outcome.tune {
            parts.push(tune.verdict.clone());
        }
        for noise in &self.outcome.noise {
            let rows = noise.detection.iter().take(6).map(|column| {
                let found = &column.found;
                let (auroc, ap) = (found.auroc, found.average_precision);
                vec![column.column.clone(), format!("{auroc:.3}"), format!("{ap:.3}")]
            });
            let header = ["finds wrong labels", "AUROC", "average precision"];
            parts.push(format!("{}\n{}", noise.scene, table(&header, rows.collect(), 1)));
        }
        parts.extend(self.outcome.velocity.iter().map(velocity_text));
        parts.extend(self.outcome.connectivity.as_ref().map(connectivity_text));
        let cost = &self.outcome.cost;
        let measured = match cost.measurements {
            0 => String::new(),
            count => format!(" {count} measurements,"),
        };
        parts.push(format!(
            "{} trainings,{measured} {} images, {:.0} s of workers\nwritten to {}",
            cost.trainings,
            grouped(cost.images_trained),
            cost.worker_seconds,
            self.files.last().and_then(|file| file.parent()).unwrap_or(Path::new(".")).display(),
        ));
        parts.join("\n\n")
    }
}

fn points_text(points: &PointsOutcome) -> String {
    let percent = |value: f64| format!("{:.0} %", value * 100.0);
    let mut rows: Vec<Vec<String>> = Vec::new();
    if let Some(full) = &points.full {
        rows.push(vec!["full".into(), percent(1.0), String::new(), full.percent()]);
    }
    for point in &points.points {
        rows.push(vec![
            point.place.series.clone(),
            percent(point.place.keep),
            point.place.offset.map_or(String::new(), percent),
            point.accuracy.as_ref().map_or("failed".into(), Spread::percent),
        ]);
    }
    let text = table(&["chosen by", "kept", "from", "test accuracy"], rows, 1);
    if points.scene.is_empty() { text } else { format!("{}\n{text}", points.scene) }
}

/// A row a position, a column a time.
fn velocity_text(velocity: &VelocityOutcome) -> String {
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

/// A row a time, a column a set of examples.
fn connectivity_text(found: &ConnectivityOutcome) -> String {
    let sets = found.spawns.first().map_or(&[][..], |spawn| &spawn.sets[..]);
    let mut header = vec!["spawned at epoch"];
    header.extend(sets.iter().map(|set| set.set.as_str()));
    let rows = found.spawns.iter().map(|spawn| {
        let cells = spawn
            .sets
            .iter()
            .map(|set| set.error_barrier.as_ref().map_or("failed".into(), Spread::percent));
        std::iter::once(spawn.time.to_string()).chain(cells).collect()
    });
    format!(
        "barrier of the training error on {} examples by {}\n{}",
        found.examples,
        found.by,
        table(&header, rows.collect(), 1)
    )
}
