//! `datadiet report`: one HTML file of what a folder of results holds, and its figures beside it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use datadiet_lab::pages::{Pictures, ScoresView, experiment_sections, scores_sections};
use datadiet_lab::{ColumnSummary, ExperimentOutcome};
use datadiet_report::{Block, NoteKind, Page, Section};
use datadiet_table::write_atomically;
use serde::Serialize;
use serde_json::Value;

use crate::home::HomeArgs;
use crate::output::OutputArgs;
use crate::pictures::Images;
use crate::scores_file::Scores;

/// Write a report of scores or experiments: one HTML file that needs no network.
///
/// Figures can be hovered and their series switched; each is also written as SVG and PNG to the
/// folder `figures` (for NAME.html `NAME-figures`) beside the report. `datadiet run` and `datadiet diet` write theirs by themselves.
#[derive(Args)]
#[command(after_help = "\
Examples:
  datadiet report scores/demo                      # scores/demo/report.html
  datadiet report results/curve scores/demo --out both.html
  datadiet report mine.parquet --by el2n@4 --gallery 12
  datadiet report scores/recorded --data mine      # pictures for scores from your own training loop")]
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
    /// Imported data set whose pictures to show [default: the one that was scored].
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
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
    output: OutputArgs,
}

/// What was written.
#[derive(Serialize)]
struct Written {
    report: PathBuf,
    figures: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: ReportArgs) -> Result<ExitCode> {
    let out = args.out.clone().unwrap_or_else(|| default_out(&args.paths[0]));
    ensure!(
        out.extension().is_some_and(|extension| extension == "html"),
        "{} must end in .html",
        out.display()
    );
    let options = Options {
        by: args.by.as_deref(),
        data: args.data.as_deref(),
        gallery: args.gallery,
        suspects: args.suspects,
    };
    let mut page = page(home, &args.paths, &options)?;
    if let Some(title) = args.title {
        page.title = title;
    }
    let figures = write(&out, &page, !args.no_figures)?;
    let written = Written { report: out, figures };
    args.output.answer(&written, || {
        let (report, count) = (written.report.display(), written.figures.len());
        format!("{report}, {count} figures beside it")
    })?;
    Ok(ExitCode::SUCCESS)
}

fn default_out(path: &Path) -> PathBuf {
    let folder = if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) };
    folder.join("report.html")
}

/// How much is shown.
pub struct Options<'a> {
    /// Column that galleries are sorted by.
    pub by: Option<&'a str>,
    /// Data set whose pictures are shown, where the scores do not say.
    pub data: Option<&'a str>,
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
    let options = Options { by: None, data: None, gallery: 8, suspects: 40 };
    let page = page(home, &[folder.to_owned()], &options)?;
    let out = folder.join("report.html");
    write(&out, &page, true)?;
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
        let value: Value = serde_json::from_slice(&std::fs::read(&outcome)?)?;
        let found: ExperimentOutcome = serde_json::from_value(value.clone())
            .context("outcome.json was written by another version; run the experiment again")?;
        describe(page, path, &value, &found);
        sections.extend(experiment_sections(&found));
    }
    if table.exists() {
        let scores = Scores::read(&table)?;
        if page.title.is_empty() {
            page.title = title_of(&scores, path);
        }
        add_provenance(page, &scores);
        sections.extend(of_scores(home, &scores, options)?);
    }
    Ok(sections)
}

fn describe(page: &mut Page, path: &Path, value: &Value, outcome: &ExperimentOutcome) {
    let written = |key: &str| value["experiment"][key].as_str().filter(|text| !text.is_empty());
    if page.title.is_empty() {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        page.title = written("title").map_or(name, str::to_owned);
        page.subtitle = written("about").unwrap_or_default().to_owned();
    }
    if let Some(source) = value["source"].as_str() {
        page.provenance.push(("data".into(), source.into()));
    }
    let template = serde_json::to_string(&outcome.template).unwrap_or_default();
    page.provenance.push(("a training on everything".into(), template));
    if !value["experiment"].is_null() {
        page.provenance.push(("experiment".into(), value["experiment"].to_string()));
    }
}

