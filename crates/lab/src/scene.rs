//! A scene: one network, one labelling of the data, and the replicas that score it.

use std::sync::Arc;

use datadiet_core::{
    Candidates, Choice, Chosen, Classes, ExampleId, ScoreKind, Source, reliability,
};
use datadiet_store::{RunResult, RunSpec, Store};
use datadiet_table::{Column, Ranking, ScoreTable, Table, TimePoint, column_name};

use crate::aggregate::unscored;
use crate::refuse::{bail, ensure};
use crate::{Failure, Job, LabError, Results, RunOutcome, Sweep, aggregate};

/// What is scored, and how a training on all of it goes.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What sets it apart from the other scenes of an experiment; empty for the plain one.
    pub name: String,
    /// A training to the end of the schedule that records only its accuracy.
    pub template: RunSpec,
    /// A training that takes scores; its replica number is replaced.
    pub scoring: RunSpec,
    /// Replicas to score with, at most.
    pub replicas: u32,
    /// Start no more replicas once the split-half reliability of the first score at the last time,
    /// stepped up to the mean of all, passes this.
    pub until_reliability: Option<f64>,
    /// When scores are taken.
    pub times: Vec<TimePoint>,
    /// Whether the table of scores has a column for every replica.
    pub per_replica: bool,
    /// Columns of the user's beside the scores, a value for each example of the training set, which
    /// may have more than these.
    pub columns: Arc<Vec<(String, Vec<f32>)>>,
    /// Label of each training example in this scene.
    pub labels: Vec<u32>,
    /// Which examples have another label than the data set says; none in a clean scene.
    pub changed: Vec<bool>,
    /// Which examples were drawn to be changed, whatever the draw gave.
    pub touched: Vec<bool>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// What evaluates weights, where that is a program of the user's: SHA-256 of its command and source.
    pub evaluation: Option<String>,
}

/// The scores of a scene.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The scores.
    pub scores: ScoreTable,
    /// Replicas that count, in order.
    pub completed: Vec<(RunSpec, RunResult)>,
    /// Those of them that were complete before.
    pub reused: u32,
    /// Replicas that failed.
    pub failed: Vec<Failure>,
}

/// A scene with its scores, in the store that holds its runs.
#[derive(Clone, Copy)]
pub struct ScoredScene<'a> {
    /// Where runs and lists live.
    pub store: &'a Store,
    /// The scene.
    pub scene: &'a Scene,
    /// Its scores.
    pub scored: &'a Scored,
}

impl Scene {
    /// The specifications of the replicas that score it.
    pub fn scoring_specs(&self) -> Vec<RunSpec> {
        let spec = |replica| RunSpec { replica, ..self.scoring.clone() };
        (0..self.replicas).map(spec).collect()
    }

    /// The same, as jobs.
    pub fn scoring_jobs(&self) -> Vec<Job> {
        let name = |replica| self.named(&format!("replica {replica}"));
        let specs = self.scoring_specs().into_iter();
        specs.map(|spec| Job { name: name(spec.replica), spec }).collect()
    }

