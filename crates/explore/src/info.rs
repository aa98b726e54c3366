//! What there is to look at, which the page asks for first.

use datadiet_table::{WorstLabels, chance_of_order, direction_of, measure_of};
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
    let (x, y) = header.map_axes(&explorer.by);
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
