//! The split that a file or folder is called by.

use super::file_name;
use crate::{DataError, Result};
use std::path::Path;

/// A split by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SplitName {
    Train,
    Test,
    Validation,
}

impl SplitName {
    /// All splits of which a whole word of `name` says that it is one, in any case; words end at
    /// `-`, `_`, `.`, a space or the end, and a number may follow (`train0`). More than one: the
    /// name does not say which.
    pub(crate) fn all_of(name: &str) -> Vec<Self> {
        let words = name.split(['-', '_', '.', ' ']);
        let mut splits: Vec<Self> = words.filter_map(Self::of_word).collect();
        splits.sort();
        splits.dedup();
        splits
    }

    /// The one split that the last part of a path says.
    ///
    /// # Errors
    /// When it says two.
    pub(crate) fn one_of(path: &Path) -> Result<Option<Self>> {
        match Self::all_of(&file_name(path))[..] {
            [] => Ok(None),
            [split] => Ok(Some(split)),
            [first, second, ..] => {
                let problem = format!(
                    "its name says both {} and {}; rename it, so that one word says the split",
                    first.name(),
                    second.name()
                );
                Err(DataError::bad_file(path, problem))
            }
        }
    }

    /// The split that a single word says.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        match word.trim_end_matches(|c: char| c.is_ascii_digit()).to_lowercase().as_str() {
            "train" | "training" => Some(Self::Train),
            "test" | "testing" => Some(Self::Test),
            "validation" | "val" | "valid" | "dev" => Some(Self::Validation),
            _ => None,
        }
    }

    /// As it is called in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
            Self::Validation => "validation",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SplitName::{self, *};

    #[test]
    fn a_split_is_a_whole_word() {
        for (name, splits) in [
            ("train-00000-of-00002.parquet", vec![Train]),
            ("Train", vec![Train]),
            ("birds_training.parquet", vec![Train]),
            ("train0.parquet", vec![Train]),
            ("partial-train", vec![Train]),
            ("t10k-test.parquet", vec![Test]),
            ("VAL", vec![Validation]),
            ("dev.parquet", vec![Validation]),
            ("trainer.parquet", vec![]),
            ("latest.parquet", vec![]),
            ("testimony-00000.parquet", vec![]),
            ("valley_contest", vec![]),
            ("trainval", vec![]),
            ("development", vec![]),
            ("train_test.parquet", vec![Train, Test]),
        ] {
            assert_eq!(SplitName::all_of(name), splits, "{name}");
        }
    }
}
