//! How fast the kernel moves on examples of a score (the paper's section 5).

mod page;
mod question;

use clap::Args;
use datadiet_core::{ExampleId, order};
use datadiet_store::{KernelDistance, Measured, Measurement, RunId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use question::VelocityQuestion;

use super::stage::found;
use super::{Kind, Stage, Study, Wait, read};
use crate::refuse::{bail, ensure};
use crate::retraining::keep_ids;
use crate::scenes::{Scenes, Variation};
use crate::{LabError, MeasurementJob, Results, ScoredScene, Spread};

/// `[velocity]`.
pub const KIND: Kind = Kind {
    name: "velocity",
    read: read::<VelocityPlan>,
    findings: |outcome| Ok(page::findings(&Vec::<VelocityOutcome>::deserialize(outcome)?)),
};

/// Windows of the score order whose kernels are measured.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct VelocityPlan {
    /// Score whose ascending order the windows are cut from, without a time: `el2n`.
    #[arg(long, value_name = "SCORE", default_value_t = Self::default().by)]
    pub by: String,
    /// Epochs of the first kernels [default: an eighth, three eighths and three quarters].
    #[arg(long, value_name = "EPOCHS", value_delimiter = ',')]
    pub at: Vec<f64>,
    /// Epoch of the scores [default: the first kernel's].
    #[arg(long, value_name = "EPOCH")]
    pub scored_at: Option<f64>,
    /// Examples in a window, with consecutive ranks.
    #[arg(long, value_name = "N", default_value_t = Self::default().examples)]
    pub examples: u32,
    /// Where windows lie in the order: 0 is the lowest scores, 1 the highest.
    #[arg(long, value_delimiter = ',', default_values_t = Self::default().positions)]
    pub positions: Vec<f64>,
    /// Epochs from the first to the second kernel.
    #[arg(skip)]
    pub interval: f64,
    /// Fractions of labels to randomise (`uniform`, as in the paper), each a scene of its own; 0 for
    /// clean labels.
    #[arg(long, value_name = "FRACTION", value_delimiter = ',', default_values_t = Self::default().noise)]
    pub noise: Vec<f64>,
}

impl Default for VelocityPlan {
    fn default() -> Self {
        Self {
            by: "el2n".into(),
            at: Vec::new(),
            scored_at: None,
            examples: 100,
            positions: (0..=10).map(|tenth| f64::from(tenth) / 10.0).collect(),
            interval: 1.0,
            noise: vec![0.0],
        }
    }
}

/// A window, and what is measured of it.
#[derive(Clone, Debug)]
struct Window {
    place: WindowPlace,
    /// One a replica.
    jobs: Vec<MeasurementJob>,
}

/// Which examples, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowPlace {
    /// Epoch of the first kernel.
    pub time: f64,
    /// Where the window lies along the order, in [0, 1].
    pub position: f64,
    /// Rank of its first example in the ascending order, from 0.
    pub first_rank: usize,
    /// Mean score of its examples.
    pub score: f64,
}

/// Velocities in one scene.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct VelocityOutcome {
    /// Name of the scene; empty for the plain one.
    pub scene: String,
    /// Score whose order the windows are cut from.
    pub by: String,
    /// Examples in a window.
    pub examples: usize,
    /// Epochs between two kernels.
    pub interval: f64,
    /// The windows.
    pub windows: Vec<WindowOutcome>,
}

/// Velocity of one window.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WindowOutcome {
    /// Which examples, and when.
    #[serde(flatten)]
    pub place: WindowPlace,
    /// Distances between the kernels, one a replica, in [0, 1]; none where every measurement failed.
    pub velocity: Option<Spread>,
}

impl Study for VelocityPlan {
    fn scenes(&self) -> Vec<Variation> {
        Variation::uniform(&self.noise)
    }

    fn score_times(&self) -> Vec<f64> {
        self.scored_at.map_or_else(|| self.at.clone(), |at| vec![at])
    }

    fn weight_times(&self) -> Vec<f64> {
        self.at.iter().flat_map(|&at| [at, at + self.interval]).collect()
    }

