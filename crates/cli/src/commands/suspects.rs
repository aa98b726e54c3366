//! `datadiet suspects`: the likeliest mislabelled examples, and how well scores find known ones.

mod picture;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use datadiet_core::{ExampleId, order};
use datadiet_lab::Ranking;
use datadiet_lab::ranking::time_of;
use datadiet_lab::study::noise::{ColumnDetection, default_ks, detections};
use datadiet_store::Table;
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
    /// Column to suspect by; aum@end and el2n@end do well [default: aum@end, else the latest EL2N].
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    /// How many to list.
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    n: usize,
    /// Known changes: a file of `datadiet noise`.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// The k of precision at k [default: the number changed, and a tenth of it].
    #[arg(long, value_name = "K", value_delimiter = ',')]
    at: Vec<usize>,
    /// Draw the suspects by the class they are labelled as.
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
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
}

/// An example that may be mislabelled.
#[derive(Clone, Debug, Serialize)]
pub struct Suspect {
    /// Its id.
    pub id: u32,
    /// Its value in the column.
    pub score: f32,
    /// The class it is labelled as.
    pub class: String,
    /// Index of that class.
    pub label: u32,
    /// The class that most replicas predict, where the table tells.
    pub predicted: Option<String>,
    /// Whether its label was changed, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: SuspectsArgs) -> Result<ExitCode> {
    let scores = Scores::read(&args.scores)?;
    let ranking = Ranking::of(&scores.table, &column(&scores, args.by.as_deref())?)?;
    let changed = args.truth.as_deref().map(|file| truth(file, &scores)).transpose()?;
    let suspects = suspects(&scores, &ranking, changed.as_deref(), args.n)?;
    if let Some(file) = &args.picture {
        picture::write(file, home, &scores, &ranking, &suspects)?;
    }
    let detection = changed.map(|changed| judged(&scores, &changed, &args.at)).transpose()?;
    let answer = Answer { by: ranking.name, suspects, detection, picture: args.picture };
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

/// The `n` hardest examples that have a score.
pub fn suspects(
    scores: &Scores,
    ranking: &Ranking,
    changed: Option<&[bool]>,
    n: usize,
) -> Result<Vec<Suspect>> {
    let hardness = ranking.hardness();
    let all = scores.ids();
    let scored: Vec<usize> = (0..hardness.len()).filter(|&row| !hardness[row].is_nan()).collect();
    let values: Vec<f32> = scored.iter().map(|&row| hardness[row]).collect();
    let ids: Vec<ExampleId> = scored.iter().map(|&row| ExampleId(all[row])).collect();
    let ranked = order(&values, &ids)?;
    let classes = scores.classes();
    let labels = scores.table.integers("label").unwrap_or_default();
    let predicted = predictions(scores, &ranking.name);
    let name =
        |class: u32| classes.get(class as usize).cloned().unwrap_or_else(|| class.to_string());
    let suspect = |&position: &u32| {
        let row = scored[position as usize];
        let label = labels.get(row).copied().unwrap_or_default();
        Suspect {
            id: all[row],
            score: ranking.values[row],
            class: name(label),
            label,
            predicted: predicted.map(|predicted| name(predicted[row])),
            changed: changed.map(|changed| changed[row]),
        }
    };
    Ok(ranked.iter().rev().take(n).map(suspect).collect())
}

/// The predictions at the time of a column, else the latest.
fn predictions<'s>(scores: &'s Scores, column: &str) -> Option<&'s [u32]> {
    let time = column.split_once('@').map(|(_, time)| format!("predicted@{time}"));
    if let Some(found) = time.and_then(|name| scores.table.integers(&name).ok()) {
        return Some(found);
    }
    let of = |name: &&str| name.starts_with("predicted@");
    let latest =
        scores.table.names().filter(of).max_by(|a, b| {
            time_of(a).unwrap_or_default().total_cmp(&time_of(b).unwrap_or_default())
        })?;
    scores.table.integers(latest).ok()
}

/// The mask of a file of `datadiet noise`.
fn truth(file: &Path, scores: &Scores) -> Result<Vec<bool>> {
    let known = Table::read(file)?;
    let changed = known.integers("changed").with_context(|| {
        format!("{} does not say which labels were changed; `datadiet noise` does", file.display())
    })?;
    let rows = scores.table.rows();
    ensure!(
        changed.len() >= rows,
        "{} tells about {} examples, the scores are of {rows}: they belong to different data sets",
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
    Ok(changed[..rows].iter().map(|&flag| flag != 0).collect())
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
                suspect.id.to_string(),
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
