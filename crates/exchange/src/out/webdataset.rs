//! Shards of WebDataset: tar files in which members of one name up to its first dot are an example.
//!
//! From pictures or texts: `KEY.png` (or the file as it is, or `KEY.txt`), `KEY.cls` (the label's number, where there
//! is one) and `KEY.json` (all that is said of the example). From the owner's shards: the members of the chosen examples
//! as they are, each followed by `KEY.scores.json`; members go from file to file, and one shard is never in memory.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use datadiet_explore::{Contents, stem};
use datadiet_table::{FileError, OwnIds, Row, RowIndex};
use serde_json::Value;
use tar::{Archive, Builder, EntryType, Header};

use super::{Written, not_written, pictures};
use crate::error::some_of;
use crate::{ExchangeError, Outgoing};

/// Examples in a shard that we make.
const EXAMPLES: usize = 10_000;
/// The member that is added to an example of the owner's shards.
const OURS: &str = "scores.json";

/// Writes shards of the rows, of the owner's shards where some are given.
///
/// # Errors
/// When a row is not in the shards, a key there twice, or something is in the way.
pub fn write(
    out: &Outgoing<'_>,
    contents: &Contents,
    from: &[PathBuf],
    to: &Path,
) -> Result<Written, ExchangeError> {
    if from.is_empty() { made(out, contents, to) } else { filtered(out, from, to) }
}

/// Shards of pictures or texts.
fn made(out: &Outgoing<'_>, contents: &Contents, to: &Path) -> Result<Written, ExchangeError> {
    let (members, note) = match contents {
        Contents::None | Contents::Tokens(_) => {
            return ExchangeError::refused(
                "which examples? Give --from 'shards-{000..009}.tar' to filter yours, or --data NAME, --images DIR or \
                 --text FILE to make some",
            );
        }
        Contents::Texts(_) => {
            let row = |row: Row| pictures::Placed { row, place: format!("{:06}.txt", row.0) };
            (out.rows().into_iter().map(row).collect(), None)
        }
        Contents::Dataset(..) | Contents::Files(_) => {
            pictures::placed(out, contents, out.rows(), "WebDataset")?
        }
    };
    // A dot in a name would end the key.
    let key = |place: &str| stem(place).replace('.', "_");
    let mut keys = HashSet::new();
    if let Some(twice) = members.iter().find(|one| !keys.insert(key(&one.place))) {
        return ExchangeError::refused(format!(
            "two pictures would have the key {:?}: rename {}",
            key(&twice.place),
            twice.place
        ));
    }
    let labels = out.table().columns().integers("label").ok();
    super::folder(out, to, |folder| {
        for (number, members) in members.chunks(EXAMPLES).enumerate() {
            let mut shard = Shard::create(&folder.join(format!("shard-{number:06}.tar")))?;
            for one in members {
                let key = key(&one.place);
                let ending = one.place.rsplit('.').next().unwrap_or("png").to_lowercase();
                let bytes = match (contents.file(one.row), contents.text(one.row)) {
                    (Some((file, _)), _) => {
                        std::fs::read(file).map_err(FileError::io("read", file))?
                    }
                    (_, Some(text)) => text.as_bytes().to_vec(),
                    _ => contents.picture(one.row, true)?.unwrap_or_default().1,
                };
                shard.add(&format!("{key}.{ending}"), &bytes)?;
                if let Some(labels) = labels {
                    shard.add(
                        &format!("{key}.cls"),
                        labels[one.row.index()].to_string().as_bytes(),
                    )?;
                }
                shard.add(&format!("{key}.json"), record(out, one.row).as_bytes())?;
            }
            shard.finish()?;
        }
        Ok(())
    })?;
    let notes = note.into_iter().collect();
    Ok(Written { written: to.to_owned(), examples: members.len(), notes })
}

fn record(out: &Outgoing<'_>, row: Row) -> String {
    Value::Object(out.record(row)).to_string()
}

/// A tar file that is being written.
struct Shard {
    path: PathBuf,
    tar: Builder<BufWriter<File>>,
}

impl Shard {
    fn create(path: &Path) -> Result<Self, ExchangeError> {
        let file = File::create(path).map_err(not_written(path))?;
        Ok(Self { path: path.to_owned(), tar: Builder::new(BufWriter::new(file)) })
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), ExchangeError> {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o644);
        header.set_size(bytes.len() as u64);
        self.copy(header, name, bytes)
    }

    fn copy(
        &mut self,
        mut header: Header,
        name: &str,
        bytes: impl Read,
    ) -> Result<(), ExchangeError> {
        self.tar.append_data(&mut header, name, bytes).map_err(not_written(&self.path))
    }

    fn finish(self) -> Result<(), ExchangeError> {
        let written = || self.tar.into_inner()?.flush();
        written().map_err(not_written(&self.path))
    }
}

