//! Answers to the page: columns and orders as numbers, examples, suspects, marks.

use std::collections::{BTreeMap, HashSet};

use axum::extract::Query;
use axum::http::Uri;
use datadiet_core::{Direction, ScoreKind};
use datadiet_table::{Column, Row, Verdict, kind_of, time_of};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::Explorer;
use crate::explorer::{Answer, Answered, Board, MOST_ROWS};
use crate::scores::Kind;

/// Characters of a name that a page is sent; of a text in the gallery; of a text on a page of its own.
pub(crate) const NAME: usize = 200;
const EXCERPT: usize = 400;
pub(crate) const TEXT: usize = 200_000;
/// Neighbours of an example on each side.
const NEIGHBOURS: usize = 6;
/// Ids that a search offers.
const OFFERED: usize = 20;

/// A query, typed.
pub(crate) fn parsed<T: DeserializeOwned>(query: &str) -> Result<T, Answer> {
    let uri = Uri::builder().path_and_query(format!("/?{query}")).build();
    let uri = uri.map_err(|error| Answer::error(400, error))?;
    let Query(value) =
        Query::try_from_uri(&uri).map_err(|error| Answer::error(400, error.body_text()))?;
    Ok(value)
}

/// The beginning of a text, not longer than so many characters.
pub(crate) fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// The values of a column: floats of 32 bits, or whole numbers of 32 bits. Of texts nothing.
pub fn column(explorer: &Explorer, query: &str) -> Answered {
    let Named { name } = parsed(query)?;
    let known = explorer
        .scores
        .columns()
        .iter()
        .any(|(column, kind)| *column == name && *kind != Kind::Text);
    if !known && !name.contains('+') {
        return Ok(Answer::error(404, "there is no such column of numbers"));
    }
    if !known {
        return Ok(explorer
            .scores
            .ranked(&name, |_, ranking| Ok(Answer::words(&ranking.values, f32::to_le_bytes)))?);
    }
    Ok(match &*explorer.scores.column(&name)? {
        Column::F32(values) => Answer::words(values, f32::to_le_bytes),
        Column::U32(values) => Answer::words(values, u32::to_le_bytes),
        Column::Text(_) => Answer::error(404, "there is no such column of numbers"),
    })
}

/// The rows in the order of a column: see [`crate::scores::Scores::order`].
pub fn order(explorer: &Explorer, query: &str) -> Answered {
    let Named { name } = parsed(query)?;
    Ok(Answer::words(&explorer.scores.order(&name)?, u32::to_le_bytes))
}

#[derive(Deserialize)]
struct RowsQuery {
    rows: String,
}

/// Ids and beginnings of texts of some rows.
pub fn rows(explorer: &Explorer, query: &str) -> Answered {
    let RowsQuery { rows } = parsed(query)?;
    let rows: Result<Vec<u32>, _> =
        rows.split(',').filter(|row| !row.is_empty()).take(MOST_ROWS + 1).map(str::parse).collect();
    let Ok(rows) = rows else { return Ok(Answer::error(400, "rows are whole numbers")) };
    if rows.len() > MOST_ROWS {
        return Ok(Answer::error(400, format!("at most {MOST_ROWS} rows at a time")));
    }
    let Some(rows) = rows.into_iter().map(|row| explorer.row(row)).collect::<Option<Vec<Row>>>()
    else {
        return Ok(Answer::error(404, "there is no such row"));
    };
    let ids = explorer.scores.own_ids();
    let of = |&row: &Row| {
        let text = explorer.contents.text(row).map(|text| short(&text, EXCERPT));
        json!({ "row": row.0, "id": short(&ids.text(row), NAME), "text": text })
    };
    Ok(Answer::json(&rows.iter().map(of).collect::<Vec<_>>()))
}

#[derive(Deserialize)]
struct RowQuery {
    row: u32,
    #[serde(default)]
    large: bool,
    #[serde(default)]
    by: Option<String>,
}

