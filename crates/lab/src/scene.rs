//! A scene: one network, one labelling of the data, and the replicas that score it.

use datadiet_core::{Classes, ExampleId, ScoreKind, Source};
use datadiet_store::{RunId, RunResult, RunSpec, Store};
use datadiet_table::{Column, ScoreTable, Table, TimePoint, column_name};

use crate::{Failure, Finished, Job, LabError, aggregate};

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
    /// Which examples were drawn to be changed, whatever the draw gave.
    pub touched: Vec<bool>,
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
            let runs: Vec<RunId> = self.scoring_specs().iter().map(RunId::of).collect();
            let own = |failure: &&Failure| runs.iter().any(|id| id.as_str() == failure.run);
            let failures = finished.failed.iter().filter(own);
            let reasons: Vec<&str> = failures.map(|failure| failure.reason.as_str()).collect();
            let what = self.named("no scoring replica completed");
            return Err(LabError::Plan(format!("{what}: {}", reasons.join("; "))));
        }
        let specs: Vec<RunSpec> = completed.iter().map(|(spec, _)| spec.clone()).collect();
        let scores = aggregate(store, &specs, &self.times, &self.labels, &self.classes, false)?;
        Ok(Scored { scores, completed })
    }

    /// Checks, before anything is trained, that scoring is going to take a column; gives its name
    /// with its time in numbers.
    ///
    /// # Errors
    /// When it is not; the message names the nearest.
    pub fn check_column(&self, name: &str) -> Result<String, LabError> {
        let mut planned = Table::default();
        for time in &self.times {
            for kind in self.scoring.record.scores.iter().filter(|kind| self.takes(**kind, time)) {
                planned.push(column_name(*kind, time), Column::F32(vec![0.0]))?;
            }
        }
        Ok(ScoreTable::of(planned)?.resolved(name)?)
    }

    fn takes(&self, kind: ScoreKind, time: &TimePoint) -> bool {
        match kind.source() {
            Source::EvalLogits => true,
            Source::TrainingMinibatches => time.step > 0,
            Source::Gradients | Source::Inputs => {
                self.scoring.record.gradient_steps.contains(&time.step)
            }
        }
    }

    /// Steps of a training to the end of the schedule.
    pub fn last_step(&self) -> u64 {
        self.template.schedule.steps
    }

    /// Steps done after so many epochs of the whole training set.
    pub fn step_at(&self, epochs: f64) -> u64 {
        (epochs * self.per_epoch() as f64).round() as u64
    }

    /// Whether training comes to this epoch.
    pub fn has_epoch(&self, at: f64) -> bool {
        at >= 0.0 && self.step_at(at) <= self.last_step()
    }

    /// Length of the schedule in epochs.
    pub fn epochs(&self) -> f64 {
        let epochs = self.last_step() as f64 / self.per_epoch() as f64;
        (epochs * 1e3).round() / 1e3
    }

    fn per_epoch(&self) -> u64 {
        self.template.steps_per_epoch(self.labels.len())
    }

    /// Ids of all training examples.
    pub fn examples(&self) -> Vec<ExampleId> {
        (0..self.labels.len() as u32).map(ExampleId).collect()
    }

    /// The class of each example.
    pub fn by_class(&self) -> Classes<'_> {
        Classes { labels: &self.labels, count: self.classes.len() }
    }

    /// `what`, with the scene's name where it has one.
    pub fn named(&self, what: &str) -> String {
        if self.name.is_empty() { what.to_owned() } else { format!("{}: {what}", self.name) }
    }
}
