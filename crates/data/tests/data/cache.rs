//! The cache: round trip, refusals, damage, and that nothing is left lying about.

use crate::support::*;
use datadiet_data::{DataError, DataHome, Dataset, ImportOptions, RawDataset, write_cache};
use std::fs;
use std::path::Path;

fn options() -> ImportOptions {
    ImportOptions::default()
}

fn imported(folder: &Path, dataset: &RawDataset) -> (DataHome, Dataset) {
    let home = DataHome::new(folder.join("home"));
    let opened = write_cache(&home, "fashion", dataset, &options()).unwrap();
    (home, opened)
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_goes_in_comes_out() {
    for raw in [grey(), colour()] {
        let here = folder();
        let (home, _) = imported(here.path(), &raw);
        let dataset = Dataset::open(&home, "fashion").unwrap();
        assert_eq!(dataset.name(), "fashion");
        assert_eq!(dataset.classes(), raw.classes);
        assert_eq!(
            [dataset.height(), dataset.width(), dataset.channels()],
            [raw.height, raw.width, raw.channels]
        );
        assert_eq!(dataset.source(), raw.source);
        assert!(dataset.train().images == raw.train.images);
        assert_eq!(dataset.train().labels, raw.train.labels);
        let (test, raw_test) = (dataset.test().unwrap(), raw.test.as_ref().unwrap());
        assert!(test.images == raw_test.images && test.labels == raw_test.labels);
        assert_eq!(test.image(3), &raw_test.images[3 * raw.image_len()..4 * raw.image_len()]);
        assert_eq!(dataset.mean().len(), raw.channels);
        dataset.verify().unwrap();
        assert_eq!(entries(&here.path().join("home/fashion")), ["dataset.safetensors"]);
    }
}

#[test]
fn the_moments_are_those_of_the_training_split() {
    let here = folder();
    let (_, dataset) = imported(here.path(), &grey());
    let values: Vec<f64> =
        dataset.train().images.iter().map(|&value| f64::from(value) / 255.0).collect();
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance =
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    assert!((f64::from(dataset.mean()[0]) - mean).abs() < 1e-7);
    assert!((f64::from(dataset.std()[0]) - variance.sqrt()).abs() < 1e-7);
}

#[test]
fn a_data_set_without_test_split_stays_so() {
    let here = folder();
    let (_, dataset) = imported(here.path(), &RawDataset { test: None, ..grey() });
    assert!(dataset.test().is_none());
    dataset.verify().unwrap();
}

#[test]
fn importing_twice_changes_nothing() {
    let here = folder();
    let (home, first) = imported(here.path(), &grey());
    let before = fs::metadata(first.path()).unwrap().modified().unwrap();
    let again = RawDataset { source: "another place".into(), ..grey() };
    let second = write_cache(&home, "fashion", &again, &options()).unwrap();
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_eq!(second.source(), first.source());
    assert_eq!(fs::metadata(first.path()).unwrap().modified().unwrap(), before);
}

#[test]
fn a_different_data_set_needs_replace() {
    let here = folder();
    let (home, first) = imported(here.path(), &grey());
    let error = write_cache(&home, "fashion", &colour(), &options()).unwrap_err();
    assert!(
        matches!(error, DataError::AlreadyExists { .. }) && error.to_string().contains("--replace"),
        "{error}"
    );
    let replace = ImportOptions { replace: true, ..options() };
    let second = write_cache(&home, "fashion", &colour(), &replace).unwrap();
    assert_eq!(second.channels(), 3);
    // The old map is still whole: the new file took its name, not its bytes.
    first.verify().unwrap();
}

#[test]
fn an_unknown_data_set_suggests_what_to_do() {
    let here = folder();
    let (home, _) = imported(here.path(), &grey());
    let message = |name: &str| Dataset::open(&home, name).unwrap_err().to_string();
    assert!(message("fashoin").contains("did you mean `fashion`?"), "{}", message("fashoin"));
    assert!(
        message("cifar10").contains("run `datadiet data fetch cifar10`"),
        "{}",
        message("cifar10")
    );
    assert!(
        message("cifar-10").contains("run `datadiet data fetch cifar10`"),
        "{}",
        message("cifar-10")
    );
    assert!(message("xyz").contains("datadiet data import PATH --name xyz"), "{}", message("xyz"));
    assert!(message("../fashion").contains("cannot name a data set"), "{}", message("../fashion"));
}

#[test]
fn a_truncated_cache_is_damaged_wherever_it_ends() {
    let here = folder();
    let (home, dataset) = imported(here.path(), &grey());
    let whole = fs::read(dataset.path()).unwrap();
    let path = dataset.path().to_owned();
    drop(dataset);
    for length in [0, 4, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let error = Dataset::open(&home, "fashion").unwrap_err();
        assert!(matches!(error, DataError::DamagedCache { .. }), "{length}: {error}");
        assert!(write_cache(&home, "fashion", &grey(), &options()).is_err());
    }
    let replace = ImportOptions { replace: true, ..options() };
    write_cache(&home, "fashion", &grey(), &replace).unwrap().verify().unwrap();
}

#[test]
fn a_flipped_bit_is_found_by_verifying() {
    let here = folder();
    let (home, dataset) = imported(here.path(), &grey());
    let (path, mut bytes) = (dataset.path().to_owned(), fs::read(dataset.path()).unwrap());
    drop(dataset);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(path, bytes).unwrap();
    let error = Dataset::open(&home, "fashion").unwrap().verify().unwrap_err();
    assert!(matches!(error, DataError::Checksum { .. }), "{error}");
}

#[test]
fn a_cache_of_another_version_says_so() {
    let here = folder();
    let (home, dataset) = imported(here.path(), &grey());
    let path = dataset.path().to_owned();
    let mut bytes = fs::read(&path).unwrap();
    drop(dataset);
    let written = br#""format":"1""#;
    let at = bytes
        .windows(written.len())
        .position(|window| window == written)
        .expect("the version in the header");
    bytes[at + written.len() - 2] = b'2';
    fs::write(&path, bytes).unwrap();
    let error = Dataset::open(&home, "fashion").unwrap_err();
    assert!(
        error.to_string().contains("has format version 2, this build reads version 1"),
        "{error}"
    );
    assert!(home.list()[0].contents.as_ref().unwrap_err().contains("version 2"));
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    let here = folder();
    fs::write(here.path().join("file"), "in the way").unwrap();
    let home = DataHome::new(here.path().join("file/home"));
    let error = write_cache(&home, "fashion", &grey(), &options()).unwrap_err();
    assert!(
        matches!(error, DataError::Io { .. }) && error.to_string().contains("file/home"),
        "{error}"
    );
}

#[test]
fn nothing_is_left_behind_after_an_error() {
    let here = folder();
    let home = DataHome::new(here.path());
    let mut unsound = grey();
    unsound.train.labels[0] = 10;
    assert!(write_cache(&home, "fashion", &unsound, &options()).is_err());
    assert!(entries(here.path()).is_empty());
    // A folder where the file should go makes the last step, the renaming, fail.
    fs::create_dir_all(home.path_of("fashion")).unwrap();
    let replace = ImportOptions { replace: true, ..options() };
    assert!(write_cache(&home, "fashion", &grey(), &replace).is_err());
    assert_eq!(entries(&here.path().join("fashion")), ["dataset.safetensors"]);
    assert!(entries(&home.path_of("fashion")).is_empty());
}

#[test]
fn listing_gives_sizes_in_order_of_name() {
    let here = folder();
    let (home, dataset) = imported(here.path(), &grey());
    write_cache(&home, "colour", &colour(), &options()).unwrap();
    fs::create_dir(here.path().join("home/.fetch-x")).unwrap();
    let list = home.list();
    assert_eq!(
        list.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(),
        ["colour", "fashion"]
    );
    let fashion = list[1].contents.as_ref().unwrap();
    assert_eq!(
        (fashion.train, fashion.test, fashion.classes, fashion.shape),
        (60, Some(40), 10, [28, 28, 1])
    );
    assert_eq!(fashion.fingerprint, dataset.fingerprint());
    assert!(DataHome::new("no/such/home").list().is_empty());
}
