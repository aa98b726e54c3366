//! What there is to look at, which the page asks for first.

use datadiet_core::{ScoreKind, Task};
use datadiet_table::{WorstLabels, chance_of_order, direction_of, kind_of, measure_of, time_of};
use serde::Serialize;
use serde_json::{Value, json};

use crate::Explorer;
use crate::answers::{NAME, TEXT, short};
use crate::explorer::{Answer, Answered};
use crate::scores::Kind;

#[derive(Serialize)]
struct ColumnInfo<'a> {
    name: &'a str,
    kind: &'static str,
    hard: Option<&'static str>,
    reliability: Option<f64>,
    formula: Option<String>,
    when: Option<String>,
}

/// What there is.
pub fn info(explorer: &Explorer) -> Answered {
    let scores = &explorer.scores;
    let header = scores.header();
    let card = header.card();
    let columns = scores.columns();
    let of = |(name, kind): (&'_ str, Kind)| -> Value {
        let measure = measure_of(name).filter(|_| kind == Kind::Score);
        let definition = measure.map(|measure| header.task().definition_of(&measure));
        let direction = scores.hard(name).or_else(|| direction_of(name));
        json!(ColumnInfo {
            // Columns are asked for by their names: they are not shortened.
            kind: match kind {
                Kind::Score => "score",
                Kind::Detail => "detail",
                Kind::Whole => "whole",
                Kind::Text => "text",
            },
            hard: direction.filter(|_| kind == Kind::Score).map(datadiet_table::hard_end),
            reliability: card.and_then(|card| Some(card.column(name)?.reliability?.full)),
            formula: definition.as_ref().map(|definition| definition.formula.to_string()),
            when: definition.map(|definition| definition.when.to_string()),
            name,
        })
    };
    let (x, y) = axes(header.task(), &columns, &explorer.by);
    let suspicion = header.default_suspicion()?;
    let known = explorer.known.as_ref();
    let warned = known.and_then(|known| known.truth.warning.clone());
    let warnings: Vec<String> =
        chance_of_order(header, &explorer.by).into_iter().chain(warned).collect();
    let names = |worst: &WorstLabels| -> Vec<String> {
        worst.names.iter().map(|name| short(name, NAME)).collect()
    };
    let truth = known.map(|known| {
        let wrong = known.truth.wrong.iter().filter(|&&wrong| wrong).count();
        json!({ "name": known.path.display().to_string(), "wrong": wrong })
    });
    let classes: Vec<String> = scores.classes().iter().map(|name| short(name, NAME)).collect();
    let board = explorer.board();
    Ok(Answer::json(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": card.and_then(|card| card.data.as_ref()).map(|data| short(&data.name, NAME)),
        "scores": explorer.path.display().to_string(),
        "rows": scores.rows(),
        "replicas": header.replicas(),
        "task": header.task().name(),
        "worst": scores.worst()?.map(names),
        "truth": truth,
        "source": card.map(|card| short(&card.source, TEXT)),
        "classes": classes,
        "columns": columns.iter().copied().map(of).collect::<Vec<_>>(),
        "x": x, "y": y, "by": explorer.by, "suspicion": suspicion,
        "predicted": header.predictions_of(&suspicion),
        "labelled": scores.labels().is_some(),
        "contents": explorer.contents.kind(),
        "shape": explorer.contents.shape(),
        "who": short(&explorer.who, NAME),
        "marks": board.file.path().display().to_string(),
        "warnings": warnings,
        "measured": explorer.measured,
    })))
}

/// The two columns of the map at first, across and up: those of the task, as far as the table has them; else the
/// sorted column against its standard error, else against another score.
fn axes<'a>(task: Task, columns: &[(&'a str, Kind)], by: &'a str) -> (&'a str, &'a str) {
    let latest = |kind: ScoreKind| {
        let all =
            columns.iter().filter(|(name, of)| *of == Kind::Score && kind_of(name) == Some(kind));
        let time = |name: &str| time_of(name).unwrap_or_default();
        all.max_by(|a, b| time(a.0).total_cmp(&time(b.0))).map(|(name, _)| *name)
    };
    let wanted = of_task(task).iter().find_map(|&(x, y)| Some((latest(x)?, latest(y)?)));
    if let Some(both) = wanted {
        return both;
    }
    let error = format!("{by}.se");
    if let Some((error, _)) = columns.iter().find(|(name, _)| *name == error) {
        return (by, error);
    }
    let is_score = |(_, kind): &&(&str, Kind)| *kind == Kind::Score;
    let known = columns.iter().find(|(name, _)| *name == by).map(|(name, _)| *name);
    let first =
        known.or_else(|| columns.iter().find(is_score).map(|(name, _)| *name)).unwrap_or(by);
    let other =
        columns.iter().filter(is_score).rev().find(|(name, _)| kind_of(name) != kind_of(first));
    let other = other.or_else(|| columns.iter().filter(is_score).find(|(name, _)| *name != first));
    (first, other.map_or(first, |(name, _)| name))
}

/// Which scores tell most about the examples of a task beside each other, the best first: how sure and how steady
/// (dataset cartography, of losses and errors their mean and spread over the epochs), of texts the loss beside the
/// length, which explains much of it, of several labels all of them beside the worst.
fn of_task(task: Task) -> &'static [(ScoreKind, ScoreKind)] {
    use ScoreKind::{
        Aum, Confidence, ErrorNorm, ErrorStd, LeastAum, LeastMargin, Length, Loss, LossStd,
        MeanError, MeanLoss, MeanMargin, Variability,
    };
    match task {
        Task::Classification => &[(Variability, Confidence)],
        Task::Loss => &[(LossStd, MeanLoss)],
        Task::Tokens => &[(Length, MeanLoss), (Length, Loss), (Loss, MeanLoss)],
        Task::MultiLabel => &[(Aum, LeastAum), (MeanMargin, LeastMargin)],
        Task::Regression => &[(ErrorStd, MeanError), (Loss, ErrorNorm)],
    }
}
