//! The examples of a recorder of losses in other places: where several recorders met the same examples in
//! other orders, and numbered them so.

use fixedbitset::FixedBitSet;

use crate::{
    ExampleId, LossRecorder, ScoreError, checks,
    epoch_losses::EpochLosses,
    loss_tracks::{LossEpoch, LossTrack},
};

impl LossRecorder {
    /// The same recorder of n examples, in which example i of this one is number `numbers[i]`; the others have
    /// not been seen.
    ///
    /// # Errors
    /// Not one number for each example; one that is not below n, or is there twice.
    ///
    /// ```
    /// use datadiet_core::{ExampleId, LossRecorder};
    ///
    /// let mut recorder = LossRecorder::new(2);
    /// recorder.update(&[ExampleId(0), ExampleId(1)], &[0.5, 2.0], &[])?;
    /// recorder.end_epoch();
    /// let moved = recorder.renumbered(&[ExampleId(2), ExampleId(0)], 3)?;
    /// let (_, _, losses) = &moved.columns()[0];
    /// assert_eq!((losses[2], losses[0], moved.unseen()), (0.5, 2.0, &[1][..]));
    /// assert!(losses[1].is_nan());
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn renumbered(&self, numbers: &[ExampleId], examples: usize) -> Result<Self, ScoreError> {
        checks::length("numbers", self.examples, numbers.len())?;
        checks::ids(numbers, examples)?;
        let mut taken = FixedBitSet::with_capacity(examples);
        if let Some(row) = numbers.iter().position(|number| taken.put(number.index())) {
            return Err(ScoreError::RepeatedId { row, id: numbers[row].0, epoch: self.epochs });
        }
        let mut tracks = vec![LossTrack::NEW; examples];
        for (number, track) in numbers.iter().zip(&self.tracks) {
            tracks[number.index()] = *track;
        }
        let reference = self.reference.as_ref().map(|losses| {
            let mut moved = vec![f32::NAN; examples];
            numbers.iter().zip(losses).for_each(|(number, &loss)| moved[number.index()] = loss);
            moved
        });
        let more = (examples - self.examples) as u32;
        let kept =
            self.kept.iter().map(|(epoch, losses)| (*epoch, losses.renumbered(numbers, examples)));
        let history = self.history.as_ref().map(|history| {
            history.iter().map(|epoch| epoch.renumbered(numbers, examples)).collect()
        });
        Ok(Self {
            examples,
            tracks,
            reference,
            unseen: self.unseen.iter().map(|unseen| unseen + more).collect(),
            current: self.current.renumbered(numbers, examples),
            last: self.last.renumbered(numbers, examples),
            kept: kept.collect(),
            history,
            epochs: self.epochs,
            started: self.started,
            threshold: self.threshold,
            beside: self.beside.clone(),
            keep_at: self.keep_at.clone(),
            room: Vec::new(),
        })
    }
}

impl LossRecorder {
    /// Takes back room for examples, down to n, as far as the last ones have never been seen: the contrary of
    /// [`Self::grow`].
    pub fn shrink(&mut self, examples: usize) {
        let last = |seen: &FixedBitSet| seen.maximum().map_or(0, |index| index + 1);
        let kept = self.kept.iter().map(|(_, epoch)| epoch);
        let epochs = kept.chain([&self.current, &self.last]).map(|epoch| last(epoch.seen()));
        let told = self.tracks.iter().rposition(|track| track.presentations > 0);
        let least = epochs.max().unwrap_or(0).max(told.map_or(0, |index| index + 1));
        let examples = examples.max(least);
        let Some(less @ 1..) = self.examples.checked_sub(examples) else { return };
        self.examples = examples;
        self.tracks.truncate(examples);
        self.unseen.iter_mut().for_each(|unseen| *unseen -= less as u32);
        if let Some(reference) = &mut self.reference {
            reference.truncate(examples);
        }
        self.current.shrink(examples);
        self.last.shrink(examples);
        self.kept.iter_mut().for_each(|(_, epoch)| epoch.shrink(examples));
        self.history.iter_mut().flatten().for_each(|epoch| epoch.seen = cut(&epoch.seen, examples));
    }
}

