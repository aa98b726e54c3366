//! NumPy arrays: a folder of `.npy` files, or one `.npz`.
//!
//! Images `x_train` and optionally `x_test`: uint8, n × h × w, n × h × w × c or n × c × h × w with
//! one or three channels (where both readings fit, channels last). Labels `y_train`, `y_test`: any
//! integers, n or n × 1. The names `train_images`, `train_labels`, … are taken too. The path may
//! also be that of the file `x_train.npy`. Class names come from `classes.txt` in the folder, one
//! a line, else they are numbers.
//! Source: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.
//! Object arrays (pickles) are never read; floats are refused, since their scale is unknown.

use super::{class_indices, class_names, file_name, numbered_classes};
use crate::{DataError, ImportNotes, Progress, RawDataset, RawSplit, Result};
use npyz::npz::NpzArchive;
use npyz::{DType, Endianness, NpyFile, Order, TypeChar, TypeStr};
use std::fs::File;
use std::io::{BufReader, Read};
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
    progress.start("reading NumPy arrays", Some(4));
    let train = split(path, TRAIN, progress)?;
    let Some(train) = train else {
        let problem =
            "there is no x_train and y_train; save them with np.save or np.savez under these names";
        return Err(DataError::bad_file(path, problem));
    };
    let test = split(path, TEST, progress)?;
    progress.finish();
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
    let notes = ImportNotes::default();
    Ok(RawDataset { classes, height, width, channels, train, test, source, notes })
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

fn split(path: &Path, names: [[&str; 2]; 2], progress: &dyn Progress) -> Result<Option<NpySplit>> {
    for [images, labels] in names {
        if let Some(images) = array(path, images)? {
            progress.advance(1);
            let Some(labels) = array(path, labels)? else {
                return Err(DataError::bad_file(
                    path,
                    format!("there are images but no {labels}; save the labels too"),
                ));
            };
            progress.advance(1);
            return Ok(Some(NpySplit {
                images: images.into_images()?,
                labels: labels.into_labels()?,
            }));
        }
    }
    Ok(None)
}

/// One array as it was saved.
struct Stored {
    /// The file, with the name of the array for an `.npz`.
    place: PathBuf,
    dtype: TypeStr,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn array(path: &Path, name: &str) -> Result<Option<Stored>> {
    let bad = |place: &Path, error: std::io::Error| {
        DataError::bad_file(
            place,
            format!("not a readable NumPy file ({error}); save it again with np.save or np.savez"),
        )
    };
    if is_npz(path) {
        let place = path.join(name);
        let mut archive = NpzArchive::open(path).map_err(|error| bad(path, error))?;
        let array = archive.by_name(name).map_err(|error| bad(&place, error))?;
        return array.map(|array| Stored::read(array, place)).transpose();
    }
    let place = folder_of(path).join(format!("{name}.npy"));
    if !place.is_file() {
        return Ok(None);
    }
    let file = BufReader::new(File::open(&place).map_err(DataError::io("read", &place))?);
    let array = NpyFile::new(file).map_err(|error| bad(&place, error))?;
    Stored::read(array, place).map(Some)
}

impl Stored {
    fn read<R: Read>(array: NpyFile<R>, place: PathBuf) -> Result<Self> {
        let header = array.header();
        let refused = |problem: String| Err(DataError::bad_file(&place, problem));
        let DType::Plain(dtype) = header.dtype() else {
            return refused("it is a record array; save images and labels as plain arrays".into());
        };
        if dtype.uses_pickled_array() {
            return refused("it is an object array (pickle), which is never read; save it as uint8 images or integer labels".into());
        }
        if header.order() == Order::Fortran && header.shape().len() > 1 {
            return refused("it is in Fortran order; save np.ascontiguousarray(array)".into());
        }
        let shape: Vec<usize> = header.shape().iter().map(|&size| size as usize).collect();
        let length = shape
            .iter()
            .try_fold(dtype.num_bytes().unwrap_or(1), |product, &size| product.checked_mul(size));
        let Some(length) = length else {
            return refused(format!("its shape {shape:?} is impossible; save it again"));
        };
        let mut bytes = Vec::new();
        array
            .into_inner()
            .take(length as u64)
            .read_to_end(&mut bytes)
            .map_err(DataError::io("read", &place))?;
        if bytes.len() < length {
            let problem = format!("its header promises {length} bytes, {} follow", bytes.len());
            return Err(DataError::Truncated { path: place, problem });
        }
        Ok(Self { place, dtype, shape, bytes })
    }

    fn into_images(self) -> Result<Images> {
        if (self.dtype.type_char(), self.dtype.size_field()) != (TypeChar::Uint, 1) {
            let problem = format!(
                "images are {}, expected uint8; scale to 0..255 and save array.astype(np.uint8)",
                self.dtype
            );
            return Err(DataError::BadFile { path: self.place, problem });
        }
        match self.shape[..] {
            [_, h, w] => Ok(Images { shape: [h, w, 1], bytes: self.bytes }),
            [_, h, w, c @ (1 | 3)] => Ok(Images { shape: [h, w, c], bytes: self.bytes }),
            [_, c @ (1 | 3), h, w] => {
                Ok(Images { shape: [h, w, c], bytes: channels_last(&self.bytes, c, h * w) })
            }
            _ => {
                let problem = format!(
                    "images have shape {:?}, expected n x h x w, n x h x w x c or n x c x h x w with 1 or 3 channels",
                    self.shape
                );
                Err(DataError::BadFile { path: self.place, problem })
            }
        }
    }

    fn into_labels(self) -> Result<Vec<i64>> {
        let signed = match self.dtype.type_char() {
            TypeChar::Int => true,
            TypeChar::Uint => false,
            _ => {
                let problem = format!(
                    "labels are {}, expected integers; save labels.astype(np.int64)",
                    self.dtype
                );
                return Err(DataError::BadFile { path: self.place, problem });
            }
        };
        if !matches!(self.shape[..], [_] | [_, 1]) {
            let problem = format!(
                "labels have shape {:?}, expected one class index an image; save onehot.argmax(1)",
                self.shape
            );
            return Err(DataError::BadFile { path: self.place, problem });
        }
        let big = self.dtype.endianness() == Endianness::Big;
        let size = self.dtype.num_bytes().unwrap_or(1).max(1);
        Ok(self.bytes.chunks_exact(size).map(|bytes| integer(bytes, big, signed)).collect())
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

/// An integer of one to eight bytes.
fn integer(bytes: &[u8], big_endian: bool, signed: bool) -> i64 {
    let mut ordered = bytes.to_vec();
    if big_endian {
        ordered.reverse();
    }
    let negative = signed && ordered.last().is_some_and(|high| high & 0x80 != 0);
    let mut word = [if negative { 0xff } else { 0 }; 8];
    word[..ordered.len()].copy_from_slice(&ordered);
    i64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_width_and_order() {
        assert_eq!(integer(&[0xff], false, true), -1);
        assert_eq!(integer(&[0xff], false, false), 255);
        assert_eq!(integer(&[1, 2], true, true), 258);
        assert_eq!(integer(&[1, 0, 0, 0, 0, 0, 0, 0x80], false, true), i64::MIN + 1);
    }

    #[test]
    fn planes_become_pixels() {
        assert_eq!(channels_last(&[1, 2, 3, 4, 5, 6], 3, 2), [1, 3, 5, 2, 4, 6]);
    }
}
