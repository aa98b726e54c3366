//! `datadiet suspects`: the likeliest mislabelled examples, and how well scores find known ones.

mod picture;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use datadiet_lab::study::noise::{ColumnDetection, default_ks, detections};
use datadiet_lab::{Ranking, Suspect, suspects};
use datadiet_table::Table;
use serde::Serialize;

use crate::home::HomeArgs;
use crate::output::{OutputArgs, table};
use crate::scores_file::Scores;

/// List the likeliest mislabelled examples.
///
/// The hardest examples by --by first, with the class that most replicas predict. With --truth, a
/// file of `datadiet noise`, every score is judged by how well it finds the changed labels: AUROC
/// (1/2 is chance), average precision (chance is the fraction changed) and precision at k.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet suspects scores/demo
  datadiet suspects scores/demo --by aum@end -n 50 --picture suspects.png
  datadiet suspects scores/noisy --truth noisy.parquet")]
pub struct SuspectsArgs {
    /// A scores.parquet, or the folder that holds one.
    scores: PathBuf,
    /// Column to suspect by; aum@end and el2n@end do well [default: the latest AUM, else EL2N].
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// How many to list.
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    n: usize,
    /// Known changes: a file of `datadiet noise`.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// The k of precision at k [default: the number changed, and a tenth of it].
    #[arg(long, value_name = "K", value_delimiter = ',', requires = "truth")]
    at: Vec<usize>,
    /// Draw the suspects by the class they are labelled as.
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Imported data set whose pictures to draw [default: the one that was scored].
    #[arg(long, value_name = "NAME", requires = "picture")]
    data: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// What suspicion answers.
#[derive(Serialize)]
struct Answer {
    by: String,
    suspects: Vec<Suspect>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detection: Option<Vec<ColumnDetection>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
    warnings: Vec<String>,
}

/// What is known about the labels, one entry a row of the scores.
struct Truth {
    changed: Vec<bool>,
    warning: Option<String>,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: SuspectsArgs) -> Result<ExitCode> {
    if let Some(file) = &args.picture {
        let png = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        ensure!(png, "{} must end in .png", file.display());
    }
    let scores = Scores::read(&args.scores)?;
    let ranking = Ranking::of(&scores.table, &column(&scores, args.by.as_deref())?)?;
    let truth = args.truth.as_deref().map(|file| truth(file, &scores)).transpose()?;
    let (changed, warning) = truth.map_or((None, None), |t| (Some(t.changed), t.warning));
    let warnings: Vec<String> = warning.into_iter().collect();
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let classes = scores.classes();
    let suspects = suspects(&scores.table, &classes, &ranking, changed.as_deref(), args.n)?;
    if let Some(file) = &args.picture {
        picture::write(file, home, &scores, args.data.as_deref(), &ranking, &suspects)?;
    }
    let detection = changed.map(|changed| judged(&scores, &changed, &args.at)).transpose()?;
    let answer = Answer { by: ranking.name, suspects, detection, picture: args.picture, warnings };
    args.output.answer(&answer, || answer.text())?;
    Ok(ExitCode::SUCCESS)
}

fn column(scores: &Scores, asked: Option<&str>) -> Result<String> {
    match asked {
        Some(name) => Ok(name.to_owned()),
        None if Ranking::of(&scores.table, "aum@end").is_ok() => Ok("aum@end".into()),
        None => scores.column_or_default(None),
    }
}

/// The mask of a file of `datadiet noise`, for the examples of the scores.
fn truth(file: &Path, scores: &Scores) -> Result<Truth> {
    let known = Table::read(file)?;
    let changed = known.integers("changed").with_context(|| {
        format!("{} does not say which labels were changed; `datadiet noise` does", file.display())
    })?;
    let in_order = |ids: &[u32]| (0..).zip(ids).all(|(row, &id)| row == id);
    ensure!(
        known.integers("id").map_or(true, in_order),
        "the ids of {} are not 0, 1, 2, …; sort it by id",
        file.display()
    );
    let ids = scores.ids();
    let most = ids.iter().max().map_or(0, |&id| id as usize + 1);
    ensure!(
        changed.len() >= most,
        "{} tells about {} examples, the scores are of {most}: they belong to different data sets",
        file.display(),
        changed.len(),
    );
    if let (Some(spec), Some(fingerprint)) =
        (scores.spec(), known.metadata.get(crate::lists::FINGERPRINT))
    {
        ensure!(
            *fingerprint == spec.data.fingerprint,
            "{} was made for another data set than the scores",
            file.display()
        );
    }
    let changed: Vec<bool> = ids.iter().map(|&id| changed[id as usize] != 0).collect();
    ensure!(
        changed.contains(&true),
        "{} changed the label of none of these examples: there is nothing to find",
        file.display()
    );
    let warning = unaware(file, &known, scores, &ids, &changed);
    Ok(Truth { changed, warning })
}

/// Scores cannot find changes that the networks were not trained with.
fn unaware(
    file: &Path,
    known: &Table,
    scores: &Scores,
    ids: &[u32],
    changed: &[bool],
) -> Option<String> {
    let original = known.integers("original").ok()?;
    let labels = scores.table.integers("label").ok()?;
    let rows = || (0..ids.len()).filter(|&row| changed[row]);
    let differing = |expected: &[u32]| {
        (0..ids.len()).filter(|&row| labels[row] != expected[ids[row] as usize]).count()
    };
    let as_before = rows().filter(|&row| labels[row] == original[ids[row] as usize]).count();
    let others = known.integers("label").map_or(0, differing);
    let what = if as_before > 0 {
        format!(
            "{as_before} of the {} changed examples have their original label in the scores: those \
             were taken without these changes, and cannot know them",
            rows().count()
        )
    } else if others > 0 {
        format!(
            "{others} examples have another label in the scores than in this file: the scores were \
             taken with other noise, and the figures below mean little"
        )
    } else {
        return None;
    };
    Some(format!("{what}; score with --labels {}", file.display()))
}

fn judged(scores: &Scores, changed: &[bool], at: &[usize]) -> Result<Vec<ColumnDetection>> {
    let at = if at.is_empty() { default_ks(changed) } else { at.to_vec() };
    Ok(detections(&scores.table, &scores.names(), changed, &at)?)
}

impl Answer {
    fn text(&self) -> String {
        let known = self.suspects.iter().any(|suspect| suspect.changed.is_some());
        let row = |suspect: &Suspect| {
            let mut row = vec![
                suspect.class.clone(),
                suspect.predicted.clone().unwrap_or_else(|| "–".into()),
                suspect.name(),
                format!("{:.3}", suspect.score),
            ];
            if known {
                row.push(if suspect.changed == Some(true) { "changed" } else { "" }.into());
            }
            row
        };
        let mut header = vec!["labelled", "predicted", "id", self.by.as_str()];
        if known {
            header.push("truth");
        }
        let mut text = table(&header, self.suspects.iter().map(row).collect(), 2);
        if let Some(detection) = &self.detection {
            text = format!("{}\n\n{text}", detection_text(detection));
        }
        if let Some(picture) = &self.picture {
            text += &format!("\n\nwritten to {}", picture.display());
        }
        text
    }
}

fn detection_text(detection: &[ColumnDetection]) -> String {
    let Some(first) = detection.first() else { return String::new() };
    let ks: Vec<String> =
        first.found.precision_at.iter().map(|(k, _)| format!("precision at {k}")).collect();
    let mut header = vec!["score", "AUROC", "average precision"];
    header.extend(ks.iter().map(String::as_str));
    let row = |column: &ColumnDetection| {
        let found = &column.found;
        let mut row = vec![column.column.clone()];
        row.extend([found.auroc, found.average_precision].map(|value| format!("{value:.3}")));
        row.extend(found.precision_at.iter().map(|(_, value)| format!("{value:.3}")));
        row
    };
    table(&header, detection.iter().map(row).collect(), 1)
}
