//! `datadiet ingest`.

use std::path::{Path, PathBuf};

use datadiet_core::{ExampleId, Matrix, TrajectoryRecorder};
use datadiet_data::{DataHome, Dataset};
use datadiet_table::{Column, Table};
use serde_json::Value;

use crate::support::Home;

const EXAMPLES: usize = 40;
const CLASSES: usize = 3;
const EPOCHS: usize = 4;

/// A logit that depends on everything, and grows for the label.
fn logit(run: usize, epoch: usize, example: usize, class: usize) -> f32 {
    let mixed = (run * 7919 + epoch * 104_729 + example * 1_299_709 + class * 15_485_863) % 1009;
    let learned = if class == label(example) as usize { epoch as f32 * 0.8 } else { 0.0 };
    mixed as f32 / 250.0 - 2.0 + learned
}

fn label(example: usize) -> u32 {
    (example * 5 % 7 % CLASSES) as u32
}

/// Ids as texts, which sort in another order than the rows.
fn key(example: usize) -> String {
    format!("image-{:03}", (example * 17) % 101)
}

/// A run as dataset cartography writes it; `skip` leaves an example out of epoch 2.
pub fn write_run(folder: &Path, run: usize, skip: Option<usize>) {
    std::fs::create_dir_all(folder).unwrap();
    for epoch in 0..EPOCHS {
        let mut lines = String::new();
        // In another order in each epoch.
        for row in 0..EXAMPLES {
            let example = (row * 13 + epoch * 11) % EXAMPLES;
            if epoch == 1 && skip == Some(example) {
                continue;
            }
            let logits: Vec<f32> =
                (0..CLASSES).map(|class| logit(run, epoch, example, class)).collect();
            let guid = key(example);
            let gold = label(example);
            lines += &format!(
                "{{\"guid\": {guid:?}, \"logits_epoch_{epoch}\": {logits:?}, \"gold\": {gold}}}\n"
            );
        }
        std::fs::write(folder.join(format!("dynamics_epoch_{epoch}.jsonl")), lines).unwrap();
    }
}

/// What the recorder makes of a run, examples in the order of their keys.
fn recorded(run: usize) -> TrajectoryRecorder {
    let mut recorder = TrajectoryRecorder::new(EXAMPLES, CLASSES).keep_at(&[2]);
    let order = order();
    let ids: Vec<ExampleId> = (0..EXAMPLES as u32).map(ExampleId).collect();
    let labels: Vec<u32> = order.iter().map(|&example| label(example)).collect();
    for epoch in 0..EPOCHS {
        let logits: Vec<f32> = order
            .iter()
            .flat_map(|&example| (0..CLASSES).map(move |class| logit(run, epoch, example, class)))
            .collect();
        recorder.update(&ids, Matrix::logits(&logits, CLASSES), &labels).unwrap();
        recorder.end_epoch();
    }
    recorder
}

/// Examples by key.
fn order() -> Vec<usize> {
    let mut order: Vec<usize> = (0..EXAMPLES).collect();
    order.sort_by_key(|&example| key(example));
    order
}

fn home_with_runs(runs: usize) -> Home {
    let home = Home::empty();
    for run in 0..runs {
        write_run(&home.path().join(format!("run{run}")), run, None);
    }
    home
}

fn table(home: &Home, out: &str) -> Table {
    Table::read(&home.path().join(out).join("scores.parquet")).unwrap()
}

#[test]
fn replicas_become_means_that_every_command_reads() {
    let home = home_with_runs(2);
    let report =
        home.json(&["ingest", "run0", "run1", "--at", "1", "--out", "out", "--pass", "eval mode"]);
    assert_eq!(report["replicas"], 2);
    assert_eq!(report["ingested"]["runs"][1]["epochs"], serde_json::json!([0, 1, 2, 3]));
    let table = table(&home, "out");
    let replicas = [recorded(0), recorded(1)];
    let columns = replicas.each_ref().map(TrajectoryRecorder::columns);
    for (place, (kind, epoch, first)) in columns[0].iter().enumerate() {
        let second = &columns[1][place].2;
        // The files number the epochs from 0.
        let epoch = epoch - 1;
        let found = table.floats(&format!("{kind}@{epoch}")).unwrap();
        let errors = table.floats(&format!("{kind}@{epoch}.se")).unwrap();
        for row in 0..EXAMPLES {
            let (a, b) = (f64::from(first[row]), f64::from(second[row]));
            assert!((f64::from(found[row]) - (a + b) / 2.0).abs() < 1e-6, "{kind}");
            assert!((f64::from(errors[row]) - (a - b).abs() / 2.0).abs() < 1e-6, "{kind}");
        }
    }
    let keys: Vec<String> = order().into_iter().map(key).collect();
    assert_eq!(table.column("key"), Some(&Column::Text(keys)));
    assert_eq!(table.integers("id").unwrap(), (0..EXAMPLES as u32).collect::<Vec<_>>());
    assert!(table.integers("predicted@3").is_ok() && table.integers("predicted@1").is_ok());

    let shown = home.json(&["scores", "show", "out"]);
    assert_eq!(shown["examples"], EXAMPLES);
    assert_eq!(shown["card"]["columns"][0]["definition"]["pass"], "eval mode");
    home.ok(&["select", "out", "--keep", "0.5", "--out", "half.parquet"]);
    assert_eq!(Table::read(&home.path().join("half.parquet")).unwrap().rows(), EXAMPLES / 2);
    let suspects = home.json(&["suspects", "out", "-n", "3"]);
    assert_eq!(suspects["suspects"].as_array().unwrap().len(), 3);
    let keys = |row: &Value| key(order()[row["id"].as_u64().unwrap() as usize]);
    for suspect in suspects["suspects"].as_array().unwrap() {
        assert_eq!(suspect["key"], keys(suspect));
    }
    let hardest = home.json(&["scores", "head", "out", "-n", "1"]);
    assert_eq!(hardest[0]["key"], keys(&hardest[0]));
    home.ok(&["report", "out"]);
    let page = std::fs::read_to_string(home.path().join("out/report.html")).unwrap();
    assert!(page.contains("eval mode") && !page.contains("un-augmented images"));
    assert!(home.ok(&["scores", "show", "out"]).contains("\neval mode: "));
    for section in ["The scores", "el2n@3", "eval mode", "recorded in run0, run1"] {
        assert!(page.contains(section), "{section}");
    }
}

