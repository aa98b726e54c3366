//! JSON lines: one object a row, in the layout of dataset cartography's training dynamics.
//!
//! `{"guid": 50325, "logits_epoch_0": [2.9, -1.4, -1.6], "gold": 0}` in a file `dynamics_epoch_0.jsonl`
//! is read as it is (Swayamdipta et al. 2020, github.com/allenai/cartography). Other names of the
//! fields are in `names.rs`, a field `epoch` tells the epoch, other fields are passed over. A
//! `.json` may also be one list of such objects, over any number of lines.

use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::batch::{self, Batch, Kind, Reader, Said};
use crate::cells::{self, Cell, KeysBuilder};
use crate::fields::several_losses;
use crate::names::{Field, Names, Rank, STEP};
use crate::{IngestError, text};

/// The longest line, in bytes.
const LONGEST_LINE: u64 = 64 << 20;

/// Fields whose names are looked up once.
const FIELDS_KNOWN: usize = 32;

/// A file of lines.
pub(crate) struct JsonLines {
    path: PathBuf,
    fields: FieldsByName,
    objects: Objects,
    line: Vec<u8>,
    /// The line of the last row.
    number: u64,
    /// Rows given: lines that are not empty.
    rows: u64,
    width: Option<usize>,
    kind: Option<Kind>,
    said: Said,
    /// What the rows so far have.
    has_keys: bool,
    has_labels: bool,
    has_epochs: bool,
    /// Epochs of the losses of a row, where there are several.
    row_epochs: Vec<i64>,
    /// A row that was read to learn how long rows are.
    ahead: Option<Row>,
}

/// One line.
#[derive(Default)]
struct Row {
    values: Option<(Rank, Values)>,
    kind: Option<Kind>,
    key: Option<(Rank, Value)>,
    label: Option<(Rank, Value)>,
    epoch: Option<(Rank, Value)>,
    /// The epochs in the names of the values: rows of several may stand in one file, and losses of several in
    /// one row.
    named_epochs: Vec<i64>,
}

/// A value of a field of which only ids, labels and epochs are wanted.
enum Value {
    Bool(bool),
    Integer(i64),
    Large(u64),
    Float(f64),
    Text(String),
    Null,
    /// A list or an object.
    Several,
}

impl Value {
    fn cell(&self) -> Option<Cell<'_>> {
        Some(match self {
            Self::Bool(value) => Cell::Bool(*value),
            Self::Integer(value) => Cell::Integer(*value),
            Self::Large(value) => Cell::Large(*value),
            Self::Float(value) => Cell::Float(*value),
            Self::Text(text) => Cell::Text(text),
            Self::Null => Cell::Missing,
            Self::Several => return None,
        })
    }
}

// By hand, since serde tries the cases of an enum one after the other and makes an error each time.
impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
                Ok(Value::Integer(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
                Ok(i64::try_from(value).map_or(Value::Large(value), Value::Integer))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
                Ok(Value::Float(value))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }

            fn visit_unit<E: Error>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Several)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Several)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A list of numbers, or one.
#[derive(Default)]
struct Values {
    numbers: Vec<f32>,
    /// Something else, as a message names it.
    other: Option<&'static str>,
}

impl Values {
    fn extend(&mut self, more: Self) {
        self.numbers.extend(more.numbers);
        self.other = self.other.or(more.other);
    }
}

