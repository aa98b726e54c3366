//! Writing part of a data set as a data set of its own, in a format that others read: a folder of
//! pictures, Parquet in the layout of Hugging Face `datasets`, or one safetensors file.
//!
//! The training split holds the chosen examples, in the order given; the test split stays whole.
//! Where the format has room for it, the ids in the full training set go along. Nothing that is
//! there already is written over. Labels are those of the data set.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, StructArray};
use arrow_schema::{DataType, Field, Fields, Schema};
use image::{ExtendedColorType, ImageEncoder};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rayon::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use crate::cache::{share, sync_folder};
use crate::readers::class_folders::ClassFolder;
use crate::readers::classes::Classes;
use crate::readers::image_folder::Layout;
use crate::readers::walk::below;
use crate::{DataError, Dataset, ImportNotes, Result, Split};

/// Pictures in a row group of Parquet: some megabytes.
const ROWS: usize = 1000;

/// Writes `train/CLASS/ID.png` and `test/CLASS/ID.png` below `to`, and `classes.csv`, which says
/// which folder is which class in their order. The sorted folders are in this order too.
///
/// # Errors
/// When there is something at `to`, or it cannot be written.
pub fn image_folder(dataset: &Dataset, ids: &[usize], to: &Path) -> Result<()> {
    let classes = folder_names(dataset.classes());
    make_folder(to, |folder| {
        Classes::write(folder, &classes, dataset.classes())?;
        let write = |split: Split<'_>, name: &str, ids: &[usize]| -> Result<()> {
            let split_folder = folder.join(name);
            for class in &classes {
                create(&split_folder.join(class))?;
            }
            ids.par_iter().try_for_each(|&id| {
                let class = &classes[split.labels[id] as usize];
                let file = split_folder.join(class).join(format!("{id:06}.png"));
                let picture = png(dataset, split.image(id));
                std::fs::write(&file, picture).map_err(DataError::io("write", &file))
            })
        };
        write(dataset.train(), "train", ids)?;
        match dataset.test() {
            None => Ok(()),
            Some(test) => write(test, "test", &(0..test.len()).collect::<Vec<_>>()),
        }
    })
}

/// As [`image_folder`], with the files of the folder `from` that the data set was imported from:
/// hard links where the file system has them, else copies.
///
/// # Errors
/// As [`image_folder`]; also when `from` is not the folder that the data set came from.
pub fn linked_folder(dataset: &Dataset, ids: &[usize], from: &Path, to: &Path) -> Result<()> {
    let Layout { train, test, classes } = Layout::of(from, &mut ImportNotes::default())?;
    let files = files(&train);
    let test = test.unwrap_or_default();
    let test_files = self::files(&test);
    check_origin(dataset, &classes, [&files, &test_files], from)?;
    make_folder(to, |folder| {
        Classes::write(folder, &classes.folders, &classes.names)?;
        // Empty ones too: a class that lost all its examples is a class still.
        for class in &classes.folders {
            create(&folder.join("train").join(class))?;
        }
        ids.iter().try_for_each(|&id| link(files[id], &folder.join("train")))?;
        test_files.into_iter().try_for_each(|file| link(file, &folder.join("test")))
    })
}

/// Writes `train.parquet` and `test.parquet` below `to`: `image` (encoded as PNG), `label`, and, for
/// training, `id`.
///
/// # Errors
/// As [`image_folder`].
pub fn parquet(dataset: &Dataset, ids: &[usize], to: &Path) -> Result<()> {
    make_folder(to, |folder| {
        write_parquet(dataset, dataset.train(), ids, &folder.join("train.parquet"))?;
        match dataset.test() {
            None => Ok(()),
            Some(test) => {
                let all: Vec<usize> = (0..test.len()).collect();
                write_parquet(dataset, test, &all, &folder.join("test.parquet"))
            }
        }
    })
}

