//! Scoring a data set: independent replicas of one run, as many as are wanted or needed.

use datadiet_core::{ScoreKind, reliability};
use datadiet_store::{RunResult, RunSpec, Store, StoreError};

use crate::{Ended, Failure, Job, LabError, Sweep};

/// Replicas of one specification.
#[derive(Clone, Debug)]
pub struct ScoreJob {
    /// What sets it apart from other jobs of an experiment; empty where it is the only one.
    pub name: String,
    /// The run; its replica number is replaced.
    pub template: RunSpec,
    /// How many replicas, at most.
    pub replicas: u32,
    /// Stop starting replicas when the split-half reliability of [`Self::judged`], stepped up to
    /// the mean of all, passes this.
    pub until_reliability: Option<f64>,
    /// The score and step whose reliability is judged.
    pub judged: (ScoreKind, u64),
}

/// What came of a job.
#[derive(Clone, Debug)]
pub struct ScoreOutcome {
    /// Replicas whose scores count, with their results, in order.
    pub completed: Vec<(RunSpec, RunResult)>,
    /// Replicas that were complete before.
    pub reused: u32,
    /// Replicas that failed.
    pub failed: Vec<Failure>,
    /// Whether more replicas are needed but the job was stopped.
    pub interrupted: bool,
}

impl ScoreJob {
    /// Trains what is not trained yet.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub fn run(&self, sweep: &Sweep<'_>) -> Result<ScoreOutcome, LabError> {
        let jobs = self.jobs();
        let wanted = |ended: &[Option<Ended>]| {
            let complete = complete_specs(&jobs, ended);
            !self.is_enough(sweep.store, &complete)
        };
        let ended = sweep.run(&jobs, &wanted)?;
        Ok(self.outcome(sweep, &jobs, ended))
    }

    /// The replicas, one run each.
    fn jobs(&self) -> Vec<Job> {
        let name = |replica| match self.name.as_str() {
            "" => format!("replica {replica}"),
            name => format!("{name}, replica {replica}"),
        };
        let job = |replica| Job {
            name: name(replica),
            spec: RunSpec { replica, ..self.template.clone() },
        };
        (0..self.replicas).map(job).collect()
    }

    fn outcome(&self, sweep: &Sweep<'_>, jobs: &[Job], ended: Vec<Option<Ended>>) -> ScoreOutcome {
        let mut outcome = ScoreOutcome {
            completed: Vec::new(),
            reused: 0,
            failed: Vec::new(),
            interrupted: false,
        };
        for (Job { spec, .. }, ended) in jobs.iter().zip(ended) {
            // The shortest sufficient prefix counts: the answer does not depend on timing.
            let so_far: Vec<&RunSpec> = outcome.completed.iter().map(|(spec, _)| spec).collect();
            if self.is_enough(sweep.store, &so_far) {
                break;
            }
            match ended {
                Some(Ended::Complete { result, reused }) => {
                    outcome.reused += u32::from(reused);
                    outcome.completed.push((spec.clone(), result));
                }
                Some(Ended::Failed(failure)) => outcome.failed.push(failure),
                None => {}
            }
        }
        outcome.interrupted = sweep.stop.load(std::sync::atomic::Ordering::Relaxed);
        outcome
    }

    fn is_enough(&self, store: &Store, complete: &[&RunSpec]) -> bool {
        let Some(target) = self.until_reliability else { return false };
        if complete.len() < 2 {
            return false;
        }
        let (kind, step) = self.judged;
        let columns: Result<Vec<Vec<f32>>, StoreError> = complete
            .iter()
            .map(|spec| Ok(store.run(spec).read_scores(step)?.floats(kind.name())?.to_vec()))
            .collect();
        let Ok(columns) = columns else { return false };
        let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        reliability(&columns).is_ok_and(|found| found.full >= target)
    }
}

fn complete_specs<'s>(jobs: &'s [Job], ended: &[Option<Ended>]) -> Vec<&'s RunSpec> {
    let is_complete = |ended: &Option<Ended>| matches!(ended, Some(Ended::Complete { .. }));
    let pairs = jobs.iter().zip(ended);
    pairs.filter(|(_, ended)| is_complete(ended)).map(|(job, _)| &job.spec).collect()
}