    fn check(&self, scenes: &Scenes) -> Result<(), LabError> {
        let scene = scenes.plain();
        ensure!(!self.at.is_empty(), "[velocity] needs at, such as at = [1, 3]");
        ensure!(
            self.interval > 0.0 && scene.step_at(self.interval) > 0,
            "an interval of {} epochs is less than one step",
            self.interval
        );
        if let Some(late) = self.weight_times().iter().find(|&&at| !scene.has_epoch(at)) {
            bail!(
                "there is no kernel at epoch {late}: training goes from 0 to {} epochs, and a \
                 velocity needs one {} epochs after each time",
                scene.epochs(),
                self.interval
            );
        }
        ensure!(
            (1..=scene.examples()).contains(&(self.examples as usize)),
            "a window of {} examples cannot be cut from {}; take fewer with examples",
            self.examples,
            scene.examples()
        );
        ensure!(
            !self.positions.is_empty(),
            "[velocity] needs positions, such as positions = [0, 0.5, 1]"
        );
        if let Some(past) = self.positions.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            bail!(
                "a window at {past} lies past the end of the order: positions go from 0, the \
                 lowest scores, to 1, the highest"
            );
        }
        self.at.iter().try_for_each(|&at| scene.check_column(&self.column(at)).map(drop))
    }

    fn outcome(&self, stage: &Stage<'_>) -> Result<Value, Wait> {
        let scenes = stage.scored(&self.scenes())?.into_iter();
        let all = scenes.map(|at| Ok((at, self.windows(at)?)));
        let all = all.collect::<Result<Vec<(ScoredScene<'_>, Vec<Window>)>, LabError>>()?;
        let windows = all.iter().flat_map(|(_, windows)| windows);
        stage.measured(windows.flat_map(|window| window.jobs.iter().cloned()))?;
        let by = match self.scored_at {
            Some(at) => format!("{}@{at}", self.by),
            None => format!("{} of the same epoch", self.by),
        };
        let outcome = |(at, windows): &(ScoredScene<'_>, Vec<Window>)| VelocityOutcome {
            scene: at.scene.name.clone(),
            by: by.clone(),
            examples: self.examples as usize,
            interval: self.interval,
            windows: windows.iter().map(|window| window.outcome(stage.results)).collect(),
        };
        found(all.iter().map(outcome).collect::<Vec<VelocityOutcome>>())
    }
}

impl VelocityPlan {
    fn column(&self, at: f64) -> String {
        format!("{}@{}", self.by, self.scored_at.unwrap_or(at))
    }

    /// Cuts the windows of one scene from its scores.
    fn windows(&self, at: ScoredScene<'_>) -> Result<Vec<Window>, LabError> {
        let (scene, size) = (at.scene, self.examples as usize);
        let all: Vec<ExampleId> = (0..scene.examples() as u32).map(ExampleId).collect();
        let mut windows = Vec::new();
        for &time in &self.at {
            let ranking = at.ranking(&self.column(time))?;
            // Positions are ids: every example has a score.
            let ascending: Vec<ExampleId> =
                order(&ranking.values, &all)?.into_iter().map(ExampleId).collect();
            let steps = (scene.step_at(time), scene.step_at(time + self.interval));
            for &position in &self.positions {
                let first_rank = (position * (ascending.len() - size) as f64).round() as usize;
                let mut ids = ascending[first_rank..first_rank + size].to_vec();
                let sum: f64 = ids.iter().map(|id| f64::from(ranking.values[id.index()])).sum();
                ids.sort_unstable();
                let examples = keep_ids(at.store, &ids)?;
                let place = WindowPlace { time, position, first_rank, score: sum / size as f64 };
                let job = |replica: u32, run: RunId| MeasurementJob {
                    name: scene.named(&format!("kernel at epoch {time}, rank {first_rank}")),
                    replica,
                    run: run.clone(),
                    measurement: Measurement::KernelDistance(KernelDistance {
                        run,
                        from: steps.0,
                        to: steps.1,
                        examples: examples.clone(),
                    }),
                };
                let runs = at.scored.completed.iter();
                let jobs = runs.map(|(spec, _)| job(spec.replica, RunId::of(spec))).collect();
                windows.push(Window { place, jobs });
            }
        }
        Ok(windows)
    }
}

impl Window {
    fn outcome(&self, results: &Results) -> WindowOutcome {
        let measured = self.jobs.iter().map(|job| results.measured(&job.measurement));
        let distances = measured.filter_map(|measured| match measured {
            Some(Measured::KernelDistance { distance, .. }) => Some(*distance),
            _ => None,
        });
        WindowOutcome { place: self.place.clone(), velocity: Spread::of(distances.collect()) }
    }
}