/// Ids that are not 0, 1, 2, … stay with a subset in every format.
#[test]
fn a_subset_has_the_ids_of_its_owner() {
    let home = Home::with_sample();
    write_run(&home.path().join("run0"), 0, None);
    home.ok(&["ingest", "run0", "--out", "out"]);
    for file in ["half.parquet", "half.txt", "half.json"] {
        home.ok(&["select", "out", "--keep", "0.5", "--out", file]);
    }
    let read = |file: &str| std::fs::read_to_string(home.path().join(file)).unwrap();
    let table = Table::read(&home.path().join("half.parquet")).unwrap();
    let ids = table.integers("id").unwrap();
    let keys: Vec<String> = ids.iter().map(|&id| key(order()[id as usize])).collect();
    assert_eq!(table.column("key"), Some(&Column::Text(keys.clone())));
    assert_eq!(read("half.txt").lines().collect::<Vec<_>>(), keys);
    let json: Value = serde_json::from_str(&read("half.json")).unwrap();
    assert_eq!(json["keys"], serde_json::json!(keys));
    let message = home.fails(&["select", "out", "--keep", "0.5", "--out", "half.npy"]);
    assert!(message.contains("texts for ids") && message.contains(".parquet"), "{message}");
    assert!(!home.path().join("half.npy").exists());
    let message = home.fails(&["train", "--data", "sample", "--subset", "half.parquet"]);
    assert!(message.contains("not whole numbers from 0"), "{message}");
}

/// Scores from elsewhere do not say which images they are of; who imported these can.
#[test]
fn a_report_of_recorded_scores_shows_pictures_of_the_data_set_that_is_named() {
    let home = Home::with_sample();
    let dataset = Dataset::open(&DataHome::new(home.path().join("data")), "sample").unwrap();
    let write = |name: &str, labels: &mut dyn Iterator<Item = u32>| {
        let row = |(id, label): (usize, u32)| {
            format!(
                r#"{{"id": {id}, "logits": [0.5, {id}, 0, 0, 0, 0, 0, 0, 0, 0], "label": {label}}}"#
            )
        };
        let lines: Vec<String> = labels.enumerate().map(row).collect();
        std::fs::write(home.path().join(name), lines.join("\n")).unwrap();
    };
    let labels = dataset.train().labels;
    write("right.jsonl", &mut labels.iter().copied());
    write("other.jsonl", &mut labels.iter().map(|label| (label + 1) % 10));
    home.ok(&["ingest", "right.jsonl", "--out", "right"]);
    home.ok(&["ingest", "other.jsonl", "--out", "other"]);
    home.ok(&["report", "right"]);
    let page = || std::fs::read_to_string(home.path().join("right/report.html")).unwrap();
    assert!(!page().contains("Labelled → predicted"));
    home.ok(&["report", "right", "--data", "sample"]);
    assert!(page().contains("Labelled → predicted"));
    home.ok(&["suspects", "right", "--picture", "suspects.png", "--data", "sample"]);
    let message = home.fails(&["report", "other", "--data", "sample"]);
    assert!(message.contains("belong to different data sets"), "{message}");
    let message = home.fails(&["suspects", "right", "--picture", "suspects.png"]);
    assert!(message.contains("--data NAME"), "{message}");
}

