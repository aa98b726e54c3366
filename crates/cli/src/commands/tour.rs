//! `datadiet tour`: the first minute, on real images with labels that are known to be wrong.
//!
//! It writes what was recorded of a real training into a folder (`assets/tour`, made by
//! `scripts/record-tour`) and goes the steps of a user. Each step is a command line, which is printed, read as
//! if it had been typed, and answered by the function that answers that command: nothing is computed here.

mod browser;
mod folder;
mod guide;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use datadiet_core::grouped;
use datadiet_table::{ScoreTable, Suspect, Truth, WrongLabelCount};
use serde::Serialize;

use crate::commands::data::{self, ImportArgs};
use crate::commands::ingest::{self, IngestArgs};
use crate::commands::report::{self, ReportArgs};
use crate::commands::select::{self, SelectArgs};
use crate::commands::suspects::{self, SuspectsArgs};
use crate::output::OutputArgs;
use folder::Folder;
use guide::Guide;

/// Name of the data set.
const NAME: &str = "tour";

/// Suspects that are listed and drawn: as many as one looks at.
const LISTED: usize = 60;

/// Suspects that are told one by one.
const TOLD: usize = 3;

/// What the half is worth: measured once, by `scripts/record-tour --on`, and not by the tour.
const WORTH: &str = "\
when this was recorded, the same networks were trained on that half alone, for as many steps: 86.9 % of
the test images are right then; after all images 87.3 %, a random half 84.0 %, the hardest half 82.5 %";

/// See it at work on real images, without data of yours.
///
/// Takes 5,000 images of Fashion-MNIST of which 250 labels were changed on purpose, and the logits that three
/// small networks gave for them after each of ten epochs, all recorded before: nothing is downloaded or
/// trained. Imports the images, takes scores from the logits, lists suspects and says how many of the changed
/// labels are among them, selects half of the images, and writes a report. Each step is shown with the command
/// that does it.
///
/// Everything is in one folder, the imported data set too, whatever --home says. The same command again
/// replaces what it wrote.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet tour
  datadiet tour --out /tmp/tour --no-open")]