    /// Trains the replicas, as many as are wanted or needed.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn score(&self, sweep: &Sweep<'_>, results: &mut Results) -> Result<(), LabError> {
        let jobs = self.scoring_jobs();
        sweep.train(results, jobs.clone(), &|ended| {
            let complete = jobs.iter().zip(ended).filter_map(|(job, ended)| match ended {
                Some(RunOutcome::Complete { .. }) => Some(&job.spec),
                _ => None,
            });
            !self.is_enough(sweep.store, &complete.collect::<Vec<&RunSpec>>())
        })
    }

    /// The scores of the replicas that completed; where none did, the reasons.
    ///
    /// # Errors
    /// When scores cannot be read.
    pub fn scored(
        &self,
        store: &Store,
        results: &Results,
    ) -> Result<Result<Scored, String>, LabError> {
        let mut completed: Vec<(RunSpec, RunResult)> = Vec::new();
        let mut asked = Vec::new();
        for spec in self.scoring_specs() {
            // The shortest sufficient prefix counts: the answer does not depend on timing.
            let so_far: Vec<&RunSpec> = completed.iter().map(|(spec, _)| spec).collect();
            if self.is_enough(store, &so_far) {
                break;
            }
            completed.extend(results.result(&spec).map(|result| (spec.clone(), result.clone())));
            asked.push(spec);
        }
        let failed: Vec<Failure> = results.failures(&asked).cloned().collect();
        if completed.is_empty() {
            let reasons = failed.iter().map(|f| format!("\n  {}: {}", f.name, f.reason));
            return Ok(Err(self.named("no replica completed") + &reasons.collect::<String>()));
        }
        let specs: Vec<RunSpec> = completed.iter().map(|(spec, _)| spec.clone()).collect();
        let (times, labels) = (&self.times, &self.labels);
        let mut scores = aggregate(store, &specs, times, labels, &self.classes, self.per_replica)?;
        for (name, values) in self.columns.iter() {
            scores.columns_mut().push(name, Column::F32(values[..labels.len()].to_vec()))?;
        }
        let reused = specs.iter().filter(|spec| results.was_reused(spec)).count() as u32;
        Ok(Ok(Scored { scores, completed, reused, failed }))
    }

    /// The first score that is taken at the last time: its reliability decides when there are enough
    /// replicas.
    ///
    /// # Errors
    /// When none is.
    pub fn judged(&self) -> Result<(ScoreKind, u64), LabError> {
        let last = self.times.last();
        let taken = last.and_then(|last| {
            let kinds = &self.scoring.record.scores;
            Some((*kinds.iter().find(|kind| self.takes(**kind, last))?, last.step))
        });
        match taken {
            Some(judged) => Ok(judged),
            None => bail!(
                "none of the --scores is taken at the last of the times; change --scores or --at"
            ),
        }
    }

    fn is_enough(&self, store: &Store, complete: &[&RunSpec]) -> bool {
        let Some((target, (kind, step))) = self.until_reliability.zip(self.judged().ok()) else {
            return false;
        };
        if complete.len() < 2 {
            return false;
        }
        let columns: Result<Vec<Vec<f32>>, LabError> = complete
            .iter()
            .map(|spec| {
                let scores = store.run(spec).read_scores(step)?;
                Ok(scores.floats(kind.name())?.to_vec())
            })
            .collect();
        let Ok(columns) = columns else { return false };
        let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        reliability(&columns).is_ok_and(|found| found.full >= target)
    }

    /// Checks, before anything is trained, that scoring is going to take a column; gives its name
    /// with its time in numbers.
    ///
    /// # Errors
    /// When it is not; the message names the nearest.
    pub fn check_column(&self, name: &str) -> Result<String, LabError> {
        Ok(self.planned()?.ranking_name(name)?)
    }

    /// The columns of scores that will be taken, and those of the user's, with one row of zeros: what is asked of a table can be
    /// tried on it.
    ///
    /// # Errors
    /// When two have one name.
    pub fn planned(&self) -> Result<ScoreTable, LabError> {
        let mut planned = Table::default();
        for time in &self.times {
            for kind in self.scoring.record.scores.iter().filter(|kind| self.takes(**kind, time)) {
                planned.push(column_name(*kind, time), Column::F32(vec![0.0]))?;
            }
        }
        for (name, _) in self.columns.iter() {
            planned.push(name, Column::F32(vec![0.0]))?;
        }
        Ok(ScoreTable::of(planned)?)
    }

    /// The table of scores before there are any: its examples, with their labels.
    ///
    /// # Errors
    /// When there are more examples than can be numbered.
    pub fn unscored(&self) -> Result<ScoreTable, LabError> {
        unscored(&self.scoring, &self.labels, &self.classes)
    }

    fn takes(&self, kind: ScoreKind, time: &TimePoint) -> bool {
        match kind.source() {
            Source::EvalLogits => true,
            Source::TrainingMinibatches => time.step > 0,
            Source::Gradients | Source::Inputs => {
                self.scoring.record.gradient_steps.contains(&time.step)
            }
            Source::Losses | Source::Outputs => false,
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

    /// Refuses to train on fewer examples than a minibatch has: its minibatches would be smaller ones,
    /// with a learning rate for larger.
    ///
    /// # Errors
    /// Naming a batch that is small enough.
    pub(crate) fn check_subset(&self, examples: usize) -> Result<(), LabError> {
        let batch = self.template.schedule.batch;
        ensure!(
            examples >= batch as usize,
            "a batch of {batch} is more than the {examples} examples of the smallest subset; give a \
             smaller batch (--batch; batch in [training]), such as {}, or keep more",
            examples.clamp(1, 32)
        );
        Ok(())
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

    /// Number of training examples.
    pub fn examples(&self) -> usize {
        self.labels.len()
    }

    /// Number of examples with another label than the data set's.
    pub fn changed(&self) -> usize {
        self.changed.iter().filter(|&&changed| changed).count()
    }

    /// `what`, with the scene's name where it has one.
    pub fn named(&self, what: &str) -> String {
        if self.name.is_empty() { what.to_owned() } else { format!("{}: {what}", self.name) }
    }
}

impl<'a> ScoredScene<'a> {
    /// A column of its scores.
    ///
    /// # Errors
    /// When there is no such column; the message names the nearest.
    pub fn ranking(self, by: &str) -> Result<Ranking<'a>, LabError> {
        Ok(self.scored.scores.ranking(by, None)?)
    }

    /// The labels, to share a choice out over the classes.
    pub fn classes(self) -> Classes<'a> {
        Classes { labels: &self.scene.labels, count: self.scene.classes.len() }
    }

    /// A choice among all examples that have a score, or among all where none is asked for; the
    /// amount is a share of all.
    ///
    /// # Errors
    /// When the ranking does not order the examples, or the choice makes no sense.
    pub fn chosen(
        self,
        choice: &Choice,
        ranking: Option<&Ranking<'_>>,
    ) -> Result<Chosen, LabError> {
        let all = self.scene.examples();
        let has = |id: &ExampleId| ranking.is_none_or(|r| !r.values[id.index()].is_nan());
        let scored: Vec<ExampleId> = (0..all as u32).map(ExampleId).filter(has).collect();
        let scores = ranking.map(Ranking::scores);
        if scored.len() == all {
            return Ok(choice.among(Candidates::All(all), scores, Some(self.classes()))?);
        }
        // Examples without a score are never chosen by it.
        let amount = datadiet_core::Amount::Count(choice.amount.of(all));
        let choice = Choice { amount, ..*choice };
        Ok(choice.among(&scored, scores, Some(self.classes()))?)
    }
}
