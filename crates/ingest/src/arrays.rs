//! Files of named arrays (npy, npz, safetensors) as readers: which array is what, and how its bytes
//! come in pieces.
//!
//! Values are `[n, K]` for one epoch or `[T, n, K]` for T epochs (`[n]` and `[T, n]` for one column
//! are written `[n, 1]` and `[T, n, 1]`). Ids and labels are `[n]` or `[n, 1]`, the same for all epochs of a
//! file; they are read at once, values in batches. Only row-major (C) order is read: a column-major
//! matrix has no rows that could be read one after the other.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::batch::{self, Batch, Kind, Reader};
use crate::element::Element;
use crate::names::{Field, Names};
use crate::{IngestError, Keys};

/// Bytes read at a time while an array is read whole.
const PIECE: usize = 1 << 20;

/// One array of a file.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) name: String,
    pub(crate) shape: Vec<u64>,
    pub(crate) element: Element,
}

impl Array {
    /// Number of elements, where it can be counted.
    fn len(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, &side| product.checked_mul(side))
    }

    /// Bytes of all elements, where they can be counted.
    pub(crate) fn bytes(&self) -> Option<u64> {
        self.len()?.checked_mul(self.element.size as u64)
    }

    fn shape_text(&self) -> String {
        let sides: Vec<String> = self.shape.iter().map(u64::to_string).collect();
        format!("[{}]", sides.join(", "))
    }
}

/// A file that holds arrays.
pub(crate) trait ArrayFile {
    /// Its arrays.
    fn arrays(&self) -> &[Array];

    /// The bytes of the array at a place in [`Self::arrays`].
    fn open(&self, place: usize) -> Result<Box<dyn Read>, IngestError>;
}

/// The reader of a file of arrays.
pub(crate) struct ArrayReader {
    path: PathBuf,
    kind: Option<Kind>,
    values: Box<dyn Read>,
    element: Element,
    /// Epochs on the first axis; `None` where there is no such axis.
    epochs: Option<u64>,
    rows: u64,
    columns: usize,
    keys: Option<Keys>,
    labels: Option<Vec<u32>>,
    /// Rows read so far, of all epochs.
    at: u64,
    bytes: Vec<u8>,
}

