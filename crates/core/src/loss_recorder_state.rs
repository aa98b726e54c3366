//! The state of a [`LossRecorder`] as named columns of numbers, for a checkpoint.
//!
//! Where there is a history, the tracks are gone through again from it, so that no state has tracks that
//! its losses contradict.

use fixedbitset::FixedBitSet;

use crate::{
    LossRecorder, Measure, ScoreError, checks,
    epoch_losses::EpochLosses,
    loss_tracks::{LossEpoch, LossTrack},
    state_column::{Saved, StateColumn, packed, unpacked},
};

/// Layout of the columns; raised when it changes.
const VERSION: f64 = 1.0;

const SHAPE: &str = "losses.shape";
const KEEP_AT: &str = "losses.keep_at";
const BESIDE: &str = "losses.beside";
const REFERENCE: &str = "losses.reference";
const UNSEEN: &str = "losses.unseen";
const HISTORY_SEEN: &str = "history.seen";
const HISTORY_LOSS: &str = "history.loss";

/// What [`SHAPE`] holds beside the layout.
struct Shape {
    examples: usize,
    epochs: u32,
    history: bool,
    started: bool,
    reference: bool,
    threshold: Option<f32>,
}

impl<F: Fn(&str) -> Option<StateColumn>> Saved<F> {
    fn loss_shape(&self) -> Result<Shape, ScoreError> {
        let StateColumn::F64(values) = self.column(SHAPE)? else {
            return Err(Self::damaged(SHAPE, "it does not hold numbers of 64 bits"));
        };
        let version = values.first().copied().unwrap_or(f64::NAN);
        if version != VERSION {
            let reason = format!("its layout is {version}, this version reads {VERSION}");
            return Err(Self::damaged(SHAPE, reason));
        }
        let values = Self::check(SHAPE, values, 7)?;
        let counts: Option<Vec<u32>> = values[1..6].iter().copied().map(checks::count).collect();
        let counts =
            counts.ok_or_else(|| Self::damaged(SHAPE, "it does not hold whole numbers"))?;
        Ok(Shape {
            examples: counts[0] as usize,
            epochs: counts[1],
            history: counts[2] == 1,
            started: counts[3] == 1,
            reference: counts[4] == 1,
            // NaN where there is none.
            threshold: Some(values[6] as f32).filter(|threshold| threshold.is_finite()),
        })
    }

    fn beside(&self) -> Result<Vec<Measure>, ScoreError> {
        let StateColumn::U8(bytes) = self.column(BESIDE)? else {
            return Err(Self::damaged(BESIDE, "it does not hold bytes"));
        };
        let text = String::from_utf8(bytes).map_err(|error| Self::damaged(BESIDE, error))?;
        let parsed: Result<_, ScoreError> = text.lines().map(str::parse).collect();
        parsed.map_err(|error| Self::damaged(BESIDE, error))
    }

    /// Losses, none of them NaN or infinite.
    fn losses(&self, name: &str, length: usize) -> Result<Vec<f32>, ScoreError> {
        let losses = self.f32(name, length)?;
        match losses.iter().find(|loss| !loss.is_finite()) {
            None => Ok(losses),
            Some(loss) => Err(Self::damaged(name, format!("{loss} is not a loss"))),
        }
    }

    fn epoch_losses(
        &self,
        name: &str,
        examples: usize,
        beside: &[Measure],
    ) -> Result<EpochLosses, ScoreError> {
        let bytes = self.u8(&format!("{name}.seen"), examples.div_ceil(8))?;
        let losses = self.losses(&format!("{name}.loss"), examples)?;
        let values = beside.iter().map(|measure| self.f32(&format!("{name}.{measure}"), examples));
        let values = values.collect::<Result<_, _>>()?;
        Ok(EpochLosses::from_parts(unpacked(&bytes, examples), losses, values))
    }

