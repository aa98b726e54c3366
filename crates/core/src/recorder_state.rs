//! The state of a [`TrajectoryRecorder`] as named columns of numbers, for a checkpoint.
//!
//! Any format that holds arrays by name can carry it: a dictionary of NumPy arrays, safetensors,
//! a PyTorch `state_dict`. Sets of examples are packed eight to a byte, the lowest id in the
//! lowest bit.
//!
//! States of the layout before this one are read too. They hold nothing of dynamic uncertainty, DUAL, mean
//! EL2N, TDDS and the margin of the mean, and a recorder that is read from one goes on without these.

use fixedbitset::FixedBitSet;

use crate::{
    Kept, ScoreError, ScoreKind, TrainingDynamics, TrajectoryRecorder, checks,
    epoch_rows::EpochRows,
    fast::BatchScores,
    fast::log_margin,
    presence::Presence,
    row_scores::RowScores,
    state_column::{Saved, StateColumn, packed, unpacked},
    trajectory_recorder::UNKNOWN,
};

/// Layout of the columns; raised when it changes.
const VERSION: f64 = 3.0;
/// The layout before there were scores of windows and of distributions, and log margins.
const WITHOUT_KEPT: f64 = 2.0;

const SHAPE: &str = "recorder.shape";
const KEEP_AT: &str = "recorder.keep_at";
const LABELS: &str = "recorder.labels";
const UNSEEN: &str = "recorder.unseen";
const DISTRIBUTIONS: &str = "current.distributions";
const HISTORY_SEEN: &str = "history.seen";
const HISTORY_CORRECT: &str = "history.correct";

impl<F: Fn(&str) -> Option<StateColumn>> Saved<F> {
    /// Version, examples, classes, epochs, and five yes (1) or no (0): history, only logits, and what
    /// [`WITHOUT_KEPT`] does not have: windows kept, classes kept, in order.
    fn shape(&self) -> Result<Vec<u32>, ScoreError> {
        let StateColumn::F64(mut values) = self.column(SHAPE)? else {
            return Err(Self::damaged(SHAPE, "it does not hold numbers of 64 bits"));
        };
        let version = values.first().copied().unwrap_or(f64::NAN);
        if version == WITHOUT_KEPT {
            values = Self::check(SHAPE, values, 6)?;
            values.extend([0.0, 0.0, 1.0]);
        } else if version != VERSION {
            let reason =
                format!("its layout is {version}, this version reads {WITHOUT_KEPT} and {VERSION}");
            return Err(Self::damaged(SHAPE, reason));
        }
        let values = Self::check(SHAPE, values, 9)?;
        let counts: Option<Vec<u32>> = values.into_iter().map(checks::count).collect();
        counts.ok_or_else(|| Self::damaged(SHAPE, "it does not hold whole numbers"))
    }

    fn labels(&self, examples: usize, classes: usize) -> Result<Vec<u32>, ScoreError> {
        let labels = self.u32s(LABELS, examples)?;
        match labels.iter().find(|&&label| label as usize >= classes && label != UNKNOWN) {
            None => Ok(labels),
            Some(label) => Err(Self::damaged(LABELS, format!("{label} is not a class"))),
        }
    }

    fn epoch(&self, name: &str, examples: usize, version: u32) -> Result<EpochRows, ScoreError> {
        let of = |part: &str| format!("{name}.{part}");
        let bytes = self.u8(&of("seen"), examples.div_ceil(8))?;
        let true_prob = self.f64(&of("true_prob"), examples)?;
        let logit_margin = self.f64(&of("logit_margin"), examples)?;
        let scores = RowScores::KINDS.iter().map(|kind| {
            let column = of(kind.name());
            // States had none before there was this score: of logits it is their margin.
            if *kind == ScoreKind::LogMargin && version < VERSION as u32 {
                let max_margin = self.f32(&of(ScoreKind::MaxMargin.name()), examples)?;
                let rows = logit_margin.iter().zip(&true_prob).zip(max_margin);
                return Ok(rows
                    .map(|((&logits, &p), less)| earlier_log_margin(logits, p, less))
                    .collect());
            }
            self.f32(&column, examples)
        });
        let scores = scores.collect::<Result<Vec<_>, _>>()?;
        let predicted = self.u32s(&of("predicted"), examples)?;
        let label = self.u32s(&of("label"), examples)?;
        let row = |i: usize| RowScores {
            true_prob: true_prob[i],
            logit_margin: logit_margin[i],
            scores: std::array::from_fn(|place| scores[place][i]),
            predicted: predicted[i],
            label: label[i],
        };
        Ok(EpochRows::from_parts(unpacked(&bytes, examples), (0..examples).map(row).collect()))
    }

