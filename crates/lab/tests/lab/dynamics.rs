//! Kernel velocity and connectivity.

use datadiet_lab::study::connectivity::ConnectivityOutcome;
use datadiet_lab::study::velocity::VelocityOutcome;

use crate::bench::{Bench, Fake};

/// 100 steps an epoch, 4 epochs.
const SCORED: &str = "
[training]
batch = 10
epochs = 4

[scoring]
replicas = 2
at = [1]
scores = [\"el2n\"]
";

fn velocity(changes: &str) -> String {
    study("velocity", &[("at", "[1]"), ("positions", "[0, 0.5, 1]")], changes)
}

fn connectivity(changes: &str) -> String {
    let given = [
        ("by", "\"el2n@1\""),
        ("spawn", "[2, 0]"),
        ("children", "3"),
        ("examples", "100"),
        ("points", "5"),
        ("statistics", "128"),
    ];
    study("connectivity", &given, changes)
}

/// A study with some values changed.
fn study(name: &str, given: &[(&str, &str)], changes: &str) -> String {
    let changed: Vec<&str> = changes.lines().map(|line| line.split(' ').next().unwrap()).collect();
    let kept = given.iter().filter(|(key, _)| !changed.contains(key));
    let kept: String = kept.map(|(key, value)| format!("{key} = {value}\n")).collect();
    format!("{SCORED}\n[{name}]\n{kept}{changes}")
}

#[test]
fn velocities_of_windows_along_the_order() {
    let bench = Bench::new();
    let experiment = bench.experiment(&velocity("")).unwrap();
    let fake = Fake::default();
    let outcome = bench.run(&experiment, &fake).outcome;
    let found: Vec<VelocityOutcome> = outcome.study("velocity").unwrap().unwrap();
    let windows = &found[0].windows;
    let ranks: Vec<usize> = windows.iter().map(|window| window.place.first_rank).collect();
    assert_eq!(ranks, [0, 450, 900]);
    for window in windows {
        let spread = window.velocity.as_ref().unwrap();
        assert_eq!(spread.values.len(), 2, "one a replica");
        assert!((spread.mean - window.place.score).abs() < 1e-6, "{window:?}");
    }
    assert_eq!(outcome.cost.measurements, 6);
    // Nothing is measured twice.
    bench.run(&experiment, &fake);
    assert_eq!(*fake.measured.lock().unwrap(), 6);
}

#[test]
fn barriers_between_parents_and_children() {
    let bench = Bench::new();
    let experiment = bench.experiment(&connectivity("")).unwrap();
    let size = experiment.size();
    // The same step twice counts once.
    let twice = bench.experiment(&connectivity("spawn = [2, 0, 2.001]")).unwrap();
    assert_eq!(twice.size(), size);
    assert_eq!((size.trainings, size.steps), (2 + 1 + 6, 2 * 100 + 400 + 3 * (400 + 200)));
    let fake = Fake::default();
    let outcome = bench.run(&experiment, &fake).outcome;
    assert_eq!(fake.trained.lock().unwrap().len(), 9);
    let found: ConnectivityOutcome = outcome.study("connectivity").unwrap().unwrap();
    assert_eq!(found.alphas, [0.0, 0.25, 0.5, 0.75, 1.0]);
    let times: Vec<f64> = found.spawns.iter().map(|spawn| spawn.time).collect();
    assert_eq!(times, [0.0, 2.0]);
    for (spawn, height) in found.spawns.iter().zip([1.0, 0.5]) {
        let names: Vec<&str> = spawn.sets.iter().map(|set| set.set.as_str()).collect();
        assert_eq!(names, ["lowest", "random", "highest"]);
        for (set, hardness) in [(&spawn.sets[0], 0.0495), (&spawn.sets[2], 0.9495)] {
            let barrier = set.error_barrier.as_ref().unwrap();
            assert_eq!(barrier.values.len(), 3, "one a child");
            assert!((barrier.mean - 0.25 * hardness * height).abs() < 1e-9, "{barrier:?}");
            assert_eq!(set.loss_barrier.as_ref().unwrap().mean, 0.0);
            assert_eq!(set.error.len(), 5);
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_trained() {
    let bench = Bench::new();
    for (text, expected) in [
        (velocity("positions = [1.1]"), "past the end"),
        (velocity("examples = 1001"), "cannot be cut from 1000"),
        (velocity("examples = 0"), "cannot be cut"),
        (velocity("at = [3.5]"), "epoch 4.5"),
        (velocity("at = []"), "needs at"),
        (velocity("at = [1]\nscored-at = 2\nby = \"grand\""), "grand@2"),
        (velocity("interval = 0"), "less than one step"),
        (connectivity("spawn = [4]"), "epoch 4"),
        (connectivity("spawn = [5]"), "epoch 5"),
        (connectivity("spawn = [-1]"), "epoch -1"),
        (connectivity("examples = 1001"), "cannot be chosen from 1000"),
        (connectivity("statistics = 0"), "at least 1"),
        (connectivity("points = 2"), "at least 3"),
        (connectivity("by = \"el2n@3\""), "el2n@3"),
    ] {
        let message = bench.experiment(&text).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}
