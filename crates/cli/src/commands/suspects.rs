//! `datadiet suspects`: the likeliest mislabelled examples, how many labels look wrong, and how well scores
//! find known ones.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use datadiet_lab::text::table;
use datadiet_pages::suspects_picture;
use datadiet_table::{ColumnDetection, ScoreTable, Suspect, Truth, TruthKind, WrongLabelCount};
use serde::Serialize;

use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::pictures::Images;
use crate::scores_file::{DataArgs, HardArgs};

/// List the likeliest mislabelled examples.
///
/// The hardest examples by --by first, with the class that most replicas predict, and an estimate of how
/// many labels are wrong: a fit to AUM, confidence or loss, with an interval over examples (not over what
/// may be wrong with the fit); where the scores do not tell, that is said instead. With --truth every
/// score is judged by how well it finds the wrong labels: AUROC (1/2 is chance), average precision
/// (chance is the fraction of wrong ones) and precision at k.
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
    #[command(flatten)]
    hard: HardArgs,
    /// How many to list.
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    n: usize,
    /// Known wrong labels, by row or by id: a file of `datadiet noise`; true labels (a column
    /// `true_label`) or a mask (`is_error`, …), as .parquet, .csv, .json, .npy or .txt.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// What a bare list of numbers in --truth is.
    #[arg(long, value_enum, value_name = "KIND", requires = "truth")]
    truth_is: Option<TruthIs>,
    /// The k of precision at k [default: the number changed, and a tenth of it].
    #[arg(long, value_name = "K", value_delimiter = ',', requires = "truth")]
    at: Vec<usize>,
    /// Draw the suspects by the class they are labelled as.
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What suspicion answers.
#[derive(Serialize)]
struct Answer {
    by: String,
    suspects: Vec<Suspect>,
    wrong_labels: WrongLabelCount,
    #[serde(skip_serializing_if = "Option::is_none")]
    detection: Option<Vec<ColumnDetection>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
    warnings: Vec<String>,
}

/// What a list of numbers is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TruthIs {
    /// The true label of each example.
    Labels,
    /// 1 for each wrong label, else 0.
    Mask,
}

impl TruthIs {
    fn kind(self) -> TruthKind {
        match self {
            Self::Labels => TruthKind::Labels,
            Self::Mask => TruthKind::Mask,
        }
    }
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: SuspectsArgs) -> Result<ExitCode> {
    if let Some(file) = &args.picture {
        let png = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        ensure!(png, "{} must end in .png", file.display());
    }
    let scores = ScoreTable::read(&args.scores)?;
    let by = args.by.clone().map_or_else(|| scores.default_suspicion(), Ok)?;
    let ranking = args.hard.ranking(&scores, &by)?;
    let kind = args.truth_is.map(TruthIs::kind);
    let truth = args.truth.as_deref().map(|file| Truth::read(file, &scores, kind)).transpose()?;
    let wrong = truth.as_ref().map(|truth| truth.wrong.as_slice());
    truth.iter().flat_map(|truth| &truth.notes).for_each(|note| eprintln!("note: {note}"));
    let warnings: Vec<String> = truth.iter().filter_map(|truth| truth.warning.clone()).collect();
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let classes = scores.classes()?;
    let suspects = scores.suspects(&classes, &ranking, wrong, args.n)?;
    let wrong_labels = scores.wrong_labels(&ranking)?;
    if let Some(file) = &args.picture {
        let dataset = args.data.open(home, &scores)?;
        let images = Images::of(&dataset, &scores, &args.data.training_set(&dataset))?;
        let (name, classes) = (dataset.name(), dataset.classes());
        suspects_picture(file, name, &ranking, &suspects, classes, &images)?;
    }
    let detection = wrong.map(|wrong| {
        let at =
            if args.at.is_empty() { ColumnDetection::default_ks(wrong) } else { args.at.clone() };
        scores.detections(&scores.scores(), wrong, &at)
    });
    let (by, detection) = (ranking.name.clone(), detection.transpose()?);
    let picture = args.picture;
    let answer = Answer { by, suspects, wrong_labels, detection, picture, warnings };
    args.output.answer(&answer, || answer.text())?;
    Ok(ExitCode::SUCCESS)
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
                row.push(if suspect.changed == Some(true) { "wrong" } else { "" }.into());
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
        text += &format!("\n\n{}", self.wrong_labels);
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
