//! How much scores agree: between scores, times and networks (the paper's figure 3).

use datadiet_core::{Interval, spearman, spearman_interval, top_overlap};
use serde::{Deserialize, Serialize};

use crate::{LabError, Scene, Scored};

/// Resamples of the examples for an interval.
const RESAMPLES: usize = 200;

/// Which columns are compared.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CorrelationsPlan {
    /// Columns of each network's table.
    pub columns: Vec<String>,
    /// Networks beside the experiment's own.
    #[serde(default)]
    pub networks: Vec<OtherNetwork>,
}

/// A network to score with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OtherNetwork {
    /// Its name, such as `simple-cnn`.
    pub model: String,
    /// Channels of its first stage; its own default where none are given.
    #[serde(default)]
    pub width: Option<u32>,
    /// Its learning rate, where it needs another.
    #[serde(default)]
    pub lr: Option<f64>,
}

/// How much scores agree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CorrelationsOutcome {
    /// What is compared: columns, with the network where there are several.
    pub names: Vec<String>,
    /// Spearman's ρ of every pair; none where a column is constant.
    pub spearman: Vec<Vec<Option<f64>>>,
    /// Its 95 % bootstrap interval over examples.
    pub intervals: Vec<Vec<Option<Interval>>>,
    /// Fraction of the hardest half that both share; a half is chance.
    pub top_half_overlap: Vec<Vec<Option<f64>>>,
}

impl CorrelationsPlan {
    /// Compares the columns of all scenes.
    ///
    /// # Errors
    /// When a column is unknown.
    pub fn outcome(&self, scenes: &[(&Scene, &Scored)]) -> Result<CorrelationsOutcome, LabError> {
        let mut columns = Vec::new();
        for (scene, scored) in scenes {
            for name in &self.columns {
                // A column that this network's table lacks is a mistake, not a gap.
                let ranking = scored.scores.ranking(name, None)?;
                columns.push((scene.named(&ranking.name), ranking.hardness()));
            }
        }
        Ok(compare(&columns))
    }
}

/// Compares columns of the same examples, each turned so that higher is harder.
pub fn compare(columns: &[(String, Vec<f32>)]) -> CorrelationsOutcome {
    let values: Vec<&[f32]> = columns.iter().map(|(_, values)| values.as_slice()).collect();
    let half = |values: &[f32]| (values.len() / 2).max(1);
    CorrelationsOutcome {
        names: columns.iter().map(|(name, _)| name.clone()).collect(),
        spearman: symmetric(&values, |a, b| spearman(a, b).ok()),
        intervals: symmetric(&values, |a, b| spearman_interval(a, b, RESAMPLES, 0).ok()),
        top_half_overlap: symmetric(&values, |a, b| top_overlap(a, b, half(a)).ok()),
    }
}

/// The matrix of a symmetric measure, each pair computed once.
fn symmetric<T: Copy>(
    columns: &[&[f32]],
    measure: impl Fn(&[f32], &[f32]) -> Option<T>,
) -> Vec<Vec<Option<T>>> {
    let mut matrix = vec![vec![None; columns.len()]; columns.len()];
    for (row, a) in columns.iter().enumerate() {
        for (column, b) in columns.iter().enumerate().take(row + 1) {
            let value = measure(a, b);
            matrix[row][column] = value;
            matrix[column][row] = value;
        }
    }
    matrix
}
