//! Files of named arrays (npy, npz, safetensors) as readers: which array is what, and how its bytes
//! come in pieces.
//!
//! Values are `[n, K]` for one epoch or `[T, n, K]` for T epochs (`[n]` and `[T, n]` for one column
//! are written `[n, 1]` and `[T, n, 1]`). Losses are `[n]` or `[T, n]`. Ids and labels are `[n]` or `[n, 1]`, the same for all epochs of a
//! file; they are read at once, values in batches.

use std::io::Read;
use std::path::{Path, PathBuf};

use datadiet_arrays::{Array, ArrayFile, Class, Element, check_end};

use crate::batch::{self, Batch, Kind, Reader, Said};
use crate::cells::{Cell, ClassNames, KeysBuilder};
use crate::fields::some;
use crate::file_name::FileName;
use crate::names::{self, Field, Names};
use crate::{IngestError, Keys};

/// The reader of a file of arrays.
pub(crate) struct ArrayReader {
    path: PathBuf,
    kind: Option<Kind>,
    /// Opened at the first read: a column-major array costs a pass through it.
    values: Option<Box<dyn Read>>,
    file: Box<dyn ArrayFile>,
    place: usize,
    element: Element,
    /// Epochs on the first axis; `None` where there is no such axis.
    epochs: Option<u64>,
    rows: u64,
    columns: usize,
    keys: Option<Keys>,
    labels: Option<Vec<u32>>,
    said: Said,
    /// Rows read so far, of all epochs.
    at: u64,
    bytes: Vec<u8>,
}

impl ArrayReader {
    /// A reader of the array of values of a file, with the ids and labels beside it.
    pub(crate) fn new(
        path: &Path,
        file: Box<dyn ArrayFile>,
        names: &Names,
    ) -> Result<Self, IngestError> {
        let arrays = file.arrays();
        let (place, kind) = values_of(path, arrays, names)?;
        let values = &arrays[place];
        if !values.element.is_float() {
            return Err(IngestError::Type {
                path: path.to_owned(),
                array: values.name.clone(),
                found: values.element.to_string(),
                wanted: match kind {
                    Some(Kind::Losses) => "losses are f16, bf16, f32 or f64",
                    _ => {
                        "logits and probabilities are f16, bf16, f32 or f64; predicted classes are neither"
                    }
                },
            });
        }
        let (epochs, rows, columns) = match (kind, &values.shape[..]) {
            (Some(Kind::Losses), shape) => {
                let (epochs, rows) = losses(path, &values.name, shape)?;
                (epochs, rows, 1)
            }
            (_, &[rows, columns]) => (None, rows, columns),
            (_, &[epochs, rows, columns]) => (Some(epochs), rows, columns),
            (_, shape) => {
                let name = &values.name;
                let losses = match shape {
                    [_] => "; losses, one of each example: say --kind losses",
                    _ => "",
                };
                return Err(IngestError::shape(
                    path,
                    format!(
                        "{name} is {}; write [n, K] for one epoch or [T, n, K] for T epochs \
                         (K = 1 for one column){losses}",
                        values.shape_text()
                    ),
                ));
            }
        };
        let fits = (1..=batch::VALUES as u64).contains(&columns);
        if !fits || values.bytes().is_none() {
            let (name, shape) = (&values.name, values.shape_text());
            let most = batch::VALUES;
            let reason = format!("{name} is {shape}; a row has 1 to {most} columns");
            return Err(IngestError::shape(path, reason));
        }
        let all = || arrays.iter().map(|array| array.name.as_str());
        let rest = || all().filter(|&name| name != values.name);
        let side = |field| -> Result<Option<usize>, IngestError> {
            let one = names.one(path, field, rest())?;
            Ok(one.and_then(|(name, _)| arrays.iter().position(|array| array.name == name)))
        };
        let keys = side(Field::Ids)?;
        if let (Some(epochs), Some(place), Some(Kind::Losses)) = (epochs, keys, kind)
            && arrays[place].shape.first() == Some(&epochs)
            && epochs != rows
        {
            let (name, shape) = (&values.name, values.shape_text());
            let reason = format!(
                "{name} is {shape}, and there are {epochs} ids: an example has a row; write [T, n] for T epochs, \
                 which is {name}.T"
            );
            return Err(IngestError::shape(path, reason));
        }
        let keys = keys.map(|place| read_keys(path, &*file, place, rows)).transpose()?;
        let labels = if names.wants_labels(kind) { side(Field::Labels)? } else { None };
        let labels = labels.map(|place| read_labels(path, &*file, place, rows, &names.classes));
        let labels = labels.transpose()?;
        // Of a file of one array the name is the file's, of which the plan has taken the numbers.
        let mut said = Said {
            epoch: if arrays.len() > 1 { Names::epoch(&values.name) } else { None },
            unused_ids: if keys.is_none() { names.like_ids(rest()) } else { Vec::new() },
            ..Said::default()
        };
        said.unused(kind, names, all());
        let (element, columns) = (values.element, columns as usize);
        let (path, values) = (path.to_owned(), None);
        Ok(Self {
            path,
            kind,
            values,
            file,
            place,
            element,
            epochs,
            rows,
            columns,
            keys,
            labels,
            said,
            at: 0,
            bytes: Vec::new(),
        })
    }
}

