//! Every reader on the same real images: each gives the same bytes.

use crate::support::*;
use datadiet_core::Silent;
use datadiet_data::{Format, ImportOptions, RawDataset, read};
use std::fs;
use std::path::Path;

/// Equal in everything but the source; prints no images if not.
#[track_caller]
fn assert_same(found: &RawDataset, expected: &RawDataset) {
    let shape = |d: &RawDataset| (d.height, d.width, d.channels);
    assert_eq!(shape(found), shape(expected));
    assert_eq!(found.classes, expected.classes);
    assert_eq!(found.train.labels, expected.train.labels);
    assert!(found.train.images == expected.train.images, "training images differ");
    assert!(found.test == expected.test, "test splits differ");
}

#[track_caller]
fn assert_reads(path: &Path, format: Format, expected: &RawDataset) {
    assert_eq!(Format::detect(path).unwrap(), format);
    assert_same(&detect_and_read(path).unwrap(), expected);
}

fn numbered(mut dataset: RawDataset) -> RawDataset {
    dataset.classes = (0..10).map(|class| class.to_string()).collect();
    dataset
}

#[test]
fn the_sample_is_what_its_notice_says() {
    let sample = detect_and_read(&sample_folder()).unwrap();
    assert_eq!((sample.height, sample.width, sample.channels), (28, 28, 1));
    assert_eq!((sample.train.labels.len(), sample.test.unwrap().labels.len()), (1000, 200));
    assert_eq!(sample.classes[9], "Ankle boot");
    assert_eq!(sample.train.labels[..5], [9, 0, 0, 3, 0]);
    assert_eq!(sample.source, "IDX files from fashion-mnist");
}

#[test]
fn idx() {
    let here = folder();
    write_idx(here.path(), &grey());
    assert_reads(here.path(), Format::Idx, &grey());
}

#[test]
fn image_folders_keep_grey_and_sorted_order() {
    let here = folder();
    write_image_folder(here.path(), &grey());
    assert_reads(here.path(), Format::ImageFolder, &grey());
}

#[test]
fn image_folders_without_splits_have_no_test_split() {
    let (here, mut expected) = (folder(), colour());
    write_pngs(here.path(), &expected, &expected.train, 0..60);
    expected.test = None;
    assert_reads(here.path(), Format::ImageFolder, &expected);
}

#[test]
fn cinic10_puts_valid_after_train() {
    let (here, dataset) = (folder(), colour());
    let n = dataset.train.labels.len();
    write_pngs(&here.path().join("train"), &dataset, &dataset.train, 0..n);
    write_pngs(&here.path().join("valid"), &dataset, &dataset.train, 0..n);
    write_pngs(&here.path().join("test"), &dataset, dataset.test.as_ref().unwrap(), 0..40);
    let mut expected = dataset.clone();
    expected.train.images.extend(&dataset.train.images);
    expected.train.labels.extend(&dataset.train.labels);
    assert_reads(here.path(), Format::Cinic10, &expected);
}

#[test]
fn cifar10_folder_and_archive() {
    let (here, dataset) = (folder(), colour());
    let files = cifar10_files(&dataset);
    write_files(here.path(), &files);
    assert_reads(here.path(), Format::Cifar10, &dataset);
    assert_reads(&here.path().join("cifar-10-batches-bin"), Format::Cifar10, &dataset);
    let archive = here.path().join("cifar.tar.gz");
    fs::write(&archive, tar_gz(&files)).unwrap();
    assert_reads(&archive, Format::Cifar10, &dataset);
}

#[test]
fn cifar10_has_names_without_its_list() {
    let (here, dataset) = (folder(), colour());
    let mut files = cifar10_files(&dataset);
    files.pop();
    write_files(here.path(), &files);
    assert_reads(here.path(), Format::Cifar10, &dataset);
}

