//! From the replicas of a run in the store to a score table.

use datadiet_core::ScoreKind;
use datadiet_store::{Labels, RunId, RunSpec, Store};
use datadiet_table::{Card, Column, RECORDED_PASS, ScoreTable, Table, TableBuilder, TimePoint};

use crate::LabError;

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
    let mut made = examples(labels, classes)?;
    let none = || LabError::Plan("no replica completed".into());
    for time in times {
        let runs = specs.iter().map(|spec| store.run(spec).read_scores(time.step));
        let runs = runs.collect::<Result<Vec<Table>, _>>()?;
        let first = runs.first().ok_or_else(none)?;
        for kind in ScoreKind::ALL.iter().filter(|kind| first.column(kind.name()).is_some()) {
            let replicas = runs.iter().map(|run| run.floats(kind.name()));
            let replicas = replicas.collect::<Result<Vec<&[f32]>, _>>()?;
            let name = made.add(*kind, time, &replicas)?;
            for (spec, values) in specs.iter().zip(&replicas).filter(|_| per_replica) {
                let replica = format!("{name}.r{}", spec.replica);
                made.push(replica, Column::F32(values.to_vec()))?;
            }
        }
        let runs: Option<Vec<&[u32]>> =
            runs.iter().map(|run| run.integers("predicted").ok()).collect();
        if let Some(runs) = runs {
            let votes_of = |example: usize| runs.iter().map(move |run| run[example]);
            made.add_predicted(time, labels.len(), votes_of)?;
        }
    }
    let spec = specs.first().ok_or_else(none)?;
    let pass = spec.trainer.as_ref().map(|t| t.pass.as_deref().unwrap_or(RECORDED_PASS));
    let (table, card) = made.finish(pass);
    let card = Card {
        specification: serde_json::to_value(spec).expect("a specification is plain data"),
        runs: specs.iter().map(|spec| RunId::of(spec).to_string()).collect(),
        replicas: Some(specs.len()),
        times: times.to_vec(),
        ..of_data(card, spec)
    };
    Ok(ScoreTable::new(table, card))
}

/// What [`aggregate`] gives, without scores: the examples that runs of a specification will score.
pub(crate) fn unscored(
    spec: &RunSpec,
    labels: &[u32],
    classes: &[String],
) -> Result<ScoreTable, LabError> {
    let (table, card) = examples(labels, classes)?.finish(None);
    Ok(ScoreTable::new(table, of_data(card, spec)))
}

fn examples(labels: &[u32], classes: &[String]) -> Result<TableBuilder, LabError> {
    let mut made = TableBuilder::default();
    made.push("id", Column::U32((0..labels.len() as u32).collect()))?;
    made.push("label", Column::U32(labels.to_vec()))?;
    let class = |&label: &u32| classes[label as usize].clone();
    made.push("class", Column::Text(labels.iter().map(class).collect()))?;
    Ok(made)
}

/// A card that says which data and labels a specification is of.
fn of_data(card: Card, spec: &RunSpec) -> Card {
    let relabelled = matches!(spec.labels, Labels::Listed(_));
    Card { data: Some(spec.data.clone()), relabelled, ..card }
}
