//! A scene: one network, one labelling of the data, and the replicas that score it.

use datadiet_core::ExampleId;
use datadiet_store::{RunResult, RunSpec, Store};

use crate::{Finished, Job, LabError, ScoreTable, TimePoint, aggregate};

/// What is scored, and how a training on all of it goes.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What sets it apart from the other scenes of an experiment; empty for the plain one.
    pub name: String,
    /// A training to the end of the schedule that records only its accuracy.
    pub template: RunSpec,
    /// A training that takes scores; its replica number is replaced.
    pub scoring: RunSpec,
    /// Replicas to score with.
    pub replicas: u32,
    /// When scores are taken.
    pub times: Vec<TimePoint>,
    /// Label of each training example in this scene.
    pub labels: Vec<u32>,
    /// Which examples have another label than the data set says; none in a clean scene.
    pub changed: Vec<bool>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

/// A scene with its scores.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The scores.
    pub scores: ScoreTable,
    /// Replicas that count.
    pub completed: Vec<(RunSpec, RunResult)>,
}

impl Scene {
    /// The specifications of the replicas that score it.
    pub fn scoring_specs(&self) -> Vec<RunSpec> {
        let spec = |replica| RunSpec { replica, ..self.scoring.clone() };
        (0..self.replicas).map(spec).collect()
    }

    /// The same, as jobs.
    pub fn scoring_jobs(&self) -> Vec<Job> {
        let name = |replica| self.named(&format!("scoring {replica}"));
        let specs = self.scoring_specs().into_iter();
        specs.map(|spec| Job { name: name(spec.replica), spec }).collect()
    }

    /// The scores of the replicas that completed.
    ///
    /// # Errors
    /// When none did, or scores cannot be read.
    pub fn scored(&self, store: &Store, finished: &Finished) -> Result<Scored, LabError> {
        let completed = finished.completed(&self.scoring_specs());
        if completed.is_empty() {
            let reasons: Vec<&str> =
                finished.failed.iter().map(|failure| failure.reason.as_str()).take(3).collect();
            let what = self.named("no scoring replica completed");
            return Err(LabError::Plan(format!("{what}: {}", reasons.join("; "))));
        }
        let specs: Vec<RunSpec> = completed.iter().map(|(spec, _)| spec.clone()).collect();
        let scores = aggregate(store, &specs, &self.times, &self.labels, &self.classes, false)?;
        Ok(Scored { scores, completed })
    }

    /// Ids of all training examples.
    pub fn examples(&self) -> Vec<ExampleId> {
        (0..self.labels.len() as u32).map(ExampleId).collect()
    }

    /// `what`, with the scene's name where it has one.
    pub fn named(&self, what: &str) -> String {
        if self.name.is_empty() { what.to_owned() } else { format!("{}: {what}", self.name) }
    }
}
