//! NumPy arrays: a folder of `.npy` files, or one `.npz`.
//!
//! Images `x_train` and optionally `x_test`: uint8, n × h × w, n × h × w × c or n × c × h × w with
//! one or three channels (where both readings fit, channels last); in row-major or column-major
//! order. Labels `y_train`, `y_test`: any integers, or floats that are whole, n or n × 1; a test split
//! whose labels are all -1 is left out. The names `train_images`, `train_labels`, … are taken too.
//! The path may also be that of the file `x_train.npy`. Class names come from `classes.txt` in the
//! folder, one a line, else they are numbers.
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.
//! Object arrays (pickles) are never read; floats are refused, since their scale is unknown.

use super::{CLASSES, class_indices, class_names, file_name, leave_out_others, numbered_classes};
use crate::{DataError, ImportNotes, RawDataset, RawSplit, Result};
use datadiet_arrays::{Array, ArrayError, Class};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use std::cell::RefCell;
use std::path::{Path, PathBuf};

/// Names of images and labels of a split, preferred ones first.
const TRAIN: [[&str; 2]; 2] = [["x_train", "y_train"], ["train_images", "train_labels"]];
const TEST: [[&str; 2]; 2] = [["x_test", "y_test"], ["test_images", "test_labels"]];

/// Whether the path is an `.npz` or has training images as `.npy`.
pub(crate) fn detect(path: &Path) -> bool {
    let has = |names: &[&str; 2]| folder_of(path).join(format!("{}.npy", names[0])).is_file();
    is_npz(path) || (path.is_dir() || is_npy(path)) && TRAIN.iter().any(has)
}

fn is_npz(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "npz")
}

fn is_npy(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension == "npy")
}

fn folder_of(path: &Path) -> &Path {
    if path.is_dir() { path } else { path.parent().unwrap_or(Path::new(".")) }
}

/// Reads the arrays.
pub(crate) fn read(path: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    let count = Count::start(progress, "reading NumPy arrays", Some(4));
    let train = split(path, TRAIN, &count)?;
    let Some(train) = train else {
        let problem =
            "there is no x_train and y_train; save them with np.save or np.savez under these names";
        return Err(DataError::bad_file(path, problem));
    };
    let mut notes = ImportNotes::default();
    let mut test = split(path, TEST, &count)?;
    if let Some(unlabelled) = test.take_if(|test| test.labels.iter().all(|&label| label == -1)) {
        let reason = "images of the test split, whose labels are all -1";
        notes.leave_out(reason, unlabelled.labels.len(), []);
    }
    leave_out(path, &mut notes)?;
    let [height, width, channels] = train.images.shape;
    if test.as_ref().is_some_and(|test| test.images.shape != train.images.shape) {
        let what = format!("training and test images in {} differ in shape", file_name(path));
        return Err(DataError::Inconsistent { what });
    }
    let labels: Vec<&[i64]> =
        [Some(&train), test.as_ref()].into_iter().flatten().map(|s| s.labels.as_slice()).collect();
    let classes = if is_npz(path) {
        numbered_classes(&labels)?
    } else {
        class_names(folder_of(path), &labels)?
    };
    let raw = |name, split: NpySplit| -> Result<RawSplit> {
        Ok(RawSplit {
            labels: class_indices(name, &split.labels, classes.len())?,
            images: split.images.bytes,
        })
    };
    let train = raw("train", train)?;
    let test = test.map(|test| raw("test", test)).transpose()?;
    let source = format!("NumPy arrays from {}", file_name(path));
    Ok(RawDataset { classes, height, width, channels, train, test, source, notes })
}

/// Whether an array is one that is read; of two names for one thing, the preferred one is.
fn is_used(all: &[String], name: &str) -> bool {
    let has = |wanted: &str| all.iter().any(|found| found == wanted);
    [TRAIN, TEST].iter().any(|names| {
        let chosen = names.iter().find(|pair| has(pair[0]));
        chosen.is_some_and(|pair| pair.contains(&name))
    })
}

/// Notes arrays, or files of a folder, that are not read.
fn leave_out(path: &Path, notes: &mut ImportNotes) -> Result<()> {
    if path.is_dir() {
        let all = super::walk::entries(path)?.files;
        let all: Vec<String> = all
            .iter()
            .filter_map(|file| Some(file_name(file).strip_suffix(".npy")?.to_owned()))
            .collect();
        let used = |name: &str| {
            name == CLASSES || name.strip_suffix(".npy").is_some_and(|name| is_used(&all, name))
        };
        return leave_out_others(path, used, notes);
    }
    if is_npz(path) {
        // Those that cannot be read are told to this function alone.
        let unread = RefCell::new(Vec::new());
        let note = |name: &str| {
            unread.borrow_mut().push(name.to_owned());
            false
        };
        let opened = datadiet_arrays::open(path, &note);
        let arrays = opened.and_then(std::result::Result::ok);
        let all = arrays.iter().flat_map(|file| file.arrays());
        let mut all: Vec<String> = all.map(|array| array.name.clone()).collect();
        all.extend(unread.into_inner());
        let others: Vec<String> = all.iter().filter(|name| !is_used(&all, name)).cloned().collect();
        notes.leave_out("other arrays", others.len(), others);
    }
    Ok(())
}

