//! JSON lines: one object a row, in the layout of dataset cartography's training dynamics.
//!
//! `{"guid": 50325, "logits_epoch_0": [2.9, -1.4, -1.6], "gold": 0}` in a file `dynamics_epoch_0.jsonl`
//! is read as it is (Swayamdipta et al. 2020, github.com/allenai/cartography). Other names of the
//! fields are those of `names.rs`, a field `epoch` tells the epoch, other fields are passed over.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::arrays::label;
use crate::batch::{self, Batch, Kind, Reader};
use crate::names::{Field, Names};
use crate::{IngestError, Keys};

/// The longest line, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

/// Fields whose names are looked up once.
const FIELDS_KNOWN: usize = 32;

/// A file of lines.
pub(crate) struct JsonLines {
    path: PathBuf,
    fields: FieldsByName,
    lines: BufReader<File>,
    line: Vec<u8>,
    /// Lines read.
    number: u64,
    /// Rows given: lines that are not empty.
    rows: u64,
    width: Option<usize>,
    kind: Option<Kind>,
    /// A row that was read to learn how long rows are.
    ahead: Option<Row>,
}

/// One line.
#[derive(Default)]
struct Row {
    values: Option<Vec<f32>>,
    kind: Option<Kind>,
    key: Option<Key>,
    label: Option<f64>,
    /// Whether the label was a list.
    labels: bool,
    epoch: Option<i64>,
}

enum Key {
    Integer(i64),
    Text(String),
}

// By hand, since serde tries the cases of an enum one after the other and makes an error each time.
impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl Visitor<'_> for Keys {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id: a whole number or a text")
            }

            fn visit_i64<E: Error>(self, key: i64) -> Result<Key, E> {
                Ok(Key::Integer(key))
            }

            fn visit_u64<E: Error>(self, key: u64) -> Result<Key, E> {
                // 2⁶³ or more, such as a hash.
                Ok(i64::try_from(key).map_or_else(|_| Key::Text(key.to_string()), Key::Integer))
            }

            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(Key::Text(key.to_owned()))
            }
        }
        deserializer.deserialize_any(Keys)
    }
}

/// A label, or that there are several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    One(f64),
    Bool(bool),
    Text(String),
    Several(#[expect(dead_code, reason = "only that it is a list matters")] Vec<IgnoredAny>),
}

/// A list of numbers, or one.
struct Values(Vec<f32>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = list.next_element::<f64>()? {
                    values.push(value as f32);
                }
                Ok(Values(values))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Values, E> {
                Ok(Values(vec![value as f32]))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Values, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Values, E> {
                self.visit_f64(value as f64)
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

/// Reads one object by the names of its fields.
struct Fields<'a>(&'a mut FieldsByName);

/// What fields are, by name: rows have the same ones again and again.
struct FieldsByName {
    names: Names,
    known: Vec<(String, Option<Field>)>,
}

impl FieldsByName {
    fn of(&mut self, name: &str) -> Option<Field> {
        if let Some((_, field)) = self.known.iter().find(|(known, _)| known == name) {
            return *field;
        }
        let field = self.names.field(name);
        // A file may have other fields in every row.
        if self.known.len() < FIELDS_KNOWN {
            self.known.push((name.to_owned(), field));
        }
        field
    }
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one JSON object a line")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = Row::default();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let again = match self.0.of(&name) {
                Some(Field::Values(kind)) => {
                    row.kind = kind;
                    row.values.replace(map.next_value::<Values>()?.0).is_some()
                }
                Some(Field::Ids) => row.key.replace(map.next_value()?).is_some(),
                Some(Field::Labels) => match map.next_value()? {
                    Target::One(value) => row.label.replace(value).is_some(),
                    Target::Bool(value) => row.label.replace(u8::from(value).into()).is_some(),
                    Target::Text(text) => {
                        return Err(A::Error::custom(format!(
                            "label {text:?} is no class index; give 0 to K − 1"
                        )));
                    }
                    Target::Several(_) => {
                        row.labels = true;
                        false
                    }
                },
                Some(Field::Epochs) => row.epoch.replace(map.next_value()?).is_some(),
                None => {
                    map.next_value::<IgnoredAny>()?;
                    false
                }
            };
            if again {
                return Err(A::Error::custom(format!(
                    "there are two fields like {name}; name the one to read with --values, \
                     --label, --id or --epoch"
                )));
            }
        }
        Ok(row)
    }
}

impl JsonLines {
    /// Reads the first row.
    pub(crate) fn open(path: &Path, names: &Names) -> Result<Self, IngestError> {
        let file = File::open(path).map_err(IngestError::io(path))?;
        let mut opened = Self {
            path: path.to_owned(),
            fields: FieldsByName { names: names.clone(), known: Vec::new() },
            lines: BufReader::with_capacity(1 << 18, file),
            line: Vec::new(),
            number: 0,
            rows: 0,
            width: None,
            kind: None,
            ahead: None,
        };
        opened.ahead = opened.next()?;
        opened.kind = opened.ahead.as_ref().and_then(|row| row.kind);
        Ok(opened)
    }

    fn row_error(&self, reason: impl ToString) -> IngestError {
        let reason = reason.to_string();
        IngestError::Row { path: self.path.clone(), row: self.number, reason }
    }

