//! Runs of the store, several at a time.
//!
//! Completed runs are reused, recorded failures are not tried again unless asked, one failed run
//! does not stop the others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use datadiet_store::{RunFailure, RunResult, RunSpec, RunStatus, Store, StoreError};

use crate::{LabError, Reporter, Trainer};

/// How runs are carried out.
pub struct Sweep<'a> {
    /// Where runs live.
    pub store: &'a Store,
    /// What trains them.
    pub trainer: &'a dyn Trainer,
    /// Runs at a time.
    pub workers: usize,
    /// Train runs again whose failure is on record.
    pub retry_failed: bool,
    /// Set from outside to stop at the next step.
    pub stop: &'a AtomicBool,
    /// Hears about it.
    pub reporter: &'a dyn Reporter,
}

/// A run to carry out.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What it is called in progress and errors; distinct within a sweep.
    pub name: String,
    /// The run.
    pub spec: RunSpec,
}

/// A run that did not complete.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// What it is called.
    pub name: String,
    /// Its replica.
    pub replica: u32,
    /// Its id.
    pub run: String,
    /// Why.
    pub reason: String,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ended {
    /// Complete; `reused` when it was so before.
    Complete {
        /// What came of it.
        result: RunResult,
        /// Whether nothing had to be trained.
        reused: bool,
    },
    /// Not complete.
    Failed(Failure),
}

impl Sweep<'_> {
    /// Carries out `jobs` in order. Before a run starts, `wanted` is asked, with how all runs
    /// before it ended so far (`None` while they train), whether it is still needed.
    ///
    /// # Errors
    /// When the store cannot be used. Failures of runs are in the answer.
    pub fn run(
        &self,
        jobs: &[Job],
        wanted: &(dyn Fn(&[Option<Ended>]) -> bool + Sync),
    ) -> Result<Vec<Option<Ended>>, LabError> {
        let state = Mutex::new(State { next: 0, ended: vec![None; jobs.len()], error: None });
        std::thread::scope(|scope| {
            for slot in 0..self.workers.max(1).min(jobs.len().max(1)) {
                let state = &state;
                scope.spawn(move || self.work(jobs, slot, state, wanted));
            }
        });
        let state = state.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        match state.error {
            Some(error) => Err(error.into()),
            None => Ok(state.ended),
        }
    }

    fn work(
        &self,
        jobs: &[Job],
        slot: usize,
        state: &Mutex<State>,
        wanted: &(dyn Fn(&[Option<Ended>]) -> bool + Sync),
    ) {
        let lock = || state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        loop {
            let index = {
                let mut state = lock();
                let index = state.next;
                let stopped = self.stop.load(Ordering::Relaxed) || state.error.is_some();
                if stopped || index == jobs.len() || !wanted(&state.ended[..index]) {
                    return;
                }
                state.next += 1;
                index
            };
            match self.one(&jobs[index], slot) {
                Ok(ended) => lock().ended[index] = Some(ended),
                Err(error) => lock().error = Some(error),
            }
        }
    }

    fn one(&self, job: &Job, slot: usize) -> Result<Ended, StoreError> {
        let (name, spec) = (job.name.as_str(), &job.spec);
        let folder = self.store.run(spec);
        match folder.status()? {
            RunStatus::Complete(result) => {
                self.reporter.reused(name, spec.stop_after);
                return Ok(Ended::Complete { result, reused: true });
            }
            RunStatus::Failed(failure) if !self.retry_failed => {
                return Ok(self.failed(job, remembered(&failure)));
            }
            RunStatus::Failed(_) => folder.retry()?,
            RunStatus::Unfinished => {}
        }
        folder.prepare(spec)?;
        self.reporter.started(name, spec.stop_after, slot);
        let trained = self.trainer.train(&folder, slot, self.stop, &mut |event| {
            use crate::WorkerEvent::{Recording, Step, Warning};
            match event {
                Step { step, total, loss } => self.reporter.step(name, step, total, loss),
                Recording { step } => self.reporter.recording(name, step),
                Warning { text } => self.reporter.note(&format!("{name}: {text}")),
            }
        });
        match (trained, folder.status()?) {
            (Ok(()), RunStatus::Complete(result)) => {
                self.reporter.ended(name, None);
                Ok(Ended::Complete { result, reused: false })
            }
            (Ok(()), _) => Ok(self.failed(job, "its worker ended without a result".into())),
            (Err(reason), _) => Ok(self.failed(job, reason)),
        }
    }

    fn failed(&self, job: &Job, reason: String) -> Ended {
        self.reporter.ended(&job.name, Some(&reason));
        let run = self.store.run(&job.spec).id().to_string();
        Ended::Failed(Failure { name: job.name.clone(), replica: job.spec.replica, run, reason })
    }
}

struct State {
    next: usize,
    ended: Vec<Option<Ended>>,
    error: Option<StoreError>,
}

fn remembered(failure: &RunFailure) -> String {
    format!("{} (on record; --retry-failed trains it again)", failure.reason)
}
