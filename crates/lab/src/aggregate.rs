//! From replicas to a score table: mean, standard error and reliability of every score.

use datadiet_core::{
    Definition, Direction, Reliability, ScoreKind, mean_and_standard_error, reliability,
};
use datadiet_store::{RunSpec, Store};
use datadiet_table::{Column, Table};
use serde::{Deserialize, Serialize};

use crate::LabError;

/// A time in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimePoint {
    /// As asked for, in epochs; names the columns.
    pub epochs: f64,
    /// Steps done.
    pub step: u64,
}

/// Scores over replicas, with what is known about each column.
#[derive(Clone, Debug)]
pub struct ScoreTable {
    /// `id`, `label`, `class`, then for every score and time its mean, standard error, and the
    /// replicas where wanted; for every time with an evaluation pass `predicted@T`, the class that
    /// most replicas predict.
    pub table: Table,
    /// One summary a score and time, in the order of the columns.
    pub columns: Vec<ColumnSummary>,
}

/// What a column holds, and how far to trust it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ColumnSummary {
    /// Name of the column of means, such as `el2n@4`.
    pub name: String,
    /// The score.
    pub score: ScoreKind,
    /// When it was taken.
    pub time: TimePoint,
    /// Which end is hard.
    pub direction: Direction,
    /// Formula, pass, range and source.
    pub definition: Definition,
    /// Mean over the examples.
    pub mean: f64,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Split-half reliability; none for one replica or where all examples score the same.
    pub reliability: Option<Reliability>,
}

/// Name of the column of a score at a time: `el2n@4`.
pub fn column_name(kind: ScoreKind, time: &TimePoint) -> String {
    format!("{kind}@{}", time.epochs)
}

/// Reads the scores of `specs` (replicas of one run) from the store and brings them together.
///
/// # Errors
/// When a run's scores are missing or damaged.
pub fn aggregate(
    store: &Store,
    specs: &[RunSpec],
    times: &[TimePoint],
    labels: &[u32],
    classes: &[String],
    per_replica: bool,
) -> Result<ScoreTable, LabError> {
    let mut table = Table::default();
    table.push("id", Column::U32((0..labels.len() as u32).collect()))?;
    table.push("label", Column::U32(labels.to_vec()))?;
    let class = |&label: &u32| classes[label as usize].clone();
    table.push("class", Column::Text(labels.iter().map(class).collect()))?;
    let mut columns = Vec::new();
    for time in times {
        let runs = specs.iter().map(|spec| store.run(spec).read_scores(time.step));
        let runs = runs.collect::<Result<Vec<Table>, _>>()?;
        let first = runs.first().ok_or_else(|| LabError::Plan("no replica completed".into()))?;
        for kind in ScoreKind::ALL.iter().filter(|kind| first.column(kind.name()).is_some()) {
            let replicas = runs.iter().map(|run| run.floats(kind.name()));
            let replicas = replicas.collect::<Result<Vec<&[f32]>, _>>()?;
            let summary = add(&mut table, *kind, time, &replicas)?;
            if per_replica {
                for (spec, values) in specs.iter().zip(&replicas) {
                    let name = format!("{}.r{}", summary.name, spec.replica);
                    table.push(name, Column::F32(values.to_vec()))?;
                }
            }
            columns.push(summary);
        }
        if let Some(predicted) = predictions(&runs, classes.len()) {
            table.push(format!("predicted@{}", time.epochs), Column::U32(predicted))?;
        }
    }
    Ok(ScoreTable { table, columns })
}

/// The class that most replicas predict; none where a run does not tell.
fn predictions(runs: &[Table], classes: usize) -> Option<Vec<u32>> {
    let runs: Vec<&[u32]> =
        runs.iter().map(|run| run.integers("predicted").ok()).collect::<Option<_>>()?;
    let examples = runs.first()?.len();
    most_predicted(examples, classes, |example| runs.iter().map(move |run| run[example]))
}

/// The class that most votes of each example are for, ties to the lowest; none where an example
/// has no vote.
pub(crate) fn most_predicted<V: Iterator<Item = u32>>(
    examples: usize,
    classes: usize,
    votes_of: impl Fn(usize) -> V,
) -> Option<Vec<u32>> {
    let mut votes = vec![0_u32; classes];
    let of = |example: usize| {
        votes.fill(0);
        votes_of(example).for_each(|class| votes[class as usize] += 1);
        let most = votes.iter().max().filter(|&&most| most > 0)?;
        votes.iter().position(|count| count == most).map(|class| class as u32)
    };
    (0..examples).map(of).collect()
}

/// Adds the mean of some replicas, and its standard error where there are several.
pub(crate) fn add(
    table: &mut Table,
    kind: ScoreKind,
    time: &TimePoint,
    replicas: &[&[f32]],
) -> Result<ColumnSummary, LabError> {
    let name = column_name(kind, time);
    let (mean, error) = mean_and_standard_error(replicas)?;
    let summary = summarise(&name, kind, time, &mean, replicas);
    table.push(name.clone(), Column::F32(mean))?;
    if replicas.len() > 1 {
        table.push(format!("{name}.se"), Column::F32(error))?;
    }
    Ok(summary)
}

fn summarise(
    name: &str,
    score: ScoreKind,
    time: &TimePoint,
    mean: &[f32],
    replicas: &[&[f32]],
) -> ColumnSummary {
    let seen: Vec<f32> = mean.iter().copied().filter(|value| !value.is_nan()).collect();
    let sum: f64 = seen.iter().map(|&value| f64::from(value)).sum();
    ColumnSummary {
        name: name.into(),
        score,
        time: time.clone(),
        direction: score.direction(),
        definition: score.definition(),
        mean: sum / seen.len() as f64,
        min: seen.iter().copied().fold(f32::INFINITY, f32::min),
        max: seen.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        reliability: if replicas.len() > 1 { reliability(replicas).ok() } else { None },
    }
}
