//! Lists of whole numbers that specifications refer to by content: the ids of a subset, the labels
//! of a noisy data set.
//!
//! A list is one Parquet file named by the SHA-256 of its numbers as little-endian 32-bit words, so
//! the same subset is stored once, however it was chosen, and the same run is recognised.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use datadiet_core::hex;
use datadiet_table::{Column, Table};

use crate::StoreError;
use crate::store_lock::touch;

/// A list by its content.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ListRef {
    /// SHA-256 of the numbers as little-endian 32-bit words, hexadecimal.
    pub sha256: String,
    /// How many numbers.
    pub length: u32,
}

const COLUMN: &str = "value";

impl ListRef {
    /// The reference to these numbers.
    pub fn of(values: &[u32]) -> Self {
        let mut digest = Sha256::new();
        values.iter().for_each(|value| digest.update(value.to_le_bytes()));
        Self { sha256: hex(&digest.finalize()), length: values.len() as u32 }
    }

    fn file(&self, root: &Path) -> PathBuf {
        root.join("lists").join(format!("{}.parquet", self.sha256))
    }
}

/// Keeps a list below the store's `root`; one that is there already is left alone, but for its time: it is in hand.
pub(crate) fn keep(root: &Path, values: &[u32]) -> Result<ListRef, StoreError> {
    let list = ListRef::of(values);
    let file = list.file(root);
    if !file.exists() {
        let mut table = Table::default();
        table.push(COLUMN, Column::U32(values.to_vec()))?;
        table.write(&file)?;
    } else {
        touch(&file);
    }
    Ok(list)
}

/// Reads a list, and checks that it is the one referred to.
pub(crate) fn read(root: &Path, list: &ListRef) -> Result<Vec<u32>, StoreError> {
    let file = list.file(root);
    let table = Table::read(&file)?;
    let values = table.integers(COLUMN)?;
    if ListRef::of(values) == *list {
        return Ok(values.to_vec());
    }
    Err(StoreError::damaged(&file, "its numbers are others than its name says"))
}
