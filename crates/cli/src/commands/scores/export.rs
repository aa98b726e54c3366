//! `datadiet scores export`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use datadiet_table::{Column, KEY, ScoreTable, write_atomically};

use crate::output::{OutputArgs, write_out};
use crate::scores_file::FileArgs;

/// Arguments of `scores export`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet scores export scores/cifar10-resnet8-1a2b3c4d scores.csv
  datadiet scores export scores/cifar10-resnet8-1a2b3c4d el2n.npy --columns el2n@end
  datadiet scores export scores/cifar10-resnet8-1a2b3c4d - --columns el2n@4 | head

A .csv has all columns, or `id` and those asked for; missing values are empty. A .npy has the shape
(examples,) for one column and (examples, columns) for several, 32-bit floats, NaN where missing.")]
pub struct ExportArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The file to write, ending in .csv or .npy; - writes CSV to standard output.
    to: PathBuf,
    /// The columns to write [default: all].
    #[arg(long, value_delimiter = ',')]
    columns: Vec<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub fn run(args: &ExportArgs) -> Result<()> {
    let scores = args.file.read()?;
    if args.to == Path::new("-") {
        let csv = csv_of(&scores, &args.columns)?;
        return write_out(&csv);
    }
    let bytes = match args.to.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => csv_of(&scores, &args.columns)?,
        Some("npy") => npy_of(&scores, &args.columns)?,
        _ => bail!("{} must end in .csv or .npy", args.to.display()),
    };
    ensure!(!args.to.is_dir(), "{} is a folder; give a file", args.to.display());
    write_atomically(&args.to, |file| file.write_all(&bytes))?;
    let written = serde_json::json!({ "written": args.to, "examples": scores.rows() });
    args.output.answer(&written, || format!("{} examples to {}", scores.rows(), args.to.display()))
}

fn csv_of(scores: &ScoreTable, asked: &[String]) -> Result<Vec<u8>> {
    let table = scores.columns();
    let named = |name: &String| match table.column(name) {
        Some(_) => Ok(name.clone()),
        None => scores.resolved(name),
    };
    let chosen = asked.iter().map(named).collect::<Result<Vec<String>, _>>()?;
    let names: Vec<&str> = if asked.is_empty() {
        table.names().collect()
    } else {
        let is_there = |name: &&str| table.column(name).is_some();
        let is_asked = |name: &&str| chosen.iter().any(|asked| asked == name);
        let ids = ["id", KEY].into_iter().filter(|name| is_there(name) && !is_asked(name));
        ids.chain(chosen.iter().map(String::as_str)).collect()
    };
    let columns: Vec<&Column> = names.iter().filter_map(|name| table.column(name)).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(&names)?;
    for row in 0..table.rows() {
        writer.write_record(columns.iter().map(|column| cell(column, row)))?;
    }
    writer.into_inner().context("writing CSV in memory")
}

fn cell(column: &Column, row: usize) -> String {
    match column {
        Column::F32(values) if values[row].is_nan() => String::new(),
        Column::F32(values) => values[row].to_string(),
        Column::U32(values) => values[row].to_string(),
        Column::Text(values) => values[row].clone(),
    }
}

fn npy_of(scores: &ScoreTable, asked: &[String]) -> Result<Vec<u8>> {
    let names = scores.chosen(asked)?;
    let columns = names.iter().map(|name| scores.columns().floats(name));
    let columns: Vec<&[f32]> = columns.collect::<Result<_, _>>()?;
    let rows = scores.rows();
    let mut shape = vec![rows];
    if columns.len() != 1 {
        shape.push(columns.len());
    }
    let mut bytes = Vec::new();
    let values = (0..rows).flat_map(|row| columns.iter().map(move |column| column[row]));
    datadiet_arrays::write(&mut bytes, &shape, values)?;
    Ok(bytes)
}
