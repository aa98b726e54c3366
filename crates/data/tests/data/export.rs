//! What is exported is what is imported again, and what others can read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use datadiet_data::{DataHome, Dataset, ImportOptions, RawDataset, RawSplit, export, write_cache};
use safetensors::SafeTensors;

use crate::support::*;

/// Of every class, and not in steps.
fn kept() -> Vec<usize> {
    (0..60).filter(|id| id % 4 < 2 || id % 7 == 3).collect()
}

fn cached(folder: &Path, raw: &RawDataset) -> Dataset {
    let home = DataHome::new(folder.join("home"));
    write_cache(&home, "fashion", raw, &ImportOptions::default()).unwrap()
}

/// Class names and pictures, in any order: folders are sorted by class.
fn pictures(dataset: &RawDataset, split: &RawSplit) -> BTreeMap<(String, Vec<u8>), usize> {
    let mut found = BTreeMap::new();
    for (image, &label) in split.images.chunks_exact(dataset.image_len()).zip(&split.labels) {
        let class = dataset.classes[label as usize].clone();
        *found.entry((class, image.to_vec())).or_default() += 1;
    }
    found
}

fn part(raw: &RawDataset, ids: &[usize]) -> RawSplit {
    let image = |&id: &usize| &raw.train.images[id * raw.image_len()..(id + 1) * raw.image_len()];
    RawSplit {
        images: ids.iter().flat_map(image).copied().collect(),
        labels: ids.iter().map(|&id| raw.train.labels[id]).collect(),
    }
}

fn assert_same_pictures(read: &RawDataset, raw: &RawDataset, kept: &[usize]) {
    assert_eq!(pictures(read, &read.train), pictures(raw, &part(raw, kept)));
    let (test, expected) = (read.test.as_ref().unwrap(), raw.test.as_ref().unwrap());
    assert_eq!(pictures(read, test), pictures(raw, expected));
}

#[test]
fn a_folder_of_pictures_reads_back() {
    for raw in [grey(), colour()] {
        let here = folder();
        let to = here.path().join("new/pruned");
        export::image_folder(&cached(here.path(), &raw), &kept(), &to).unwrap();
        let read = detect_and_read(&to).unwrap();
        assert_eq!(read.classes, raw.classes);
        assert_same_pictures(&read, &raw, &kept());
        let class = &raw.classes[raw.train.labels[32] as usize];
        assert!(to.join("train").join(class).join("000032.png").exists(), "files are named by id");
    }
}

#[test]
fn parquet_reads_back_in_order_with_ids() {
    for raw in [grey(), colour()] {
        let here = folder();
        let to = here.path().join("pruned");
        export::parquet(&cached(here.path(), &raw), &kept(), &to).unwrap();
        let read = detect_and_read(&to).unwrap();
        assert_eq!((&read.classes, read.channels), (&raw.classes, raw.channels));
        let expected = part(&raw, &kept());
        assert!(read.train.images == expected.images && read.train.labels == expected.labels);
        let (test, expected) = (read.test.as_ref().unwrap(), raw.test.as_ref().unwrap());
        assert!(test.images == expected.images && test.labels == expected.labels);
        let ids = datadiet_ids(&to.join("train.parquet"));
        assert_eq!(ids, kept().iter().map(|&id| id as i64).collect::<Vec<_>>());
    }
}

fn datadiet_ids(file: &Path) -> Vec<i64> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let file = fs::File::open(file).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let ids = batches.map(|batch| {
        let batch = batch.unwrap();
        batch["id"].as_primitive::<Int64Type>().values().to_vec()
    });
    ids.flatten().collect()
}

#[test]
fn safetensors_hold_pixels_labels_and_ids_for_everyone() {
    let here = folder();
    let (raw, to) = (colour(), here.path().join("pruned.safetensors"));
    export::safetensors(&cached(here.path(), &raw), &kept(), &to).unwrap();
    let bytes = fs::read(&to).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let images = tensors.tensor("train.images").unwrap();
    assert_eq!(images.shape(), [kept().len(), 32, 32, 3]);
    assert!(images.data() == part(&raw, &kept()).images);
    let words = |name: &str| -> Vec<u32> {
        let data = tensors.tensor(name).unwrap().data().to_vec();
        data.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect()
    };
    assert_eq!(words("train.labels"), part(&raw, &kept()).labels);
    assert_eq!(words("train.ids"), kept().iter().map(|&id| id as u32).collect::<Vec<_>>());
    assert_eq!(words("test.labels"), raw.test.as_ref().unwrap().labels);
    let mode = fs::metadata(&to).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644, "readable as other files are");
    assert_eq!(entries(here.path()), ["home", "pruned.safetensors"], "nothing is left aside");
}

