//! Image data sets as Parquet files, such as those of Hugging Face `datasets`.
//!
//! One column holds encoded pictures, as struct<bytes, path> or as plain bytes, one the labels: whole
//! numbers of any type, texts, dictionaries or booleans. Texts are the names of classes. Numbers get
//! names from the `huggingface` key of the schema metadata (`info.features.<label>.names`); files
//! whose lists of names differ are joined by name. A file belongs to the split that a whole
//! word of its own name says (`train`, `test`, `validation`, `val`, `valid`, `dev`), else of the
//! name of the nearest folder below the one given; the given folder's own name says nothing. Where
//! no name says a split, all files are training files. Files of a split follow each other in path
//! order. A test split without labels is left out. Without a test split validation takes its place;
//! beside one it is left out.
//! Source: <https://huggingface.co/docs/datasets/en/about_dataset_features>.
//! Pictures that are only referred to by path are not followed.

mod columns;
mod labels;
mod split_files;

use super::image_folder::VALIDATION_STANDS_IN;
use super::walk::names;
use super::{class_indices, file_name};
use crate::images::{Labelled, Picture, decode_splits};
use crate::{DataError, ImportNotes, ImportOptions, RawDataset, Result};
use columns::{Columns, bytes_at};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use labels::{FileLabels, Label, Numbering};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use split_files::{SplitFiles, parquet_files};
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What class indices say of an example without a label.
const UNLABELLED: i64 = -1;

/// Whether the path is a Parquet file or a folder with one.
pub(crate) fn detect(path: &Path) -> bool {
    parquet_files(path).is_ok_and(|(files, _)| !files.is_empty())
}

/// What `decode` gives; an error where it panics. The decoder checks most of what it reads and gives up on
/// some of the rest (found by fuzzing): such a file is damaged, no more.
fn guarded<T>(path: &Path, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        let problem = "its decoder gave up on it; download or write it again";
        Err(DataError::bad_file(path, problem))
    })
}

/// Reads all files of all splits.
pub(crate) fn read(
    path: &Path,
    options: &ImportOptions,
    progress: &dyn Progress,
) -> Result<RawDataset> {
    let mut notes = ImportNotes::default();
    let files = SplitFiles::of(path, &mut notes)?;
    let all = [&files.train, &files.test, &files.validation].map(Vec::len).iter().sum::<usize>();
    let count = Count::start(progress, "reading Parquet files", Some(all as u64));
    let mut table = |files: &[PathBuf], training| -> Result<Table> {
        let mut table = Table::default();
        for file in files {
            guarded(file, || table.add(file, training, options, &mut notes))?;
            count.advance(1);
        }
        Ok(table)
    };
    let train = table(&files.train, true)?;
    let mut test = table(&files.test, false)?;
    let unlabelled = !files.test.is_empty() && test.is_unlabelled();
    let stand_in = !files.validation.is_empty() && (files.test.is_empty() || unlabelled);
    let validation = if stand_in { Some(table(&files.validation, false)?) } else { None };
    drop(count);
    if unlabelled {
        leave_out_unlabelled("test", &test, path, &files.test, &mut notes);
        test = Table::default();
    }
    match validation {
        Some(split) if split.is_unlabelled() => {
            leave_out_unlabelled("validation", &split, path, &files.validation, &mut notes);
        }
        Some(split) => {
            notes.decide(VALIDATION_STANDS_IN);
            test = split;
        }
        None => notes.leave_out(
            "Parquet files of the validation split, as there is a test split",
            files.validation.len(),
            names(path, &files.validation),
        ),
    }
    let numbering = Numbering::of(&train.files, &test.files, &mut notes)?;
    let labelled = |name, table: Table| -> Result<Labelled> {
        let labels = numbering.numbers(&table.files)?;
        let labels = class_indices(name, &labels, numbering.classes.len())?;
        Ok(Labelled { pictures: table.pictures, labels })
    };
    let test = if test.files.is_empty() { None } else { Some(labelled("test", test)?) };
    let train = labelled("train", train)?;
    let decoded = decode_splits(train, test, options, progress, &mut notes)?;
    let source = format!("Parquet files from {}", file_name(path));
    Ok(RawDataset::of_pictures(numbering.classes, decoded, source, notes))
}

fn leave_out_unlabelled(
    split: &str,
    table: &Table,
    root: &Path,
    files: &[PathBuf],
    notes: &mut ImportNotes,
) {
    let reason = format!("pictures of the {split} split, whose labels are all -1 or missing");
    notes.leave_out(reason, table.pictures.len(), names(root, files));
}

/// The rows of the files of one split.
#[derive(Default)]
struct Table {
    pictures: Vec<Picture>,
    files: Vec<FileLabels>,
}

impl Table {
    fn is_unlabelled(&self) -> bool {
        let mut labels = self.files.iter().flat_map(|file| &file.labels);
        labels.all(|label| *label == Label::Number(UNLABELLED))
    }

    /// Adds a file; training files need labels.
    fn add(
        &mut self,
        path: &Path,
        training: bool,
        options: &ImportOptions,
        notes: &mut ImportNotes,
    ) -> Result<()> {
        let unreadable = |error: &dyn std::fmt::Display| {
            DataError::bad_file(
                path,
                format!("not a readable Parquet file ({error}); download or write it again"),
            )
        };
        let file = File::open(path).map_err(DataError::io("read", path))?;
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| unreadable(&error))?;
        let columns =
            Columns::of(path, builder.schema(), options.label.as_deref(), training, notes)?;
        let mut labels = FileLabels::new(path, columns.names);
        for batch in builder.build().map_err(|error| unreadable(&error))? {
            let batch = batch.map_err(|error| unreadable(&error))?;
            for row in 0..batch.num_rows() {
                let name = format!("{} row {}", file_name(path), labels.labels.len());
                let bad = |problem: &str| DataError::bad_file(path, format!("{name} {problem}"));
                let Some(bytes) = bytes_at(batch.column(columns.image), row) else {
                    return Err(bad("has no picture bytes; embed the pictures, or remove the row"));
                };
                let label = columns.label.map(|at| Label::at(batch.column(at), row));
                let label = label.transpose().map_err(|problem| bad(&problem))?.flatten();
                if label.is_none() && training {
                    return Err(bad("has no label; fill it in, or remove the row"));
                }
                labels.labels.push(label.unwrap_or(Label::Number(UNLABELLED)));
                self.pictures.push(Picture::Bytes { name, bytes });
            }
        }
        self.files.push(labels);
        Ok(())
    }
}
