//! Tables of losses, which have no labels, through the commands that read tables.

use datadiet_core::{ExampleId, LossRecorder, Measure, ScoreKind, Task};
use datadiet_table::{Recorded, ScoreTable, TimePoint};

use crate::support::{Home, errors};

/// 40 examples after two epochs in `losses.parquet`: the loss grows with the id, the length too.
fn home() -> Home {
    let home = Home::empty();
    let ids: Vec<ExampleId> = (0..40).map(ExampleId).collect();
    let mut recorder = LossRecorder::new(40);
    recorder
        .set_beside(&[Measure::part(ScoreKind::Loss, "box").unwrap(), ScoreKind::Length.into()])
        .unwrap();
    for epoch in 1..=2 {
        let losses: Vec<f32> = (0..40).map(|id| id as f32 / epoch as f32).collect();
        let lengths: Vec<f32> = (0..40).map(|id| (id / 2 + 1) as f32).collect();
        recorder.update(&ids, &losses, &[&losses, &lengths]).unwrap();
        recorder.end_epoch();
    }
    let time = |epoch: u32| TimePoint { epochs: f64::from(epoch), step: u64::from(epoch) };
    let scores = recorder.columns().into_iter();
    let scores = scores.map(|(measure, epoch, column)| (measure, time(epoch), column)).collect();
    let recorded = Recorded { scores, predicted: Vec::new() };
    let table = ScoreTable::recorded_of(Task::Loss, &[recorded], None, "training").unwrap();
    table.write(&home.path().join("losses.parquet")).unwrap();
    home
}

#[test]
fn suspects_of_losses_have_no_classes() {
    let home = home();
    let text = home.ok(&["suspects", "losses.parquet", "-n", "3"]);
    assert!(!text.contains("labelled") && !text.contains("predicted"), "{text}");
    let first: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(first, ["39", "29.250"], "{text}");
    assert!(
        text.contains("cannot be told: losses that a training loop gave need not be"),
        "{text}"
    );
    let answer = home.json(&["suspects", "losses.parquet", "-n", "1"]);
    assert_eq!(answer["by"], "mean-loss@2");
    assert!(answer["suspects"][0].get("class").is_none(), "{answer}");
    assert_eq!(answer["suspects"][0]["id"], 39);
}

#[test]
fn a_choice_by_losses_says_that_it_follows_the_length() {
    let home = home();
    let select = |by: &str| {
        let arguments =
            ["select", "losses.parquet", "--by", by, "--keep", "0.5", "--out", "half.json"];
        let output = home.command(&arguments).output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
        errors(&output)
    };
    let said = select("mean-loss@end");
    assert!(said.contains("mean-loss@2 follows length@2 (Spearman 1.00)"), "{said}");
    let text = std::fs::read(home.path().join("half.json")).unwrap();
    let subset: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(subset["ids"].as_array().unwrap()[0], 20);
    // A choice by the length itself does not follow it.
    let said = select("length@end");
    assert!(!said.contains("follows"), "{said}");
    let quota =
        ["select", "losses.parquet", "--keep", "0.5", "--quota", "balanced", "--out", "x.json"];
    assert!(home.fails(&quota).contains("label"), "{}", home.fails(&quota));
}

#[test]
fn losses_are_shown_as_their_task_reads_them() {
    let home = home();
    let text = home.ok(&["scores", "show", "losses.parquet", "--wide"]);
    assert!(text.contains("the loss of the example, as it was given"), "{text}");
    assert!(text.contains("the part `box` of the loss"), "{text}");
    assert!(text.contains("mean over presentations of the loss"), "{text}");
    assert!(!text.contains("−ln p_y"), "{text}");
    let head = home.ok(&["scores", "head", "losses.parquet", "-n", "1"]);
    assert!(head.contains("mean-loss@2"), "{head}");
    home.ok(&["report", "losses.parquet", "--out", "report.html"]);
    let page = std::fs::read_to_string(home.path().join("report.html")).unwrap();
    assert!(page.contains("follows length@2") && !page.contains("whose labels fit worst"));
}
