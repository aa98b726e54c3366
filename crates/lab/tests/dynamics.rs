//! Kernel velocity and connectivity with a trainer that does not train: what it measures is a
//! function of the examples, so that the right answer is known.

mod common;

use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use datadiet_core::ScoreKind;
use datadiet_lab::study::connectivity::ConnectivityPlan;
use datadiet_lab::study::velocity::VelocityPlan;
use datadiet_lab::{Experiment, Scene, Silent, Sweep, Trainer, TrainerError, WorkerEvent};
use datadiet_store::{
    Measured, Measurement, MeasurementFolder, Recording, Risks, RunFolder, RunResult, RunSpec,
    Store, TimedAccuracy,
};
use datadiet_table::{Column, Table, TimePoint};

const EXAMPLES: u32 = 1000;
const STEPS: u64 = 400;
const BATCH: u32 = 10;

#[derive(Default)]
struct Fake {
    measured: Mutex<usize>,
    trained: Mutex<Vec<RunSpec>>,
}

impl Trainer for Fake {
    fn train(
        &self,
        folder: &RunFolder,
        _slot: usize,
        _stop: &AtomicBool,
        _on_event: &mut dyn FnMut(WorkerEvent),
    ) -> Result<(), TrainerError> {
        let (_, spec) = RunFolder::open(folder.path()).map_err(|error| error.to_string())?;
        if let Some(spawn) = &spec.spawn {
            let (_, parent) = RunFolder::open(&folder.sibling(&spawn.parent)).unwrap();
            assert!(parent.trains_like(&spec) && parent.record.weights.contains(&spawn.step));
        }
        for &step in &spec.record.steps {
            let mut table = Table::default();
            // The id is the difficulty.
            let scores = (0..EXAMPLES).map(|id| id as f32 / EXAMPLES as f32).collect();
            table.push("el2n", Column::F32(scores)).unwrap();
            folder.write_scores(step, &table).unwrap();
        }
        self.trained.lock().unwrap().push(spec.clone());
        let result = RunResult {
            test_accuracy: vec![TimedAccuracy { step: spec.stop_after, accuracy: 0.9 }],
            ..common::result(spec.stop_after)
        };
        folder.complete(&result).map_err(|error| error.to_string().into())
    }

    fn measure(
        &self,
        folder: &MeasurementFolder,
        _slot: usize,
        _stop: &AtomicBool,
    ) -> Result<(), TrainerError> {
        *self.measured.lock().unwrap() += 1;
        let (_, measurement) = MeasurementFolder::open(folder.path()).unwrap();
        let hardness = |list| {
            let ids = folder.read_list(list).unwrap();
            ids.iter().map(|&id| f64::from(id)).sum::<f64>() / ids.len() as f64 / 1000.0
        };
        let measured = match &measurement {
            Measurement::KernelDistance(wanted) => {
                let (_, spec) = RunFolder::open(&folder.run(&wanted.run)).unwrap();
                assert!(spec.record.weights.contains(&wanted.from));
                assert!(spec.record.weights.contains(&wanted.to));
                let distance = hardness(&wanted.examples);
                Measured::KernelDistance { distance, seconds: 1.0 }
            }
            Measurement::Line(wanted) => {
                let (_, child) = RunFolder::open(&folder.run(&wanted.to)).unwrap();
                let spawn = child.spawn.expect("a child");
                let height = 1.0 - spawn.step as f64 / STEPS as f64;
                let risk = |hardness: f64| Risks {
                    error: wanted
                        .alphas
                        .iter()
                        .map(|a| a * (1.0 - a) * hardness * height)
                        .collect(),
                    loss: vec![0.5; wanted.alphas.len()],
                };
                let risks = wanted.sets.iter().map(|set| risk(hardness(set))).collect();
                Measured::Line { risks, seconds: 1.0 }
            }
        };
        folder.complete(&measured).map_err(|error| error.to_string().into())
    }
}

/// 1,000 examples, 100 steps an epoch, 4 epochs.
fn scene(weights: Vec<u64>) -> Scene {
    let template = common::training(STEPS, BATCH);
    let record = Recording {
        scores: vec![ScoreKind::El2n],
        steps: vec![100],
        weights,
        ..Default::default()
    };
    Scene {
        name: String::new(),
        scoring: RunSpec { record, ..template.clone() },
        template,
        replicas: 2,
        times: vec![TimePoint { epochs: 1.0, step: 100 }],
        labels: (0..EXAMPLES).map(|id| id % 2).collect(),
        changed: vec![false; EXAMPLES as usize],
        touched: vec![false; EXAMPLES as usize],
        classes: vec!["even".into(), "odd".into()],
    }
}

