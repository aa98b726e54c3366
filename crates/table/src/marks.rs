//! What people said about examples: wrong label (and the right one), drop, keep, unsure.
//!
//! A file of marks has one JSON object a line and only grows. The first line says of which data set:
//!
//! ```text
//! {"marks":1,"data":{"name":"cifar10","fingerprint":"b36d…","limit":null}}
//! {"at":"2026-11-26T18:22:05.123Z","by":"ann","act":"5f3c…","mark":"wrong","label":"cat","ids":["1784"]}
//! {"at":"2026-11-26T18:22:09.410Z","by":"ann","act":"91ab…","mark":null,"ids":["1784"],"undoes":"5f3c…"}
//! ```
//!
//! An act is one line, appended in one write and synced before anybody is told that it is saved. What a crash
//! cut off in the middle of a line is left out when the file is read, and counted. Files of several people are
//! merged by putting them behind each other (`cat`): acts are put in the order of their times, the same act
//! twice is one, and the latest that names an example says what is marked. Examples go by the ids that their
//! owner gave, classes by their names, so that marks outlive a table in another order.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::calendar::{seconds_of, utc};
use serde::{Deserialize, Serialize};

use crate::identity::check_data;
use crate::{DataRef, FileError, OwnIds, Row, ScoreTable, TableError};

/// Layout of the lines.
const VERSION: u32 = 1;

/// Bytes before the place up to which a file was read, by which one that was replaced is told: ids of acts are in them.
const TAIL: usize = 256;

/// What is said about an example.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Its label is wrong.
    Wrong,
    /// It is to be left out.
    Drop,
    /// It is right, and stays.
    Keep,
    /// Somebody looked and could not tell.
    Unsure,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Wrong, Self::Drop, Self::Keep, Self::Unsure];

    /// The word in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wrong => "wrong",
            Self::Drop => "drop",
            Self::Keep => "keep",
            Self::Unsure => "unsure",
        }
    }
}

/// One act of one person: the same mark for some examples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// When, in UTC, to the millisecond: `2026-11-26T18:22:05.123Z`.
    pub at: String,
    /// Who.
    pub by: String,
    /// Its own id; no two acts have the same.
    pub act: String,
    /// The mark; none takes marks back.
    pub mark: Option<Verdict>,
    /// Name of the right class, for a wrong label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The examples, by the ids that their owner gave.
    pub ids: Vec<String>,
    /// The act that this one undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    marks: u32,
    #[serde(default)]
    data: Option<DataRef>,
    /// Whether the labels that people looked at are others than the data set's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    relabelled: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Head(Head),
    Act(Act),
}

/// A file of marks, and how far it was read.
#[derive(Clone, Debug)]
pub struct MarkFile {
    path: PathBuf,
    data: Option<DataRef>,
    read_to: u64,
    /// The last bytes before that.
    tail: Vec<u8>,
    /// Whether the last call of [`Self::news`] found another file than the one before, or none any more: what it gave
    /// is all that there is now.
    pub anew: bool,
    /// Whether a line of marks was read in it.
    is_known: bool,
    /// The data set that the file says it is of.
    said: Option<DataRef>,
    relabelled: bool,
    /// Lines that are no acts: what a crash cut off, or somebody else wrote.
    pub damaged: usize,
}

impl MarkFile {
    /// A file that is there or is going to be, of marks of a data set.
    pub fn new(path: &Path, data: Option<&DataRef>) -> Self {
        Self {
            path: path.to_owned(),
            data: data.cloned(),
            read_to: 0,
            tail: Vec::new(),
            anew: false,
            is_known: false,
            said: None,
            relabelled: false,
            damaged: 0,
        }
    }

    /// The same of marks of a table of scores.
    pub fn of(path: &Path, scores: &ScoreTable) -> Self {
        let card = scores.card();
        let relabelled = card.is_some_and(|card| card.relabelled);
        Self { relabelled, ..Self::new(path, card.and_then(|card| card.data.as_ref())) }
    }

    /// Where marks of a table are by default: `marks.jsonl` beside a `scores.parquet`, `NAME.marks.jsonl`
    /// beside another table.
    pub fn beside(scores: &Path) -> PathBuf {
        if scores.is_dir() {
            return scores.join("marks.jsonl");
        }
        match scores.file_stem().map(|stem| stem.to_string_lossy()) {
            Some(stem) if stem != "scores" => scores.with_file_name(format!("{stem}.marks.jsonl")),
            _ => scores.with_file_name("marks.jsonl"),
        }
    }

    /// The table that [`Self::beside`] gives these marks, whether it is there or not.
    pub fn scores_beside(marks: &Path) -> Option<PathBuf> {
        let name = marks.file_name()?.to_str()?;
        let stem =
            if name == "marks.jsonl" { "scores" } else { name.strip_suffix(".marks.jsonl")? };
        Some(marks.with_file_name(format!("{stem}.parquet")))
    }

    /// Whether the labels that people looked at are others than the data set's own: as the file says, once it is
    /// read.
    pub fn is_relabelled(&self) -> bool {
        self.relabelled
    }

