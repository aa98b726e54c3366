//! CSV and TSV: one row an example, with a line of names; or a bare matrix of values, as
//! `numpy.savetxt` writes it.
//!
//! What stands between the cells (`,` `;` tab or `|`) is what the first line has most of. Values
//! are K columns (see `fields.rs`) or one of lists in brackets, as pandas writes lists and arrays.

use std::io::{BufRead, Cursor, Read};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::batch::{self, Batch, Kind, Reader, Said};
use crate::cells::{self, Cell, ClassNames, KeysBuilder};
use crate::fields::{Content, Fields};
use crate::names::Names;
use crate::{IngestError, text};

/// The longest row, in bytes.
const LONGEST_ROW: u64 = 64 << 20;

/// What may stand between cells.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A file of rows.
pub(crate) struct Csv {
    path: PathBuf,
    fields: Fields,
    classes: ClassNames,
    /// Places of the columns of values, and of the labels, ids and epochs.
    values: Vec<usize>,
    labels: Option<usize>,
    keys: Option<usize>,
    epochs: Option<usize>,
    /// Whether the values are one column of lists.
    lists: bool,
    width: usize,
    rows: csv::Reader<Box<dyn Read>>,
    /// A row that was read to see what is in it.
    ahead: Option<StringRecord>,
    at: u64,
}

impl Csv {
    /// Reads the names and the first row.
    pub(crate) fn open(path: &Path, names: &Names) -> Result<Self, IngestError> {
        let mut text = text::open(path)?;
        let first = first_line(path, &mut text)?;
        let count = |&delimiter: &u8| first.iter().filter(|&&byte| byte == delimiter).count();
        let delimiter = DELIMITERS
            .into_iter()
            .max_by_key(|delimiter| (count(delimiter), std::cmp::Reverse(*delimiter)));
        let delimiter = delimiter.filter(|delimiter| count(delimiter) > 0).unwrap_or(b',');
        let whole: Box<dyn Read> = Box::new(Cursor::new(first).chain(text).take(u64::MAX));
        let rows = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .comment(Some(b'#'))
            .has_headers(false)
            .flexible(true)
            .from_reader(whole);
        let mut csv = Self {
            path: path.to_owned(),
            fields: Fields::default(),
            classes: names.classes.clone(),
            values: Vec::new(),
            labels: None,
            keys: None,
            epochs: None,
            lists: false,
            width: 0,
            rows,
            ahead: None,
            at: 0,
        };
        csv.find(names)?;
        Ok(csv)
    }

    /// Finds the columns by the first line and the row after it.
    fn find(&mut self, names: &Names) -> Result<(), IngestError> {
        let Some(header) = self.record()? else {
            self.width = 1;
            return Ok(());
        };
        let numbers: Option<Vec<f64>> =
            header.iter().map(|cell| cell.trim().parse().ok()).collect();
        // A matrix of numbers has no names; 0, 1, 2, … are the names of a data frame's columns.
        let counted = |numbers: &Vec<f64>| {
            numbers.len() > 1 && numbers.iter().copied().eq((0..numbers.len()).map(|n| n as f64))
        };
        if let Some(numbers) = numbers.filter(|numbers| !counted(numbers)) {
            return self.bare(numbers.len(), header, names);
        }
        let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        self.ahead = self.record()?;
        let content = |place: usize| {
            let cell =
                self.ahead.as_ref().and_then(|row| row.get(place)).unwrap_or_default().trim();
            if cell.starts_with('[') {
                Content::Lists
            } else if cell.parse::<f64>().is_ok() || matches!(cells::untyped(cell), Cell::Missing) {
                Content::Floats
            } else {
                Content::Other
            }
        };
        let all: Vec<(String, Content)> =
            header.iter().enumerate().map(|(place, name)| (name.clone(), content(place))).collect();
        let repeated = |name: &&String| header.iter().filter(|other| other == name).count() > 1;
        let fields = Fields::find(&self.path, &all, names)?;
        let place = |name: &str| header.iter().position(|found| found == name);
        if let Some(name) = header.iter().filter(repeated).find(|&n| fields.names().any(|f| f == n))
        {
            let reason = format!("two columns are called {name}; rename one of them");
            return Err(self.row_error(1, reason));
        }
        self.values = fields.values.iter().filter_map(|name| place(name)).collect();
        self.lists = match self.values[..] {
            [one] => all[one].1 == Content::Lists,
            _ => false,
        };
        self.labels = fields.labels.as_deref().and_then(place);
        self.keys = fields.keys.as_deref().and_then(place);
        self.epochs = fields.epochs.as_deref().and_then(place);
        self.fields = fields;
        self.width = self.values.len().max(1);
        if let (true, Some(row)) = (self.lists, &self.ahead) {
            let mut values = Vec::new();
            let place = self.values[0];
            list(row.get(place).unwrap_or_default(), &mut values)
                .ok_or_else(|| self.row_error(2, "its values are not a list of numbers"))?;
            self.width = values.len().max(1);
        }
        Ok(())
    }

