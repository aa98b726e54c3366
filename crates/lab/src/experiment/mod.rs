//! A whole experiment: scenes that are scored, studies of what the scores are worth.

mod options;
mod outcome;
mod page;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use datadiet_core::Silent;
use datadiet_store::Store;
use serde_json::{Map, Value, json};

pub use options::{ExperimentOptions, Studies};
pub use outcome::{ExperimentCost, ExperimentOutcome, SceneOutcome};
pub use page::experiment_sections;

use crate::effort::Rehearsal;
use crate::executor::local;
use crate::ledger::ledger;
use crate::refuse::ensure;
use crate::results::distinct;
use crate::scenes::{Common, Scenes, Variation};
use crate::study::{Budget, Recommended, Size, Stage, Wait};
use crate::training::{amount, keep_labels, settings};
use crate::{
    Effort, Job, LabError, MeasurementJob, Results, Scene, Scored, ScoredScene, Sweep,
    TrainingData, lists,
};

/// An experiment, resolved for a data set and checked.
#[derive(Clone, Debug)]
pub struct Experiment {
    /// What is asked.
    pub options: ExperimentOptions,
    /// What is scored.
    pub scenes: Scenes,
    source: String,
}

/// An experiment that was carried out.
#[derive(Debug)]
pub struct CompletedExperiment {
    /// What came of it.
    pub outcome: ExperimentOutcome,
    /// The scores of each scene; none where no replica completed.
    pub scored: Vec<Option<Scored>>,
}