    /// All acts of a file that must be there.
    ///
    /// # Errors
    /// When it is not there, is no file of marks, or is of another data set.
    pub fn read(path: &Path, data: Option<&DataRef>) -> Result<(Self, Vec<Act>), TableError> {
        let mut file = Self::new(path, data);
        std::fs::metadata(path).map_err(FileError::io("read", path))?;
        let acts = file.news()?;
        Ok((file, acts))
    }

    /// That lines of the file are no marks, if some are.
    pub fn damage(&self) -> Option<String> {
        (self.damaged > 0).then(|| {
            format!(
                "{} lines of {} are no marks, as a crash may leave one: they are left aside",
                self.damaged,
                self.path.display()
            )
        })
    }

    /// That nothing tells whether marks by the numbers of rows are of this table or data set, where the file, or the
    /// table, does not say of which data set it is.
    pub fn assumption(&self, ids: OwnIds<'_>) -> Option<String> {
        let says = match (&self.said, &self.data) {
            _ if matches!(ids, OwnIds::Texts(_)) => return None,
            (Some(_), Some(_)) => return None,
            (None, _) => "does not say of which data set its marks are".into(),
            (Some(said), None) => format!(
                "says that its marks are of {}, and the table does not say of which data set it is",
                said.name
            ),
        };
        let path = self.path.display();
        Some(format!("{path} {says}: its numbers are taken for those of these examples"))
    }

    /// Whether one of the file and the table says of which data set it is, and the other does not.
    pub fn is_one_sided(&self) -> bool {
        self.said.is_some() != self.data.is_some()
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The acts that were written since the last call, by this process or another; all at first, and where the file is
    /// another than before ([`Self::anew`]). A line that is still being written is left for the next call.
    ///
    /// # Errors
    /// When the file cannot be read, holds something else than marks, or says that it is of another data set; the next
    /// call begins where this one did.
    pub fn news(&mut self) -> Result<Vec<Act>, TableError> {
        let (anew, bytes) = self.unread().map_err(FileError::io("read", &self.path))?;
        let mut read = match anew {
            true => {
                Self { relabelled: self.relabelled, ..Self::new(&self.path, self.data.as_ref()) }
            }
            false => self.clone(),
        };
        read.anew = anew;
        let acts = read.take(&bytes)?;
        *self = read;
        Ok(acts)
    }

    /// What was not read yet; all of it, and that it is another file, where the bytes before it are not as they were.
    fn unread(&self) -> std::io::Result<(bool, Vec<u8>)> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok((self.read_to > 0, Vec::new()));
            }
            Err(error) => return Err(error),
        };
        let mut from = |place: u64| {
            let mut bytes = Vec::new();
            file.seek(SeekFrom::Start(place))?;
            file.read_to_end(&mut bytes)?;
            std::io::Result::Ok(bytes)
        };
        let mut bytes = from(self.read_to - self.tail.len() as u64)?;
        if bytes.starts_with(&self.tail) {
            bytes.drain(..self.tail.len());
            return Ok((false, bytes));
        }
        Ok((true, from(0)?))
    }

    /// Takes in what comes behind what was read.
    fn take(&mut self, bytes: &[u8]) -> Result<Vec<Act>, TableError> {
        let ended = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1);
        // A last line may be whole without its end, as editors leave it.
        let last_is_whole = serde_json::from_slice::<Line>(&bytes[ended..]).is_ok();
        let whole = if last_is_whole { bytes.len() } else { ended };
        self.read_to += whole as u64;
        self.tail.extend_from_slice(&bytes[..whole]);
        self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        let mut acts = Vec::new();
        for line in bytes[..whole].split(|&byte| byte == b'\n') {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(Line::Act(act)) if millis_of(&act.at).is_some() => {
                    self.is_known = true;
                    acts.push(act);
                }
                Ok(Line::Head(head)) => {
                    self.check(&head)?;
                    self.is_known = true;
                    self.said = head.data.or(self.said.take());
                    self.relabelled |= head.relabelled;
                }
                _ => self.damaged += 1,
            }
        }
        if !self.is_known && !may_become_marks(bytes) {
            return Err(TableError::List(format!(
                "{} is no file of marks: none of its lines is one; `datadiet explore` and `datadiet marks` write such \
                 files",
                self.path.display()
            )));
        }
        Ok(acts)
    }

    fn check(&self, head: &Head) -> Result<(), TableError> {
        if head.marks > VERSION {
            return Err(TableError::List(format!(
                "{} was written by a newer datadiet (marks of version {}, this one reads up to {VERSION}); use that one",
                self.path.display(),
                head.marks
            )));
        }
        // Files that were put behind each other are of one data set.
        match self.data.as_ref().or(self.said.as_ref()) {
            Some(data) => {
                let name = self.path.display().to_string();
                check_data(&name, head.data.as_ref(), &data.name, &data.fingerprint)
            }
            None => Ok(()),
        }
    }

    /// Appends an act and syncs it. The act is not taken in: [`Self::news`] reads it with all others.
    ///
    /// # Errors
    /// When the file cannot be written, or is there and holds something else than marks.
    pub fn append(&self, acts: &[Act]) -> Result<(), TableError> {
        // Another process may have made it since it was not there.
        let mut now = Self::new(&self.path, self.data.as_ref());
        let is_known = self.is_known || now.news().map(|_| now.is_known)?;
        let written = || -> std::io::Result<()> {
            let mut file =
                OpenOptions::new().create(true).append(true).read(true).open(&self.path)?;
            let mut text = Vec::new();
            let length = file.metadata()?.len();
            if length > 0 {
                // A line that a crash cut off is not to take ours with it.
                let mut last = [0];
                file.seek(SeekFrom::Start(length - 1))?;
                file.read_exact(&mut last)?;
                if last != [b'\n'] {
                    text.push(b'\n');
                }
            }
            if length == 0 || !is_known {
                let (data, relabelled) = (self.data.clone(), self.relabelled);
                serde_json::to_writer(&mut text, &Head { marks: VERSION, data, relabelled })?;
                text.push(b'\n');
            }
            for act in acts {
                serde_json::to_writer(&mut text, act)?;
                text.push(b'\n');
            }
            file.write_all(&text)?;
            file.sync_all()
        };
        written().map_err(|cause| FileError::io("write", &self.path)(cause).into())
    }
}

