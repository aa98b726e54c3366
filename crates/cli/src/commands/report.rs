//! `datadiet report`: one HTML file of what a folder of results holds, and its figures beside it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Args;
use datadiet_core::Direction;
use datadiet_data::Dataset;
use datadiet_lab::{ExperimentOutcome, experiment_sections, settings};
use datadiet_pages::{Pictures, ScoresView, provenance, scores_sections, write};
use datadiet_report::{Block, Page, Section};
use datadiet_store::RunSpec;
use datadiet_table::ScoreTable;
use serde::Serialize;

use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::pictures::Images;
use crate::scores_file::{DataArgs, HardArgs, TURN};
use crate::tracker::LogArgs;

/// Write a report of scores or experiments, one HTML file.
///
/// It needs no network. Figures can be hovered and their series switched; each is also written as SVG
/// and PNG to the folder `figures` (for NAME.html `NAME-figures`) beside the report. `datadiet run` and
/// `datadiet diet` write theirs by themselves.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet report scores/demo                      # scores/demo/report.html
  datadiet report results/curve scores/demo --out both.html
  datadiet report mine.parquet --by el2n@4 --gallery 12
  datadiet report scores/recorded --data mine      # pictures for scores from your own training loop
  datadiet report results/curve --log mlflow       # and log the results, see docs/TRACKERS.md")]
