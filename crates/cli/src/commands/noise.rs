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
    Column, DATA, DataRef, Examples, FINGERPRINT, MarkFile, Marks, OwnIds, Row, ScoreFile,
    ScoreTable, Table, TrainingSet, Verdict,
};
use serde_json::json;

use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::scores_file::training_set;

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
    /// Labels from a file: .npy, .json, .txt, .csv or .parquet, one for each training example; or the marks of
    /// `datadiet explore`, .jsonl: the labels of the scores that were marked, but for those that were marked as wrong
    /// with the right one.
    #[arg(long, value_name = "FILE", group = "kind")]
    from: Option<PathBuf>,
    /// The scores that were marked [default: scores.parquet beside marks.jsonl, if it is there].
    #[arg(long, value_name = "SCORES", requires = "from")]
    scores: Option<PathBuf>,
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
        let is_marks = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("jsonl"));
        ensure!(
            is_marks || self.scores.is_none(),
            "--scores says which labels marks (.jsonl) are of; {} holds labels of its own",
            file.display()
        );
        if is_marks {
            return Ok(LabelNoise::Given {
                labels: corrected(file, self.scores.as_deref(), dataset)?,
            });
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

/// The labels that people looked at, but for the wrong ones whose right class they have marked: those of the table of
/// scores that was marked, which may have been trained on others than the data set's own.
fn corrected(file: &Path, scores: Option<&Path>, dataset: &Dataset) -> Result<Vec<u32>> {
    let data = DataRef {
        name: dataset.name().into(),
        fingerprint: dataset.fingerprint().into(),
        limit: None,
    };
    let beside = MarkFile::scores_beside(file).filter(|table| table.is_file());
    let table = scores.map(Path::to_owned).or(beside);
    let (labelled, whose) = match &table {
        Some(path) => (Labelled::of_scores(path, dataset)?, path.display().to_string()),
        None => (Labelled::own(dataset), dataset.name().to_owned()),
    };
    let ids = labelled.ids()?;
    let read = Marks::of_rows(ids, Some(&data), &[file], &whose);
    let (marks, told) = match &table {
        Some(_) => read?,
        None => read.context("which scores were marked? Name them with --scores")?,
    };
    ensure!(
        table.is_some() || !marks.relabelled,
        "{} marks labels that are not the data set's own: name the table that was marked, whose labels they are, with \
         --scores",
        file.display()
    );
    ensure!(
        marks.unknown == 0,
        "{} marks {} ids that are no examples of {whose}: name the table that was marked with --scores",
        file.display(),
        marks.unknown
    );
    told.iter().for_each(|told| eprintln!("warning: {told}"));
    let mut labels = labelled.labels.clone();
    let (mut unsaid, mut said) = (0, 0);
    for (row, act) in marks.marked().into_iter().filter(|(_, act)| act.mark == Some(Verdict::Wrong))
    {
        let Some(name) = &act.label else {
            unsaid += 1;
            continue;
        };
        let class = labelled.class(name, dataset)?.with_context(|| {
            format!(
                "{} says that {} is a {name:?}, which is no class of {}",
                file.display(),
                ids.text(row),
                dataset.name()
            )
        })?;
        labels[labelled.example(row)] = class as u32;
        said += 1;
    }
    let other = labelled.labels.iter().zip(dataset.train().labels).filter(|(a, b)| a != b).count();
    let other = match other {
        0 => String::new(),
        other => {
            let other = grouped(other as u64);
            format!(", which differ from the data set's own in {other}")
        }
    };
    eprintln!("note: the labels are those of {whose}{other}; {} of them corrected", grouped(said));
    if unsaid > 0 {
        eprintln!(
            "note: {unsaid} labels are marked as wrong without the right one: they stay; `datadiet select --marks` \
             leaves them out"
        );
    }
    Ok(labels)
}

/// The labels of all training examples, and which rows people have marked.
struct Labelled {
    labels: Vec<u32>,
    /// The table that was marked and which examples its rows are; none where rows are examples.
    table: Option<(ScoreTable, Examples)>,
}

impl Labelled {
    /// The data set's own.
    fn own(dataset: &Dataset) -> Self {
        Self { labels: dataset.train().labels.to_vec(), table: None }
    }

    /// The data set's own, and those of a table in place of them.
    fn of_scores(path: &Path, dataset: &Dataset) -> Result<Self> {
        let table = ScoreFile::open(path)?.read_to_choose(None, true)?;
        // Labels that differ are what is asked for.
        let set = TrainingSet { other_labels: true, ..training_set(dataset) };
        let examples = table.examples_in(&set)?;
        let mut labels = dataset.train().labels.to_vec();
        if table.has_labels() {
            for (example, label) in examples.all().iter().zip(table.labels_in(&set)?) {
                labels[example.index()] = label;
            }
        }
        Ok(Self { labels, table: Some((table, examples)) })
    }

    fn ids(&self) -> Result<OwnIds<'_>> {
        Ok(match &self.table {
            Some((table, _)) => table.own_ids()?,
            None => OwnIds::Rows(self.labels.len()),
        })
    }

    /// The number of a class in the data set. Who marked a table without names of classes had numbers before them, or
    /// the names that the data set has: one that may be either is refused.
    fn class(&self, name: &str, dataset: &Dataset) -> Result<Option<usize>> {
        let named = dataset.classes().iter().position(|class| class == name);
        let has_numbers = match &self.table {
            Some((table, _)) => !table.names_classes()?,
            None => false,
        };
        let number = name.parse::<usize>().ok().filter(|_| has_numbers);
        ensure!(
            number.is_none() || named.is_none() || number == named,
            "{name:?} is the name of another class of {} than its number {name}, and the scores that were marked have \
             only numbers: score with names of classes (a column `class`), and mark again",
            dataset.name()
        );
        Ok(named)
    }

    fn example(&self, row: Row) -> usize {
        self.table.as_ref().map_or(row.index(), |(_, examples)| examples.of(row).index())
    }
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