fn velocity() -> VelocityPlan {
    VelocityPlan { at: vec![1.0], positions: vec![0.0, 0.5, 1.0], ..VelocityPlan::default() }
}

fn connectivity() -> ConnectivityPlan {
    ConnectivityPlan {
        by: "el2n@1".into(),
        spawn: vec![2.0, 0.0],
        children: 3,
        examples: 100,
        points: 5,
        statistics: 128,
        ..ConnectivityPlan::default()
    }
}

fn run(experiment: &Experiment, trainer: &Fake, store: &Store) -> datadiet_lab::Done {
    let stop = AtomicBool::new(false);
    let (workers, retry_failed, reporter) = (2, false, &Silent);
    let sweep = Sweep { store, trainer, workers, retry_failed, stop: &stop, reporter };
    experiment.check().unwrap();
    experiment.run(&sweep).unwrap().expect("it was not stopped")
}

#[test]
fn velocities_of_windows_along_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let experiment = Experiment {
        scenes: vec![scene(vec![100, 200])],
        velocity: Some((velocity(), vec![0])),
        ..Experiment::default()
    };
    let fake = Fake::default();
    let outcome = run(&experiment, &fake, &store).outcome;
    let windows = &outcome.velocity[0].windows;
    let ranks: Vec<usize> = windows.iter().map(|window| window.place.first_rank).collect();
    assert_eq!(ranks, [0, 450, 900]);
    for window in windows {
        let spread = window.velocity.as_ref().unwrap();
        assert_eq!(spread.values.len(), 2, "one a replica");
        assert!((spread.mean - window.place.score).abs() < 1e-6, "{window:?}");
    }
    assert_eq!(outcome.cost.measurements, 6);
    // Nothing is measured twice.
    run(&experiment, &fake, &store);
    assert_eq!(*fake.measured.lock().unwrap(), 6);
}

#[test]
fn barriers_between_parents_and_children() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let experiment = Experiment {
        scenes: vec![scene(Vec::new())],
        connectivity: Some(connectivity()),
        ..Experiment::default()
    };
    // The same step twice counts once.
    let twice = ConnectivityPlan { spawn: vec![2.0, 0.0, 2.001], ..connectivity() };
    let twice = Experiment { connectivity: Some(twice), ..experiment.clone() };
    assert_eq!(twice.size(), experiment.size());
    assert_eq!(experiment.size(), (2 + 1 + 6, 2 * 400 + 400 + 3 * (400 + 200)));
    let fake = Fake::default();
    let outcome = run(&experiment, &fake, &store).outcome;
    assert_eq!(fake.trained.lock().unwrap().len(), 9);
    let found = outcome.connectivity.unwrap();
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
    let refused = |experiment: Experiment, expected: &str| {
        let message = experiment.check().unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    let of_velocity = |plan: VelocityPlan| Experiment {
        scenes: vec![scene(vec![100, 200])],
        velocity: Some((plan, vec![0])),
        ..Experiment::default()
    };
    refused(of_velocity(VelocityPlan { positions: vec![1.1], ..velocity() }), "past the end");
    refused(of_velocity(VelocityPlan { examples: 1001, ..velocity() }), "cannot be cut from 1000");
    refused(of_velocity(VelocityPlan { examples: 0, ..velocity() }), "cannot be cut");
    refused(of_velocity(VelocityPlan { at: vec![3.5], ..velocity() }), "epoch 4.5");
    refused(of_velocity(VelocityPlan { at: vec![2.0], ..velocity() }), "el2n@2");
    refused(of_velocity(VelocityPlan { at: vec![], ..velocity() }), "needs at");
    refused(of_velocity(VelocityPlan { interval: 0.0, ..velocity() }), "less than one step");
    let of_connectivity = |plan: ConnectivityPlan| Experiment {
        scenes: vec![scene(Vec::new())],
        connectivity: Some(plan),
        ..Experiment::default()
    };
    let spawn = |at| ConnectivityPlan { spawn: vec![at], ..connectivity() };
    refused(of_connectivity(spawn(4.0)), "epoch 4");
    refused(of_connectivity(spawn(5.0)), "epoch 5");
    refused(of_connectivity(spawn(-1.0)), "epoch -1");
    refused(
        of_connectivity(ConnectivityPlan { examples: 1001, ..connectivity() }),
        "cannot be chosen from 1000",
    );
    let none = ConnectivityPlan { statistics: 0, ..connectivity() };
    refused(of_connectivity(none), "at least 1");
    refused(of_connectivity(ConnectivityPlan { points: 2, ..connectivity() }), "at least 3");
    let unknown = ConnectivityPlan { by: "el2n@3".into(), ..connectivity() };
    refused(of_connectivity(unknown), "el2n@3");
}
