//! From files to scores: every run through a recorder, its columns to disk, examples in order.

use std::path::{Path, PathBuf};

use datadiet_core::{ExampleId, PROBABILITY_TOLERANCE, ScoreError, ScoreKind, TrajectoryRecorder};

use crate::batch::{Batch, Kind};
use crate::by_epoch::{ByEpoch, Rows};
use crate::side::Side;
use crate::spool::Spool;
use crate::{IdMap, IngestError, Keys, Names, Run, open};

/// The label of an example that has none yet.
const UNKNOWN: u32 = u32::MAX;

/// Epochs that a message lists.
const LISTED: usize = 12;

/// How files are read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of arrays, columns and fields.
    pub names: Names,
    /// What the values are, whatever their names say.
    pub kind: Option<Kind>,
    /// Epochs whose scores of the pass are kept beside those of the last.
    pub at: Vec<i64>,
    /// Files are single steps: an epoch ends where an example comes again.
    pub per_step: bool,
    /// Labels in a file of their own, for all runs.
    pub labels: Option<PathBuf>,
    /// Ids in a file of their own, for all runs.
    pub ids: Option<PathBuf>,
}

/// How far it is.
#[derive(Clone, Debug)]
pub struct Progress<'a> {
    /// The file that is being read.
    pub file: &'a Path,
    /// Files that are done, of all runs.
    pub files_done: usize,
    /// Files of all runs.
    pub files: usize,
    /// Rows read so far, of all runs.
    pub rows: u64,
}

/// Scores of all runs.
#[derive(Debug)]
pub struct Ingested {
    /// Ids of the examples, in order.
    pub keys: Keys,
    /// Labels of the examples.
    pub labels: Vec<u32>,
    /// Number of classes.
    pub classes: usize,
    /// What the values were.
    pub kind: Kind,
    /// Scores and the epochs at which they stand, the same in every run.
    pub columns: Vec<(ScoreKind, i64)>,
    /// Epochs of which the predicted classes are known.
    pub predicted: Vec<i64>,
    /// The runs, as they were given.
    pub runs: Vec<IngestedRun>,
    /// By new number, the number that the columns on disk have.
    order: Vec<u32>,
    spool: Spool,
    /// By run, the place of each column, then of each epoch of predictions.
    places: Vec<Vec<usize>>,
}

/// What was found in one run.
#[derive(Clone, Debug)]
pub struct IngestedRun {
    /// The folder or file.
    pub path: PathBuf,
    /// Number of files.
    pub files: usize,
    /// Its epochs, as the files number them.
    pub epochs: Vec<i64>,
    /// Rows read.
    pub rows: u64,
    /// Examples that each epoch missed.
    pub unseen: Vec<u32>,
}

impl Ingested {
    /// A column of a run: one value an example, NaN where it was not seen.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn column(&mut self, run: usize, column: usize) -> std::io::Result<Vec<f32>> {
        let values = self.spool.read(self.places[run][column])?;
        let of =
            |&old: &u32| values.get(old as usize).map_or(f32::NAN, |&bits| f32::from_bits(bits));
        Ok(self.order.iter().map(of).collect())
    }

    /// The predicted classes of a run at an epoch of [`Self::predicted`]; `None` where unseen.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn predictions(&mut self, run: usize, place: usize) -> std::io::Result<Vec<Option<u32>>> {
        let place = self.places[run][self.columns.len() + place];
        let classes = self.spool.read(place)?;
        let of = |&old: &u32| classes.get(old as usize).copied().filter(|&class| class != UNKNOWN);
        Ok(self.order.iter().map(of).collect())
    }
}

