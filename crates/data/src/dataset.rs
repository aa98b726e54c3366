//! An imported data set, mapped into memory.
//!
//! Pages are shared between all processes that open the same file. Opening checks the header and
//! the length, not every byte; [`Dataset::verify`] does that. The layout is described in `cache.rs`.

use crate::cache::FORMAT_VERSION;
use crate::fingerprint::{Parts, fingerprint};
use crate::overlap::overlap;
use crate::{DataError, DataHome, ImportNotes, Result, checksum};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::HashMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// An imported data set. Cheap to open; keeps its file mapped while it lives.
#[derive(Debug)]
pub struct Dataset {
    map: Mmap,
    path: PathBuf,
    name: String,
    fingerprint: String,
    source: String,
    classes: Vec<String>,
    /// Height, width, channels.
    shape: [usize; 3],
    mean: Vec<f32>,
    std: Vec<f32>,
    notes: ImportNotes,
    train: Place,
    test: Option<Place>,
}

/// The examples of one split.
#[derive(Debug, Clone, Copy)]
pub struct Split<'a> {
    /// n × height × width × channels bytes.
    pub images: &'a [u8],
    /// One class index for each image.
    pub labels: &'a [u32],
    image_len: usize,
}

impl<'a> Split<'a> {
    /// Number of examples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The height × width × channels bytes of image `i`. Panics if there are not that many.
    pub fn image(&self, i: usize) -> &'a [u8] {
        &self.images[i * self.image_len..(i + 1) * self.image_len]
    }
}

/// Where a split lies in the mapped file.
#[derive(Debug)]
struct Place {
    images: Range<usize>,
    labels: Labels,
}

/// Labels are used in place where the map is aligned and little-endian, else copied once.
#[derive(Debug)]
enum Labels {
    Mapped(Range<usize>),
    Copied(Vec<u32>),
}

impl Dataset {
    /// Opens the data set imported as `name`.
    pub fn open(home: &DataHome, name: &str) -> Result<Self> {
        crate::home::check_name(name)?;
        let path = home.path_of(name);
        if !path.is_file() {
            return Err(home.unknown(name));
        }
        let file = std::fs::File::open(&path).map_err(DataError::io("read", &path))?;
        // SAFETY: cache files are never changed in place: importing writes another file and
        // renames it over this one, so the mapped inode keeps its length and bytes.
        let map = unsafe { Mmap::map(&file) }.map_err(DataError::io("read", &path))?;
        Self::from_map(map, path, name)
    }

    fn from_map(map: Mmap, path: PathBuf, name: &str) -> Result<Self> {
        let header = Header::read(&map, &path)?;
        let tensors = SafeTensors::deserialize(&map).map_err(|error| damaged(&path, error))?;
        let (train, shape) = place(&map, &path, &tensors, "train")?;
        let test = match tensors.names().contains(&"test.images") {
            true => Some(place(&map, &path, &tensors, "test")?),
            false => None,
        };
        if test.as_ref().is_some_and(|(_, other)| *other != shape) {
            return Err(damaged(&path, "train and test images differ in shape"));
        }
        if header.mean.len() != shape[2] || header.std.len() != shape[2] {
            return Err(damaged(&path, "mean and std do not fit the channels"));
        }
        Ok(Self {
            name: name.to_owned(),
            fingerprint: header.fingerprint,
            source: header.source,
            classes: header.classes,
            mean: header.mean,
            std: header.std,
            notes: header.notes,
            shape,
            train,
            test: test.map(|(place, _)| place),
            map,
            path,
        })
    }

    /// The name under which it was opened.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cache file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hexadecimal SHA-256 of shape, class names, images and labels, as recorded at import.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Where the data came from, in words.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Names of the classes; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Rows of an image.
    pub fn height(&self) -> usize {
        self.shape[0]
    }

    /// Columns of an image.
    pub fn width(&self) -> usize {
        self.shape[1]
    }

    /// 1 (grey) or 3 (red, green, blue).
    pub fn channels(&self) -> usize {
        self.shape[2]
    }

    /// Mean of each channel of the training split, in units of [0, 1].
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// Population standard deviation of each channel of the training split, in units of [0, 1].
    pub fn std(&self) -> &[f32] {
        &self.std
    }

    /// What was left out and decided at import. For a file of an earlier version, which has no
    /// notes, test images among the training images are counted here.
    pub fn notes(&self) -> ImportNotes {
        let count = || {
            let (train, test) = (self.train(), self.test()?);
            let len = self.shape.iter().product();
            Some(overlap((train.images, train.labels), (test.images, test.labels), len))
        };
        let found = self.notes.overlap.unwrap_or_else(|| count().unwrap_or_default());
        ImportNotes { overlap: Some(found), ..self.notes.clone() }
    }

