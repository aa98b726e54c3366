//! The pictures of scored examples.

use anyhow::Result;
use datadiet_data::Dataset;
use datadiet_pages::Pictures;
use datadiet_table::{Examples, Row, ScoreTable, TrainingSet};

use crate::scores_file::training_set;

/// The images of an imported data set, by the rows of a table of scores.
pub struct Images<'d> {
    dataset: &'d Dataset,
    examples: Examples,
}

impl<'d> Images<'d> {
    /// The images of the rows of a table, whose data set this is.
    ///
    /// # Errors
    /// When it is another.
    pub fn of_dataset(dataset: &'d Dataset, table: &ScoreTable) -> Result<Self> {
        Self::of(dataset, table, &training_set(dataset))
    }

    /// The images of the rows of a table, as they fit the training examples of the data set.
    ///
    /// # Errors
    /// When they do not.
    pub fn of(dataset: &'d Dataset, table: &ScoreTable, set: &TrainingSet<'_>) -> Result<Self> {
        Ok(Self { dataset, examples: table.examples_in(set)? })
    }
}

impl Pictures for Images<'_> {
    fn pixels(&self, row: Row) -> Option<(&[u8], [usize; 3])> {
        let dataset = self.dataset;
        let shape = [dataset.height(), dataset.width(), dataset.channels()];
        let place = self.examples.of(row).index();
        Some((dataset.train().image(place), shape))
    }
}