impl RowQuery {
    fn row(&self, explorer: &Explorer) -> Result<Row, Answer> {
        explorer.row(self.row).ok_or_else(|| Answer::error(404, "there is no such row"))
    }
}

/// The picture of a row.
pub fn picture(explorer: &Explorer, query: &str) -> Answered {
    let asked: RowQuery = parsed(query)?;
    match explorer.contents.picture(asked.row(explorer)?, asked.large) {
        Ok(Some((kind, bytes))) => Ok(Answer { constant: true, ..Answer::of(kind, bytes) }),
        Ok(None) => Ok(Answer::error(404, "this row has no picture")),
        Err(error) => Ok(Answer::error(500, error)),
    }
}

/// Everything about a row.
pub fn example(explorer: &Explorer, query: &str) -> Answered {
    let asked: RowQuery = parsed(query)?;
    let row = asked.row(explorer)?;
    let scores = &explorer.scores;
    let by = asked.by.as_deref().unwrap_or(&explorer.by);
    let (mut shown, mut tracks) = (Vec::new(), Vec::<(ScoreKind, Vec<Value>)>::new());
    let columns = scores.columns();
    let mut facts = Vec::new();
    for &(name, kind) in &columns {
        match kind {
            Kind::Score => {
                let Some(rank) = scores.rank(name, row)? else { continue };
                let error = deviation(explorer, &columns, name, row)?;
                let summary = scores.header().card().and_then(|card| card.column(name));
                shown.push(json!({
                    "name": name, "value": finite(rank.value), "text": rank.value.to_string(),
                    "se": error, "rank": rank.rank, "of": rank.of, "ties": rank.ties, "time": time_of(name),
                    "hard": match rank.direction {
                        Direction::HigherIsHarder => "high",
                        Direction::LowerIsHarder => "low",
                    },
                    "reliability": summary.and_then(|column| Some(column.reliability?.full)),
                }));
                if let (Some(score), Some(time)) = (kind_of(name), time_of(name)) {
                    let point = json!([time, finite(rank.value), error]);
                    match tracks.iter_mut().find(|(known, _)| *known == score) {
                        Some((_, points)) => points.push(point),
                        None => tracks.push((score, vec![point])),
                    }
                }
            }
            Kind::Whole | Kind::Text => {
                let value = match &*scores.column(name)? {
                    Column::U32(values) => Value::from(values[row.index()]),
                    Column::Text(texts) => Value::from(short(&texts[row.index()], NAME)),
                    Column::F32(_) => continue,
                };
                facts.push(json!({ "name": name, "value": value }));
            }
            Kind::Detail => {}
        }
    }
    let track = |(score, mut points): (ScoreKind, Vec<Value>)| {
        points.sort_by(|a, b| {
            a[0].as_f64().unwrap_or_default().total_cmp(&b[0].as_f64().unwrap_or_default())
        });
        (points.len() > 1).then(|| json!({ "score": score.name(), "points": points }))
    };
    let board = explorer.fresh_board()?;
    let said = |act: &std::sync::Arc<datadiet_table::Act>| {
        json!({
            "at": act.at, "by": short(&act.by, NAME), "mark": act.mark,
            "label": act.label.as_deref().map(|label| short(label, NAME)), "undoes": act.undoes.is_some(),
        })
    };
    let history: Vec<Value> = board.marks.history(row).iter().map(said).collect();
    drop(board);
    Ok(Answer::json(&json!({
        "row": row.0,
        "id": short(&scores.own_ids().text(row), NAME),
        "label": scores.labels().map(|labels| labels[row.index()]),
        "scores": shown,
        "facts": facts,
        "tracks": tracks.into_iter().filter_map(track).collect::<Vec<_>>(),
        "neighbours": scores.neighbours(by, row, NEIGHBOURS)?,
        "by": by,
        "text": explorer.contents.text(row).map(|text| short(&text, TEXT)),
        "history": history,
    })))
}

/// JSON has no ∞.
fn finite(value: f32) -> Option<f32> {
    value.is_finite().then_some(value)
}

