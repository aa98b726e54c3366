//! The same trajectory in every format gives the scores that their definitions give.
//!
//! Files and expected values come from `tests/reference/trajectories.py`: NumPy, by the definitions
//! of the papers (cartography, AUM and what averages over presentations and windows of them) and of
//! DeepCore's program (forgetting); written by NumPy,
//! pyarrow, polars and safetensors, whose versions are in `expected.json`.

use std::path::{Path, PathBuf};

use datadiet_core::ScoreKind;
use datadiet_ingest::{IngestError, Ingested, Keys, Options, find, ingest};
use serde_json::Value;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(data().join("expected.json")).unwrap()).unwrap()
}

fn ingested(runs: &[&str], options: &Options) -> Result<Ingested, IngestError> {
    let given: Vec<PathBuf> = runs.iter().map(|run| data().join(run)).collect();
    ingest(&find(&given, options)?, options, &datadiet_core::Silent)
}

fn numbers(values: &Value) -> Vec<f64> {
    values.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

#[track_caller]
fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (&found, &expected) in found.iter().zip(expected) {
        let difference = (f64::from(found) - expected).abs();
        assert!(difference <= 2e-7 * expected.abs().max(1.0), "{what}: {found} is not {expected}");
    }
}

#[track_caller]
fn assert_as_expected(mut found: Ingested, run: usize) {
    let expected = expected();
    let Keys::Integers(keys) = &found.keys else { panic!("{:?}", found.keys) };
    let ids: Vec<f64> = keys.iter().map(|&key| key as f64).collect();
    assert_eq!(ids, numbers(&expected["ids"]));
    let labels: Vec<f64> = found.labels.iter().map(|&label| f64::from(label)).collect();
    assert_eq!(labels, numbers(&expected["labels"]));
    let mut compared = 0;
    for (place, (kind, epoch)) in found.columns.clone().into_iter().enumerate() {
        if Some(&epoch) == found.runs[run].epochs.last()
            && let Some(values) = expected["scores"].get(kind.name())
        {
            assert_close(&found.column(run, place).unwrap(), &numbers(values), kind.name());
            compared += 1;
        }
    }
    assert_eq!(compared, 15);
    let last = found.predicted.len() - 1;
    let predicted = found.predictions(run, last).unwrap();
    let predicted: Vec<f64> = predicted.into_iter().map(|class| class.unwrap().into()).collect();
    assert_eq!(predicted, numbers(&expected["scores"]["predicted"]));
    assert!(found.runs[run].unseen.iter().all(|&missed| missed == 0));
    assert_eq!((found.classes, found.runs[run].rows), (3, 60));
}

#[test]
fn every_format_gives_the_scores_of_the_definitions() {
    for run in [
        "npy-f32",
        "npy-f64-big-endian",
        "npy-bf16",
        "npy-all",
        "npz",
        "npz-all",
        "safetensors",
        "tables/lists.parquet",
        "tables/fixed.feather",
        "tables/fixed.arrows",
        "tables/wide-zstd.parquet",
        "cartography",
        "cartography/training_dynamics",
    ] {
        let found = ingested(&[run], &Options::default());
        let found = found.unwrap_or_else(|error| panic!("{run}: {error}"));
        assert_as_expected(found, 0);
    }
}

#[test]
fn formats_mix_as_replicas_of_one_id_map() {
    let found = ingested(&["cartography", "npz", "tables/lists.parquet"], &Options::default());
    let found = found.unwrap();
    assert_eq!(found.runs.len(), 3);
    assert_eq!(found.runs[0].epochs, [0, 1, 2, 3, 4]);
    assert_as_expected(found, 2);
}

#[test]
fn kept_epochs_are_those_of_the_names() {
    let options = Options { at: vec![200, 300], ..Options::default() };
    let found = ingested(&["safetensors"], &options).unwrap();
    let el2n = found.columns.iter().filter(|(kind, _)| *kind == ScoreKind::El2n);
    assert_eq!(el2n.map(|(_, epoch)| *epoch).collect::<Vec<_>>(), [200, 300, 500]);
    assert_eq!(found.predicted, [200, 300, 500]);
    assert_as_expected(found, 0);
    let error = ingested(&["npz"], &options).unwrap_err().to_string();
    assert_eq!(error, "there is no epoch 200; the epochs are 0, 1, 2, 3, 4");
}

#[test]
fn an_epoch_that_ends_where_an_example_comes_again() {
    // The rows of all epochs one after the other.
    let folder = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    for epoch in 0..5 {
        let path =
            data().join(format!("cartography/training_dynamics/dynamics_epoch_{epoch}.jsonl"));
        lines += &std::fs::read_to_string(path).unwrap();
    }
    let path = folder.path().join("log.jsonl");
    // The names of the fields say the epochs.
    std::fs::write(&path, &lines).unwrap();
    let options = Options::default();
    let found = find(std::slice::from_ref(&path), &options).unwrap();
    assert_as_expected(ingest(&found, &options, &datadiet_core::Silent).unwrap(), 0);
    // Nothing says them.
    let unsaid = (0..5)
        .fold(lines, |lines, epoch| lines.replace(&format!("logits_epoch_{epoch}"), "logits"));
    std::fs::write(&path, unsaid).unwrap();
    let options = Options { per_step: true, ..Options::default() };
    let found = find(&[path], &options).unwrap();
    assert_as_expected(ingest(&found, &options, &datadiet_core::Silent).unwrap(), 0);
    let error = ingest(&found, &Options::default(), &datadiet_core::Silent).unwrap_err();
    assert!(matches!(error, IngestError::Repeated { epoch: 1, .. }), "{error}");
}