    fn loss_history(&self, examples: usize, epochs: usize) -> Result<Vec<LossEpoch>, ScoreError> {
        let bytes = examples.div_ceil(8);
        let seen = self.u8(HISTORY_SEEN, epochs * bytes)?;
        let set = |epoch: usize| unpacked(&seen[epoch * bytes..(epoch + 1) * bytes], examples);
        let sets: Vec<FixedBitSet> = (0..epochs).map(set).collect();
        let all = self.losses(HISTORY_LOSS, sets.iter().map(|set| set.count_ones(..)).sum())?;
        let mut rest = all.as_slice();
        let one = |seen: FixedBitSet| {
            let (losses, later) = rest.split_at(seen.count_ones(..));
            rest = later;
            LossEpoch { losses: losses.to_vec(), seen }
        };
        Ok(sets.into_iter().map(one).collect())
    }

    fn tracks(&self, examples: usize, epochs: u32) -> Result<Vec<LossTrack>, ScoreError> {
        let means = self.f64("tracks.mean", examples)?;
        let squares = self.f64("tracks.squares", examples)?;
        let firsts = self.losses("tracks.first", examples)?;
        let lasts = self.losses("tracks.last", examples)?;
        let whole = |name: &str| self.u32s(name, examples);
        let presentations = whole("tracks.presentations")?;
        let learned = whole("tracks.learned")?;
        let forgotten = whole("tracks.forgotten")?;
        let low = unpacked(&self.u8("tracks.low", examples.div_ceil(8))?, examples);
        let track = |index: usize| {
            let track = LossTrack {
                mean: means[index],
                squares: squares[index],
                first: firsts[index],
                last: lasts[index],
                presentations: presentations[index],
                learned: learned[index],
                forgotten: forgotten[index],
                low: low[index],
            };
            let numbers =
                track.mean.is_finite() && track.squares.is_finite() && track.squares >= 0.0;
            let counts = track.presentations.max(track.learned) <= epochs
                && track.forgotten <= track.presentations;
            let reason = || format!("no recorder writes what it has of example {index}");
            (numbers && counts).then_some(track).ok_or_else(|| Self::damaged("tracks", reason()))
        };
        (0..examples).map(track).collect()
    }
}

impl LossRecorder {
    /// Everything, as named columns; names are unique. A recorder that is read back goes on bit
    /// for bit as if it had never stopped, in the middle of an epoch too.
    #[must_use]
    pub fn state(&self) -> Vec<(String, StateColumn)> {
        let yes = |is: bool| f64::from(u8::from(is));
        let shape = vec![
            VERSION,
            self.examples as f64,
            f64::from(self.epochs),
            yes(self.history.is_some()),
            yes(self.started),
            yes(self.reference.is_some()),
            self.threshold.map_or(f64::NAN, f64::from),
        ];
        let names: Vec<String> = self.beside.iter().map(ToString::to_string).collect();
        let mut columns = vec![
            (SHAPE.to_owned(), StateColumn::F64(shape)),
            (KEEP_AT.to_owned(), StateColumn::U32(self.keep_at.clone())),
            (BESIDE.to_owned(), StateColumn::U8(names.join("\n").into_bytes())),
        ];
        if let Some(reference) = &self.reference {
            columns.push((REFERENCE.to_owned(), StateColumn::F32(reference.clone())));
        }
        let kept = self.kept.iter().map(|(epoch, losses)| (format!("kept.{epoch}"), losses));
        let epochs = [("current".to_owned(), &self.current), ("last".to_owned(), &self.last)];
        for (name, losses) in epochs.into_iter().chain(kept) {
            columns.push((format!("{name}.seen"), StateColumn::U8(packed(losses.seen()))));
            let parts = std::iter::once("loss".to_owned()).chain(names.iter().cloned());
            for (part, values) in parts.zip(losses.columns()) {
                columns.push((format!("{name}.{part}"), StateColumn::F32(values.to_vec())));
            }
        }
        match &self.history {
            Some(history) => {
                let seen = history.iter().flat_map(|epoch| packed(&epoch.seen)).collect();
                let losses = history.iter().flat_map(|epoch| epoch.losses.clone()).collect();
                columns.push((HISTORY_SEEN.to_owned(), StateColumn::U8(seen)));
                columns.push((HISTORY_LOSS.to_owned(), StateColumn::F32(losses)));
            }
            None => {
                columns.push((UNSEEN.to_owned(), StateColumn::U32(self.unseen.clone())));
                self.add_tracks(&mut columns);
            }
        }
        // Of columns that are empty PyTorch refuses two of different types.
        columns.retain(|(_, column)| match column {
            StateColumn::F64(values) => !values.is_empty(),
            StateColumn::F32(values) => !values.is_empty(),
            StateColumn::U32(_) | StateColumn::U8(_) => true,
        });
        columns
    }

