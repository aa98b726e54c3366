//! Image data sets as Parquet files in the layout of Hugging Face `datasets`.
//!
//! One column of struct<bytes: binary, path: string> holds encoded pictures, one integer column the
//! labels. Class names come from the `huggingface` key of the schema metadata
//! (`info.features.<label>.names`), else they are numbers. A file belongs to the split that a whole
//! word of its own name says (`train`, `test`, `validation`, `val`, `valid`, `dev`), else of the
//! name of the nearest folder below the one given; the given folder's own name says nothing. Where
//! no name says a split, all files are training files. Files of a split follow each other in path
//! order. Without a test split validation takes its place; beside one it is left out.
//! Source: <https://huggingface.co/docs/datasets/en/about_dataset_features>.
//! Pictures that are only referred to by path are not followed.

use super::split_name::SplitName;
use super::{class_indices, file_name, numbered_classes};
use crate::images::{Picture, common_shape, decode};
use crate::{DataError, ImportNotes, ImportOptions, RawDataset, RawSplit, Result};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// How deep below the given folder files are looked for.
const DEPTH: usize = 3;

/// Whether the path is a Parquet file or a folder with one.
pub(crate) fn detect(path: &Path) -> bool {
    parquet_files(path).is_ok_and(|files| !files.is_empty())
}

/// Reads all files of all splits.
pub(crate) fn read(
    path: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    let mut notes = ImportNotes::default();
    let files = SplitFiles::of(path, &mut notes)?;
    let files_of_both = (files.train.len() + files.test.len()) as u64;
    let count = Count::start(progress, "reading Parquet files", Some(files_of_both));
    let train = Table::read(&files.train, &count)?;
    let test = Table::read(&files.test, &count)?;
    drop(count);
    let classes = match &train.names {
        Some(names) => names.clone(),
        None => numbered_classes(&[&train.labels, &test.labels])?,
    };
    let all: Vec<&Picture> = train.pictures.iter().chain(&test.pictures).collect();
    let shape = common_shape(&all, options.resize)?;
    let count = Count::start(progress, "decoding pictures", Some(all.len() as u64));
    let split = |name, table: &Table| -> Result<RawSplit> {
        let labels = class_indices(name, &table.labels, classes.len())?;
        Ok(RawSplit { images: decode(&table.pictures, shape, &count)?, labels })
    };
    let train = split("train", &train)?;
    let test = if files.test.is_empty() { None } else { Some(split("test", &test)?) };
    let (height, width) = (shape.height as usize, shape.width as usize);
    Ok(RawDataset {
        classes,
        height,
        width,
        channels: shape.channels,
        train,
        test,
        source: format!("Parquet files from {}", file_name(path)),
        notes,
    })
}

/// Which file belongs to which split; a file is in one at most.
#[derive(Debug, Default)]
struct SplitFiles {
    train: Vec<PathBuf>,
    test: Vec<PathBuf>,
}

impl SplitFiles {
    fn of(path: &Path, notes: &mut ImportNotes) -> Result<Self> {
        let all = parquet_files(path)?;
        if path.is_file() {
            return Ok(Self { train: all, test: Vec::new() });
        }
        let mut by_split: BTreeMap<Option<SplitName>, Vec<PathBuf>> = BTreeMap::new();
        for file in all {
            by_split.entry(split_of(path, &file)?).or_default().push(file);
        }
        let mut take = |split| by_split.remove(&split).unwrap_or_default();
        let [train, test, validation, other] =
            [Some(SplitName::Train), Some(SplitName::Test), Some(SplitName::Validation), None]
                .map(&mut take);
        let names = |files: &[PathBuf]| -> Vec<String> {
            files.iter().map(|file| below(path, file).display().to_string()).collect()
        };
        if train.is_empty() && test.is_empty() && validation.is_empty() {
            notes.decide(format!(
                "no file or folder is called train, test or validation: all {} Parquet files are the training split",
                other.len()
            ));
            return Ok(Self { train: other, test: Vec::new() });
        }
        if train.is_empty() {
            let named = names(&[test, validation, other].concat());
            let problem = format!(
                "no Parquet file is of the training split, there are {}; call its files train-*.parquet, or give one file",
                named.join(", ")
            );
            return Err(DataError::bad_file(path, problem));
        }
        notes.leave_out(
            "Parquet files whose names say no split (train, test or validation)",
            other.len(),
            names(&other),
        );
        if test.is_empty() {
            if !validation.is_empty() {
                notes.decide("the validation split is the test split: there is no other");
            }
            return Ok(Self { train, test: validation });
        }
        notes.leave_out(
            "Parquet files of the validation split, as there is a test split",
            validation.len(),
            names(&validation),
        );
        Ok(Self { train, test })
    }
}