/// Whether a file without a line of marks is one all the same: it has nothing in it, or what a crash left of its head.
fn may_become_marks(bytes: &[u8]) -> bool {
    const HEAD: &[u8] = b"{\"marks\":";
    bytes.iter().all(u8::is_ascii_whitespace) || bytes.starts_with(HEAD) || HEAD.starts_with(bytes)
}

/// The time now, as [`Act::at`] has it, and at least a millisecond after `after`: who has seen an act comes after
/// it, whatever the clocks of the two say.
pub fn mark_time(after: Option<&str>) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seen = after.and_then(millis_of).map_or(0, |millis| millis + 1);
    time_text((now.as_millis() as u64).max(seen))
}

/// A time in milliseconds since 1970, as [`Act::at`] has it.
pub fn time_text(millis: u64) -> String {
    let [year, month, day, hour, minute, second] = utc(millis / 1000);
    let fraction = millis % 1000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:03}Z")
}

/// A time as [`mark_time`] writes it, in milliseconds since 1970; none where it is written otherwise, or is after
/// the year 8999.
fn millis_of(text: &str) -> Option<u64> {
    let shape = |(byte, like): (u8, u8)| match like {
        b'0' => byte.is_ascii_digit(),
        _ => byte == like,
    };
    let is_time = text.len() == 24 && text.bytes().zip(*b"0000-00-00T00:00:00.000Z").all(shape);
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let date = [number(0, 4)?, number(5, 7)?, number(8, 10)?];
    let time = [number(11, 13)?, number(14, 16)?, number(17, 19)?];
    let fits = (1970..9000).contains(&date[0])
        && (1..=12).contains(&date[1])
        && (1..=31).contains(&date[2]);
    let seconds = || seconds_of([date[0], date[1], date[2], time[0], time[1], time[2]]);
    (is_time && fits).then(|| Some(seconds() * 1000 + number(20, 23)?))?
}

/// What rows of a table are marked as, and all that was said before.
#[derive(Debug, Default)]
pub struct Marks {
    seen: HashSet<String>,
    acts: HashMap<String, Arc<Act>>,
    /// The acts on each row, in the order of their times.
    rows: HashMap<u32, Vec<Arc<Act>>>,
    /// Rows in the order in which something new was heard of them.
    changes: Vec<u32>,
    latest: Option<String>,
    /// Ids of acts that are of no row.
    pub unknown: usize,
    /// Whether people looked at other labels than the data set's own, as a file says.
    pub relabelled: bool,
}

impl Marks {
    /// Reads files of marks, of one person or several, for the rows of a table; and what a person should know about
    /// them.
    ///
    /// # Errors
    /// When a file is none of marks, is of another data set, or marks nothing of the table.
    pub fn of_table<P: AsRef<Path>>(
        table: &ScoreTable,
        paths: &[P],
    ) -> Result<(Self, Vec<String>), TableError> {
        let data = table.card().and_then(|card| card.data.as_ref());
        Self::of_rows(table.own_ids()?, data, paths, "this table")
    }