/// A set of the first examples.
fn cut(seen: &FixedBitSet, examples: usize) -> FixedBitSet {
    let mut cut = FixedBitSet::with_capacity(examples);
    seen.ones().take_while(|&index| index < examples).for_each(|index| cut.insert(index));
    cut
}

impl EpochLosses {
    fn shrink(&mut self, examples: usize) {
        let mut columns = self.columns().map(|column| column[..examples].to_vec());
        let losses = columns.next().unwrap_or_default();
        let beside = columns.collect();
        *self = Self::from_parts(cut(self.seen(), examples), losses, beside);
    }

    fn renumbered(&self, numbers: &[ExampleId], examples: usize) -> Self {
        let mut seen = FixedBitSet::with_capacity(examples);
        self.seen().ones().for_each(|index| seen.insert(numbers[index].index()));
        let moved = |column: &[f32]| {
            let mut moved = vec![0.0; examples];
            self.seen().ones().for_each(|index| moved[numbers[index].index()] = column[index]);
            moved
        };
        let mut columns = self.columns().map(moved);
        let losses = columns.next().unwrap_or_default();
        Self::from_parts(seen, losses, columns.collect())
    }
}

impl LossEpoch {
    fn renumbered(&self, numbers: &[ExampleId], examples: usize) -> Self {
        let moved = self.seen.ones().zip(&self.losses);
        let mut moved: Vec<(usize, f32)> =
            moved.map(|(index, &loss)| (numbers[index].index(), loss)).collect();
        moved.sort_unstable_by_key(|(index, _)| *index);
        let mut seen = FixedBitSet::with_capacity(examples);
        moved.iter().for_each(|(index, _)| seen.insert(*index));
        Self { seen, losses: moved.into_iter().map(|(_, loss)| loss).collect() }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Measure, ScoreKind};

    use super::*;

    fn recorded(ids: [u32; 3], examples: usize) -> LossRecorder {
        let mut recorder = LossRecorder::new(examples).keep_at(&[1]).with_threshold(1.0).unwrap();
        recorder.set_beside(&[Measure::part(ScoreKind::Loss, "box").unwrap()]).unwrap();
        for epoch in 0..4_u8 {
            for (place, id) in
                ids.into_iter().enumerate().filter(|(place, _)| *place as u8 != epoch)
            {
                let loss = (place as f32 - 1.5) * f32::from(epoch).sin();
                recorder.update(&[ExampleId(id)], &[loss], &[&[loss / 2.0]]).unwrap();
            }
            if epoch < 3 {
                recorder.end_epoch();
            }
        }
        recorder
    }

    #[test]
    fn another_order_is_what_would_have_been_recorded_in_it() {
        let moved = recorded([0, 1, 2], 3).renumbered(&[4, 0, 2].map(ExampleId), 6).unwrap();
        assert_eq!(moved.state(), recorded([4, 0, 2], 6).state());
    }

    #[test]
    fn room_is_taken_back_as_far_as_nobody_was_seen_there() {
        for examples in [3, 5] {
            let before = recorded([0, 1, 2], examples);
            let mut recorder = before.clone();
            recorder.grow(9);
            recorder.shrink(examples);
            assert_eq!(recorder.state(), before.state());
            recorder.shrink(0);
            assert_eq!(recorder.state(), recorded([0, 1, 2], 3).state());
        }
        let fresh = |examples| LossRecorder::new(examples).with_threshold(1.0).unwrap();
        let mut four = fresh(4);
        four.shrink(1);
        assert_eq!(four.state(), fresh(1).state());
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let recorder = recorded([0, 1, 2], 3);
        let refused = |numbers: &[u32], examples| {
            let numbers: Vec<ExampleId> = numbers.iter().copied().map(ExampleId).collect();
            recorder.renumbered(&numbers, examples).is_err()
        };
        assert!(refused(&[0, 1], 3) && refused(&[0, 1, 3], 3) && refused(&[0, 1, 1], 3));
    }
}
