//! `datadiet suspects`: the likeliest mislabelled examples, how many labels look wrong, and how well scores
//! find known ones.

use std::borrow::Cow;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use datadiet_core::Kept;
use datadiet_explore::{Contents, Source};
use datadiet_lab::text::table;
use datadiet_lab::{Recipe, Scene, Training, TrainingOptions};
use datadiet_pages::{suspects_picture, suspects_table};
use datadiet_store::Schedule;
use datadiet_table::{ColumnDetection, ScoreTable, Suspect, WrongLabelCount, time_of};
use serde::Serialize;

use crate::commands::score::{self, ScoreOptions};
use crate::execution::{ExecutionArgs, open};
use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::pictures::Images;
use crate::scores_file::{DataArgs, HardArgs, TruthArgs};

/// List the likeliest mislabelled examples.
///
/// Of a table of scores, or of a data set that is scored for it. The hardest examples by --by first,
/// with the class that most replicas predict, and an estimate of how many labels are wrong: a fit to
/// AUM, log margin, confidence or loss, with an interval over examples (not over what may be wrong with
/// the fit); where the scores do not tell, that is said instead. With --truth every score is judged by
/// how well it finds the wrong labels: AUROC (1/2 is chance), average precision (chance is the fraction
/// of wrong ones) and precision at k.
///
/// Without SCORES it trains first, as `datadiet score` does, on --data, and says where the scores are. The
/// same command again trains nothing. The recipe is speedrun where neither --recipe nor --model is named,
/// whatever the default at --recipe says; a speedrun, named or not, is one training on all cores if
/// --replicas is not given.
#[derive(Args)]
#[command(
    args_override_self = true,
    allow_negative_numbers = true,
    after_help = "\
Examples:
  datadiet suspects scores/demo
  datadiet suspects scores/demo --by aum@end -n 50 --picture suspects.png
  datadiet suspects scores/noisy --truth noisy.parquet
  datadiet suspects reviews.parquet --text reviews.jsonl
  datadiet suspects --data cifar10 --width 0.25x          # trains, then lists
  datadiet suspects --data cifar10 --labels noisy.parquet --truth noisy.parquet"
)]
pub struct SuspectsArgs {
    /// A scores.parquet, or the folder that holds one [default: scores are taken of --data].
    scores: Option<PathBuf>,
    /// Column to suspect by, or several joined by `+`, whose ranks are added up [default: the latest AUM,
    /// else margin of mean, log margin, EL2N; of losses their mean; of a speedrun trained here the log margins at the end and of the mean together].
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    #[command(flatten)]
    hard: HardArgs,
    /// How many to list.
    #[arg(short, long, value_name = "N", default_value_t = 20)]
    n: usize,
    #[command(flatten)]
    truth: TruthArgs,
    /// The k of precision at k [default: the number changed, and a tenth of it].
    #[arg(long, value_name = "K", value_delimiter = ',', requires = "truth")]
    at: Vec<usize>,
    /// Texts that stand beside the ids, by id, or one a row where the table has no ids: .txt, .jsonl, .json, .csv or
    /// .parquet [default: a column `text` of the table].
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Draw the suspects by the class they are labelled as.
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Labels of SCORES may differ from those of --data: some are wrong in one of the two.
    #[arg(long, requires = "scores")]
    other_labels: bool,
    /// With SCORES only --data, which says where the pictures are.
    #[command(flatten)]
    training: TrainingOptions,
    /// Independent trainings to take scores from [default: 1 of a speedrun, on all cores; else 4].
    #[arg(long, conflicts_with = "scores")]
    replicas: Option<u32>,
    /// Folder for the scores that are taken [default: scores/DATA-MODEL-ID].
    #[arg(long, value_name = "DIR", conflicts_with = "scores")]
    out: Option<PathBuf>,
    #[command(flatten)]
    execution: ExecutionArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What suspicion answers.
#[derive(Serialize)]
pub struct Answer {
    /// The column that they are listed by.
    pub by: String,
    /// Hardest first.
    pub suspects: Vec<Suspect>,
    /// How many labels look wrong.
    pub wrong_labels: WrongLabelCount,
    /// How well each column finds known wrong labels, if any are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detection: Option<Vec<ColumnDetection>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
    warnings: Vec<String>,
    /// Where the scores are, if they were taken for this.
    #[serde(skip_serializing_if = "Option::is_none")]
    scores: Option<PathBuf>,
}

/// What finds wrong labels best after one speedrun: on CIFAR-10N the sum of both ranks has an average
/// precision of 0.85, either alone 0.82 to 0.83.
const BEST_OF_ONE_TRAINING: &str = "log-margin@end+margin-of-mean@end";

/// The same where the second is left out, for the memory that it takes for each example and class.
const BEST_OF_LARGE_DATA: &str = "log-margin@end";

/// Parts of a minibatch, which threads share.
fn parts(schedule: &Schedule) -> u32 {
    schedule.micro_batch.map_or(1, |size| schedule.batch / size)
}

impl SuspectsArgs {
    /// Whether it is going to train with our own worker.
    pub fn needs_worker(&self) -> bool {
        self.scores.is_none() && self.training.trainer.is_none()
    }
}

/// Runs the command.
pub fn run(home: &HomeArgs, mut args: SuspectsArgs) -> Result<ExitCode> {
    if let Some(file) = &args.picture {
        let png = file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png"));
        ensure!(png, "{} must end in .png", file.display());
    }
    if let Some(scores) = &args.scores {
        ensure!(
            !args.execution.log.is_given(),
            "--log is for scores that are taken here; those of {} are logged by `datadiet report`",
            scores.display()
        );
        let answer = of_scores(home, &args, scores)?;
        args.output.answer(&answer, || answer.text())?;
        return Ok(ExitCode::SUCCESS);
    }
    let training = &mut args.training;
    let own = training.trainer.is_none();
    if own && training.recipe.is_none() && training.model.is_none() {
        training.recipe = Some(Recipe::Speedrun);
    }
    if training.recipe() == Recipe::Speedrun {
        let opened = open(home, training)?;
        let data = opened.data();
        let (template, labels) = (Training::new(training, data)?.template, data.labels);
        // One wide training finds more than several narrow ones of its cost; all cores share its parts.
        if args.replicas.is_none() {
            args.replicas = Some(1);
            let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
            training.threads.get_or_insert(parts(&template.schedule).min(cores as u32));
        }
        let examples = training.limit.map_or(labels.len(), |limit| limit as usize);
        let both = Kept::within(examples, data.classes.len()).classes;
        let by = if both { BEST_OF_ONE_TRAINING } else { BEST_OF_LARGE_DATA };
        args.by.get_or_insert_with(|| by.to_owned());
    }
    let (training, out) = (training.clone(), args.out.clone());
    let asked = ScoreOptions::at_the_end(training, args.replicas, out);
    let how = (args.execution.clone(), args.output);
    // Not after hours of training.
    let check = |scene: &Scene| {
        let planned = scene.planned()?;
        planned.ranking(&args.column(&planned)?, args.hard.direction())?;
        args.truth.read(&scene.unscored()?)?;
        Ok(())
    };
    score::answer(home, asked, how, check, |folder, _| {
        let mut answer = args.answer(home, folder, &DataArgs::NONE)?;
        answer.scores = Some(folder.to_owned());
        let text = format!("{}\n\nthe scores are in {}", answer.text(), folder.display());
        Ok((text, answer))
    })
}

/// The suspects of scores that are there, and their picture.
pub fn of_scores(home: &HomeArgs, args: &SuspectsArgs, scores: &Path) -> Result<Answer> {
    let data = args.training.data.clone();
    ensure!(
        args.training == TrainingOptions { data: data.clone(), ..TrainingOptions::default() },
        "{} has been trained: of the options of a training only --data goes with it; leave it out to \
         train, or leave them out",
        scores.display()
    );
    args.answer(home, scores, &DataArgs::scored(data, args.other_labels))
}

impl SuspectsArgs {
    /// The column that suspects of a table are listed by.
    fn column(&self, scores: &ScoreTable) -> Result<String> {
        Ok(self.by.clone().map_or_else(|| scores.default_suspicion(), Ok)?)
    }

