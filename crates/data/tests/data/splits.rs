//! Which file is in which split, and test images that are training images too.

use crate::support::*;
use datadiet_data::{DataHome, ImportOptions, Overlap, RawDataset, RawSplit, write_cache};
use std::fs;
use std::path::Path;

/// Both splits as Parquet files of the given names, below `root`.
fn write_as(root: &Path, train: &str, test: &str) {
    let made = folder();
    let dataset = grey();
    write_parquet(made.path(), &dataset);
    let data = made.path().join("data");
    for (from, to) in [
        ("train-00000-of-00002.parquet", format!("{train}0.parquet")),
        ("train-00001-of-00002.parquet", format!("{train}1.parquet")),
        ("test-00000-of-00001.parquet", format!("{test}0.parquet")),
    ] {
        let to = root.join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(data.join(from), to).unwrap();
    }
}

#[test]
fn a_part_that_is_not_there_is_missed() {
    let here = folder();
    write_parquet(here.path(), &grey());
    fs::remove_file(here.path().join("data/train-00001-of-00002.parquet")).unwrap();
    let message = detect_and_read(here.path()).map(|_| ()).unwrap_err().to_string();
    assert!(message.contains("1 of the 2 parts of `train` are there"), "{message}");
}

#[test]
fn a_parquet_file_is_in_the_split_that_its_own_name_says() {
    for (root, train, test) in [
        ("training_data", "train-", "test-"),
        ("test", "birds-train-", "birds_test."),
        ("validation", "default/partial-train/", "default/partial-test/"),
        ("train", "train/", "train/test-"),
        ("set", "Training/", "TESTING/"),
        ("set", "latest/train-", "latest/dev-"),
    ] {
        let here = folder();
        let root = here.path().join(root);
        write_as(&root, train, test);
        let found = detect_and_read(&root).unwrap();
        assert!(found.train == grey().train, "training split of {train} {test}");
        assert!(found.test == grey().test, "test split of {train} {test}");
    }
}

#[test]
fn files_of_no_split_are_left_out_or_all_training_files() {
    let here = folder();
    write_as(here.path(), "train-", "trainers-");
    let found = detect_and_read(here.path()).unwrap();
    assert!(found.test.is_none());
    let [left_out] = &found.notes.left_out[..] else { panic!("{:?}", found.notes) };
    assert_eq!((left_out.count, &left_out.examples[..]), (1, &["trainers-0.parquet".into()][..]));

    let here = folder();
    write_as(here.path(), "part-", "rest-");
    let found = detect_and_read(here.path()).unwrap();
    assert_eq!((found.train.labels.len(), found.test), (100, None));
    assert!(found.notes.decided[0].contains("all 3 Parquet files"), "{:?}", found.notes);
}

#[test]
fn a_name_of_two_splits_and_a_set_without_training_are_refused() {
    let here = folder();
    write_as(here.path(), "train-", "train-and-test-");
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(
        message.contains("train-and-test-0.parquet: its name says both train and test"),
        "{message}"
    );

    let here = folder();
    write_as(here.path(), "val-", "test-");
    let message = detect_and_read(here.path()).unwrap_err().to_string();
    assert!(message.contains("no Parquet file is of the training split"), "{message}");
}

/// The first `n` test images are copies of training images, the first of them with another label.
fn overlapping(dataset: RawDataset, n: usize) -> RawDataset {
    let len = n * dataset.image_len();
    let test = dataset.test.as_ref().unwrap();
    let mut labels = dataset.train.labels[..n].to_vec();
    labels[0] = (labels[0] + 1) % 10;
    let images = [&dataset.train.images[..len], &test.images[len..]].concat();
    labels.extend(&test.labels[n..]);
    RawDataset { test: Some(RawSplit { images, labels }), ..dataset }
}

/// Writes a data set in a format of its own.
type Writer = fn(&Path, &RawDataset);

#[test]
fn test_images_that_are_training_images_are_counted_for_every_reader() {
    let writers: [(&str, Writer); 6] = [
        ("idx", |folder, dataset| write_idx(folder, dataset)),
        ("npy", |folder, dataset| write_files(folder, &npy_files(dataset, &Axes::Nhwc))),
        ("npz", |folder, dataset| write_npz(&folder.join("x.npz"), dataset)),
        ("image-folder", |folder, dataset| write_image_folder(folder, dataset)),
        ("hf-parquet", |folder, dataset| write_parquet(folder, dataset)),
        ("cifar10", |folder, dataset| write_files(folder, &cifar10_files(dataset))),
    ];
    for (name, write) in writers {
        let here = folder();
        let dataset = if name == "cifar10" { colour() } else { grey() };
        write(here.path(), &overlapping(dataset, 7));
        let path = here.path().join(if name == "npz" { "x.npz" } else { "" });
        let raw = detect_and_read(&path).unwrap();
        let home = DataHome::new(here.path().join("home"));
        let notes = write_cache(&home, "set", &raw, &ImportOptions::default()).unwrap().notes();
        assert_eq!(notes.overlap, Some(Overlap { images: 7, other_label: 1 }), "{name}");
        let said = notes.lines().join("\n");
        assert!(said.contains("7 test images are training images too"), "{said}");
        assert!(said.contains("1 of them with another label"), "{said}");
    }
}