    /// The same for rows of a data set that are known by some ids; `of` is what they are called.
    ///
    /// # Errors
    /// As there.
    pub fn of_rows<P: AsRef<Path>>(
        ids: OwnIds<'_>,
        data: Option<&DataRef>,
        paths: &[P],
        of: &str,
    ) -> Result<(Self, Vec<String>), TableError> {
        let index = RowIndex::of(ids)?;
        let (mut marks, mut told) = (Self::default(), Vec::new());
        for path in paths.iter().map(AsRef::as_ref) {
            let (file, acts) = MarkFile::read(path, data)?;
            told.extend(file.assumption(ids).into_iter().chain(file.damage()));
            marks.relabelled |= file.is_relabelled();
            let before = (marks.unknown, marks.version());
            marks.add(acts, |id| index.find(ids, id));
            if marks.unknown > before.0 && marks.version() == before.1 {
                return Err(TableError::List(format!(
                    "{} marks no example of {of}: it is of another",
                    path.display()
                )));
            }
        }
        let disputed = marks.disputed().len();
        if disputed > 0 {
            told.push(format!(
                "people say different things of {disputed} examples: the latest mark of each counts"
            ));
        }
        if marks.unknown > 0 {
            told.push(format!("{} marked ids are not in {of}: they are left aside", marks.unknown));
        }
        Ok((marks, told))
    }

    /// Takes acts in; those that are known change nothing. `row` finds the row of an id.
    pub fn add(&mut self, acts: Vec<Act>, row: impl Fn(&str) -> Option<Row>) {
        for act in acts {
            if !self.seen.insert(act.act.clone()) {
                continue;
            }
            if self.latest.as_ref().is_none_or(|latest| *latest < act.at) {
                self.latest = Some(act.at.clone());
            }
            let act = Arc::new(act);
            let mut of_act = HashSet::new();
            for id in &act.ids {
                let Some(row) = row(id) else {
                    self.unknown += 1;
                    continue;
                };
                if !of_act.insert(row.0) {
                    continue;
                }
                let acts = self.rows.entry(row.0).or_default();
                let key = |act: &Act| (act.at.clone(), act.act.clone());
                let place = acts.partition_point(|known| key(known) < key(&act));
                acts.insert(place, Arc::clone(&act));
                self.changes.push(row.0);
            }
            self.acts.insert(act.act.clone(), act);
        }
    }

    /// Forgets all acts, as where their file is gone; of every row of which something was said that is news. The time
    /// of the latest stays: what is said now comes after it.
    pub fn forget(&mut self) {
        let mut rows: Vec<u32> = std::mem::take(&mut self.rows).into_keys().collect();
        rows.sort_unstable();
        self.changes.extend(rows);
        self.seen.clear();
        self.acts.clear();
        self.unknown = 0;
    }

    /// What a row is marked as: the latest act on it, where that is a mark.
    pub fn of(&self, row: Row) -> Option<&Act> {
        let latest = self.rows.get(&row.0)?.last()?;
        latest.mark.is_some().then_some(latest)
    }

    /// All that was said about a row, in the order of the times.
    pub fn history(&self, row: Row) -> &[Arc<Act>] {
        self.rows.get(&row.0).map_or(&[], Vec::as_slice)
    }

    /// The marked rows, ascending.
    pub fn marked(&self) -> Vec<(Row, &Act)> {
        let mut all: Vec<_> =
            self.rows.keys().filter_map(|&row| Some((Row(row), self.of(Row(row))?))).collect();
        all.sort_unstable_by_key(|(row, _)| *row);
        all
    }

    /// The rows of which people say different things: their latest marks differ.
    pub fn disputed(&self) -> Vec<Row> {
        let differ = |acts: &Vec<Arc<Act>>| {
            let mut said: HashMap<&str, (Option<Verdict>, Option<&str>)> = HashMap::new();
            for act in acts {
                said.insert(&act.by, (act.mark, act.label.as_deref()));
            }
            let mut said = said.values().filter(|(mark, _)| mark.is_some());
            said.next().is_some_and(|first| said.any(|other| other != first))
        };
        let mut all: Vec<Row> =
            self.rows.iter().filter(|(_, acts)| differ(acts)).map(|(&row, _)| Row(row)).collect();
        all.sort_unstable();
        all
    }

    /// Whether an act was taken in, by its id.
    pub fn knows(&self, act: &str) -> bool {
        self.seen.contains(act)
    }

    /// A number that grows with everything that is heard.
    pub fn version(&self) -> usize {
        self.changes.len()
    }

    /// The rows of which something was heard since a version, each once, ascending.
    pub fn since(&self, version: usize) -> Vec<Row> {
        let mut rows: Vec<Row> =
            self.changes[version.min(self.changes.len())..].iter().map(|&row| Row(row)).collect();
        rows.sort_unstable();
        rows.dedup();
        rows
    }

    /// The time of the latest act.
    pub fn latest(&self) -> Option<&str> {
        self.latest.as_deref()
    }

    /// The latest act of a person that can still be undone: it undoes none itself, and of one of its rows at least
    /// nothing else has been said since that was not taken back.
    pub fn last_of(&self, by: &str, row: impl Fn(&str) -> Option<Row>) -> Option<&Act> {
        let is_own = |act: &&Arc<Act>| act.by == by && act.undoes.is_none();
        let mut own: Vec<&Arc<Act>> = self.acts.values().filter(is_own).collect();
        own.sort_unstable_by(|a, b| (&b.at, &b.act).cmp(&(&a.at, &a.act)));
        let is_last = |act: &&Arc<Act>| {
            let mut rows = act.ids.iter().filter_map(|id| row(id));
            rows.any(|row| self.standing(row, &act.act).is_some())
        };
        own.into_iter().find(is_last).map(|act| &**act)
    }