impl Experiment {
    /// Resolves and checks what is asked, for a data set. Paths in it are relative to `folder`.
    ///
    /// # Errors
    /// For anything that makes no sense or does not fit the data.
    pub fn new<'a>(
        options: ExperimentOptions,
        folder: &Path,
        data: impl Into<TrainingData<'a>>,
    ) -> Result<Self, LabError> {
        let data = data.into();
        options.check_for_programs()?;
        let studies = options.studies.iter().map(|asked| &asked.study);
        let columns = match &options.scoring.columns {
            Some(file) => lists::columns(&folder.join(file), data)?,
            None => Vec::new(),
        };
        let common = Common {
            columns: Arc::new(columns),
            training: &options.training,
            scoring: &options.scoring,
            data,
            folder,
            score_times: studies.clone().flat_map(|study| study.score_times()).collect(),
            weight_times: studies.clone().flat_map(|study| study.weight_times()).collect(),
        };
        let mut variations: Vec<Variation> = studies.clone().flat_map(|s| s.scenes()).collect();
        variations.sort_by_key(|variation| variation.network.is_some());
        let scenes = Scenes::new(&common, &variations)?;
        for study in studies.clone() {
            study.check(&scenes)?;
        }
        ensure!(
            data.has_test || !studies.clone().any(|study| study.needs_test()),
            "{} has no test split, without which accuracies would be of the images trained \
             on; import it with one (a folder test/ beside train/, x_test and y_test in npz)",
            data.name
        );
        Ok(Self { scenes, source: data.source.into(), options })
    }

    /// What it trains at most.
    pub fn size(&self) -> Size {
        let scoring = distinct(self.scoring_jobs());
        let steps = scoring.iter().map(|job| job.spec.stop_after).sum();
        let scoring = Size { trainings: scoring.len(), steps };
        let studies = self.options.studies.iter().map(|asked| asked.study.size(&self.scenes));
        std::iter::once(scoring).chain(studies).sum()
    }

    /// How much of it is not in the store, where the data set has so many test images: found by going
    /// through it with scores and accuracies that stand in for those to come. Of trainings on subsets it
    /// is not known whether they are in the store; they count.
    ///
    /// # Errors
    /// When a store cannot be used, or it makes no sense.
    pub fn effort(&self, store: &Store, test: usize) -> Result<Effort, LabError> {
        let io = |error| LabError::Plan(format!("cannot make a folder to rehearse in: {error}"));
        let folder = tempfile::tempdir().map_err(io)?;
        let examples = self.scenes.plain().examples();
        let rehearsal = Rehearsal::new(examples);
        let rehearsed = Store::open(folder.path())?;
        local::with(&rehearsal, &rehearsed, 1, |executor| {
            let stop = AtomicBool::new(false);
            self.run(&Sweep::new(&rehearsed, executor, &stop, &Silent))
        })?;
        Effort::of_runs(&rehearsal.runs(), store, examples, test)
    }

    /// What to know of the memory of its scores, if anything: see [`crate::ScoringOptions::memory_note`].
    pub fn memory_note(&self) -> Option<String> {
        let plain = self.scenes.plain();
        self.options.scoring.memory_note(plain.examples(), plain.classes.len())
    }

    /// What it is going to train, for people: size, budgets and memory.
    pub fn headline(&self) -> String {
        let Size { trainings, steps } = self.size();
        let size = amount(&self.scenes.plain().template, steps);
        let size = format!("at most {trainings} trainings, {size}");
        let budgets = self.budgets().map(|budget| format!("\n{}", budget.text));
        let memory = self.memory_note().map(|note| format!("\n{note}"));
        std::iter::once(size).chain(budgets).chain(memory).collect()
    }

    /// What it is going to train, for programs.
    pub fn plan(&self) -> Value {
        let Size { trainings, steps } = self.size();
        let scenes: Vec<&str> = self.scenes.all().iter().map(|scene| scene.name.as_str()).collect();
        let template = &self.scenes.plain().template;
        let mut plan = json!({
            "trainings": trainings, "steps": steps, "scenes": scenes, "template": template,
            "recipe": self.options.training.recipe(), "settings": settings(template),
        });
        for budget in self.budgets() {
            plan[budget.name] = budget.value;
        }
        plan
    }

    fn budgets(&self) -> impl Iterator<Item = Budget> {
        self.options.studies.iter().filter_map(|asked| asked.study.budget(&self.scenes))
    }

    fn scoring_jobs(&self) -> Vec<Job> {
        self.scenes.all().iter().flat_map(Scene::scoring_jobs).collect()
    }

    /// Carries it out. None when it was stopped.
    ///
    /// # Errors
    /// When the store cannot be used, no replica of any scene completes, or a study makes no sense.
    /// Failed runs and studies that nothing came of are in the outcome.
    pub fn run(&self, sweep: &Sweep<'_>) -> Result<Option<CompletedExperiment>, LabError> {
        for scene in self.scenes.all() {
            keep_labels(sweep.store, &scene.template, &scene.labels)?;
        }
        let mut results = Results::default();
        self.score(sweep, &mut results)?;
        if sweep.is_stopped() {
            return Ok(None);
        }
        let (scored, unscored) = self.scored(sweep.store, &results)?;
        for problem in &unscored {
            sweep.progress.note(&format!("warning: going on without a scene: {problem}"));
        }
        let mut studies = Map::new();
        let mut left_out = Vec::new();
        loop {
            let stage = Stage {
                store: sweep.store,
                scenes: &self.scenes,
                scored: &scored,
                results: &results,
            };
            let mut trainings: Vec<Job> = Vec::new();
            let mut measurements: Vec<MeasurementJob> = Vec::new();
            left_out.clear();
            for asked in self.options.studies.iter() {
                let name = asked.kind.name;
                if studies.contains_key(name) {
                    continue;
                }
                match asked.study.outcome(&stage) {
                    Ok(outcome) => drop(studies.insert(name.to_owned(), outcome)),
                    Err(Wait::Trainings(jobs)) => trainings.extend(jobs),
                    Err(Wait::Measurements(jobs)) => measurements.extend(jobs),
                    Err(Wait::Unscored(scenes)) => left_out.push(nothing_came_of(name, &scenes)),
                    Err(Wait::Error(error)) => return Err(error),
                }
            }
            if trainings.is_empty() && measurements.is_empty() {
                break;
            }
            sweep.train(&mut results, trainings, &|_| true)?;
            sweep.measure(&mut results, measurements)?;
            if sweep.is_stopped() {
                return Ok(None);
            }
        }
        for text in &left_out {
            sweep.progress.note(&format!("warning: {text}"));
        }
        let left_out = unscored.into_iter().chain(left_out).collect();
        let outcome = self.outcome(&scored, studies, left_out, results)?;
        Ok(Some(CompletedExperiment { outcome, scored }))
    }

    fn score(&self, sweep: &Sweep<'_>, results: &mut Results) -> Result<(), LabError> {
        if self.options.scoring.until_reliability.is_none() {
            return sweep.train(results, self.scoring_jobs(), &|_| true);
        }
        self.scenes.all().iter().try_for_each(|scene| scene.score(sweep, results))
    }

    /// The scores of each scene; where no replica completed none, and a word about it.
    fn scored(
        &self,
        store: &Store,
        results: &Results,
    ) -> Result<(Vec<Option<Scored>>, Vec<String>), LabError> {
        let mut all = Vec::new();
        let mut problems = Vec::new();
        for scene in self.scenes.all() {
            match scene.scored(store, results)? {
                Ok(scored) => all.push(Some(scored)),
                Err(problem) => {
                    all.push(None);
                    problems.push(problem);
                }
            }
        }
        ensure!(problems.len() < all.len(), "{}", problems.join("\n"));
        Ok((all, problems))
    }

    fn outcome(
        &self,
        scored: &[Option<Scored>],
        studies: Map<String, Value>,
        left_out: Vec<String>,
        results: Results,
    ) -> Result<ExperimentOutcome, LabError> {
        let plain = self.scenes.plain();
        let scenes = self.scenes.all().iter().zip(scored);
        let mut outcome = ExperimentOutcome {
            datadiet: env!("CARGO_PKG_VERSION").into(),
            experiment: serde_json::to_value(&self.options).expect("options are plain data"),
            source: self.source.clone(),
            template: plain.template.clone(),
            scenes: scenes
                .map(|(scene, scored)| SceneOutcome::of(scene, scored.as_ref()))
                .collect(),
            studies,
            ledger: Vec::new(),
            left_out,
            cost: ExperimentCost::of(&results),
            failed: results.failed,
            files: Vec::new(),
        };
        if let Some(scored) = &scored[0] {
            let places = outcome.findings()?.into_iter().flat_map(|findings| findings.places);
            outcome.ledger = ledger(plain, scored, &places.collect::<Vec<_>>());
        }
        Ok(outcome)
    }

    /// The subset of the plain scene that a study recommends.
    ///
    /// # Errors
    /// When it cannot be chosen.
    pub fn recommended<'a>(
        &'a self,
        store: &'a Store,
        done: &'a CompletedExperiment,
    ) -> Result<Option<Recommended<'a>>, LabError> {
        let Some(scored) = &done.scored[0] else { return Ok(None) };
        let plain = ScoredScene { store, scene: self.scenes.plain(), scored };
        for asked in self.options.studies.iter() {
            let Some(outcome) = done.outcome.studies.get(asked.kind.name) else { continue };
            if let Some(found) = asked.study.recommended(outcome, plain)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

fn nothing_came_of(study: &str, scenes: &[String]) -> String {
    let plain = "the plain scene";
    let names = scenes.iter().map(|name| if name.is_empty() { plain } else { name.as_str() });
    let names = names.collect::<Vec<&str>>().join(", ");
    format!("nothing came of [{study}]: no replica that scores {names} completed")
}
