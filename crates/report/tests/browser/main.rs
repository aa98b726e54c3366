//! Pages in a real browser, at the widths of a desktop and a phone, in light and dark.
//!
//! Chromium opens the page, a probe inside the page touches it as a reader would and says what
//! happened. `DATADIET_SCREENSHOTS=<folder>` keeps pictures of the pages for people to look at.

mod chromium;
#[path = "../common/mod.rs"]
mod common;
mod installed;

use std::{collections::HashSet, ffi::OsString, fs};

use base64::{Engine, prelude::BASE64_STANDARD};
use chromium::{Theme, View, Visit, open};
use datadiet_report::{Block, Chart, Figure, Page};
use installed::{Without, find};
use serde::Deserialize;

const DESKTOP: u32 = 1280;
const PHONE: u32 = 390;

/// What the probe saw.
#[derive(Debug, Deserialize)]
struct Seen {
    ready: Option<String>,
    width: u32,
    dark: bool,
    hurt: Option<u32>,
    overflow: i64,
    scripts: usize,
    broken_pictures: usize,
    pictures: usize,
    luminance: f64,
    clashes: Vec<String>,
    outside: Vec<String>,
    figures: Vec<SeenFigure>,
    toggle: Toggle,
    tooltip: Tooltip,
    saved: Saved,
}

