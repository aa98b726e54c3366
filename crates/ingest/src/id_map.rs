//! From the ids of files to the numbers of examples, and back.
//!
//! An example gets a number when it is first seen, so that one pass over the files is enough; once
//! all is read the examples are numbered again, 0 to n − 1 in the order of their ids: by value where
//! all are whole numbers (texts of whole numbers too), else as texts. So the same ids give the same
//! numbers whatever the order of rows and files.

use std::path::Path;

use datadiet_core::ExampleId;
use datadiet_table::{KeyError, KeyMap, Keys};

use crate::IngestError;

/// The examples so far.
#[derive(Debug)]
enum Known {
    /// Rows are examples: n of them.
    Rows(usize),
    /// By id.
    Keys(KeyMap),
}

/// Numbers of examples, by their ids or the places of their rows.
#[derive(Debug, Default)]
pub struct IdMap {
    known: Option<Known>,
    /// Kept for its room.
    numbers: Vec<u32>,
}

const ROWS: &str = "no ids (the row is the example)";
const IDS: &str = "ids";

impl IdMap {
    /// Number of examples so far.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.known {
            None => 0,
            Some(Known::Rows(count)) => *count,
            Some(Known::Keys(map)) => map.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers of rows `first..first + rows`, where rows are examples.
    pub(crate) fn rows(
        &mut self,
        path: &Path,
        first: u64,
        rows: usize,
        out: &mut Vec<ExampleId>,
    ) -> Result<(), IngestError> {
        let Known::Rows(count) = self.known.get_or_insert(Known::Rows(0)) else {
            return Err(mixed(path, IDS, ROWS));
        };
        let end = first + rows as u64;
        if end > KeyMap::MOST as u64 {
            return Err(IngestError::TooManyExamples { path: path.to_owned() });
        }
        *count = (*count).max(end as usize);
        out.clear();
        out.extend((first as u32..end as u32).map(ExampleId));
        Ok(())
    }

    /// Numbers of the examples of some ids; new ones get the next.
    pub(crate) fn keys(
        &mut self,
        path: &Path,
        keys: &Keys,
        out: &mut Vec<ExampleId>,
    ) -> Result<(), IngestError> {
        let fresh = || Known::Keys(KeyMap::default());
        let Known::Keys(map) = self.known.get_or_insert_with(fresh) else {
            return Err(mixed(path, ROWS, IDS));
        };
        out.clear();
        self.numbers.clear();
        map.numbers(keys, &mut self.numbers).map_err(|error| match error {
            KeyError::TooMany => IngestError::TooManyExamples { path: path.to_owned() },
            error => IngestError::Keys(error),
        })?;
        out.extend(self.numbers.iter().copied().map(ExampleId));
        Ok(())
    }

    /// The id of an example, as text.
    #[must_use]
    pub fn key(&self, id: ExampleId) -> String {
        match &self.known {
            Some(Known::Keys(map)) => map.text(id.0),
            _ => id.to_string(),
        }
    }

    /// All ids in order, and for each the number that its example had so far.
    #[must_use]
    pub fn sorted(self) -> (Keys, Vec<u32>) {
        match self.known {
            None => (Keys::Integers(Vec::new()), Vec::new()),
            Some(Known::Rows(count)) => {
                (Keys::Integers((0..count as i64).collect()), (0..count as u32).collect())
            }
            Some(Known::Keys(map)) => map.sorted(),
        }
    }
}

fn mixed(path: &Path, expected: &'static str, found: &'static str) -> IngestError {
    IngestError::MixedIds { path: path.to_owned(), expected, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(batches: &[Keys]) -> (Keys, Vec<u32>) {
        let mut map = IdMap::default();
        for keys in batches {
            map.keys(Path::new("f"), keys, &mut Vec::new()).unwrap();
        }
        map.sorted()
    }

    #[test]
    fn numbers_sort_by_value_and_texts_of_numbers_are_numbers() {
        let texts = Keys::Texts(vec!["10".into(), "9".into()]);
        let (keys, order) = numbered(&[texts, Keys::Integers(vec![-3, 10])]);
        assert_eq!(keys, Keys::Integers(vec![-3, 9, 10]));
        assert_eq!(order, [2, 1, 0]);
    }

    #[test]
    fn hashes_sort_by_value() {
        let (keys, order) = numbered(&[Keys::of_u64(&[1 << 63, 10]), Keys::Integers(vec![9])]);
        assert_eq!(
            keys,
            Keys::Texts(["9", "10", "9223372036854775808"].map(str::to_owned).to_vec())
        );
        assert_eq!(order, [2, 1, 0]);
    }

    #[test]
    fn one_text_makes_all_of_them_texts() {
        let texts = Keys::Texts(vec!["b".into(), "007".into(), "9".into()]);
        let (keys, order) = numbered(&[Keys::Integers(vec![10]), texts]);
        assert_eq!(keys, Keys::Texts(["007", "10", "9", "b"].map(str::to_owned).to_vec()));
        assert_eq!(order, [2, 0, 3, 1]);
    }

    #[test]
    fn rows_and_ids_do_not_mix() {
        let mut map = IdMap::default();
        let mut out = Vec::new();
        map.rows(Path::new("f"), 3, 2, &mut out).unwrap();
        assert_eq!((out.as_slice(), map.len()), (&[ExampleId(3), ExampleId(4)][..], 5));
        let error = map.keys(Path::new("g"), &Keys::Integers(vec![1]), &mut out).unwrap_err();
        assert!(error.to_string().starts_with("g has ids, files before it had no ids"), "{error}");
    }
}
