//! A search as it is asked for, and what is planned for it.

use datadiet_core::{KeepFraction, Quota};
use serde::{Deserialize, Serialize};

use super::{Arm, SearchPlan};
use crate::LabError;

/// A search as it is asked for, in a TOML file or on the command line.
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
    /// Fraction of the training examples held out to judge.
    pub validation: f64,
    /// Trainings of whole length that the rungs of the search may cost.
    pub budget: f64,
    /// Trainings of the answer, of random examples and of everything.
    pub retrainings: u32,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            by: "el2n@end".into(),
            keep: Vec::new(),
            drops: vec![0.0, 0.05, 0.1, 0.2],
            quotas: vec![Quota::None],
            validation: 0.1,
            budget: 12.0,
            retrainings: 1,
        }
    }
}

impl SearchOptions {
    /// The search over a training set of `examples`, with as many ways to choose as its budget pays
    /// for.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn plan(
        &self,
        tolerance: Option<f64>,
        examples: usize,
        seed: u64,
    ) -> Result<SearchPlan, LabError> {
        self.check(tolerance, examples)?;
        let mut keep = self.keep.clone();
        keep.sort_by(|a, b| f64::from(*b).total_cmp(&f64::from(*a)));
        let arms = arms(&keep, &self.drops, &self.quotas);
        if arms.is_empty() {
            return Err(LabError::Plan("no keep leaves room for the drops beside it".into()));
        }
        Ok(SearchPlan {
            by: self.by.clone(),
            rungs: SearchPlan::halving(arms.len(), self.budget),
            arms,
            validation: self.validation,
            tolerance,
            finals: self.retrainings,
            seed,
        })
    }

    fn check(&self, tolerance: Option<f64>, examples: usize) -> Result<(), LabError> {
        let fraction = |value: f64| value > 0.0 && value < 0.9;
        let least = SearchPlan::LEAST_BUDGET;
        let problem = if self.keep.is_empty() {
            "a search needs fractions to keep, such as keep = [0.5]".into()
        } else if !fraction(self.validation) {
            format!("validation {} must lie between 0 and 0.9, such as 0.1", self.validation)
        } else if self.validation * (examples as f64) < 1.0 {
            format!("validation {} of {examples} examples holds none out", self.validation)
        } else if let Some(drop) = self.drops.iter().find(|drop| !(0.0..1.0).contains(*drop)) {
            format!("drops: {drop} must lie in [0, 1), such as 0.1")
        } else if self.budget < least || self.budget.is_nan() {
            format!("a budget of {} is too little: trying one subset takes {least}", self.budget)
        } else if self.retrainings == 0 {
            "retrainings must be at least 1".into()
        } else if tolerance.is_some_and(|tolerance| tolerance < 0.0 || tolerance.is_nan()) {
            "the tolerance must not be negative".into()
        } else {
            return Ok(());
        };
        Err(LabError::Plan(problem))
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
