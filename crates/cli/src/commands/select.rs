//! `datadiet select`: a subset by score, as a list of ids or as a data set of its own.

mod choice;
mod export;
mod marked;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail, ensure};
use clap::Args;
use datadiet_core::{
    Candidates, Chosen, Classes, ExampleId, Rule, check_no_class_vanishes, grouped, skew,
};
use datadiet_lab::text::table;
use datadiet_table::{
    AmongMarked, Made, Marked, Ranking, Row, ScoreFile, ScoreTable, Spelling, Subset, cautions,
};
use serde::Serialize;
use serde_json::json;

use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::scores_file::HardArgs;
use choice::ChoiceArgs;
use export::ExportArgs;
use marked::MarksArgs;

/// Choose a subset by score, as ids or as a data set.
///
/// Examples are ordered by ascending score, ties by ascending id. `--rule hardest` keeps its hard end
/// (the high end of EL2N, the low end of confidence), `window` a part that begins after --offset,
/// `ccs` is coverage-centred: without the hardest --cut, evenly over strata of the score. With --quota the
/// rule is applied within each class, as if it were the whole training set; `random` and `ccs` with the
/// same quota are the baselines of a choice with one.
///
/// --marks, of `datadiet explore`, leaves out what people marked as wrong or to drop, and always keeps what
/// they marked to keep; without --keep and --count it keeps all the rest.
#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "\
Examples:
  datadiet select scores/demo --keep 0.5 --out half.parquet          # hardest half by EL2N
  datadiet select scores/demo --by forgetting@end --keep 0.7 --out ids.npy
  datadiet select scores/demo --by el2n@4 --rule window --offset 0.4 --keep 0.5 --out ids.txt
  datadiet select scores/demo --keep 0.1 --rule ccs --cut 0.3 --quota balanced --out ids.json
  datadiet select scores/demo --keep 0.1 --rule random --quota balanced --out random.json
  datadiet select scores/demo --keep 0.5 --export pruned --format image-folder
  datadiet select scores/demo --marks scores/demo/marks.jsonl --out clean.parquet  # without what was marked

Then train on it: datadiet train --data cifar10 --subset half.parquet"
)]
pub struct SelectArgs {
    /// A scores.parquet, or the folder that holds one.
    scores: PathBuf,
    #[command(flatten)]
    choice: ChoiceArgs,
    #[command(flatten)]
    marks: MarksArgs,
    #[command(flatten)]
    hard: HardArgs,
    /// Choose although a class with examples keeps none.
    #[arg(long)]
    allow_empty_class: bool,
    /// Leave out examples without a score instead of refusing.
    #[arg(long)]
    drop_unscored: bool,
    /// File for the ids: .parquet (with scores and the way they were chosen), .json (the same way),
    /// .npy or .txt (ids alone).
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    export: ExportArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What a selection answers.
#[derive(Serialize)]
pub struct Answer {
    examples: usize,
    kept: usize,
    /// The rows of the table that are kept.
    #[serde(skip)]
    pub rows: Vec<Row>,
    #[serde(skip)]
    at_random: bool,
    by: Option<String>,
    choice: serde_json::Value,
    classes: Vec<ClassRow>,
    skew: Option<f64>,
    /// What marks have changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    marked: Option<Marked>,
    warnings: Vec<String>,
    written: Vec<PathBuf>,
}

/// What is kept of a class.
#[derive(Serialize)]
struct ClassRow {
    class: String,
    kept: usize,
    of: usize,
    share: f64,
}

fn same_file(out: &Path, scores: &Path) -> bool {
    let table = if scores.is_dir() { scores.join("scores.parquet") } else { scores.to_owned() };
    let found = |path: &Path| path.canonicalize().ok();
    found(out).is_some() && found(out) == found(&table)
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: SelectArgs) -> Result<ExitCode> {
    let answer = choose(home, &args)?;
    args.output.answer(&answer, || answer.text())?;
    Ok(ExitCode::SUCCESS)
}

/// Chooses a subset and writes it.
pub fn choose(home: &HomeArgs, args: &SelectArgs) -> Result<Answer> {
    let scores = args.open()?;
    // Marks alone leave out what is marked; there is nothing to choose by then.
    let choice = match args.marks.are_given() && !args.choice.has_amount() {
        true => None,
        false => Some(args.choice.choice(scores.rows())?),
    };
    scores.check_whole()?;
    let by = choice.map(|choice| args.column(choice.rule, &scores)).transpose()?.flatten();
    let needed = scores.read_to_choose(by.as_deref(), args.export.is_wanted())?;
    let ranking = by.map(|by| args.hard.ranking(&needed, &by)).transpose()?;
    let marked = args.marks.read(&needed)?;
    let scored = scored(&needed, ranking.as_ref(), args.drop_unscored)?;
    let among = AmongMarked::new(scores.rows(), scored, marked.as_ref())?;
    let candidates = among.candidates();
    let labels = needed.columns().integers("label").ok();
    let classes = match labels {
        Some(labels) => scores.classes(labels)?,
        None => vec!["all".into()],
    };
    let by_class = labels.map(|labels| Classes { labels, count: classes.len() });
    let ordered = ranking.as_ref().map(Ranking::scores);
    let chosen = among.choose(choice.as_ref(), ordered, by_class)?;
    args.check_classes(&chosen)?;
    let mut warnings = match choice {
        Some(choice) => {
            warnings(&needed, choice.rule, ranking.as_ref(), &chosen, &candidates, &classes)
        }
        None => Vec::new(),
    };
    warnings.extend(marked.iter().flat_map(|marked| marked.warnings.iter().cloned()));
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    // Candidates are the rows of the table.
    let rows: Vec<Row> = chosen.ids.iter().map(|id| Row(id.0)).collect();
    let how = json!({ "by": ranking.as_ref().map(|r| &r.name), "choice": choice, "marks": marked });
    let subset = Subset { table: &needed, ranking: ranking.as_ref(), rows: &rows, how };
    let written = args.write(home, &subset)?;
    Ok(Answer {
        examples: if marked.is_some() { scores.rows() } else { candidates.count() },
        kept: rows.len(),
        rows,
        at_random: choice.is_some() && ranking.is_none(),
        by: ranking.map(|ranking| ranking.name),
        choice: serde_json::to_value(choice)?,
        marked,
        classes: class_rows(&chosen, &classes),
        skew: Some(skew(&chosen.shares)).filter(|skew| skew.is_finite()),
        warnings,
        written,
    })
}

impl SelectArgs {
    /// The scores, if there is a place for what is chosen from them.
    fn open(&self) -> Result<ScoreFile> {
        ensure!(
            self.out.is_some() || self.export.is_wanted(),
            "where to? Give --out FILE for the ids, or --export PATH for a data set of them"
        );
        self.out.as_deref().map_or(Ok(()), Subset::check_name)?;
        let scores = ScoreFile::open(&self.scores)?;
        ensure!(
            self.out.as_deref().is_none_or(|out| !same_file(out, &self.scores)),
            "--out would overwrite the table of scores; give another file"
        );
        Ok(scores)
    }