    fn history(&self, examples: usize, epochs: usize) -> Result<Vec<Presence>, ScoreError> {
        let bytes = examples.div_ceil(8);
        let seen = self.u8(HISTORY_SEEN, epochs * bytes)?;
        let correct = self.u8(HISTORY_CORRECT, epochs * bytes)?;
        let set =
            |all: &[u8], epoch: usize| unpacked(&all[epoch * bytes..(epoch + 1) * bytes], examples);
        let one = |epoch| Presence { seen: set(&seen, epoch), correct: set(&correct, epoch) };
        Ok((0..epochs).map(one).collect())
    }
}

impl TrajectoryRecorder {
    /// Everything, as named columns; names are unique. A recorder that is read back goes on bit
    /// for bit as if it had never stopped, in the middle of an epoch too.
    #[must_use]
    pub fn state(&self) -> Vec<(String, StateColumn)> {
        let shape = vec![
            VERSION,
            self.examples as f64,
            self.classes as f64,
            f64::from(self.epochs),
            f64::from(u8::from(self.history.is_some())),
            f64::from(u8::from(self.dynamics.only_logits)),
            f64::from(u8::from(self.kept().windows)),
            f64::from(u8::from(self.kept().classes)),
            f64::from(u8::from(self.dynamics.in_order)),
        ];
        let mut columns = vec![
            (SHAPE.to_owned(), StateColumn::F64(shape)),
            (KEEP_AT.to_owned(), StateColumn::U32(self.keep_at.clone())),
            (LABELS.to_owned(), StateColumn::U32(self.labels.clone())),
            (UNSEEN.to_owned(), StateColumn::U32(self.unseen.clone())),
        ];
        let dynamics = self.dynamics.state().into_iter();
        columns.extend(dynamics.map(|(name, column)| (name.to_owned(), StateColumn::F64(column))));
        epoch_state("current", &self.current, &mut columns);
        epoch_state("last", &self.last, &mut columns);
        for (epoch, rows) in &self.kept {
            epoch_state(&format!("kept.{epoch}"), rows, &mut columns);
        }
        // Between epochs there are none. (Of columns that are empty PyTorch refuses two of different types.)
        if self.kept().classes && self.unfinished() > 0 {
            let current = StateColumn::F32(self.distributions.clone());
            columns.push((DISTRIBUTIONS.to_owned(), current));
        }
        if let Some(history) = &self.history {
            let bytes = |set: fn(&Presence) -> &FixedBitSet| {
                StateColumn::U8(history.iter().flat_map(|epoch| packed(set(epoch))).collect())
            };
            columns.push((HISTORY_SEEN.to_owned(), bytes(|epoch| &epoch.seen)));
            columns.push((HISTORY_CORRECT.to_owned(), bytes(|epoch| &epoch.correct)));
        }
        columns
    }