    fn add_tracks(&self, columns: &mut Vec<(String, StateColumn)>) {
        let tracks = &self.tracks;
        let mut add = |name: &str, column| columns.push((format!("tracks.{name}"), column));
        let f64s = |of: fn(&LossTrack) -> f64| StateColumn::F64(tracks.iter().map(of).collect());
        let f32s = |of: fn(&LossTrack) -> f32| StateColumn::F32(tracks.iter().map(of).collect());
        let u32s = |of: fn(&LossTrack) -> u32| StateColumn::U32(tracks.iter().map(of).collect());
        add("mean", f64s(|track| track.mean));
        add("squares", f64s(|track| track.squares));
        add("first", f32s(|track| track.first));
        add("last", f32s(|track| track.last));
        add("presentations", u32s(|track| track.presentations));
        add("learned", u32s(|track| track.learned));
        add("forgotten", u32s(|track| track.forgotten));
        let mut low = FixedBitSet::with_capacity(self.examples);
        low.extend(tracks.iter().enumerate().filter(|(_, track)| track.low).map(|(at, _)| at));
        add("low", StateColumn::U8(packed(&low)));
    }

    /// The recorder that wrote [`Self::state`]; `column` finds a saved column by its name.
    ///
    /// # Errors
    /// A column that is missing, of another type or length, or holds what no recorder writes.
    ///
    /// ```
    /// use datadiet_core::{ExampleId, LossRecorder};
    ///
    /// let mut before = LossRecorder::new(3);
    /// before.update(&[ExampleId(1)], &[0.5], &[])?;
    /// let saved = before.state();
    /// let find = |name: &str| saved.iter().find(|(n, _)| n == name).map(|(_, c)| c.clone());
    /// let after = LossRecorder::from_state(find)?;
    /// assert_eq!(after.unfinished(), 1);
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn from_state(column: impl Fn(&str) -> Option<StateColumn>) -> Result<Self, ScoreError> {
        let saved = Saved(column);
        let Shape { examples, epochs, history, started, reference, threshold } =
            saved.loss_shape()?;
        let beside = saved.beside()?;
        let reference = reference.then(|| saved.f32(REFERENCE, examples)).transpose()?;
        let keep_at = saved.u32(KEEP_AT)?;
        let kept = keep_at.iter().filter(|epoch| (1..=epochs).contains(*epoch)).map(|&epoch| {
            Ok((epoch, saved.epoch_losses(&format!("kept.{epoch}"), examples, &beside)?))
        });
        let kept = kept.collect::<Result<Vec<_>, ScoreError>>()?;
        let history = history.then(|| saved.loss_history(examples, epochs as usize)).transpose()?;
        let (tracks, unseen) = match &history {
            Some(_) => (vec![LossTrack::NEW; examples], Vec::new()),
            None => (saved.tracks(examples, epochs)?, saved.u32s(UNSEEN, epochs as usize)?),
        };
        let mut recorder = Self {
            examples,
            epochs,
            started,
            threshold,
            reference,
            tracks,
            unseen,
            current: saved.epoch_losses("current", examples, &beside)?,
            last: saved.epoch_losses("last", examples, &beside)?,
            beside,
            kept,
            keep_at,
            history,
            room: Vec::new(),
        };
        recorder.replay();
        Ok(recorder)
    }
}
