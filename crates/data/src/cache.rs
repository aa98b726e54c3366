//! The cache file: one safetensors file for each data set.
//!
//! Tensors: `train.images` and `test.images` (U8, n × height × width × channels), `train.labels`
//! and `test.labels` (U32). Metadata, all strings: `format` (the version below), `name`, `classes`
//! (JSON), `mean` and `std` (JSON), `fingerprint`, `source`, `notes` (JSON: what was left out and
//! decided, and how many test images are training images too; absent in older files).
//! Source of the container: <https://github.com/huggingface/safetensors>. It puts wider types
//! first and pads its header to 8 bytes, so the labels are aligned in a mapped file.
//!
//! Writing goes to a temporary file in the same folder, which is synced and then renamed: a crash
//! or a full disk leaves the old file or none. Two simultaneous imports of one name are not
//! excluded from each other; the last rename wins.

use crate::fingerprint::{Parts, fingerprint};
use crate::home::check_name;
use crate::leftovers;
use crate::moments::channel_moments;
use crate::overlap::overlap;
use crate::{
    DataError, DataHome, Dataset, ImportNotes, ImportOptions, RawDataset, RawSplit, Result,
};
use safetensors::tensor::{Dtype, View};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Version of the layout described above.
pub(crate) const FORMAT_VERSION: &str = "1";

/// What the names of temporary files begin with.
const PREFIX: &str = ".dataset-";

/// Checks a data set and caches it under `name`.
///
/// The same contents under the same name again succeed; the file changes only if what there is to
/// say about the import does. Different contents are refused unless `options.replace` is set.
pub fn write_cache(
    home: &DataHome,
    name: &str,
    dataset: &RawDataset,
    options: &ImportOptions,
) -> Result<Dataset> {
    check_name(name)?;
    dataset.validate(options)?;
    let fingerprint = fingerprint(&parts(dataset));
    let notes = notes(dataset);
    let path = home.path_of(name);
    if let Some(same) = existing(home, name, &path, &fingerprint, options)?
        && same.notes() == notes
    {
        return Ok(same);
    }
    write(&path, dataset, metadata(name, dataset, fingerprint, &notes))?;
    Dataset::open(home, name)
}

/// The data set already cached under the name, if it is the same; an error if it may not be replaced.
fn existing(
    home: &DataHome,
    name: &str,
    path: &Path,
    fingerprint: &str,
    options: &ImportOptions,
) -> Result<Option<Dataset>> {
    if !path.exists() {
        return Ok(None);
    }
    match Dataset::open(home, name) {
        Ok(there) if there.fingerprint() == fingerprint => Ok(Some(there)),
        _ if options.replace => Ok(None),
        Ok(_) => Err(DataError::AlreadyExists { name: name.into(), path: path.into() }),
        Err(error) => Err(error),
    }
}

fn parts(dataset: &RawDataset) -> Parts<'_> {
    fn slices(split: &RawSplit) -> (&[u8], &[u32]) {
        (&split.images, &split.labels)
    }
    Parts {
        classes: &dataset.classes,
        shape: [dataset.height, dataset.width, dataset.channels],
        train: slices(&dataset.train),
        test: dataset.test.as_ref().map(slices),
    }
}

/// The reader's notes, and what can be said of the images themselves.
fn notes(dataset: &RawDataset) -> ImportNotes {
    let Parts { train, test, .. } = parts(dataset);
    let overlap = test.map(|test| overlap(train, test, dataset.image_len()));
    ImportNotes { overlap: Some(overlap.unwrap_or_default()), ..dataset.notes.clone() }
}

fn metadata(
    name: &str,
    dataset: &RawDataset,
    fingerprint: String,
    notes: &ImportNotes,
) -> HashMap<String, String> {
    let (mean, std) = channel_moments(&dataset.train.images, dataset.channels);
    let entries = [
        ("format", FORMAT_VERSION.into()),
        ("name", name.into()),
        ("classes", serde_json::json!(dataset.classes).to_string()),
        ("mean", serde_json::json!(mean).to_string()),
        ("std", serde_json::json!(std).to_string()),
        ("fingerprint", fingerprint),
        ("source", dataset.source.clone()),
        ("notes", serde_json::json!(notes).to_string()),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

fn write(path: &Path, dataset: &RawDataset, metadata: HashMap<String, String>) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let made_folder = !folder.exists();
    std::fs::create_dir_all(folder).map_err(DataError::io("create the folder", folder))?;
    let written = write_aside(path, folder, dataset, metadata);
    if written.is_err() && made_folder {
        // Removes only an empty folder; if that fails too, the first error says more.
        let _ = std::fs::remove_dir(folder);
    }
    written
}

fn write_aside(
    path: &Path,
    folder: &Path,
    dataset: &RawDataset,
    metadata: HashMap<String, String>,
) -> Result<()> {
    leftovers::sweep(folder, PREFIX);
    let aside = tempfile::Builder::new()
        .prefix(PREFIX)
        .tempfile_in(folder)
        .map_err(DataError::io("write to the folder", folder))?;
    safetensors::serialize_to_file(tensors(dataset), Some(metadata), aside.path())
        .map_err(|error| DataError::io("write", path)(into_io(error)))?;
    aside.as_file().sync_all().map_err(DataError::io("write", path))?;
    share(aside.path()).map_err(DataError::io("write", path))?;
    aside.persist(path).map_err(|error| DataError::io("write", path)(error.error))?;
    sync_folder(folder)
}

fn into_io(error: safetensors::SafeTensorError) -> std::io::Error {
    match error {
        safetensors::SafeTensorError::IoError(error) => error,
        other => std::io::Error::other(other),
    }
}

/// Temporary files are private to their owner; a data set is for everyone who may see the folder.
#[cfg(unix)]
pub(crate) fn share(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(crate) fn share(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Makes the rename itself durable. Other systems than Unix cannot sync a folder.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(DataError::io("sync", folder))?;
    }
    Ok(())
}

fn tensors(dataset: &RawDataset) -> Vec<(String, Tensor<'_>)> {
    let splits = [("train", Some(&dataset.train)), ("test", dataset.test.as_ref())];
    let present = splits.into_iter().filter_map(|(name, split)| Some((name, split?)));
    present
        .flat_map(|(name, split)| {
            [
                (format!("{name}.images"), Tensor::images(dataset, split)),
                (format!("{name}.labels"), Tensor::labels(split)),
            ]
        })
        .collect()
}

struct Tensor<'a> {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Cow<'a, [u8]>,
}

impl<'a> Tensor<'a> {
    fn images(dataset: &RawDataset, split: &'a RawSplit) -> Self {
        let shape = vec![split.labels.len(), dataset.height, dataset.width, dataset.channels];
        Self { dtype: Dtype::U8, shape, data: Cow::Borrowed(&split.images) }
    }

    fn labels(split: &RawSplit) -> Self {
        let data = split.labels.iter().flat_map(|label| label.to_le_bytes()).collect();
        Self { dtype: Dtype::U32, shape: vec![split.labels.len()], data: Cow::Owned(data) }
    }
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.data)
    }
    fn data_len(&self) -> usize {
        self.data.len()
    }
}
