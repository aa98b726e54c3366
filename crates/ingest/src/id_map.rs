//! From the ids of files to the numbers of examples, and back.
//!
//! An example gets a number when it is first seen, so that one pass over the files is enough; once
//! all is read the examples are numbered again, 0 to n − 1 in the order of their ids: by value where
//! all are whole numbers (texts of whole numbers too), else as texts. So the same ids give the same
//! numbers whatever the order of rows and files.

use std::path::Path;

use datadiet_core::ExampleId;
use hashbrown::HashMap;

use crate::IngestError;

/// Ids of some rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

impl Keys {
    /// Whole numbers without sign, such as hashes: texts where one is 2⁶³ or more.
    pub(crate) fn of_u64(keys: &[u64]) -> Self {
        let small: Option<Vec<i64>> = keys.iter().map(|&key| i64::try_from(key).ok()).collect();
        small.map_or_else(|| Self::Texts(keys.iter().map(u64::to_string).collect()), Self::Integers)
    }

    /// Number of ids.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Integers(keys) => keys.len(),
            Self::Texts(keys) => keys.len(),
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them, as text.
    #[must_use]
    pub fn text(&self, index: usize) -> String {
        match self {
            Self::Integers(keys) => keys[index].to_string(),
            Self::Texts(keys) => keys[index].clone(),
        }
    }

    /// The whole numbers 0 to n − 1, in order.
    #[must_use]
    pub fn are_rows(&self) -> bool {
        matches!(self, Self::Integers(keys) if keys.iter().copied().eq(0..keys.len() as i64))
    }
}

/// The number that a text is, written as numbers are: no plus sign, no leading zero.
fn whole(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// Numbers by id, in the order in which the ids came.
#[derive(Clone, Debug, Default)]
struct Numbers {
    integers: HashMap<i64, u32>,
    texts: HashMap<String, u32>,
}

impl Numbers {
    fn count(&self) -> usize {
        self.integers.len() + self.texts.len()
    }

    fn integer(&mut self, key: i64) -> u32 {
        let next = self.count() as u32;
        *self.integers.entry(key).or_insert(next)
    }

    /// A number written as text in one file and as a number in another is one id.
    fn text(&mut self, key: &str) -> u32 {
        if let Some(number) = whole(key) {
            return self.integer(number);
        }
        let next = self.count() as u32;
        *self.texts.entry_ref(key).or_insert(next)
    }
}

/// The examples so far.
#[derive(Clone, Debug)]
enum Known {
    /// Rows are examples: n of them.
    Rows(usize),
    /// By id.
    Keys(Numbers),
}

/// Numbers of examples by id.
#[derive(Clone, Debug, Default)]
pub struct IdMap {
    known: Option<Known>,
}

/// Examples that can be numbered: one number is kept free.
const MOST: u64 = u32::MAX as u64;

const ROWS: &str = "no ids (the row is the example)";
const IDS: &str = "ids";

impl IdMap {
    /// Number of examples so far.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.known {
            None => 0,
            Some(Known::Rows(count)) => *count,
            Some(Known::Keys(numbers)) => numbers.count(),
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
        if end > MOST {
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
        let fresh = || Known::Keys(Numbers::default());
        let Known::Keys(numbers) = self.known.get_or_insert_with(fresh) else {
            return Err(mixed(path, ROWS, IDS));
        };
        if (numbers.count() + keys.len()) as u64 > MOST {
            return Err(IngestError::TooManyExamples { path: path.to_owned() });
        }
        out.clear();
        match keys {
            Keys::Integers(keys) => {
                out.extend(keys.iter().map(|&key| ExampleId(numbers.integer(key))));
            }
            Keys::Texts(keys) => out.extend(keys.iter().map(|key| ExampleId(numbers.text(key)))),
        }
        Ok(())
    }

    /// The id of an example, as text.
    #[must_use]
    pub fn key(&self, id: ExampleId) -> String {
        let Some(Known::Keys(numbers)) = &self.known else { return id.to_string() };
        let integer = numbers.integers.iter().find(|(_, number)| **number == id.0);
        let text = || numbers.texts.iter().find(|(_, number)| **number == id.0);
        match integer {
            Some((key, _)) => key.to_string(),
            None => text().map_or_else(|| id.to_string(), |(key, _)| key.clone()),
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
            Some(Known::Keys(numbers)) if numbers.texts.is_empty() => {
                let (keys, order) = by_key(numbers.integers.into_iter().collect());
                (Keys::Integers(keys), order)
            }
            Some(Known::Keys(numbers)) => {
                let integers = numbers.integers.into_iter().map(|(key, id)| (key.to_string(), id));
                let (keys, order) = by_key(integers.chain(numbers.texts).collect());
                (Keys::Texts(keys), order)
            }
        }
    }
}

fn by_key<K: Ord>(mut pairs: Vec<(K, u32)>) -> (Vec<K>, Vec<u32>) {
    pairs.sort_unstable();
    pairs.into_iter().unzip()
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