impl ArrayReader {
    /// A reader of the array of values of a file, with the ids and labels beside it.
    pub(crate) fn new(
        path: &Path,
        file: &impl ArrayFile,
        names: &Names,
    ) -> Result<Self, IngestError> {
        let arrays = file.arrays();
        let (place, kind) = values_of(path, arrays, names)?;
        let values = &arrays[place];
        if !values.element.is_float() {
            return Err(IngestError::Type {
                path: path.to_owned(),
                array: values.name.clone(),
                found: format!("{:?}", values.element.class).to_lowercase(),
                wanted: "logits and probabilities are f16, bf16, f32 or f64",
            });
        }
        let (epochs, rows, columns) = match values.shape[..] {
            [rows, columns] => (None, rows, columns),
            [epochs, rows, columns] => (Some(epochs), rows, columns),
            _ => {
                let (name, shape) = (&values.name, values.shape_text());
                return Err(IngestError::shape(
                    path,
                    format!(
                        "{name} is {shape}; write [n, K] for one epoch or [T, n, K] for T epochs \
                         (K = 1 for one column)"
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
        let side = |field| -> Result<Option<usize>, IngestError> {
            let one = names.one(path, field, arrays.iter().map(|array| array.name.as_str()))?;
            Ok(one.and_then(|name| arrays.iter().position(|array| array.name == name)))
        };
        let keys = side(Field::Ids)?.map(|place| read_keys(path, file, place, rows)).transpose()?;
        let labels = side(Field::Labels)?;
        let labels = labels.map(|place| read_labels(path, file, place, rows)).transpose()?;
        Ok(Self {
            path: path.to_owned(),
            kind,
            values: file.open(place)?,
            element: values.element,
            epochs,
            rows,
            columns: columns as usize,
            keys,
            labels,
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
        self.values.read_exact(&mut self.bytes).map_err(IngestError::io(&self.path))?;
        self.element.floats(&mut self.bytes, &mut batch.values);
        batch.epochs = self.epochs.map(|_| vec![epoch as i64 + 1; batch.rows]);
        let here = row as usize..row as usize + batch.rows;
        batch.keys = self.keys.as_ref().map(|keys| match keys {
            Keys::Integers(keys) => Keys::Integers(keys[here.clone()].to_vec()),
            Keys::Texts(keys) => Keys::Texts(keys[here.clone()].to_vec()),
        });
        batch.labels = self.labels.as_ref().map(|labels| labels[here].to_vec());
        self.at += rows;
        if self.at == all {
            check_end(&self.path, &mut self.values)?;
        }
        Ok(true)
    }
}

/// The array of values: the one named, the one of a usual name, or the only one there is.
fn values_of(
    path: &Path,
    arrays: &[Array],
    names: &Names,
) -> Result<(usize, Option<Kind>), IngestError> {
    let field = |array: &Array| names.field(&array.name);
    let found: Vec<(usize, Option<Kind>)> = arrays
        .iter()
        .enumerate()
        .filter_map(|(place, array)| match field(array) {
            Some(Field::Values(kind)) => Some((place, kind)),
            _ => None,
        })
        .collect();
    let all = || arrays.iter().map(|array| array.name.clone()).collect();
    match (&found[..], arrays) {
        ([one], _) => Ok(*one),
        ([], [only]) if names.values.is_none() && field(only).is_none() => Ok((0, None)),
        ([], _) => Err(IngestError::Missing {
            path: path.to_owned(),
            what: "array of logits or probabilities",
            found: all(),
            hint: "call it `logits` or `probs`, or name it with --values",
        }),
        _ => Err(IngestError::Missing {
            path: path.to_owned(),
            what: "single array of logits or probabilities",
            found: all(),
            hint: "name the one to read with --values",
        }),
    }
}

/// Checks that all of an array has been read; a stream that checks its sum does so at its end.
fn check_end(path: &Path, from: &mut impl Read) -> Result<(), IngestError> {
    let more = from.read(&mut [0]).map_err(IngestError::io(path))?;
    if more == 0 {
        return Ok(());
    }
    Err(IngestError::damaged(path, "there are more bytes than its shape asks for"))
}

/// All of an array of n elements, read in pieces: memory grows with what is there, not with what
/// is promised.
fn read_all(
    path: &Path,
    file: &impl ArrayFile,
    place: usize,
    rows: u64,
) -> Result<Vec<u8>, IngestError> {
    let array = &file.arrays()[place];
    if array.shape != [rows] && array.shape != [rows, 1] {
        let (name, shape) = (&array.name, array.shape_text());
        let reason = format!("{name} is {shape}, but there are {rows} rows; write [{rows}]");
        return Err(IngestError::shape(path, reason));
    }
    let count = array.bytes().ok_or_else(|| IngestError::damaged(path, "its shape overflows"))?;
    let mut bytes = Vec::with_capacity((count as usize).min(PIECE));
    let mut from = file.open(place)?;
    from.by_ref().take(count).read_to_end(&mut bytes).map_err(IngestError::io(path))?;
    if (bytes.len() as u64) < count {
        return Err(IngestError::damaged(path, format!("{} ends too early", array.name)));
    }
    check_end(path, &mut from)?;
    Ok(bytes)
}

pub(crate) fn read_keys(
    path: &Path,
    file: &impl ArrayFile,
    place: usize,
    rows: u64,
) -> Result<Keys, IngestError> {
    let array = &file.arrays()[place];
    let mut bytes = read_all(path, file, place, rows)?;
    array.element.keys(&mut bytes).ok_or_else(|| IngestError::Type {
        path: path.to_owned(),
        array: array.name.clone(),
        found: format!("{:?}", array.element.class).to_lowercase(),
        wanted: "ids are whole numbers or texts",
    })
}

pub(crate) fn read_labels(
    path: &Path,
    file: &impl ArrayFile,
    place: usize,
    rows: u64,
) -> Result<Vec<u32>, IngestError> {
    let array = &file.arrays()[place];
    if !matches!(array.shape[..], [_] | [_, 1]) {
        let found = array.shape_text();
        return Err(IngestError::MultiLabel { path: path.to_owned(), found });
    }
    let mut bytes = read_all(path, file, place, rows)?;
    if matches!(array.element.class, crate::element::Class::Bytes | crate::element::Class::Unicode)
    {
        return Err(IngestError::Type {
            path: path.to_owned(),
            array: array.name.clone(),
            found: "text".into(),
            wanted: "labels are class indices, 0 to K − 1",
        });
    }
    let values = array.element.numbers(&mut bytes);
    let labels = values.into_iter().enumerate();
    labels.map(|(row, value)| label(path, row as u64, value)).collect()
}

/// A label that came as a number of some type.
pub(crate) fn label(path: &Path, row: u64, value: f64) -> Result<u32, IngestError> {
    if value.fract() != 0.0 || value.is_nan() {
        return Err(IngestError::Regression { path: path.to_owned(), row, value });
    }
    if !(0.0..f64::from(u32::MAX)).contains(&value) {
        let value = value.to_string();
        return Err(IngestError::Label { path: path.to_owned(), row, value });
    }
    Ok(value as u32)
}
