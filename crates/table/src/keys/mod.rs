//! The ids that the owner of examples gives them, whatever these are: whole numbers of any size, texts.

mod map;
mod sort;
mod store;

pub use map::{KeyError, KeyMap};

use datadiet_core::Task;

use crate::{Card, Column, KEY, Recorded, ScoreTable, TableBuilder, TableError};

/// Ids of some rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Whole numbers.
    Integers(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
}

/// One id. Texts that are written as whole numbers are, with neither sign nor zeros before them, are these
/// numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<'k> {
    /// A whole number.
    Whole(i64),
    /// A whole number without sign, such as a hash.
    Unsigned(u64),
    /// A text, or a whole number of more than 64 bits, written in decimals.
    Text(&'k str),
}

impl Keys {
    /// Whole numbers without sign, such as hashes: texts where one is 2⁶³ or more.
    #[must_use]
    pub fn of_u64(keys: &[u64]) -> Self {
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

    /// One of them.
    #[must_use]
    pub fn get(&self, index: usize) -> Key<'_> {
        match self {
            Self::Integers(keys) => Key::Whole(keys[index]),
            Self::Texts(keys) => Key::Text(&keys[index]),
        }
    }

    /// One of them, as text.
    #[must_use]
    pub fn text(&self, index: usize) -> String {
        match self {
            Self::Integers(keys) => keys[index].to_string(),
            Self::Texts(keys) => keys[index].clone(),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Key<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// The whole numbers 0 to n − 1, in order.
    #[must_use]
    pub fn are_rows(&self) -> bool {
        matches!(self, Self::Integers(keys) if keys.iter().copied().eq(0..keys.len() as i64))
    }

    /// The column [`KEY`](crate::KEY) of a table: whole numbers where all are from 0 to 2³² − 1, else texts.
    #[must_use]
    pub fn into_column(self) -> Column {
        let small = match &self {
            Self::Integers(keys) => keys.iter().map(|&key| u32::try_from(key).ok()).collect(),
            Self::Texts(_) => None,
        };
        match (small, self) {
            (Some(small), _) => Column::U32(small),
            (None, Self::Integers(keys)) => Column::Text(keys.iter().map(i64::to_string).collect()),
            (None, Self::Texts(keys)) => Column::Text(keys),
        }
    }
}

impl<'k> Key<'k> {
    /// The one way to write an id that can be written in several.
    pub(crate) fn plain(self) -> Self {
        match self {
            Self::Whole(_) => self,
            Self::Unsigned(key) => i64::try_from(key).map_or(self, Self::Whole),
            Self::Text(text) if !is_whole(text) => self,
            Self::Text(text) => match (text.parse(), text.parse()) {
                (Ok(key), _) => Self::Whole(key),
                (_, Ok(key)) => Self::Unsigned(key),
                _ => self,
            },
        }
    }
}

impl ScoreTable {
    /// The table of some replicas that recorded the same scores of examples with ids of their own, in the order
    /// of these: as [`Self::recorded_of`], with the ids in the column [`KEY`] unless they are 0, 1, 2, …
    ///
    /// # Errors
    /// As [`TableBuilder::add_recorded`].
    pub fn recorded_by_key(
        task: Task,
        keys: Keys,
        replicas: &[Recorded],
        pass: &str,
    ) -> Result<Self, TableError> {
        let mut made = TableBuilder::of_task(task);
        made.push("id", Column::U32((0..keys.len() as u32).collect()))?;
        if !keys.are_rows() {
            made.push(KEY, keys.into_column())?;
        }
        made.add_recorded(replicas)?;
        let (table, card) = made.finish(Some(pass));
        Ok(Self::new(table, Card { replicas: Some(replicas.len()), ..card }))
    }
}

/// Whether a text is a whole number, written as numbers are: no plus sign, no leading zero.
pub(crate) fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits {
        [b'0'] => text == "0",
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_way_to_be_written() {
        for text in
            ["0", "7", "-7", "9223372036854775808", "-340282366920938463463374607431768211456"]
        {
            assert!(is_whole(text), "{text}");
        }
        for text in ["", "-", "-0", "007", "+7", " 7", "7.0", "seven", "٧"] {
            assert!(!is_whole(text), "{text}");
            assert_eq!(Key::Text(text).plain(), Key::Text(text));
        }
        assert_eq!(Key::Text("-7").plain(), Key::Whole(-7));
        assert_eq!(Key::Unsigned(7).plain(), Key::Whole(7));
        assert_eq!(Key::Text("18446744073709551615").plain(), Key::Unsigned(u64::MAX));
        let huge = Key::Text("18446744073709551616");
        assert_eq!(huge.plain(), huge);
    }

    #[test]
    fn columns_are_numbers_where_they_fit() {
        let column = |keys: Keys| keys.into_column();
        assert_eq!(column(Keys::Integers(vec![7, 1 << 31])), Column::U32(vec![7, 1 << 31]));
        let texts = |texts: [&str; 2]| Column::Text(texts.map(str::to_owned).to_vec());
        assert_eq!(column(Keys::Integers(vec![7, 1 << 32])), texts(["7", "4294967296"]));
        assert_eq!(column(Keys::of_u64(&[7, u64::MAX])), texts(["7", "18446744073709551615"]));
    }
}
