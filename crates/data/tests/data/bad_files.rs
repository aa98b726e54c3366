//! Archives and arrays that cannot be used, and what is said about them.

use crate::support::*;
use datadiet_data::{DataError, Format};
use std::fs;
use std::path::{Path, PathBuf};

fn file(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// Found by fuzzing: a column that begins at a negative place.
#[test]
fn a_parquet_file_that_its_decoder_gives_up_on_is_damaged() {
    let here = folder();
    let file = here.path().join("train.parquet");
    fs::write(&file, include_bytes!("damaged.parquet")).unwrap();
    let message = detect_and_read(&file).map(drop).unwrap_err().to_string();
    assert!(message.contains("train.parquet") && message.contains("gave up"), "{message}");
}

#[test]
fn a_truncated_archive_is_an_error_wherever_it_ends() {
    let here = folder();
    let whole = tar_gz(&cifar10_files(&colour()));
    for part in [1, 2, 4, 6, 7] {
        let path = file(here.path(), "cifar.tar.gz", &whole[..whole.len() * part / 8]);
        let error = read_as(Format::Cifar10, &path).unwrap_err();
        assert!(
            matches!(error, DataError::Truncated { .. } | DataError::BadFile { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("truncated"), "{error}");
    }
}

#[test]
fn an_archive_that_claims_too_much_is_refused_unread() {
    let here = folder();
    let mut header = tar::Header::new_gnu();
    header.set_path("cifar-10-batches-bin/data_batch_1.bin").unwrap();
    header.set_size(1 << 40);
    header.set_cksum();
    let path = file(here.path(), "cifar.tar.gz", &gzip(header.as_bytes()));
    let error = detect_and_read(&path).unwrap_err();
    assert!(matches!(error, DataError::Oversized { .. }), "{error}");
}

#[test]
fn an_archive_of_something_else_says_what_is_missing() {
    let here = folder();
    let files = vec![("cifar-10-batches-py/data_batch_1".to_owned(), vec![1, 2, 3])];
    let path = file(here.path(), "cifar-10-python.tar.gz", &tar_gz(&files));
    assert!(matches!(detect_and_read(&path).unwrap_err(), DataError::NotDetected { .. }));
    let message = read_as(Format::Cifar10, &path).unwrap_err().to_string();
    assert!(
        message.contains("data_batch_1.bin") && message.contains("binary version"),
        "{message}"
    );
}

#[test]
fn a_cifar_file_must_have_whole_records() {
    let here = folder();
    write_files(here.path(), &cifar10_files(&colour()));
    let path = here.path().join("cifar-10-batches-bin/data_batch_3.bin");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(
        message.contains("data_batch_3.bin has 36875 bytes, which is not a multiple of the 3073"),
        "{message}"
    );
}

#[test]
fn a_label_outside_the_classes_names_the_example() {
    let here = folder();
    let mut dataset = colour();
    dataset.train.labels[17] = 200;
    write_files(here.path(), &cifar10_files(&dataset));
    let error = detect_and_read(here.path()).unwrap_err();
    assert!(
        matches!(
            error,
            DataError::LabelOutsideClasses { split: "train", index: 17, label: 200, classes: 10 }
        ),
        "{error}"
    );
}

#[test]
fn negative_labels_are_outside_the_classes() {
    let (here, dataset) = (folder(), grey());
    write_files(here.path(), &npy_files(&dataset, &Axes::Nhw));
    let mut labels: Vec<i64> = dataset.train.labels.iter().map(|&label| label.into()).collect();
    labels[3] = -1;
    file(here.path(), "y_train.npy", &npy(&[60], &labels));
    let error = detect_and_read(here.path()).unwrap_err();
    assert!(matches!(error, DataError::LabelOutsideClasses { index: 3, label: -1, .. }), "{error}");
}

#[test]
fn idx_files_that_are_cut_long_or_wrong() {
    let here = folder();
    write_idx(here.path(), &grey());
    let path = here.path().join("train-images-idx3-ubyte");
    let whole = fs::read(&path).unwrap();
    let message = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        detect_and_read(here.path()).unwrap_err().to_string()
    };
    assert!(message(&whole[..whole.len() - 1]).contains("is truncated"));
    assert!(message(&gzip(&whole)[..5000]).contains("is truncated"));
    assert!(message(&[&whole[..], &[0]].concat()).contains("unpacks to more than"));
    assert!(
        message(b"something else").contains("an IDX file of bytes in 3 dimensions begins with")
    );
    assert!(message(b"").contains("is truncated"));
}

#[test]
fn images_and_labels_must_be_as_many() {
    let here = folder();
    write_files(here.path(), &npy_files(&grey(), &Axes::Nhw));
    file(here.path(), "y_train.npy", &npy(&[59], &[0_i64; 59]));
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(message.contains("the train split has 59 labels"), "{message}");
}

#[test]
fn arrays_of_the_wrong_kind_are_refused() {
    let here = folder();
    write_files(here.path(), &npy_files(&grey(), &Axes::Nhw));
    let images = |bytes: &[u8]| {
        file(here.path(), "x_train.npy", bytes);
        detect_and_read(here.path()).unwrap_err().to_string()
    };
    assert!(images(&npy(&[60, 28, 28], &[0.5_f32; 60 * 784])).contains("array.astype(np.uint8)"));
    assert!(images(&npy(&[60, 784], &[0_u8; 60 * 784])).contains("images have shape [60, 784]"));
    let whole = npy(&[60, 28, 28], &[0_u8; 60 * 784]);
    assert!(images(&whole[..5000]).contains("its header promises 47168 bytes, it has 5000"));
    assert!(images(&object_array()).contains("pickled Python objects, which are never loaded"));
    assert!(images(b"not an array").contains("it does not begin as npy does"));
}

/// The header that NumPy writes for `dtype=object`.
fn object_array() -> Vec<u8> {
    let mut header = "{'descr': '|O', 'fortran_order': False, 'shape': (60,), }".to_owned();
    header.extend(std::iter::repeat_n(' ', 117 - header.len()));
    header.push('\n');
    [b"\x93NUMPY\x01\x00".as_slice(), &118_u16.to_le_bytes(), header.as_bytes(), b"\x80\x04."]
        .concat()
}

#[test]
fn one_hot_and_fractional_labels_are_refused() {
    let here = folder();
    write_files(here.path(), &npy_files(&grey(), &Axes::Nhw));
    let labels = |bytes: &[u8]| {
        file(here.path(), "y_train.npy", bytes);
        detect_and_read(here.path()).unwrap_err().to_string()
    };
    assert!(labels(&npy(&[60, 10], &[0_i64; 600])).contains("argmax"));
    assert!(labels(&npy(&[60], &[0.5_f64; 60])).contains("labels.astype(np.int64)"));
}

#[test]
fn a_path_that_is_not_there_is_named() {
    let message = detect_and_read(Path::new("no/such/place")).unwrap_err().to_string();
    assert!(message.starts_with("cannot read no/such/place"), "{message}");
}