/// A number of a list.
enum Number {
    One(f64),
    Other(&'static str),
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Numbers are nearly all there is.
        Ok(match Value::deserialize(deserializer)? {
            Value::Float(value) => Self::One(value),
            Value::Integer(value) => Self::One(value as f64),
            Value::Large(value) => Self::One(value as f64),
            Value::Text(text) => text.parse().map_or(Self::Other("a text"), Self::One),
            Value::Null => Self::Other("null"),
            Value::Bool(_) => Self::Other("true or false"),
            Value::Several => Self::Other("a list or an object"),
        })
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Values;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of numbers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values, A::Error> {
                let mut values = Values::default();
                while let Some(number) = list.next_element()? {
                    match number {
                        Number::One(value) => values.numbers.push(value as f32),
                        Number::Other(what) => values.other = values.other.or(Some(what)),
                    }
                }
                Ok(values)
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Values, E> {
                Ok(Values { numbers: vec![value as f32], other: None })
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Values, E> {
                self.visit_f64(value as f64)
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Values, E> {
                self.visit_f64(value as f64)
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Values, E> {
                Ok(Values { numbers: Vec::new(), other: Some("a text") })
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Values, E> {
                Ok(Values { numbers: Vec::new(), other: Some("true or false") })
            }

            fn visit_unit<E: Error>(self) -> Result<Values, E> {
                Ok(Values { numbers: Vec::new(), other: Some("null") })
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Values, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Values { numbers: Vec::new(), other: Some("an object") })
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
    known: Vec<(String, Option<(Field, Rank)>)>,
    /// Names of fields of the first row that are not read.
    unread: Vec<String>,
}

impl FieldsByName {
    fn of(&mut self, name: &str) -> Option<(Field, Rank)> {
        if let Some((_, field)) = self.known.iter().find(|(known, _)| known == name) {
            return *field;
        }
        let field = self.names.ranked(name);
        // A file may have other fields in every row.
        if self.known.len() < FIELDS_KNOWN {
            self.known.push((name.to_owned(), field));
            if field.is_none() {
                self.unread.push(name.to_owned());
            }
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
                Some((Field::Values(kind), rank)) => {
                    let epoch = Names::epoch(&name);
                    if let (Some((best, values)), Some(epoch)) = (&mut row.values, epoch)
                        && *best == rank
                        && kind == Some(Kind::Losses)
                        && !row.named_epochs.is_empty()
                        && !row.named_epochs.contains(&epoch)
                    {
                        // Of another epoch.
                        values.extend(map.next_value()?);
                        row.named_epochs.push(epoch);
                        continue;
                    }
                    let again = better(&mut row.values, rank, &mut map)?;
                    if matches!(&row.values, Some((best, _)) if *best == rank) {
                        row.kind = kind;
                        row.named_epochs = epoch.into_iter().collect();
                    }
                    again
                }
                Some((Field::Ids, rank)) => better(&mut row.key, rank, &mut map)?,
                Some((Field::Labels, rank)) => better(&mut row.label, rank, &mut map)?,
                Some((Field::Epochs, rank)) => better(&mut row.epoch, rank, &mut map)?,
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

/// Keeps the value of the best rank; whether there are two of it.
fn better<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    kept: &mut Option<(Rank, T)>,
    rank: Rank,
    map: &mut A,
) -> Result<bool, A::Error> {
    match kept {
        Some((best, _)) if *best < rank => {
            map.next_value::<IgnoredAny>()?;
            Ok(false)
        }
        Some((best, _)) if *best == rank => {
            map.next_value::<IgnoredAny>()?;
            Ok(true)
        }
        _ => {
            *kept = Some((rank, map.next_value()?));
            Ok(false)
        }
    }
}

impl JsonLines {
    /// Reads the first row.
    pub(crate) fn open(path: &Path, names: &Names) -> Result<Self, IngestError> {
        let fields = FieldsByName { names: names.clone(), known: Vec::new(), unread: Vec::new() };
        let mut opened = Self {
            path: path.to_owned(),
            fields,
            objects: Objects::of(path)?,
            line: Vec::new(),
            number: 0,
            rows: 0,
            width: None,
            kind: None,
            said: Said::default(),
            has_keys: false,
            has_labels: false,
            has_epochs: false,
            row_epochs: Vec::new(),
            ahead: None,
        };
        opened.ahead = opened.next()?;
        if let Some(first) = &opened.ahead {
            opened.kind = first.kind;
            let all = || opened.fields.known.iter().map(|(name, _)| name.as_str());
            let losses = first.kind == Some(Kind::Losses);
            if losses && first.key.is_none() && !names.rows_may_be_examples() {
                return Err(IngestError::log(path, all().map(str::to_owned).collect()));
            }
            if let [_, _, ..] = first.named_epochs[..] {
                if first.epoch.is_some() {
                    return Err(IngestError::epochs_twice(path, "another field"));
                }
                opened.row_epochs = first.named_epochs.clone();
            }
            let mut said = Said {
                epochs: opened.row_epochs.clone(),
                steps: names.epochs.is_none() && matches!(first.epoch, Some((STEP, _))),
                unused_ids: match first.key {
                    Some(_) => Vec::new(),
                    None => names.like_ids(opened.fields.unread.iter().map(String::as_str)),
                },
                ..Said::default()
            };
            said.unused(first.kind, names, all());
            opened.said = said;
        }
        Ok(opened)
    }

    fn row_error(&self, reason: impl ToString) -> IngestError {
        let reason = reason.to_string();
        IngestError::Row { path: self.path.clone(), row: self.number, reason }
    }

    /// The next object, as a row.
    fn next(&mut self) -> Result<Option<Row>, IngestError> {
        if !self.objects.next(&self.path, &mut self.line)? {
            return Ok(None);
        }
        self.number = self.objects.number;
        let mut json = serde_json::Deserializer::from_slice(&self.line);
        let row = Fields(&mut self.fields).deserialize(&mut json).and_then(|row| {
            json.end()?;
            Ok(row)
        });
        let row = row.map_err(|error| self.row_error(self.explained(&error)))?;
        let labelled = self.fields.names.wants_labels(row.kind);
        if labelled && matches!(row.label, Some((_, Value::Several))) {
            let found = format!("a list in line {}", self.number);
            return Err(IngestError::MultiLabel { path: self.path.clone(), found });
        }
        let Some((_, values)) = &row.values else {
            if self.width.is_none() {
                let found = self.fields.known.iter().map(|(name, _)| name.clone()).collect();
                return Err(IngestError::no_values(&self.path, found));
            }
            return Err(self.row_error(
                "it has no logits, probabilities or losses; call the field `logits`, `logits_epoch_N`, \
                 `probs` or `loss`, or name it with --values",
            ));
        };
        if let Some(what) = values.other {
            let of = row.key.as_ref().and_then(|(_, key)| Some(key.cell()?.shown()));
            let of = of.map_or_else(String::new, |key| format!(" of example {key}"));
            let why = if what == "null" {
                "which is a missing value: pandas writes NaN so; training has probably diverged, \
                 or the row was never filled"
            } else {
                "and not a number"
            };
            return Err(self.row_error(format!("among the values{of} is {what}, {why}")));
        }
        // Once there is a width there is a kind.
        if self.width.is_some() && row.kind != self.kind {
            return Err(self.row_error(
                "it holds other values (logits, probabilities, losses) than rows before it",
            ));
        }
        let found = values.numbers.len();
        if row.kind == Some(Kind::Losses) && found != row.named_epochs.len().max(1) {
            return Err(self.row_error(several_losses("its loss")));
        }
        let width = *self.width.get_or_insert(found);
        if found != width || width == 0 {
            let reason = format!("it has {found} values, rows before it have {width}");
            return Err(self.row_error(reason));
        }
        Ok(Some(row))
    }

    /// Python writes NaN and infinities that JSON does not have.
    fn explained(&self, error: &serde_json::Error) -> String {
        let text = String::from_utf8_lossy(&self.line);
        if !["NaN", "Infinity"].iter().any(|word| text.contains(word)) {
            return format!("{error}; write one JSON object for each row");
        }
        let of = self.key_of(&text).map_or_else(String::new, |key| format!(" of example {key}"));
        format!(
            "the values{of} hold NaN or Infinity, which are not scores; training has probably \
             diverged: lower the learning rate, or leave the epochs from there on out"
        )
    }

    /// The id in a line whose numbers are not all valid JSON.
    fn key_of(&self, line: &str) -> Option<String> {
        let mended = line.replace("-Infinity", "null").replace("Infinity", "null");
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&mended.replace("NaN", "null")).ok()?;
        let rank = |name: &str| match self.fields.names.ranked(name) {
            Some((Field::Ids, rank)) => Some(rank),
            _ => None,
        };
        let ids = object.iter().filter_map(|(name, key)| Some((rank(name)?, key)));
        let (_, key) = ids.min_by_key(|(rank, _)| *rank)?;
        Some(key.as_str().map_or_else(|| key.to_string(), str::to_owned))
    }

    fn cell<'v>(&self, value: &'v Value, what: &str) -> Result<Cell<'v>, IngestError> {
        value.cell().ok_or_else(|| self.row_error(format!("its {what} is a list or an object")))
    }

    /// Adds a row to a batch; the same fields must be in every row.
    fn push(
        &self,
        row: Row,
        keys: &mut Option<KeysBuilder>,
        batch: &mut Batch,
    ) -> Result<(), IngestError> {
        let first = self.rows == 0 && batch.rows == 0;
        let missing = |what: &str| {
            self.row_error(format!(
                "some rows have {what} and some have none; give all of them one"
            ))
        };
        let (path, number) = (&self.path, self.number);
        match (&row.key, &mut *keys) {
            (Some((_, key)), keys) if first => {
                keys.get_or_insert_default().push(path, number, self.cell(key, "id")?)?;
            }
            (Some((_, key)), Some(keys)) => keys.push(path, number, self.cell(key, "id")?)?,
            (None, None) => {}
            _ => return Err(missing("an id")),
        }
        let labelled = self.fields.names.wants_labels(row.kind);
        let label = row.label.as_ref().filter(|_| labelled).map(|(_, label)| {
            self.fields.names.classes.label(path, number, self.cell(label, "label")?)
        });
        add(label.transpose()?, &mut batch.labels, first).ok_or_else(|| missing("a label"))?;
        let epoch = match &row.epoch {
            Some((_, epoch)) => Some(cells::epoch(path, number, self.cell(epoch, "epoch")?)?),
            None if self.row_epochs.is_empty() => row.named_epochs.first().copied(),
            None => None,
        };
        add(epoch, &mut batch.epochs, first).ok_or_else(|| missing("an epoch"))?;
        if !self.row_epochs.is_empty() && row.named_epochs != self.row_epochs {
            return Err(self.row_error(
                "it has losses of other epochs, or in another order, than rows before it",
            ));
        }
        batch.values.extend(row.values.unwrap_or_default().1.numbers);
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

    fn said(&self) -> Said {
        self.said.clone()
    }

    fn read(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        batch.rows = 0;
        batch.values.clear();
        batch.first = self.rows;
        batch.axis = false;
        let mut keys = None;
        if self.rows == 0 {
            (batch.labels, batch.epochs) = (None, None);
        } else {
            // As in the rows before.
            keys = self.has_keys.then(KeysBuilder::default);
            batch.labels = self.has_labels.then(Vec::new);
            batch.epochs = self.has_epochs.then(Vec::new);
        }
        let most = batch::rows(self.columns());
        while batch.rows < most {
            let row = match self.ahead.take() {
                Some(row) => Some(row),
                None => self.next()?,
            };
            let Some(row) = row else { break };
            self.push(row, &mut keys, batch)?;
        }
        self.has_keys = keys.is_some();
        self.has_labels = batch.labels.is_some();
        self.has_epochs = batch.epochs.is_some();
        batch.keys = keys.map(KeysBuilder::finish);
        self.rows += batch.rows as u64;
        Ok(batch.rows > 0)
    }
}

/// How the objects of a file follow each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// A line each.
    Lines,
    /// Items of one list.
    List,
    /// One after the other, over any number of lines.
    Objects,
}

/// The objects of a file.
struct Objects {
    text: Box<dyn BufRead>,
    layout: Layout,
    /// The line at which the last object began, from 1.
    number: u64,
    /// Line breaks so far.
    lines: u64,
}

impl Objects {
    /// A `.json` may be a list, which its first character tells, or go over lines.
    fn of(path: &Path) -> Result<Self, IngestError> {
        let mut objects =
            Self { text: text::open(path)?, layout: Layout::Lines, number: 0, lines: 0 };
        match objects.first(path)? {
            Some(b'[') => {
                objects.text.consume(1);
                objects.layout = Layout::List;
            }
            Some(b'{') if is_json(path) => objects.layout = Layout::Objects,
            _ => {}
        }
        Ok(objects)
    }

    /// The first character that is not a space.
    fn first(&mut self, path: &Path) -> Result<Option<u8>, IngestError> {
        loop {
            let bytes = self.text.fill_buf().map_err(IngestError::io(path))?;
            let Some(&byte) = bytes.first() else { return Ok(None) };
            if !byte.is_ascii_whitespace() {
                return Ok(Some(byte));
            }
            self.lines += u64::from(byte == b'\n');
            self.text.consume(1);
        }
    }

    /// The next object, into `out`; false at the end.
    fn next(&mut self, path: &Path, out: &mut Vec<u8>) -> Result<bool, IngestError> {
        out.clear();
        if self.layout == Layout::Lines { self.line(path, out) } else { self.item(path, out) }
    }

    fn too_long(&self, path: &Path) -> IngestError {
        let reason = "the line is longer than 64 MiB; write one object a line".into();
        IngestError::Row { path: path.to_owned(), row: self.number, reason }
    }

    fn line(&mut self, path: &Path, out: &mut Vec<u8>) -> Result<bool, IngestError> {
        while out.trim_ascii().is_empty() {
            out.clear();
            let mut limited = (&mut self.text).take(LONGEST_LINE);
            if limited.read_until(b'\n', out).map_err(IngestError::io(path))? == 0 {
                return Ok(false);
            }
            self.lines += 1;
            self.number = self.lines;
            if out.len() as u64 == LONGEST_LINE {
                return Err(self.too_long(path));
            }
        }
        Ok(true)
    }

    /// The next item: up to the comma or bracket that ends it, or to its own last brace.
    fn item(&mut self, path: &Path, out: &mut Vec<u8>) -> Result<bool, IngestError> {
        let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
        loop {
            let bytes = self.text.fill_buf().map_err(IngestError::io(path))?;
            if bytes.is_empty() {
                return match self.layout {
                    Layout::List => Err(IngestError::damaged(path, "its list is not closed")),
                    _ if out.is_empty() => Ok(false),
                    _ => Err(IngestError::damaged(path, "its last object is not closed")),
                };
            }
            let mut used = 0;
            let mut ended = None;
            for &byte in bytes {
                used += 1;
                if out.is_empty() {
                    self.number = self.lines + 1;
                }
                self.lines += u64::from(byte == b'\n');
                if in_text {
                    in_text = escaped || byte != b'"';
                    escaped = !escaped && byte == b'\\';
                    out.push(byte);
                    continue;
                }
                match byte {
                    b'"' => in_text = true,
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' if depth > 0 => depth -= 1,
                    b']' if self.layout == Layout::List => ended = Some(false),
                    b',' if depth == 0 => ended = Some(true),
                    _ => {}
                }
                if ended.is_none() && !(out.is_empty() && byte.is_ascii_whitespace()) {
                    out.push(byte);
                }
                if self.layout == Layout::Objects && depth == 0 && byte == b'}' {
                    ended = Some(true);
                }
                if ended.is_some() {
                    break;
                }
            }
            self.text.consume(used);
            if out.len() as u64 >= LONGEST_LINE {
                return Err(self.too_long(path));
            }
            match ended {
                // Commas between objects, and one before the end of a list.
                Some(true) if out.is_empty() => {}
                Some(true) => return Ok(true),
                Some(false) => {
                    // Nothing but spaces follows a list.
                    self.layout = Layout::Lines;
                    return Ok(!out.is_empty());
                }
                None => {}
            }
        }
    }
}

/// Whether a file is called `.json`, packed or not.
fn is_json(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    text::packed(&name).0.ends_with(".json")
}
