//! Many runs carried out, and what came of each, found again by their specification.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use datadiet_store::{RunId, RunResult, RunSpec};

use crate::{Ended, Failure, Job, LabError, Sweep};

/// What came of runs.
#[derive(Clone, Debug, Default)]
pub struct Finished {
    results: HashMap<RunId, RunResult>,
    /// Runs that did not complete.
    pub failed: Vec<Failure>,
    /// Runs that were complete before.
    pub reused: usize,
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

    /// Adds what came of others.
    pub fn extend(&mut self, others: Self) {
        self.results.extend(others.results);
        self.failed.extend(others.failed);
        self.reused += others.reused;
        self.interrupted |= others.interrupted;
    }
}

impl Sweep<'_> {
    /// Carries out all `jobs`; runs that several of them share are trained once.
    ///
    /// # Errors
    /// When the store cannot be used. Failures of runs are in the answer.
    pub fn all(&self, jobs: Vec<Job>) -> Result<Finished, LabError> {
        let jobs = distinct(jobs);
        let ended = self.run(&jobs, &|_| true)?;
        let mut finished = Finished::default();
        for (job, ended) in jobs.iter().zip(ended) {
            match ended {
                Some(Ended::Complete { result, reused }) => {
                    finished.reused += usize::from(reused);
                    finished.results.insert(RunId::of(&job.spec), result);
                }
                Some(Ended::Failed(failure)) => finished.failed.push(failure),
                None => {}
            }
        }
        finished.interrupted = self.stop.load(Ordering::Relaxed);
        Ok(finished)
    }
}

/// The jobs without those whose run another one before them has.
pub fn distinct(jobs: Vec<Job>) -> Vec<Job> {
    let mut seen = std::collections::HashSet::new();
    jobs.into_iter().filter(|job| seen.insert(RunId::of(&job.spec))).collect()
}
