//! Accuracy against the fraction kept, and against the time at which scores were taken (the paper's
//! figures 1 and 2).

use datadiet_core::{KeepFraction, Quota};
use datadiet_store::Store;
use serde::{Deserialize, Serialize};

use super::point::{Place, Point, Points};
use crate::ranking::time_of;
use crate::{Amount, Choice, Fixed, Keep, LabError, Ranking, Retraining, Scene, Scored};

/// Which subsets are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct CurvePlan {
    /// Columns to choose by, such as `el2n@4`.
    pub by: Vec<String>,
    /// Fractions to keep.
    pub keep: Vec<KeepFraction>,
    /// Which part of the order is kept.
    pub rule: CurveRule,
    /// For `ccs`: fraction of the hardest that is dropped.
    pub cut: f64,
    /// For `ccs`: strata.
    pub strata: u32,
    /// How the subset is shared out over the classes.
    pub quota: Quota,
    /// What stays the same when the training set shrinks.
    pub fixed: Fixed,
    /// Trainings on each subset.
    pub retrainings: u32,
    /// Whether random subsets of the same sizes are trained on as well.
    pub random: bool,
}

/// Rules without a parameter of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CurveRule {
    /// The hard end of the score.
    #[default]
    Hardest,
    /// The easy end.
    Easiest,
    /// Coverage-centred.
    Ccs,
}

impl Default for CurvePlan {
    fn default() -> Self {
        Self {
            by: Vec::new(),
            keep: Vec::new(),
            rule: CurveRule::Hardest,
            cut: 0.1,
            strata: 50,
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

    fn part(&self) -> Keep {
        match self.rule {
            CurveRule::Hardest => Keep::Hardest,
            CurveRule::Easiest => Keep::Easiest,
            CurveRule::Ccs => Keep::Ccs { cut: self.cut, strata: self.strata },
        }
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
            let ranking = Ranking::of(&scored.scores.table, by)?;
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
        Ok(Points { scene: scene.name.clone(), points, full })
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
            keep: if ranking.is_some() { self.part() } else { Keep::Random },
            amount: Amount::Fraction(keep),
            quota: self.quota,
            seed: scene.template.seed,
        };
        let count = self.retrainings;
        Point::chosen_by(&choice, ranking, store, scene, place, self.fixed, count)
    }
}
