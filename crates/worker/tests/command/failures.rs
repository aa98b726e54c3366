//! Runs that cannot go on, and what is said of them.

use std::fs;
use std::time::Duration;

use datadiet_store::RunFolder;

use crate::support::{Home, JOB, errors};

fn complaint(home: &Home, options: &[&str]) -> String {
    home.fails(&[JOB, options].concat())
}

#[test]
fn a_run_that_another_process_trains_is_waited_for_and_named() {
    let home = Home::with_sample();
    home.score(&["--replicas", "1"]);
    let run = &home.runs()[0];
    fs::remove_file(run.join("result.json")).unwrap();
    let lease = RunFolder::open(run).unwrap().0.lock().unwrap();
    let listed = home.json(&["runs", "list"]);
    assert_eq!(listed[0]["holder"]["pid"], std::process::id());
    let lets_go = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        drop(lease);
    });
    let output = home.command(&[JOB, &["--replicas", "1"]].concat()).output().unwrap();
    lets_go.join().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let waits = format!("waits for process {} on ", std::process::id());
    assert!(errors(&output).contains(&waits), "{}", errors(&output));
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
