//! A way to choose a subset: leave out the hardest, then keep the hardest of the others.

use datadiet_core::{
    Amount, Candidates, Choice, Chosen, Classes, ExampleId, KeepFraction, Quota, Rule,
};
use datadiet_table::Ranking;
use serde::{Deserialize, Serialize};

use crate::LabError;

/// A way to choose a subset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// Fraction kept.
    pub keep: KeepFraction,
    /// Fraction of the hardest that is left out; 0 keeps the hardest.
    pub drop: f64,
    /// How the subset is shared out over the classes.
    pub quota: Quota,
}

impl Arm {
    /// What it chooses among `candidates`, ascending ids. With class quotas the hardest are left out
    /// of each class.
    ///
    /// # Errors
    /// When the ranking does not order the candidates.
    pub fn among(
        &self,
        candidates: &[ExampleId],
        ranking: &Ranking<'_>,
        classes: Classes<'_>,
    ) -> Result<Chosen, LabError> {
        let choice = |rule: Rule, count: usize, quota: Quota| Choice {
            rule,
            amount: Amount::Count(count),
            quota,
            seed: 0,
        };
        let size = self.keep.size_of(candidates.len());
        let dropped = (self.drop * candidates.len() as f64).round() as usize;
        let left = (candidates.len() - dropped.min(candidates.len())).max(size);
        let by_class = if self.quota == Quota::None { Quota::None } else { Quota::Proportional };
        let scores = Some(ranking.scores());
        let others =
            choice(Rule::Easiest, left, by_class).among(candidates, scores, Some(classes))?;
        let hardest = choice(Rule::Hardest, size, self.quota);
        Ok(hardest.among(Candidates::These(&others.ids), scores, Some(classes))?)
    }

    /// The same size, but the hardest whatever their class.
    pub fn plain(&self) -> Self {
        Self { drop: 0.0, quota: Quota::None, ..*self }
    }

    /// `keep 50 %, without the hardest 10 %, classes balanced`.
    pub fn text(&self) -> String {
        let percent = |value: f64| format!("{} %", (value * 1000.0).round() / 10.0);
        let mut text = format!("keep {}", percent(self.keep.into()));
        if self.drop > 0.0 {
            text += &format!(", without the hardest {}", percent(self.drop));
        }
        match self.quota {
            Quota::None => {}
            Quota::Proportional => text += ", classes in proportion",
            Quota::Balanced => text += ", classes balanced",
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use datadiet_core::Direction;

    use super::*;

    fn chosen(drop: f64, quota: Quota, direction: Direction) -> Vec<u32> {
        let values: Vec<f32> = (0..20).map(|id| id as f32).collect();
        let ranking =
            Ranking { name: "s".into(), values: values.into(), direction, assumed: false };
        // The upper half is one class, the lower half another.
        let labels: Vec<u32> = (0..20).map(|id| u32::from(id >= 10)).collect();
        let all: Vec<ExampleId> = (0..20).map(ExampleId).collect();
        let arm = Arm { keep: KeepFraction::try_from(0.2).unwrap(), drop, quota };
        let chosen = arm.among(&all, &ranking, Classes { labels: &labels, count: 2 }).unwrap();
        chosen.ids.iter().map(|id| id.0).collect()
    }

    #[test]
    fn the_hardest_are_left_out_then_the_hardest_kept() {
        use Direction::{HigherIsHarder, LowerIsHarder};
        assert_eq!(chosen(0.0, Quota::None, HigherIsHarder), [16, 17, 18, 19]);
        assert_eq!(chosen(0.1, Quota::None, HigherIsHarder), [14, 15, 16, 17]);
        assert_eq!(chosen(0.1, Quota::None, LowerIsHarder), [2, 3, 4, 5]);
        // A tenth of each class goes, then two of each are kept.
        assert_eq!(chosen(0.1, Quota::Balanced, HigherIsHarder), [7, 8, 17, 18]);
    }
}