/// Reads runs and takes their scores.
///
/// # Errors
/// See [`IngestError`].
pub fn ingest(
    runs: &[Run],
    options: &Options,
    progress: &mut dyn FnMut(&Progress<'_>),
) -> Result<Ingested, IngestError> {
    let files = runs.iter().map(|run| run.files.len()).sum();
    let mut ingest = Ingest {
        options,
        progress,
        files,
        files_done: 0,
        rows: 0,
        ids: IdMap::default(),
        labels: Vec::new(),
        layout: None,
        spool: Spool::new().map_err(IngestError::io(&std::env::temp_dir()))?,
    };
    let mut done: Vec<(IngestedRun, Saved)> = Vec::new();
    for run in runs {
        let one = ingest.run(run)?;
        if let Some((first, _)) = done.first() {
            check_same_epochs(first, &one.0)?;
        }
        done.push(one);
    }
    ingest.finish(done)
}

/// Columns of a run on disk.
struct Saved {
    columns: Vec<(ScoreKind, i64)>,
    predicted: Vec<i64>,
    places: Vec<usize>,
    examples: usize,
}

/// What all files agree on.
#[derive(Clone, Copy)]
struct Layout {
    columns: usize,
    kind: Kind,
}

impl Layout {
    fn classes(self) -> usize {
        self.columns.max(2)
    }
}

struct Ingest<'a> {
    options: &'a Options,
    progress: &'a mut dyn FnMut(&Progress<'_>),
    files: usize,
    files_done: usize,
    rows: u64,
    ids: IdMap,
    /// By number so far, [`UNKNOWN`] where none.
    labels: Vec<u32>,
    layout: Option<Layout>,
    spool: Spool,
}

