//! What came of runs and measurements, found again by their specification.

use std::collections::{HashMap, HashSet};

use datadiet_store::{Measured, Measurement, RunId, RunResult, RunSpec};

use crate::{Failure, Job, LabError, MeasurementJob, RunOutcome, Sweep};

/// What came of runs and measurements.
#[derive(Clone, Debug, Default)]
pub struct Results {
    runs: HashMap<RunId, RunResult>,
    reused: HashSet<RunId>,
    measured: HashMap<String, Measured>,
    /// Ids of the runs and measurements that did not complete.
    unsuccessful: HashSet<String>,
    /// Runs and measurements that did not complete.
    pub failed: Vec<Failure>,
}

impl Results {
    /// The result of a run that completed.
    pub fn result(&self, spec: &RunSpec) -> Option<&RunResult> {
        self.runs.get(&RunId::of(spec))
    }

    /// The completed ones of `specs`, with their results.
    pub fn completed(&self, specs: &[RunSpec]) -> Vec<(RunSpec, RunResult)> {
        let pair = |spec: &RunSpec| Some((spec.clone(), self.result(spec)?.clone()));
        specs.iter().filter_map(pair).collect()
    }

    /// The results of all runs.
    pub fn runs(&self) -> impl Iterator<Item = &RunResult> {
        self.runs.values()
    }

    /// Whether a run was complete before it was asked for.
    pub fn was_reused(&self, spec: &RunSpec) -> bool {
        self.reused.contains(&RunId::of(spec))
    }

    /// Why runs of `specs` did not complete.
    pub fn failures<'a>(&'a self, specs: &[RunSpec]) -> impl Iterator<Item = &'a Failure> {
        let ids: HashSet<String> = specs.iter().map(|spec| RunId::of(spec).to_string()).collect();
        self.failed.iter().filter(move |failure| ids.contains(&failure.run))
    }

    /// What a measurement gave that was made.
    pub fn measured(&self, measurement: &Measurement) -> Option<&Measured> {
        self.measured.get(&measurement.id())
    }

    /// What all measurements gave.
    pub fn measurements(&self) -> impl Iterator<Item = &Measured> {
        self.measured.values()
    }

    /// Whether a run completed or failed.
    pub fn has_run(&self, job: &Job) -> bool {
        let id = RunId::of(&job.spec);
        self.runs.contains_key(&id) || self.unsuccessful.contains(id.as_str())
    }

    /// Whether a measurement was made or failed.
    pub fn has_measured(&self, job: &MeasurementJob) -> bool {
        let id = job.measurement.id();
        self.measured.contains_key(&id) || self.unsuccessful.contains(&id)
    }
}

impl Sweep<'_> {
    /// Trains what `results` does not have yet, and adds what came of it; jobs of the same run are
    /// trained once. Before a run starts, `wanted` is asked whether it is still needed, with how the
    /// runs before it ended.
    ///
    /// # Errors
    /// When the store cannot be used. Failures of runs are in `results`.
    pub fn train(
        &self,
        results: &mut Results,
        jobs: Vec<Job>,
        wanted: &(dyn Fn(&[Option<RunOutcome>]) -> bool + Sync),
    ) -> Result<(), LabError> {
        let mut jobs = distinct(jobs);
        jobs.retain(|job| !results.has_run(job));
        for (job, outcome) in jobs.iter().zip(self.run(&jobs, wanted)?) {
            let id = RunId::of(&job.spec);
            match outcome {
                Some(RunOutcome::Complete { result, reused }) => {
                    results.reused.extend(reused.then(|| id.clone()));
                    results.runs.insert(id, result);
                }
                Some(RunOutcome::Failed(failure)) => {
                    results.unsuccessful.insert(id.to_string());
                    results.failed.push(failure);
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Makes the measurements that `results` does not have yet, and adds what they gave.
    ///
    /// # Errors
    /// When the store cannot be used. Failures are in `results`.
    pub fn measure(
        &self,
        results: &mut Results,
        mut jobs: Vec<MeasurementJob>,
    ) -> Result<(), LabError> {
        let mut seen = HashSet::new();
        jobs.retain(|job| !results.has_measured(job) && seen.insert(job.measurement.id()));
        for (job, outcome) in jobs.iter().zip(self.measure_all(&jobs)?) {
            let id = job.measurement.id();
            match outcome {
                Some(Ok(measured)) => drop(results.measured.insert(id, measured)),
                Some(Err(failure)) => {
                    results.unsuccessful.insert(id);
                    results.failed.push(failure);
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// The jobs without those whose run another one before them has.
pub(crate) fn distinct(jobs: Vec<Job>) -> Vec<Job> {
    let mut seen = HashSet::new();
    jobs.into_iter().filter(|job| seen.insert(RunId::of(&job.spec))).collect()
}
