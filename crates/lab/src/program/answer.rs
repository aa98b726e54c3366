//! What a program answers: how well it did, and what it recorded. Nothing of it is believed before it is
//! looked at.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use datadiet_core::{ScoreKind, Silent};
use datadiet_ingest::{Keys, Kind, Options, find, ingest};
use datadiet_store::program::{METRICS, RECORDED};
use datadiet_store::{Metric, RunFolder, RunSpec};
use datadiet_table::{Column, Table};
use serde::Deserialize;

use super::TrainerError;
use super::job::{Examples, Job};
use crate::refuse::{bail, ensure};

/// `metrics.json`: how well a training did.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Metrics {
    /// The run that it is of.
    run: String,
    /// Epochs trained, those of its parent included.
    #[serde(default)]
    epochs: Option<u64>,
    /// The epoch at which it went on from what its parent kept.
    #[serde(default)]
    began: Option<u64>,
    /// Values on the examples that it tests with, by name.
    #[serde(default)]
    test: BTreeMap<String, f64>,
    /// Values on the examples held out, by name.
    #[serde(default)]
    validation: BTreeMap<String, f64>,
    /// Values of the metric on the test examples of each class, if it says them.
    #[serde(default)]
    by_class: Option<SaidByClass>,
    /// Largest resident memory, MiB.
    #[serde(default)]
    pub peak_memory_mib: f64,
    /// Why the same job would fail again.
    #[serde(default)]
    pub failed: Option<String>,
}

/// A value for each class, in their order or by their names; null of a class without one.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum SaidByClass {
    Listed(Vec<Option<f64>>),
    Named(BTreeMap<String, Option<f64>>),
}

/// What a training is judged by.
pub(super) struct Judged {
    pub test: f64,
    pub validation: Option<f64>,
    /// By class number; empty where nothing is said.
    pub by_class: Vec<Option<f64>>,
}

impl Metrics {
    /// Those that a program left; none where it left none.
    pub(super) fn read(folder: &RunFolder) -> Result<Option<Self>, TrainerError> {
        let file = folder.path().join(METRICS);
        let text = match std::fs::read(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot read {}: {error}", file.display()).into()),
        };
        let read = serde_json::from_slice(&text).map_err(|error| {
            format!("{METRICS} is not what docs/TRAINERS.md says (NaN is not JSON): {error}")
        });
        let metrics: Self = read?;
        if metrics.run != folder.id().as_str() {
            let of = &metrics.run;
            return Err(format!(
                "{METRICS} is of run {of:?} and not of this one: a trainer writes it into the folder \
                 that it was given, with the `run` of job.json"
            )
            .into());
        }
        Ok(Some(metrics))
    }

    /// The values that count.
    pub(super) fn judged(&self, job: &Job, metric: &Metric) -> Result<Judged, TrainerError> {
        match self.epochs {
            Some(epochs) if epochs == job.stop_after => {}
            Some(epochs) => {
                return Err(format!(
                    "it trained {epochs} epochs, and the job is to stop after {}: see `stop_after` of \
                     job.json",
                    job.stop_after
                )
                .into());
            }
            None => return Err(format!("{METRICS} does not say `epochs`, those trained").into()),
        }
        if let Some(epoch) = job.began().filter(|epoch| self.began != Some(*epoch)) {
            return Err(format!(
                "this training leaves another one: it goes on after epoch {epoch} from what that one kept, and \
                 says so by \"began\": {epoch} in {METRICS} (see `spawn` of job.json)"
            )
            .into());
        }
        let test = value(&self.test, "test", metric)?;
        let validation = match job.validates() {
            true => Some(value(&self.validation, "validation", metric)?),
            false => None,
        };
        let by_class = match &self.by_class {
            None => Vec::new(),
            Some(said) => said.in_order(job.classes(), metric)?,
        };
        Ok(Judged { test, validation, by_class })
    }
}

impl SaidByClass {
    /// The values in the order of the classes.
    fn in_order(
        &self,
        classes: &[String],
        metric: &Metric,
    ) -> Result<Vec<Option<f64>>, TrainerError> {
        let values = match self {
            Self::Listed(values) if values.len() == classes.len() => values.clone(),
            Self::Listed(values) => {
                return Err(format!(
                    "by_class of {METRICS} has {} values, and there are {} classes (classes of job.json): \
                     give one each, null where there is none, or name them",
                    values.len(),
                    classes.len()
                )
                .into());
            }
            Self::Named(values) => {
                if let Some(name) = values.keys().find(|name| !classes.contains(name)) {
                    return Err(format!(
                        "by_class of {METRICS} names {name:?}, which is none of the classes ({}): see \
                         classes of job.json",
                        some_of(classes)
                    )
                    .into());
                }
                classes.iter().map(|name| values.get(name).copied().flatten()).collect()
            }
        };
        for (class, value) in classes.iter().zip(&values) {
            if let Some(value) = value {
                check_fraction(*value, metric, &format!(" of class {class}"))?;
            }
        }
        Ok(values)
    }
}