/// Writes `train.images`, `train.labels`, `train.ids` and, where there is a test split,
/// `test.images` and `test.labels`; class names are in the metadata.
///
/// # Errors
/// As [`image_folder`].
pub fn safetensors(dataset: &Dataset, ids: &[usize], to: &Path) -> Result<()> {
    refuse_existing(to)?;
    let train = dataset.train();
    let images: Vec<u8> = ids.iter().flat_map(|&id| train.image(id)).copied().collect();
    let words = |values: &mut dyn Iterator<Item = u32>| -> Vec<u8> {
        values.flat_map(u32::to_le_bytes).collect()
    };
    let labels = words(&mut ids.iter().map(|&id| train.labels[id]));
    let numbers = words(&mut ids.iter().map(|&id| id as u32));
    let test_labels = dataset.test().map(|test| words(&mut test.labels.iter().copied()));
    let shape = |count| vec![count, dataset.height(), dataset.width(), dataset.channels()];
    let view = |dtype, shape, data| TensorView::new(dtype, shape, data).map_err(into_bug);
    let mut tensors = vec![
        ("train.images", view(Dtype::U8, shape(ids.len()), &images)?),
        ("train.labels", view(Dtype::U32, vec![ids.len()], &labels)?),
        ("train.ids", view(Dtype::U32, vec![ids.len()], &numbers)?),
    ];
    if let (Some(test), Some(labels)) = (dataset.test(), &test_labels) {
        tensors.push(("test.images", view(Dtype::U8, shape(test.len()), test.images)?));
        tensors.push(("test.labels", view(Dtype::U32, vec![test.len()], labels)?));
    }
    let metadata = HashMap::from([
        ("classes".to_owned(), serde_json::json!(dataset.classes()).to_string()),
        ("source".to_owned(), origin(dataset, ids)),
    ]);
    let parent = parent_of(to)?;
    let aside =
        tempfile::NamedTempFile::new_in(&parent).map_err(DataError::io("write to", &parent))?;
    safetensors::serialize_to_file(tensors, Some(metadata), aside.path()).map_err(into_bug)?;
    aside.as_file().sync_all().map_err(DataError::io("write", to))?;
    share(aside.path()).map_err(DataError::io("share", to))?;
    aside.persist(to).map_err(|error| DataError::io("write", to)(error.error))?;
    sync_folder(&parent)
}

fn into_bug(error: safetensors::SafeTensorError) -> DataError {
    DataError::Inconsistent { what: error.to_string() }
}

fn origin(dataset: &Dataset, ids: &[usize]) -> String {
    let (kept, all) = (ids.len(), dataset.train().len());
    format!("{kept} of the {all} training examples of {}; {}", dataset.name(), dataset.source())
}

/// Names of folders for classes, all different, whose sorted order is that of the classes: others
/// number sorted folders. The classes' own names where they are fit for that; numbers with as many
/// digits; else the number of each class goes before its name.
fn folder_names(classes: &[String]) -> Vec<String> {
    let plain: Vec<String> = classes.iter().map(|name| safe(name)).collect();
    let width = classes.len().saturating_sub(1).to_string().len();
    let padded: Vec<String> = (0..classes.len()).map(|class| format!("{class:0width$}")).collect();
    // Some file systems hold names that differ in case alone for one.
    let different: HashSet<String> = plain.iter().map(|name| name.to_lowercase()).collect();
    if different.len() == plain.len() && plain.is_sorted() {
        plain
    } else if plain.iter().zip(0_usize..).all(|(name, class)| *name == format!("{class}")) {
        padded
    } else {
        padded.iter().zip(plain).map(|(number, name)| format!("{number}-{name}")).collect()
    }
}

/// A name as a folder on every system: characters that some refuse are replaced.
fn safe(name: &str) -> String {
    const LONGEST: usize = 80;
    const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
    let fits = |c: char| !c.is_control() && !r#"/\:*?"<>|"#.contains(c);
    let mut safe: String =
        name.chars().take(LONGEST).map(|c| if fits(c) { c } else { '_' }).collect();
    safe.truncate(safe.trim_end_matches([' ', '.']).len());
    let stem = safe.split('.').next().unwrap_or_default().to_lowercase();
    let is_device = DEVICES.contains(&&*stem)
        || ["com", "lpt"]
            .iter()
            .any(|port| stem.strip_prefix(port).is_some_and(|number| number.len() == 1));
    if safe.is_empty() || safe.starts_with('.') || is_device { format!("_{safe}") } else { safe }
}

fn png(dataset: &Dataset, pixels: &[u8]) -> Vec<u8> {
    let colour =
        if dataset.channels() == 1 { ExtendedColorType::L8 } else { ExtendedColorType::Rgb8 };
    let (width, height) = (dataset.width() as u32, dataset.height() as u32);
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes)
        .write_image(pixels, width, height, colour)
        .expect("a checked image fits its own shape, and memory does not fail");
    bytes
}

fn refuse_existing(to: &Path) -> Result<()> {
    if to.exists() {
        return Err(DataError::io("write", to)(std::io::Error::new(
            std::io::ErrorKind::AlreadyExists,
            "there is something of that name; remove it or choose another",
        )));
    }
    Ok(())
}

fn parent_of(to: &Path) -> Result<PathBuf> {
    let parent = match to.parent() {
        Some(parent) if parent != Path::new("") => parent.to_path_buf(),
        _ => PathBuf::from("."),
    };
    std::fs::create_dir_all(&parent).map_err(DataError::io("create", &parent))?;
    Ok(parent)
}

