//! `datadiet noise`: labels changed on purpose, or brought from elsewhere, with the mask of what was
//! touched.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::{ArgGroup, Args};
use datadiet_core::grouped;
use datadiet_data::{Dataset, LabelNoise, NoisyLabels};
use datadiet_lab::lists;
use datadiet_table::{
    Column, DATA, DataRef, FINGERPRINT, MarkFile, Marks, OwnIds, RowIndex, Table, Verdict,
};
use serde_json::json;

use crate::home::HomeArgs;
use crate::output::OutputArgs;

/// Change labels on purpose, or bring other labels.
///
/// Writes a Parquet file: id, label (the new one), original, touched (drawn to be changed) and
/// changed (differs from the original). Train and score with it: --labels FILE.
#[derive(Args)]
#[command(
    group = ArgGroup::new("kind").required(true),
    allow_negative_numbers = true,
    after_help = "\
Examples:
  datadiet noise --data cifar10 --symmetric 0.2 --out noisy.parquet
  datadiet noise --data cifar10 --uniform 0.1 --out noisy.parquet       # the paper's
  datadiet noise --data cifar10 --confusion matrix.json --out noisy.parquet
  datadiet noise --data cifar10 --from aggre.npy --out human.parquet
  datadiet noise --data cifar10 --from scores/demo/marks.jsonl --out right.parquet  # marks of `datadiet explore`

  datadiet score --data cifar10 --labels noisy.parquet --out scores/noisy
  datadiet suspects scores/noisy --truth noisy.parquet"
)]
pub struct NoiseArgs {
    /// Data set, as `datadiet data list` names it.
    #[arg(long, value_name = "NAME")]
    data: String,
    /// Give this fraction of the examples one of the other classes.
    #[arg(long, value_name = "FRACTION", group = "kind")]
    symmetric: Option<f64>,
    /// Give this fraction any class, their own included.
    #[arg(long, value_name = "FRACTION", group = "kind")]
    uniform: Option<f64>,
    /// JSON file of K rows of K probabilities: row a says how likely class a becomes which.
    #[arg(long, value_name = "FILE", group = "kind")]
    confusion: Option<PathBuf>,
    /// Labels from a file: .npy, .json, .txt or .parquet, one for each training example; or the marks of
    /// `datadiet explore`, .jsonl: the data set's own, but for those that were marked as wrong with the right one.
    #[arg(long, value_name = "FILE", group = "kind")]
    from: Option<PathBuf>,
    /// Seed of what is random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// File to write, .parquet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: NoiseArgs) -> Result<ExitCode> {
    ensure!(
        args.out.extension().is_some_and(|extension| extension == "parquet"),
        "{} must end in .parquet: it holds the mask too",
        args.out.display()
    );
    let dataset = Dataset::open(&home.data()?, &args.data)?;
    let noise = args.noise(&dataset)?;
    let labels = dataset.train().labels;
    let noisy = noise.apply(labels, dataset.classes().len() as u32, args.seed)?;
    write(&args.out, &args, &dataset, &noisy)?;
    let count = |mask: &[bool]| mask.iter().filter(|&&set| set).count();
    let (touched, changed) = (count(&noisy.touched), count(&noisy.changed(labels)));
    let answer = json!({
        "examples": labels.len(), "touched": touched, "changed": changed, "written": args.out,
    });
    args.output.answer(&answer, || {
        format!(
            "{} of {} labels touched, {} changed ({:.2} %)\nwritten to {}",
            grouped(touched as u64),
            grouped(labels.len() as u64),
            grouped(changed as u64),
            100.0 * changed as f64 / labels.len() as f64,
            args.out.display(),
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

impl NoiseArgs {
    fn noise(&self, dataset: &Dataset) -> Result<LabelNoise> {
        if let Some(fraction) = self.symmetric {
            return Ok(LabelNoise::Symmetric { fraction });
        }
        if let Some(fraction) = self.uniform {
            return Ok(LabelNoise::Uniform { fraction });
        }
        if let Some(file) = &self.confusion {
            return Ok(LabelNoise::ClassDependent { confusion: lists::matrix(file)? });
        }
        let file = self.from.as_ref().context("clap asks for one of the kinds")?;
        if file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl")) {
            return Ok(LabelNoise::Given { labels: corrected(file, dataset)? });
        }
        Ok(LabelNoise::Given { labels: lists::labels(file, dataset)? })
    }

    fn description(&self) -> String {
        match (self.symmetric, self.uniform, &self.confusion, &self.from) {
            (Some(fraction), ..) => format!("symmetric {fraction}, seed {}", self.seed),
            (_, Some(fraction), ..) => format!("uniform {fraction}, seed {}", self.seed),
            (.., Some(file), _) => {
                format!("confusion matrix {}, seed {}", file.display(), self.seed)
            }
            (.., file) => {
                format!("labels of {}", file.as_deref().unwrap_or(Path::new("")).display())
            }
        }
    }
}

/// The labels of a data set, but for the wrong ones whose right class people have marked.
fn corrected(file: &Path, dataset: &Dataset) -> Result<Vec<u32>> {
    let original = dataset.train().labels;
    let data = DataRef {
        name: dataset.name().into(),
        fingerprint: dataset.fingerprint().into(),
        limit: None,
    };
    let (marked, acts) = MarkFile::read(file, Some(&data))?;
    let ids = OwnIds::Rows(original.len());
    if let Some(assumption) = marked.assumption(ids) {
        eprintln!("warning: {assumption}");
    }
    let index = RowIndex::of(ids)?;
    let mut marks = Marks::default();
    marks.add(acts, |id| index.find(ids, id));
    ensure!(
        marks.unknown == 0,
        "{} marks {} ids that are no examples of {}: they belong to a table with ids of its own; `labels.csv` of \
         `datadiet explore` has its labels",
        file.display(),
        marks.unknown,
        dataset.name()
    );
    let mut labels = original.to_vec();
    let mut unsaid = 0;
    for (row, act) in marks.marked().into_iter().filter(|(_, act)| act.mark == Some(Verdict::Wrong))
    {
        let Some(name) = &act.label else {
            unsaid += 1;
            continue;
        };
        let class = dataset.classes().iter().position(|class| class == name);
        let class = class.with_context(|| {
            format!(
                "{} says that {} is a {name:?}, which is no class of {}",
                file.display(),
                row.0,
                dataset.name()
            )
        })?;
        labels[row.index()] = class as u32;
    }
    if unsaid > 0 {
        eprintln!(
            "note: {unsaid} labels are marked as wrong without the right one: they stay; `datadiet select --marks` \
             leaves them out"
        );
    }
    Ok(labels)
}

fn write(path: &Path, args: &NoiseArgs, dataset: &Dataset, noisy: &NoisyLabels) -> Result<()> {
    let original = dataset.train().labels;
    let flags = |mask: &[bool]| Column::U32(mask.iter().map(|&set| u32::from(set)).collect());
    let mut table = Table::default();
    table.push("id", Column::U32((0..original.len() as u32).collect()))?;
    table.push("label", Column::U32(noisy.labels.clone()))?;
    table.push("original", Column::U32(original.to_vec()))?;
    table.push("touched", flags(&noisy.touched))?;
    table.push("changed", flags(&noisy.changed(original)))?;
    table.metadata.insert(FINGERPRINT.into(), dataset.fingerprint().into());
    table.metadata.insert(DATA.into(), dataset.name().into());
    table.metadata.insert("noise".into(), args.description());
    Ok(table.write(path)?)
}