    /// Where an act is in the history of a row, if all that was said since was taken back.
    fn standing(&self, row: Row, act: &str) -> Option<usize> {
        let history = self.history(row);
        let place = history.iter().rposition(|known| known.act == act)?;
        let since = &history[place + 1..];
        let is_there = |wanted: &str| since.iter().any(|act| act.act == wanted);
        let is_undone =
            |wanted: &str| since.iter().any(|act| act.undoes.as_deref() == Some(wanted));
        let cancels = |act: &Arc<Act>| match &act.undoes {
            Some(undone) => is_there(undone),
            None => is_undone(&act.act),
        };
        since.iter().all(cancels).then_some(place)
    }

    /// What undoes an act: for each mark that its rows had before, those rows; and the number of rows that have
    /// been marked otherwise since, which stay as they are; what was taken back does not count. None where there is
    /// no such act.
    pub fn undoing(
        &self,
        act: &str,
        row: impl Fn(&str) -> Option<Row>,
    ) -> Option<(Vec<Before>, usize)> {
        let undone = self.acts.get(act)?;
        let mut groups: Vec<Before> = Vec::new();
        let mut others = 0;
        for id in &undone.ids {
            let Some(row) = row(id) else { continue };
            let Some(place) = self.standing(row, act) else {
                others += 1;
                continue;
            };
            let before = place.checked_sub(1).map(|place| &self.history(row)[place]);
            let mark = before.and_then(|act| act.mark);
            let label = before.and_then(|act| act.label.clone());
            match groups.iter_mut().find(|group| group.mark == mark && group.label == label) {
                Some(group) => group.ids.push(id.clone()),
                None => groups.push(Before { mark, label, ids: vec![id.clone()] }),
            }
        }
        Some((groups, others))
    }
}

/// Rows that had the same mark before an act.
#[derive(Clone, Debug, PartialEq)]
pub struct Before {
    /// The mark; none where there was none.
    pub mark: Option<Verdict>,
    /// The right class.
    pub label: Option<String>,
    /// Their ids.
    pub ids: Vec<String>,
}

/// Finds rows by the ids that their owner gave.
#[derive(Clone, Debug)]
pub struct RowIndex {
    /// Rows by ascending id; empty where ids are the numbers of the rows.
    sorted: Vec<u32>,
}

impl RowIndex {
    /// Of some ids.
    ///
    /// # Errors
    /// When one is there twice: nobody could say which row is meant.
    pub fn of(ids: OwnIds<'_>) -> Result<Self, TableError> {
        let mut sorted: Vec<u32> = (0..ids.len() as u32).collect();
        let twice = match ids {
            OwnIds::Rows(_) => return Ok(Self { sorted: Vec::new() }),
            OwnIds::Numbers(ids) => {
                sorted.sort_unstable_by_key(|&row| ids[row as usize]);
                sorted.windows(2).find(|w| ids[w[0] as usize] == ids[w[1] as usize])
            }
            OwnIds::Texts(ids) => {
                sorted.sort_unstable_by_key(|&row| ids[row as usize].as_str());
                sorted.windows(2).find(|w| ids[w[0] as usize] == ids[w[1] as usize])
            }
        };
        match twice {
            Some(pair) => Err(TableError::Ids(format!(
                "the id {:?} is there more than once: marks would not say which row is meant; keep one",
                ids.text(Row(pair[0]))
            ))),
            None => Ok(Self { sorted }),
        }
    }

    /// The row of an id, as [`OwnIds::text`] writes it; the ids are those that it was made of.
    pub fn find(&self, ids: OwnIds<'_>, id: &str) -> Option<Row> {
        let number = || id.parse::<u32>().ok().filter(|number| number.to_string() == id);
        match ids {
            OwnIds::Rows(rows) => number().filter(|&row| (row as usize) < rows).map(Row),
            OwnIds::Numbers(ids) => {
                let number = number()?;
                let place = self.sorted.binary_search_by_key(&number, |&row| ids[row as usize]);
                place.ok().map(|place| Row(self.sorted[place]))
            }
            OwnIds::Texts(ids) => {
                let place =
                    self.sorted.binary_search_by_key(&id, |&row| ids[row as usize].as_str());
                place.ok().map(|place| Row(self.sorted[place]))
            }
        }
    }

