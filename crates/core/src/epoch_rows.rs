//! The rows of one epoch: which examples were presented in it, and what each presentation told.

use fixedbitset::FixedBitSet;

use crate::{example_id::ExampleId, row_scores::RowScores, score_kind::ScoreKind};

/// One row an example, filled in as they come.
#[derive(Clone, Debug)]
pub(crate) struct EpochRows {
    seen: FixedBitSet,
    /// Of all examples; those unseen hold the default.
    rows: Vec<RowScores>,
}

impl EpochRows {
    /// No example seen, of n.
    pub(crate) fn new(examples: usize) -> Self {
        Self {
            seen: FixedBitSet::with_capacity(examples),
            rows: vec![RowScores::default(); examples],
        }
    }

    /// Adds examples, unseen, until there are n.
    pub(crate) fn grow(&mut self, examples: usize) {
        self.seen.grow(examples);
        self.rows.resize(examples, RowScores::default());
    }

    /// Notes that an example is seen; false if it was before.
    pub(crate) fn claim(&mut self, id: ExampleId) -> bool {
        !self.seen.put(id.index())
    }

    /// Takes [`Self::claim`] back.
    pub(crate) fn release(&mut self, id: ExampleId) {
        self.seen.set(id.index(), false);
    }

    /// What the presentation of an example told.
    pub(crate) fn set(&mut self, id: ExampleId, row: RowScores) {
        self.rows[id.index()] = row;
    }

    /// Which examples were seen.
    pub(crate) fn seen(&self) -> &FixedBitSet {
        &self.seen
    }

    /// All rows, of unseen examples too.
    pub(crate) fn rows(&self) -> &[RowScores] {
        &self.rows
    }

    /// The rows of seen examples, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ExampleId, &RowScores)> {
        self.seen.ones().map(|index| (ExampleId(index as u32), &self.rows[index]))
    }

    /// The column of a score of the evaluation pass, NaN where unseen.
    pub(crate) fn column(&self, kind: ScoreKind) -> Option<Vec<f32>> {
        RowScores::default().value(kind)?;
        let mut column = vec![f32::NAN; self.rows.len()];
        for (id, row) in self.iter() {
            column[id.index()] = row.value(kind)?;
        }
        Some(column)
    }

    /// The predicted classes, `None` where unseen.
    pub(crate) fn predicted(&self) -> Vec<Option<u32>> {
        let mut column = vec![None; self.rows.len()];
        for (id, row) in self.iter() {
            column[id.index()] = Some(row.predicted);
        }
        column
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
        self.rows.fill(RowScores::default());
    }

    /// Takes the rows that only `other` saw.
    pub(crate) fn fill_from(&mut self, other: &Self) {
        for (id, row) in other.iter() {
            if self.claim(id) {
                self.set(id, *row);
            }
        }
    }

    /// Rows that were read back from a checkpoint.
    pub(crate) fn from_parts(seen: FixedBitSet, rows: Vec<RowScores>) -> Self {
        Self { seen, rows }
    }
}
