//! `datadiet runs gc`: what it takes, and what it leaves alone.

use std::fs;
use std::path::{Path, PathBuf};

use datadiet_store::{KernelDistance, ListRef, Measured, Measurement, RunFolder, Store};
use serde_json::Value;

use crate::support::{Home, with};

/// A home with a run that was prepared on a list of ids, and not trained for want of a worker.
fn home() -> (Home, PathBuf) {
    let home = Home::with_sample();
    let ids: Vec<String> = (0..100).map(|id| id.to_string()).collect();
    fs::write(home.path().join("ids.txt"), ids.join("\n")).unwrap();
    home.fails(&with("train", &["--subset", "ids.txt"]));
    let run = home.runs().remove(0);
    (home, run)
}

fn store(home: &Home) -> Store {
    Store::open(home.path().join("store")).unwrap()
}

/// Kinds of what nothing refers to.
fn kinds(collected: &Value) -> Vec<&str> {
    let unused = collected["unused"].as_array().unwrap();
    unused.iter().map(|unused| unused["kind"].as_str().unwrap()).collect()
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

/// Keeps a measurement on the run in the folder `run`, and gives its list of ids.
fn measure(store: &Store, run: &Path) -> ListRef {
    let examples = store.keep_list(&[1, 2, 3]).unwrap();
    let run = RunFolder::open(run).unwrap().0.id().clone();
    let distance = KernelDistance { run, from: 0, to: 1, examples: examples.clone() };
    let measurement = Measurement::KernelDistance(distance);
    let folder = store.measurement(&measurement);
    folder.prepare(&measurement).unwrap();
    folder.complete(&Measured::KernelDistance { distance: 0.5, seconds: 1.0 }).unwrap();
    examples
}

#[test]
fn lists_and_measurements_go_when_nothing_refers_to_them() {
    let (home, run) = home();
    let root = home.path().join("store");
    let of_measurement = measure(&store(&home), &run);
    assert!(home.ok(&["runs", "gc"]).contains("nothing to remove"));

    store(&home).keep_list(&[7, 8]).unwrap();
    fs::write(root.join("lists/.aside-killed"), "half of a").unwrap();
    let plan = home.json(&["runs", "gc"]);
    assert_eq!(kinds(&plan), ["list", "leftover"]);
    assert!(home.ok(&["runs", "gc"]).contains("would remove 1 list, 1 leftover"));
    assert_eq!(count(&root.join("lists")), 4, "a plan removes nothing");
    home.ok(&["runs", "gc", "--yes"]);
    assert_eq!(count(&root.join("lists")), 2);
    store(&home).read_list(&of_measurement).unwrap();

    let others = home.json(&["runs", "gc", "--unfinished", "--data", "another"]);
    assert_eq!(kinds(&others), [""; 0]);
    store(&home).keep_list(&[7, 8]).unwrap();
    let of_the_data = home.json(&["runs", "gc", "--unfinished", "--data", "sample", "--yes"]);
    assert_eq!(kinds(&of_the_data), ["measurement", "list", "list"]);
    assert_eq!((count(&root.join("runs")), count(&root.join("measurements"))), (0, 0));
    assert_eq!(count(&root.join("lists")), 1, "no run on the data needed the other list");
    assert_eq!(kinds(&home.json(&["runs", "gc", "--yes"])), ["list"]);
}

/// A list is kept before the specification that refers to it is written.
#[test]
fn lists_stay_while_another_command_may_need_them() {
    let (home, _) = home();
    let other = store(&home);
    let list = other.keep_list(&[7, 8]).unwrap();
    let collected = home.json(&["runs", "gc", "--yes"]);
    assert_eq!(kinds(&collected), [""; 0]);
    assert!(
        collected["note"].as_str().unwrap().contains("another datadiet command"),
        "{collected}"
    );
    other.read_list(&list).unwrap();
    drop(other);
    assert_eq!(kinds(&home.json(&["runs", "gc", "--yes"])), ["list"]);
}

#[test]
fn a_damaged_run_is_not_taken_from_the_worker_in_it() {
    let (home, run) = home();
    let lock = RunFolder::open(&run).unwrap().0.lock().unwrap();
    fs::write(run.join("spec.json"), "{").unwrap();
    assert_eq!(home.json(&["runs", "list"])[0]["state"], "training");
    let collected = home.json(&["runs", "gc", "--complete", "--yes"]);
    assert_eq!(collected["runs"], Value::Array(Vec::new()));
    assert!(collected["note"].as_str().unwrap().contains("all lists stay"), "{collected}");
    assert!(run.join("lock").exists() && count(&home.path().join("store/lists")) == 1);

    drop(lock);
    let collected = home.json(&["runs", "gc", "--yes"]);
    assert_eq!(collected["runs"][0]["state"], "damaged");
    // Nothing refers to its list any more.
    assert!(!run.exists() && count(&home.path().join("store/lists")) == 0);
}
