//! A window that slides over the ascending order of a score, with clean and with noisy labels (the
//! paper's figure 4).

use datadiet_core::{Amount, Choice, KeepFraction, Quota, Rule};
use datadiet_store::Store;
use datadiet_table::Ranking;
use serde::{Deserialize, Serialize};

use super::point::{Place, Point, Points};
use crate::{Fixed, LabError, Retraining, Scene, Scored};

/// Which windows are trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WindowPlan {
    /// Column whose order is slid over.
    pub by: String,
    /// Fraction kept.
    pub keep: KeepFraction,
    /// Fractions of the ascending order before the window.
    pub offsets: Vec<f64>,
    /// Fractions of randomised labels (`uniform`, as in the paper); 0 for clean labels.
    #[serde(default = "clean")]
    pub noise: Vec<f64>,
    /// How the subset is shared out over the classes.
    #[serde(default)]
    pub quota: Quota,
    /// Trainings on each subset.
    #[serde(default = "once")]
    pub retrainings: u32,
}

fn clean() -> Vec<f64> {
    vec![0.0]
}

fn once() -> u32 {
    1
}

impl WindowPlan {
    /// Number of trainings on subsets.
    pub fn trainings(&self) -> usize {
        self.noise.len() * (self.offsets.len() + 1) * self.retrainings as usize
    }

    /// Checks what does not need the scores.
    ///
    /// # Errors
    /// For a column that scoring does not take, or windows past the end.
    pub fn check(&self, scene: &Scene) -> Result<(), LabError> {
        scene.check_column(&self.by)?;
        let keep = f64::from(self.keep);
        let past = |offset: &&f64| **offset < 0.0 || **offset + keep > 1.0 + 1e-9;
        let problem = match self.offsets.iter().find(past) {
            Some(offset) => format!(
                "a window of {keep} that begins at {offset} ends past the order: offset and size \
                 together are at most 1"
            ),
            None if self.retrainings == 0 => "[window] retrainings must be at least 1".into(),
            None => return Ok(()),
        };
        Err(LabError::Plan(problem))
    }

    /// Chooses the windows of one scene, and a random subset of their size.
    ///
    /// # Errors
    /// When the column is unknown or does not order the examples, or a window is past the end.
    pub fn prepare(
        &self,
        store: &Store,
        scene: &Scene,
        scored: &Scored,
    ) -> Result<Points, LabError> {
        let ranking = scored.scores.ranking(&self.by, None)?;
        let mut points = Vec::new();
        for &offset in &self.offsets {
            let place = Place {
                series: ranking.name.clone(),
                offset: Some(offset),
                keep: self.keep.into(),
                time: None,
            };
            let rule = Rule::Window { offset };
            points.push(self.point(store, scene, place, rule, &ranking)?);
        }
        let place = Place { series: "random".into(), keep: self.keep.into(), ..Place::default() };
        points.push(self.point(store, scene, place, Rule::Random, &ranking)?);
        let full = Retraining::full(scene, self.retrainings);
        let how = "Networks are trained from scratch for as many steps as on everything.".into();
        Ok(Points { scene: scene.name.clone(), how, points, full })
    }

    fn point(
        &self,
        store: &Store,
        scene: &Scene,
        place: Place,
        rule: Rule,
        ranking: &Ranking,
    ) -> Result<Point, LabError> {
        let amount = Amount::Fraction(self.keep);
        let choice = Choice { rule, amount, quota: self.quota, seed: scene.template.seed };
        let (ranking, count) = (Some(ranking), self.retrainings);
        Point::chosen_by(&choice, ranking, store, scene, place, Fixed::Steps, count)
    }
}
