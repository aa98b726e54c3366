//! How fast the kernel moves on examples of a score (the paper's section 5).

use datadiet_core::order;
use datadiet_store::{KernelDistance, Measured, Measurement, RunId, Store};
use serde::{Deserialize, Serialize};

use crate::{Finished, LabError, MeasureJob, Scene, Scored, Spread};

/// Windows of the score order whose kernels are measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct VelocityPlan {
    /// Score whose ascending order the windows are cut from, without a time: `el2n`.
    pub by: String,
    /// Epochs t: velocity is the distance between the kernels at t and at t + `interval`.
    pub at: Vec<f64>,
    /// Epoch of the scores; that of each kernel where none is given.
    pub scored_at: Option<f64>,
    /// Examples in a window, with consecutive ranks.
    pub examples: u32,
    /// Where windows lie along the order: 0 is the lowest scores, 1 the highest.
    pub positions: Vec<f64>,
    /// Epochs between the two kernels.
    pub interval: f64,
    /// Fractions of randomised labels (`uniform`, as in the paper); 0 for clean labels.
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

/// Kernels to measure in one scene.
#[derive(Clone, Debug)]
pub struct Velocity {
    scene: String,
    by: String,
    examples: usize,
    points: Vec<Point>,
}

#[derive(Clone, Debug)]
struct Point {
    place: WindowPlace,
    /// One a replica.
    jobs: Vec<MeasureJob>,
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

impl VelocityPlan {
    /// When scores are taken, in epochs.
    pub fn score_times(&self) -> Vec<f64> {
        self.scored_at.map_or_else(|| self.at.clone(), |at| vec![at])
    }

    /// When weights are kept, in epochs, ascending.
    pub fn weight_times(&self) -> Vec<f64> {
        let mut times: Vec<f64> = self.at.iter().flat_map(|&at| [at, at + self.interval]).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        times
    }

    fn column(&self, at: f64) -> String {
        format!("{}@{}", self.by, self.scored_at.unwrap_or(at))
    }

    /// Checks what does not need the scores.
    ///
    /// # Errors
    /// For columns that scoring does not take, times after the end, or windows past the end.
    pub fn check(&self, scene: &Scene) -> Result<(), LabError> {
        let problem = if self.at.is_empty() {
            "[velocity] needs at, such as at = [1, 3]".to_owned()
        } else if !(self.interval > 0.0 && scene.step_at(self.interval) > 0) {
            format!("an interval of {} epochs is less than one step", self.interval)
        } else if let Some(late) = self.weight_times().iter().find(|&&at| !scene.has_epoch(at)) {
            format!(
                "there is no kernel at epoch {late}: training goes from 0 to {} epochs, and a \
                 velocity needs one {} epochs after each time",
                scene.epochs(),
                self.interval
            )
        } else if !(1..=scene.labels.len()).contains(&(self.examples as usize)) {
            format!(
                "a window of {} examples cannot be cut from {}; take fewer with examples",
                self.examples,
                scene.labels.len()
            )
        } else if let Some(past) = self.positions.iter().find(|p| !(0.0..=1.0).contains(*p)) {
            format!(
                "a window at {past} lies past the end of the order: positions go from 0, the \
                 lowest scores, to 1, the highest"
            )
        } else if self.positions.is_empty() {
            "[velocity] needs positions, such as positions = [0, 0.5, 1]".into()
        } else {
            let mut columns = self.at.iter().map(|&at| self.column(at));
            return columns.try_for_each(|column| scene.check_column(&column).map(drop));
        };
        Err(LabError::Plan(problem))
    }

    /// Cuts the windows of one scene from its scores.
    ///
    /// # Errors
    /// When a column is unknown, does not order the examples, or a list cannot be kept.
    pub fn prepare(
        &self,
        store: &Store,
        scene: &Scene,
        scored: &Scored,
    ) -> Result<Velocity, LabError> {
        let size = self.examples as usize;
        let mut points = Vec::new();
        for &time in &self.at {
            let ranking = scored.scores.ranking(&self.column(time), None)?;
            let ascending = order(&ranking.values, &scene.examples())?;
            let steps = (scene.step_at(time), scene.step_at(time + self.interval));
            for &position in &self.positions {
                let first_rank = (position * (ascending.len() - size) as f64).round() as usize;
                // Positions are ids: every example has a score.
                let mut ids = ascending[first_rank..first_rank + size].to_vec();
                let sum: f64 = ids.iter().map(|&id| f64::from(ranking.values[id as usize])).sum();
                ids.sort_unstable();
                let examples = store.keep_list(&ids)?;
                let place = WindowPlace { time, position, first_rank, score: sum / size as f64 };
                let job = |replica: u32, run: RunId| MeasureJob {
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
                let runs = scored.completed.iter();
                let jobs = runs.map(|(spec, _)| job(spec.replica, RunId::of(spec))).collect();
                points.push(Point { place, jobs });
            }
        }
        let by = match self.scored_at {
            Some(at) => format!("{}@{at}", self.by),
            None => format!("{} of the same epoch", self.by),
        };
        Ok(Velocity { scene: scene.name.clone(), by, examples: size, points })
    }

    /// What was measured of `found`.
    pub fn outcome(&self, found: &Velocity, finished: &Finished) -> VelocityOutcome {
        let velocity = |jobs: &[MeasureJob]| {
            let distances =
                jobs.iter().filter_map(|job| match finished.measured(&job.measurement) {
                    Some(Measured::KernelDistance { distance, .. }) => Some(*distance),
                    _ => None,
                });
            Spread::of(distances.collect())
        };
        let window = |point: &Point| WindowOutcome {
            place: point.place.clone(),
            velocity: velocity(&point.jobs),
        };
        VelocityOutcome {
            scene: found.scene.clone(),
            by: found.by.clone(),
            examples: found.examples,
            interval: self.interval,
            windows: found.points.iter().map(window).collect(),
        }
    }
}

impl Velocity {
    /// What is to be measured.
    pub fn jobs(&self) -> impl Iterator<Item = MeasureJob> {
        self.points.iter().flat_map(|point| point.jobs.iter().cloned())
    }
}