/// The owner's shards, without what is left out.
fn filtered(out: &Outgoing<'_>, from: &[PathBuf], to: &Path) -> Result<Written, ExchangeError> {
    let mut names = HashSet::new();
    for path in from {
        let name = path.file_name().unwrap_or_default();
        if path.extension().is_none_or(|ending| ending != "tar") {
            return ExchangeError::refused(format!(
                "{} is no .tar: unpack shards that are compressed",
                path.display()
            ));
        }
        if !names.insert(name) {
            return ExchangeError::refused(format!(
                "two shards are called {}: they would become one file",
                Path::new(name).display()
            ));
        }
    }
    let mut join = Join::of(out)?;
    super::folder(out, to, |folder| {
        for path in from {
            shard(out, &mut join, path, &folder.join(path.file_name().unwrap_or_default()))?;
        }
        join.check(out)
    })?;
    let mut notes = join.notes(out);
    notes.push(format!(
        "{} of {} examples of {} shards are written",
        join.written,
        join.seen.len(),
        from.len()
    ));
    Ok(Written { written: to.to_owned(), examples: join.written, notes })
}

/// Copies what goes of one shard; no file where that is nothing.
fn shard(
    out: &Outgoing<'_>,
    join: &mut Join<'_>,
    from: &Path,
    to: &Path,
) -> Result<(), ExchangeError> {
    let read = |cause| ExchangeError::from(FileError::io("read", from)(cause));
    let mut archive = Archive::new(BufReader::new(File::open(from).map_err(read)?));
    let mut shard: Option<Shard> = None;
    // The example whose members are being read.
    let mut current: Option<(String, Option<Row>)> = None;
    for entry in archive.entries().map_err(read)? {
        let entry = entry.map_err(read)?;
        if entry.header().entry_type() != EntryType::Regular {
            continue;
        }
        let bytes = entry.path_bytes().into_owned();
        let Ok(name) = String::from_utf8(bytes) else {
            return ExchangeError::refused(format!(
                "{} has a member whose name is no UTF-8",
                from.display()
            ));
        };
        let Some((key, ending)) = key_of(&name) else { continue };
        if current.as_ref().is_none_or(|(known, _)| known != key) {
            end(out, &mut shard, current.take())?;
            current = Some((key.to_owned(), join.row(key, from)?));
        }
        let Some((key, Some(_))) = &current else { continue };
        if ending == OURS {
            return ExchangeError::refused(format!(
                "{} has {key}.{OURS} already: give the shards that it was made from",
                from.display()
            ));
        }
        let into = match &mut shard {
            Some(shard) => shard,
            None => shard.insert(Shard::create(to)?),
        };
        into.copy(entry.header().clone(), &name, entry)?;
    }
    end(out, &mut shard, current)?;
    shard.map_or(Ok(()), Shard::finish)
}

/// What is said of an example goes behind its members.
fn end(
    out: &Outgoing<'_>,
    shard: &mut Option<Shard>,
    example: Option<(String, Option<Row>)>,
) -> Result<(), ExchangeError> {
    let (Some((key, Some(row))), Some(shard)) = (example, shard) else { return Ok(()) };
    shard.add(&format!("{key}.{OURS}"), record(out, row).as_bytes())
}

/// The name of a member up to its first dot, folders included, and the rest; none of a hidden file.
fn key_of(name: &str) -> Option<(&str, &str)> {
    let start = name.rfind('/').map_or(0, |place| place + 1);
    let dot = name[start..].find('.').filter(|&dot| dot > 0)?;
    Some((&name[..start + dot], &name[start + dot + 1..]))
}

/// Which rows the keys of shards are.
struct Join<'a> {
    ids: OwnIds<'a>,
    index: RowIndex,
    goes: Vec<bool>,
    /// The key of each row that was met.
    met: HashMap<u32, String>,
    seen: HashSet<String>,
    unknown: Vec<String>,
    padded: bool,
    written: usize,
}

impl<'a> Join<'a> {
    fn of(out: &Outgoing<'a>) -> Result<Self, ExchangeError> {
        let ids = out.ids();
        let mut goes = vec![false; ids.len()];
        out.rows().iter().for_each(|row| goes[row.index()] = true);
        Ok(Self {
            ids,
            index: RowIndex::of(ids)?,
            goes,
            met: HashMap::new(),
            seen: HashSet::new(),
            unknown: Vec::new(),
            padded: false,
            written: 0,
        })
    }