pub struct TourArgs {
    /// Folder to write to.
    #[arg(long, value_name = "DIR", default_value = "datadiet-tour")]
    out: PathBuf,
    /// Only say where the report is. It is opened in the browser where there are a terminal and a display.
    #[arg(long)]
    no_open: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// What the tour found.
#[derive(Serialize)]
struct Answer {
    folder: String,
    images: usize,
    classes: usize,
    /// Trainings that the logits are of.
    trainings: usize,
    /// Labels that were changed on purpose.
    changed: usize,
    suspects: Suspicion,
    wrong_labels: WrongLabelCount,
    half: Half,
    picture: String,
    report: PathBuf,
    opened: bool,
    /// What was done, as it is typed.
    commands: Vec<String>,
}

/// How many of the changed labels are among the suspects.
#[derive(Serialize)]
struct Suspicion {
    by: String,
    /// How many suspects are listed and drawn.
    listed: usize,
    listed_changed: usize,
    /// How many of the `changed` likeliest, were as many listed as labels were changed.
    likeliest_changed: usize,
}

/// The half that was selected.
#[derive(Serialize)]
struct Half {
    kept: usize,
    /// How many of the changed labels are in it.
    changed: usize,
    file: String,
}

/// Runs the command.
pub fn run(args: &TourArgs) -> Result<ExitCode> {
    let folder = Folder::prepare(&args.out)?;
    let mut guide = Guide::new(args.output.json);
    guide.say(&introduction(&folder))?;

    let home = folder.path("home");
    let at_home = ["--home", &home];

    let (path, classes) = (folder.path("images"), folder.path("images/classes.txt"));
    let (place, command) = guide.step::<ImportArgs>(
        "The images, as you would have them: here in the files of Fashion-MNIST.",
        &["data", "import"],
        &[&[path.as_str(), "--name", NAME], &at_home[..]].concat(),
    )?;
    let dataset = data::import(&place.data()?, command)?;
    let images = dataset.train().len();
    let [height, width] = [dataset.height(), dataset.width()];
    guide.outcome(&format!(
        "{} images of {width}×{height} pixels in {} classes, with the labels as they were changed",
        grouped(images as u64),
        dataset.classes().len(),
    ))?;

    let scores = folder.path("scores");
    let runs = folder::LOGITS.map(|file| folder.path(file));
    let [first, second, third] = runs.each_ref().map(String::as_str);
    let pass = "evaluation mode, after each epoch";
    let (_, command) = guide.step::<IngestArgs>(
        "Scores, from the logits that each network gave for each image after each epoch.",
        &["ingest"],
        &[first, second, third, "--classes", &classes, "--pass", pass, "--out", &scores],
    )?;
    let taken = ingest::ingest(&command)?;
    let trainings = taken.card.replicas.unwrap_or_default();
    guide.outcome(&format!(
        "{} scores of each image (EL2N, AUM, forgetting, …), each the mean over {trainings} trainings",
        taken.card.columns.len(),
    ))?;

    let (truth, picture) = (folder.path("changed.csv"), folder.path("suspects.png"));
    let listed = LISTED.to_string();
    let looked = ["--data", NAME, "-n", &listed, "--picture", &picture, "--truth", &truth];
    let (place, command) = guide.step::<SuspectsArgs>(
        "The labels that fit worst what the networks learned. What was changed only judges the list.",
        &["suspects"],
        &[&[scores.as_str()], &looked[..], &at_home[..]].concat(),
    )?;
    let found = suspects::of_scores(&place, &command, scores.as_ref())?;
    let (suspicion, changed) = judged(&found)?;
    guide.outcome(&told(&suspicion, changed, images, &found))?;
    guide.outcome(&format!("pictures of them: {picture}"))?;

    let half = folder.path("half.parquet");
    let choice = "--keep 0.5 --rule window --offset 0.4 --quota proportional --out";
    let choice: Vec<&str> = choice.split(' ').collect();
    let (place, command) = guide.step::<SelectArgs>(
        "Half of the images: of each class those between its easiest 40 % and its hardest 10 %, by EL2N.",
        &["select"],
        &[&[scores.as_str()], &choice[..], &[half.as_str()]].concat(),
    )?;
    let chosen = select::choose(&place, &command)?;
    let table = ScoreTable::read(scores.as_ref())?;
    let wrong = Truth::read(truth.as_ref(), &table, None)?.wrong;
    let half = Half {
        kept: chosen.rows.len(),
        changed: chosen.rows.iter().filter(|row| wrong[row.index()]).count(),
        file: half,
    };
    guide.outcome(&format!(
        "{} images are kept, {} of the {changed} changed labels among them\n{WORTH}",
        grouped(half.kept as u64),
        half.changed,
    ))?;

    let page = folder.path("report.html");
    let title = "Fashion-MNIST with changed labels: which examples matter";
    // So few of each class that both ends are seen side by side.
    let options = ["--data", NAME, "--gallery", "4", "--title", title, "--out", &page];
    let (place, command) = guide.step::<ReportArgs>(
        "All of it on one page.",
        &["report"],
        &[&[scores.as_str()], &options[..], &at_home[..]].concat(),
    )?;
    let report = report::report(&place, command)?.report;
    let opened = !args.no_open && !args.output.json && browser::open(&report);
    let report = std::path::absolute(report)?;
    let where_it_is = report.display();
    guide.outcome(&match opened {
        true => format!("{where_it_is}: opening it in your browser"),
        false => format!("{where_it_is}: open it in a browser"),
    })?;

    guide.say(OWN_DATA)?;
    let answer = Answer {
        folder: folder.name().to_owned(),
        images,
        classes: dataset.classes().len(),
        trainings,
        changed,
        suspects: suspicion,
        wrong_labels: found.wrong_labels,
        half,
        picture,
        report,
        opened,
        commands: guide.commands(),
    };
    if args.output.json {
        args.output.answer(&answer, String::new)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is about to be seen.
fn introduction(folder: &Folder) -> String {
    format!(
        "5,000 images of Fashion-MNIST, 250 of their labels changed on purpose, and the logits that three\n\
         small networks gave for them after each of ten epochs: a real training, recorded before.\n\
         Everything goes to {}. The commands below work when you type them yourself.",
        folder.name(),
    )
}

const OWN_DATA: &str = "
With your own data:
   datadiet.Recorder(len(train), n_classes=10)   # in Python: .update(ids, logits, labels), .end_epoch(), .table().write(FILE)
   datadiet ingest run0 run1 --out FOLDER        # or files of logits, written by any program
   datadiet suspects FOLDER                      # or FILE; select and report take the same";

/// How many of the changed labels are among the suspects, and how many there are.
fn judged(found: &suspects::Answer) -> Result<(Suspicion, usize)> {
    let by = found.detection.iter().flatten().find(|column| column.column == found.by);
    let by = &by.context("the list is judged by its own column")?.found;
    let precision = by.precision_at.iter().find(|(k, _)| *k == by.positives);
    let (k, precision) = precision.context("the precision is taken at the number of changes")?;
    let changed = |suspect: &&Suspect| suspect.changed == Some(true);
    let suspicion = Suspicion {
        by: found.by.clone(),
        listed: found.suspects.len(),
        listed_changed: found.suspects.iter().filter(changed).count(),
        likeliest_changed: (*k as f64 * precision).round() as usize,
    };
    Ok((suspicion, by.positives))
}

fn told(found: &Suspicion, changed: usize, images: usize, all: &suspects::Answer) -> String {
    let one = |suspect: &Suspect| {
        let predicted = suspect.predicted.as_deref().unwrap_or("–");
        format!(
            "image {}: labelled {}, predicted {predicted}",
            suspect.name(),
            suspect.class.as_deref().unwrap_or("–")
        )
    };
    let likeliest: Vec<String> = all.suspects.iter().take(TOLD).map(one).collect();
    format!(
        "{}\n{} of the {} likeliest by {} are labels that were changed on purpose,\n\
         {} of the {changed} likeliest (by chance {:.0} %)\n{}",
        likeliest.join("\n"),
        found.listed_changed,
        found.listed,
        found.by,
        found.likeliest_changed,
        100.0 * changed as f64 / images as f64,
        all.wrong_labels,
    )
}