    /// The column that a rule goes by, if by any.
    fn column(&self, rule: Rule, scores: &ScoreFile) -> Result<Option<String>> {
        Ok(match (rule, &self.choice.by) {
            (Rule::Random, _) => None,
            (_, Some(by)) => Some(by.clone()),
            (_, None) => Some(scores.header.default_column()?),
        })
    }

    fn check_classes(&self, chosen: &Chosen) -> Result<()> {
        if self.allow_empty_class {
            return Ok(());
        }
        check_no_class_vanishes(&chosen.shares)
            .map_err(|error| anyhow!("{error}, or pass --allow-empty-class to choose all the same"))
    }

    /// Writes the ids and the data set of them; what was written.
    fn write(&self, home: &HomeArgs, subset: &Subset<'_>) -> Result<Vec<PathBuf>> {
        let mut written = Vec::new();
        if let Some(out) = &self.out {
            subset.write(out)?;
            written.push(out.clone());
        }
        if self.export.is_wanted() {
            written.push(self.export.write(home, subset.table, subset.rows)?);
        }
        Ok(written)
    }
}

/// The examples to choose from, where those are not all: those with a score.
fn scored(
    table: &ScoreTable,
    ranking: Option<&Ranking<'_>>,
    drop_unscored: bool,
) -> Result<Option<Vec<ExampleId>>> {
    let Some(ranking) = ranking else { return Ok(None) };
    let missing = ranking.values.iter().filter(|value| value.is_nan()).count();
    if missing == 0 {
        return Ok(None);
    }
    if missing == ranking.values.len() {
        bail!("no example has a score in {}; choose another with --by", ranking.name);
    }
    if !drop_unscored {
        let first = ranking.values.iter().position(|value| value.is_nan()).unwrap_or_default();
        let first = table.own_ids()?.text(Row(first as u32));
        bail!(
            "{missing} examples have no score in {} (the first is {first}); pass --drop-unscored to \
             leave them out",
            ranking.name
        );
    }
    let rows = (0..).zip(ranking.values.iter());
    Ok(Some(rows.filter(|(_, value)| !value.is_nan()).map(|(id, _)| ExampleId(id)).collect()))
}

fn warnings(
    scores: &ScoreTable,
    rule: Rule,
    ranking: Option<&Ranking<'_>>,
    chosen: &Chosen,
    candidates: &Candidates<'_>,
    classes: &[String],
) -> Vec<String> {
    cautions(&Made {
        rule,
        fraction: chosen.ids.len() as f64 / candidates.count() as f64,
        ranking,
        table: scores,
        shares: &chosen.shares,
        classes,
        spelling: Spelling::Command,
    })
}

fn class_rows(chosen: &Chosen, classes: &[String]) -> Vec<ClassRow> {
    let row = |share: &datadiet_core::ClassShare| ClassRow {
        class: classes[share.class as usize].clone(),
        kept: share.kept,
        of: share.of,
        share: share.share(),
    };
    chosen.shares.iter().map(row).collect()
}

impl Answer {
    fn text(&self) -> String {
        let rows = self.classes.iter().map(|row| {
            let (kept, of) = (grouped(row.kept as u64), grouped(row.of as u64));
            vec![row.class.clone(), kept, of, format!("{:.1} %", row.share * 100.0)]
        });
        let files: Vec<String> = self.written.iter().map(|f| f.display().to_string()).collect();
        format!(
            "{}\n\nkept {} of {} examples{}{}\nwritten to {}",
            table(&["class", "kept", "of", "share"], rows.collect(), 1),
            grouped(self.kept as u64),
            grouped(self.examples as u64),
            match &self.by {
                Some(by) => format!(" by {by}"),
                None if self.at_random => " at random".into(),
                None => String::new(),
            },
            self.marked.as_ref().map_or(String::new(), |marked| format!("; {marked}")),
            files.join(", "),
        )
    }
}
