//! What a table of scores says, as the HTML report that `datadiet report` writes and as parts of it for a notebook.

use std::path::{Path, PathBuf};

use datadiet_pages::{
    Pictures, ScoresView, brief_sections, provenance, scores_sections, suspects_of,
};
use datadiet_report::{Block, Page, Section};
use datadiet_table::ScoreTable;
use numpy::PyReadonlyArray4;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde_json::json;

use crate::errors::OrRaise;
use crate::pictures::{Images, OfRows, given_or_imported};
use crate::table::{TURN, Table, direction};

/// What is shown, as Python's keywords say it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Request {
    by: Option<String>,
    hard_is: Option<String>,
    suspects: usize,
    gallery: usize,
}

impl Request {
    fn view<'a>(
        &'a self,
        table: &'a ScoreTable,
        classes: &'a [String],
        pictures: Option<&'a OfRows<'_>>,
    ) -> PyResult<ScoresView<'a>> {
        Ok(ScoresView {
            table,
            classes,
            by: self.by.as_deref(),
            hard: direction(self.hard_is.as_deref())?,
            pictures: pictures.map(|pictures| pictures as &dyn Pictures),
            gallery: self.gallery,
            suspects: self.suspects,
            turn: TURN,
        })
    }
}

/// Writes the page, with `figures` its figures beside it; gives the files of the figures.
pub fn write(
    table: &ScoreTable,
    path: &Path,
    title: String,
    figures: bool,
    request: &Request,
    images: Option<Images<'_>>,
) -> Result<Vec<PathBuf>, PyErr> {
    let images = images.map(|images| images.of_rows(table)).transpose().or_raise()?;
    let classes = table.classes().or_raise()?;
    let view = request.view(table, &classes, images.as_ref())?;
    let sections = scores_sections(&view).or_raise()?;
    let mut provenance = provenance(table);
    provenance.push(("datadiet".into(), env!("CARGO_PKG_VERSION").into()));
    let page = Page { title, subtitle: String::new(), sections, provenance };
    datadiet_pages::write(&page, path, figures).or_raise()
}

/// Sections about a table, as JSON: `what` is "brief", "suspects" or "report". Figures have their drawing as `svg`.
#[pyfunction]
pub fn sections(
    py: Python<'_>,
    table: &Table,
    what: &str,
    request: Request,
    images: Option<PyReadonlyArray4<'_, u8>>,
) -> PyResult<String> {
    let table = &table.0;
    let images = images.as_ref().map(Images::of).transpose()?;
    py.detach(|| {
        let images = given_or_imported(table, images).or_raise()?;
        let classes = table.classes().or_raise()?;
        let view = request.view(table, &classes, images.as_ref())?;
        let found = match what {
            "brief" => brief_sections(&view),
            "suspects" => suspects_of(&view).map(|section| vec![section]),
            "report" => scores_sections(&view),
            other => return Err(PyValueError::new_err(format!("{other:?} is no part of a page"))),
        };
        let parts: Vec<_> = found.or_raise()?.iter().map(with_drawings).collect();
        let about = provenance(table);
        Ok(json!({ "sections": parts, "about": about, "classes": classes.len() }).to_string())
    })
}

fn with_drawings(section: &Section) -> serde_json::Value {
    let block = |block: &Block| match block {
        Block::Figure(figure) => json!({ "figure": {
            "title": figure.title, "caption": figure.caption, "svg": figure.to_svg(),
        } }),
        other => serde_json::to_value(other).expect("a block is plain data"),
    };
    let blocks: Vec<_> = section.blocks.iter().map(block).collect();
    json!({ "id": section.id, "title": section.title, "blocks": blocks })
}
