//! The HTML report of a table of scores, as `datadiet report` writes it.

use std::path::{Path, PathBuf};

use datadiet_pages::{Pictures, ScoresView, provenance, scores_sections};
use datadiet_report::Page;
use datadiet_table::{Examples, Row, ScoreTable, TrainingSet};
use numpy::{PyReadonlyArray4, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::errors::OrRaise;
use crate::table::{TURN, direction};

/// What is shown, as Python's keywords say it.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub struct Request {
    by: Option<String>,
    hard_is: Option<String>,
    title: String,
    suspects: usize,
    gallery: usize,
    figures: bool,
}

/// Images of all training examples: n × height × width × channels, 8 bits each.
pub struct Images<'a> {
    pixels: &'a [u8],
    shape: [usize; 4],
}

impl<'a> Images<'a> {
    /// Those of an array.
    pub fn of(array: &'a PyReadonlyArray4<'_, u8>) -> PyResult<Self> {
        let shape = [0, 1, 2, 3].map(|axis| array.shape()[axis]);
        Ok(Self { pixels: array.as_slice()?, shape })
    }
}

/// Images by the rows of a table.
struct OfRows<'a> {
    images: Images<'a>,
    examples: Examples,
}

impl Pictures for OfRows<'_> {
    fn pixels(&self, row: Row) -> Option<(&[u8], [usize; 3])> {
        let [_, height, width, channels] = self.images.shape;
        let size = height * width * channels;
        let first = self.examples.of(row).index() * size;
        Some((self.images.pixels.get(first..first + size)?, [height, width, channels]))
    }
}

fn of_rows<'a>(table: &ScoreTable, images: Images<'a>) -> PyResult<OfRows<'a>> {
    let set = TrainingSet { name: "images", size: images.shape[0], ..TrainingSet::default() };
    Ok(OfRows { examples: table.examples_in(&set).or_raise()?, images })
}

/// Writes the page, and its figures beside it; gives the files of the figures.
pub fn write(
    table: &ScoreTable,
    path: &Path,
    request: &Request,
    images: Option<Images<'_>>,
) -> Result<Vec<PathBuf>, PyErr> {
    let images = images.map(|images| of_rows(table, images)).transpose()?;
    let classes = table.classes().or_raise()?;
    let sections = scores_sections(&ScoresView {
        table,
        classes: &classes,
        by: request.by.as_deref(),
        hard: direction(request.hard_is.as_deref())?,
        pictures: images.as_ref().map(|images| images as &dyn Pictures),
        gallery: request.gallery,
        suspects: request.suspects,
        turn: TURN,
    });
    let mut provenance = provenance(table);
    provenance.push(("datadiet".into(), env!("CARGO_PKG_VERSION").into()));
    let title = request.title.clone();
    let page = Page { title, subtitle: String::new(), sections: sections.or_raise()?, provenance };
    datadiet_pages::write(&page, path, request.figures).or_raise()
}
