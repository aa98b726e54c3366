//! The pictures of scored examples.

use anyhow::{Result, bail, ensure};
use datadiet_core::ExampleId;
use datadiet_data::Dataset;
use datadiet_lab::pages::Pictures;
use datadiet_table::{Column, KEY};

use crate::home::HomeArgs;
use crate::output::grouped;
use crate::scores_file::Scores;

/// The images of an imported data set, by the ids of a table of scores.
pub struct Images {
    /// The data set.
    pub dataset: Dataset,
    /// The data set's number of each example, where the table has ids of its own.
    keys: Option<Vec<u32>>,
}

impl Images {
    /// The images that were scored, or those of the data set `named`.
    ///
    /// # Errors
    /// When the data set is not imported, is another now, or cannot be the one that was scored.
    pub fn of(home: &HomeArgs, scores: &Scores, named: Option<&str>) -> Result<Self> {
        let dataset = scores.dataset(home, named)?;
        let keys = match scores.table.column(KEY) {
            None => None,
            Some(Column::U32(keys)) => Some(keys.clone()),
            Some(_) => bail!(
                "the examples have texts for ids, which say nothing of their places in {}; record \
                 them with the numbers of its examples",
                dataset.name()
            ),
        };
        check(&dataset, scores, keys.as_deref().unwrap_or(&scores.ids()))?;
        Ok(Self { dataset, keys })
    }

    /// The 8-bit pixels of an example.
    pub fn image(&self, id: u32) -> Option<&[u8]> {
        let place = match &self.keys {
            None => id as usize,
            Some(keys) => *keys.get(id as usize)? as usize,
        };
        let train = self.dataset.train();
        (place < train.len()).then(|| train.image(place))
    }
}

/// Scores from elsewhere do not say which data set they are of: its size and labels do.
fn check(dataset: &Dataset, scores: &Scores, places: &[u32]) -> Result<()> {
    let train = dataset.train();
    let most = places.iter().max().map_or(0, |&most| most as usize + 1);
    ensure!(
        most <= train.len(),
        "the scores are of {} examples or more, {} has {}: they belong to different data sets",
        grouped(most as u64),
        dataset.name(),
        grouped(train.len() as u64)
    );
    let Ok(labels) = scores.table.integers("label") else { return Ok(()) };
    let pairs = places.iter().zip(labels);
    let other = pairs.filter(|(place, label)| train.labels[**place as usize] != **label).count();
    ensure!(
        scores.spec().is_some() || 2 * other <= labels.len(),
        "{} of {} examples have another label in the scores than in {}: they belong to different \
         data sets, or are in another order",
        grouped(other as u64),
        grouped(labels.len() as u64),
        dataset.name()
    );
    Ok(())
}

impl Pictures for Images {
    fn pixels(&self, id: ExampleId) -> Option<(&[u8], [usize; 3])> {
        let dataset = &self.dataset;
        let shape = [dataset.height(), dataset.width(), dataset.channels()];
        self.image(id.0).map(|pixels| (pixels, shape))
    }
}
