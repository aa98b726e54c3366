//! Columns of a table, read when they are first asked for and kept as long as there is room.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use datadiet_table::{Column, ScoreFile, TableError};

/// Bytes of columns that are kept.
const ROOM: usize = 256 << 20;

/// The kept ones, the least used first.
pub struct Kept<T> {
    entries: Mutex<VecDeque<(String, Arc<T>, usize)>>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { entries: Mutex::new(VecDeque::new()) }
    }
}

impl<T> Kept<T> {
    /// What has this name, made where it is not kept, with its size in bytes.
    pub fn get<E>(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<(T, usize), E>,
    ) -> Result<Arc<T>, E> {
        {
            let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = entries.iter().position(|(known, ..)| known == name) {
                let found = entries.remove(place).expect("it was found there");
                let value = Arc::clone(&found.1);
                entries.push_back(found);
                return Ok(value);
            }
        }
        let (value, size) = make()?;
        let value = Arc::new(value);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push_back((name.to_owned(), Arc::clone(&value), size));
        while entries.len() > 1 && entries.iter().map(|(.., size)| size).sum::<usize>() > ROOM {
            entries.pop_front();
        }
        Ok(value)
    }
}

/// Reads one column.
///
/// # Errors
/// When there is none, or the file is damaged.
pub fn read(file: &ScoreFile, name: &str) -> Result<(Column, usize), TableError> {
    let table = file.read(&[name])?;
    let column = table.columns().column(name).cloned();
    let column =
        column.ok_or_else(|| TableError::Column(format!("the table has no column {name}")))?;
    let size = match &column {
        Column::Text(texts) => texts.iter().map(|text| text.len() + 24).sum(),
        numbers => numbers.len() * 4,
    };
    Ok((column, size))
}