    /// A matrix without names.
    fn bare(
        &mut self,
        columns: usize,
        first: StringRecord,
        names: &Names,
    ) -> Result<(), IngestError> {
        let losses = names.kind == Some(Kind::Losses);
        if names.values.is_some() || (columns < 2) != losses {
            return Err(self.no_header());
        }
        // A column of whole numbers among others is hardly one of values.
        let whole = |cell: &str| !cell.contains(['.', 'e', 'E', 'n', 'N']);
        if first.iter().any(whole) && !first.iter().all(whole) {
            return Err(self.no_header());
        }
        self.fields.kind = names.kind;
        self.values = (0..columns).collect();
        self.width = columns;
        self.ahead = Some(first);
        Ok(())
    }

    fn no_header(&self) -> IngestError {
        let reason = "it has no line of names, so that nothing says which column is what; write one, \
                      such as id,label,logit_0,logit_1";
        self.row_error(1, reason)
    }

    /// An error in a line, counted from 1.
    fn row_error(&self, row: u64, reason: impl ToString) -> IngestError {
        IngestError::Row { path: self.path.clone(), row, reason: reason.to_string() }
    }

    /// The next row that is not empty.
    fn record(&mut self) -> Result<Option<StringRecord>, IngestError> {
        let mut record = StringRecord::new();
        loop {
            let start = self.rows.position().byte();
            let read = self.rows.read_record(&mut record).map_err(|error| {
                let row = error.position().map_or(0, csv::Position::line);
                match error.into_kind() {
                    csv::ErrorKind::Io(cause) => IngestError::io(&self.path)(cause),
                    csv::ErrorKind::Utf8 { .. } => {
                        self.row_error(row, "it is not UTF-8; save the file as UTF-8")
                    }
                    other => IngestError::damaged(&self.path, format!("{other:?}")),
                }
            })?;
            if !read {
                return Ok(None);
            }
            if self.rows.position().byte() - start > LONGEST_ROW {
                return Err(self.row_error(self.line(&record), "the row is longer than 64 MiB"));
            }
            if record.len() > 1 || record.get(0).is_some_and(|cell| !cell.trim().is_empty()) {
                return Ok(Some(record));
            }
        }
    }

    fn line(&self, record: &StringRecord) -> u64 {
        record.position().map_or(0, csv::Position::line)
    }

