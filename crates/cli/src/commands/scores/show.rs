//! `datadiet scores show`.

use anyhow::Result;
use clap::Args;
use datadiet_core::Direction;
use datadiet_lab::ranking::kind_of;
use serde::Serialize;

use crate::output::{OutputArgs, grouped, hard_end, table};
use crate::scores_file::{FileArgs, Scores, direction_of};

/// Arguments of `scores show`.
#[derive(Args)]
pub struct ShowArgs {
    #[command(flatten)]
    file: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Shown<'s> {
    examples: usize,
    columns: Vec<ShownColumn>,
    report: &'s serde_json::Value,
}

#[derive(Serialize)]
struct ShownColumn {
    name: String,
    direction: Direction,
    mean: f64,
    min: f32,
    median: f32,
    max: f32,
    missing: usize,
    reliability: Option<f64>,
    formula: Option<String>,
}

/// Runs the command.
pub fn run(args: &ShowArgs) -> Result<()> {
    let scores = args.file.read()?;
    let names = scores.names();
    let columns = names.into_iter().map(|name| describe(&scores, name)).collect::<Result<_>>()?;
    let shown = Shown { examples: scores.table.rows(), columns, report: &scores.report };
    args.output.answer(&shown, || text(&shown))
}

fn describe(scores: &Scores, name: &str) -> Result<ShownColumn> {
    let all = scores.table.floats(name)?;
    let mut seen: Vec<f32> = all.iter().copied().filter(|value| !value.is_nan()).collect();
    seen.sort_unstable_by(f32::total_cmp);
    let sum: f64 = seen.iter().map(|&value| f64::from(value)).sum();
    let at = |index: usize| seen.get(index).copied().unwrap_or(f32::NAN);
    Ok(ShownColumn {
        name: name.into(),
        direction: direction_of(name),
        mean: sum / seen.len() as f64,
        min: at(0),
        median: at(seen.len() / 2),
        max: at(seen.len().saturating_sub(1)),
        missing: all.len() - seen.len(),
        reliability: scores.reported(name).and_then(|c| c["reliability"]["full"].as_f64()),
        formula: kind_of(name).map(|kind| kind.definition().formula.into_owned()),
    })
}

fn text(shown: &Shown<'_>) -> String {
    let row = |column: &ShownColumn| {
        let number = |value: f32| format!("{value:.3}");
        vec![
            column.name.clone(),
            hard_end(column.direction).into(),
            column.formula.clone().unwrap_or_default(),
            number(column.mean as f32),
            number(column.min),
            number(column.median),
            number(column.max),
            grouped(column.missing as u64),
            column.reliability.map_or("–".into(), |r| format!("{r:.3}")),
        ]
    };
    let header =
        ["score", "hard is", "formula", "mean", "min", "median", "max", "missing", "reliability"];
    let replicas = shown.report["replicas"].as_u64();
    let replicas = replicas.map_or(String::new(), |n| {
        format!(", mean of {n} replica{}", if n == 1 { "" } else { "s" })
    });
    format!(
        "{} examples{replicas}\n\n{}{}",
        grouped(shown.examples as u64),
        table(&header, shown.columns.iter().map(row).collect(), 3),
        passes(shown.report)
    )
}

/// Which scores are of which pass of the network, a line a pass.
fn passes(report: &serde_json::Value) -> String {
    let mut passes: Vec<(&str, Vec<&str>)> = Vec::new();
    for column in report["columns"].as_array().into_iter().flatten() {
        let (Some(name), Some(pass)) =
            (column["name"].as_str(), column["definition"]["pass"].as_str())
        else {
            continue;
        };
        let score = name.split('@').next().unwrap_or(name);
        match passes.iter_mut().find(|(known, _)| *known == pass) {
            Some((_, scores)) if scores.contains(&score) => {}
            Some((_, scores)) => scores.push(score),
            None => passes.push((pass, vec![score])),
        }
    }
    let lines = passes.iter().map(|(pass, scores)| format!("\n{}: {pass}", scores.join(", ")));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}