/// The standard error of a row in a column, where the table has it.
fn deviation(
    explorer: &Explorer,
    columns: &[(&str, Kind)],
    name: &str,
    row: Row,
) -> Result<Option<f32>, Answer> {
    let error = format!("{name}.se");
    if !columns.iter().any(|(known, _)| *known == error) {
        return Ok(None);
    }
    Ok(match &*explorer.scores.column(&error)? {
        Column::F32(values) => finite(values[row.index()]),
        _ => None,
    })
}

#[derive(Deserialize)]
struct Sought {
    id: String,
}

/// Rows whose ids are, or begin with, a text.
pub fn find(explorer: &Explorer, query: &str) -> Answered {
    let Sought { id } = parsed(query)?;
    let ids = explorer.scores.own_ids();
    let found = explorer.scores.beginning_with(id.trim(), OFFERED);
    let of = |row: Row| json!({ "row": row.0, "id": short(&ids.text(row), NAME) });
    Ok(Answer::json(&found.into_iter().map(of).collect::<Vec<_>>()))
}

/// The rows whose labels look wrong.
pub fn suspects(explorer: &Explorer) -> Answered {
    let found = explorer.scores.suspects()?;
    Ok(Answer::json(&json!({ "by": found.by, "sentence": found.sentence, "rows": found.rows })))
}

/// Which labels are known to be wrong: a byte a row, 1 for those.
pub fn truth(explorer: &Explorer) -> Answered {
    let Some(known) = &explorer.known else {
        return Ok(Answer::error(
            404,
            "no file says which labels are wrong: give one with --truth",
        ));
    };
    let bytes = known.truth.wrong.iter().map(|&wrong| u8::from(wrong)).collect();
    Ok(Answer::of("application/octet-stream", bytes))
}

#[derive(Deserialize)]
struct WorstAsked {
    predicted: bool,
}

/// Which of several labels looks wrong, as it is given, or as it is predicted: a number a row.
pub fn worst(explorer: &Explorer, query: &str) -> Answered {
    let WorstAsked { predicted } = parsed(query)?;
    let Some(worst) = explorer.scores.worst()? else {
        return Ok(Answer::error(404, "the table is not one of several labels an example"));
    };
    let numbers = if predicted { &worst.predicted } else { &worst.given };
    Ok(Answer::words(numbers, u32::to_le_bytes))
}

#[derive(Deserialize)]
struct Since {
    #[serde(default)]
    since: usize,
}

/// The marks of which something was heard since a version.
pub fn marks(explorer: &Explorer, query: &str) -> Answered {
    let Since { since } = parsed(query)?;
    let board = explorer.fresh_board()?;
    Ok(Answer::json(&news(explorer, &board, since, Value::Null)))
}

fn news(explorer: &Explorer, board: &Board, since: usize, more: Value) -> Value {
    let rows = board.marks.since(since);
    let class = |label: &str| {
        let classes = explorer.scores.classes();
        classes.iter().position(|class| class == label)
    };
    let is_new = since == 0 || !rows.is_empty();
    let last = || board.marks.last_of(&explorer.who, |id| explorer.scores.find(id));
    let last = is_new.then(last).flatten();
    let acts: Vec<_> = rows.iter().map(|&row| board.marks.of(row)).collect();
    let marks: Vec<_> = acts.iter().map(|act| act.and_then(|act| act.mark).map(code)).collect();
    let labels: Vec<_> = acts.iter().map(|act| class(act.as_ref()?.label.as_ref()?)).collect();
    json!({
        "version": board.marks.version(),
        "rows": rows.iter().map(|row| row.0).collect::<Vec<_>>(),
        "marks": marks.iter().map(|mark| mark.unwrap_or(0)).collect::<Vec<_>>(),
        "labels": labels,
        // What this person can take back, in another window or before the page was loaded again, too.
        "last": last.map(|act| &act.act),
        "more": more,
    })
}