fn entries(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn linked_pictures_are_the_original_files() {
    let here = folder();
    let (from, to) = (here.path().join("original"), here.path().join("pruned"));
    write_image_folder(&from, &colour());
    let raw = detect_and_read(&from).unwrap();
    export::linked_folder(&cached(here.path(), &raw), &kept(), &from, &to).unwrap();
    let read = detect_and_read(&to).unwrap();
    assert_eq!(read.classes, raw.classes);
    assert_same_pictures(&read, &raw, &kept());
    let mut linked = 0;
    for class in fs::read_dir(to.join("train")).unwrap() {
        let class = class.unwrap();
        for file in fs::read_dir(class.path()).unwrap() {
            let file = file.unwrap();
            let original = from.join("train").join(class.file_name()).join(file.file_name());
            assert_eq!(file.metadata().unwrap().ino(), fs::metadata(original).unwrap().ino());
            linked += 1;
        }
    }
    assert_eq!(linked, kept().len());
}

#[test]
fn a_link_to_a_symbolic_link_leads_to_the_picture() {
    let here = folder();
    let (from, to) = (here.path().join("original"), here.path().join("elsewhere/deep/pruned"));
    write_image_folder(&from, &grey());
    let first = from.join("train/c0");
    let file = fs::read_dir(&first).unwrap().next().unwrap().unwrap().path();
    fs::rename(&file, from.join("picture.png")).unwrap();
    symlink("../../picture.png", &file).unwrap();
    let raw = detect_and_read(&from).unwrap();
    let all: Vec<usize> = (0..raw.train.labels.len()).collect();
    export::linked_folder(&cached(here.path(), &raw), &all, &from, &to).unwrap();
    assert_same_pictures(&detect_and_read(&to).unwrap(), &raw, &all);
}

#[test]
fn a_class_that_lost_all_its_examples_keeps_its_folder() {
    let here = folder();
    let from = here.path().join("original");
    write_image_folder(&from, &grey());
    let dataset = cached(here.path(), &detect_and_read(&from).unwrap());
    let to = here.path().join("pruned");
    export::image_folder(&dataset, &[0], &to).unwrap();
    let linked = here.path().join("linked");
    export::linked_folder(&dataset, &[0], &from, &linked).unwrap();
    for to in [to, linked] {
        assert_eq!(entries(&to.join("train")).len(), 10);
    }
}

#[test]
fn another_folder_is_not_linked_from() {
    let here = folder();
    let (from, to) = (here.path().join("original"), here.path().join("pruned"));
    write_image_folder(&from, &grey());
    let raw = detect_and_read(&from).unwrap();
    let dataset = cached(here.path(), &raw);
    let class = fs::read_dir(from.join("train/c0")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(class).unwrap();
    let error = export::linked_folder(&dataset, &kept(), &from, &to).unwrap_err().to_string();
    assert!(error.contains("not the folder that fashion was imported from"), "{error}");
    assert!(!to.exists());
}

#[test]
fn nothing_is_written_over_and_classes_stay_apart() {
    let here = folder();
    let mut raw = grey();
    raw.classes[0] = "T-shirt/top".into();
    let dataset = cached(here.path(), &raw);
    let to = here.path().join("pruned");
    fs::create_dir(&to).unwrap();
    for write in [export::image_folder, export::parquet, export::safetensors] {
        let error = write(&dataset, &kept(), &to).unwrap_err().to_string();
        assert!(error.contains("there is something of that name"), "{error}");
    }
    fs::remove_dir(&to).unwrap();
    export::image_folder(&dataset, &kept(), &to).unwrap();
    assert!(to.join("train/T-shirt_top/000000.png").exists());
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o755);

    raw.classes[1] = "T-shirt_top".into();
    let other = cached(&here.path().join("other"), &raw);
    let error = export::image_folder(&other, &kept(), &here.path().join("x")).unwrap_err();
    assert!(error.to_string().contains("write Parquet or safetensors"), "{error}");
}
