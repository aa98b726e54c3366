//! One subset and what trainings on it reach: a point of a figure.

use datadiet_core::{Amount, Candidates, Choice, Chosen, ExampleId, skew};
use datadiet_store::{Store, StoreError};
use datadiet_table::Ranking;
use serde::{Deserialize, Serialize};

use crate::{Finished, Fixed, Job, LabError, Retraining, Scene, Spread};

/// Where a point stands in its figure.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// What it belongs to: the score that chose it, `random` or `full`.
    pub series: String,
    /// Fraction kept.
    pub keep: f64,
    /// Fraction of the ascending order before the window, for windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<f64>,
    /// Epoch at which the scores were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<f64>,
}

/// A subset to be judged.
#[derive(Clone, Debug)]
pub struct Point {
    /// Where it stands.
    pub place: Place,
    /// Largest over smallest kept share of a class.
    pub skew: f64,
    /// Examples kept.
    pub size: usize,
    /// The trainings that judge it.
    pub retraining: Retraining,
}

/// A judged subset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PointOutcome {
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// Examples kept.
    pub size: usize,
    /// Largest over smallest kept share of a class; none where a class vanished.
    pub skew: Option<f64>,
    /// Steps of a training.
    pub steps: u64,
    /// Test accuracy; none where every training failed.
    pub accuracy: Option<Spread>,
}

impl Point {
    /// The subset of a whole scene that a choice gives.
    ///
    /// # Errors
    /// When it cannot be chosen, or the ids cannot be kept.
    pub fn chosen_by(
        choice: &Choice,
        ranking: Option<&Ranking<'_>>,
        store: &Store,
        scene: &Scene,
        place: Place,
        fixed: Fixed,
        trainings: u32,
    ) -> Result<Self, LabError> {
        let (all, scores) = (scene.labels.len(), ranking.map(Ranking::scores));
        let scored = scored(ranking, all);
        let chosen = if scored.len() == all {
            choice.among(Candidates::All(all), scores, Some(scene.by_class()))?
        } else {
            // Examples without a score are never chosen by it, and the size is a share of all.
            let amount = Amount::Count(choice.amount.of(all));
            let choice = Choice { amount, ..*choice };
            choice.among(&scored, scores, Some(scene.by_class()))?
        };
        Ok(Self::new(store, scene, place, &chosen, fixed, trainings)?)
    }

    /// A chosen subset of a scene.
    ///
    /// # Errors
    /// When the ids cannot be kept.
    pub fn new(
        store: &Store,
        scene: &Scene,
        place: Place,
        chosen: &Chosen,
        fixed: Fixed,
        trainings: u32,
    ) -> Result<Self, StoreError> {
        let percent = (place.keep * 100.0 * 10.0).round() / 10.0;
        let from = place.offset.map_or(String::new(), |offset| format!(" from {offset}"));
        let name = scene.named(&format!("{} {percent} %{from}", place.series));
        let (ids, examples) = (&chosen.ids, scene.labels.len());
        Ok(Self {
            place,
            skew: skew(&chosen.shares),
            size: ids.len(),
            retraining: Retraining::on(
                store,
                &scene.template,
                ids,
                examples,
                fixed,
                trainings,
                name,
            )?,
        })
    }

    /// What its trainings reached.
    pub fn outcome(&self, finished: &Finished) -> PointOutcome {
        PointOutcome {
            place: self.place.clone(),
            size: self.size,
            skew: self.skew.is_finite().then_some(self.skew),
            steps: self.retraining.specs.first().map_or(0, |spec| spec.schedule.steps),
            accuracy: self.retraining.test(finished),
        }
    }
}

/// The examples that have a score; all, for a random choice.
fn scored(ranking: Option<&Ranking<'_>>, all: usize) -> Vec<ExampleId> {
    let has = |id: &ExampleId| ranking.is_none_or(|r| !r.values[id.index()].is_nan());
    (0..all as u32).map(ExampleId).filter(has).collect()
}

/// Subsets of one scene, beside a training on everything.
#[derive(Clone, Debug)]
pub struct Points {
    /// Name of the scene.
    pub scene: String,
    /// How subsets are chosen and trained on, in words.
    pub how: String,
    /// The subsets.
    pub points: Vec<Point>,
    /// Trainings on everything.
    pub full: Retraining,
}

/// What the subsets of one scene reach.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PointsOutcome {
    /// Name of the scene; empty for the plain one.
    pub scene: String,
    /// How subsets are chosen and trained on, in words.
    pub how: String,
    /// The subsets.
    pub points: Vec<PointOutcome>,
    /// Accuracy of training on everything.
    pub full: Option<Spread>,
    /// Steps of a training on everything.
    pub steps: u64,
    /// Examples in all.
    pub examples: usize,
}

impl Points {
    /// What is to be trained.
    pub fn jobs(&self) -> impl Iterator<Item = Job> {
        self.full.jobs().chain(self.points.iter().flat_map(|point| point.retraining.jobs()))
    }

    /// What the trainings reached.
    pub fn outcome(&self, finished: &Finished, examples: usize) -> PointsOutcome {
        PointsOutcome {
            scene: self.scene.clone(),
            how: self.how.clone(),
            points: self.points.iter().map(|point| point.outcome(finished)).collect(),
            full: self.full.test(finished),
            steps: self.full.specs.first().map_or(0, |spec| spec.schedule.steps),
            examples,
        }
    }
}
