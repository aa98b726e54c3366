//! `datadiet ntk` and `datadiet lmc`.

use serde_json::Value;

use crate::support::{Home, with};

fn complaint(home: &Home, command: &str, options: &[&str]) -> String {
    let text = home.fails(&with(command, options));
    assert!(!home.path().join("store/runs").exists(), "nothing is trained: {text}");
    text
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn kernels_and_lines_that_cannot_be() {
    let home = Home::with_sample();
    let text = complaint(&home, "ntk", &["--positions", "0,1.2"]);
    assert!(text.contains("past the end"), "{text}");
    let text = complaint(&home, "ntk", &["--examples", "401"]);
    assert!(text.contains("cannot be cut from 400"), "{text}");
    let text = complaint(&home, "ntk", &["--at", "1.5", "--interval", "1"]);
    assert!(text.contains("epoch 2.5"), "{text}");
    let text = complaint(&home, "ntk", &["--at", "3"]);
    assert!(text.contains("epoch"), "{text}");
    let text = complaint(&home, "lmc", &["--spawn", "2"]);
    assert!(text.contains("cannot leave its parent at epoch 2"), "{text}");
    let text = complaint(&home, "lmc", &["--examples", "401"]);
    assert!(text.contains("cannot be chosen from 400"), "{text}");
    let planned = home.json(&with("lmc", &["--examples", "50", "--plan"]));
    assert_eq!(number(&planned["trainings"]), 2.0 + 1.0 + 10.0);
    assert!(!home.path().join("store/runs").exists(), "a plan trains nothing");
}
