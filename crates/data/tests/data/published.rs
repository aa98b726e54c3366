//! Fetching. What needs a network is ignored by default: run it with `-- --ignored`.

use crate::support::*;
use datadiet_core::Silent;
use datadiet_data::{DataError, DataHome, ImportOptions, fetch, write_cache};
use std::fs;

#[test]
fn an_unknown_name_suggests_the_nearest() {
    let here = folder();
    let home = DataHome::new(here.path().join("home"));
    let message =
        fetch("cifar-10", &home, &ImportOptions::default(), &Silent).unwrap_err().to_string();
    assert!(
        message.contains("did you mean `cifar10`?") && message.contains("fashion-mnist"),
        "{message}"
    );
    assert!(!home.path().exists());
}

#[test]
fn another_data_set_of_the_name_is_not_taken_for_the_published_one() {
    let here = folder();
    let home = DataHome::new(here.path());
    write_cache(&home, "cifar10", &colour(), &ImportOptions::default()).unwrap();
    let error = fetch("cifar10", &home, &ImportOptions::default(), &Silent).unwrap_err();
    assert!(matches!(error, DataError::AlreadyExists { .. }), "{error}");
}

#[test]
fn a_home_that_cannot_be_written_is_found_before_downloading() {
    let here = folder();
    fs::write(here.path().join("file"), "in the way").unwrap();
    let home = DataHome::new(here.path().join("file/home"));
    let error = fetch("cifar10", &home, &ImportOptions::default(), &Silent).unwrap_err();
    assert!(matches!(error, DataError::Io { .. }), "{error}");
}

fn fetch_twice(name: &str, train: usize, test: usize, mean: &[f32]) {
    let here = folder();
    let home = DataHome::new(here.path());
    let dataset = fetch(name, &home, &ImportOptions::default(), &Silent).unwrap();
    dataset.verify().unwrap();
    assert_eq!((dataset.train().len(), dataset.test().unwrap().len()), (train, test));
    for (found, expected) in dataset.mean().iter().zip(mean) {
        assert!((found - expected).abs() < 5e-5, "{found} against {expected}");
    }
    // The second time there is nothing to download, so the pinned fingerprint is the one found.
    fetch(name, &home, &ImportOptions::default(), &Silent).unwrap();
    let left: Vec<_> =
        fs::read_dir(here.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, [name]);
}

/// The means are those in common use, e.g. (0.4914, 0.4822, 0.4465).
#[test]
#[ignore = "downloads 140 MB"]
fn cifar10() {
    fetch_twice("cifar10", 50_000, 10_000, &[0.4914, 0.4822, 0.4465]);
}

/// The mean is that in common use, 0.2860.
#[test]
#[ignore = "downloads 31 MB"]
fn fashion_mnist() {
    fetch_twice("fashion-mnist", 60_000, 10_000, &[0.2860]);
}