    /// Adds a row to a batch.
    fn push(
        &self,
        row: &StringRecord,
        keys: &mut KeysBuilder,
        batch: &mut Batch,
    ) -> Result<(), IngestError> {
        let line = self.line(row);
        let cell = |place: usize| {
            row.get(place).ok_or_else(|| {
                let reason = format!(
                    "it has {} cells, the line of names has more; was it cut off?",
                    row.len()
                );
                self.row_error(line, reason)
            })
        };
        if let Some(place) = self.keys {
            keys.push(&self.path, line, cells::untyped(cell(place)?))?;
        }
        if let (Some(place), Some(labels)) = (self.labels, &mut batch.labels) {
            labels.push(self.classes.label(&self.path, line, cells::untyped(cell(place)?))?);
        }
        if let (Some(place), Some(epochs)) = (self.epochs, &mut batch.epochs) {
            epochs.push(cells::epoch(&self.path, line, cells::untyped(cell(place)?))?);
        }
        let id = || {
            let id = self.keys.and_then(|place| row.get(place));
            id.map_or_else(String::new, |id| format!(" of example {id}"))
        };
        if self.lists {
            let text = cell(self.values[0])?;
            let before = batch.values.len();
            list(text, &mut batch.values).ok_or_else(|| {
                let what = if text.contains("...") {
                    "was cut short (`...`) by the program that wrote it: numpy.set_printoptions(threshold=sys.maxsize), or write Parquet"
                } else {
                    "is not a list of numbers"
                };
                self.row_error(line, format!("the list{} {what}", id()))
            })?;
            let found = batch.values.len() - before;
            if found != self.width {
                let width = self.width;
                let reason = format!("it has {found} values, rows before it have {width}");
                return Err(self.row_error(line, reason));
            }
        } else {
            for &place in &self.values {
                let text = cell(place)?.trim();
                let value = match text.parse::<f64>() {
                    Ok(value) => value as f32,
                    Err(_) if matches!(cells::untyped(text), Cell::Missing) => f32::NAN,
                    Err(_) => {
                        let hint =
                            if text.contains(',') { "; write decimals with a point" } else { "" };
                        let reason = format!("the value{} is {text:?}, not a number{hint}", id());
                        return Err(self.row_error(line, reason));
                    }
                };
                batch.values.push(value);
            }
        }
        batch.rows += 1;
        Ok(())
    }
}

/// The first line that is not a comment, with those before it; empty lines at the start are left
/// out.
fn first_line(path: &Path, text: &mut dyn BufRead) -> Result<Vec<u8>, IngestError> {
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = text.take(LONGEST_ROW).read_until(b'\n', &mut line);
        let read = read.map_err(IngestError::io(path))?;
        if read as u64 == LONGEST_ROW {
            let reason = "the first line is longer than 64 MiB".into();
            return Err(IngestError::Row { path: path.to_owned(), row: 1, reason });
        }
        let content = line.trim_ascii();
        if read == 0 || !content.is_empty() && content[0] != b'#' {
            return Ok(line);
        }
    }
}

/// `[0.1, 0.2]`, or `[0.1 0.2]` as NumPy writes arrays; `None` where it is something else.
fn list(text: &str, out: &mut Vec<f32>) -> Option<()> {
    let inner = text.trim().strip_prefix('[')?.strip_suffix(']')?;
    let parts = inner.split([',', ' ', '\n', '\r', '\t']).filter(|part| !part.is_empty());
    for part in parts {
        out.push(part.parse::<f64>().ok()? as f32);
    }
    Some(())
}

impl Reader for Csv {
    fn kind(&self) -> Option<Kind> {
        self.fields.kind
    }

    fn columns(&self) -> usize {
        self.width
    }

    fn said(&self) -> Said {
        self.fields.said.clone()
    }

    fn read(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        batch.rows = 0;
        batch.first = self.at;
        batch.axis = false;
        batch.values.clear();
        batch.labels = self.labels.map(|_| Vec::new());
        batch.epochs = self.epochs.map(|_| Vec::new());
        let mut keys = KeysBuilder::default();
        let most = batch::rows(self.width);
        while batch.rows < most {
            let row = match self.ahead.take() {
                Some(row) => Some(row),
                None => self.record()?,
            };
            let Some(row) = row else { break };
            self.push(&row, &mut keys, batch)?;
        }
        batch.keys = self.keys.map(|_| keys.finish());
        self.at += batch.rows as u64;
        Ok(batch.rows > 0)
    }
}
