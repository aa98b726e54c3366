//! The images of the examples in a table: those that Python gives, or those of the imported data set that was
//! scored.

use std::path::PathBuf;

use datadiet_data::{DataHome, Dataset, user_root};
use datadiet_pages::Pictures;
use datadiet_report::png;
use datadiet_table::{Examples, Row, ScoreTable, TableError, TrainingSet};
use numpy::{PyReadonlyArray1, PyReadonlyArray4, PyUntypedArrayMethods};
use pyo3::prelude::*;

use crate::errors::OrRaise;
use crate::table::Table;

/// Where data sets are, as the command has it (`--home`).
const HOME: &str = "DATADIET_HOME";

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

    /// By the rows of a table.
    pub fn of_rows(self, table: &ScoreTable) -> Result<OfRows<'a>, TableError> {
        let set = TrainingSet { name: "images", size: self.shape[0], ..TrainingSet::default() };
        let examples = table.examples_in(&set)?;
        Ok(OfRows { from: From::Array(self), examples })
    }
}

/// Images by the rows of a table.
pub struct OfRows<'a> {
    from: From<'a>,
    examples: Examples,
}

enum From<'a> {
    Array(Images<'a>),
    Imported(Box<Dataset>),
}

impl Pictures for OfRows<'_> {
    fn pixels(&self, row: Row) -> Option<(&[u8], [usize; 3])> {
        let example = self.examples.of(row).index();
        match &self.from {
            From::Array(Images { pixels, shape: [_, height, width, channels] }) => {
                let size = height * width * channels;
                let first = example * size;
                Some((pixels.get(first..first + size)?, [*height, *width, *channels]))
            }
            From::Imported(dataset) => {
                let shape = [dataset.height(), dataset.width(), dataset.channels()];
                Some((dataset.train().image(example), shape))
            }
        }
    }
}

/// The images that were given, else those of the imported data set that the table says it is of; none where that is
/// not imported here, or is another.
pub fn given_or_imported<'a>(
    table: &ScoreTable,
    images: Option<Images<'a>>,
) -> Result<Option<OfRows<'a>>, TableError> {
    images.map_or_else(|| Ok(imported(table)), |images| images.of_rows(table).map(Some))
}

fn imported(table: &ScoreTable) -> Option<OfRows<'static>> {
    let data = table.card()?.data.as_ref()?;
    let root = std::env::var_os(HOME).map(PathBuf::from).or_else(user_root)?;
    let dataset = Dataset::open(&DataHome::within(&root), &data.name).ok()?;
    let labels = Some(dataset.train().labels);
    let set = TrainingSet {
        name: dataset.name(),
        size: dataset.train().len(),
        fingerprint: Some(dataset.fingerprint()),
        labels,
        classes: dataset.classes(),
        ..TrainingSet::default()
    };
    let examples = table.examples_in(&set).ok()?;
    Some(OfRows { from: From::Imported(Box::new(dataset)), examples })
}

/// The pictures of some rows as PNG files, of the images that Python gives, else of the imported data set; None where
/// a row has none.
#[pyfunction]
pub fn pictures(
    table: &Table,
    rows: PyReadonlyArray1<'_, u32>,
    images: Option<PyReadonlyArray4<'_, u8>>,
) -> PyResult<Vec<Option<Vec<u8>>>> {
    let images = images.as_ref().map(Images::of).transpose()?;
    let found = given_or_imported(&table.0, images).or_raise()?;
    let picture = |&row: &u32| {
        let (pixels, shape) = found.as_ref()?.pixels(Row(row))?;
        png(pixels, shape).ok()
    };
    Ok(rows.as_slice()?.iter().map(picture).collect())
}
