//! What an experiment writes: its outcome as JSON, tables as CSV and Parquet.

use std::path::{Path, PathBuf};

use datadiet_core::grouped;
use datadiet_store::Store;
use datadiet_table::{Column, FINGERPRINT, Row, ScoreTable, Subset, write_atomically, write_json};
use serde_json::Value;

use super::{CompletedExperiment, Experiment, ExperimentOutcome};
use crate::refuse::ensure;
use crate::study::NamedTable;
use crate::{LabError, Scene, TrainingData, options};

const OUTCOME: &str = "outcome.json";

impl Experiment {
    /// Refuses a folder that holds another experiment's results.
    ///
    /// # Errors
    /// Naming what to do.
    pub fn check_folder(&self, out: &Path) -> Result<(), LabError> {
        let Ok(text) = std::fs::read(out.join(OUTCOME)) else { return Ok(()) };
        let known: Value = serde_json::from_slice(&text).unwrap_or_default();
        let asked = serde_json::to_value(&self.options).expect("options are plain data");
        ensure!(
            options::given(known["experiment"].clone()) == options::given(asked),
            "{} holds the results of another experiment; give another folder with --out, or remove \
             it",
            out.display()
        );
        Ok(())
    }

    /// Writes everything to `out`, and names the files in the outcome.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write<'a>(
        &self,
        out: &Path,
        store: &Store,
        data: impl Into<TrainingData<'a>>,
        done: &mut CompletedExperiment,
    ) -> Result<(), LabError> {
        let data = data.into();
        let mut files = Vec::new();
        for (scene, scored) in self.scenes.all().iter().zip(&done.scored) {
            let Some(scored) = scored else { continue };
            let name = match scene.name.as_str() {
                "" => "scores.parquet".to_owned(),
                name => format!("scores-{}.parquet", slug(name)),
            };
            let mut table = scored.scores.clone();
            table.amend(|card| card.source = self.source.clone());
            if scene.changed.contains(&true) {
                add_mask(&mut table, scene, data)?;
            }
            table.write(&out.join(&name))?;
            files.push(out.join(name));
        }
        for table in tables(&done.outcome)? {
            files.push(csv(out, &table)?);
        }
        if let Some(found) = self.recommended(store, done)? {
            let scored = done.scored[0].as_ref().expect("it was chosen by its scores");
            let rows: Vec<Row> = found.chosen.ids.iter().map(|id| Row(id.0)).collect();
            let (ranking, how) = (Some(&found.ranking), found.choice);
            let subset = Subset { table: &scored.scores, ranking, rows: &rows, how };
            files.push(out.join("subset.parquet"));
            subset.write(&out.join("subset.parquet"))?;
        }
        files.push(out.join(OUTCOME));
        done.outcome.files = files;
        Ok(write_json(&out.join(OUTCOME), &done.outcome)?)
    }
}

/// The tables of all studies; tables of one file name together.
fn tables(outcome: &ExperimentOutcome) -> Result<Vec<NamedTable>, LabError> {
    let mut tables: Vec<NamedTable> = Vec::new();
    for table in outcome.findings()?.into_iter().flat_map(|findings| findings.tables) {
        match tables.iter_mut().find(|known| known.file == table.file) {
            Some(known) => known.rows.extend(table.rows),
            None => tables.push(table),
        }
    }
    Ok(tables)
}

/// Which labels were changed: the table can be the `--truth` of `datadiet suspects`.
fn add_mask(table: &mut ScoreTable, scene: &Scene, data: TrainingData<'_>) -> Result<(), LabError> {
    let flags = |mask: &[bool]| Column::U32(mask.iter().map(|&set| u32::from(set)).collect());
    let original = data.labels[..scene.examples()].to_vec();
    let table = table.columns_mut();
    table.push("original", Column::U32(original))?;
    table.push("touched", flags(&scene.touched))?;
    table.push("changed", flags(&scene.changed))?;
    table.metadata.insert(FINGERPRINT.into(), data.fingerprint.into());
    Ok(())
}

/// Letters, digits and dashes.
fn slug(name: &str) -> String {
    let kept = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { ' ' });
    kept.collect::<String>().split_whitespace().collect::<Vec<_>>().join("-").to_lowercase()
}

fn csv(out: &Path, table: &NamedTable) -> Result<PathBuf, LabError> {
    let path = out.join(table.file);
    write_atomically(&path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(&table.header)?;
        table.rows.iter().try_for_each(|row| writer.write_record(row))?;
        writer.flush()
    })?;
    Ok(path)
}

impl ExperimentOutcome {
    /// For people.
    ///
    /// # Errors
    /// When it was written by another version.
    pub fn text(&self) -> Result<String, LabError> {
        let findings = self.findings()?;
        let mut parts: Vec<String> = findings.into_iter().flat_map(|found| found.text).collect();
        parts.extend(self.left_out.iter().cloned());
        let cost = &self.cost;
        let measured = match cost.measurements {
            0 => String::new(),
            count => format!(" {count} measurements,"),
        };
        let folder = self.files.last().and_then(|file| file.parent()).unwrap_or(Path::new("."));
        parts.push(format!(
            "{} trainings,{measured} {} images, {:.0} s of workers\nwritten to {}",
            cost.trainings,
            grouped(cost.images_trained),
            cost.worker_seconds,
            folder.display(),
        ));
        Ok(parts.join("\n\n"))
    }
}
