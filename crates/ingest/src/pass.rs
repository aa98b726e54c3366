//! The pass over the files of all runs: in the order of epochs, or brought in it first.

use std::collections::BTreeSet;
use std::path::Path;

use datadiet_core::progress::Count;
use datadiet_core::{ExampleId, Kept, Progress, ScoreKind, TrajectoryRecorder};

use crate::batch::{Batch, Kind};
use crate::by_epoch::{self, ByEpoch};
use crate::ingest::{Ingested, IngestedRun, Options, ReadFile, UNKNOWN};
use crate::layout::{Layout, Sums};
use crate::recording::{Recording, Rows, Saved};
use crate::side::Side;
use crate::source::{Run, RunFile, SideFile};
use crate::spool::Spool;
use crate::{Found, IdMap, IngestError, Reader, Said, open};

/// The state of reading.
pub(crate) struct Pass<'a> {
    options: &'a Options,
    count: Count<'a>,
    /// Files of all runs.
    files: usize,
    /// Files that are done, of all runs.
    files_done: usize,
    rows: u64,
    ids: IdMap,
    /// By number so far, [`UNKNOWN`] where none.
    labels: Vec<u32>,
    layout: Option<Layout>,
    sums: Sums,
    notes: Vec<String>,
    spool: Spool,
}

