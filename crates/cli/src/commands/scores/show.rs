//! `datadiet scores show`.

use anyhow::Result;
use clap::Args;
use datadiet_core::grouped;
use datadiet_lab::text::{table, wrapped};
use datadiet_table::{Card, ColumnDescription, hard_end};
use serde::Serialize;

use crate::output::OutputArgs;
use crate::scores_file::FileArgs;

/// Arguments of `scores show`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet scores show scores/cifar10-resnet8-1a2b3c4d
  datadiet scores show scores/cifar10-resnet8-1a2b3c4d --columns el2n@end,aum@end --wide")]
pub struct ShowArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The columns to describe [default: all scores].
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    /// Also the formula of each score, the values that are missing, and when to use which: wider than most
    /// terminals.
    #[arg(long)]
    wide: bool,
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
    let columns = scores.chosen(&args.columns)?.into_iter().map(|name| scores.description(&name));
    let columns = columns.collect::<Result<_, _>>()?;
    let shown = Shown { examples: scores.rows(), columns, card: scores.card() };
    args.output.answer(&shown, || text(&shown, args.wide))
}

/// Columns of a terminal that nobody has made narrower.
const TERMINAL: usize = 80;

/// What is told of a score, and whether only on wide terminals.
type Cell = (&'static str, bool, fn(&ColumnDescription) -> String);

fn number(value: f32) -> String {
    format!("{value:.3}")
}

/// The texts first.
const CELLS: [Cell; 9] = [
    ("score", false, |column| column.name.clone()),
    ("hard is", false, |column| column.direction.map_or("?", hard_end).into()),
    ("formula", true, |column| column.formula.clone().unwrap_or_default()),
    ("mean", false, |column| number(column.mean as f32)),
    ("min", false, |column| number(column.min)),
    ("median", false, |column| number(column.median)),
    ("max", false, |column| number(column.max)),
    ("missing", true, |column| grouped(column.missing as u64)),
    ("reliability", false, |column| column.reliability.map_or("–".into(), |r| format!("{r:.3}"))),
];

fn text(shown: &Shown<'_>, wide: bool) -> String {
    let missing = shown.columns.iter().any(|column| column.missing > 0);
    let is_shown =
        |(name, only_wide, _): &&Cell| !only_wide || wide || missing && *name == "missing";
    let cells: Vec<&Cell> = CELLS.iter().filter(is_shown).collect();
    let header: Vec<&str> = cells.iter().map(|(name, ..)| *name).collect();
    let row = |column: &ColumnDescription| cells.iter().map(|(.., cell)| cell(column)).collect();
    let origin = match shown.card {
        None => ", a table without a card: nobody says where it comes from".into(),
        Some(card) => card.replicas.map_or(String::new(), |n| {
            format!(", mean of {n} replica{}", if n == 1 { "" } else { "s" })
        }),
    };
    let passes = shown.card.map(|card| passes(card, &shown.columns)).unwrap_or_default();
    let passes = if wide { passes } else { wrapped(&passes, TERMINAL) };
    let more = if wide { uses(&shown.columns) } else { more(&shown.columns) };
    format!(
        "{} examples{origin}\n\n{}{passes}{more}",
        grouped(shown.examples as u64),
        table(&header, shown.columns.iter().map(row).collect(), if wide { 3 } else { 2 }),
    )
}

/// Where formulas and uses are told, if there are any.
fn more(columns: &[ColumnDescription]) -> String {
    match columns.iter().any(|column| column.formula.is_some()) {
        true => "\n\n--wide tells the formula of each score, and when to use it".into(),
        false => String::new(),
    }
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
fn passes(card: &Card, shown: &[ColumnDescription]) -> String {
    let mut passes: Vec<(&str, Vec<&str>)> = Vec::new();
    let is_shown = |name: &str| shown.iter().any(|column| column.name == name);
    for column in card.columns.iter().filter(|column| is_shown(&column.name)) {
        let (pass, score) = (column.definition.pass.as_ref(), column.score.name());
        match passes.iter_mut().find(|(known, _)| *known == pass) {
            Some((_, scores)) if scores.contains(&score) => {}
            Some((_, scores)) => scores.push(score),
            None => passes.push((pass, vec![score])),
        }
    }
    let lines = passes.iter().map(|(pass, scores)| format!("\n{pass}: {}", scores.join(", ")));
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}