/// Marks as small numbers, 0 for none.
fn code(verdict: Verdict) -> u8 {
    1 + Verdict::ALL.iter().position(|known| *known == verdict).unwrap_or_default() as u8
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MarkAsked {
    rows: Vec<u32>,
    mark: Option<Verdict>,
    /// Number of the right class.
    #[serde(default)]
    label: Option<usize>,
    /// Numbers of the right classes, of each row its own: an act for each class.
    #[serde(default)]
    labels: Option<Vec<usize>>,
}

/// Marks rows, and saves it.
pub fn mark(explorer: &Explorer, query: &str, body: &[u8]) -> Answered {
    let Since { since } = parsed(query)?;
    let asked: MarkAsked =
        serde_json::from_slice(body).map_err(|error| Answer::error(400, error))?;
    let MarkAsked { rows, mark, label, labels } = asked;
    if rows.is_empty() {
        return Ok(Answer::error(400, "no rows to mark"));
    }
    if (label.is_some() || labels.is_some()) && mark != Some(Verdict::Wrong) {
        return Ok(Answer::error(400, "only a wrong label has a right one"));
    }
    let labels: Vec<Option<usize>> = match (label, labels) {
        (None, Some(labels)) if labels.len() == rows.len() => {
            labels.into_iter().map(Some).collect()
        }
        (_, Some(_)) => return Ok(Answer::error(400, "one label, or one for each row")),
        (label, None) => vec![label; rows.len()],
    };
    let mut by_label = BTreeMap::<Option<usize>, Vec<Row>>::new();
    let mut seen = HashSet::new();
    for (row, label) in rows.into_iter().zip(labels) {
        let Some(row) = explorer.row(row) else {
            return Ok(Answer::error(404, "there is no such row"));
        };
        if label.is_some_and(|class| class >= explorer.scores.classes().len()) {
            return Ok(Answer::error(404, "there is no such class"));
        }
        if seen.insert(row) {
            by_label.entry(label).or_default().push(row);
        }
    }
    let ids = explorer.scores.own_ids();
    let mut board = explorer.fresh_board()?;
    let mut acts = Vec::new();
    for (label, mut rows) in by_label {
        rows.sort_unstable();
        let label = label.map(|class| explorer.scores.classes()[class].clone());
        let ids = rows.iter().map(|&row| ids.text(row)).collect();
        acts.push(explorer.act(&board, mark, label, ids, None)?);
    }
    board.save(&acts, &explorer.scores)?;
    let acts: Vec<&str> = acts.iter().map(|act| act.act.as_str()).collect();
    Ok(Answer::json(&news(explorer, &board, since, json!({ "acts": acts }))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UndoAsked {
    acts: Vec<String>,
}

/// Undoes acts, of which no two name the same row, where nobody has said something else since, and saves it.
pub fn undo(explorer: &Explorer, query: &str, body: &[u8]) -> Answered {
    let Since { since } = parsed(query)?;
    let UndoAsked { acts: asked } =
        serde_json::from_slice(body).map_err(|error| Answer::error(400, error))?;
    let mut board = explorer.fresh_board()?;
    let (mut acts, mut others) = (Vec::new(), 0);
    for act in asked {
        let Some((groups, left)) = board.marks.undoing(&act, |id| explorer.scores.find(id)) else {
            return Ok(Answer::error(404, "there is no such act"));
        };
        others += left;
        for group in groups {
            acts.push(explorer.act(
                &board,
                group.mark,
                group.label,
                group.ids,
                Some(act.clone()),
            )?);
        }
    }
    if !acts.is_empty() {
        board.save(&acts, &explorer.scores)?;
    }
    let undone: usize = acts.iter().map(|act| act.ids.len()).sum();
    let first = acts.first().and_then(|act| act.ids.first());
    let row = first.and_then(|id| explorer.scores.find(id)).map(|row| row.0);
    let first = first.map(|id| short(id, NAME));
    let more = json!({ "undone": undone, "others": others, "row": row, "id": first });
    Ok(Answer::json(&news(explorer, &board, since, more)))
}
