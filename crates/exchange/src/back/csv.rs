//! A file of commas that somebody filled in: `mark` (wrong, drop, keep, unsure), `right_label` (a class), or another
//! `label`.
//!
//! Semicolons and tabs, which spreadsheets of other countries write, are told by the first line. A row in which nothing
//! is filled in says nothing, and nothing is said by a cell that holds what was exported.

use std::collections::HashSet;
use std::path::Path;

use datadiet_table::{FileError, cell_text};

use super::{About, Answers, Heard, saved_at, verdict};
use crate::ExchangeError;
use crate::error::some_of;
use crate::out::csv::{EXPORTED_LABEL, EXPORTED_MARK, EXPORTED_RIGHT, LABEL, MARK, RIGHT};

/// Reads what somebody, `by`, filled in. It was said when the file was saved.
///
/// # Errors
/// When there are no ids, or nothing that could be filled in; when an id is unknown or there twice, a class or a mark
/// unknown.
pub fn read(about: &About<'_>, path: &Path, by: &str) -> Result<Answers, ExchangeError> {
    let refused = |why: String| ExchangeError::refused(format!("{}: {why}", path.display()));
    let bytes = std::fs::read(path).map_err(FileError::io("read", path))?;
    let Ok(text) = String::from_utf8(bytes) else {
        return refused("it is not in UTF-8; save it as \"CSV UTF-8\"".into());
    };
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().next().unwrap_or_default();
    let delimiter = [b';', b'\t', b',']
        .into_iter()
        .max_by_key(|&delimiter| first.bytes().filter(|&byte| byte == delimiter).count());
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .flexible(true)
        .from_reader(text.as_bytes());
    let broken = |error: csv::Error| ExchangeError::Refused(format!("{}: {error}", path.display()));
    let names = reader.headers().map_err(broken)?.clone();
    let place = |name: &str| names.iter().position(|known| known.trim().eq_ignore_ascii_case(name));
    let Some(id) = place("id").or_else(|| place("key")) else {
        return refused("it has no column `id`: nothing says which example a row is".into());
    };
    let [mark, right, label] = [MARK, RIGHT, LABEL].map(place);
    let [exported_mark, exported_right, exported_label] =
        [EXPORTED_MARK, EXPORTED_RIGHT, EXPORTED_LABEL].map(place);
    if mark.is_none() && right.is_none() && label.is_none() {
        return refused("it has none of the columns `mark`, `right_label` and `label`".into());
    }
    let at = saved_at(path)?;
    let (mut answers, mut seen, mut words) = (Answers::default(), HashSet::new(), Vec::new());
    for record in reader.records() {
        let record = record.map_err(broken)?;
        let cell = |place: Option<usize>| {
            record.get(place?).map(cell_text).filter(|text| !text.trim().is_empty())
        };
        let Some(id) = cell(Some(id)) else {
            // A row of nothing is left by a spreadsheet; one in which something is said is somebody's work.
            if [mark, right, label].into_iter().all(|place| cell(place).is_none()) {
                continue;
            }
            let line = record.position().map_or(0, csv::Position::line);
            return refused(format!(
                "line {line} has no id, and something is filled in: nothing says which example it is of"
            ));
        };
        let trimmed = if about.row(id).is_some() { id } else { id.trim() };
        let row = about.row(trimmed);
        if row.is_some_and(|row| !seen.insert(row)) {
            return refused(format!("the id {trimmed:?} is there more than once; keep one"));
        }
        let given = row.and_then(|row| about.given(row));
        let class = |name| about.class(name).unwrap_or(str::trim(name));
        let changed = |now: Option<usize>, exported: Option<usize>| {
            cell(now).filter(|text| cell(exported).map(str::trim) != Some(text.trim()))
        };
        let edited = match exported_label {
            Some(_) => changed(label, exported_label).map(class),
            // A file that does not tell what was exported is compared with the table.
            None => cell(label).map(class).filter(|&name| given.is_some() && Some(name) != given),
        };
        let righted = changed(right, exported_right).map(class);
        let mut classes: Vec<&str> = righted.into_iter().chain(edited).collect();
        classes.dedup();
        let gone = |(now, exported)| cell(exported).is_some() && cell(now).is_none();
        let mut marks = Vec::new();
        if let Some(word) = changed(mark, exported_mark) {
            match verdict(word) {
                Some(mark) => marks.push(mark),
                None => words.push(word.to_owned()),
            }
        }
        let heard = Heard {
            id: trimmed,
            labelled: cell(exported_label),
            classes,
            marks,
            skipped: false,
            exported: cell(exported_mark).and_then(verdict),
            emptied: [(mark, exported_mark), (right, exported_right)].into_iter().any(gone),
            by: by.to_owned(),
            at: at.clone(),
        };
        about.hear(&mut answers, heard);
    }
    if !words.is_empty() {
        return refused(format!(
            "{} in the column `mark` are no marks: wrong, drop, keep and unsure are",
            some_of(&words)
        ));
    }
    answers.checked(about, path)
}