struct NpySplit {
    images: Images,
    labels: Vec<i64>,
}

struct Images {
    /// Height, width, channels.
    shape: [usize; 3],
    bytes: Vec<u8>,
}

fn split(path: &Path, names: [[&str; 2]; 2], count: &Count<'_>) -> Result<Option<NpySplit>> {
    for [images, labels] in names {
        if let Some(images) = array(path, images)? {
            count.advance(1);
            let Some(labels) = array(path, labels)? else {
                return Err(DataError::bad_file(
                    path,
                    format!("there are images but no {labels}; save the labels too"),
                ));
            };
            count.advance(1);
            return Ok(Some(NpySplit {
                images: images.into_images()?,
                labels: labels.into_labels()?,
            }));
        }
    }
    Ok(None)
}

/// One array as it was saved, row-major.
struct Stored {
    /// The file, with the name of the array for an `.npz`.
    place: PathBuf,
    array: Array,
    bytes: Vec<u8>,
}

fn array(path: &Path, name: &str) -> Result<Option<Stored>> {
    let place = if is_npz(path) {
        path.join(name)
    } else {
        let place = folder_of(path).join(format!("{name}.npy"));
        if !place.is_file() {
            return Ok(None);
        }
        place
    };
    let bad = |error: ArrayError| match error {
        ArrayError::Io(cause) if cause.kind() != std::io::ErrorKind::UnexpectedEof => {
            DataError::io("read", &place)(cause)
        }
        ArrayError::Io(_) => DataError::Truncated {
            path: place.clone(),
            problem: "it ends before its header says".into(),
        },
        other => DataError::bad_file(&place, other.to_string()),
    };
    let file = if is_npz(path) { path } else { &place };
    let opened = datadiet_arrays::open(file, &|found| found == name);
    let Some(opened) = opened else { return Ok(None) };
    let opened = opened.map_err(bad)?;
    let arrays = opened.arrays();
    // An `.npy` holds one array, whose name is the file's; a structured one holds its fields.
    let Some(at) = arrays.iter().position(|array| array.name == name) else {
        let refused = "it is a structured array; save images and labels as plain arrays";
        return if is_npz(path) { Ok(None) } else { Err(DataError::bad_file(&place, refused)) };
    };
    let bytes = opened.read_all(at).map_err(bad)?;
    Ok(Some(Stored { array: arrays[at].clone(), bytes, place }))
}

impl Stored {
    fn into_images(self) -> Result<Images> {
        let element = self.array.element;
        if (element.class, element.size) != (Class::Unsigned, 1) {
            let problem = format!(
                "images are {element}, expected uint8; scale to 0..255 and save array.astype(np.uint8)"
            );
            return Err(DataError::BadFile { path: self.place, problem });
        }
        let side = |side: u64| side as usize;
        match self.array.shape[..] {
            [_, h, w] => Ok(Images { shape: [h, w, 1].map(side), bytes: self.bytes }),
            [_, h, w, c @ (1 | 3)] => Ok(Images { shape: [h, w, c].map(side), bytes: self.bytes }),
            [_, c @ (1 | 3), h, w] => Ok(Images {
                shape: [h, w, c].map(side),
                bytes: channels_last(&self.bytes, side(c), side(h * w)),
            }),
            _ => {
                let problem = format!(
                    "images have shape {}, expected n x h x w, n x h x w x c or n x c x h x w with 1 or 3 channels",
                    self.array.shape_text()
                );
                Err(DataError::BadFile { path: self.place, problem })
            }
        }
    }

    fn into_labels(mut self) -> Result<Vec<i64>> {
        let element = self.array.element;
        if !matches!(self.array.shape[..], [_] | [_, 1]) {
            let problem = format!(
                "labels have shape {}, expected one class index an image; save onehot.argmax(1)",
                self.array.shape_text()
            );
            return Err(DataError::BadFile { path: self.place, problem });
        }
        let labels = if element.is_float() {
            let whole = |value: f64| (value.fract() == 0.0).then_some(value as i64);
            element.numbers(&mut self.bytes).into_iter().map(whole).collect()
        } else {
            element.integers(&mut self.bytes)
        };
        labels.ok_or_else(|| {
            let problem = format!(
                "labels are {element}, expected whole numbers; save labels.astype(np.int64)"
            );
            DataError::BadFile { path: self.place, problem }
        })
    }
}

/// Planes to pixels, image by image.
fn channels_last(bytes: &[u8], channels: usize, plane: usize) -> Vec<u8> {
    let images = bytes.chunks_exact((channels * plane).max(1));
    images
        .flat_map(|image| {
            (0..plane).flat_map(move |i| (0..channels).map(move |c| image[c * plane + i]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_become_pixels() {
        assert_eq!(channels_last(&[1, 2, 3, 4, 5, 6], 3, 2), [1, 3, 5, 2, 4, 6]);
    }
}
