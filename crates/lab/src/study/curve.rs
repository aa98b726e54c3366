//! Accuracy against the fraction kept, and against the time at which scores were taken (the paper's
//! figures 1 and 2).

use datadiet_core::{Amount, Choice, KeepFraction, Quota, Rule, RuleOptions, SelectionError};
use datadiet_store::Store;
use datadiet_table::{Ranking, time_of};
use serde::{Deserialize, Serialize};

use super::point::{Place, Point, Points};
use crate::{Fixed, LabError, Retraining, Scene, Scored};

/// Which subsets are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CurvePlan {
    /// Columns to choose by, such as `el2n@4`.
    pub by: Vec<String>,
    /// Fractions to keep.
    pub keep: Vec<KeepFraction>,
    /// Which part of the order is kept, by its name in [`Rule::NAMES`].
    pub rule: String,
    /// For `ccs`: fraction of the hardest that is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<f64>,
    /// For `ccs`: strata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strata: Option<u32>,
    /// How the subset is shared out over the classes.
    pub quota: Quota,
    /// What stays the same when the training set shrinks.
    pub fixed: Fixed,
    /// Trainings on each subset.
    pub retrainings: u32,
    /// Whether random subsets of the same sizes are trained on as well.
    pub random: bool,
}

impl Default for CurvePlan {
    fn default() -> Self {
        Self {
            by: Vec::new(),
            keep: Vec::new(),
            rule: Rule::Hardest.name().into(),
            cut: None,
            strata: None,
            quota: Quota::None,
            fixed: Fixed::Steps,
            retrainings: 1,
            random: true,
        }
    }
}

impl CurvePlan {
    /// Number of trainings on subsets.
    pub fn trainings(&self) -> usize {
        let series = self.by.len() + usize::from(self.random);
        series * self.keep.len() * self.retrainings as usize
    }

    fn rule(&self) -> Result<Rule, SelectionError> {
        let options = RuleOptions { offset: None, cut: self.cut, strata: self.strata };
        Rule::named(&self.rule, options, 1)
    }

    /// How subsets are chosen and trained on, in words.
    fn how(&self) -> Result<String, SelectionError> {
        let rule = self.rule()?;
        let quota = match self.quota {
            Quota::None => "",
            Quota::Proportional => ", each class in proportion",
            Quota::Balanced => ", each class alike",
        };
        let fixed = match self.fixed {
            Fixed::Steps => "as many steps as on everything",
            Fixed::Epochs => "as many epochs as on everything, so fewer steps",
        };
        Ok(format!(
            "Subsets of each size are chosen by the rule `{}` ({rule}{quota}); networks are trained on \
             them from scratch for {fixed}.",
            rule.name()
        ))
    }

    /// Checks what does not need the scores.
    ///
    /// # Errors
    /// For columns that scoring does not take, or parameters that make no sense.
    pub fn check(&self, scene: &Scene) -> Result<(), LabError> {
        self.by.iter().try_for_each(|by| scene.check_column(by).map(drop))?;
        self.rule()?;
        let problem = if self.keep.is_empty() {
            "[curve] needs keep, such as keep = [0.75, 0.5]"
        } else if self.by.is_empty() && !self.random {
            "[curve] needs by, such as by = [\"el2n@4\"]"
        } else if self.retrainings == 0 {
            "[curve] retrainings must be at least 1"
        } else {
            return Ok(());
        };
        Err(LabError::Plan(problem.into()))
    }

    /// Chooses the subsets.
    ///
    /// # Errors
    /// When a column is unknown or does not order the examples.
    pub fn prepare(
        &self,
        store: &Store,
        scene: &Scene,
        scored: &Scored,
    ) -> Result<Points, LabError> {
        let mut points = Vec::new();
        for by in &self.by {
            let ranking = scored.scores.ranking(by, None)?;
            for &keep in &self.keep {
                let place = Place {
                    series: ranking.name.clone(),
                    keep: keep.into(),
                    offset: None,
                    time: time_of(&ranking.name),
                };
                points.push(self.point(store, scene, place, keep, Some(&ranking))?);
            }
        }
        for &keep in self.keep.iter().filter(|_| self.random) {
            let place = Place { series: "random".into(), keep: keep.into(), ..Place::default() };
            points.push(self.point(store, scene, place, keep, None)?);
        }
        let full = Retraining::full(scene, self.retrainings);
        Ok(Points { scene: scene.name.clone(), how: self.how()?, points, full })
    }

    fn point(
        &self,
        store: &Store,
        scene: &Scene,
        place: Place,
        keep: KeepFraction,
        ranking: Option<&Ranking>,
    ) -> Result<Point, LabError> {
        let choice = Choice {
            rule: if ranking.is_some() { self.rule()? } else { Rule::Random },
            amount: Amount::Fraction(keep),
            quota: self.quota,
            seed: scene.template.seed,
        };
        let count = self.retrainings;
        Point::chosen_by(&choice, ranking, store, scene, place, self.fixed, count)
    }
}
