//! Rows whose epochs come in any order, brought in the order of epochs: on disk, in one pass.
//!
//! Rows are kept in a small buffer an epoch and written to one temporary file as these fill up;
//! reading back goes epoch by epoch through the pieces of each. The disk needs as much room as the
//! values take as `f32`, memory 256 KiB an epoch.

use std::collections::BTreeMap;
use std::io::Result;

use datadiet_core::ExampleId;

use crate::spool::Spool;

/// Words of a piece.
const PIECE: usize = 1 << 16;

/// Rows by epoch.
pub(crate) struct ByEpoch {
    spool: Spool,
    /// Values in a row; a row is its id, its label and these.
    columns: usize,
    epochs: BTreeMap<i64, Epoch>,
}

#[derive(Default)]
struct Epoch {
    pieces: Vec<usize>,
    buffer: Vec<u32>,
}

/// Some rows of one epoch.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) ids: Vec<ExampleId>,
    pub(crate) labels: Vec<u32>,
    pub(crate) values: Vec<f32>,
}

impl ByEpoch {
    pub(crate) fn new(columns: usize) -> Result<Self> {
        Ok(Self { spool: Spool::new()?, columns, epochs: BTreeMap::new() })
    }

    pub(crate) fn push(
        &mut self,
        epoch: i64,
        id: ExampleId,
        label: u32,
        values: &[f32],
    ) -> Result<()> {
        let epoch = self.epochs.entry(epoch).or_default();
        epoch.buffer.extend([id.0, label]);
        epoch.buffer.extend_from_slice(bytemuck::cast_slice(values));
        if epoch.buffer.len() >= PIECE {
            epoch.pieces.push(self.spool.push(&epoch.buffer)?);
            epoch.buffer.clear();
        }
        Ok(())
    }

    /// Gives all rows, by epoch.
    pub(crate) fn each<E>(
        mut self,
        io: impl Fn(std::io::Error) -> E,
        mut take: impl FnMut(i64, &Rows) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut rows = Rows::default();
        for (number, epoch) in std::mem::take(&mut self.epochs) {
            for place in epoch.pieces {
                let words = self.spool.read(place).map_err(&io)?;
                rows.fill(&words, self.columns);
                take(number, &rows)?;
            }
            rows.fill(&epoch.buffer, self.columns);
            take(number, &rows)?;
        }
        Ok(())
    }
}

impl Rows {
    fn fill(&mut self, words: &[u32], columns: usize) {
        self.ids.clear();
        self.labels.clear();
        self.values.clear();
        for row in words.chunks_exact(2 + columns) {
            self.ids.push(ExampleId(row[0]));
            self.labels.push(row[1]);
            self.values.extend_from_slice(bytemuck::cast_slice(&row[2..]));
        }
    }
}