/// The first of some names.
fn some_of(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let others = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{others}", names[..names.len().min(SHOWN)].join(", "))
}

/// Refuses accuracies that are none.
fn check_fraction(value: f64, metric: &Metric, of: &str) -> Result<(), TrainerError> {
    if metric.is_accuracy() && !(0.0..=1.0).contains(&value) {
        return Err(format!(
            "an accuracy{of} of {value} is no fraction: it lies between 0 and 1; a metric of another name \
             may have any value"
        )
        .into());
    }
    Ok(())
}

/// The value of the metric in one of the groups.
fn value(
    values: &BTreeMap<String, f64>,
    group: &str,
    metric: &Metric,
) -> Result<f64, TrainerError> {
    let name = &metric.name;
    let Some(&value) = values.get(name) else {
        let said: Vec<&str> = values.keys().map(String::as_str).collect();
        let said = if said.is_empty() { "nothing".into() } else { said.join(", ") };
        let why = match group {
            "validation" => {
                "; this run holds training examples out to judge it by (validation of job.json), as \
                 diet and [tune] do"
            }
            _ => "",
        };
        return Err(format!("{METRICS} does not say {name} under `{group}` but {said}{why}").into());
    };
    check_fraction(value, metric, "")?;
    Ok(value)
}

/// The scores of what a program recorded, at each time: a table that it wrote, else of its logits.
pub(super) struct Recordings<'a> {
    pub folder: &'a Path,
    pub job: &'a Job,
    pub spec: &'a RunSpec,
    pub examples: &'a Examples,
    /// Labels of the run.
    pub labels: &'a [u32],
}

