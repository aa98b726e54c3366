//! Which columns of a Parquet file hold the pictures and the labels.

use crate::{DataError, ImportNotes, Result};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, Schema};
use std::path::Path;

/// Names of columns of pictures and of labels, the best first; in any case.
const IMAGES: [&str; 4] = ["image", "img", "picture", "pixel_values"];
const LABELS: [&str; 7] =
    ["label", "labels", "fine_label", "class", "class_label", "target", "category"];

/// Whole numbers that are not classes.
const NUMBERS: [&str; 6] = ["id", "idx", "index", "width", "height", "__index_level_0__"];

/// Which columns matter, and what the classes are called.
pub(super) struct Columns {
    pub image: usize,
    /// Absent in a held-out file without labels.
    pub label: Option<usize>,
    pub names: Option<Vec<String>>,
}

impl Columns {
    /// Finds the columns; `label` is the name that was asked for.
    pub(super) fn of(
        path: &Path,
        schema: &Schema,
        label: Option<&str>,
        training: bool,
        notes: &mut ImportNotes,
    ) -> Result<Self> {
        let refuse = |problem: String| {
            let columns = schema.fields().iter();
            let columns: Vec<String> =
                columns.map(|field| format!("{}: {}", field.name(), field.data_type())).collect();
            Err(DataError::bad_file(path, format!("{problem}; it has {}", columns.join(", "))))
        };
        let pictures = matching(schema, is_image);
        let Some(image) = named(schema, &pictures, &IMAGES).or_else(|| only(&pictures)) else {
            return refuse(format!(
                "needs one column of encoded pictures, as bytes or struct<bytes, path>, or one of \
                 several called image, but has {}",
                pictures.len()
            ));
        };
        let candidates = matching(schema, |field| is_label(field.data_type()));
        let label = match label {
            Some(name) => match candidates.iter().find(|&&at| schema.field(at).name() == name) {
                Some(&at) => Some(at),
                None if training => {
                    return refuse(format!("has no column of labels called {name} (--label)"));
                }
                None => None,
            },
            None => {
                let found = label_column(schema, &candidates, notes);
                if found.is_none() && training {
                    return refuse(
                        "needs a column of labels called label, labels, fine_label, class or target \
                         (or a single one of whole numbers); say which with --label NAME"
                            .into(),
                    );
                }
                found
            }
        };
        let names = label.and_then(|at| class_names(schema, schema.field(at).name()));
        Ok(Self { image, label, names })
    }
}

fn matching(schema: &Schema, fits: impl Fn(&Field) -> bool) -> Vec<usize> {
    (0..schema.fields().len()).filter(|&at| fits(schema.field(at))).collect()
}

/// The first of the candidates with the best of the names.
fn named(schema: &Schema, candidates: &[usize], names: &[&str]) -> Option<usize> {
    let of = |name: &&str| {
        candidates.iter().copied().find(|&at| schema.field(at).name().eq_ignore_ascii_case(name))
    };
    names.iter().find_map(of)
}

fn only(candidates: &[usize]) -> Option<usize> {
    if let [only] = candidates { Some(*only) } else { None }
}

/// The column of labels by its name, else the only one of whole numbers that may be classes.
fn label_column(schema: &Schema, candidates: &[usize], notes: &mut ImportNotes) -> Option<usize> {
    let name = |at: usize| schema.field(at).name();
    let known: Vec<usize> = candidates
        .iter()
        .copied()
        .filter(|&at| LABELS.contains(&&*name(at).to_lowercase()) || name(at).ends_with("_label"))
        .collect();
    let numbers: Vec<usize> = candidates
        .iter()
        .copied()
        .filter(|&at| schema.field(at).data_type().is_integer())
        .filter(|&at| !NUMBERS.contains(&&*name(at).to_lowercase()))
        .collect();
    let by_name = named(schema, candidates, &LABELS);
    let found = by_name.or_else(|| only(&numbers))?;
    let others: Vec<&str> =
        known.iter().filter(|&&at| at != found).map(|&at| &**name(at)).collect();
    if !others.is_empty() || by_name.is_none() {
        let others = match others.is_empty() {
            true => String::new(),
            false => format!(", not {}", others.join(", ")),
        };
        notes.decide_once(format!("labels are from the column {}{others} (--label)", name(found)));
    }
    Some(found)
}

fn is_image(field: &Field) -> bool {
    match field.data_type() {
        DataType::Struct(parts) => {
            parts.iter().any(|part| part.name() == "bytes" && is_bytes(part.data_type()))
        }
        other => is_bytes(other),
    }
}

fn is_bytes(found: &DataType) -> bool {
    matches!(found, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

fn is_label(found: &DataType) -> bool {
    match found {
        DataType::Dictionary(_, values) => is_label(values),
        DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) => true,
        other => other.is_integer() || other.is_floating(),
    }
}

/// `info.features.<label>.names` in the JSON that `datasets` leaves in the schema.
fn class_names(schema: &Schema, label: &str) -> Option<Vec<String>> {
    let json: serde_json::Value =
        serde_json::from_str(schema.metadata().get("huggingface")?).ok()?;
    let names = json.get("info")?.get("features")?.get(label)?.get("names")?;
    serde_json::from_value(names.clone()).ok()
}

/// The encoded picture of a row, unless there is none.
pub(super) fn bytes_at(column: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    let column = match column.as_struct_opt() {
        Some(both) if both.is_null(row) => return None,
        Some(both) => both.column_by_name("bytes")?,
        None => column,
    };
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Binary => Some(column.as_binary::<i32>().value(row).to_vec()),
        DataType::LargeBinary => Some(column.as_binary::<i64>().value(row).to_vec()),
        DataType::BinaryView => Some(column.as_binary_view().value(row).to_vec()),
        _ => None,
    }
}
