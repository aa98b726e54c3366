//! What is exported is what is imported again, and what others can read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use datadiet_data::{DataHome, Dataset, ImportOptions, RawDataset, RawSplit, export, write_cache};
use proptest::prelude::*;
use safetensors::SafeTensors;

use crate::flat::*;
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
    export::image_folder(&other, &kept(), &here.path().join("x")).unwrap();
    assert!(here.path().join("x/train/0-T-shirt_top/000000.png").exists());
    assert!(here.path().join("x/train/1-T-shirt_top").is_dir());
}

/// A data set of one picture a class and split, whose pixels say the class.
fn one_of_each(classes: Vec<String>) -> RawDataset {
    let n = classes.len();
    let split = |test: u8| RawSplit {
        images: (0..n).flat_map(|class| [class as u8, (class >> 8) as u8, test, 0]).collect(),
        labels: (0..n as u32).collect(),
    };
    let (train, test) = (split(0), Some(split(1)));
    let (source, notes) = ("made here".into(), Default::default());
    RawDataset { classes, height: 2, width: 2, channels: 1, train, test, source, notes }
}

/// Names that are hard for folders, lists and sorting.
fn odd_name() -> impl Strategy<Value = String> {
    const NAMES: [&str; 19] = [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "CON",
        "con.txt",
        "train",
        "test",
        "val",
        "B",
        "b",
        "é",
        "0",
        "1",
        "10",
        "a,b",
        "\"quoted\"",
        " two\nlines ",
    ];
    prop_oneof![prop::sample::select(&NAMES[..]).prop_map(str::to_owned), any::<String>()]
}

fn class_names() -> impl Strategy<Value = Vec<String>> {
    let numbered = (1_usize..130).prop_map(|n| (0..n).map(|class| class.to_string()).collect());
    prop_oneof![prop::collection::vec(odd_name(), 1..14), numbered]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    /// Whatever classes are called and however many there are, labels and names are as before, and
    /// the sorted folders are numbered as the classes are.
    #[test]
    fn labels_survive_export_and_import(classes in class_names()) {
        let here = folder();
        let raw = one_of_each(classes);
        let all: Vec<usize> = (0..raw.train.labels.len()).collect();
        let dataset = cached(here.path(), &raw);
        let (pictures, tables) = (here.path().join("pictures"), here.path().join("tables"));
        export::image_folder(&dataset, &all, &pictures).unwrap();
        export::parquet(&dataset, &all, &tables).unwrap();
        for from in [&pictures, &tables] {
            let read = detect_and_read(from).unwrap();
            prop_assert_eq!(&read.classes, &raw.classes);
            prop_assert!(read.train == raw.train && read.test == raw.test);
        }
        let sorted = entries(&pictures.join("train"));
        let linked = here.path().join("linked");
        let imported = cached(&here.path().join("again"), &detect_and_read(&pictures).unwrap());
        export::linked_folder(&imported, &all, &pictures, &linked).unwrap();
        prop_assert_eq!(&entries(&linked.join("train")), &sorted);
        fs::remove_file(linked.join("classes.csv")).unwrap();
        let by_others = detect_and_read(&linked).unwrap();
        prop_assert!(by_others.train == raw.train && by_others.test == raw.test);
        prop_assert_eq!(by_others.classes, sorted);
    }
}

#[test]
fn a_list_of_classes_must_fit_the_folders() {
    let here = folder();
    write_flat(here.path(), &[("a/1.png", 1), ("b/1.png", 2)]);
    let read = |list: &str| {
        fs::write(here.path().join("classes.csv"), list).unwrap();
        detect_and_read(here.path()).map_err(|error| error.to_string())
    };
    let found = read("folder,class\nb,Bee\na,Ant\n").unwrap();
    assert_eq!(
        (&found.classes[..], &found.train.labels[..]),
        (&["Bee".into(), "Ant".into()][..], &[1, 0][..])
    );
    let saved_again = read("\u{feff}class;folder\nBee;b\nAnt;a\n").unwrap();
    assert!(saved_again.classes == found.classes && saved_again.train == found.train);
    assert!(read("folder,name\nb,Bee\n").unwrap_err().contains("columns `folder` and `class`"));
    assert!(read("folder,class\nb,Bee\n").unwrap_err().contains("does not list the folder `a`"));
    assert!(read("folder,class\na,A\na,B\nb,C\n").unwrap_err().contains("lists a folder twice"));
    assert!(
        read("folder,class\na,A\nb,B\nc,C\n").unwrap_err().contains("class `C` has no training")
    );
    let other = read("name,number\nb,0\n").unwrap();
    assert_eq!((other.classes, other.notes.left_out[0].count), (vec!["a".into(), "b".into()], 1));
}

#[test]
fn linked_pictures_of_deeper_folders_stay_apart() {
    let here = folder();
    let (from, to) = (here.path().join("from"), here.path().join("to"));
    write_flat(&from, &[("a/1.png", 1), ("a/x/1.png", 2), ("b/y/z/1.png", 3)]);
    let raw = detect_and_read(&from).unwrap();
    export::linked_folder(&cached(here.path(), &raw), &[0, 1, 2], &from, &to).unwrap();
    let read = detect_and_read(&to).unwrap();
    assert!(read.train == raw.train && read.classes == raw.classes);
}
