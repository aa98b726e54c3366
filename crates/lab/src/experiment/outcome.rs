//! What came of an experiment: the content of `outcome.json`.

use std::path::PathBuf;

use datadiet_store::RunSpec;
use datadiet_table::ColumnSummary;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ledger::LedgerRow;
use crate::study::{Findings, STUDIES};
use crate::{Failure, LabError, Results, Scene, Scored, Spread};

/// What came of an experiment; the content of `outcome.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExperimentOutcome {
    /// Version of the program that wrote it.
    #[serde(default)]
    pub datadiet: String,
    /// The experiment as it was asked for, with changes from the command line.
    #[serde(default)]
    pub experiment: Value,
    /// Where the data came from.
    #[serde(default)]
    pub source: String,
    /// Training on everything, as specified.
    pub template: RunSpec,
    /// The scenes and their columns of scores.
    pub scenes: Vec<SceneOutcome>,
    /// What came of each study, by its name.
    #[serde(flatten)]
    pub studies: Map<String, Value>,
    /// What scoring costs and saves.
    pub ledger: Vec<LedgerRow>,
    /// Runs that failed.
    pub failed: Vec<Failure>,
    /// Scenes without scores and studies that nothing came of, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// What it all cost.
    pub cost: ExperimentCost,
    /// Files written.
    #[serde(default)]
    pub files: Vec<PathBuf>,
}

/// A scene, and what scoring it gave.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SceneOutcome {
    /// Its name; empty for the plain one.
    pub name: String,
    /// Network and width.
    pub network: String,
    /// Replicas that count.
    pub replicas: usize,
    /// Examples with another label than the data set's.
    pub changed: usize,
    /// Accuracy where scoring went on to the end of the schedule.
    pub accuracy: Option<Spread>,
    /// The columns; none where no replica completed.
    pub columns: Vec<ColumnSummary>,
}

/// What all runs of an experiment cost, those reused too.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ExperimentCost {
    /// Trainings.
    pub trainings: usize,
    /// Seconds of workers.
    pub worker_seconds: f64,
    /// Training examples passed through networks.
    pub images_trained: u64,
    /// Measurements on kept weights.
    #[serde(default)]
    pub measurements: usize,
}

impl ExperimentOutcome {
    /// What came of the study `name`; none where it was not asked for or left out.
    ///
    /// # Errors
    /// When it is of another version.
    pub fn study<T: DeserializeOwned>(&self, name: &str) -> serde_json::Result<Option<T>> {
        self.found(name).map(|value| T::deserialize(value)).transpose()
    }

    /// What is told of each study, in the order of [`STUDIES`].
    ///
    /// # Errors
    /// When one was written by another version.
    pub fn findings(&self) -> Result<Vec<Findings>, LabError> {
        let kinds = STUDIES.iter().filter_map(|kind| Some((kind, self.found(kind.name)?)));
        let findings = kinds.map(|(kind, found)| {
            (kind.findings)(found).map_err(|error| {
                let name = kind.name;
                LabError::Plan(format!("{name} was written by another version ({error})"))
            })
        });
        findings.collect()
    }

    fn found(&self, name: &str) -> Option<&Value> {
        let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        self.studies.get(name).filter(|value| !value.is_null() && !is_empty(value))
    }
}

impl SceneOutcome {
    pub(super) fn of(scene: &Scene, scored: Option<&Scored>) -> Self {
        let to_the_end = scene.scoring.stop_after == scene.template.stop_after;
        let completed = scored.map_or(&[][..], |scored| &scored.completed);
        let accuracies = completed.iter().filter_map(|(_, r)| r.final_test_accuracy());
        Self {
            name: scene.name.clone(),
            network: scene.template.trained(),
            replicas: completed.len(),
            changed: scene.changed(),
            accuracy: to_the_end
                .then(|| Spread::judged(accuracies.collect(), &scene.template))
                .flatten(),
            columns: scored.map_or_else(Vec::new, |scored| scored.scores.summaries().to_vec()),
        }
    }
}

impl ExperimentCost {
    pub(super) fn of(results: &Results) -> Self {
        let mut cost = Self::default();
        for result in results.runs() {
            cost.trainings += 1;
            cost.images_trained += result.images_trained;
            cost.worker_seconds +=
                result.train_seconds + result.score_seconds + result.gradient_seconds;
        }
        for measured in results.measurements() {
            cost.measurements += 1;
            cost.worker_seconds += measured.seconds();
        }
        cost
    }
}
