//! The rows of one run on their way into a recorder: epochs, repeated rows, finished columns.

use std::path::Path;

use datadiet_core::{ExampleId, ScoreError, ScoreKind};

use crate::ingest::{UNKNOWN, list};
use crate::layout::Layout;
use crate::recorder::Recorder;
use crate::spool::Spool;
use crate::{IdMap, IngestError, Options};

/// How far the values of a repeated row may be from the first, in parts of their size: what another
/// order of sums makes.
const SAME: f32 = 1e-3;

/// A run whose columns are on disk.
#[derive(Default)]
pub(crate) struct Saved {
    pub(crate) columns: Vec<(ScoreKind, i64)>,
    pub(crate) predicted: Vec<i64>,
    pub(crate) places: Vec<usize>,
    pub(crate) examples: usize,
    /// By number so far, [`UNKNOWN`] where none.
    pub(crate) labels: Vec<u32>,
    /// Examples that each epoch missed.
    pub(crate) unseen: Vec<u32>,
    /// As the files number them.
    pub(crate) epochs: Vec<i64>,
}

impl Saved {
    /// Leaves out the columns of some scores.
    pub(crate) fn leave_out(&mut self, kinds: &[ScoreKind]) {
        // The places of the predicted classes follow.
        let kept =
            |place: &usize| self.columns.get(*place).is_none_or(|(kind, _)| !kinds.contains(kind));
        let places = (0..self.places.len()).filter(kept).map(|place| self.places[place]);
        self.places = places.collect();
        self.columns.retain(|(kind, _)| !kinds.contains(kind));
    }
}

/// Rows of one epoch.
pub(crate) struct Rows<'a> {
    pub(crate) ids: &'a [ExampleId],
    /// [`UNKNOWN`] where there is none.
    pub(crate) labels: &'a [u32],
    /// As many for each row as the layout says.
    pub(crate) values: &'a [f32],
}

/// What an example was when it was last seen.
#[derive(Clone, Copy)]
struct Seen {
    /// The epoch, counted from 1; 0: never.
    epoch: u32,
    /// A sum over its values that tells others from them.
    print: f32,
    label: u32,
}

impl Seen {
    const NEVER: Self = Self { epoch: 0, print: 0.0, label: UNKNOWN };
}

/// A run that is being recorded.
pub(crate) struct Recording<'o> {
    options: &'o Options,
    recorder: Option<Recorder>,
    /// Finished epochs, as the files number them.
    pub(crate) epochs: Vec<i64>,
    /// The epoch that is not finished.
    pub(crate) current: Option<i64>,
    seen: Vec<Seen>,
    /// Rows of an example that its epoch had already, and that were left out.
    pub(crate) repeated: u64,
    kept_ids: Vec<ExampleId>,
    kept_labels: Vec<u32>,
    kept_values: Vec<f32>,
}

impl<'o> Recording<'o> {
    pub(crate) fn new(options: &'o Options) -> Self {
        Self {
            options,
            recorder: None,
            epochs: Vec::new(),
            current: None,
            seen: Vec::new(),
            repeated: 0,
            kept_ids: Vec::new(),
            kept_labels: Vec::new(),
            kept_values: Vec::new(),
        }
    }

    /// Whether an example was seen in the current epoch.
    pub(crate) fn has(&self, id: ExampleId) -> bool {
        self.current.is_some()
            && self.seen.get(id.index()).is_some_and(|seen| seen.epoch == self.number())
    }

    /// The current epoch, counted from 1.
    fn number(&self) -> u32 {
        self.epochs.len() as u32 + 1
    }

    /// Records rows of one epoch, which is not before the current one. Of an example's rows in an
    /// epoch the first counts: the others must be the same, or be left out by the user's wish.
    pub(crate) fn record(
        &mut self,
        path: &Path,
        layout: Layout,
        ids: &IdMap,
        epoch: i64,
        rows: &Rows<'_>,
    ) -> Result<(), IngestError> {
        if self.current.is_some_and(|current| current != epoch) {
            self.end();
        }
        self.current = Some(epoch);
        self.seen.resize(ids.len(), Seen::NEVER);
        let number = self.number();
        let width = layout.width();
        let values = rows.values.chunks_exact(width);
        let mut again = Vec::new();
        for (row, ((id, label), values)) in rows.ids.iter().zip(rows.labels).zip(values).enumerate()
        {
            let print = print(values);
            let seen = &mut self.seen[id.index()];
            if seen.epoch > 0 && seen.label != *label {
                let (path, key) = (path.to_owned(), ids.key(*id));
                let (before, now) = (seen.label, *label);
                return Err(IngestError::LabelChanged { path, key, before, now });
            }
            if seen.epoch != number {
                *seen = Seen { epoch: number, print, label: *label };
                continue;
            }
            let same = (seen.print - print).abs() <= SAME * seen.print.abs().max(1.0);
            if !same && !self.options.keep_first {
                let key = ids.key(*id);
                return Err(IngestError::Repeated { path: path.to_owned(), epoch, key });
            }
            again.push(row);
        }
        self.repeated += again.len() as u64;
        let recorder = match &mut self.recorder {
            Some(recorder) => recorder,
            none => none.insert(Recorder::new(layout, self.options)?),
        };
        let (row_ids, labels, values) = if again.is_empty() {
            (rows.ids, rows.labels, rows.values)
        } else {
            self.kept_ids.clear();
            self.kept_labels.clear();
            self.kept_values.clear();
            let mut skipped = again.iter().peekable();
            for (row, values) in rows.values.chunks_exact(width).enumerate() {
                if skipped.next_if(|&&again| again == row).is_none() {
                    self.kept_ids.push(rows.ids[row]);
                    self.kept_labels.push(rows.labels[row]);
                    self.kept_values.extend_from_slice(values);
                }
            }
            (&self.kept_ids[..], &self.kept_labels[..], &self.kept_values[..])
        };
        recorder
            .update(ids.len(), layout, row_ids, values, labels)
            .map_err(|error| named(path, ids, epoch, error))
    }