fn title_of(scores: &Scores, path: &Path) -> String {
    match scores.spec() {
        Some(spec) => format!("{}: which examples matter", spec.data.name),
        None => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    }
}

fn add_provenance(page: &mut Page, scores: &Scores) {
    let mut add = |name: &str, value: Option<String>| {
        page.provenance.extend(value.map(|value| (name.to_owned(), value)));
    };
    add("scored data", scores.report["source"].as_str().map(str::to_owned));
    add("replicas", scores.replicas().map(|count| count.to_string()));
    add("a scoring run", scores.spec().and_then(|spec| serde_json::to_string(&spec).ok()));
}

fn of_scores(home: &HomeArgs, scores: &Scores, options: &Options<'_>) -> Result<Vec<Section>> {
    let by = match options.by {
        Some(by) => by.to_owned(),
        None => scores.column_or_default(None)?,
    };
    let columns: Vec<ColumnSummary> =
        scores.names().iter().filter_map(|name| scores.summary(name)).collect();
    let images = images(home, scores, options.data)?;
    let classes = match &images {
        // Tables from elsewhere seldom have names; the same labels say that these are theirs.
        Some(images) if options.data.is_some() => images.dataset.classes().to_vec(),
        _ => scores.classes(),
    };
    let view = ScoresView {
        table: &scores.table,
        columns: &columns,
        classes: &classes,
        by: &by,
        pictures: images.as_ref().map(|images| images as &dyn Pictures),
        gallery: options.gallery,
        suspects: options.suspects,
    };
    let mut sections = scores_sections(&view)?;
    if let (Some(note), Some(first)) = (failed_replicas(scores), sections.first_mut()) {
        first.blocks.insert(0, note);
    }
    Ok(sections)
}

/// Which replicas are missing from the means.
fn failed_replicas(scores: &Scores) -> Option<Block> {
    let failed = scores.report["failed"].as_array()?;
    let names: Vec<&str> = failed.iter().filter_map(|failure| failure["name"].as_str()).collect();
    let names = names.join(", ");
    let text = format!("Failed, and not in these scores: {names}. scores.json says why.");
    (!failed.is_empty()).then_some(Block::Note { kind: NoteKind::Warning, text })
}

/// The images that were scored, where they are still imported, or those of the data set `named`.
fn images(home: &HomeArgs, scores: &Scores, named: Option<&str>) -> Result<Option<Images>> {
    if named.is_none() && scores.spec().is_none() {
        return Ok(None);
    }
    match Images::of(home, scores, named) {
        Ok(images) => Ok(Some(images)),
        Err(problem) if named.is_none() => {
            eprintln!("note: no pictures in the report: {problem:#}");
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}

/// `figures` beside report.html, `NAME-figures` beside NAME.html.
fn figures_folder(out: &Path) -> PathBuf {
    let name = out.file_stem().unwrap_or_default().to_string_lossy();
    let folder = if name == "report" { "figures".into() } else { format!("{name}-figures") };
    out.with_file_name(folder)
}

/// Writes the page, and its figures beside it.
fn write(out: &Path, page: &Page, with_figures: bool) -> Result<Vec<PathBuf>> {
    if page.sections.is_empty() {
        bail!("there is nothing to report");
    }
    let html = page.to_html();
    write_atomically(out, |file| std::io::Write::write_all(file, html.as_bytes()))?;
    let mut files = Vec::new();
    if !with_figures {
        return Ok(files);
    }
    let folder = figures_folder(out);
    for block in page.sections.iter().flat_map(|section| &section.blocks) {
        let Block::Figure(figure) = block else { continue };
        let svg = folder.join(format!("{}.svg", figure.id));
        write_atomically(&svg, |file| std::io::Write::write_all(file, figure.to_svg().as_bytes()))?;
        let png = folder.join(format!("{}.png", figure.id));
        let bytes = figure.to_png(2.0)?;
        write_atomically(&png, |file| std::io::Write::write_all(file, &bytes))?;
        files.extend([svg, png]);
    }
    Ok(files)
}