    /// The row of a key where it goes. A key is an id as it is; of numbers with zeros before it or not; else without
    /// its folders.
    fn row(&mut self, key: &str, from: &Path) -> Result<Option<Row>, ExchangeError> {
        let refused = |why: String| ExchangeError::refused(format!("{}: {why}", from.display()));
        if !self.seen.insert(key.to_owned()) {
            return refused(format!(
                "the key {key:?} is there twice, or its members are not together"
            ));
        }
        let name = key.rsplit('/').next().unwrap_or(key);
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let mut row = self.index.find(self.ids, key).or_else(|| self.index.find(self.ids, name));
        if row.is_none() && digits(name) && !matches!(self.ids, OwnIds::Texts(_)) {
            let number = name.trim_start_matches('0');
            row = self.index.find(self.ids, if number.is_empty() { "0" } else { number });
            self.padded |= row.is_some();
        }
        let Some(row) = row else {
            self.unknown.push(key.to_owned());
            return Ok(None);
        };
        if let Some(other) = self.met.insert(row.0, key.to_owned()) {
            return refused(format!(
                "the keys {other:?} and {key:?} are both the example {:?}",
                self.ids.text(row)
            ));
        }
        let goes = self.goes[row.index()];
        self.written += usize::from(goes);
        Ok(goes.then_some(row))
    }

    /// That all rows that go were met, and that row numbers mean what they are taken for.
    fn check(&self, out: &Outgoing<'_>) -> Result<(), ExchangeError> {
        let lacking: Vec<String> = out
            .rows()
            .into_iter()
            .filter(|row| !self.met.contains_key(&row.0))
            .map(|row| self.ids.text(row))
            .collect();
        if !lacking.is_empty() {
            let first = self.seen.iter().min().cloned().unwrap_or_default();
            return ExchangeError::refused(format!(
                "{} of {} examples are in none of the shards: {}; the first key there is {first:?}",
                lacking.len(),
                out.rows().len(),
                some_of(&lacking)
            ));
        }
        if matches!(self.ids, OwnIds::Rows(_))
            && (self.met.len() != self.ids.len() || !self.unknown.is_empty())
        {
            return ExchangeError::refused(format!(
                "the table gives its {} examples no ids, and the shards have {} keys: nothing says which is which; \
                 record the keys as ids",
                self.ids.len(),
                self.seen.len()
            ));
        }
        Ok(())
    }

    fn notes(&self, out: &Outgoing<'_>) -> Vec<String> {
        let mut notes = Vec::new();
        if matches!(self.ids, OwnIds::Rows(_)) {
            notes.push(
                "the table gives its examples no ids: the keys of the shards are taken for the numbers of its rows"
                    .into(),
            );
        } else if self.padded {
            notes.push(
                "keys are taken for the numbers that they are without the zeros before them".into(),
            );
        }
        if !self.unknown.is_empty() {
            notes.push(format!(
                "{} examples of the shards are not in the table of {} and are left out: {}",
                self.unknown.len(),
                out.table().rows(),
                some_of(&self.unknown)
            ));
        }
        notes
    }
}

/// The files of a pattern as shells and WebDataset write it: `{000..009}` and `{a,b}`, again and again.
///
/// # Errors
/// When a bracket is not closed, or a range is none.
pub fn expanded(pattern: &str) -> Result<Vec<String>, ExchangeError> {
    let refused =
        |why: &str| ExchangeError::refused(format!("{pattern:?} is no pattern of files: {why}"));
    let Some(open) = pattern.find('{') else { return Ok(vec![pattern.to_owned()]) };
    let Some(close) = pattern[open..].find('}').map(|place| open + place) else {
        return refused("a { is not closed");
    };
    let (before, inside, after) =
        (&pattern[..open], &pattern[open + 1..close], &pattern[close + 1..]);
    let middle: Vec<String> = match inside.split_once("..") {
        Some((first, last)) => {
            let (Ok(from), Ok(to)) = (first.parse::<u32>(), last.parse::<u32>()) else {
                return refused("a range is of two whole numbers, such as {000..009}");
            };
            if from > to || to - from > 1_000_000 {
                return refused("a range goes up, by no more than a million");
            }
            let width = if first.starts_with('0') || last.starts_with('0') {
                first.len().max(last.len())
            } else {
                0
            };
            (from..=to).map(|number| format!("{number:0width$}")).collect()
        }
        None => inside.split(',').map(str::to_owned).collect(),
    };
    let mut all = Vec::new();
    for rest in expanded(after)? {
        all.extend(middle.iter().map(|middle| format!("{before}{middle}{rest}")));
    }
    all.sort();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_shells() {
        assert_eq!(expanded("a-{008..010}.tar").unwrap(), ["a-008.tar", "a-009.tar", "a-010.tar"]);
        assert_eq!(
            expanded("{a,b}/{1..2}.tar").unwrap(),
            ["a/1.tar", "a/2.tar", "b/1.tar", "b/2.tar"]
        );
        assert_eq!(expanded("plain.tar").unwrap(), ["plain.tar"]);
        for wrong in ["a{0..", "a{9..1}", "a{x..y}"] {
            assert!(expanded(wrong).unwrap_err().to_string().contains("no pattern"), "{wrong}");
        }
    }

    #[test]
    fn keys_end_at_the_first_dot_of_a_name() {
        assert_eq!(key_of("a.b/c.d.png"), Some(("a.b/c", "d.png")));
        assert_eq!(key_of("a/.hidden"), None);
        assert_eq!(key_of("a/none"), None);
    }
}
