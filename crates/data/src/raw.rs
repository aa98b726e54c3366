//! A data set in memory, as every reader returns it, and the checks it must pass before caching.
//!
//! Images are unsigned bytes in row-major height × width × channel order, one after the other.
//! Nothing here knows where the bytes came from.

use crate::images::Decoded;
use crate::{DataError, ImportNotes, ImportOptions, Result};

/// One split in memory.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct RawSplit {
    /// n × height × width × channels bytes.
    pub images: Vec<u8>,
    /// One class index for each image.
    pub labels: Vec<u32>,
}

/// A data set in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawDataset {
    /// Names of the classes; a label is an index into them.
    pub classes: Vec<String>,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Training examples; their position is their example id.
    pub train: RawSplit,
    /// Held-out examples, where the data set has them.
    pub test: Option<RawSplit>,
    /// Where the data came from, in words.
    pub source: String,
    /// What was left out, turned and decided when it was read.
    pub notes: ImportNotes,
}

impl RawDataset {
    /// Decoded pictures as a data set.
    pub(crate) fn of_pictures(
        classes: Vec<String>,
        decoded: Decoded,
        source: String,
        notes: ImportNotes,
    ) -> Self {
        let Decoded { shape: [height, width, channels], train, test } = decoded;
        Self { classes, height, width, channels, train, test, source, notes }
    }

    /// Bytes of one image.
    pub fn image_len(&self) -> usize {
        self.height * self.width * self.channels
    }

    /// Checks sizes, labels and classes; the first fault found is returned.
    pub fn validate(&self, options: &ImportOptions) -> Result<()> {
        self.check_shape()?;
        self.check_split("train", &self.train)?;
        if let Some(test) = &self.test {
            self.check_split("test", test)?;
        }
        if !options.allow_empty_class {
            self.check_every_class_has_an_example()?;
        }
        Ok(())
    }

    fn check_shape(&self) -> Result<()> {
        if self.image_len() == 0 || !matches!(self.channels, 1 | 3) {
            return Err(inconsistent(format!(
                "images of {} x {} with {} channels cannot be used (1 or 3 channels, at least one pixel)",
                self.height, self.width, self.channels
            )));
        }
        if self.classes.is_empty() {
            return Err(inconsistent("there are no classes".into()));
        }
        Ok(())
    }

    fn check_split(&self, name: &'static str, split: &RawSplit) -> Result<()> {
        if split.labels.is_empty() {
            return Err(inconsistent(format!("the {name} split has no examples")));
        }
        let expected = split.labels.len() * self.image_len();
        if split.images.len() != expected {
            return Err(inconsistent(format!(
                "the {name} split has {} labels, which need {expected} image bytes, but {} were read",
                split.labels.len(),
                split.images.len()
            )));
        }
        let classes = self.classes.len();
        match split.labels.iter().position(|&label| label as usize >= classes) {
            None => Ok(()),
            Some(index) => Err(DataError::LabelOutsideClasses {
                split: name,
                index,
                label: split.labels[index].into(),
                classes,
            }),
        }
    }

    fn check_every_class_has_an_example(&self) -> Result<()> {
        let mut seen = vec![false; self.classes.len()];
        for &label in &self.train.labels {
            seen[label as usize] = true;
        }
        match seen.iter().position(|seen| !seen) {
            None => Ok(()),
            Some(empty) => Err(DataError::EmptyClass { class: self.classes[empty].clone() }),
        }
    }
}

fn inconsistent(what: String) -> DataError {
    DataError::Inconsistent { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_grey_pixels() -> RawDataset {
        RawDataset {
            classes: vec!["dark".into(), "light".into()],
            height: 1,
            width: 1,
            channels: 1,
            train: RawSplit { images: vec![3, 250], labels: vec![0, 1] },
            test: None,
            source: "made here".into(),
            notes: ImportNotes::default(),
        }
    }

    fn message(dataset: &RawDataset) -> String {
        dataset.validate(&ImportOptions::default()).unwrap_err().to_string()
    }

    #[test]
    fn a_sound_data_set_passes() {
        two_grey_pixels().validate(&ImportOptions::default()).unwrap();
    }

    #[test]
    fn a_label_outside_the_classes_names_the_example() {
        let mut dataset = two_grey_pixels();
        dataset.train.labels[1] = 7;
        assert!(
            message(&dataset)
                .starts_with("train example 1 has label 7, but there are 2 classes (0 to 1)")
        );
    }

    #[test]
    fn an_empty_class_is_named_and_can_be_allowed() {
        let mut dataset = two_grey_pixels();
        dataset.classes.push("medium".into());
        assert!(message(&dataset).starts_with("class `medium` has no training example"));
        let allowed = ImportOptions { allow_empty_class: true, ..Default::default() };
        dataset.validate(&allowed).unwrap();
    }

    #[test]
    fn missing_image_bytes_are_counted() {
        let mut dataset = two_grey_pixels();
        dataset.train.images.pop();
        assert!(message(&dataset).contains("2 labels, which need 2 image bytes, but 1 were read"));
    }

    #[test]
    fn odd_channel_counts_and_empty_splits_are_refused() {
        let mut dataset = two_grey_pixels();
        dataset.channels = 2;
        assert!(message(&dataset).contains("2 channels"));
        let mut dataset = two_grey_pixels();
        dataset.test = Some(RawSplit::default());
        assert!(message(&dataset).contains("the test split has no examples"));
    }
}
