//! A file for spreadsheets, with two columns to fill in: `mark` and `right_label`.
//!
//! It begins with a byte-order mark, without which Excel takes UTF-8 for something else. A text that begins like a
//! formula has an apostrophe before it ([`crate::back::csv`] takes it away again); numbers are written as they are.

use std::io::{BufWriter, Write};
use std::path::Path;

use datadiet_explore::Contents;
use datadiet_table::{Row, plain_cell, sheet_writer};

use super::Written;
use crate::{ExchangeError, Outgoing};

/// Names of the columns before the scores.
const BEFORE: [&str; 6] = ["id", "label", "predicted", "suspect", "rank", "suspicion"];

/// Writes a row an example, the likeliest suspects first.
///
/// # Errors
/// When there is something of that name, or it cannot be written.
pub fn write(out: &Outgoing<'_>, contents: &Contents, to: &Path) -> Result<Written, ExchangeError> {
    let rows = out.suspects_first();
    let sheet = Sheet::of(out, contents);
    super::file(out, to, |file| {
        let mut file = BufWriter::new(file);
        file.write_all("\u{feff}".as_bytes())?;
        let mut writer = sheet_writer(&mut file);
        writer.write_record(sheet.names())?;
        for &row in &rows {
            writer.write_record(sheet.cells(row))?;
        }
        writer.flush()?;
        drop(writer);
        file.flush()
    })?;
    Ok(Written { written: to.to_owned(), examples: rows.len(), notes: Vec::new() })
}

/// Which columns there are.
struct Sheet<'a, 't> {
    out: &'a Outgoing<'t>,
    contents: &'a Contents,
    tokens: bool,
    files: bool,
    texts: bool,
}

impl<'a, 't> Sheet<'a, 't> {
    fn of(out: &'a Outgoing<'t>, contents: &'a Contents) -> Self {
        Self {
            out,
            contents,
            tokens: out.has_tokens(),
            files: matches!(contents, Contents::Files(_)),
            texts: matches!(contents, Contents::Texts(_)),
        }
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = BEFORE.map(str::to_owned).to_vec();
        names.extend(self.out.scores().map(plain_cell));
        let optional: [(bool, &[&str]); 5] = [
            (self.out.has_subset(), &["kept"]),
            (true, &["mark", "right_label"]),
            (self.tokens, &["example", "position", "token"]),
            (self.files, &["picture"]),
            (self.texts, &["text"]),
        ];
        let there = optional.into_iter().filter(|(there, _)| *there);
        names.extend(there.flat_map(|(_, names)| names.iter().map(|&name| name.to_owned())));
        names
    }

    fn cells(&self, row: Row) -> Vec<String> {
        let example = self.out.example(row);
        let text = |text: Option<&str>| text.map(plain_cell).unwrap_or_default();
        let flag = |flag: bool| u8::from(flag).to_string();
        let mut cells = vec![
            plain_cell(&example.id),
            text(example.label),
            text(example.predicted),
            flag(example.suspect),
            example.rank.map(|rank| rank.to_string()).unwrap_or_default(),
            example.suspicion.map(|value| value.to_string()).unwrap_or_default(),
        ];
        let number = |value: f32| if value.is_nan() { String::new() } else { value.to_string() };
        cells.extend(self.out.values(row).map(number));
        cells.extend(example.kept.map(flag));
        let mark = example.mark.and_then(|act| act.mark).map_or("", |mark| mark.name());
        cells.push(mark.to_owned());
        cells.push(text(example.mark.and_then(|act| act.label.as_deref())));
        if self.tokens {
            let place = self.out.token(row);
            let number = |number: Option<u32>| number.map(|n| n.to_string()).unwrap_or_default();
            cells.push(number(place.map(|place| place.example)));
            cells.push(number(place.map(|place| place.position)));
            cells.push(text(place.and_then(|place| place.text.as_deref())));
        }
        if self.files {
            let file = self.contents.file(row).map(|(path, _)| path.display().to_string());
            cells.push(text(file.as_deref()));
        }
        if self.texts {
            cells.push(text(self.contents.text(row).as_deref()));
        }
        cells
    }
}