/// Where rows come from.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    /// The epoch that names tell.
    epoch: i64,
    /// Whether nothing but the order of the files tells it.
    guessed: bool,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(
        found: &Found,
        options: &'a Options,
        progress: &'a dyn Progress,
    ) -> Result<Self, IngestError> {
        let files: usize = found.runs.iter().map(|run| run.files.len()).sum();
        Ok(Self {
            options,
            count: Count::start(progress, "reading files", Some(files as u64)),
            files,
            files_done: 0,
            rows: 0,
            ids: IdMap::default(),
            labels: Vec::new(),
            layout: None,
            sums: Sums::default(),
            notes: Vec::new(),
            spool: Spool::new().map_err(IngestError::io(&std::env::temp_dir()))?,
        })
    }

    /// One run.
    pub(crate) fn run(&mut self, run: &Run) -> Result<(IngestedRun, Saved), IngestError> {
        let rows = self.rows;
        let sums = self.sums;
        let mut files = Vec::new();
        let recording = match self.in_order(run, &mut files)? {
            Some(recording) => recording,
            None => {
                (self.rows, self.sums) = (rows, sums);
                files.clear();
                self.sorted(run, &mut files)?
            }
        };
        self.files_done += run.files.len();
        if recording.repeated > 0 {
            let (path, repeated) = (run.path.display(), recording.repeated);
            self.notes.push(format!(
                "{path}: {repeated} rows repeat an example within an epoch, as samplers of several \
                 processes do to fill the last batch; the first row of each counts"
            ));
        }
        let mut saved = recording.save(&run.path, &mut self.spool)?;
        self.merge_labels(run, &std::mem::take(&mut saved.labels))?;
        let (epochs, unseen) =
            (std::mem::take(&mut saved.epochs), std::mem::take(&mut saved.unseen));
        let (path, name, rows) = (run.path.clone(), run.name.clone(), self.rows - rows);
        Ok((IngestedRun { path, name, files, epochs, rows, unseen }, saved))
    }

    /// One pass through the files; `None` where an epoch comes after a later one.
    fn in_order(
        &mut self,
        run: &Run,
        files: &mut Vec<ReadFile>,
    ) -> Result<Option<Recording<'a>>, IngestError> {
        let mut recording = Recording::new(self.options);
        let (mut ids, mut unlabelled) = (Vec::new(), Vec::new());
        let mut out_of_order = false;
        // Of steps: whether the file is the log of all, whose rows repeat within it.
        let whole_log = run.files.len() == 1;
        let mut at: Option<&Path> = None;
        self.each_batch(run, files, |pass, place, batch| {
            pass.number(place.path, batch, &mut ids)?;
            let Some(layout) = pass.layout else { return Ok(true) };
            let columns = layout.width();
            let labels = labels_of(batch, &mut unlabelled);
            let new_file = at != Some(place.path);
            if place.guessed && new_file && !whole_log {
                // An epoch ends before the file in which an example comes again.
                let again = pass.step_ids(place.path)?.into_iter().any(|id| recording.has(id));
                if again {
                    recording.end();
                }
            }
            at = run.files.iter().map(|file| file.path.as_path()).find(|&path| path == place.path);
            let mut start = 0;
            for (number, count) in epochs_of(batch, place.epoch) {
                let mut here = start..start + count;
                start += count;
                while !here.is_empty() {
                    let mut part = here.clone();
                    let mut number = number;
                    if place.guessed {
                        if whole_log {
                            let mut again = first_again(&recording, &ids[here.clone()]);
                            if again == Some(0) {
                                recording.end();
                                again = first_again(&recording, &ids[here.clone()]);
                            }
                            part.end = again.map_or(part.end, |row| part.start + row);
                        }
                        number = recording.current.unwrap_or(recording.epochs.len() as i64 + 1);
                    }
                    if recording.current.is_some_and(|current| number < current)
                        || recording.current.is_none()
                            && recording.epochs.last().is_some_and(|&last| number <= last)
                    {
                        out_of_order = true;
                        return Ok(false);
                    }
                    here.start = part.end;
                    let rows = Rows {
                        ids: &ids[part.clone()],
                        labels: &labels[part.clone()],
                        values: &batch.values[part.start * columns..part.end * columns],
                    };
                    recording.record(place.path, layout, &pass.ids, number, &rows)?;
                }
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
    fn sorted(
        &mut self,
        run: &Run,
        files: &mut Vec<ReadFile>,
    ) -> Result<Recording<'a>, IngestError> {
        let mut by_epoch: Option<ByEpoch> = None;
        let (mut ids, mut unlabelled) = (Vec::new(), Vec::new());
        let aside = std::env::temp_dir();
        self.each_batch(run, files, |pass, place, batch| {
            let io = IngestError::io(&aside);
            pass.number(place.path, batch, &mut ids)?;
            let columns = batch.values.len() / batch.rows.max(1);
            let by_epoch = match &mut by_epoch {
                Some(by_epoch) => by_epoch,
                none => none.insert(ByEpoch::new(columns).map_err(&io)?),
            };
            let labels = labels_of(batch, &mut unlabelled);
            let rows = batch.values.chunks_exact(columns.max(1));
            let mut row = ids.iter().zip(labels).zip(rows);
            for (number, count) in epochs_of(batch, place.epoch) {
                for ((&id, &label), values) in row.by_ref().take(count) {
                    by_epoch.push(number, id, label, values).map_err(&io)?;
                }
            }
            Ok(true)
        })?;
        let mut recording = Recording::new(self.options);
        if let (Some(by_epoch), Some(layout)) = (by_epoch, self.layout) {
            by_epoch.each(IngestError::io(&aside), |epoch, rows: &by_epoch::Rows| {
                let rows = Rows { ids: &rows.ids, labels: &rows.labels, values: &rows.values };
                recording.record(&run.path, layout, &self.ids, epoch, &rows)
            })?;
        }
        recording.end();
        Ok(recording)
    }

    /// Reads all files of a run; `take` gets every batch, with all of its ids and labels, and says
    /// whether to go on.
    fn each_batch(
        &mut self,
        run: &Run,
        files: &mut Vec<ReadFile>,
        mut take: impl FnMut(&mut Self, Place<'_>, &mut Batch) -> Result<bool, IngestError>,
    ) -> Result<(), IngestError> {
        let mut batch = Batch::default();
        let mut side = Side::default();
        // Rows of the parts before this file, of the same epoch.
        let mut before = 0;
        for (index, file) in run.files.iter().enumerate() {
            let path = &file.path;
            if !file.continues {
                before = 0;
            }
            let all = |path: &Option<std::path::PathBuf>| {
                path.clone().map(|path| SideFile {
                    path,
                    of_part: false,
                    of_epoch: false,
                    given: true,
                })
            };
            let (labels, ids) = (all(&self.options.labels), all(&self.options.ids));
            let mut reader = open(path, &self.options.names)?;
            let said = reader.said();
            let losses = self.options.names.kind.or(reader.kind()) == Some(Kind::Losses);
            self.note_unused(&said, file.labels.as_ref().filter(|_| losses && labels.is_none()));
            let beside = file.labels.as_ref().filter(|_| !losses);
            side.read(
                labels.as_ref().or(beside),
                ids.as_ref().or(file.ids.as_ref()),
                &self.options.names.classes,
            )?;
            let mut guessed = false;
            let mut read = ReadFile { path: path.clone(), epochs: None, rows: 0 };
            let mut rows = 0;
            let mut own_keys = false;
            while reader.read(&mut batch)? {
                let step = self.options.per_step && (said.steps || batch.axis);
                if step {
                    batch.epochs = None;
                }
                guessed = self.options.per_step
                    && batch.epochs.is_none()
                    && said.epochs.is_empty()
                    && file.epoch.is_none();
                let epoch = if guessed { 1 } else { file.epoch.or(said.epoch).unwrap_or(1) };
                own_keys = batch.keys.is_some();
                self.check_values(path, &*reader, &mut batch)?;
                side.complete(path, &mut batch, before, losses)?;
                let numbers = match &batch.epochs {
                    Some(epochs) => &epochs[..],
                    None if said.epochs.is_empty() => std::slice::from_ref(&epoch),
                    None => &said.epochs[..],
                };
                for &number in numbers {
                    let (first, last) = read.epochs.unwrap_or((number, number));
                    read.epochs = Some((first.min(number), last.max(number)));
                }
                let axis = batch.axis || !said.epochs.is_empty();
                let several = !axis && read.epochs.is_some_and(|(first, last)| first < last);
                self.check_identified(run, file, &batch, several, &said.unused_ids)?;
                rows = rows.max(batch.first + batch.rows as u64);
                batch.first += before;
                let place = Place { path, epoch, guessed };
                if said.epochs.is_empty() {
                    if !take(self, place, &mut batch)? {
                        return Ok(());
                    }
                } else {
                    for mut one in batch.by_epoch(&said.epochs) {
                        if !take(self, place, &mut one)? {
                            return Ok(());
                        }
                    }
                }
                self.rows += batch.rows as u64;
                read.rows += batch.rows as u64;
                let doing = format!("{} rows, {}", self.rows, path.display());
                self.count.at((self.files_done + index) as u64, &doing);
            }
            if let Some(note) = side.note()
                && !self.notes.contains(&note)
            {
                self.notes.push(note);
            }
            let last = run.files.get(index + 1).is_none_or(|next| !next.continues);
            if !own_keys && rows > 0 {
                side.check_all_used(path, rows, before, last)?;
            }
            if let (Some(name), Some((first, last))) = (file.epoch, read.epochs)
                && first == last
                && name != first
            {
                let path = path.display();
                let note =
                    format!("{path}: its name says epoch {name}, its rows {first}: the rows count");
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
            before += rows;
            if guessed {
                read.epochs = None;
            }
            files.push(read);
        }
        Ok(())
    }

    /// Says what of a file is not read, once.
    fn note_unused(&mut self, said: &Said, labels: Option<&SideFile>) {
        let mut note = |note: String| {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        };
        if let Some(losses) = &said.unused_losses {
            note(format!(
                "{losses} is not read, since there are logits or probabilities beside it; to read losses \
                 alone say --kind losses"
            ));
        }
        let (named, beside) =
            (said.unused_labels.as_deref(), labels.map(|file| file.path.display()));
        if let Some(labels) = named {
            note(format!(
                "{labels} is not read: losses need no labels; where they are classes, say --label {labels}"
            ));
        }
        if let Some(labels) = beside {
            note(format!(
                "{labels} is not read: losses need no labels; where they are classes, say --labels {labels}"
            ));
        }
    }

    /// Checks that a file is like those before it, and brings its values in shape.
    fn check_values(
        &mut self,
        path: &Path,
        reader: &dyn Reader,
        batch: &mut Batch,
    ) -> Result<(), IngestError> {
        let (kind, columns) = (reader.kind(), reader.columns());
        let layout = match self.layout {
            Some(layout) => layout,
            None => Layout::of(path, kind, columns, batch, self.options)?,
        };
        layout.agree(path, kind, columns, self.options)?;
        self.layout = Some(layout);
        if layout.kind == Kind::Probabilities && columns > 1 {
            self.sums.look_at(path, columns, batch, self.options)?;
        }
        layout.widen(batch);
        Ok(())
    }

    /// Checks that a row's number in the file says which example it is, where there are no ids.
    /// `several`: the file has rows of several epochs.
    fn check_identified(
        &mut self,
        run: &Run,
        file: &RunFile,
        batch: &Batch,
        several: bool,
        unused: &[String],
    ) -> Result<(), IngestError> {
        if batch.keys.is_some() {
            return Ok(());
        }
        let path = || file.path.clone();
        if let [first, ..] = unused {
            if several || self.options.per_step || self.files > 1 {
                return Err(IngestError::UnusedIds { path: path(), columns: unused.to_vec() });
            }
            if batch.first == 0 {
                self.notes.push(format!(
                    "{}: {first} looks like an id and is not used: rows are numbered; to use it say \
                     --id {first}",
                    file.path.display()
                ));
            }
        }
        if several || self.options.per_step {
            return Err(IngestError::NoIds { path: path() });
        }
        if file.process && run.files.len() > 1 {
            return Err(IngestError::NoIdsOfProcess { path: path() });
        }
        Ok(())
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

    /// The numbers of all examples of a file, which has ids.
    fn step_ids(&mut self, path: &Path) -> Result<Vec<ExampleId>, IngestError> {
        let mut reader = open(path, &self.options.names)?;
        let (mut batch, mut ids, mut all) = (Batch::default(), Vec::new(), Vec::new());
        while reader.read(&mut batch)? {
            if let Some(keys) = &batch.keys {
                self.ids.keys(path, keys, &mut ids)?;
                all.extend_from_slice(&ids);
            }
        }
        Ok(all)
    }

    /// Runs that are folds: one run where each has its own examples, runs where all have the same.
    pub(crate) fn merged_folds(&mut self, found: &Found) -> Result<Vec<Run>, IngestError> {
        let mut sets: Vec<BTreeSet<u32>> = Vec::new();
        for run in &found.runs {
            let mut set = BTreeSet::new();
            for file in &run.files {
                set.extend(self.step_ids(&file.path)?.iter().map(|id| id.0));
            }
            if set.is_empty() {
                let path = run.files.first().map_or(&run.path, |file| &file.path).clone();
                return Err(IngestError::Folds { path, reason: "has no ids" });
            }
            sets.push(set);
        }
        if sets.iter().all(|set| *set == sets[0]) {
            self.notes.push("the folds hold the same examples: each is a run".into());
            return Ok(found.runs.clone());
        }
        let total: usize = sets.iter().map(BTreeSet::len).sum();
        let all: BTreeSet<u32> = sets.into_iter().flatten().collect();
        if total != all.len() {
            let path = found.runs[0].path.clone();
            return Err(IngestError::Folds {
                path,
                reason: "shares some examples with other folds",
            });
        }
        self.notes.push("each fold has its own examples: together they are one run".into());
        let mut files: Vec<RunFile> = found.runs.iter().flat_map(|run| run.files.clone()).collect();
        files.sort_by_key(|file| file.epoch);
        let mut before = None;
        for file in &mut files {
            file.continues = before == Some(file.epoch);
            before = Some(file.epoch);
        }
        Ok(vec![Run { path: found.runs[0].path.clone(), name: String::new(), files }])
    }

    fn merge_labels(&mut self, run: &Run, labels: &[u32]) -> Result<(), IngestError> {
        self.labels.resize(self.ids.len(), UNKNOWN);
        for (index, &now) in labels.iter().enumerate().filter(|(_, label)| **label != UNKNOWN) {
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

    /// Brings the examples of all runs in order.
    pub(crate) fn finish(self, found: &Found, mut done: Vec<(IngestedRun, Saved)>) -> Ingested {
        let examples = self.ids.len();
        let (keys, order) = self.ids.sorted();
        let layout = self.layout.unwrap_or(Layout { columns: 2, kind: Kind::Logits });
        let mut notes = found.notes.clone();
        notes.extend(self.notes);
        notes.extend(self.sums.note());
        let all_have = |wanted: &ScoreKind| {
            done.iter().all(|(_, saved)| saved.columns.iter().any(|(kind, _)| kind == wanted))
        };
        let losses = layout.kind == Kind::Losses;
        if !losses && !Kept::OF_CLASSES.iter().all(all_have) {
            for (_, saved) in &mut done {
                saved.leave_out(&Kept::OF_CLASSES);
            }
            let names = Kept::OF_CLASSES.map(ScoreKind::name).join(" and ");
            let (classes, bytes) = (layout.width(), TrajectoryRecorder::BYTES_OF_CLASS);
            let gib = (examples * classes * bytes) as f64 / f64::from(1 << 30);
            notes.push(format!(
                "{names} are left out: for {examples} examples of {classes} classes they need about \
                 {gib:.1} GiB of memory; --class-means takes them"
            ));
        }
        let labels = if self.labels.contains(&UNKNOWN) { &[][..] } else { &self.labels[..] };
        let mut ingested = Ingested {
            labels: order.iter().filter_map(|&old| labels.get(old as usize).copied()).collect(),
            keys,
            classes: if losses {
                labels.iter().max().map_or(0, |&most| most as usize + 1)
            } else {
                layout.width()
            },
            kind: layout.kind,
            columns: Vec::new(),
            predicted: Vec::new(),
            runs: Vec::new(),
            notes,
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
        ingested
    }
}

/// The labels of a batch, [`UNKNOWN`] where there are none.
fn labels_of<'b>(batch: &'b Batch, unlabelled: &'b mut Vec<u32>) -> &'b [u32] {
    match &batch.labels {
        Some(labels) => labels,
        None => {
            unlabelled.resize(batch.rows, UNKNOWN);
            unlabelled
        }
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

/// The first of some rows whose example the epoch has already, or which comes twice among them.
fn first_again(recording: &Recording<'_>, ids: &[ExampleId]) -> Option<usize> {
    let mut here = hashbrown::HashSet::new();
    ids.iter().position(|&id| recording.has(id) || !here.insert(id.0))
}
