//! Small pictures of one value each, as files and in Parquet, and what was read of them.

use crate::support::write_files;
use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch};
use datadiet_data::{RawDataset, RawSplit};
use parquet::arrow::ArrowWriter;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

/// A Parquet file of any columns; with `names`, those that `datasets` gives the column `label`.
pub fn write_columns(path: &Path, columns: Vec<(&str, ArrayRef)>, names: Option<&[&str]>) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let metadata = names.map(|names| {
        let label = serde_json::json!({"names": names, "_type": "ClassLabel"});
        let features = serde_json::json!({"info": {"features": {"label": label}}});
        ("huggingface".to_owned(), features.to_string())
    });
    let schema = batch
        .schema()
        .as_ref()
        .clone()
        .with_metadata(metadata.into_iter().collect::<HashMap<_, _>>());
    let batch = batch.with_schema(Arc::new(schema)).unwrap();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Encoded pictures as a column of plain bytes.
pub fn bytes_column(pictures: &[Vec<u8>]) -> ArrayRef {
    Arc::new(BinaryArray::from_iter_values(pictures))
}

/// A Parquet file of encoded pictures with labels.
pub fn write_labelled_parquet(path: &Path, pictures: &[Vec<u8>], labels: &[i64]) {
    let labels: ArrayRef = Arc::new(Int64Array::from(labels.to_vec()));
    write_columns(path, vec![("image", bytes_column(pictures)), ("label", labels)], None);
}

/// A small grey picture of one value, as PNG.
pub fn flat_png(value: u8) -> Vec<u8> {
    let picture = image::GrayImage::from_pixel(2, 2, image::Luma([value]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// The one value of each of these pictures.
pub fn values(split: &RawSplit) -> Vec<u8> {
    split.images.chunks_exact(4).map(|image| image[0]).collect()
}

/// Files of flat pictures: names and values.
pub fn write_flat(folder: &Path, files: &[(&str, u8)]) {
    let files: Vec<_> =
        files.iter().map(|&(name, value)| (name.to_owned(), flat_png(value))).collect();
    write_files(folder, &files);
}

/// Class names of a split's labels.
pub fn classes_of<'a>(dataset: &'a RawDataset, split: &RawSplit) -> Vec<&'a str> {
    split.labels.iter().map(|&label| &*dataset.classes[label as usize]).collect()
}

/// Reasons and numbers of what was left out.
pub fn left_out(dataset: &RawDataset) -> Vec<(&str, usize)> {
    dataset.notes.left_out.iter().map(|entry| (&*entry.reason, entry.count)).collect()
}
