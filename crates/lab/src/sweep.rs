//! Runs of the store, several at a time.
//!
//! Completed runs are reused, recorded failures are not tried again unless asked, one failed run
//! does not stop the others.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use datadiet_core::Progress;
use datadiet_core::progress::{Count, Event};
use datadiet_store::{
    Measured, Measurement, RunFailure, RunId, RunResult, RunSpec, RunStatus, Store,
};
use datadiet_table::FailedReplica;

use crate::{LabError, Trainer, TrainerError};

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
    pub progress: &'a dyn Progress,
}

/// A run to carry out.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What it is called in progress and errors; distinct within a sweep.
    pub name: String,
    /// The run.
    pub spec: RunSpec,
}

/// A measurement to make.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementJob {
    /// What it is called in errors.
    pub name: String,
    /// The run that it is about.
    pub run: RunId,
    /// That run's replica.
    pub replica: u32,
    /// What to measure.
    pub measurement: Measurement,
}

/// How a measurement ended.
type MeasurementOutcome = Result<Measured, Failure>;

/// A run, or a measurement of one, that did not complete.
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

impl Failure {
    /// As the card of a table has it.
    pub fn on_card(&self) -> FailedReplica {
        FailedReplica {
            name: self.name.clone(),
            replica: self.replica,
            run: self.run.clone(),
            reason: Some(self.reason.clone()),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum RunOutcome {
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
    /// Whether it was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Carries out `jobs` in order. Before a run starts, `wanted` is asked, with how all runs
    /// before it ended so far (`None` while they train), whether it is still needed.
    ///
    /// # Errors
    /// When the store or the trainer cannot be used. Failures of runs are in the answer.
    pub(crate) fn run(
        &self,
        jobs: &[Job],
        wanted: &(dyn Fn(&[Option<RunOutcome>]) -> bool + Sync),
    ) -> Result<Vec<Option<RunOutcome>>, LabError> {
        self.share_out(jobs.len(), wanted, &|index, slot| self.one(&jobs[index], slot))
    }

    /// Makes measurements, in any order; those made before are read.
    ///
    /// # Errors
    /// When the store or the trainer cannot be used. Failures of measurements are in the answer.
    pub(crate) fn measure_all(
        &self,
        jobs: &[MeasurementJob],
    ) -> Result<Vec<Option<MeasurementOutcome>>, LabError> {
        let count = Count::start(self.progress, "measuring", Some(jobs.len() as u64));
        self.share_out(jobs.len(), &|_| true, &|index, slot| {
            let ended = self.measure_one(&jobs[index], slot);
            count.advance(1);
            ended
        })
    }

    /// Has the workers do `one` for every index in order, as long as `wanted` says so.
    fn share_out<T: Clone + Send>(
        &self,
        count: usize,
        wanted: &(dyn Fn(&[Option<T>]) -> bool + Sync),
        one: &(dyn Fn(usize, usize) -> Result<T, LabError> + Sync),
    ) -> Result<Vec<Option<T>>, LabError> {
        let state = Mutex::new(State { next: 0, ended: vec![None; count], error: None });
        let lock = || state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let work = |slot: usize| loop {
            let index = {
                let mut state = lock();
                let index = state.next;
                let stopped = self.is_stopped() || state.error.is_some();
                if stopped || index == count || !wanted(&state.ended[..index]) {
                    return;
                }
                state.next += 1;
                index
            };
            match one(index, slot) {
                Ok(ended) => lock().ended[index] = Some(ended),
                Err(error) => lock().error = Some(error),
            }
        };
        std::thread::scope(|scope| {
            for slot in 0..self.workers.max(1).min(count.max(1)) {
                let work = &work;
                scope.spawn(move || work(slot));
            }
        });
        let state = state.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        match state.error {
            Some(error) => Err(error),
            None => Ok(state.ended),
        }
    }

    fn measure_one(
        &self,
        job: &MeasurementJob,
        slot: usize,
    ) -> Result<MeasurementOutcome, LabError> {
        let folder = self.store.measurement(&job.measurement);
        if let Some(measured) = folder.result()? {
            return Ok(Ok(measured));
        }
        folder.prepare(&job.measurement)?;
        let reason = match (self.trainer.measure(&folder, slot, self.stop), folder.result()?) {
            (Ok(()), Some(measured)) => return Ok(Ok(measured)),
            (Ok(()), None) => "its worker ended without a result".into(),
            (Err(TrainerError::Failed(reason)), _) => reason,
            (Err(TrainerError::Unusable(reason)), _) => return Err(LabError::Trainer(reason)),
        };
        self.progress.note(&format!("{}: {reason}", job.name));
        let (name, replica, run) = (job.name.clone(), job.replica, job.run.to_string());
        Ok(Err(Failure { name, replica, run, reason }))
    }

    fn one(&self, job: &Job, slot: usize) -> Result<RunOutcome, LabError> {
        let (name, spec) = (job.name.as_str(), &job.spec);
        let folder = self.store.run(spec);
        match folder.status()? {
            RunStatus::Complete(result) => {
                let (task, total) = (name.into(), spec.stop_after);
                self.progress.tell(&Event::Reused { task, total });
                return Ok(RunOutcome::Complete { result, reused: true });
            }
            RunStatus::Failed(failure) if !self.retry_failed => {
                return Ok(self.failed(job, remembered(&failure)));
            }
            RunStatus::Failed(_) => folder.retry()?,
            RunStatus::Unfinished => {}
        }
        folder.prepare(spec)?;
        let (task, total, worker) = (name.into(), Some(spec.stop_after), Some(slot));
        self.progress.tell(&Event::Started { task, total, worker });
        let named = Named { task: name, progress: self.progress };
        let trained = self.trainer.train(&folder, slot, self.stop, &named);
        match (trained, folder.status()?) {
            (Ok(()), RunStatus::Complete(result)) => {
                self.progress.tell(&Event::Ended { task: name.into(), problem: None });
                Ok(RunOutcome::Complete { result, reused: false })
            }
            (Ok(()), _) => Ok(self.failed(job, "its worker ended without a result".into())),
            (Err(TrainerError::Failed(reason)), _) => Ok(self.failed(job, reason)),
            (Err(TrainerError::Unusable(reason)), _) => Err(LabError::Trainer(reason)),
        }
    }

    fn failed(&self, job: &Job, reason: String) -> RunOutcome {
        let (task, problem) = ((&job.name).into(), Some((&reason).into()));
        self.progress.tell(&Event::Ended { task, problem });
        let run = self.store.run(&job.spec).id().to_string();
        RunOutcome::Failed(Failure {
            name: job.name.clone(),
            replica: job.spec.replica,
            run,
            reason,
        })
    }
}

/// Passes on what a trainer tells of one run, with the run's name.
struct Named<'a> {
    task: &'a str,
    progress: &'a dyn Progress,
}

impl Progress for Named<'_> {
    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::At { done, loss, doing, .. } => {
                let (task, doing) = (self.task.into(), doing.clone());
                self.progress.tell(&Event::At { task, done: *done, loss: *loss, doing });
            }
            Event::Note { text } => self.progress.note(&format!("{}: {text}", self.task)),
            // When a run begins and ends is known better here.
            Event::Started { .. } | Event::Reused { .. } | Event::Ended { .. } => {}
        }
    }
}

struct State<T> {
    next: usize,
    ended: Vec<Option<T>>,
    error: Option<LabError>,
}

fn remembered(failure: &RunFailure) -> String {
    format!("{} (on record; --retry-failed trains it again)", failure.reason)
}