#[derive(Debug, Deserialize)]
struct SeenFigure {
    kind: String,
    /// Classes of the drawings that are shown.
    shown: Vec<String>,
    wide: Vec<Mark>,
    narrow: Vec<Mark>,
    /// Cells of the table, numbers in full.
    table: Vec<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
struct Mark {
    series: String,
    x: String,
    y: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    count: String,
    #[serde(default)]
    low: String,
    #[serde(default)]
    high: String,
    #[serde(default)]
    note: String,
}

#[derive(Debug, Deserialize)]
struct Toggle {
    /// Marks to be seen: of the series and of the others; before, while it is off, and after.
    before: [usize; 2],
    off: [usize; 2],
    after: [usize; 2],
    pressed: [String; 3],
}

#[derive(Debug, Deserialize)]
struct Tooltip {
    hidden_at_first: bool,
    pointed: String,
    moved: String,
    other_series: String,
    hidden_at_last: bool,
    inside: bool,
}

#[derive(Debug, Deserialize)]
struct Saved {
    svg: String,
    csv: String,
    /// In base64.
    png: String,
    names: Vec<String>,
}

fn visit(page: &Page, name: &str, width: u32, theme: Theme) -> Option<Seen> {
    let view = View { name, width, theme };
    let Visit { seen, log } = open(&page.to_html(), view)?;
    let seen: Seen = serde_json::from_str(&seen).expect("the probe tells what it saw");
    assert!(log.is_empty(), "the browser complains: {log:#?}");
    assert_eq!(seen.ready.as_deref(), Some("yes"), "the script of the page ran");
    assert_eq!((seen.width, seen.dark), (width, theme == Theme::Dark));
    assert_eq!(seen.dark, seen.luminance < 0.5, "the background follows the theme");
    assert_eq!(seen.hurt, None, "a name was executed");
    assert_eq!(seen.scripts, 2, "the page's script and the probe");
    assert_eq!(seen.overflow, 0, "the page scrolls sideways");
    assert!(seen.pictures > 0 && seen.broken_pictures == 0, "{} pictures", seen.pictures);
    assert!(seen.outside.is_empty(), "labels outside their drawing: {:#?}", seen.outside);
    Some(seen)
}

fn check(page: &Page, seen: &Seen) {
    let narrow = seen.width < 600;
    let figures = common::figures(page);
    assert_eq!(seen.figures.len(), figures.len());
    for (figure, seen) in figures.into_iter().zip(&seen.figures) {
        let class = if narrow { "narrow" } else { "wide" };
        assert_eq!(seen.shown, [class], "one drawing is shown");
        assert_eq!(seen.wide, seen.narrow, "both drawings carry the same numbers");
        assert_eq!(from_model(figure), seen.wide, "marks and model differ in {}", seen.kind);
        assert_eq!(from_table(seen), in_table(seen), "marks and table differ in {}", seen.kind);
    }
    let [mine, others] = seen.toggle.before;
    assert!(mine > 0 && others > 0);
    assert_eq!(seen.toggle.off, [0, others], "a series that is off is not seen");
    assert_eq!(seen.toggle.after, [mine, others]);
    assert_eq!(seen.toggle.pressed, ["true", "false", "true"]);
}

/// The marks that the table of a figure asks for.
fn from_table(figure: &SeenFigure) -> Vec<Mark> {
    let [header, rows @ ..] = figure.table.as_slice() else { return Vec::new() };
    match figure.kind.as_str() {
        "lines" => rows.iter().filter(|row| row[1] != "–").map(|row| point(header, row)).collect(),
        "histogram" => (2..header.len())
            .step_by(2)
            .flat_map(|column| rows.iter().map(move |row| bar(&header[column], row, column)))
            .collect(),
        _ => rows.iter().flat_map(|row| cells(header, row)).collect(),
    }
}

/// The marks as far as the table tells of them: notes of a heatmap are in its tooltips only.
fn in_table(figure: &SeenFigure) -> Vec<Mark> {
    let mut marks = figure.wide.clone();
    if figure.kind == "heatmap" {
        marks.iter_mut().for_each(|mark| mark.note.clear());
    }
    marks
}

fn point(header: &[String], row: &[String]) -> Mark {
    let cell = |name: &str| {
        let column = header.iter().position(|one| one == name);
        column.map(|column| row[column].clone()).unwrap_or_default()
    };
    Mark {
        low: cell("low"),
        high: cell("high"),
        note: cell("note"),
        ..mark(&row[0], &row[1], &row[2])
    }
}

fn bar(name: &str, row: &[String], column: usize) -> Mark {
    let series = name.strip_suffix(", count").unwrap_or(name);
    let (to, count) = (row[1].clone(), row[column].clone());
    Mark { to, count, ..mark(series, &row[0], &row[column + 1]) }
}

fn cells(header: &[String], row: &[String]) -> Vec<Mark> {
    let pairs = header.iter().zip(row).skip(1);
    let value = |text: &String| if text == "–" { String::new() } else { text.clone() };
    pairs.map(|(column, text)| mark(&row[0], column, &value(text))).collect()
}

fn mark(series: &str, x: &str, y: &str) -> Mark {
    let none = String::new;
    let (series, x, y) = (series.to_owned(), x.to_owned(), y.to_owned());
    Mark { series, x, y, to: none(), count: none(), low: none(), high: none(), note: none() }
}

/// The marks that a figure asks for, with numbers as Rust writes them.
fn from_model(figure: &Figure) -> Vec<Mark> {
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    match &figure.chart {
        Chart::Lines(chart) => {
            let series = chart.series.iter();
            let points = series.flat_map(|one| one.points.iter().map(move |point| (one, point)));
            let mark =
                |(series, point): (&datadiet_report::Series, &datadiet_report::Point)| Mark {
                    low: text(point.low),
                    high: text(point.high),
                    note: seen_text(&point.note),
                    ..mark(&seen_text(&series.name), &point.x.to_string(), &point.y.to_string())
                };
            points.map(mark).collect()
        }
        Chart::Histogram(chart) => {
            let mut marks = Vec::new();
            for series in &chart.series {
                let percent = series.counts.iter().sum::<u64>() as f64 / 100.0;
                for (edges, &count) in chart.edges.windows(2).zip(&series.counts) {
                    let (from, share) = (edges[0].to_string(), count as f64 / percent);
                    let mark = mark(&seen_text(&series.name), &from, &share.to_string());
                    let (to, count) = (edges[1].to_string(), count.to_string());
                    marks.push(Mark { to, count, ..mark });
                }
            }
            marks
        }
        Chart::Heatmap(chart) => {
            let mut marks = Vec::new();
            for ((row, values), notes) in chart.rows.iter().zip(&chart.values).zip(&chart.details) {
                for ((column, &value), note) in chart.columns.iter().zip(values).zip(notes) {
                    let note = seen_text(note);
                    let mark = mark(&seen_text(row), &seen_text(column), &text(value));
                    marks.push(Mark { note, ..mark });
                }
            }
            marks
        }
    }
}

/// A name as the probe tells it: without the character that XML cannot hold.
fn seen_text(text: &str) -> String {
    text.replace('\u{1}', "\u{fffd}")
}

fn check_touch(seen: &Seen) {
    let Tooltip { pointed, moved, other_series, .. } = &seen.tooltip;
    assert!(seen.tooltip.hidden_at_first && seen.tooltip.hidden_at_last);
    assert!(seen.tooltip.inside, "the tooltip lies inside the window");
    for part in ["kept, % of 50,000 examples: 50", "95.22", "95.025 to 95.3811", "4 retrainings"] {
        assert!(pointed.contains(part), "{part} is not in {pointed}");
    }
    assert!(moved.contains("examples: 70"), "the right arrow key goes on: {moved}");
    assert!(other_series.contains("is-current: grand@20"), "down changes series: {other_series}");
}

fn check_saved(seen: &Seen, figure: &Figure) {
    assert_eq!(seen.saved.names, ["kept.svg", "kept.png", "kept.csv"]);
    let document = resvg::usvg::roxmltree::Document::parse(&seen.saved.svg);
    let document = document.expect("the saved drawing is well-formed");
    let texts: HashSet<_> = document.descendants().filter_map(|node| node.text()).collect();
    for text in [figure.title.as_str(), "el2n@20", "all data (95.12)"] {
        assert!(texts.contains(text), "{text} is not in the saved drawing");
    }
    assert!(!seen.saved.svg.contains("var("));
    let png = BASE64_STANDARD.decode(&seen.saved.png).expect("the probe writes base64");
    let picture = image::load_from_memory(&png).expect("the saved picture decodes").to_rgb8();
    let colours: HashSet<_> = picture.pixels().collect();
    assert!(picture.width() > 1600 && picture.height() > 900 && colours.len() > 50);
    let lines: Vec<_> = seen.saved.csv.split("\r\n").collect();
    let header = "series,\"kept, % of 50,000 examples\",\"test accuracy, %\",low,high,note";
    assert_eq!(lines[0], header);
    let Chart::Lines(chart) = &figure.chart else { panic!("the first figure has lines") };
    let points: usize = chart.series.iter().map(|series| series.points.len()).sum();
    assert_eq!(lines.len(), 1 + points + chart.references.len() + 1);
    assert!(lines[1].starts_with("el2n@20,40,94.66,94.44,94.84333333333333,"), "{}", lines[1]);
}

fn sample(name: &str, width: u32, theme: Theme) {
    let page = common::page();
    let Some(seen) = visit(&page, name, width, theme) else { return };
    check(&page, &seen);
    check_touch(&seen);
    check_saved(&seen, common::figures(&page)[0]);
    assert!(seen.clashes.is_empty(), "labels lie over each other: {:#?}", seen.clashes);
}

#[test]
fn a_page_answers_on_a_desktop_in_light() {
    sample("desktop-light", DESKTOP, Theme::Light);
}

#[test]
fn a_page_answers_on_a_desktop_in_dark() {
    sample("desktop-dark", DESKTOP, Theme::Dark);
}

#[test]
fn a_page_answers_on_a_phone_in_light() {
    sample("phone-light", PHONE, Theme::Light);
}

#[test]
fn a_page_answers_on_a_phone_in_dark() {
    sample("phone-dark", PHONE, Theme::Dark);
}

#[test]
fn hostile_names_stay_names() {
    let page = common::hostile();
    let hostile = |block: &Block| matches!(block, Block::Figure(_));
    assert!(page.sections.iter().flat_map(|section| &section.blocks).any(hostile));
    for width in [DESKTOP, PHONE] {
        let name = format!("hostile-{width}");
        let Some(seen) = visit(&page, &name, width, Theme::Light) else { return };
        check(&page, &seen);
    }
}

#[test]
fn without_a_browser_tests_are_left_out_but_in_continuous_integration_they_fail() {
    let folder = tempfile::tempdir().expect("a folder for programs");
    let programs = folder.path().as_os_str().to_owned();
    let found = |variables: &[(&str, &str)]| {
        find(|name| match variables.iter().find(|(other, _)| *other == name) {
            Some((_, value)) => Some(OsString::from(*value)),
            None => (name == "PATH").then(|| programs.clone()),
        })
    };
    let Err(Without::LeftOut(why)) = found(&[]) else { panic!("tests are left out") };
    assert!(why.contains("apt-get install chromium") && why.lines().count() == 1, "{why}");
    let Err(Without::Failed(why)) = found(&[("CI", "true")]) else { panic!("tests fail") };
    assert!(why.contains("apt-get install chromium") && why.contains("DATADIET_SKIP_BROWSER=1"));
    let chosen = [("CI", "true"), ("DATADIET_SKIP_BROWSER", "1")];
    assert!(matches!(found(&chosen), Err(Without::LeftOut(_))));
    assert_eq!(found(&[("DATADIET_CHROMIUM", "/opt/mine")]), Ok("/opt/mine".into()));
    let program = folder.path().join("chromium-browser");
    fs::write(&program, "").expect("a program can be written");
    assert_eq!(found(&[("CI", "true")]), Ok(program));
}
