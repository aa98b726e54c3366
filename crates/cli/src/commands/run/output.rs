//! What an experiment writes: its outcome as JSON, tables as CSV and Parquet.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use datadiet_data::Dataset;
use datadiet_lab::study::point::PointsOutcome;
use datadiet_lab::{Done, ExperimentOutcome, Scene, Scored};
use datadiet_store::{Column, RunId, Table, write_atomically, write_json};
use serde::{Deserialize, Serialize};

use super::file::ExperimentFile;
use super::plan::Plan;
use crate::lists::FINGERPRINT;
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
        let mut table = scored.scores.table.clone();
        table.metadata.insert("datadiet".into(), metadata(scored, dataset)?);
        if scene.changed.contains(&true) {
            add_mask(&mut table, scene, dataset)?;
        }
        table.write(&path)?;
        files.push(path);
    }
    let outcome = &done.outcome;
    let points: Vec<&PointsOutcome> = outcome.curve.iter().chain(&outcome.window).collect();
    if !points.is_empty() {
        files.push(csv(out, "points.csv", &point_rows(&points))?);
    }
    if !outcome.noise.is_empty() {
        files.push(csv(out, "detection.csv", &detection_rows(outcome))?);
    }
    if let Some(found) = &outcome.correlations {
        files.push(csv(out, "spearman.csv", &matrix_rows(&found.names, &found.spearman))?);
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
fn add_mask(table: &mut Table, scene: &Scene, dataset: &Dataset) -> Result<()> {
    let flags = |mask: &[bool]| Column::U32(mask.iter().map(|&set| u32::from(set)).collect());
    let original = dataset.train().labels[..scene.labels.len()].to_vec();
    table.push("original", Column::U32(original))?;
    table.push("touched", flags(&scene.touched))?;
    table.push("changed", flags(&scene.changed))?;
    table.metadata.insert(FINGERPRINT.into(), dataset.fingerprint().into());
    Ok(())
}

/// What `datadiet score` would say about the table.
pub fn metadata(scored: &Scored, dataset: &Dataset) -> Result<String> {
    let runs: Vec<RunId> = scored.completed.iter().map(|(spec, _)| RunId::of(spec)).collect();
    let about = serde_json::json!({
        "datadiet": env!("CARGO_PKG_VERSION"),
        "spec": scored.completed.first().map(|(spec, _)| spec),
        "runs": runs,
        "replicas": scored.completed.len(),
        "source": dataset.source(),
        "columns": scored.scores.columns,
    });
    Ok(serde_json::to_string(&about)?)
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

fn words(row: &[&str]) -> Vec<String> {
    row.iter().map(|&word| word.to_owned()).collect()
}

fn point_rows(all: &[&PointsOutcome]) -> Vec<Vec<String>> {
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
            let accuracy = point.accuracy.as_ref();
            let values = accuracy.map_or(&[][..], |accuracy| &accuracy.values);
            let values: Vec<String> = values.iter().map(f64::to_string).collect();
            rows.push(vec![
                points.scene.clone(),
                point.place.series.clone(),
                point.place.keep.to_string(),
                optional(point.place.offset),
                optional(point.place.time),
                point.size.to_string(),
                point.steps.to_string(),
                optional(point.skew),
                optional(accuracy.map(|a| a.mean)),
                optional(accuracy.map(|a| a.low)),
                optional(accuracy.map(|a| a.high)),
                values.join(" "),
            ]);
        }
        if let Some(full) = &points.full {
            let values: Vec<String> = full.values.iter().map(f64::to_string).collect();
            rows.push(vec![
                points.scene.clone(),
                "full".into(),
                "1".into(),
                String::new(),
                String::new(),
                points.examples.to_string(),
                points.steps.to_string(),
                "1".into(),
                full.mean.to_string(),
                full.low.to_string(),
                full.high.to_string(),
                values.join(" "),
            ]);
        }
    }
    rows
}

fn detection_rows(outcome: &ExperimentOutcome) -> Vec<Vec<String>> {
    let mut rows =
        vec![words(&["scene", "score", "auroc", "average precision", "k", "precision at k"])];
    for noise in &outcome.noise {
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

fn matrix_rows(names: &[String], values: &[Vec<Option<f64>>]) -> Vec<Vec<String>> {
    let mut rows = vec![std::iter::once(String::new()).chain(names.iter().cloned()).collect()];
    for (name, values) in names.iter().zip(values) {
        let cells = values.iter().map(|value| value.map_or(String::new(), |v| v.to_string()));
        rows.push(std::iter::once(name.clone()).chain(cells).collect());
    }
    rows
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
        let cost = &self.outcome.cost;
        parts.push(format!(
            "{} trainings, {} images, {:.0} s of workers\nwritten to {}",
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
        rows.push(vec!["full".into(), percent(1.0), String::new(), full.text()]);
    }
    for point in &points.points {
        rows.push(vec![
            point.place.series.clone(),
            percent(point.place.keep),
            point.place.offset.map_or(String::new(), percent),
            point.accuracy.as_ref().map_or("failed".into(), |accuracy| accuracy.text()),
        ]);
    }
    let text = table(&["chosen by", "kept", "from", "test accuracy"], rows, 1);
    if points.scene.is_empty() { text } else { format!("{}\n{text}", points.scene) }
}