/// Fills a folder aside and gives it its name when it is whole.
fn make_folder(to: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    refuse_existing(to)?;
    let parent = parent_of(to)?;
    let aside = tempfile::Builder::new()
        .prefix(".export-")
        .tempdir_in(&parent)
        .map_err(DataError::io("write to", &parent))?;
    fill(aside.path())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let shared = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(aside.path(), shared).map_err(DataError::io("share", to))?;
    }
    let aside = aside.keep();
    std::fs::rename(&aside, to).map_err(DataError::io("write", to))
}

/// Every picture with its class folder, in the order of example ids.
fn files(folders: &[ClassFolder]) -> Vec<(&ClassFolder, &Path)> {
    folders
        .iter()
        .flat_map(|class| class.pictures.iter().map(move |file| (class, file.as_path())))
        .collect()
}

fn check_origin(
    dataset: &Dataset,
    classes: &Classes,
    splits: [&[(&ClassFolder, &Path)]; 2],
    from: &Path,
) -> Result<()> {
    let test = dataset.test().map_or(&[][..], |split| split.labels);
    let same = |(files, labels): (&[(&ClassFolder, &Path)], &[u32])| {
        let found = files.iter().map(|(class, _)| classes.of_folder(&class.name));
        found.eq(labels.iter().map(|&label| Some(label as usize)))
    };
    let mut splits = splits.into_iter().zip([dataset.train().labels, test]);
    if classes.names == dataset.classes() && splits.all(same) {
        return Ok(());
    }
    let problem = format!(
        "this is not the folder that {} was imported from: its pictures and classes differ",
        dataset.name()
    );
    Err(DataError::bad_file(from, problem))
}

fn create(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(DataError::io("create", folder))
}

/// Links a picture to its place below its class in another folder.
fn link((class, file): (&ClassFolder, &Path), folder: &Path) -> Result<()> {
    let to = folder.join(&class.name).join(below(&class.path, file));
    create(to.parent().unwrap_or(folder))?;
    // The picture itself, not a symbolic link that would lead nowhere from here.
    let picture = std::fs::canonicalize(file).map_err(DataError::io("read", file))?;
    let linked = std::fs::hard_link(&picture, &to);
    let linked = linked.or_else(|_| std::fs::copy(&picture, &to).map(drop));
    linked.map_err(DataError::io("link or copy to", &to))
}

fn write_parquet(dataset: &Dataset, split: Split<'_>, ids: &[usize], to: &Path) -> Result<()> {
    let picture = Fields::from(vec![
        Field::new("bytes", DataType::Binary, false),
        Field::new("path", DataType::Utf8, false),
    ]);
    let schema = Schema::new(vec![
        Field::new("image", DataType::Struct(picture.clone()), false),
        Field::new("label", DataType::Int64, false),
        Field::new("id", DataType::Int64, false),
    ]);
    let schema = Arc::new(schema.with_metadata(features(dataset)));
    let file = std::fs::File::create(to).map_err(DataError::io("write", to))?;
    let failed = |error: parquet::errors::ParquetError| {
        DataError::io("write", to)(std::io::Error::other(error))
    };
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer =
        ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(failed)?;
    for ids in ids.chunks(ROWS) {
        let pictures: Vec<Vec<u8>> =
            ids.par_iter().map(|&id| png(dataset, split.image(id))).collect();
        let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(pictures));
        let paths = ids.iter().map(|id| format!("{id:06}.png"));
        let paths: ArrayRef = Arc::new(StringArray::from_iter_values(paths));
        let labels = ids.iter().map(|&id| i64::from(split.labels[id]));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StructArray::new(picture.clone(), vec![bytes, paths], None)),
            Arc::new(Int64Array::from_iter_values(labels)),
            Arc::new(Int64Array::from_iter_values(ids.iter().map(|&id| id as i64))),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns)
            .map_err(|error| DataError::Inconsistent { what: error.to_string() })?;
        writer.write(&batch).map_err(failed)?;
    }
    writer.close().map_err(failed)?;
    Ok(())
}

/// What Hugging Face `datasets` reads class names from.
fn features(dataset: &Dataset) -> HashMap<String, String> {
    let features = serde_json::json!({ "info": { "features": {
        "image": { "_type": "Image" },
        "label": { "names": dataset.classes(), "_type": "ClassLabel" },
        "id": { "dtype": "int64", "_type": "Value" },
    }}});
    HashMap::from([("huggingface".to_owned(), features.to_string())])
}