impl Ingest<'_> {
    fn run(&mut self, run: &Run) -> Result<(IngestedRun, Saved), IngestError> {
        let labels = self.options.labels.as_deref().or(run.labels.as_deref());
        let ids = self.options.ids.as_deref().or(run.ids.as_deref());
        let mut side = Side::read(labels, ids)?;
        let rows = self.rows;
        let recording = match self.in_order(run, &mut side)? {
            Some(recording) => recording,
            None => {
                self.rows = rows;
                self.sorted(run, &mut side)?
            }
        };
        self.files_done += run.files.len();
        let rows = self.rows - rows;
        self.save(run, recording, rows)
    }

    /// One pass through the files; `None` where an epoch comes after a later one.
    fn in_order(&mut self, run: &Run, side: &mut Side) -> Result<Option<Recording>, IngestError> {
        let mut recording = Recording::new(self.options);
        let mut ids = Vec::new();
        let mut out_of_order = false;
        self.each_batch(run, side, |ingest, path, epoch, batch| {
            ingest.number(path, batch, &mut ids)?;
            let labels = batch.labels.as_deref().unwrap_or_default();
            let columns = batch.values.len() / batch.rows.max(1);
            let mut start = 0;
            for (number, rows) in epochs_of(batch, epoch) {
                let here = start..start + rows;
                start += rows;
                let current = recording.current;
                // Of steps nothing but their order is known.
                let number = current.filter(|_| ingest.options.per_step).unwrap_or(number);
                if current.is_some_and(|current| number < current) {
                    out_of_order = true;
                    return Ok(false);
                }
                let values = &batch.values[here.start * columns..here.end * columns];
                let (ids, labels) = (&ids[here.clone()], &labels[here]);
                ingest.record(path, &mut recording, number, ids, labels, values)?;
            }
            Ok(true)
        })?;
        if out_of_order {
            return Ok(None);
        }
        recording.end();
        Ok(Some(recording))
    }

    /// The same with the rows brought in order first.
    fn sorted(&mut self, run: &Run, side: &mut Side) -> Result<Recording, IngestError> {
        let mut by_epoch: Option<ByEpoch> = None;
        let mut ids = Vec::new();
        let aside = std::env::temp_dir();
        self.each_batch(run, side, |ingest, path, epoch, batch| {
            let io = IngestError::io(&aside);
            ingest.number(path, batch, &mut ids)?;
            let columns = batch.values.len() / batch.rows.max(1);
            let by_epoch = match &mut by_epoch {
                Some(by_epoch) => by_epoch,
                none => none.insert(ByEpoch::new(columns).map_err(&io)?),
            };
            let labels = batch.labels.as_deref().unwrap_or_default();
            let rows = batch.values.chunks_exact(columns.max(1));
            let mut row = ids.iter().zip(labels).zip(rows);
            for (number, count) in epochs_of(batch, epoch) {
                for ((&id, &label), values) in row.by_ref().take(count) {
                    by_epoch.push(number, id, label, values).map_err(&io)?;
                }
            }
            Ok(true)
        })?;
        let mut recording = Recording::new(self.options);
        if let Some(by_epoch) = by_epoch {
            by_epoch.each(IngestError::io(&aside), |epoch, Rows { ids, labels, values }| {
                self.record(&run.path, &mut recording, epoch, ids, labels, values)
            })?;
        }
        recording.end();
        Ok(recording)
    }

    /// Reads all files of a run; `take` gets every batch with the epoch that its file's name tells,
    /// and says whether to go on.
    fn each_batch(
        &mut self,
        run: &Run,
        side: &mut Side,
        mut take: impl FnMut(&mut Self, &Path, i64, &mut Batch) -> Result<bool, IngestError>,
    ) -> Result<(), IngestError> {
        let mut batch = Batch::default();
        for (place, file) in run.files.iter().enumerate() {
            let path = &file.path;
            let mut reader = open(path, &self.options.names)?;
            let epoch = if self.options.per_step { 1 } else { file.epoch.unwrap_or(1) };
            while reader.read(&mut batch)? {
                if self.options.per_step {
                    batch.epochs = None;
                }
                self.agree(path, reader.kind(), reader.columns(), &batch)?;
                side.complete(path, &mut batch)?;
                self.check_identified(path, &batch)?;
                if !take(self, path, epoch, &mut batch)? {
                    return Ok(());
                }
                self.rows += batch.rows as u64;
                let files_done = self.files_done + place;
                (self.progress)(&Progress {
                    file: path,
                    files_done,
                    files: self.files,
                    rows: self.rows,
                });
            }
        }
        Ok(())
    }

    /// Checks that a row's number in the file says which example it is, where there are no ids.
    fn check_identified(&self, path: &Path, batch: &Batch) -> Result<(), IngestError> {
        let several = batch.epochs.is_some() && !batch.axis;
        if batch.keys.is_some() || !(several || self.options.per_step) {
            return Ok(());
        }
        Err(IngestError::NoIds { path: path.to_owned() })
    }

    /// Checks that a file is like those before it.
    fn agree(
        &mut self,
        path: &Path,
        kind: Option<Kind>,
        columns: usize,
        batch: &Batch,
    ) -> Result<(), IngestError> {
        let kind = self.options.kind.or(kind);
        let Some(layout) = self.layout else {
            // Softmax is often saved as logits, where the kind matters most: EL2N of a softmax of a
            // softmax is no EL2N. Logits that are all 0 or 1 are made by hand.
            let called = kind == Some(Kind::Logits) && self.options.kind.is_none() && columns > 1;
            let made = batch.values.iter().all(|value| value.fract() == 0.0);
            if (kind.is_none() || called && !made)
                && look_like_probabilities(&batch.values, columns)
            {
                return Err(IngestError::LooksLikeProbabilities { path: path.to_owned() });
            }
            self.layout = Some(Layout { columns, kind: kind.unwrap_or(Kind::Logits) });
            return Ok(());
        };
        if columns != layout.columns {
            let (expected, found) = (layout.columns, columns);
            return Err(IngestError::Classes { path: path.to_owned(), expected, found });
        }
        match kind {
            Some(found) if found != layout.kind => {
                let expected = layout.kind;
                Err(IngestError::Kind { path: path.to_owned(), expected, found })
            }
            _ => Ok(()),
        }
    }

    /// Numbers the examples of a batch.
    fn number(
        &mut self,
        path: &Path,
        batch: &Batch,
        ids: &mut Vec<ExampleId>,
    ) -> Result<(), IngestError> {
        match &batch.keys {
            Some(keys) => self.ids.keys(path, keys, ids)?,
            None => self.ids.rows(path, batch.first, batch.rows, ids)?,
        }
        Ok(())
    }

    /// Records rows of one epoch, which is not before the current one.
    fn record(
        &mut self,
        path: &Path,
        recording: &mut Recording,
        epoch: i64,
        ids: &[ExampleId],
        labels: &[u32],
        values: &[f32],
    ) -> Result<(), IngestError> {
        let Some(layout) = self.layout else { return Ok(()) };
        if recording.current.is_some_and(|current| current != epoch) {
            recording.end();
        }
        recording.current = Some(epoch);
        let two;
        let values = if layout.columns == 1 {
            two = two_columns(values, layout.kind);
            &two
        } else {
            values
        };
        let classes = layout.classes();
        let fresh = || TrajectoryRecorder::new(0, classes).single_rank();
        let mut start = 0;
        loop {
            let recorder = recording.recorder.get_or_insert_with(fresh);
            recorder.grow(self.ids.len());
            let (ids, labels) = (&ids[start..], &labels[start..]);
            let values = &values[start * classes..];
            let found = update(recorder, layout.kind, ids, values, labels);
            match found {
                Err(ScoreError::RepeatedId { row, .. }) if self.options.per_step => {
                    let (ids, labels) = (&ids[..row], &labels[..row]);
                    update(recorder, layout.kind, ids, &values[..row * classes], labels)
                        .map_err(|error| self.named(path, epoch, error))?;
                    recording.end();
                    recording.current = Some(recording.epochs.len() as i64 + 1);
                    start += row;
                }
                found => return found.map_err(|error| self.named(path, epoch, error)),
            }
        }
    }

    /// The error of a recorder, with ids as they are in the files.
    fn named(&self, path: &Path, epoch: i64, error: ScoreError) -> IngestError {
        let key = |id: u32| self.ids.key(ExampleId(id));
        let path = path.to_owned();
        match error {
            ScoreError::RepeatedId { id, .. } => {
                IngestError::Repeated { path, epoch, key: key(id) }
            }
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

    /// Writes the columns of a finished run to disk.
    fn save(
        &mut self,
        run: &Run,
        recording: Recording,
        rows: u64,
    ) -> Result<(IngestedRun, Saved), IngestError> {
        let empty = || IngestError::Empty { path: run.path.clone() };
        let Recording { recorder, epochs, .. } = recording;
        let recorder = recorder.ok_or_else(empty)?;
        if let Some(&asked) = self.options.at.iter().find(|asked| !epochs.contains(asked)) {
            return Err(IngestError::NoEpoch { asked, found: list(&epochs) });
        }
        self.merge_labels(run, &recorder)?;
        let aside = std::env::temp_dir();
        let io = IngestError::io(&aside);
        let mut saved = Saved {
            columns: Vec::new(),
            predicted: Vec::new(),
            places: Vec::new(),
            examples: recorder.examples(),
        };
        let time = |epoch: u32| epochs[epoch as usize - 1];
        for (kind, epoch, values) in recorder.columns() {
            saved.places.push(self.spool.push(bytemuck::cast_slice(&values)).map_err(&io)?);
            saved.columns.push((kind, time(epoch)));
        }
        for (epoch, classes) in recorder.predicted() {
            let classes: Vec<u32> =
                classes.into_iter().map(|class| class.unwrap_or(UNKNOWN)).collect();
            saved.places.push(self.spool.push(&classes).map_err(&io)?);
            saved.predicted.push(time(epoch));
        }
        let unseen = recorder.unseen().to_vec();
        let (path, files) = (run.path.clone(), run.files.len());
        Ok((IngestedRun { path, files, epochs, rows, unseen }, saved))
    }

    fn merge_labels(
        &mut self,
        run: &Run,
        recorder: &TrajectoryRecorder,
    ) -> Result<(), IngestError> {
        self.labels.resize(self.ids.len(), UNKNOWN);
        for (index, now) in recorder.labels().into_iter().enumerate() {
            let Some(now) = now else { continue };
            let before = self.labels[index];
            if before != UNKNOWN && before != now {
                let key = self.ids.key(ExampleId(index as u32));
                let path = run.path.clone();
                return Err(IngestError::LabelChanged { path, key, before, now });
            }
            self.labels[index] = now;
        }
        Ok(())
    }

    fn finish(self, done: Vec<(IngestedRun, Saved)>) -> Result<Ingested, IngestError> {
        let examples = self.ids.len();
        let (keys, order) = self.ids.sorted();
        let layout = self.layout.unwrap_or(Layout { columns: 2, kind: Kind::Logits });
        let mut ingested = Ingested {
            labels: order.iter().map(|&old| self.labels[old as usize]).collect(),
            keys,
            classes: layout.classes(),
            kind: layout.kind,
            columns: Vec::new(),
            predicted: Vec::new(),
            runs: Vec::new(),
            order,
            spool: self.spool,
            places: Vec::new(),
        };
        for (mut run, saved) in done {
            // Examples that only later runs have.
            let later = (examples - saved.examples) as u32;
            run.unseen.iter_mut().for_each(|unseen| *unseen += later);
            ingested.runs.push(run);
            ingested.places.push(saved.places);
            (ingested.columns, ingested.predicted) = (saved.columns, saved.predicted);
        }
        Ok(ingested)
    }
}

/// A run that is being recorded.
struct Recording {
    recorder: Option<TrajectoryRecorder>,
    /// Finished epochs, as the files number them.
    epochs: Vec<i64>,
    /// The epoch that is not finished.
    current: Option<i64>,
    /// Epochs to keep.
    at: Vec<i64>,
}

impl Recording {
    fn new(options: &Options) -> Self {
        Self { recorder: None, epochs: Vec::new(), current: None, at: options.at.clone() }
    }

    /// Ends the current epoch, if there is one.
    fn end(&mut self) {
        let (Some(epoch), Some(recorder)) = (self.current.take(), self.recorder.take()) else {
            return;
        };
        self.epochs.push(epoch);
        let keep = self.at.contains(&epoch);
        let mut recorder = if keep {
            let next = recorder.epochs() + 1;
            recorder.keep_at(&[next])
        } else {
            recorder
        };
        recorder.end_epoch();
        self.recorder = Some(recorder);
    }
}

fn update(
    recorder: &mut TrajectoryRecorder,
    kind: Kind,
    ids: &[ExampleId],
    values: &[f32],
    labels: &[u32],
) -> Result<(), ScoreError> {
    match kind {
        Kind::Logits => recorder.update(ids, values, labels),
        Kind::Probabilities => recorder.update_probs(ids, values, labels),
    }
}

/// Runs of equal epochs of a batch, with their lengths.
fn epochs_of(batch: &Batch, of_file: i64) -> Vec<(i64, usize)> {
    match &batch.epochs {
        None => vec![(of_file, batch.rows)],
        Some(epochs) => {
            epochs.chunk_by(|a, b| a == b).map(|group| (group[0], group.len())).collect()
        }
    }
}

/// One column of a binary problem as two.
fn two_columns(values: &[f32], kind: Kind) -> Vec<f32> {
    let two = |&value: &f32| match kind {
        Kind::Logits => [0.0, value],
        Kind::Probabilities => [1.0 - value, value],
    };
    values.iter().flat_map(two).collect()
}

/// Whether every row lies in [0, 1] and sums to 1 (one column: lies in [0, 1]).
fn look_like_probabilities(values: &[f32], columns: usize) -> bool {
    let fits = |row: &[f32]| {
        let sum: f64 = row.iter().map(|&value| f64::from(value)).sum();
        row.iter().all(|value| (0.0..=1.0).contains(value))
            && (columns == 1 || (sum - 1.0).abs() < PROBABILITY_TOLERANCE)
    };
    !values.is_empty() && values.chunks_exact(columns.max(1)).all(fits)
}

fn check_same_epochs(first: &IngestedRun, other: &IngestedRun) -> Result<(), IngestError> {
    if first.epochs == other.epochs {
        return Ok(());
    }
    let (expected, found) = (list(&first.epochs), list(&other.epochs));
    Err(IngestError::Epochs { run: other.path.clone(), expected, found })
}

fn list(epochs: &[i64]) -> String {
    let listed: Vec<String> = epochs.iter().take(LISTED).map(i64::to_string).collect();
    let more =
        if epochs.len() > LISTED { format!(", … ({})", epochs.len()) } else { String::new() };
    listed.join(", ") + &more
}
