//! MNIST, Fashion-MNIST and their kin: a folder of four IDX files, gzip or not.
//!
//! IDX: two zero bytes, a type byte (8 = unsigned byte), the number of dimensions, each dimension
//! as a big-endian u32, then the data in row-major order.
//! Source: <http://yann.lecun.com/exdb/mnist/>. Names: `train-images-idx3-ubyte`,
//! `train-labels-idx1-ubyte`, and `t10k-` or `test-` for the test split, which may be absent; a dot
//! may stand before `idx`. Class names come from `classes.txt` in the folder, one a line, else they
//! are numbers. Other element types and colour images are not read.

use super::{CLASSES, class_indices, class_names, file_name, leave_out_others};
use crate::archive::read_maybe_gz;
use crate::{DataError, ImportNotes, RawDataset, RawSplit, Result};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use std::path::{Path, PathBuf};

/// Room for a million images of 64 × 64; MNIST needs 47 MB.
const LIMIT: u64 = 4 << 30;

const TRAIN: &[&str] = &["train"];
const TEST: &[&str] = &["t10k", "test"];

/// Whether the folder has the training images of an IDX data set.
pub(crate) fn detect(folder: &Path) -> bool {
    find(folder, TRAIN, "images").is_some()
}

/// Reads the folder.
pub(crate) fn read(folder: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    let count = Count::start(progress, "reading IDX files", Some(4));
    let train =
        split(folder, TRAIN, &count)?.ok_or_else(|| missing(folder, "train-images-idx3-ubyte"))?;
    let test = split(folder, TEST, &count)?;
    let [height, width] = train.shape;
    if let Some(other) = test.as_ref().filter(|test| test.shape != train.shape) {
        let what = format!(
            "training images are {height} x {width}, test images {} x {}",
            other.shape[0], other.shape[1]
        );
        return Err(DataError::Inconsistent { what });
    }
    let all: Vec<&[i64]> =
        [Some(&train), test.as_ref()].into_iter().flatten().map(|s| s.labels.as_slice()).collect();
    let classes = class_names(folder, &all)?;
    let train = train.into_raw("train", classes.len())?;
    let test = test.map(|test| test.into_raw("test", classes.len())).transpose()?;
    let source = format!("IDX files from {}", file_name(folder));
    let mut notes = ImportNotes::default();
    let used =
        [TRAIN, TEST].map(|names| ["images", "labels"].map(|what| find(folder, names, what)));
    let used: Vec<String> = used
        .iter()
        .flatten()
        .flatten()
        .map(|path| file_name(path))
        .chain([CLASSES.into()])
        .collect();
    leave_out_others(folder, |name| used.iter().any(|used| used == name), &mut notes)?;
    Ok(RawDataset { classes, height, width, channels: 1, train, test, source, notes })
}

struct IdxSplit {
    images: Vec<u8>,
    shape: [usize; 2],
    labels: Vec<i64>,
}

impl IdxSplit {
    fn into_raw(self, name: &'static str, classes: usize) -> Result<RawSplit> {
        Ok(RawSplit { images: self.images, labels: class_indices(name, &self.labels, classes)? })
    }
}

fn split(folder: &Path, names: &[&str], count: &Count<'_>) -> Result<Option<IdxSplit>> {
    let Some(images) = find(folder, names, "images") else { return Ok(None) };
    let Some(labels) = find(folder, names, "labels") else {
        return Err(missing(folder, &format!("{}-labels-idx1-ubyte", names[0])));
    };
    let ([_, height, width], pixels) = parse::<3>(&images, &read_maybe_gz(&images, LIMIT)?)?;
    count.advance(1);
    let (_, indices) = parse::<1>(&labels, &read_maybe_gz(&labels, LIMIT)?)?;
    count.advance(1);
    let labels = indices.iter().map(|&label| i64::from(label)).collect();
    Ok(Some(IdxSplit { images: pixels, shape: [height, width], labels }))
}

fn find(folder: &Path, names: &[&str], what: &str) -> Option<PathBuf> {
    let dimensions = if what == "images" { 3 } else { 1 };
    let stems = names
        .iter()
        .flat_map(|name| ["-", "."].map(|dot| format!("{name}-{what}{dot}idx{dimensions}-ubyte")));
    stems
        .flat_map(|stem| [folder.join(format!("{stem}.gz")), folder.join(stem)])
        .find(|path| path.is_file())
}

fn missing(folder: &Path, name: &str) -> DataError {
    DataError::bad_file(
        folder,
        format!("there is no {name} or {name}.gz; put all files of the data set in one folder"),
    )
}

/// Dimensions and data of an IDX file of unsigned bytes with `D` dimensions.
fn parse<const D: usize>(path: &Path, bytes: &[u8]) -> Result<([usize; D], Vec<u8>)> {
    let Some((magic, rest)) = bytes.split_at_checked(4) else {
        return Err(DataError::truncated(path, "it has no header"));
    };
    if magic != [0, 0, 8, D as u8] {
        let problem = format!(
            "it begins with {magic:?}, an IDX file of bytes in {D} dimensions begins with [0, 0, 8, {D}]; check that it is the right file"
        );
        return Err(DataError::bad_file(path, problem));
    }
    let Some((sizes, data)) = rest.split_at_checked(4 * D) else {
        return Err(DataError::truncated(path, "its header is incomplete"));
    };
    let mut shape = [0; D];
    for (size, word) in shape.iter_mut().zip(sizes.chunks_exact(4)) {
        *size = u32::from_be_bytes([word[0], word[1], word[2], word[3]]) as usize;
    }
    let expected = shape.iter().try_fold(1_usize, |product, &size| product.checked_mul(size));
    match expected {
        Some(expected) if expected == data.len() => Ok((shape, data.to_vec())),
        Some(expected) if expected < data.len() => {
            Err(DataError::Oversized { path: path.into(), limit: expected as u64 })
        }
        _ => Err(DataError::truncated(
            path,
            format!("its header says {shape:?}, but {} bytes follow", data.len()),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(shape: [u32; 3], data: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, 3];
        bytes.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
        bytes.extend(data);
        bytes
    }

    proptest! {
        #[test]
        fn parsing_undoes_encoding(shape in prop::array::uniform3(0_u32..6), seed in any::<u8>()) {
            let n = shape.iter().product::<u32>();
            let data: Vec<u8> = (0..n).map(|i| seed.wrapping_mul(i as u8)).collect();
            let (found, back) = parse::<3>(Path::new("x"), &encode(shape, &data)).unwrap();
            prop_assert_eq!(found, shape.map(|size| size as usize));
            prop_assert_eq!(back, data);
        }

        #[test]
        fn any_shortening_is_an_error(cut in 0_usize..28) {
            let whole = encode([3, 2, 2], &[7; 12]);
            prop_assert!(parse::<3>(Path::new("x"), &whole[..cut]).is_err());
        }
    }

    #[test]
    fn a_header_that_overflows_is_refused() {
        let error = parse::<3>(Path::new("x"), &encode([u32::MAX; 3], &[])).unwrap_err();
        assert!(error.to_string().contains("truncated"), "{error}");
    }
}