    /// Up to `most` rows whose id begins with a text, ascending by id; of numbers only the one that it is.
    pub fn beginning_with(&self, ids: OwnIds<'_>, start: &str, most: usize) -> Vec<Row> {
        let OwnIds::Texts(texts) = ids else {
            return self.find(ids, start).into_iter().take(most).collect();
        };
        let text = |row: u32| texts[row as usize].as_str();
        let first = self.sorted.partition_point(|&row| text(row) < start);
        let found = self.sorted[first..].iter().take_while(|&&row| text(row).starts_with(start));
        found.take(most).map(|&row| Row(row)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn act(at: u32, by: &str, mark: Option<Verdict>, ids: &[&str]) -> Act {
        Act {
            at: format!("2026-01-01T00:00:00.{at:03}Z"),
            by: by.into(),
            act: format!("{by}{at}"),
            mark,
            label: None,
            ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            undoes: None,
        }
    }

    fn row(id: &str) -> Option<Row> {
        id.parse().ok().filter(|row| *row < 100).map(Row)
    }

    fn board(acts: Vec<Act>) -> Marks {
        let mut marks = Marks::default();
        marks.add(acts, row);
        marks
    }

    #[test]
    fn acts_are_read_back_and_what_a_crash_cut_off_takes_nothing_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.jsonl");
        let mut file = MarkFile::new(&path, None);
        assert_eq!(file.news().unwrap(), []);
        let first = act(1, "ann", Some(Verdict::Wrong), &["3"]);
        file.append(std::slice::from_ref(&first)).unwrap();
        assert_eq!(file.news().unwrap(), std::slice::from_ref(&first));
        let whole = std::fs::read(&path).unwrap();
        let second = act(2, "ann", Some(Verdict::Drop), &["4"]);
        // Cut off anywhere, the acts before are there, and the next is not lost.
        let line = serde_json::to_vec(&act(9, "ann", None, &["7"])).unwrap();
        for cut in 1..line.len() {
            std::fs::write(&path, [&whole, &line[..cut]].concat()).unwrap();
            let mut again = MarkFile::new(&path, None);
            assert_eq!(again.news().unwrap(), std::slice::from_ref(&first));
            again.append(std::slice::from_ref(&second)).unwrap();
            assert_eq!(again.news().unwrap(), std::slice::from_ref(&second));
            let (known, all) = MarkFile::read(&path, None).unwrap();
            assert_eq!((all.len(), known.damaged), (2, 1));
        }
    }

    #[test]
    fn nothing_is_appended_to_a_file_of_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.parquet");
        let [act, later] = [1, 2].map(|at| act(at, "ann", Some(Verdict::Drop), &["3"]));
        for other in ["PAR1\n\u{7}\nPAR1", "{\"a\": 1}", "id,label\n1,2\n"] {
            std::fs::write(&path, other).unwrap();
            let mut file = MarkFile::new(&path, None);
            let refused = file.append(std::slice::from_ref(&act)).unwrap_err().to_string();
            assert!(refused.contains("no file of marks"), "{refused}");
            assert!(file.news().is_err() && file.news().is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), other);
        }
        // What is empty, or a crash left of a head, gets one.
        for start in ["", "\n", "{\"ma", "{\"marks\":1,\"da"] {
            std::fs::write(&path, start).unwrap();
            let data = DataRef { name: "m".into(), fingerprint: "a".into(), limit: None };
            MarkFile::new(&path, Some(&data)).append(std::slice::from_ref(&act)).unwrap();
            let (file, acts) = MarkFile::read(&path, Some(&data)).unwrap();
            assert_eq!(acts, std::slice::from_ref(&act), "{start}");
            assert_eq!(file.assumption(OwnIds::Rows(9)), None, "{start}");
            assert_eq!(file.damage().is_some(), start.starts_with('{'), "{start}");
        }
        // A last line without its end is a line.
        std::fs::write(&path, serde_json::to_string(&act).unwrap()).unwrap();
        let (file, acts) = MarkFile::read(&path, None).unwrap();
        assert_eq!((file.damaged, acts.len()), (0, 1));
        file.append(&[later]).unwrap();
        assert_eq!(MarkFile::read(&path, None).unwrap().1.len(), 2);
    }

    #[test]
    fn a_file_that_is_replaced_or_gone_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("marks.jsonl"), folder.path().join("other"));
        let acts: Vec<Act> =
            (1..6).map(|at| act(at, "ann", Some(Verdict::Drop), &[&at.to_string()])).collect();
        let write = |path: &Path, acts: &[Act]| {
            let line = |act: &Act| serde_json::to_string(act).unwrap() + "\n";
            std::fs::write(path, acts.iter().map(line).collect::<String>()).unwrap();
        };
        write(&path, &acts[..2]);
        let mut file = MarkFile::new(&path, None);
        assert_eq!((file.news().unwrap(), file.anew), (acts[..2].to_vec(), false));
        // In its place by another name, as long and longer; over itself.
        for (now, length) in [(&acts[2..4], 2), (&acts[1..5], 4)] {
            write(&other, now);
            std::fs::rename(&other, &path).unwrap();
            let found = file.news().unwrap();
            assert_eq!((found.len(), file.anew, &found[..]), (length, true, now));
            assert_eq!((file.news().unwrap(), file.anew), (Vec::new(), false));
        }
        write(&path, &acts);
        assert_eq!((file.news().unwrap(), file.anew), (acts.clone(), true));
        // With more at its end it is the same.
        let more = act(7, "bob", None, &["1"]);
        file.append(std::slice::from_ref(&more)).unwrap();
        assert_eq!((file.news().unwrap(), file.anew), (vec![more], false));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((file.news().unwrap(), file.anew), (Vec::new(), true));
        assert_eq!((file.news().unwrap(), file.anew), (Vec::new(), false));
        write(&path, &acts[..1]);
        assert_eq!(file.news().unwrap(), acts[..1]);
        // One of other data is refused as often as it is asked.
        let data = DataRef { name: "mine".into(), fingerprint: "aa".into(), limit: None };
        let mut file = MarkFile::new(&path, Some(&data));
        assert_eq!(file.news().unwrap().len(), 1);
        let other_data = DataRef { fingerprint: "bb".into(), ..data };
        MarkFile::new(&other, Some(&other_data)).append(&acts).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert!(file.news().is_err() && file.news().is_err());
        let mut marks = board(acts[..2].to_vec());
        let version = marks.version();
        marks.forget();
        marks.add(acts[1..3].to_vec(), row);
        assert_eq!(marks.since(version), [Row(1), Row(2), Row(3)]);
        assert!(marks.of(Row(1)).is_none() && marks.of(Row(2)).is_some());
    }

    #[test]
    fn marks_of_another_data_set_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.jsonl");
        let data = |fingerprint: &str| DataRef {
            name: "mine".into(),
            fingerprint: fingerprint.into(),
            limit: None,
        };
        let file = MarkFile::new(&path, Some(&data("aaaa")));
        file.append(&[act(1, "ann", None, &[])]).unwrap();
        let (file, _) = MarkFile::read(&path, Some(&data("aaaa"))).unwrap();
        assert_eq!(file.assumption(OwnIds::Rows(3)), None);
        let error = MarkFile::read(&path, Some(&data("bbbb"))).unwrap_err().to_string();
        assert!(error.contains("another data set"), "{error}");
        std::fs::write(&path, "{}\nnothing\n").unwrap();
        let error = MarkFile::read(&path, None).unwrap_err().to_string();
        assert!(error.contains("no file of marks"), "{error}");
    }

    #[test]
    fn that_marks_by_number_name_no_data_set_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marks.jsonl");
        MarkFile::new(&path, None).append(&[act(1, "ann", None, &["1"])]).unwrap();
        let (file, _) = MarkFile::read(&path, None).unwrap();
        let told = file.assumption(OwnIds::Rows(3)).unwrap();
        assert!(told.contains("does not say of which data set"), "{told}");
        assert!(file.assumption(OwnIds::Numbers(&[4, 1])).is_some());
        assert_eq!(file.assumption(OwnIds::Texts(&["a.jpg".into()])), None);
        // Of another data set, for all that a table without one knows.
        let data =
            |name: &str| DataRef { name: name.into(), fingerprint: name.into(), limit: None };
        let path = folder.path().join("named.jsonl");
        MarkFile::new(&path, Some(&data("cifar10")))
            .append(&[act(1, "ann", None, &["1"])])
            .unwrap();
        let (file, _) = MarkFile::read(&path, None).unwrap();
        let told = file.assumption(OwnIds::Rows(3)).unwrap();
        assert!(told.contains("are of cifar10, and the table does not say"), "{told}");
        assert_eq!(file.assumption(OwnIds::Texts(&["a.jpg".into()])), None);
        // Two data sets in one file are of no table.
        let other = folder.path().join("other.jsonl");
        MarkFile::new(&other, Some(&data("mnist"))).append(&[act(1, "bob", None, &["1"])]).unwrap();
        let both = [&path, &other].map(|path| std::fs::read(path).unwrap()).concat();
        std::fs::write(&path, both).unwrap();
        let refused = MarkFile::read(&path, None).unwrap_err().to_string();
        assert!(refused.contains("another data set than cifar10"), "{refused}");
    }

    #[test]
    fn an_act_is_undone_where_nobody_said_something_since() {
        let mut marks = board(vec![
            act(1, "ann", Some(Verdict::Keep), &["1"]),
            act(2, "ann", Some(Verdict::Drop), &["1", "2", "3"]),
            act(3, "bob", Some(Verdict::Unsure), &["3"]),
        ]);
        let (groups, others) = marks.undoing("ann2", row).unwrap();
        let of = |mark, id: &str| Before { mark, label: None, ids: vec![id.into()] };
        assert_eq!(groups, [of(Some(Verdict::Keep), "1"), of(None, "2")]);
        assert_eq!(others, 1);
        assert_eq!(marks.disputed(), [Row(3)]);
        assert!(marks.undoing("nobody", row).is_none());
        let before = marks.version();
        marks.add(vec![act(4, "ann", None, &["2"])], row);
        assert_eq!(marks.since(before), [Row(2)]);
        assert!(marks.of(Row(2)).is_none());
        assert_eq!(marks.marked().iter().map(|(row, _)| row.0).collect::<Vec<_>>(), [1, 3]);
    }

    #[test]
    fn the_last_act_of_a_person_is_the_one_that_can_be_undone() {
        let mut marks = board(vec![
            act(1, "ann", Some(Verdict::Keep), &["1"]),
            act(2, "bob", Some(Verdict::Drop), &["2"]),
            act(3, "ann", Some(Verdict::Drop), &["1", "2"]),
            act(4, "ann", Some(Verdict::Unsure), &["3"]),
        ]);
        let last = |marks: &Marks, by: &str| marks.last_of(by, row).map(|act| act.act.clone());
        assert_eq!(last(&marks, "ann").as_deref(), Some("ann4"));
        // All that bob did was marked otherwise since, and eve did nothing.
        assert_eq!((last(&marks, "bob"), last(&marks, "eve")), (None, None));
        let undoes = |at: u32, by: &str, undone: &str, ids: &[&str]| Act {
            undoes: Some(undone.into()),
            ..act(at, by, None, ids)
        };
        marks.add(vec![undoes(5, "ann", "ann4", &["3"])], row);
        assert_eq!(last(&marks, "ann").as_deref(), Some("ann3"));
        // Of one of its rows something else was said, not of the other.
        marks.add(vec![act(6, "bob", None, &["2"])], row);
        assert_eq!(last(&marks, "ann").as_deref(), Some("ann3"));
        marks.add(vec![undoes(7, "ann", "ann3", &["1"])], row);
        assert_eq!(
            last(&marks, "ann").as_deref(),
            Some("ann1"),
            "what was taken back does not count"
        );
        let (groups, others) = marks.undoing("ann1", row).unwrap();
        assert_eq!(
            (groups, others),
            (vec![Before { mark: None, label: None, ids: vec!["1".into()] }], 0)
        );
        marks.add(vec![undoes(8, "ann", "ann1", &["1"])], row);
        assert_eq!(last(&marks, "ann"), None);
        assert_eq!(marks.undoing("ann1", row), Some((vec![], 1)), "it is undone already");
        // Merged from elsewhere: said between an act and its undoing, which came after it.
        marks.add(vec![act(2, "eve", Some(Verdict::Keep), &["1"])], row);
        assert_eq!(last(&marks, "eve"), None);
    }

    #[test]
    fn an_act_comes_after_what_was_seen() {
        let now = mark_time(None);
        let next = mark_time(Some(&now));
        assert!(next > now, "{now} {next}");
        assert_eq!(now.len(), "2026-11-26T18:22:05.123Z".len());
        // Of somebody whose clock is ahead, too.
        let ahead = "2999-12-31T23:59:59.999Z";
        assert_eq!(mark_time(Some(ahead)), "3000-01-01T00:00:00.000Z");
        assert_eq!(millis_of("9999-12-31T23:59:59.999Z"), None);
        assert_eq!(millis_of("2026-01-01 00:00:00.000Z"), None);
    }

    #[test]
    fn rows_are_found_by_the_ids_of_their_owner() {
        let texts = ["b", "a/2", "a/1"].map(String::from);
        let ids = OwnIds::Texts(&texts);
        let index = RowIndex::of(ids).unwrap();
        assert_eq!(index.find(ids, "a/1"), Some(Row(2)));
        assert_eq!(index.find(ids, "a"), None);
        assert_eq!(index.beginning_with(ids, "a/", 9), [Row(2), Row(1)]);
        let ids = OwnIds::Numbers(&[7, 5]);
        let index = RowIndex::of(ids).unwrap();
        assert_eq!((index.find(ids, "5"), index.find(ids, "05")), (Some(Row(1)), None));
        let ids = OwnIds::Rows(2);
        let index = RowIndex::of(ids).unwrap();
        assert_eq!((index.find(ids, "1"), index.find(ids, "2")), (Some(Row(1)), None));
        assert!(RowIndex::of(OwnIds::Numbers(&[7, 7])).is_err());
    }

    proptest! {
        /// Files of several people say the same in whatever order they are put behind each other.
        #[test]
        fn merging_does_not_depend_on_the_order(
            acts in prop::collection::vec((0..50_u32, 0..3_u8, 0..5_u8, 0..6_u32), 0..30),
            seed in any::<u64>(),
        ) {
            let acts: Vec<Act> = acts
                .into_iter()
                .map(|(at, by, mark, id)| {
                    let mark = Verdict::ALL.get(mark as usize).copied();
                    act(at, ["ann", "bob", "eve"][by as usize], mark, &[&id.to_string()])
                })
                .collect();
            // An id of an act stands for one act.
            let mut known = HashSet::new();
            let acts: Vec<Act> =
                acts.into_iter().filter(|act| known.insert(act.act.clone())).collect();
            let mut other = acts.clone();
            let length = other.len().max(1);
            other.rotate_left(seed as usize % length);
            other.extend(acts.iter().take(3).cloned());
            let (one, two) = (board(acts), board(other));
            let said = |marks: &Marks| -> Vec<(Row, Act)> {
                marks.marked().into_iter().map(|(row, act)| (row, act.clone())).collect()
            };
            prop_assert_eq!(said(&one), said(&two));
            prop_assert_eq!(one.disputed(), two.disputed());
        }
    }
}