#[test]
fn cifar100_uses_fine_labels() {
    let (here, dataset) = (folder(), colour());
    let files = cifar100_files(&dataset);
    write_files(here.path(), &files);
    assert_reads(here.path(), Format::Cifar100, &dataset);
    let archive = here.path().join("cifar-100-binary.tgz");
    fs::write(&archive, tar_gz(&files)).unwrap();
    assert_reads(&archive, Format::Cifar100, &dataset);
}

#[test]
fn hugging_face_parquet() {
    for dataset in [grey(), colour()] {
        let here = folder();
        write_parquet(here.path(), &dataset);
        assert_reads(here.path(), Format::HfParquet, &dataset);
    }
}

#[test]
fn one_parquet_file_is_a_training_split() {
    let (here, mut expected) = (folder(), grey());
    write_parquet(here.path(), &expected);
    expected.train = expected.test.take().unwrap();
    let options = ImportOptions { allow_empty_class: true, ..Default::default() };
    let file = here.path().join("data/test-00000-of-00001.parquet");
    assert_same(&read(&file, None, &options, &Silent).unwrap(), &expected);
}

#[test]
fn npy_in_every_order_of_axes() {
    for (dataset, axes) in
        [(grey(), Axes::Nhw), (grey(), Axes::Nchw), (colour(), Axes::Nhwc), (colour(), Axes::Nchw)]
    {
        let here = folder();
        write_files(here.path(), &npy_files(&dataset, &axes));
        assert_reads(here.path(), Format::Npy, &numbered(dataset.clone()));
        assert_reads(&here.path().join("x_train.npy"), Format::Npy, &numbered(dataset.clone()));
        fs::write(here.path().join("classes.txt"), dataset.classes.join("\n")).unwrap();
        assert_reads(here.path(), Format::Npy, &dataset);
    }
}

#[test]
fn npz() {
    let here = folder();
    let path = here.path().join("data.npz");
    write_npz(&path, &grey());
    assert_reads(&path, Format::Npy, &numbered(grey()));
}

#[test]
fn grey_among_colour_becomes_colour_and_alpha_is_dropped() {
    let here = folder();
    fs::create_dir_all(here.path().join("only")).unwrap();
    image::GrayImage::from_pixel(2, 2, image::Luma([9]))
        .save(here.path().join("only/a.png"))
        .unwrap();
    image::RgbaImage::from_pixel(2, 2, image::Rgba([1, 2, 3, 0]))
        .save(here.path().join("only/b.png"))
        .unwrap();
    let dataset = detect_and_read(here.path()).unwrap();
    assert_eq!(dataset.channels, 3);
    assert_eq!(dataset.train.images, [[9_u8; 12].to_vec(), [1, 2, 3].repeat(4)].concat());
}

#[test]
fn resizing_makes_one_size() {
    let here = folder();
    fs::create_dir_all(here.path().join("only")).unwrap();
    image::GrayImage::from_pixel(4, 2, image::Luma([9]))
        .save(here.path().join("only/a.png"))
        .unwrap();
    image::GrayImage::from_pixel(3, 3, image::Luma([7]))
        .save(here.path().join("only/b.png"))
        .unwrap();
    let options = ImportOptions { resize: Some((3, 2)), ..Default::default() };
    let dataset = read(here.path(), None, &options, &Silent).unwrap();
    assert_eq!((dataset.height, dataset.width), (2, 3));
    assert_eq!(dataset.train.images, [[9_u8; 6], [7; 6]].concat());
}

#[test]
fn options_that_a_format_has_no_use_for_are_refused() {
    let here = folder();
    write_idx(here.path(), &grey());
    let label = ImportOptions { label: Some("class".into()), ..Default::default() };
    let resize = ImportOptions { resize: Some((9, 9)), ..Default::default() };
    for (options, option) in [(label, "`--label`"), (resize, "`--resize`")] {
        let refused = read(here.path(), None, &options, &Silent).unwrap_err().to_string();
        assert!(refused.contains(option), "{refused}");
    }
}