/// The split of a file: by its own name, else by that of the nearest folder below `root`.
fn split_of(root: &Path, file: &Path) -> Result<Option<SplitName>> {
    let below = below(root, file);
    for part in below.iter().rev() {
        match SplitName::all_of(&part.to_string_lossy())[..] {
            [] => {}
            [split] => return Ok(Some(split)),
            [first, second, ..] => {
                let problem = format!(
                    "`{}` says both {} and {}; rename it, so that one word says the split",
                    part.display(),
                    first.name(),
                    second.name()
                );
                return Err(DataError::bad_file(file, problem));
            }
        }
    }
    Ok(None)
}

fn below<'a>(root: &Path, file: &'a Path) -> &'a Path {
    file.strip_prefix(root).unwrap_or(file)
}

fn parquet_files(path: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    collect(path, DEPTH, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(path: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_file() && path.extension().is_some_and(|extension| extension == "parquet") {
        files.push(path.to_path_buf());
    } else if path.is_dir() && depth > 0 {
        for entry in std::fs::read_dir(path).map_err(DataError::io("read", path))? {
            collect(&entry.map_err(DataError::io("read", path))?.path(), depth - 1, files)?;
        }
    }
    Ok(())
}

/// The rows of the files of one split.
#[derive(Default)]
struct Table {
    pictures: Vec<Picture>,
    labels: Vec<i64>,
    names: Option<Vec<String>>,
}

impl Table {
    fn read(files: &[PathBuf], count: &Count<'_>) -> Result<Self> {
        let mut table = Self::default();
        for file in files {
            table.add(file)?;
            count.advance(1);
        }
        Ok(table)
    }

    fn add(&mut self, path: &Path) -> Result<()> {
        let unreadable = |error: &dyn std::fmt::Display| {
            DataError::bad_file(
                path,
                format!(
                    "not a readable Parquet file ({error}); download it again, or write it with snappy compression"
                ),
            )
        };
        let file = File::open(path).map_err(DataError::io("read", path))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(&error))?;
        let columns = Columns::of(path, builder.schema())?;
        if self.names.is_none() {
            self.names = columns.names.clone();
        }
        for batch in builder.build().map_err(|error| unreadable(&error))? {
            self.add_batch(path, &columns, &batch.map_err(|error| unreadable(&error))?)?;
        }
        Ok(())
    }

    fn add_batch(&mut self, path: &Path, columns: &Columns, batch: &RecordBatch) -> Result<()> {
        let bad = |problem: String| DataError::bad_file(path, problem);
        let pictures = batch
            .column(columns.image)
            .as_struct_opt()
            .and_then(|both| both.column_by_name("bytes"));
        let (Some(pictures), labels) = (pictures, batch.column(columns.label)) else {
            return Err(bad(
                "its picture column cannot be read; write it again with `datasets`".into()
            ));
        };
        for row in 0..batch.num_rows() {
            let name = format!("{} row {}", file_name(path), self.labels.len());
            let (Some(bytes), Some(label)) = (bytes_at(pictures, row), integer_at(labels, row))
            else {
                return Err(bad(format!(
                    "{name} has no picture bytes or no label; embed the pictures, or remove the row"
                )));
            };
            self.pictures.push(Picture::Bytes { name, bytes });
            self.labels.push(label);
        }
        Ok(())
    }
}

/// Which columns matter, and what the classes are called.
struct Columns {
    image: usize,
    label: usize,
    names: Option<Vec<String>>,
}

impl Columns {
    fn of(path: &Path, schema: &Schema) -> Result<Self> {
        let image = schema.fields().iter().position(|field| is_image(field));
        let label = label_column(schema);
        let (Some(image), Some(label)) = (image, label) else {
            let columns: Vec<String> = schema
                .fields()
                .iter()
                .map(|f| format!("{}: {}", f.name(), f.data_type()))
                .collect();
            let problem = format!(
                "needs a column of struct<bytes, path> and an integer column `label`, `fine_label` or `labels` (or only one), but has {}; rename the columns",
                columns.join(", ")
            );
            return Err(DataError::bad_file(path, problem));
        };
        Ok(Self { image, label, names: class_names(schema, schema.field(label).name()) })
    }
}

fn is_image(field: &Field) -> bool {
    match field.data_type() {
        DataType::Struct(parts) => parts.iter().any(|part| part.name() == "bytes"),
        _ => false,
    }
}

fn label_column(schema: &Schema) -> Option<usize> {
    let integers: Vec<usize> =
        (0..schema.fields().len()).filter(|&i| schema.field(i).data_type().is_integer()).collect();
    let named = |name: &&str| integers.iter().copied().find(|&i| schema.field(i).name() == name);
    let known = ["label", "fine_label", "labels"].iter().find_map(named);
    known.or(if let [only] = integers[..] { Some(only) } else { None })
}

/// `info.features.<label>.names` in the JSON that `datasets` leaves in the schema.
fn class_names(schema: &Schema, label: &str) -> Option<Vec<String>> {
    let json: serde_json::Value =
        serde_json::from_str(schema.metadata().get("huggingface")?).ok()?;
    let names = json.get("info")?.get("features")?.get(label)?.get("names")?;
    serde_json::from_value(names.clone()).ok()
}

/// The bytes of a row, unless there are none.
fn bytes_at(column: &dyn Array, row: usize) -> Option<Vec<u8>> {
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

/// The integer of a row, unless there is none.
fn integer_at(column: &dyn Array, row: usize) -> Option<i64> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Int8 => Some(column.as_primitive::<Int8Type>().value(row).into()),
        DataType::Int16 => Some(column.as_primitive::<Int16Type>().value(row).into()),
        DataType::Int32 => Some(column.as_primitive::<Int32Type>().value(row).into()),
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt8 => Some(column.as_primitive::<UInt8Type>().value(row).into()),
        DataType::UInt16 => Some(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::UInt32 => Some(column.as_primitive::<UInt32Type>().value(row).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Names of files and folders as people give them, of splits or not.
    fn name() -> impl Strategy<Value = String> {
        const WORDS: [&str; 9] =
            ["train", "Test", "val", "dev", "training", "data", "0000", "birds", "latest"];
        prop::collection::vec(prop::sample::select(&WORDS[..]), 1..3)
            .prop_map(|words| words.join("-"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Splits are disjoint, every file is in one or noted, and the given folder's own name
        /// changes nothing.
        #[test]
        fn a_file_is_in_one_split_whatever_the_folder_is_called(
            names in prop::collection::btree_set(prop::collection::vec(name(), 1..3), 1..6),
            roots in prop::array::uniform2(name()),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let found = ["a", "b"].iter().zip(&roots).map(|(parent, root)| {
                let root = folder.path().join(parent).join(root);
                for name in &names {
                    let file = root.join(name.join("/") + ".parquet");
                    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
                    std::fs::write(file, "").unwrap();
                }
                let mut notes = ImportNotes::default();
                let relative = |files: Vec<PathBuf>| -> Vec<PathBuf> {
                    files.iter().map(|file| below(&root, file).to_path_buf()).collect()
                };
                SplitFiles::of(&root, &mut notes).ok().map(|files| {
                    let left_out: usize = notes.left_out.iter().map(|entry| entry.count).sum();
                    (relative(files.train), relative(files.test), left_out)
                })
            });
            let found: Vec<_> = found.collect();
            prop_assert_eq!(&found[0], &found[1]);
            if let Some((train, test, left_out)) = &found[0] {
                prop_assert!(train.iter().all(|file| !test.contains(file)));
                prop_assert_eq!(train.len() + test.len() + left_out, names.len());
            }
        }
    }
}
