//! Rows whose epochs come in any order, brought in the order of epochs: on disk, in one pass.
//!
//! Rows are kept in a buffer an epoch and written to one temporary file as these fill up; reading
//! back goes epoch by epoch through the pieces of each. The disk needs as much room as the values
//! take as `f32`, memory 64 MiB however many epochs there are.

use std::collections::BTreeMap;
use std::io::Result;

use datadiet_core::ExampleId;

use crate::spool::Spool;

/// Words of a piece, unless there are so many epochs that theirs are written earlier.
const PIECE: usize = 1 << 16;

/// Words in all buffers.
const BUFFERED: usize = 1 << 23;

/// Rows by epoch.
pub(crate) struct ByEpoch {
    spool: Spool,
    /// Values in a row; a row is its id, its label and these.
    columns: usize,
    epochs: BTreeMap<i64, Epoch>,
    /// Words in the buffers.
    buffered: usize,
}

#[derive(Default)]
struct Epoch {
    pieces: Vec<usize>,
    buffer: Vec<u32>,
}

impl Epoch {
    /// Writes the buffer and frees it; the number of words that it had.
    fn flush(&mut self, spool: &mut Spool) -> Result<usize> {
        let buffer = std::mem::take(&mut self.buffer);
        self.pieces.push(spool.push(&buffer)?);
        Ok(buffer.len())
    }
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
        Ok(Self { spool: Spool::new()?, columns, epochs: BTreeMap::new(), buffered: 0 })
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
        self.buffered += 2 + values.len();
        if epoch.buffer.len() >= PIECE {
            self.buffered -= epoch.flush(&mut self.spool)?;
        }
        if self.buffered >= BUFFERED {
            for epoch in self.epochs.values_mut().filter(|epoch| !epoch.buffer.is_empty()) {
                self.buffered -= epoch.flush(&mut self.spool)?;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_in_order_however_many_epochs_are_buffered() {
        const EPOCHS: i64 = 300;
        let mut rows = ByEpoch::new(1).unwrap();
        for id in 0..10_000 {
            for epoch in (0..EPOCHS).rev() {
                rows.push(epoch, ExampleId(id), 7, &[epoch as f32]).unwrap();
            }
            assert!(rows.buffered < BUFFERED);
        }
        assert!(rows.epochs.values().all(|epoch| !epoch.pieces.is_empty()));
        let (mut expected, mut before) = (vec![0; EPOCHS as usize], 0);
        rows.each(
            |error| error,
            |epoch, rows| {
                assert!(epoch >= before);
                before = epoch;
                for (id, value) in rows.ids.iter().zip(&rows.values) {
                    assert_eq!((id.0, *value), (expected[epoch as usize], epoch as f32));
                    expected[epoch as usize] += 1;
                }
                Ok(())
            },
        )
        .unwrap();
        assert!(expected.iter().all(|&count| count == 10_000));
    }
}
