//! The HTML report of a table of scores, as `datadiet report` writes it for a table without images.

use std::io::Write;
use std::path::{Path, PathBuf};

use datadiet_lab::ColumnSummary;
use datadiet_lab::pages::{ScoresView, scores_sections};
use datadiet_report::{Block, Figure, Page, ReportError};
use datadiet_table::{Column, FileError, Table, write_atomically};
use pyo3::PyErr;
use serde_json::Value;

use crate::arrays::class_count;
use crate::errors::{OrRaise, exception};

/// Writes the page, and its figures beside it; gives the files of the figures.
pub fn write(
    table: &Table,
    path: &Path,
    by: &str,
    title: String,
    suspects: usize,
    figures: bool,
) -> Result<Vec<PathBuf>, PyErr> {
    let page = page(table, by, title, suspects)?;
    save(path, page.to_html().as_bytes()).or_raise()?;
    let shown = page.sections.iter().flat_map(|section| &section.blocks);
    let mut files = Vec::new();
    for block in shown.filter(|_| figures) {
        if let Block::Figure(figure) = block {
            files.extend(draw(figure, &folder(path))?);
        }
    }
    Ok(files)
}

fn page(table: &Table, by: &str, title: String, suspects: usize) -> Result<Page, PyErr> {
    let known = known(table);
    let columns: Vec<ColumnSummary> =
        serde_json::from_value(known["columns"].clone()).unwrap_or_default();
    let classes = classes(table)?;
    let view = ScoresView {
        table,
        columns: &columns,
        classes: &classes,
        by,
        pictures: None,
        gallery: 0,
        suspects,
    };
    let sections = scores_sections(&view).or_raise()?;
    let mut provenance = Vec::new();
    if let Some(replicas) = known["replicas"].as_u64() {
        provenance.push(("replicas".into(), replicas.to_string()));
    }
    provenance.push(("datadiet".into(), env!("CARGO_PKG_VERSION").into()));
    Ok(Page { title, subtitle: String::new(), sections, provenance })
}

/// What was written about the table when it was made; null for one from elsewhere.
fn known(table: &Table) -> Value {
    let text = table.metadata.get("datadiet");
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

/// Names of the classes, by label.
fn classes(table: &Table) -> Result<Vec<String>, PyErr> {
    let (Ok(labels), Some(Column::Text(names))) = (table.integers("label"), table.column("class"))
    else {
        return Ok(Vec::new());
    };
    let mut classes: Vec<String> =
        (0..class_count(labels)?).map(|class| class.to_string()).collect();
    for (&label, name) in labels.iter().zip(names) {
        classes[label as usize].clone_from(name);
    }
    Ok(classes)
}

/// `figures` beside report.html, `NAME-figures` beside NAME.html.
fn folder(path: &Path) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = if name == "report" { "figures".into() } else { format!("{name}-figures") };
    path.with_file_name(folder)
}

fn draw(figure: &Figure, folder: &Path) -> Result<[PathBuf; 2], PyErr> {
    let svg = folder.join(format!("{}.svg", figure.id));
    save(&svg, figure.to_svg().as_bytes()).or_raise()?;
    let png = folder.join(format!("{}.png", figure.id));
    let bytes = figure
        .to_png(2.0)
        .map_err(|error: ReportError| exception("DatadietError", &error.to_string(), &[]))?;
    save(&png, &bytes).or_raise()?;
    Ok([svg, png])
}

fn save(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    write_atomically(path, |file| file.write_all(bytes))
}
