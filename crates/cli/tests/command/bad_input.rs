//! Every mistake has an answer that names the next thing to do.

use std::fs;

use crate::support::{Home, JOB};

fn complaint(home: &Home, options: &[&str]) -> String {
    home.fails(&[JOB, options].concat())
}

#[test]
fn unknown_names_get_suggestions() {
    let home = Home::with_sample();
    let message = complaint(&home, &["--model", "resnet19"]);
    assert!(message.contains("resnet18") || message.contains("resnet14"), "{message}");
    let message = complaint(&home, &["--data", "simple"]);
    assert!(message.contains("sample"), "{message}");
    let message = complaint(&home, &["--scores", "el2m"]);
    assert!(message.contains("did you mean `el2n`"), "{message}");
    let message = home.fails(&["score"]);
    assert!(message.contains("--data"), "{message}");
}

#[test]
fn impossible_plans_are_refused_before_anything_is_written() {
    let home = Home::with_sample();
    for (options, expected) in [
        (&["--at", "0,1.5"][..], "give --epochs 2"),
        (&["--at", "-1"], "from 0 to 1"),
        (&["--at", "0.5,0.51"], "the same step"),
        (&["--batch", "5000"], "1000 training examples"),
        (&["--limit", "2000"], "between 1 and 1000"),
        (&["--replicas", "0"], "at least 1"),
        (&["--epochs", "0"], "at least one is needed"),
        (&["--lr", "-1"], "above 0"),
        (&["--momentum", "1"], "[0, 1)"),
        (&["--crop-padding", "28"], "smaller than the images"),
        (&["--until-reliability", "95"], "such as 0.95"),
        (&["--warm-up", "2"], "shorter than the training"),
        (&["--warm-up", "0.5", "--schedule", "paper"], "give --schedule linear"),
        (
            &["--width", "0.25"],
            "such as 16, or a multiple of the network's own width, such as 0.25x",
        ),
        (&["--width", "0.0001x"], "is no width"),
        (&["--recipe", "speedrun"], "--recipe speedrun is for airbench"),
        (&["--recipe", "fast"], "speedrun"),
        (&["--activation", "tanh"], "gelu"),
        (&["--label-smoothing", "1"], "[0, 1)"),
        (&["--flip=often"], "alternating"),
        (&["--bias-rate", "-1"], "above 0"),
        (&["--muon", "0.1"], "which mlp has not"),
        (&["--muon-momentum", "0.5"], "give --muon"),
        (&["--lookahead", "50"], "never gets there"),
        (&["--lookahead-decay", "0.5"], "give --lookahead"),
        (&["--micro-batch", "20"], "divide the batch of 50"),
        (&["--views", "all"], "mirrored-shifted"),
        (&["--whitening-epochs", "1"], "which mlp has not"),
    ] {
        let message = complaint(&home, options);
        assert!(message.contains(expected), "{options:?}: {message}");
    }
    assert!(!home.path().join("scores").exists() && !home.path().join("store").exists());
}

#[test]
fn a_file_with_an_unknown_key_names_it() {
    let home = Home::with_sample();
    fs::write(home.path().join("job.toml"), "data = \"sample\"\nepoch = 3\n").unwrap();
    let message = home.fails(&["score", "job.toml"]);
    assert!(message.contains("epoch") && message.contains("job.toml"), "{message}");
}

#[test]
fn places_that_cannot_be_written_are_found_before_training() {
    let home = Home::with_sample();
    fs::write(home.path().join("file"), "").unwrap();
    let message = complaint(&home, &["--out", "file/out"]);
    assert!(message.contains("--out DIR"), "{message}");
    let message = complaint(&home, &["--store", "file/store"]);
    assert!(message.contains("file/store"), "{message}");
    assert!(!home.path().join("store").exists(), "nothing was trained");
}

#[test]
fn a_store_of_another_version_is_left_alone() {
    let home = Home::with_sample();
    fs::create_dir(home.path().join("store")).unwrap();
    fs::write(home.path().join("store/STORE"), "datadiet store, layout 99\n").unwrap();
    let message = complaint(&home, &[]);
    assert!(message.contains("layout version 99") && message.contains("--store"), "{message}");
}