impl Reader for ArrayReader {
    fn kind(&self) -> Option<Kind> {
        self.kind
    }

    fn columns(&self) -> usize {
        self.columns
    }

    fn said(&self) -> Said {
        self.said.clone()
    }

    fn read(&mut self, batch: &mut Batch) -> Result<bool, IngestError> {
        let all = self.epochs.unwrap_or(1).saturating_mul(self.rows);
        let (epoch, row) = (self.at / self.rows.max(1), self.at % self.rows.max(1));
        let rows = (self.rows - row).min(batch::rows(self.columns) as u64).min(all - self.at);
        batch.rows = rows as usize;
        batch.first = row;
        batch.axis = self.epochs.is_some();
        if rows == 0 {
            return Ok(false);
        }
        self.bytes.resize(batch.rows * self.columns * self.element.size, 0);
        let values = match &mut self.values {
            Some(values) => values,
            none => {
                none.insert(self.file.bytes(self.place).map_err(IngestError::array(&self.path))?)
            }
        };
        values.read_exact(&mut self.bytes).map_err(IngestError::io(&self.path))?;
        self.element.floats(&mut self.bytes, &mut batch.values);
        batch.epochs = self.epochs.map(|_| vec![epoch as i64 + 1; batch.rows]);
        let here = row as usize..row as usize + batch.rows;
        batch.keys = self.keys.as_ref().and_then(|keys| some(keys, here.clone()));
        batch.labels = self.labels.as_ref().map(|labels| labels[here].to_vec());
        self.at += rows;
        if self.at == all {
            check_end(values).map_err(IngestError::io(&self.path))?;
        }
        Ok(true)
    }
}

/// The array of values: the one of the best name, or the only one there is.
fn values_of(
    path: &Path,
    arrays: &[Array],
    names: &Names,
) -> Result<(usize, Option<Kind>), IngestError> {
    let all = || arrays.iter().map(|array| array.name.clone()).collect();
    let values = |(place, array): (usize, &Array)| match names.ranked(&array.name) {
        // Predicted classes are called `predictions` too.
        Some((Field::Values(kind), rank))
            if Names::kind(&array.name).is_some() || array.element.is_float() =>
        {
            Some((rank, place, kind))
        }
        _ => None,
    };
    let found: Vec<_> = arrays.iter().enumerate().filter_map(values).collect();
    let best = found.iter().map(|(rank, ..)| *rank).min();
    let found: Vec<_> = found.into_iter().filter(|(rank, ..)| Some(*rank) == best).collect();
    match (&found[..], arrays) {
        ([(_, place, kind)], _) => Ok((*place, *kind)),
        ([], [only]) if names.values.is_none() => {
            // Of an .npy the name is the file's: `final_seed0`, `train_y_epoch1`.
            let words = names::of_words(&FileName::parse(&only.name).words);
            // A file of a matrix whose name has the word is of values at some loss.
            let plural = || only.name.to_lowercase().contains("losses");
            let flat = matches!(only.shape[..], [_] | [_, 1]);
            let called = match words {
                Some(Field::Values(Some(Kind::Losses))) if !flat && !plural() => None,
                Some(Field::Values(kind)) => kind,
                _ => None,
            };
            Ok((0, names.kind.or(called)))
        }
        ([], _) => {
            let float = |array: &&Array| {
                array.element.is_float()
                    && array.shape.len() > usize::from(names.kind != Some(Kind::Losses))
                    && names.ranked(&array.name).is_none()
            };
            let mut floats = arrays.iter().filter(float);
            match (floats.next(), floats.next()) {
                // NumPy calls arrays that it was given without names arr_0, arr_1, …
                (Some(one), None) if one.name.starts_with("arr_") && names.values.is_none() => {
                    let place = arrays.iter().position(|array| array.name == one.name);
                    Ok((place.unwrap_or(0), names.kind))
                }
                _ => Err(IngestError::no_values(path, all())),
            }
        }
        _ => Err(IngestError::Missing {
            path: path.to_owned(),
            what: "single array of logits or probabilities",
            found: all(),
            hint: "name the one to read with --values",
        }),
    }
}