    /// The training examples; their position is their example id.
    pub fn train(&self) -> Split<'_> {
        self.split(&self.train)
    }

    /// The held-out examples, where there are any.
    pub fn test(&self) -> Option<Split<'_>> {
        self.test.as_ref().map(|place| self.split(place))
    }

    /// Reads every byte and compares with the recorded fingerprint.
    pub fn verify(&self) -> Result<()> {
        let train = self.train();
        let found = fingerprint(&Parts {
            classes: &self.classes,
            shape: self.shape,
            train: (train.images, train.labels),
            test: self.test().map(|test| (test.images, test.labels)),
        });
        let what = self.path.display().to_string();
        checksum::expect(&what, "SHA-256", &self.fingerprint, found)
    }

    fn split<'a>(&'a self, place: &'a Place) -> Split<'a> {
        let labels = match &place.labels {
            Labels::Copied(labels) => labels,
            Labels::Mapped(range) => bytemuck::cast_slice(&self.map[range.clone()]),
        };
        Split {
            images: &self.map[place.images.clone()],
            labels,
            image_len: self.shape.iter().product(),
        }
    }
}

/// The metadata strings, parsed.
struct Header {
    fingerprint: String,
    source: String,
    classes: Vec<String>,
    mean: Vec<f32>,
    std: Vec<f32>,
    notes: ImportNotes,
}

impl Header {
    fn read(map: &[u8], path: &Path) -> Result<Self> {
        let (_, metadata) =
            SafeTensors::read_metadata(map).map_err(|error| damaged(path, error))?;
        let empty = HashMap::new();
        let strings = metadata.metadata().as_ref().unwrap_or(&empty);
        let get = |key: &str| {
            strings
                .get(key)
                .cloned()
                .ok_or_else(|| damaged(path, format!("its header has no `{key}`")))
        };
        let version = get("format")?;
        if version != FORMAT_VERSION {
            return Err(DataError::CacheVersion {
                path: path.into(),
                found: version,
                expected: FORMAT_VERSION,
            });
        }
        Ok(Self {
            fingerprint: get("fingerprint")?,
            source: get("source")?,
            classes: json(path, "classes", &get("classes")?)?,
            mean: json(path, "mean", &get("mean")?)?,
            std: json(path, "std", &get("std")?)?,
            notes: match strings.get("notes") {
                Some(text) => json(path, "notes", text)?,
                None => ImportNotes::default(),
            },
        })
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path, key: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| damaged(path, format!("`{key}` in its header: {error}")))
}

/// Finds one split and checks that its tensors have the right types and fit together.
fn place(
    map: &[u8],
    path: &Path,
    tensors: &SafeTensors<'_>,
    split: &str,
) -> Result<(Place, [usize; 3])> {
    let images = typed(path, tensors, &format!("{split}.images"), Dtype::U8)?;
    let labels = typed(path, tensors, &format!("{split}.labels"), Dtype::U32)?;
    let &[n, height, width, channels] = images.shape() else {
        return Err(damaged(path, format!("{split}.images has not four dimensions")));
    };
    if labels.shape() != [n] {
        return Err(damaged(
            path,
            format!("{split} has {n} images and {:?} labels", labels.shape()),
        ));
    }
    let place = Place { images: range(map, images.data()), labels: labels_of(map, labels.data()) };
    Ok((place, [height, width, channels]))
}

fn typed<'a>(
    path: &Path,
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
) -> Result<TensorView<'a>> {
    let tensor = tensors.tensor(name).map_err(|error| damaged(path, error))?;
    if tensor.dtype() != dtype {
        return Err(damaged(path, format!("{name} has type {}, expected {dtype}", tensor.dtype())));
    }
    Ok(tensor)
}

/// Where a sub-slice lies in the map.
fn range(map: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - map.as_ptr().addr();
    start..start + part.len()
}

fn labels_of(map: &[u8], bytes: &[u8]) -> Labels {
    let in_place =
        cfg!(target_endian = "little") && bytemuck::try_cast_slice::<u8, u32>(bytes).is_ok();
    if in_place {
        return Labels::Mapped(range(map, bytes));
    }
    let words =
        bytes.chunks_exact(4).map(|word| u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
    Labels::Copied(words.collect())
}

fn damaged(path: &Path, problem: impl ToString) -> DataError {
    DataError::DamagedCache { path: path.into(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_out_of_alignment_are_copied() {
        let words: Vec<u32> = vec![0x0100_0000, 0x0200_0000, 0];
        let bytes: &[u8] = bytemuck::cast_slice(&words);
        let Labels::Copied(labels) = labels_of(bytes, &bytes[3..11]) else {
            panic!("expected a copy")
        };
        assert_eq!(labels, [1, 2]);
        assert!(
            matches!(labels_of(bytes, &bytes[4..12]), Labels::Mapped(range) if range == (4..12))
        );
    }

    #[test]
    fn can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Dataset>();
    }
}
