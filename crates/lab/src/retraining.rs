//! Trainings on a subset, several of a kind, to see what the subset can still teach.

use clap::ValueEnum;
use datadiet_core::ExampleId;
use datadiet_store::{LearningRate, ListRef, Lookahead, RunSpec, Schedule, Store, Subset};
use serde::{Deserialize, Serialize};

use crate::{ByClass, Job, LabError, Results, Scene, Spread};

/// Replica number of the first retraining: the networks that judge a subset are never those that
/// chose it.
pub(crate) const FIRST_REPLICA: u32 = 1000;

/// What stays the same when the training set shrinks.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fixed {
    /// The number of steps, as in the paper: half the data is seen twice as often, and nothing is
    /// saved in a training.
    #[default]
    Steps,
    /// The number of epochs: half the data takes half the steps.
    Epochs,
}

impl Fixed {
    /// The schedule of a training on so many examples out of `all`.
    pub fn schedule(self, whole: &Schedule, examples: usize, all: usize) -> Schedule {
        match self {
            Self::Steps => whole.clone(),
            Self::Epochs => shortened(whole, examples as f64 / all as f64),
        }
    }
}

/// Independent trainings of one kind.
#[derive(Clone, Debug)]
pub struct Retraining {
    /// What it is called.
    pub name: String,
    /// The trainings.
    pub specs: Vec<RunSpec>,
}

impl Retraining {
    /// `count` trainings like `template`, on the examples `ids` out of so many.
    ///
    /// # Errors
    /// When the list of ids cannot be kept.
    pub fn on(
        store: &Store,
        template: &RunSpec,
        (ids, examples): (&[ExampleId], usize),
        fixed: Fixed,
        count: u32,
        name: String,
    ) -> Result<Self, LabError> {
        let subset = match ids.len() == examples {
            true => Subset::Full,
            false => Subset::Listed(keep_ids(store, ids)?),
        };
        let schedule = fixed.schedule(&template.schedule, ids.len(), examples);
        let stop_after = schedule.steps;
        let template = RunSpec { subset, schedule, stop_after, ..template.clone() };
        Ok(Self::of(&template, count, name))
    }

    /// `count` trainings of a template.
    pub fn of(template: &RunSpec, count: u32, name: String) -> Self {
        let spec = |index| RunSpec { replica: FIRST_REPLICA + index, ..template.clone() };
        Self { name, specs: (0..count).map(spec).collect() }
    }

    /// Trainings on everything: the scoring replicas where they trained to the end, for nothing.
    pub fn full(scene: &Scene, count: u32) -> Self {
        let name = scene.named("full");
        let all_score = scene.replicas >= count && scene.until_reliability.is_none();
        if scene.scoring.stop_after == scene.template.stop_after && all_score {
            return Self { name, specs: scene.scoring_specs() };
        }
        Self::of(&scene.template, count, name)
    }

    /// How many of them are not runs that score anyway.
    pub fn untrained(&self) -> usize {
        self.specs.iter().filter(|spec| spec.record.steps.is_empty()).count()
    }

    /// Steps of one.
    pub fn steps(&self) -> u64 {
        self.specs.first().map_or(0, |spec| spec.schedule.steps)
    }

    /// As jobs.
    pub fn jobs(&self) -> impl Iterator<Item = Job> {
        self.specs.iter().enumerate().map(|(index, spec)| {
            let name = match self.specs.len() {
                1 => self.name.clone(),
                _ => format!("{} #{index}", self.name),
            };
            Job { name, spec: spec.clone() }
        })
    }

    /// Test accuracies of the trainings that completed, or what else they are judged by.
    pub fn test(&self, results: &Results) -> Option<Spread> {
        let completed = results.completed(&self.specs);
        let values = completed.iter().filter_map(|(_, result)| result.final_test_accuracy());
        Spread::judged(values.collect(), self.specs.first()?)
    }

    /// What they are judged by on the test examples of each class, where they say it.
    pub fn by_class(&self, results: &Results) -> ByClass {
        ByClass::of(self.specs.iter().filter_map(|spec| results.result(spec)))
    }

    /// The same as [`Self::test`] on the examples held out.
    pub fn validation(&self, results: &Results) -> Option<Spread> {
        let completed = results.completed(&self.specs);
        let values = completed.iter().filter_map(|(_, result)| result.validation_accuracy);
        Spread::judged(values.collect(), self.specs.first()?)
    }
}

/// Keeps ids for specifications to refer to.
///
/// # Errors
/// When they cannot be written.
pub(crate) fn keep_ids(store: &Store, ids: &[ExampleId]) -> Result<ListRef, LabError> {
    let ids: Vec<u32> = ids.iter().map(|id| id.0).collect();
    Ok(store.keep_list(&ids)?)
}

/// The schedule with everything at a fraction of its time.
pub(crate) fn shortened(schedule: &Schedule, fraction: f64) -> Schedule {
    let scaled = |steps: u64| (steps as f64 * fraction).round() as u64;
    let steps = scaled(schedule.steps).max(1);
    let learning_rate = match &schedule.learning_rate {
        LearningRate::WarmUpLinear { peak, warm_up } => {
            LearningRate::WarmUpLinear { peak: *peak, warm_up: scaled(*warm_up).min(steps - 1) }
        }
        LearningRate::Milestones { base, factor, milestones } => LearningRate::Milestones {
            base: *base,
            factor: *factor,
            milestones: milestones.iter().map(|&at| scaled(at)).collect(),
        },
    };
    let whitening_steps = schedule.whitening_steps.map(scaled);
    // A lookahead that no step comes to would give back the initial weights.
    let lookahead = schedule.lookahead;
    let lookahead = lookahead.map(|ahead| Lookahead { every: ahead.every.min(steps), ..ahead });
    Schedule { steps, learning_rate, whitening_steps, lookahead, ..schedule.clone() }
}
