//! `datadiet scores head`.

use anyhow::Result;
use clap::Args;
use datadiet_core::{Direction, ExampleId, order};
use datadiet_table::Column;
use serde::Serialize;

use crate::output::{OutputArgs, table};
use crate::scores_file::{FileArgs, Scores, direction_of};

/// Arguments of `scores head`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet scores head scores/cifar10-resnet8-1a2b3c4d                     # hardest by EL2N
  datadiet scores head scores/cifar10-resnet8-1a2b3c4d --by aum@4 -n 5 --class cat
  datadiet scores head scores/cifar10-resnet8-1a2b3c4d --easiest --json")]
pub struct HeadArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The column to sort by [default: EL2N at its latest time].
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// How many examples.
    #[arg(short, long, default_value_t = 10)]
    n: usize,
    /// The easiest instead of the hardest.
    #[arg(long)]
    easiest: bool,
    /// Only examples of this class.
    #[arg(long)]
    class: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Example {
    id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    class: Option<String>,
    score: f32,
    standard_error: Option<f32>,
}

/// Runs the command.
pub fn run(args: &HeadArgs) -> Result<()> {
    let scores = args.file.read()?;
    let column = scores.column_or_default(args.by.as_deref())?;
    let rows = ranked(&scores, &column, args)?;
    let ids = scores.ids();
    let listed = rows.into_iter().take(args.n);
    let examples: Vec<Example> =
        listed.map(|row| example(&scores, &column, row, ids[row])).collect();
    args.output.answer(&examples, || text(&column, &examples))
}

/// Rows with a score, in the order asked for.
fn ranked(scores: &Scores, column: &str, args: &HeadArgs) -> Result<Vec<usize>> {
    let values = scores.table.floats(column)?;
    let classes = match (&args.class, scores.table.column("class")) {
        (Some(class), Some(Column::Text(classes))) => {
            anyhow::ensure!(classes.contains(class), "no example is of class {class}");
            Some((class, classes))
        }
        (Some(_), _) => anyhow::bail!("the table has no column of classes"),
        (None, _) => None,
    };
    let wanted = |row: &usize| {
        !values[*row].is_nan() && classes.is_none_or(|(class, classes)| classes[*row] == *class)
    };
    let ids = scores.ids();
    let rows: Vec<usize> = (0..values.len()).filter(wanted).collect();
    let kept: Vec<f32> = rows.iter().map(|&row| values[row]).collect();
    let kept_ids: Vec<ExampleId> = rows.iter().map(|&row| ExampleId(ids[row])).collect();
    let mut ascending = order(&kept, &kept_ids)?;
    let hard_first = direction_of(column) == Direction::LowerIsHarder;
    if hard_first == args.easiest {
        ascending.reverse();
    }
    Ok(ascending.into_iter().map(|position| rows[position as usize]).collect())
}

fn example(scores: &Scores, column: &str, row: usize, id: u32) -> Example {
    let class = match scores.table.column("class") {
        Some(Column::Text(classes)) => Some(classes[row].clone()),
        _ => None,
    };
    let error = scores.table.floats(&format!("{column}.se")).ok().map(|errors| errors[row]);
    Example {
        id,
        key: scores.table.key(row),
        class,
        score: scores.table.floats(column).map_or(f32::NAN, |values| values[row]),
        standard_error: error.filter(|error| !error.is_nan()),
    }
}

fn text(column: &str, examples: &[Example]) -> String {
    let row = |example: &Example| {
        let error = example.standard_error.map_or("–".into(), |error| format!("{error:.4}"));
        let class = example.class.clone().unwrap_or_default();
        let id = example.key.clone().unwrap_or_else(|| example.id.to_string());
        vec![class, id, format!("{:.4}", example.score), error]
    };
    table(&["class", "id", column, "± se"], examples.iter().map(row).collect(), 1)
}
