//! `datadiet scores show`.

use anyhow::Result;
use clap::Args;
use datadiet_core::grouped;
use datadiet_lab::text::table;
use datadiet_table::{Card, ColumnDescription, hard_end};
use serde::Serialize;

use crate::output::OutputArgs;
use crate::scores_file::FileArgs;

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
    columns: Vec<ColumnDescription>,
    card: Option<&'s Card>,
}

/// Runs the command.
pub fn run(args: &ShowArgs) -> Result<()> {
    let scores = args.file.read()?;
    let columns = scores.scores().into_iter().map(|name| scores.description(name));
    let columns = columns.collect::<Result<_, _>>()?;
    let shown = Shown { examples: scores.rows(), columns, card: scores.card() };
    args.output.answer(&shown, || text(&shown))
}

fn text(shown: &Shown<'_>) -> String {
    let row = |column: &ColumnDescription| {
        let number = |value: f32| format!("{value:.3}");
        vec![
            column.name.clone(),
            column.direction.map_or("?", hard_end).into(),
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
    let origin = match shown.card {
        None => ", a table without a card: nobody says where it comes from".into(),
        Some(card) => card.replicas.map_or(String::new(), |n| {
            format!(", mean of {n} replica{}", if n == 1 { "" } else { "s" })
        }),
    };
    format!(
        "{} examples{origin}\n\n{}{}{}",
        grouped(shown.examples as u64),
        table(&header, shown.columns.iter().map(row).collect(), 3),
        shown.card.map(passes).unwrap_or_default(),
        uses(&shown.columns)
    )
}

/// When to use each score, a line a score.
fn uses(columns: &[ColumnDescription]) -> String {
    let mut scores: Vec<&str> = Vec::new();
    let mut lines = String::new();
    for column in columns {
        let score = column.name.split('@').next().unwrap_or(&column.name);
        if let (Some(when), false) = (&column.when, scores.contains(&score)) {
            scores.push(score);
            lines += &format!("\n{score}: use it {when}");
        }
    }
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

/// Which scores are of which pass of the network, a line a pass.
fn passes(card: &Card) -> String {
    let mut passes: Vec<(&str, Vec<&str>)> = Vec::new();
    for column in &card.columns {
        let (pass, score) = (column.definition.pass.as_ref(), column.score.name());
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
