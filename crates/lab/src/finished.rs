//! Many runs carried out, and what came of each, found again by their specification.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use datadiet_store::{Measured, Measurement, RunId, RunResult, RunSpec};

use crate::{Ended, Failure, Job, LabError, MeasureJob, Sweep};

/// What came of runs.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    results: HashMap<RunId, RunResult>,
    measured: HashMap<String, Measured>,
    /// Runs that did not complete.
    pub failed: Vec<Failure>,
    /// Whether it was stopped before all runs were done.
    pub interrupted: bool,
}

impl Finished {
    /// The result of a run that completed.
    pub fn result(&self, spec: &RunSpec) -> Option<&RunResult> {
        self.results.get(&RunId::of(spec))
    }

    /// Those of `specs` that completed, with their results.
    pub fn completed(&self, specs: &[RunSpec]) -> Vec<(RunSpec, RunResult)> {
        let pair = |spec: &RunSpec| Some((spec.clone(), self.result(spec)?.clone()));
        specs.iter().filter_map(pair).collect()
    }

    /// The results of all runs.
    pub fn results(&self) -> impl Iterator<Item = &RunResult> {
        self.results.values()
    }

    /// What a measurement gave that was made.
    pub fn measured(&self, measurement: &Measurement) -> Option<&Measured> {
        self.measured.get(&measurement.id())
    }

    /// What all measurements gave.
    pub fn measurements(&self) -> impl Iterator<Item = &Measured> {
        self.measured.values()
    }

    /// Makes measurements.
    ///
    /// # Errors
    /// When the store cannot be used. Failures are in the answer.
    pub fn measure(&mut self, sweep: &Sweep<'_>, jobs: &[MeasureJob]) -> Result<(), LabError> {
        for (job, ended) in jobs.iter().zip(sweep.measure(jobs)?) {
            match ended {
                Some(Ok(measured)) => drop(self.measured.insert(job.measurement.id(), measured)),
                Some(Err(failure)) => self.failed.push(failure),
                None => {}
            }
        }
        self.interrupted |= sweep.stop.load(Ordering::Relaxed);
        Ok(())
    }

    /// Carries out those of `jobs` that have no result here yet; runs that several of them share are
    /// trained once.
    ///
    /// # Errors
    /// When the store cannot be used. Failures of runs are in the answer.
    pub fn carry_out(&mut self, sweep: &Sweep<'_>, jobs: Vec<Job>) -> Result<(), LabError> {
        let mut jobs = distinct(jobs);
        jobs.retain(|job| self.result(&job.spec).is_none());
        let ended = sweep.run(&jobs, &|_| true)?;
        for (job, ended) in jobs.iter().zip(ended) {
            match ended {
                Some(Ended::Complete { result, .. }) => {
                    let id = RunId::of(&job.spec);
                    self.failed.retain(|failure| failure.run != id.as_str());
                    self.results.insert(id, result);
                }
                Some(Ended::Failed(failure)) => {
                    self.failed.retain(|known| known.run != failure.run);
                    self.failed.push(failure);
                }
                None => {}
            }
        }
        self.interrupted |= sweep.stop.load(Ordering::Relaxed);
        Ok(())
    }
}

/// The jobs without those whose run another one before them has.
pub fn distinct(jobs: Vec<Job>) -> Vec<Job> {
    let mut seen = std::collections::HashSet::new();
    jobs.into_iter().filter(|job| seen.insert(RunId::of(&job.spec))).collect()
}
