//! How far an experiment has come, as a study sees it.

use datadiet_store::Store;
use serde::Serialize;
use serde_json::Value;

use crate::scenes::{Scenes, Variation};
use crate::{Job, LabError, MeasurementJob, Results, Scored, ScoredScene};

/// The scenes, their scores, and the runs that have ended.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// Where runs and lists live.
    pub store: &'a Store,
    /// The scenes.
    pub scenes: &'a Scenes,
    /// Their scores, in order; none where no replica completed.
    pub scored: &'a [Option<Scored>],
    /// What came of the runs so far.
    pub results: &'a Results,
}

/// Why a study has no outcome.
#[derive(Debug)]
pub enum Wait {
    /// It needs these trainings first.
    Trainings(Vec<Job>),
    /// It needs these measurements first.
    Measurements(Vec<MeasurementJob>),
    /// It has none without the scores of these scenes, of which no replica completed.
    Unscored(Vec<String>),
    /// It makes no sense, or the store cannot be used.
    Error(LabError),
}

impl<E: Into<LabError>> From<E> for Wait {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

impl<'a> Stage<'a> {
    /// The plain scene.
    ///
    /// # Errors
    /// When no replica completed that scores it.
    pub fn plain(&self) -> Result<ScoredScene<'a>, Wait> {
        Ok(self.scored(&[Variation::default()])?[0])
    }

    /// Those of some scenes that were scored.
    ///
    /// # Errors
    /// When none of them was.
    pub fn scored(&self, variations: &[Variation]) -> Result<Vec<ScoredScene<'a>>, Wait> {
        let (store, all) = (self.store, variations.iter().map(|v| self.scenes.position(v)));
        let scored: Vec<ScoredScene<'a>> = all
            .clone()
            .filter_map(|at| {
                let (scene, scored) = (&self.scenes.all()[at], self.scored[at].as_ref()?);
                Some(ScoredScene { store, scene, scored })
            })
            .collect();
        if scored.is_empty() {
            let names = all.map(|at| self.scenes.all()[at].name.clone());
            return Err(Wait::Unscored(names.collect()));
        }
        Ok(scored)
    }

    /// Waits until all these trainings have completed or failed.
    ///
    /// # Errors
    /// [`Wait`] for the others.
    pub fn trained(&self, jobs: impl IntoIterator<Item = Job>) -> Result<(), Wait> {
        let jobs = jobs.into_iter().filter(|job| !self.results.has_run(job));
        let jobs: Vec<Job> = jobs.collect();
        if jobs.is_empty() { Ok(()) } else { Err(Wait::Trainings(jobs)) }
    }

    /// Waits until all these measurements were made or failed.
    ///
    /// # Errors
    /// [`Wait`] for the others.
    pub fn measured(&self, jobs: impl IntoIterator<Item = MeasurementJob>) -> Result<(), Wait> {
        let jobs = jobs.into_iter().filter(|job| !self.results.has_measured(job));
        let jobs: Vec<MeasurementJob> = jobs.collect();
        if jobs.is_empty() { Ok(()) } else { Err(Wait::Measurements(jobs)) }
    }
}

/// An outcome, as it stands in `outcome.json`.
pub(super) fn found(outcome: impl Serialize) -> Result<Value, Wait> {
    Ok(serde_json::to_value(outcome).expect("an outcome is plain data"))
}