    /// Ends the current epoch, if there is one.
    pub(crate) fn end(&mut self) {
        let (Some(epoch), Some(recorder)) = (self.current.take(), self.recorder.take()) else {
            return;
        };
        self.epochs.push(epoch);
        self.recorder = Some(recorder.end_epoch(self.options.at.contains(&epoch)));
    }

    /// Writes the columns to disk.
    pub(crate) fn save(self, path: &Path, spool: &mut Spool) -> Result<Saved, IngestError> {
        let Self { recorder, epochs, options, seen, .. } = self;
        let recorder = recorder.ok_or_else(|| IngestError::Empty { path: path.to_owned() })?;
        if let Some(&asked) = options.at.iter().find(|asked| !epochs.contains(asked)) {
            return Err(IngestError::NoEpoch { asked, found: list(&epochs) });
        }
        let aside = std::env::temp_dir();
        let io = IngestError::io(&aside);
        let mut saved = Saved {
            columns: Vec::new(),
            predicted: Vec::new(),
            places: Vec::new(),
            examples: recorder.examples(),
            labels: seen.iter().map(|seen| seen.label).collect(),
            unseen: recorder.unseen().to_vec(),
            epochs: Vec::new(),
        };
        let time = |epoch: u32| epochs[epoch as usize - 1];
        for (kind, epoch, values) in recorder.columns() {
            saved.places.push(spool.push(bytemuck::cast_slice(&values)).map_err(&io)?);
            saved.columns.push((kind, time(epoch)));
        }
        for (epoch, classes) in recorder.predicted() {
            let classes: Vec<u32> =
                classes.into_iter().map(|class| class.unwrap_or(UNKNOWN)).collect();
            saved.places.push(spool.push(&classes).map_err(&io)?);
            saved.predicted.push(time(epoch));
        }
        saved.epochs = epochs;
        Ok(saved)
    }
}

/// A number that rows of other values hardly share.
fn print(values: &[f32]) -> f32 {
    let weights = (0..).map(|place| 1.0 + (place % 7) as f32 * 0.37);
    values.iter().zip(weights).map(|(value, weight)| value * weight).sum()
}

/// The error of a recorder, with ids as they are in the files.
fn named(path: &Path, ids: &IdMap, epoch: i64, error: ScoreError) -> IngestError {
    let key = |id: u32| ids.key(ExampleId(id));
    let path = path.to_owned();
    match error {
        ScoreError::RepeatedId { id, .. } => IngestError::Repeated { path, epoch, key: key(id) },
        ScoreError::LabelChanged { id, before, now } => {
            IngestError::LabelChanged { path, key: key(id), before, now }
        }
        ScoreError::OfExamples { ids, problem } => {
            let keys = ids.into_iter().map(key).collect();
            IngestError::Scores { path, epoch, keys, problem: *problem }
        }
        problem => IngestError::Scores { path, epoch, keys: Vec::new(), problem },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_are_left_out_take_their_places_with_them() {
        let kinds = [ScoreKind::El2n, ScoreKind::MarginOfMean, ScoreKind::Dual, ScoreKind::Tdds];
        let mut saved = Saved {
            columns: kinds.map(|kind| (kind, 3)).to_vec(),
            predicted: vec![3],
            places: vec![10, 11, 12, 13, 14],
            ..Saved::default()
        };
        saved.leave_out(&[ScoreKind::MarginOfMean, ScoreKind::Tdds]);
        assert_eq!(saved.columns, [(ScoreKind::El2n, 3), (ScoreKind::Dual, 3)]);
        // That of the predicted classes is the last.
        assert_eq!((saved.places, saved.predicted), (vec![10, 12, 14], vec![3]));
    }
}