    /// The suspects of a table of scores, and their picture.
    fn answer(&self, home: &HomeArgs, scores: &Path, data: &DataArgs) -> Result<Answer> {
        let scores = ScoreTable::read(scores)?;
        let ranking = self.hard.ranking(&scores, &self.column(&scores)?)?;
        let truth = self.truth.read(&scores)?;
        let wrong = truth.as_ref().map(|truth| truth.wrong.as_slice());
        truth.iter().flat_map(|truth| &truth.notes).for_each(|note| eprintln!("note: {note}"));
        let warnings = truth.iter().filter_map(|truth| truth.warning.clone());
        let warnings: Vec<String> = warnings.collect();
        warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
        let classes = scores.classes()?;
        let mut suspects = scores.suspects(&classes, &ranking, wrong, self.n)?;
        if let Some(file) = &self.text {
            let texts = Contents::open(Source::Texts(file.clone()), &scores)?;
            for suspect in &mut suspects {
                suspect.text = texts.text(suspect.row).map(Cow::into_owned);
            }
        }
        let wrong_labels = scores.wrong_labels(&ranking)?;
        if let Some(file) = &self.picture {
            let dataset = data.open(home, &scores)?;
            let images = Images::of(&dataset, &scores, &data.training_set(&dataset))?;
            let (name, classes) = (dataset.name(), dataset.classes());
            suspects_picture(file, name, &ranking, &suspects, classes, &images)?;
        }
        let detection = wrong.map(|wrong| {
            let default = || ColumnDetection::default_ks(wrong);
            let at = if self.at.is_empty() { default() } else { self.at.clone() };
            let mut columns = scores.scores();
            if !columns.contains(&ranking.name.as_str()) {
                columns.push(&ranking.name);
            }
            scores.detections(&columns, wrong, &at)
        });
        let (by, detection) = (ranking.name.clone(), detection.transpose()?);
        let picture = self.picture.clone();
        Ok(Answer { by, suspects, wrong_labels, detection, picture, warnings, scores: None })
    }
}

impl Answer {
    fn text(&self) -> String {
        let known = self.suspects.iter().any(|suspect| suspect.changed.is_some());
        let mut shown = suspects_table(&self.suspects, &self.by, 3);
        if known {
            shown.header.push("truth".into());
            for (row, suspect) in shown.rows.iter_mut().zip(&self.suspects) {
                row.push(if suspect.changed == Some(true) { "wrong" } else { "" }.into());
            }
        }
        let header: Vec<&str> = shown.header.iter().map(String::as_str).collect();
        let mut text = table(&header, shown.rows, shown.text_columns);
        if let Some(detection) = &self.detection {
            text = format!("{}\n\n{text}", detection_text(detection, &self.by));
        }
        text += &format!("\n\n{}", self.wrong_labels);
        if let Some(picture) = &self.picture {
            text += &format!("\n\nwritten to {}", picture.display());
        }
        text
    }
}

/// How well each score at the last time finds the wrong labels, and the one that is ranked by; a line for each time
/// would be long.
fn detection_text(detection: &[ColumnDetection], by: &str) -> String {
    let Some(first) = detection.first() else { return String::new() };
    let times = detection.iter().filter_map(|column| time_of(&column.column));
    let last = times.max_by(f64::total_cmp);
    let (shown, earlier): (Vec<_>, Vec<_>) = detection.iter().partition(|column| {
        let time = time_of(&column.column);
        time.is_none() || time == last || column.column == by
    });
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
    let text = table(&header, shown.into_iter().map(row).collect(), 1);
    match earlier.len() {
        0 => text,
        count => format!("{text}\n\n{count} more at earlier times: see --json"),
    }
}
