//! A whole experiment: scenes that are scored, studies of what the scores are worth.

use datadiet_store::RunSpec;
use datadiet_table::ColumnSummary;
use serde::{Deserialize, Serialize};

use crate::finished::distinct;
use crate::ledger::{LedgerRow, ledger};
use crate::study::connectivity::{Connectivity, ConnectivityOutcome, ConnectivityPlan};
use crate::study::correlations::{CorrelationsOutcome, CorrelationsPlan};
use crate::study::curve::CurvePlan;
use crate::study::noise::{NoiseOutcome, NoisePlan};
use crate::study::point::{Place, Points, PointsOutcome};
use crate::study::velocity::{Velocity, VelocityOutcome, VelocityPlan};
use crate::study::window::WindowPlan;
use crate::{
    Failure, Finished, Job, LabError, MeasureJob, Retraining, Scene, Scored, SearchOutcome,
    SearchPlan, Spread, Sweep,
};

/// Scenes, and what is studied in which of them (by index; the first is the plain one).
#[derive(Clone, Debug, Default)]
pub struct Experiment {
    /// The scenes.
    pub scenes: Vec<Scene>,
    /// Accuracy against fraction and time, in the plain scene.
    pub curve: Option<CurvePlan>,
    /// Sliding window.
    pub window: Option<(WindowPlan, Vec<usize>)>,
    /// The best window of a size, in the plain scene.
    pub tune: Option<SearchPlan>,
    /// Agreement of scores.
    pub correlations: Option<(CorrelationsPlan, Vec<usize>)>,
    /// Wrong labels.
    pub noise: Option<(NoisePlan, Vec<usize>)>,
    /// How fast kernels move.
    pub velocity: Option<(VelocityPlan, Vec<usize>)>,
    /// Barriers between networks, in the plain scene.
    pub connectivity: Option<ConnectivityPlan>,
}

/// What came of an experiment; the content of `outcome.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExperimentOutcome {
    /// Training on everything, as specified.
    pub template: RunSpec,
    /// The scenes and their columns of scores.
    pub scenes: Vec<SceneOutcome>,
    /// Accuracy against fraction and time.
    pub curve: Option<PointsOutcome>,
    /// Sliding windows, one a labelling.
    pub window: Vec<PointsOutcome>,
    /// The best window of a size.
    pub tune: Option<SearchOutcome>,
    /// Agreement of scores.
    pub correlations: Option<CorrelationsOutcome>,
    /// Wrong labels, one a labelling.
    pub noise: Vec<NoiseOutcome>,
    /// How fast kernels move, one a labelling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub velocity: Vec<VelocityOutcome>,
    /// Barriers between networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<ConnectivityOutcome>,
    /// What scoring costs and saves.
    pub ledger: Vec<LedgerRow>,
    /// Runs that failed.
    pub failed: Vec<Failure>,
    /// What it all cost.
    pub cost: ExperimentCost,
}

/// A scored scene.
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
    /// The columns.
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

/// An experiment that was carried out.
#[derive(Debug)]
pub struct Done {
    /// What came of it.
    pub outcome: ExperimentOutcome,
    /// The scores of each scene.
    pub scored: Vec<Scored>,
}

impl Experiment {
    /// Number of trainings that it takes at most, and of their steps.
    pub fn size(&self) -> (usize, u64) {
        let scoring = distinct(self.scoring_jobs());
        let steps: u64 = scoring.iter().map(|job| job.spec.stop_after).sum();
        let schedule = self.scenes.first().map_or(0, |scene| scene.template.stop_after);
        let curve = self.curve.as_ref().map_or(0, |plan| {
            plan.trainings() + Retraining::full(&self.scenes[0], plan.retrainings).untrained()
        });
        let window = self.window.as_ref().map_or(0, |(plan, scenes)| {
            let full = |&index: &usize| {
                Retraining::full(&self.scenes[index], plan.retrainings).untrained()
            };
            plan.trainings() + scenes.iter().map(full).sum::<usize>()
        });
        let connectivity = self.connectivity.as_ref();
        let (kin, kin_steps) = connectivity.map_or((0, 0), |plan| plan.size(&self.scenes[0]));
        let fixed = curve + window;
        let search = self.tune.as_ref().map_or(0, |plan| plan.steps(schedule));
        let searched = self.tune.as_ref().map_or(0, SearchPlan::trainings);
        (
            scoring.len() + fixed + searched + kin,
            steps + fixed as u64 * schedule + search + kin_steps,
        )
    }

