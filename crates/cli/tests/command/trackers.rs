//! `--log`: when the package's `datadiet.tracking` is asked, and what becomes of its answers. A script is in the place
//! of Python; what the package does is tested in Python, with the real clients.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{Home, errors};
use crate::trainer::{by, home_with, runs};

/// Records the only epoch that is scored.
const TRAINER: &str = "record; echo '{\"event\": \"at\", \"done\": 4, \"loss\": 0.25}'; finish";

/// A script that is called as Python is: it notes what it is asked, and keeps files that are gone afterwards.
fn python(home: &Home, script: &str) -> PathBuf {
    let file = home.path().join("python");
    let head = "#!/bin/sh\necho \"$@\" >>asked.txt\n\
        for file; do case $file in *losses.json|*points-*.json) cp \"$file\" .;; esac; done\n";
    std::fs::write(&file, format!("{head}{script}\n")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

/// A command with that script for Python.
fn run(home: &Home, python: &Path, arguments: &[&str]) -> Output {
    home.command(arguments).env("DATADIET_PYTHON", python).output().unwrap()
}

fn asked(home: &Home) -> Vec<String> {
    let text = std::fs::read_to_string(home.path().join("asked.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

const SCORE: [&str; 8] =
    ["--replicas", "1", "--scores", "el2n", "--out", "out", "--log", "mlflow:http://there"];

#[test]
fn a_tracker_that_cannot_be_used_is_told_before_anything_is_trained() {
    let home = home_with(TRAINER);
    for (script, expected) in [
        (
            "echo warning >&2; echo 'mlflow is not installed: pip install x' >&2; exit 1",
            "pip install x",
        ),
        ("echo 'python: No module named datadiet.tracking' >&2; exit 1", "of this version"),
        ("echo \"python: No module named 'datadiet'\" >&2; exit 1", "DATADIET_PYTHON"),
    ] {
        let python = python(&home, script);
        let output = run(&home, &python, &by("score", "sh own.sh", &SCORE));
        assert_eq!(output.status.code(), Some(1));
        let told = errors(&output);
        assert!(told.contains("--log mlflow:http://there") && told.contains(expected), "{told}");
    }
    let nowhere = home.path().join("nowhere");
    let output = run(&home, &nowhere, &by("score", "sh own.sh", &SCORE));
    assert!(errors(&output).contains("nowhere does not start"), "{}", errors(&output));
    assert_eq!(asked(&home), ["-m datadiet.tracking check mlflow:http://there"; 3]);
    assert!(!home.path().join("store/runs").exists(), "nothing was trained");
}

#[test]
fn results_report_and_losses_are_handed_over() {
    let home = home_with(TRAINER);
    let python = python(&home, "echo run 7");
    let output = run(&home, &python, &by("score", "sh own.sh", &SCORE));
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(errors(&output).contains("logged: run 7"), "{}", errors(&output));
    let asked = asked(&home);
    assert_eq!(asked.len(), 2, "{asked:?}");
    let begins = "-m datadiet.tracking log mlflow:http://there out --losses ";
    assert!(asked[1].starts_with(begins), "{asked:?}");
    assert!(home.path().join("out/report.html").is_file());
    let losses = std::fs::read_to_string(home.path().join("losses.json")).unwrap();
    let losses: serde_json::Value = serde_json::from_str(&losses).unwrap();
    // Steps of a trainer are examples: four epochs of 120.
    assert_eq!(losses, serde_json::json!({ "replica 0": [[480, 0.25]] }));
    // A training answers with JSON; only that is logged.
    let options = ["--json", "--log", "tensorboard"];
    let output = run(&home, &python, &by("train", "sh own.sh", &options));
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = format!("points-own.sh-{}", &answer["runs"][0].as_str().unwrap()[..8]);
    let logged = std::fs::read(home.path().join(format!("{name}.json"))).unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&logged).unwrap(), answer);
    let output = run(&home, &python, &by("train", "sh own.sh", &["--out", "a", "--log", "wandb"]));
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(self::asked(&home)[5].starts_with("-m datadiet.tracking log wandb a --losses"));
}

#[test]
fn results_that_could_not_be_logged_are_kept_and_can_be_logged_later() {
    let home = home_with(TRAINER);
    let fails = "case $3 in log) echo 'the server is gone' >&2; exit 1;; esac";
    let python = self::python(&home, fails);
    let output = run(&home, &python, &by("score", "sh own.sh", &SCORE));
    assert_eq!(output.status.code(), Some(1));
    assert!(!output.stdout.is_empty(), "the answer is told all the same");
    let told = errors(&output);
    let line = "datadiet report out --log mlflow:http://there";
    assert!(told.contains(line) && told.contains("the server is gone"), "{told}");
    assert!(home.path().join("out/scores.parquet").is_file());
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    let output = run(&home, &python, &words);
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    let python = self::python(&home, "echo run 8");
    let output = run(&home, &python, &words);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert!(errors(&output).contains("logged: run 8"));
    let last = asked(&home).pop().unwrap();
    let expected = "log mlflow:http://there out --report out/report.html";
    assert!(last.ends_with(expected), "{last}");
    // Of a training there is no folder: the same command trains nothing again.
    let python = self::python(&home, fails);
    let train = by("train", "sh own.sh", &["--log", "mlflow"]);
    for _ in 0..2 {
        let output = run(&home, &python, &train);
        assert_eq!(output.status.code(), Some(1));
        assert!(errors(&output).contains("the same command again"), "{}", errors(&output));
    }
    assert_eq!(runs(&home).len(), 2);
}

#[test]
fn where_nothing_can_be_logged_that_is_said() {
    let home = Home::scored();
    let python = python(&home, "echo run 9");
    for (arguments, expected) in [
        (
            &["report", "out", "--log", "comet"][..],
            "no tracker is called `comet`; there are mlflow",
        ),
        (&["report", "out", "--log", ""], "no tracker is called ``"),
        (
            &["report", "out", "out", "--out", "b.html", "--log", "mlflow"],
            "report on each by itself",
        ),
        (&["suspects", "out", "--log", "mlflow"], "are logged by `datadiet report`"),
    ] {
        let output = run(&home, &python, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(errors(&output).contains(expected), "{arguments:?}: {}", errors(&output));
    }
    let trainer = home_with(TRAINER);
    let planned = [&["plan"][..], &by("score", "sh own.sh", &SCORE)].concat();
    let output = run(&trainer, &python, &planned);
    assert!(errors(&output).contains("a plan trains nothing"), "{}", errors(&output));
    assert!(asked(&home).is_empty() && asked(&trainer).is_empty());
}