    /// The recorder that wrote [`Self::state`]; `column` finds a saved column by its name.
    ///
    /// # Errors
    /// A column that is missing, of another type or length, or holds what no recorder writes.
    ///
    /// ```
    /// use datadiet_core::{ExampleId, Matrix, TrajectoryRecorder};
    ///
    /// let mut before = TrajectoryRecorder::new(3, 2);
    /// before.update(&[ExampleId(1)], Matrix::logits(&[0.0_f32, 1.0], 2), &[1])?;
    /// let saved = before.state();
    /// let find = |name: &str| saved.iter().find(|(n, _)| n == name).map(|(_, c)| c.clone());
    /// assert_eq!(TrajectoryRecorder::from_state(find)?.state(), saved);
    /// # Ok::<(), datadiet_core::ScoreError>(())
    /// ```
    pub fn from_state(column: impl Fn(&str) -> Option<StateColumn>) -> Result<Self, ScoreError> {
        let saved = Saved(column);
        let shape = saved.shape()?;
        let version = shape[0];
        let [examples, classes, epochs] = [1, 2, 3].map(|index| shape[index] as usize);
        let labels = saved.labels(examples, classes)?;
        let epochs = epochs as u32;
        let keep_at = saved.u32(KEEP_AT)?;
        let kept = keep_at.iter().filter(|epoch| (1..=epochs).contains(*epoch));
        let kept = kept
            .map(|&epoch| Ok((epoch, saved.epoch(&format!("kept.{epoch}"), examples, version)?)));
        let kept = kept.collect::<Result<Vec<_>, ScoreError>>()?;
        let tracked = |name: &str| match (saved.0)(name) {
            Some(StateColumn::F64(values)) => Some(values),
            _ => None,
        };
        let history = (shape[4] == 1).then(|| saved.history(examples, epochs as usize));
        let history = history.transpose()?;
        let needs = Kept { windows: shape[6] == 1, classes: shape[7] == 1 };
        let mut dynamics = TrainingDynamics::from_state(examples, needs, shape[5] == 1, tracked)?;
        if !dynamics.set_classes(classes) {
            let reason = format!("its rows have not {classes} classes");
            return Err(ScoreError::DamagedState { column: "dynamics.class_sums".into(), reason });
        }
        dynamics.in_order = shape[8] == 1;
        if history.as_ref().is_some_and(|history| dynamics.recount(history)) {
            let reason = "it tells of other forgetting events than were counted".into();
            return Err(ScoreError::DamagedState { column: HISTORY_SEEN.into(), reason });
        }
        let current = saved.epoch("current", examples, version)?;
        let numbers = if needs.classes { examples * classes } else { 0 };
        let distributions = if numbers == 0 || current.seen().is_clear() {
            vec![0.0; numbers]
        } else {
            saved.f32(DISTRIBUTIONS, numbers)?
        };
        Ok(Self {
            examples,
            classes,
            epochs,
            labels,
            unseen: saved.u32s(UNSEEN, epochs as usize)?,
            dynamics,
            current,
            last: saved.epoch("last", examples, version)?,
            kept,
            keep_at,
            history,
            distributions,
            few_classes: false,
            batch: BatchScores::default(),
            room: Vec::new(),
        })
    }
}

fn epoch_state(name: &str, epoch: &EpochRows, columns: &mut Vec<(String, StateColumn)>) {
    let rows = epoch.rows();
    let mut add = |part: &str, column| columns.push((format!("{name}.{part}"), column));
    let f64s = |of: fn(&RowScores) -> f64| StateColumn::F64(rows.iter().map(of).collect());
    let u32s = |of: fn(&RowScores) -> u32| StateColumn::U32(rows.iter().map(of).collect());
    add("seen", StateColumn::U8(packed(epoch.seen())));
    add("true_prob", f64s(|row| row.true_prob));
    add("logit_margin", f64s(|row| row.logit_margin));
    for (place, kind) in RowScores::KINDS.iter().enumerate() {
        let scores = rows.iter().map(|row| row.scores[place]).collect();
        add(kind.name(), StateColumn::F32(scores));
    }
    add("predicted", u32s(|row| row.predicted));
    add("label", u32s(|row| row.label));
}

/// The log margin of a row of a state that has none: the margin of its logits, or, where there were
/// none, of p_y and the largest other probability, max_{j≠y} p_j − p_y + p_y.
fn earlier_log_margin(logit_margin: f64, true_prob: f64, max_margin: f32) -> f32 {
    if logit_margin.is_nan() {
        log_margin(true_prob as f32, (f64::from(max_margin) + true_prob) as f32)
    } else {
        logit_margin as f32
    }
}