#[test]
fn the_same_command_gives_the_same_table_and_another_folder_is_not_overwritten() {
    let home = home_with_runs(2);
    let first = home.json(&["ingest", "run0"]);
    let path = PathBuf::from(first["files"][0].as_str().unwrap());
    assert!(path.starts_with("scores"), "{path:?}");
    let bytes = || std::fs::read(home.path().join(&path)).unwrap();
    let before = bytes();
    assert_eq!(home.json(&["ingest", "run0"]), first);
    assert_eq!(bytes(), before);
    let out = path.parent().unwrap().to_str().unwrap();
    let refused = home.fails(&["ingest", "run1", "--out", out]);
    assert!(refused.contains("holds the scores of something else"), "{refused}");
    assert_eq!(bytes(), before);
    let twice = home.fails(&["ingest", "run0", "./run0"]);
    assert!(twice.contains("is named twice"), "{twice}");
}

#[test]
fn missing_rows_are_told_and_counted() {
    let home = Home::empty();
    write_run(&home.path().join("run"), 0, Some(3));
    let output = home.command(&["ingest", "run", "--at", "1", "--out", "out", "--json"]).output();
    let output = output.unwrap();
    assert!(output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("1 rows are missing, most in epoch 1 (1 of 40 examples)"), "{told}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["ingested"]["runs"][0]["missing"], serde_json::json!([0, 1, 0, 0]));
    let table = table(&home, "out");
    let row = order().iter().position(|&example| example == 3).unwrap();
    let missing: Vec<usize> =
        (0..EXAMPLES).filter(|&row| table.floats("el2n@1").unwrap()[row].is_nan()).collect();
    assert_eq!(missing, [row]);
    assert!(table.floats("forgetting@3").unwrap().iter().all(|value| !value.is_nan()));
}

#[test]
fn names_of_classes_and_errors_of_files() {
    let home = home_with_runs(1);
    std::fs::write(home.path().join("names.txt"), "cat\ndog\nowl\n").unwrap();
    home.ok(&["ingest", "run0", "--classes", "names.txt", "--out", "out"]);
    let Some(Column::Text(classes)) = table(&home, "out").column("class").cloned() else {
        panic!("no classes")
    };
    assert!(classes.contains(&"owl".to_owned()));
    std::fs::write(home.path().join("names.txt"), "cat\n").unwrap();
    let few = home.fails(&["ingest", "run0", "--classes", "names.txt", "--out", "out"]);
    assert!(few.contains("1 names of classes, but 3 classes"), "{few}");
    let nowhere = home.fails(&["ingest", "elsewhere"]);
    assert!(nowhere.contains("cannot read elsewhere"), "{nowhere}");
    let late = home.fails(&["ingest", "run0", "--at", "9"]);
    assert!(late.contains("there is no epoch 9; the epochs are 0, 1, 2, 3"), "{late}");
    std::fs::write(home.path().join("run0/dynamics_epoch_2.jsonl"), "{\"guid\": 1").unwrap();
    let damaged = home.fails(&["ingest", "run0"]);
    assert!(damaged.contains("dynamics_epoch_2.jsonl: row 1: EOF"), "{damaged}");
}

/// Losses have no labels: suspects and subsets go by the ids of the files.
#[test]
fn losses_become_a_table_by_the_ids_of_the_files() {
    let home = Home::empty();
    let mut text = "epoch,image,loss\n".to_owned();
    for epoch in 1..=3 {
        for row in 0..EXAMPLES {
            let example = (row * 13 + epoch * 11) % EXAMPLES;
            text += &format!("{epoch},{},{}\n", key(example), example as f32 / epoch as f32);
        }
    }
    std::fs::write(home.path().join("losses.csv"), text).unwrap();
    let ingest = ["ingest", "losses.csv", "--id", "image", "--threshold", "2.5", "--out", "out"];
    let told = home.ok(&ingest);
    assert!(told.contains("120 rows of losses: 40 examples, 3 epochs (1 to 3), 1 run"), "{told}");
    let suspects = home.json(&["suspects", "out", "-n", "2"]);
    assert_eq!(suspects["by"], "mean-loss@3");
    assert_eq!(suspects["suspects"][0]["key"], key(EXAMPLES - 1).as_str(), "{suspects}");
    let select = ["select", "out", "--by", "mean-loss@end", "--keep", "0.25", "--out", "hard.txt"];
    home.ok(&select);
    let chosen = std::fs::read_to_string(home.path().join("hard.txt")).unwrap();
    let mut expected: Vec<String> = (30..EXAMPLES).map(key).collect();
    expected.sort();
    assert_eq!(chosen.lines().collect::<Vec<_>>(), expected);
    let table = Table::read(&home.path().join("out/scores.parquet")).unwrap();
    assert!(table.column("label").is_none());
    let error = home.fails(&["ingest", "losses.csv", "--out", "other"]);
    assert!(error.contains("--id image") || error.contains("--id"), "{error}");
    let error =
        home.fails(&["ingest", "losses.csv", "--id", "image", "--threshold", "nan", "--out", "x"]);
    assert!(error.contains("--threshold"), "{error}");
}