    /// Checks, before anything is trained, what does not need the scores.
    ///
    /// # Errors
    /// For studies of columns that scoring does not take, or that make no sense otherwise.
    pub fn check(&self) -> Result<(), LabError> {
        let plain = &self.scenes[0];
        if let Some(curve) = &self.curve {
            curve.check(plain)?;
        }
        if let Some((window, _)) = &self.window {
            window.check(plain)?;
        }
        if let Some(tune) = &self.tune {
            plain.check_column(&tune.by)?;
        }
        if let Some((plan, _)) = &self.correlations {
            plan.columns.iter().try_for_each(|name| plain.check_column(name).map(drop))?;
        }
        if let Some((plan, _)) = &self.velocity {
            plan.check(plain)?;
        }
        if let Some(plan) = &self.connectivity {
            plan.check(plain)?;
        }
        let Some((plan, scenes)) = &self.noise else { return Ok(()) };
        plain.check_column(&plan.by)?;
        match scenes.iter().find(|&&index| !self.scenes[index].changed.contains(&true)) {
            None => Ok(()),
            Some(&index) => {
                let what = "no label differs from the data set's: there is nothing to find";
                Err(LabError::Plan(self.scenes[index].named(what)))
            }
        }
    }

    fn scoring_jobs(&self) -> Vec<Job> {
        self.scenes.iter().flat_map(Scene::scoring_jobs).collect()
    }

    /// Carries it out. None when it was stopped.
    ///
    /// # Errors
    /// When the store cannot be used, no replica of a scene completes, or a study makes no sense.
    /// Failed runs are in the outcome.
    pub fn run(&self, sweep: &Sweep<'_>) -> Result<Option<Done>, LabError> {
        let mut finished = Finished::default();
        finished.carry_out(sweep, self.scoring_jobs())?;
        if finished.interrupted {
            return Ok(None);
        }
        let scored = self.scenes.iter().map(|scene| scene.scored(sweep.store, &finished));
        let scored = scored.collect::<Result<Vec<Scored>, _>>()?;
        let studies = self.prepare(sweep, &scored)?;
        finished.carry_out(sweep, studies.jobs())?;
        if finished.interrupted {
            return Ok(None);
        }
        let tune = match &self.tune {
            None => None,
            Some(plan) => {
                let (scene, scored) = (&self.scenes[0], &scored[0]);
                match plan.run(sweep, scene, scored, &mut finished)? {
                    None => return Ok(None),
                    found => found,
                }
            }
        };
        finished.carry_out(sweep, studies.children(&finished))?;
        if finished.interrupted {
            return Ok(None);
        }
        let measurements = studies.measurements(&finished);
        finished.measure(sweep, &measurements)?;
        if finished.interrupted {
            return Ok(None);
        }
        let outcome = self.outcome(&scored, &studies, tune, finished)?;
        Ok(Some(Done { outcome, scored }))
    }

    fn prepare(&self, sweep: &Sweep<'_>, scored: &[Scored]) -> Result<Studies, LabError> {
        let store = sweep.store;
        let curve = self.curve.as_ref();
        let curve =
            curve.map(|plan| plan.prepare(store, &self.scenes[0], &scored[0])).transpose()?;
        let mut windows = Vec::new();
        if let Some((plan, scenes)) = &self.window {
            for &index in scenes {
                windows.push(plan.prepare(store, &self.scenes[index], &scored[index])?);
            }
        }
        let mut velocities = Vec::new();
        if let Some((plan, scenes)) = &self.velocity {
            for &index in scenes {
                velocities.push(plan.prepare(store, &self.scenes[index], &scored[index])?);
            }
        }
        let connectivity = self.connectivity.as_ref();
        let connectivity = connectivity
            .map(|plan| plan.prepare(store, &self.scenes[0], &scored[0]))
            .transpose()?;
        Ok(Studies { curve, windows, velocities, connectivity })
    }

