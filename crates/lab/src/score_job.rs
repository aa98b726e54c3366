//! Scoring a data set: independent replicas of one run, as many as are wanted or needed.

use datadiet_core::{ScoreKind, reliability};
use datadiet_store::{RunResult, RunSpec, Store};

use crate::{Ended, Failure, LabError, Sweep};

/// Replicas of one specification.
#[derive(Clone, Debug)]
pub struct ScoreJob {
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
        let specs: Vec<RunSpec> = (0..self.replicas)
            .map(|replica| RunSpec { replica, ..self.template.clone() })
            .collect();
        let wanted = |ended: &[Option<Ended>]| {
            let complete = complete_specs(&specs, ended);
            !self.is_enough(sweep.store, &complete)
        };
        let ended = sweep.run(&specs, &wanted)?;
        Ok(self.outcome(sweep, &specs, ended))
    }

    fn outcome(
        &self,
        sweep: &Sweep<'_>,
        specs: &[RunSpec],
        ended: Vec<Option<Ended>>,
    ) -> ScoreOutcome {
        let mut outcome = ScoreOutcome {
            completed: Vec::new(),
            reused: 0,
            failed: Vec::new(),
            interrupted: false,
        };
        for (spec, ended) in specs.iter().zip(ended) {
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
        let columns: Result<Vec<Vec<f32>>, _> = complete
            .iter()
            .map(|spec| store.run(spec).read_scores(step)?.floats(kind.name()).map(<[f32]>::to_vec))
            .collect();
        let Ok(columns) = columns else { return false };
        let columns: Vec<&[f32]> = columns.iter().map(Vec::as_slice).collect();
        reliability(&columns).is_ok_and(|found| found.full >= target)
    }
}

fn complete_specs<'s>(specs: &'s [RunSpec], ended: &[Option<Ended>]) -> Vec<&'s RunSpec> {
    let is_complete = |ended: &Option<Ended>| matches!(ended, Some(Ended::Complete { .. }));
    specs.iter().zip(ended).filter(|(_, ended)| is_complete(ended)).map(|(spec, _)| spec).collect()
}
