//! Folders and tables of pictures that cannot be used, and what is said about them.

use crate::support::*;
use datadiet_core::Silent;
use datadiet_data::{DataError, Format, ImportOptions, read};
use std::fs;

#[test]
fn mixed_sizes_name_both_files_and_offer_to_resize() {
    let (here, dataset) = (folder(), grey());
    write_image_folder(here.path(), &dataset);
    image::GrayImage::new(30, 20).save(here.path().join("train/c9/odd.png")).unwrap();
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(message.contains("00000.png is 28x28"), "{message}");
    assert!(
        message.contains("odd.png is 30x20") && message.contains("--resize 28x28"),
        "{message}"
    );
}

#[test]
fn a_corrupt_png_is_named() {
    let here = folder();
    write_image_folder(here.path(), &grey());
    let victim =
        fs::read_dir(here.path().join("train/c3")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read(&victim).unwrap();
    let name = victim.file_name().unwrap().to_str().unwrap();
    for bytes in [&whole[..whole.len() / 2], &whole[..20], b"no picture at all"] {
        fs::write(&victim, bytes).unwrap();
        let error = detect_and_read(here.path()).unwrap_err();
        assert!(matches!(error, DataError::BadImage { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}

/// As a fuzzer found: memory for what the header promises, and not for what is there.
#[test]
fn a_header_that_promises_gigabytes_is_refused() {
    let crc = |bytes: &[u8]| {
        !bytes.iter().fold(!0_u32, |crc, &byte| {
            let step = |crc: u32| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
            (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc))
        })
    };
    for (width, height) in [(450_000_000_u32, 21_u32), (60_000, 60_000)] {
        let here = folder();
        write_image_folder(here.path(), &grey());
        let file = here.path().join("train/c3/large.png");
        image::GrayImage::new(2, 2).save(&file).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = crc(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        fs::write(&file, bytes).unwrap();
        let options = ImportOptions { resize: Some((28, 28)), ..ImportOptions::default() };
        let error = read(here.path(), None, &options, &Silent).map(drop).unwrap_err();
        assert!(matches!(error, DataError::BadImage { .. }), "{error}");
        assert!(error.to_string().contains("large.png"), "{error}");
    }
}

#[test]
fn an_empty_class_is_named_and_can_be_allowed() {
    let here = folder();
    write_image_folder(here.path(), &grey());
    fs::create_dir(here.path().join("train/vacant")).unwrap();
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(message.starts_with("class `vacant` has no training example"), "{message}");
    let options = ImportOptions { allow_empty_class: true, ..Default::default() };
    assert_eq!(read(here.path(), None, &options, &Silent).unwrap().classes.len(), 11);
}

#[test]
fn a_test_class_without_training_is_named() {
    let here = folder();
    write_image_folder(here.path(), &grey());
    fs::create_dir(here.path().join("test/novel")).unwrap();
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(message.contains("`novel` is not among the training classes"), "{message}");
}

#[test]
fn folders_without_pictures_are_not_image_folders() {
    let here = folder();
    fs::create_dir(here.path().join("empty")).unwrap();
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(
        message.contains("looked for") && message.contains("train-images-idx3-ubyte"),
        "{message}"
    );
    let message = read_as(Format::ImageFolder, here.path()).unwrap_err().to_string();
    assert!(message.contains("no pictures in class folders"), "{message}");
    let message = read_as(Format::Cinic10, here.path()).unwrap_err().to_string();
    assert!(message.contains("there is no folder `train`"), "{message}");
}

#[test]
fn a_corrupt_picture_in_parquet_names_its_row() {
    let (here, dataset) = (folder(), grey());
    write_parquet(here.path(), &dataset);
    let path = here.path().join("data/train-00001-of-00002.parquet");
    let mut bytes = fs::read(&path).unwrap();
    let signature = [0x89, b'P', b'N', b'G'];
    let at =
        bytes.windows(4).position(|window| window == signature).expect("an uncompressed picture");
    bytes[at..at + 4].fill(0);
    fs::write(&path, bytes).unwrap();
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(message.contains("train-00001-of-00002.parquet row 0"), "{message}");
}

#[test]
fn a_truncated_parquet_file_is_named() {
    let here = folder();
    write_parquet(here.path(), &grey());
    let path = here.path().join("data/train-00000-of-00002.parquet");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(
        message.contains("train-00000-of-00002.parquet: not a readable Parquet file"),
        "{message}"
    );
}
