//! The losses of one epoch: which examples were presented in it, their losses, and the values beside.

use fixedbitset::FixedBitSet;

use crate::{ExampleId, ScoreError, loss_tracks::LossEpoch};

/// One loss an example, filled in as they come.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EpochLosses {
    seen: FixedBitSet,
    /// Of all examples; those unseen hold 0.
    losses: Vec<f32>,
    /// As many columns as there are values beside the loss, as long and as filled.
    beside: Vec<Vec<f32>>,
}

impl EpochLosses {
    /// No example seen, of n.
    pub(crate) fn new(examples: usize, beside: usize) -> Self {
        Self {
            seen: FixedBitSet::with_capacity(examples),
            losses: vec![0.0; examples],
            beside: vec![vec![0.0; examples]; beside],
        }
    }

    /// Makes room for so many values beside the loss, none of them known.
    pub(crate) fn set_beside(&mut self, beside: usize) {
        self.beside = vec![vec![0.0; self.losses.len()]; beside];
    }

    /// Adds examples, unseen, until there are n.
    pub(crate) fn grow(&mut self, examples: usize) {
        self.seen.grow(examples);
        self.columns_mut().for_each(|column| column.resize(examples, 0.0));
    }

    /// Notes that examples are seen; all of them or, on an error, none.
    ///
    /// # Errors
    /// The first that was seen before in this epoch.
    pub(crate) fn claim_all(&mut self, ids: &[ExampleId], epoch: u32) -> Result<(), ScoreError> {
        let Some(row) = ids.iter().position(|&id| self.seen.put(id.index())) else { return Ok(()) };
        ids[..row].iter().for_each(|&id| self.seen.set(id.index(), false));
        Err(ScoreError::RepeatedId { row, id: ids[row].0, epoch })
    }

    /// What presentations told.
    pub(crate) fn set(&mut self, ids: &[ExampleId], losses: &[f32], beside: &[&[f32]]) {
        for (id, &loss) in ids.iter().zip(losses) {
            self.losses[id.index()] = loss;
        }
        for (column, values) in self.beside.iter_mut().zip(beside) {
            for (id, &value) in ids.iter().zip(*values) {
                column[id.index()] = value;
            }
        }
    }

    /// Which examples were seen.
    pub(crate) fn seen(&self) -> &FixedBitSet {
        &self.seen
    }

    /// The losses of the seen, by id.
    pub(crate) fn seen_losses(&self) -> LossEpoch {
        let losses = self.seen.ones().map(|index| self.losses[index]).collect();
        LossEpoch { seen: self.seen.clone(), losses }
    }

    /// The losses, NaN where unseen.
    pub(crate) fn column(&self) -> Vec<f32> {
        self.with_nan(&self.losses)
    }

    /// The values of one of those beside, NaN where unseen.
    pub(crate) fn column_beside(&self, place: usize) -> Vec<f32> {
        self.with_nan(&self.beside[place])
    }

    fn with_nan(&self, values: &[f32]) -> Vec<f32> {
        let value = |(index, &value)| if self.seen[index] { value } else { f32::NAN };
        values.iter().enumerate().map(value).collect()
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
        self.columns_mut().for_each(|column| column.fill(0.0));
    }

    /// Takes the losses that only `other` has.
    pub(crate) fn fill_from(&mut self, other: &Self) {
        for index in other.seen.ones().filter(|&index| !self.seen[index]) {
            self.losses[index] = other.losses[index];
            for (mine, theirs) in self.beside.iter_mut().zip(&other.beside) {
                mine[index] = theirs[index];
            }
        }
        self.seen.union_with(&other.seen);
    }

    fn columns_mut(&mut self) -> impl Iterator<Item = &mut Vec<f32>> {
        std::iter::once(&mut self.losses).chain(&mut self.beside)
    }

    /// The losses and the values beside of all examples, those unseen 0.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &[f32]> {
        std::iter::once(&self.losses).chain(&self.beside).map(Vec::as_slice)
    }

    /// Losses that were read back from a checkpoint.
    pub(crate) fn from_parts(seen: FixedBitSet, losses: Vec<f32>, beside: Vec<Vec<f32>>) -> Self {
        Self { seen, losses, beside }
    }
}