pub struct ReportArgs {
    /// Folders of results (`outcome.json`, `scores.parquet`) or tables of scores.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// File to write [default: report.html in the first folder].
    #[arg(long, value_name = "FILE.html")]
    out: Option<PathBuf>,
    /// Column that galleries are sorted by [default: the latest EL2N].
    #[arg(long, value_name = "COLUMN")]
    by: Option<String>,
    #[command(flatten)]
    hard: HardArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Title of the report.
    #[arg(long)]
    title: Option<String>,
    /// Examples of each class at each end of the gallery.
    #[arg(long, value_name = "N", default_value_t = 8)]
    gallery: usize,
    /// Suspects shown.
    #[arg(long, value_name = "N", default_value_t = 40)]
    suspects: usize,
    /// Write no figures beside the report.
    #[arg(long)]
    no_figures: bool,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What was written.
#[derive(Serialize)]
pub struct Written {
    /// The page.
    pub report: PathBuf,
    figures: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: ReportArgs) -> Result<ExitCode> {
    let (output, log) = (args.output, args.log.clone());
    let results = args.paths[0].clone();
    if log.is_given() {
        ensure!(
            args.paths.len() == 1,
            "--log logs one folder of results: report on each by itself"
        );
        log.check()?;
    }
    let written = report(home, args)?;
    output.answer(&written, || {
        let (report, count) = (written.report.display(), written.figures.len());
        format!("{report}, {count} figures beside it")
    })?;
    if let Some(told) = log.report(&results, &written.report)? {
        eprintln!("logged: {told}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the report.
pub fn report(home: &HomeArgs, args: ReportArgs) -> Result<Written> {
    let out = args.out.clone().unwrap_or_else(|| default_out(&args.paths[0]));
    ensure!(
        out.extension().is_some_and(|extension| extension == "html"),
        "{} must end in .html",
        out.display()
    );
    let options = Options {
        by: args.by.as_deref(),
        hard: args.hard.direction(),
        data: &args.data,
        gallery: args.gallery,
        suspects: args.suspects,
    };
    let mut page = page(home, &args.paths, &options)?;
    if let Some(title) = args.title {
        page.title = title;
    }
    let figures = write(&page, &out, !args.no_figures)?;
    Ok(Written { report: out, figures })
}

fn default_out(path: &Path) -> PathBuf {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    folder.join("report.html")
}

/// How much is shown.
pub struct Options<'a> {
    /// Column that galleries are sorted by.
    pub by: Option<&'a str>,
    /// Which end of it is hard; none for the one that its name says.
    pub hard: Option<Direction>,
    /// Data set whose pictures are shown, where the scores do not say.
    pub data: &'a DataArgs,
    /// Examples of each class at each end of the gallery.
    pub gallery: usize,
    /// Suspects shown.
    pub suspects: usize,
}

/// Writes the report of a folder of results into it.
///
/// # Errors
/// When the results cannot be read or the report cannot be written.
pub fn of_folder(home: &HomeArgs, folder: &Path) -> Result<PathBuf> {
    let data = &DataArgs::NONE;
    let options = Options { by: None, hard: None, data, gallery: 8, suspects: 40 };
    let page = page(home, &[folder.to_owned()], &options)?;
    let out = folder.join("report.html");
    write(&page, &out, true)?;
    Ok(out)
}

fn page(home: &HomeArgs, paths: &[PathBuf], options: &Options<'_>) -> Result<Page> {
    let mut page = Page::default();
    for path in paths {
        let mut sections = sections(home, path, options, &mut page)
            .with_context(|| format!("cannot report on {}", path.display()))?;
        if paths.len() > 1 {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            for section in &mut sections {
                section.id = format!("{name}-{}", section.id);
                section.title = format!("{} ({name})", section.title);
                for block in &mut section.blocks {
                    if let Block::Figure(figure) = block {
                        figure.id = format!("{name}-{}", figure.id);
                    }
                }
            }
        }
        page.sections.append(&mut sections);
    }
    page.provenance.push(("datadiet".into(), env!("CARGO_PKG_VERSION").into()));
    Ok(page)
}

fn sections(
    home: &HomeArgs,
    path: &Path,
    options: &Options<'_>,
    page: &mut Page,
) -> Result<Vec<Section>> {
    let outcome = path.join("outcome.json");
    let table = if path.is_dir() { path.join("scores.parquet") } else { path.to_owned() };
    ensure!(
        outcome.exists() || table.exists(),
        "it holds neither outcome.json nor scores.parquet; `datadiet score` and `datadiet run` \
         write them"
    );
    let mut sections = Vec::new();
    if outcome.exists() {
        let found: ExperimentOutcome = serde_json::from_slice(&std::fs::read(&outcome)?)
            .context("outcome.json was written by another version; run the experiment again")?;
        describe(page, path, &found);
        sections.extend(experiment_sections(&found)?);
    }
    if table.exists() {
        let scores = ScoreTable::read(&table)?;
        if page.title.is_empty() {
            page.title = title_of(&scores, path);
        }
        page.provenance.extend(provenance(&scores));
        let specification = scores.card().map(|card| card.specification.clone());
        let spec = specification.and_then(|value| serde_json::from_value::<RunSpec>(value).ok());
        let words = spec.map(|spec| ("settings of a scoring run".to_owned(), settings(&spec)));
        page.provenance.extend(words);
        sections.extend(of_scores(home, &scores, options)?);
    }
    Ok(sections)
}

fn describe(page: &mut Page, path: &Path, outcome: &ExperimentOutcome) {
    let asked = &outcome.experiment;
    let written = |key: &str| asked[key].as_str().filter(|text| !text.is_empty());
    if page.title.is_empty() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        page.title = written("title").map_or(name, str::to_owned);
        page.subtitle = written("about").unwrap_or_default().to_owned();
    }
    if !outcome.source.is_empty() {
        page.provenance.push(("data".into(), outcome.source.clone()));
    }
    page.provenance.push(("settings of a training".into(), settings(&outcome.template)));
    let template = serde_json::to_string(&outcome.template).unwrap_or_default();
    page.provenance.push(("a training on everything".into(), template));
    if !asked.is_null() {
        page.provenance.push(("experiment".into(), asked.to_string()));
    }
}

fn title_of(scores: &ScoreTable, path: &Path) -> String {
    match scores.card().and_then(|card| card.data.as_ref()) {
        Some(data) => format!("{}: which examples matter", data.name),
        None => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

fn of_scores(home: &HomeArgs, scores: &ScoreTable, options: &Options<'_>) -> Result<Vec<Section>> {
    let dataset = dataset(home, scores, options)?;
    let images = dataset
        .as_ref()
        .map(|dataset| Images::of(dataset, scores, &options.data.training_set(dataset)));
    let named = options.data.data.is_some();
    let images = match images.transpose() {
        Err(problem) if !named => {
            eprintln!("note: no pictures in the report: {problem:#}");
            None
        }
        images => images?,
    };
    let classes = match &dataset {
        // Tables from elsewhere seldom have names; the same labels say that these are theirs.
        Some(dataset) if named => dataset.classes().to_vec(),
        _ => scores.classes()?,
    };
    Ok(scores_sections(&ScoresView {
        table: scores,
        classes: &classes,
        by: options.by,
        hard: options.hard,
        pictures: images.as_ref().map(|images| images as &dyn Pictures),
        gallery: options.gallery,
        suspects: options.suspects,
        turn: TURN,
    })?)
}

/// Whether a trainer of the user's was scored on examples that only it can load.
fn is_declared(home: &HomeArgs, scores: &ScoreTable) -> Result<bool> {
    let Some(card) = scores.card() else { return Ok(false) };
    let name = card.data.as_ref().map(|data| data.name.as_str()).unwrap_or_default();
    let by_program = card.specification.get("trainer").is_some_and(serde_json::Value::is_object);
    Ok(by_program && Dataset::open(&home.data()?, name).is_err())
}

/// The data set that was scored, where it is still imported, or the one that is named.
fn dataset(home: &HomeArgs, scores: &ScoreTable, options: &Options<'_>) -> Result<Option<Dataset>> {
    let named = options.data.data.is_some();
    if !named && scores.card().is_none_or(|card| card.data.is_none()) {
        return Ok(None);
    }
    if !named && is_declared(home, scores)? {
        return Ok(None);
    }
    match options.data.open(home, scores) {
        Err(problem) if !named => {
            eprintln!("note: no pictures in the report: {problem:#}");
            Ok(None)
        }
        dataset => dataset.map(Some),
    }
}
