//! The likeliest mislabelled examples: the hardest by a score, with what the networks predict.

use datadiet_core::{ExampleId, order};
use datadiet_table::Table;
use serde::Serialize;

use crate::ranking::time_of;
use crate::{LabError, Ranking};

/// An example that may be mislabelled.
#[derive(Clone, Debug, Serialize)]
pub struct Suspect {
    /// Its id.
    pub id: u32,
    /// Its own id, where the table has another for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its value in the column.
    pub score: f32,
    /// The class it is labelled as.
    pub class: String,
    /// Index of that class.
    pub label: u32,
    /// The class that most replicas predict, where the table tells.
    pub predicted: Option<String>,
    /// Whether its label was changed, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}

impl Suspect {
    /// The id by which its owner knows it.
    pub fn name(&self) -> String {
        self.key.clone().unwrap_or_else(|| self.id.to_string())
    }
}

/// The `n` hardest examples that have a score, hardest first.
///
/// # Errors
/// When the column cannot be ordered.
pub fn suspects(
    table: &Table,
    classes: &[String],
    ranking: &Ranking,
    changed: Option<&[bool]>,
    n: usize,
) -> Result<Vec<Suspect>, LabError> {
    let hardness = ranking.hardness();
    let all = table.integers("id").ok();
    let id = |row: usize| all.map_or(row as u32, |ids| ids[row]);
    let scored: Vec<usize> = (0..hardness.len()).filter(|&row| !hardness[row].is_nan()).collect();
    let values: Vec<f32> = scored.iter().map(|&row| hardness[row]).collect();
    let ids: Vec<ExampleId> = scored.iter().map(|&row| ExampleId(id(row))).collect();
    let ranked = order(&values, &ids)?;
    let labels = table.integers("label").unwrap_or_default();
    let predicted = predictions(table, &ranking.name);
    let name =
        |class: u32| classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
    let suspect = |&position: &u32| {
        let row = scored[position as usize];
        let label = labels.get(row).copied().unwrap_or_default();
        Suspect {
            id: id(row),
            key: table.key(row),
            score: ranking.values[row],
            class: name(label),
            label,
            predicted: predicted.map(|predicted| name(predicted[row])),
            changed: changed.map(|changed| changed[row]),
        }
    };
    Ok(ranked.iter().rev().take(n).map(suspect).collect())
}

/// The predictions at the time of a column, else the latest.
fn predictions<'t>(table: &'t Table, column: &str) -> Option<&'t [u32]> {
    let time = column.split_once('@').map(|(_, time)| format!("predicted@{time}"));
    if let Some(found) = time.and_then(|name| table.integers(&name).ok()) {
        return Some(found);
    }
    let of = |name: &&str| name.starts_with("predicted@");
    let latest = table
        .names()
        .filter(of)
        .max_by(|a, b| time_of(a).unwrap_or_default().total_cmp(&time_of(b).unwrap_or_default()))?;
    table.integers(latest).ok()
}
