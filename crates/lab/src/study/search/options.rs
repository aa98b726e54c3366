//! A search as it is asked for, and what is planned for it.

use datadiet_core::{KeepFraction, Quota};
use datadiet_store::Metric;
use serde::{Deserialize, Serialize};

use super::{Arm, SearchPlan, held_out};
use crate::refuse::{bail, ensure};
use crate::{Fixed, LabError, Scene};

/// A search as it is asked for, in a TOML file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct SearchOptions {
    /// Column to choose by.
    pub by: String,
    /// Fractions to keep.
    pub keep: Vec<KeepFraction>,
    /// Fractions of the hardest that are left out.
    pub drops: Vec<f64>,
    /// How subsets are shared out over the classes.
    pub quotas: Vec<Quota>,
    /// What stays the same when the training set shrinks; the number of steps where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<Fixed>,
    /// Fraction of the training examples held out to judge.
    pub validation: f64,
    /// Trainings of whole length that the rungs of the search may cost.
    pub budget: f64,
    /// Trainings of the answer, of random examples and of everything.
    pub retrainings: u32,
    /// Accuracy that may be lost, in points, or so much of the metric that a trainer is judged by: the
    /// smallest subset within it is sought. Without a tolerance, the best.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            by: "el2n@end".into(),
            keep: Vec::new(),
            drops: vec![0.0, 0.05, 0.1, 0.2],
            quotas: vec![Quota::None],
            fixed: None,
            validation: 0.1,
            budget: Self::BUDGET,
            retrainings: 1,
            tolerance: None,
        }
    }
}

impl SearchOptions {
    /// Trainings of whole length that the rungs of a search may cost where no number is given.
    pub const BUDGET: f64 = 12.0;

    /// The search in a scene, with as many ways to choose as its budget pays for.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn plan(&self, scene: &Scene) -> Result<SearchPlan, LabError> {
        self.check_values(scene.examples())?;
        let mut keep = self.keep.clone();
        keep.sort_by(|a, b| f64::from(*b).total_cmp(&f64::from(*a)));
        let arms = arms(&keep, &self.drops, &self.quotas);
        ensure!(!arms.is_empty(), "no keep leaves room for the drops beside it");
        let judged = scene.examples() - held_out(scene.examples(), self.validation);
        let smallest = keep.last().map_or(judged, |keep| keep.size_of(judged));
        scene.check_subset(smallest)?;
        let metric = scene.template.trainer.as_ref().map(|trainer| &trainer.metric);
        // Of accuracy in points, of another metric as it is.
        let unit = if metric.is_none_or(Metric::is_accuracy) { 100.0 } else { 1.0 };
        Ok(SearchPlan {
            by: scene.check_column(&self.by)?,
            rungs: SearchPlan::halving(arms.len(), self.budget),
            arms,
            fixed: self.fixed.unwrap_or_default(),
            validation: self.validation,
            tolerance: self.tolerance.map(|tolerance| tolerance / unit),
            finals: self.retrainings,
            seed: scene.template.seed,
        })
    }

    fn check_values(&self, examples: usize) -> Result<(), LabError> {
        let fraction = |value: f64| value > 0.0 && value < 0.9;
        let (validation, budget, least) = (self.validation, self.budget, SearchPlan::LEAST_BUDGET);
        ensure!(!self.keep.is_empty(), "a search needs fractions to keep, such as keep = [0.5]");
        ensure!(
            fraction(validation),
            "validation {validation} must lie between 0 and 0.9, such as 0.1"
        );
        ensure!(
            validation * examples as f64 >= 1.0,
            "validation {validation} of {examples} examples holds none out"
        );
        if let Some(drop) = self.drops.iter().find(|drop| !(0.0..1.0).contains(*drop)) {
            bail!("drops: {drop} must lie in [0, 1), such as 0.1");
        }
        ensure!(
            budget >= least,
            "a budget of {budget} is too little: trying one subset takes {least}"
        );
        ensure!(self.retrainings > 0, "retrainings must be at least 1");
        ensure!(
            self.tolerance.is_none_or(|tolerance| tolerance >= 0.0),
            "the tolerance must not be negative"
        );
        Ok(())
    }
}

/// All combinations that leave room for what is kept, those first that a small budget should try:
/// every size without quotas, then with them from the largest drop on.
fn arms(keep: &[KeepFraction], drops: &[f64], quotas: &[Quota]) -> Vec<Arm> {
    let mut arms = Vec::new();
    for (index, &quota) in quotas.iter().enumerate() {
        let mut drops = drops.to_vec();
        if index > 0 {
            drops.reverse();
        }
        for drop in drops {
            let fits = |keep: &&KeepFraction| f64::from(**keep) + drop <= 1.0 + 1e-9;
            arms.extend(keep.iter().filter(fits).map(|&keep| Arm { keep, drop, quota }));
        }
    }
    arms
}