    fn outcome(
        &self,
        scored: &[Scored],
        studies: &Studies,
        tune: Option<SearchOutcome>,
        finished: Finished,
    ) -> Result<ExperimentOutcome, LabError> {
        let examples = self.scenes[0].labels.len();
        let curve = studies.curve.as_ref().map(|points| points.outcome(&finished, examples));
        let places = chosen_by_score(curve.as_ref(), tune.as_ref());
        let ledger = ledger(&self.scenes[0], &scored[0], &places);
        Ok(ExperimentOutcome {
            template: self.scenes[0].template.clone(),
            scenes: self.scenes.iter().zip(scored).map(SceneOutcome::of).collect(),
            window: studies.windows.iter().map(|p| p.outcome(&finished, examples)).collect(),
            correlations: self.correlations(scored)?,
            noise: self.noise(scored)?,
            velocity: self.velocity(studies, &finished),
            connectivity: self.connectivity(studies, &finished),
            cost: ExperimentCost::of(&finished),
            failed: finished.failed,
            curve,
            tune,
            ledger,
        })
    }

    fn correlations(&self, scored: &[Scored]) -> Result<Option<CorrelationsOutcome>, LabError> {
        let Some((plan, scenes)) = &self.correlations else { return Ok(None) };
        let pairs: Vec<(&Scene, &Scored)> =
            scenes.iter().map(|&index| (&self.scenes[index], &scored[index])).collect();
        plan.outcome(&pairs).map(Some)
    }

    fn velocity(&self, studies: &Studies, finished: &Finished) -> Vec<VelocityOutcome> {
        let plan = self.velocity.iter().map(|(plan, _)| plan);
        plan.flat_map(|plan| studies.velocities.iter().map(|v| plan.outcome(v, finished))).collect()
    }

    fn connectivity(&self, studies: &Studies, finished: &Finished) -> Option<ConnectivityOutcome> {
        let (plan, found) = self.connectivity.as_ref().zip(studies.connectivity.as_ref())?;
        Some(plan.outcome(found, finished))
    }

    fn noise(&self, scored: &[Scored]) -> Result<Vec<NoiseOutcome>, LabError> {
        let Some((plan, scenes)) = &self.noise else { return Ok(Vec::new()) };
        let outcome =
            |&index: &usize| plan.outcome(&scored[0], &self.scenes[index], &scored[index]);
        scenes.iter().map(outcome).collect()
    }
}

/// What is to be trained and measured once the scores are known.
struct Studies {
    curve: Option<Points>,
    windows: Vec<Points>,
    velocities: Vec<Velocity>,
    connectivity: Option<Connectivity>,
}

impl Studies {
    fn jobs(&self) -> Vec<Job> {
        let points = self.curve.iter().chain(&self.windows).flat_map(Points::jobs);
        points.chain(self.connectivity.iter().flat_map(Connectivity::parents)).collect()
    }

    /// What needs those trainings.
    fn children(&self, finished: &Finished) -> Vec<Job> {
        self.connectivity.iter().flat_map(|found| found.children(finished)).collect()
    }

    fn measurements(&self, finished: &Finished) -> Vec<MeasureJob> {
        let lines = self.connectivity.iter().flat_map(|found| found.lines(finished));
        self.velocities.iter().flat_map(Velocity::jobs).chain(lines).collect()
    }
}

impl SceneOutcome {
    fn of((scene, scored): (&Scene, &Scored)) -> Self {
        let to_the_end = scene.scoring.stop_after == scene.template.stop_after;
        let accuracies = scored.completed.iter().filter_map(|(_, r)| r.final_test_accuracy());
        let network = &scene.template.network;
        Self {
            name: scene.name.clone(),
            network: format!("{} of width {}", network.name, network.width),
            replicas: scored.completed.len(),
            changed: scene.changed.iter().filter(|&&changed| changed).count(),
            accuracy: to_the_end.then(|| Spread::of(accuracies.collect())).flatten(),
            columns: scored.scores.summaries().to_vec(),
        }
    }
}

impl ExperimentCost {
    fn of(finished: &Finished) -> Self {
        let mut cost = Self::default();
        for result in finished.results() {
            cost.trainings += 1;
            cost.images_trained += result.images_trained;
            cost.worker_seconds +=
                result.train_seconds + result.score_seconds + result.gradient_seconds;
        }
        for measured in finished.measurements() {
            cost.measurements += 1;
            cost.worker_seconds += measured.seconds();
        }
        cost
    }
}

/// Where the subsets stand that a score of the plain scene chose.
fn chosen_by_score(curve: Option<&PointsOutcome>, tune: Option<&SearchOutcome>) -> Vec<Place> {
    let points = curve.iter().flat_map(|curve| &curve.points).map(|point| point.place.clone());
    let answer = tune.map(|search| Place {
        series: search.plan.by.clone(),
        keep: search.answer.keep.into(),
        ..Place::default()
    });
    points.chain(answer).collect()
}
