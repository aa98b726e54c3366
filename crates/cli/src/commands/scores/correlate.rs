//! `datadiet scores correlate`.

use anyhow::Result;
use clap::Args;
use datadiet_core::spearman;
use datadiet_lab::text::table;
use serde::Serialize;

use crate::output::OutputArgs;
use crate::scores_file::FileArgs;

/// Arguments of `scores correlate`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet scores correlate scores/cifar10-resnet8-1a2b3c4d
  datadiet scores correlate scores/cifar10-resnet8-1a2b3c4d --columns el2n@1,el2n@4,forgetting@4")]
pub struct CorrelateArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The columns to compare [default: all scores].
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Correlations {
    columns: Vec<String>,
    /// Spearman's ρ; null where it is not defined, as for a constant column.
    spearman: Vec<Vec<Option<f64>>>,
}

/// Runs the command.
pub fn run(args: &CorrelateArgs) -> Result<()> {
    let scores = args.file.read()?;
    let columns = scores.chosen(&args.columns)?;
    let values = columns.iter().map(|name| scores.columns().floats(name));
    let values: Vec<&[f32]> = values.collect::<Result<_, _>>()?;
    let row = |a: &&[f32]| values.iter().map(|b| correlation(a, b)).collect();
    let answer = Correlations { spearman: values.iter().map(row).collect(), columns };
    args.output.answer(&answer, || text(&answer))
}

/// ρ over the examples that have both scores.
fn correlation(a: &[f32], b: &[f32]) -> Option<f64> {
    let both = a.iter().zip(b).filter(|(a, b)| !a.is_nan() && !b.is_nan());
    let (a, b): (Vec<f32>, Vec<f32>) = both.unzip();
    spearman(&a, &b).ok()
}

fn text(answer: &Correlations) -> String {
    let mut header = vec![""];
    header.extend(answer.columns.iter().map(String::as_str));
    let rows = answer.columns.iter().zip(&answer.spearman).map(|(name, row)| {
        let number = |rho: &Option<f64>| rho.map_or("–".into(), |rho| format!("{rho:.3}"));
        std::iter::once(name.clone()).chain(row.iter().map(number)).collect()
    });
    table(&header, rows.collect(), 1)
}
