//! `datadiet scores head`.

use anyhow::Result;
use clap::Args;
use datadiet_lab::text::table;
use datadiet_table::{Column, Ranking, Row, ScoreTable};
use serde::Serialize;

use crate::output::OutputArgs;
use crate::scores_file::{FileArgs, HardArgs};

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
    /// The column to sort by [default: EL2N at its latest time, of losses their mean].
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    #[command(flatten)]
    hard: HardArgs,
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
    let column = match &args.by {
        Some(by) => by.clone(),
        None => scores.default_column()?,
    };
    let ranking = args.hard.ranking(&scores, &column)?;
    let classes = match (&args.class, scores.columns().column("class")) {
        (Some(class), Some(Column::Text(classes))) => {
            anyhow::ensure!(classes.contains(class), "no example is of class {class}");
            Some((class, classes))
        }
        (Some(_), _) => anyhow::bail!("the table has no column of classes"),
        (None, _) => None,
    };
    let ids = scores.ids();
    let mut rows = ranking.hardest_first(&ids)?;
    if args.easiest {
        rows.reverse();
    }
    rows.retain(|row| classes.is_none_or(|(class, classes)| classes[row.index()] == *class));
    let examples = rows.iter().take(args.n).map(|&row| example(&scores, &ranking, row, &ids));
    let examples: Vec<Example> = examples.collect();
    args.output.answer(&examples, || text(&ranking.name, &examples))
}

fn example(scores: &ScoreTable, ranking: &Ranking<'_>, row: Row, ids: &[u32]) -> Example {
    let table = scores.columns();
    let class = match table.column("class") {
        Some(Column::Text(classes)) => Some(classes[row.index()].clone()),
        _ => None,
    };
    let value = |name: &str| table.floats(name).ok().map(|values| values[row.index()]);
    Example {
        id: ids[row.index()],
        key: scores.own_id(row),
        class,
        score: value(&ranking.name).unwrap_or(f32::NAN),
        standard_error: value(&format!("{}.se", ranking.name)).filter(|error| !error.is_nan()),
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