/// Epochs, where there is an axis of them, and examples of an array of losses.
fn losses(path: &Path, name: &str, shape: &[u64]) -> Result<(Option<u64>, u64), IngestError> {
    match *shape {
        [rows] | [rows, 1] => Ok((None, rows)),
        [epochs, rows] | [epochs, rows, 1] => Ok((Some(epochs), rows)),
        [] => Err(IngestError::shape(
            path,
            format!(
                "{name} is one number: a mean over examples; write the loss of each of them (in PyTorch \
                 reduction=\"none\")"
            ),
        )),
        _ => Err(IngestError::shape(
            path,
            format!(
                "{name} has {} axes; losses are [n] for one epoch or [T, n] for T epochs: of the parts of an example \
                 (its tokens, its boxes) give their mean or sum",
                shape.len()
            ),
        )),
    }
}

/// All of an array of n elements.
fn read_all(
    path: &Path,
    file: &dyn ArrayFile,
    place: usize,
    rows: u64,
) -> Result<Vec<u8>, IngestError> {
    let array = &file.arrays()[place];
    if array.shape != [rows] && array.shape != [rows, 1] {
        let (name, shape) = (&array.name, array.shape_text());
        let reason = format!("{name} is {shape}, but there are {rows} rows; write [{rows}]");
        return Err(IngestError::shape(path, reason));
    }
    file.read_all(place).map_err(IngestError::array(path))
}

pub(crate) fn read_keys(
    path: &Path,
    file: &dyn ArrayFile,
    place: usize,
    rows: u64,
) -> Result<Keys, IngestError> {
    let array = &file.arrays()[place];
    let mut bytes = read_all(path, file, place, rows)?;
    let element = array.element;
    let keys = match element.class {
        Class::Unsigned if element.size == 8 => Some(Keys::of_u64(&element.unsigned(&mut bytes))),
        Class::Signed | Class::Unsigned | Class::Boolean => {
            element.integers(&mut bytes).map(Keys::Integers)
        }
        Class::Bytes | Class::Unicode => element.texts(&bytes).map(Keys::Texts),
        Class::Float | Class::Brain => {
            let mut keys = KeysBuilder::default();
            for (value, row) in element.numbers(&mut bytes).into_iter().zip(0..) {
                keys.push(path, row, Cell::Float(value))?;
            }
            return Ok(keys.finish());
        }
    };
    keys.ok_or_else(|| IngestError::Type {
        path: path.to_owned(),
        array: array.name.clone(),
        found: format!("{element}, of which some are not texts"),
        wanted: "ids are whole numbers or texts",
    })
}

pub(crate) fn read_labels(
    path: &Path,
    file: &dyn ArrayFile,
    place: usize,
    rows: u64,
    classes: &ClassNames,
) -> Result<Vec<u32>, IngestError> {
    let array = &file.arrays()[place];
    if !matches!(array.shape[..], [_] | [_, 1]) {
        let found = array.shape_text();
        return Err(IngestError::MultiLabel { path: path.to_owned(), found });
    }
    let mut bytes = read_all(path, file, place, rows)?;
    if matches!(array.element.class, Class::Bytes | Class::Unicode) {
        let texts = array.element.texts(&bytes).unwrap_or_default();
        let labels = texts.iter().zip(0..);
        return labels.map(|(text, row)| classes.label(path, row, Cell::Text(text))).collect();
    }
    let labels = array.element.numbers(&mut bytes).into_iter().zip(0..);
    labels.map(|(value, row)| classes.label(path, row, Cell::Float(value))).collect()
}
