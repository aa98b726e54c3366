//! How well columns of scores find labels that are known to be wrong.

use datadiet_core::{Detection, Direction, ScoreKind, detection};
use serde::{Deserialize, Serialize};

use crate::{ScoreTable, TableError, kind_of};

/// How well one column finds wrong labels.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnDetection {
    /// The column.
    pub column: String,
    /// Which end is suspect: the hard one.
    pub direction: Direction,
    /// The metrics.
    #[serde(flatten)]
    pub found: Detection,
}

impl ColumnDetection {
    /// The k at which precision is taken where none are asked for: the number of wrong labels, and a
    /// tenth of it.
    pub fn default_ks(wrong: &[bool]) -> Vec<usize> {
        let count = wrong.iter().filter(|&&wrong| wrong).count();
        let mut ks = vec![(count / 10).max(1), count];
        ks.dedup();
        ks
    }
}

impl ScoreTable {
    /// How well some columns find the `wrong` labels (one entry a row), with the precision at each k
    /// of `at`, best average precision first. Left out are columns that not every example has a value
    /// in, and flags that are a part of another score.
    ///
    /// # Errors
    /// When a statistic is not defined, as where no label is wrong.
    pub fn detections(
        &self,
        columns: &[&str],
        wrong: &[bool],
        at: &[usize],
    ) -> Result<Vec<ColumnDetection>, TableError> {
        let mut found = Vec::new();
        for column in columns {
            if matches!(kind_of(column), Some(ScoreKind::NeverLearned | ScoreKind::Correct)) {
                continue;
            }
            let ranking = self.ranking(column, None)?;
            if ranking.values.iter().any(|value| value.is_nan()) {
                continue;
            }
            found.push(ColumnDetection {
                column: (*column).to_owned(),
                direction: ranking.direction,
                found: detection(&ranking.hardness(), wrong, at)?,
            });
        }
        found.sort_by(|a, b| b.found.average_precision.total_cmp(&a.found.average_precision));
        Ok(found)
    }
}
