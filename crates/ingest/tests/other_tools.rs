//! Files of other tools, made by these tools (`tests/reference/logs.py`), and predictions that
//! others published: read where they hold values, else refused by what they lack.
//!
//! Needs `make python` for the tools, and the public data beside the repository; a test says what is
//! not there.

use std::path::{Path, PathBuf};
use std::process::Command;

use datadiet_core::{ScoreKind, detection};
use datadiet_ingest::{Ingested, Kind, Options, find, ingest};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: PathBuf, options: &Options) -> Result<Ingested, String> {
    let read = || ingest(&find(&[path], options)?, options, &datadiet_core::Silent);
    read().map_err(|error| error.to_string())
}

fn column(found: &mut Ingested, kind: ScoreKind) -> Vec<f32> {
    let place = found.columns.iter().rposition(|(found, _)| *found == kind).unwrap();
    found.column(0, place).unwrap()
}

#[test]
fn logs_of_other_tools() {
    let repository = repository();
    let python = repository.join("target/python/bin/python");
    if !python.exists() {
        eprintln!("{} is not there (`make python`): nothing is tested", python.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let script = repository.join("tests/reference/logs.py");
    let made = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let missing = String::from_utf8(made.stdout).unwrap();
    let there = |name: &str| {
        let there = !missing.contains(name);
        if !there {
            eprintln!("not tested: {name}");
        }
        there
    };
    let expected: Vec<f32> =
        serde_json::from_slice(&std::fs::read(folder.path().join("aum.json")).unwrap()).unwrap();
    let ours = |path: &str| {
        let mut found = read(folder.path().join(path), &Options::default()).unwrap();
        // Ids sort as texts: s0, s1, s10, …
        let order: Vec<usize> = (0..expected.len())
            .map(|row| found.keys.text(row).trim_start_matches('s').parse().unwrap())
            .collect();
        let aum = column(&mut found, ScoreKind::Aum);
        for (value, id) in aum.iter().zip(order) {
            assert!((value - expected[id]).abs() < 1e-4, "{path}: {value} of {id}");
        }
        assert_eq!(found.runs[0].epochs, [0, 1, 2], "{path}");
    };
    if there("frames_of_pandas") {
        for kind in ["parquet", "csv", "json", "records", "feather"] {
            ours(&format!("frames_of_pandas/{kind}"));
        }
    }
    if there("dynamics_of_cartography") {
        ours("dynamics_of_cartography");
    }
    for (name, lacks) in [
        ("aum_of_the_package", "sample_id, aum"),
        ("log_of_lightning", "epoch, step, train_loss"),
        ("state_of_the_trainer", "log_history"),
        ("log_of_keras", "epoch, accuracy, loss"),
    ] {
        if there(name) {
            let error = read(folder.path().join(name), &Options::default()).unwrap_err();
            assert!(error.contains("has no logits, probabilities or losses"), "{name}: {error}");
            let words: Vec<&str> = lacks.split(", ").collect();
            assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
        }
    }
}

/// Five-fold predicted probabilities of CIFAR-10N (cleanlab/label-error-detection-benchmarks).
#[test]
fn published_predictions_find_wrong_labels_as_scikit_learn_says() {
    let data = repository().join("../shared/data/cifar10n-aggre-resnet18");
    if !data.is_dir() {
        eprintln!("{} is not there: nothing is tested", data.display());
        return;
    }
    let options = Options { labels: Some(data.join("given_labels.npy")), ..Options::default() };
    let mut found = read(data.join("pred_probs.npy"), &options).unwrap();
    assert_eq!((found.kind, found.labels.len()), (Kind::Probabilities, 50_000));
    let options = Options { labels: Some(data.join("true_labels.npy")), ..Options::default() };
    let truth = read(data.join("pred_probs.npy"), &options).unwrap().labels;
    let wrong: Vec<bool> = found.labels.iter().zip(&truth).map(|(a, b)| a != b).collect();
    let expected = std::fs::read(data.join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    let count = wrong.iter().filter(|wrong| **wrong).count();
    assert_eq!(count as u64, expected["wrong"].as_u64().unwrap());
    let metrics = expected["metrics_by_scikit_learn"].as_object().unwrap();
    let mut compared = 0;
    for (kind, name, sign) in [
        (ScoreKind::Confidence, "self-confidence", -1.0),
        (ScoreKind::Loss, "loss", 1.0),
        (ScoreKind::El2n, "el2n", 1.0),
        (ScoreKind::MaxMargin, "max-margin", 1.0),
    ] {
        let scores: Vec<f32> =
            column(&mut found, kind).into_iter().map(|value| sign * value).collect();
        let ours = detection(&scores, &wrong, &[count]).unwrap();
        let (_, theirs) = metrics.iter().find(|(key, _)| key.starts_with(name)).unwrap();
        for (measure, ours) in [
            ("auroc", ours.auroc),
            ("average_precision", ours.average_precision),
            ("precision_at_number_wrong", ours.precision_at[0].1),
        ] {
            let theirs = theirs[measure].as_f64().unwrap();
            assert!((ours - theirs).abs() < 1e-4, "{name} {measure}: {ours} and {theirs}");
            compared += 1;
        }
    }
    assert_eq!(compared, 12);
}