impl Recordings<'_> {
    /// The table after the `place`th time, and what a person should know of it.
    pub(super) fn scores(&self, place: usize) -> Result<(Table, Option<String>), crate::LabError> {
        let epoch = self.job.score_at[place];
        let own = self.folder.join(RECORDED).join(format!("scores_{epoch}.parquet"));
        let table = match own.is_file() {
            true => self.own_scores(&own)?,
            false => self.of_logits(epoch)?,
        };
        let missing = |kind: &&ScoreKind| table.column(kind.name()).is_none();
        let missing: Vec<&str> =
            self.spec.record.scores.iter().filter(missing).map(|kind| kind.name()).collect();
        ensure!(
            missing.is_empty(),
            "after epoch {epoch} it recorded no {}; probabilities in place of logits have no aum",
            missing.join(", ")
        );
        let kinds = self.spec.record.scores.iter();
        let unseen = |kind: &ScoreKind| {
            let values = table.floats(kind.name()).unwrap_or_default();
            values.iter().filter(|value| value.is_nan()).count()
        };
        if let Some(kind) = kinds.clone().find(|kind| unseen(kind) == self.job.examples) {
            bail!("after epoch {epoch} no example has a value of {kind}: all are missing or NaN");
        }
        let unseen = kinds.map(unseen).max().filter(|&unseen| unseen > 0);
        let note = unseen.map(|unseen| {
            format!(
                "warning: {unseen} of {} examples have no score of epoch {epoch}: they were not recorded \
                 (a loader that drops the last batch?)",
                self.job.examples
            )
        });
        Ok((table, note))
    }

    /// A table of the program's own: as our recorder makes it, with an id and a value a row.
    fn own_scores(&self, file: &Path) -> Result<Table, crate::LabError> {
        let given = Table::read(file)?;
        let places = self.places(given.integers("id")?.iter().map(|&id| i64::from(id)), file)?;
        if let Ok(labels) = given.integers("label") {
            self.check_labels(&places, labels)?;
        }
        let mut table = Table::default();
        for kind in &self.spec.record.scores {
            if let Ok(values) = given.floats(kind.name()) {
                // Of what was never learned the count is ∞ by definition.
                let counts = *kind == ScoreKind::Forgetting;
                if let Some(row) = values.iter().position(|value| value.is_infinite() && !counts) {
                    bail!(
                        "{}: {kind} of example {} is {}; a score is finite, or missing",
                        file.display(),
                        places[row],
                        values[row]
                    );
                }
                table.push(kind.name(), Column::F32(self.placed(&places, values, f32::NAN)))?;
            }
        }
        if let Ok(predicted) = given.integers("predicted")
            && places.len() == self.job.examples
        {
            self.push_predicted(&mut table, self.placed(&places, predicted, 0), file)?;
        }
        Ok(table)
    }

    fn of_logits(&self, epoch: u64) -> Result<Table, crate::LabError> {
        let files = self.files_until(epoch)?;
        let folder = self.folder.join(RECORDED);
        let options = Options { class_means: self.of_classes(), ..Options::default() };
        let wrong = |error: datadiet_ingest::IngestError| {
            crate::LabError::Plan(format!("what it recorded cannot be read: {error}"))
        };
        let found = find(&files, &options).map_err(wrong)?;
        ensure!(
            found.runs.len() == 1,
            "{} holds more than one training; name the files epoch_1.csv, epoch_2.csv, …",
            folder.display()
        );
        let mut found = ingest(&found, &options, &Silent).map_err(wrong)?;
        ensure!(
            found.kind != Kind::Losses,
            "{} holds losses alone; record the logits of each example, or its scores by their names",
            folder.display()
        );
        let classes = self.examples.classes.len();
        ensure!(
            found.classes == classes,
            "it recorded {} logits an example, and there are {classes} classes",
            found.classes
        );
        let Keys::Integers(keys) = &found.keys else {
            bail!("the ids that it recorded are texts; they are the numbers of train.csv");
        };
        let places = self.places(keys.iter().copied(), &folder)?;
        self.check_labels(&places, &found.labels)?;
        let mut table = Table::default();
        for kind in &self.spec.record.scores {
            let column =
                (found.columns.iter()).position(|(known, at)| known == kind && *at == epoch as i64);
            let Some(column) = column else { continue };
            let values = found.column(0, column).map_err(unreadable)?;
            table.push(kind.name(), Column::F32(self.placed(&places, &values, f32::NAN)))?;
        }
        let place = found.predicted.iter().position(|at| *at == epoch as i64);
        if let Some(place) = place.filter(|_| places.len() == self.job.examples)
            && let Some(predicted) = found
                .predictions(0, place)
                .map_err(unreadable)?
                .into_iter()
                .collect::<Option<Vec<u32>>>()
        {
            self.push_predicted(&mut table, self.placed(&places, &predicted, 0), &folder)?;
        }
        Ok(table)
    }

    fn check_labels(&self, places: &[usize], recorded: &[u32]) -> Result<(), crate::LabError> {
        if let Some(row) = (0..places.len()).find(|&r| recorded[r] != self.labels[places[r]]) {
            bail!(
                "it recorded example {} with the label {}, and is to train with {}: train with the labels \
                 of train.csv (job.labels), which differ from the data's where labels are changed",
                places[row],
                recorded[row],
                self.labels[places[row]]
            );
        }
        Ok(())
    }

    /// The files of the epochs to record, up to one.
    fn files_until(&self, epoch: u64) -> Result<Vec<PathBuf>, crate::LabError> {
        const FORMATS: [&str; 7] =
            ["csv", "npz", "npy", "parquet", "jsonl", "arrow", "safetensors"];
        let mut files = Vec::new();
        for epoch in self.job.record.iter().filter(|&&at| at <= epoch) {
            let name =
                |format: &&str| self.folder.join(RECORDED).join(format!("epoch_{epoch}.{format}"));
            let Some(file) = FORMATS.iter().map(name).find(|file| file.is_file()) else {
                bail!(
                    "it recorded nothing of epoch {epoch}: neither {RECORDED}/epoch_{epoch}.csv (.npz, \
                     .parquet, …) with logits nor {RECORDED}/scores_{epoch}.parquet; in Python call \
                     job.record(ids, logits, labels) in every epoch"
                );
            };
            files.push(file);
        }
        Ok(files)
    }

    /// Whether scores are asked for that need numbers of each class.
    fn of_classes(&self) -> bool {
        datadiet_core::Kept::of(&self.spec.record.scores).classes
    }

    /// The places of recorded ids among the training examples.
    fn places(
        &self,
        ids: impl Iterator<Item = i64>,
        file: &Path,
    ) -> Result<Vec<usize>, crate::LabError> {
        let all = self.job.examples;
        let mut seen = vec![false; all];
        let mut places = Vec::new();
        for id in ids {
            let Some(place) = usize::try_from(id).ok().filter(|&place| place < all) else {
                bail!(
                    "{}: it recorded the id {id}, which it does not train on: ids are those of \
                     train.csv, below {all}",
                    file.display()
                );
            };
            ensure!(
                !std::mem::replace(&mut seen[place], true),
                "{}: it recorded the id {id} twice",
                file.display()
            );
            places.push(place);
        }
        Ok(places)
    }

    /// Values by place.
    fn placed<T: Copy>(&self, places: &[usize], values: &[T], otherwise: T) -> Vec<T> {
        let mut placed = vec![otherwise; self.job.examples];
        for (&place, &value) in places.iter().zip(values) {
            placed[place] = value;
        }
        placed
    }

    fn push_predicted(
        &self,
        table: &mut Table,
        predicted: Vec<u32>,
        file: &Path,
    ) -> Result<(), crate::LabError> {
        let classes = self.examples.classes.len() as u32;
        ensure!(
            predicted.iter().all(|class| *class < classes),
            "{}: a predicted class is not below {classes}",
            file.display()
        );
        Ok(table.push("predicted", Column::U32(predicted))?)
    }
}

fn unreadable(error: std::io::Error) -> crate::LabError {
    crate::LabError::Plan(format!("cannot read back what was put aside: {error}"))
}
