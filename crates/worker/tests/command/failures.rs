//! Runs that cannot go on, and what is said of them.

use std::fs;

use crate::support::{Home, JOB};

fn complaint(home: &Home, options: &[&str]) -> String {
    home.fails(&[JOB, options].concat())
}

#[test]
fn a_locked_run_names_its_holder() {
    let home = Home::with_sample();
    home.score(&["--replicas", "1"]);
    let run = &home.runs()[0];
    fs::remove_file(run.join("result.json")).unwrap();
    let lock = fs::File::options().write(true).open(run.join("lock")).unwrap();
    lock.lock().unwrap();
    let message = complaint(&home, &["--replicas", "1"]);
    assert!(message.contains("locked by process"), "{message}");
    drop(lock);
    home.score(&["--replicas", "1"]);
}

#[test]
fn a_diverging_run_is_recorded_with_its_step_and_rate() {
    let home = Home::with_sample();
    let job = ["--lr", "1e30", "--replicas", "1"];
    let message = complaint(&home, &job);
    assert!(message.contains("learning rate") && message.contains("--lr"), "{message}");
    let runs = home.json(&["runs", "list"]);
    assert_eq!(runs[0]["state"], "failed");
    let failure = fs::read_to_string(home.runs()[0].join("failure.json")).unwrap();
    let failure: serde_json::Value = serde_json::from_str(&failure).unwrap();
    assert!(failure["step"].as_u64().unwrap() >= 1);
    assert!(failure["learning_rate"].as_f64().unwrap() > 1e20);
    let message = complaint(&home, &job);
    assert!(message.contains("--retry-failed"), "{message}");
}

#[test]
fn a_data_set_that_changed_does_not_meet_old_runs() {
    let home = Home::with_sample();
    home.score(&["--replicas", "1", "--limit", "500"]);
    home.score(&["--replicas", "1"]);
    assert_eq!(home.runs().len(), 2, "a limit is another specification");
}
