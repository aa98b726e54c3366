//! How much scores agree: between scores, times and networks (the paper's figure 3).

use datadiet_core::{Interval, spearman, spearman_interval, top_overlap};
use datadiet_report::{Block, Chart, Figure, HeatmapChart, Section, TableBlock};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stage::found;
use super::{Findings, Kind, NamedTable, Stage, Study, Wait, read};
use crate::LabError;
use crate::scenes::{Labelling, OtherNetwork, Scenes, Variation};

/// `[correlations]`.
pub const KIND: Kind = Kind {
    name: "correlations",
    read: read::<CorrelationsPlan>,
    findings: |outcome| Ok(findings(&CorrelationsOutcome::deserialize(outcome)?)),
};

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

impl Study for CorrelationsPlan {
    fn scenes(&self) -> Vec<Variation> {
        let other = |network: &OtherNetwork| Some(network.clone());
        let networks = std::iter::once(None).chain(self.networks.iter().map(other));
        networks.map(|network| Variation { labelling: Labelling::Plain, network }).collect()
    }

    fn check(&self, scenes: &Scenes) -> Result<(), LabError> {
        self.columns.iter().try_for_each(|name| scenes.plain().check_column(name).map(drop))
    }

    fn outcome(&self, stage: &Stage<'_>) -> Result<Value, Wait> {
        let mut columns = Vec::new();
        for at in stage.scored(&self.scenes())? {
            for name in &self.columns {
                // A column that this network's table lacks is a mistake, not a gap.
                let ranking = at.ranking(name)?;
                columns.push((at.scene.named(&ranking.name), ranking.hardness()));
            }
        }
        found(compare(&columns))
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

fn findings(found: &CorrelationsOutcome) -> Findings {
    let mut header = vec![""];
    header.extend(found.names.iter().map(String::as_str));
    let rows = found.names.iter().zip(&found.spearman).map(|(name, values)| {
        let cells = values.iter().map(|value| value.map_or(String::new(), |v| v.to_string()));
        std::iter::once(name.clone()).chain(cells).collect()
    });
    Findings {
        tables: vec![NamedTable::new("spearman.csv", &header, rows.collect())],
        sections: vec![section(found)],
        ..Findings::default()
    }
}

fn section(found: &CorrelationsOutcome) -> Section {
    let details = |row: usize, column: usize| {
        let interval = found.intervals[row][column].filter(|_| row != column);
        let interval = interval
            .map_or(String::new(), |i| format!("95 % interval {:.3} to {:.3}; ", i.low, i.high));
        let overlap = found.top_half_overlap[row][column];
        let overlap =
            overlap.map_or(String::new(), |o| format!("hardest halves share {:.1} %", o * 100.0));
        format!("{interval}{overlap}")
    };
    let size = found.names.len();
    let figure = Figure {
        id: "spearman".into(),
        title: "Spearman's rank correlation of scores".into(),
        caption: "Each column is turned so that higher is harder. Intervals: bootstrap over \
                  examples, which says nothing of other replicas. Hardest halves share 50 % by \
                  chance; ties are in random order, so a coarse score does not wholly share with itself."
            .into(),
        chart: Chart::Heatmap(HeatmapChart {
            rows: found.names.clone(),
            columns: found.names.clone(),
            values: found.spearman.clone(),
            details: (0..size).map(|r| (0..size).map(|c| details(r, c)).collect()).collect(),
            range: (-1.0, 1.0),
        }),
    };
    let overlap = TableBlock {
        caption: "Share of the hardest half that two scores have in common, %".into(),
        header: std::iter::once(String::new()).chain(found.names.iter().cloned()).collect(),
        rows: found
            .names
            .iter()
            .zip(&found.top_half_overlap)
            .map(|(name, row)| {
                let cells =
                    row.iter().map(|o| o.map_or("–".into(), |o| format!("{:.1}", o * 100.0)));
                std::iter::once(name.clone()).chain(cells).collect()
            })
            .collect(),
        text_columns: 1,
    };
    let blocks = vec![Block::Figure(figure), Block::Table(overlap)];
    Section { id: "correlations".into(), title: "How much scores agree".into(), blocks }
}