    /// The next line that is not empty, as a row.
    fn next(&mut self) -> Result<Option<Row>, IngestError> {
        loop {
            self.line.clear();
            let mut limited = (&mut self.lines).take(LONGEST_LINE);
            let read = limited.read_until(b'\n', &mut self.line);
            if read.map_err(IngestError::io(&self.path))? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if self.line.len() as u64 == LONGEST_LINE {
                return Err(
                    self.row_error("the line is longer than 64 MiB; write one object a line")
                );
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        let mut json = serde_json::Deserializer::from_slice(&self.line);
        let row = Fields(&mut self.fields).deserialize(&mut json).and_then(|row| {
            json.end()?;
            Ok(row)
        });
        let row = row.map_err(|error| self.row_error(self.explained(&error)))?;
        if row.labels {
            let found = format!("a list in line {}", self.number);
            return Err(IngestError::MultiLabel { path: self.path.clone(), found });
        }
        let Some(values) = &row.values else {
            return Err(self.row_error(
                "it has no logits or probabilities; call the field `logits`, `logits_epoch_N` or \
                 `probs`, or name it with --values",
            ));
        };
        let width = *self.width.get_or_insert(values.len());
        if values.len() != width || width == 0 {
            let reason = format!("it has {} values, rows before it have {width}", values.len());
            return Err(self.row_error(reason));
        }
        Ok(Some(row))
    }

    /// Python writes NaN and infinities that JSON does not have.
    fn explained(&self, error: &serde_json::Error) -> String {
        let text = String::from_utf8_lossy(&self.line);
        if !["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
            return error.to_string();
        }
        let of = self.key_of(&text).map_or_else(String::new, |key| format!(" of example {key}"));
        format!(
            "the values{of} hold NaN or Infinity, which are no scores; training has probably \
             diverged: lower the learning rate, or leave the epochs from there on out"
        )
    }

    /// The id in a line whose numbers are not all those of JSON.
    fn key_of(&self, line: &str) -> Option<String> {
        let mended = line.replace("-Infinity", "null").replace("Infinity", "null");
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&mended.replace("NaN", "null")).ok()?;
        let (_, key) =
            object.iter().find(|(name, _)| self.fields.names.field(name) == Some(Field::Ids))?;
        Some(key.as_str().map_or_else(|| key.to_string(), str::to_owned))
    }

    /// Adds a row to a batch; the same fields must be in every row.
    fn push(&self, row: Row, batch: &mut Batch) -> Result<(), IngestError> {
        let first = batch.rows == 0;
        let missing = |what: &str| {
            self.row_error(format!(
                "some rows have {what} and some have none; give all of them one"
            ))
        };
        match (row.key, &mut batch.keys) {
            (Some(Key::Integer(key)), keys) if first => *keys = Some(Keys::Integers(vec![key])),
            (Some(Key::Text(key)), keys) if first => *keys = Some(Keys::Texts(vec![key])),
            (None, keys) if first => *keys = None,
            (Some(Key::Integer(key)), Some(Keys::Integers(keys))) => keys.push(key),
            (Some(Key::Text(key)), Some(Keys::Texts(keys))) => keys.push(key),
            (Some(Key::Integer(key)), Some(Keys::Texts(keys))) => keys.push(key.to_string()),
            (Some(Key::Text(key)), Some(keys @ Keys::Integers(_))) => {
                let mut texts: Vec<String> = (0..keys.len()).map(|row| keys.text(row)).collect();
                texts.push(key);
                *keys = Keys::Texts(texts);
            }
            (None, None) => {}
            _ => return Err(missing("an id")),
        }
        let label = row.label.map(|value| label(&self.path, self.number, value)).transpose()?;
        add(label, &mut batch.labels, first).ok_or_else(|| missing("a label"))?;
        add(row.epoch, &mut batch.epochs, first).ok_or_else(|| missing("an epoch"))?;
        if row.kind != self.kind {
            return Err(self.row_error("some rows hold logits and some hold probabilities"));
        }
        batch.values.extend(row.values.unwrap_or_default());
        batch.rows += 1;
        Ok(())
    }
}

/// Adds a value to a column that is there or not, as the first row has it.
fn add<T>(value: Option<T>, column: &mut Option<Vec<T>>, first: bool) -> Option<()> {
    match (value, column) {
        (value, column) if first => *column = value.map(|value| vec![value]),
        (Some(value), Some(column)) => column.push(value),
        (None, None) => {}
        _ => return None,
    }
    Some(())
}

impl Reader for JsonLines {
    fn kind(&self) -> Option<Kind> {
        self.kind
    }

    fn columns(&self) -> usize {
        self.width.unwrap_or(1)
    }

    fn read(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        batch.rows = 0;
        batch.values.clear();
        batch.first = self.rows;
        batch.axis = false;
        let most = batch::rows(self.columns());
        while batch.rows < most {
            let row = match self.ahead.take() {
                Some(row) => Some(row),
                None => self.next()?,
            };
            let Some(row) = row else { break };
            self.push(row, batch)?;
        }
        self.rows += batch.rows as u64;
        Ok(batch.rows > 0)
    }
}
