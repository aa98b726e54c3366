//! How long trainings are said to take.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

use datadiet_core::progress::Event;
use datadiet_core::{Progress, ScoreKind};
use datadiet_lab::{Experiment, Speed, Trainer, TrainerError};
use datadiet_store::{RunFolder, Subset};

use crate::bench::{Bench, Fake};

/// 2 replicas of 10 steps with scores at 0 and 10 and gradients at 0, which are the trainings on
/// everything too. Then 2 sizes by a score and at random, and one window: the other is the hardest half,
/// and its random subset is that of the curve.
const EXPERIMENT: &str = "
    [training]
    data = 'sample'
    batch = 100
    epochs = 1
    [scoring]
    replicas = 2
    at = [0, 1]
    scores = ['el2n', 'grand']
    grand-at = [0]
    [curve]
    by = ['el2n@1']
    keep = [0.5, 0.25]
    retrainings = 1
    [window]
    by = 'el2n@1'
    keep = 0.5
    offsets = [0.25, 0.5]
";

fn seconds(bench: &Bench, experiment: &Experiment, workers: usize) -> (f64, bool) {
    let effort = experiment.effort(&bench.store, 300).unwrap();
    let speed = Speed { start: 1.0, step: 0.1, workers };
    (speed.time(&effort).as_secs_f64(), effort.partly_done)
}

#[test]
fn time_is_that_of_the_workers_rounds_and_of_what_is_not_in_the_store() {
    let bench = Bench::new();
    let experiment = bench.experiment(EXPERIMENT).unwrap();
    // 10 steps to train, 2 passes of 10 / 3, gradients of 10, a test of 3 / 3.
    let replica = 1.0 + 0.1 * (10.0 + 2.0 * 10.0 / 3.0 + 10.0 + 1.0);
    let training = 1.0 + 0.1 * (10.0 + 1.0);
    let (time, partly_done) = seconds(&bench, &experiment, 1);
    assert!((time - (2.0 * replica + 5.0 * training)).abs() < 1e-9 && !partly_done, "{time}");
    let (time, _) = seconds(&bench, &experiment, 2);
    assert!((time - (replica + 3.0 * training)).abs() < 1e-9, "{time}");
    bench.run(&experiment, &Fake::default());
    let (time, partly_done) = seconds(&bench, &experiment, 2);
    // Random subsets are known to be there, the three others are not.
    assert!((time - 2.0 * training).abs() < 1e-9 && partly_done, "{time}");
}

#[test]
fn what_stands_in_for_a_score_may_be_any_score() {
    let bench = Bench::new();
    for kind in ScoreKind::OF_CLASSIFICATION {
        let name = kind.name();
        let columns = format!("['{name}@end', 'el2n@1']");
        let experiment = format!(
            "[training]
            data = 'sample'
            batch = 100
            epochs = 1
            [scoring]
            at = [0, 1]
            scores = ['all', 'grand', 'grand-last-layer']
            [correlations]
            columns = {columns}
            [curve]
            by = {columns}
            keep = [0.5]"
        );
        let effort =
            bench.experiment(&experiment).and_then(|asked| asked.effort(&bench.store, 300));
        effort.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Takes so long for each step, until it is stopped.
struct Metronome(Duration);

impl Trainer for Metronome {
    fn train(
        &self,
        folder: &RunFolder,
        _slot: usize,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<(), TrainerError> {
        let (_, spec) = RunFolder::open(folder.path()).unwrap();
        assert!(spec.record.steps.is_empty() && spec.subset == Subset::Full);
        for done in 1..=spec.stop_after {
            if stop.load(Ordering::Relaxed) {
                return Err("stopped; its state is saved".into());
            }
            sleep(self.0);
            progress.tell(&Event::At { task: "".into(), done, loss: None, doing: None });
        }
        Ok(())
    }
}

#[test]
fn the_speed_is_that_of_steps_and_leaves_nothing_in_the_store() {
    let bench = Bench::new();
    let experiment = bench.experiment(EXPERIMENT).unwrap();
    let template = &experiment.scenes.plain().template;
    let measured = |step, time| {
        let trainer = Metronome(Duration::from_millis(step));
        Speed::measured(&trainer, template, 2, Duration::from_millis(time), &bench.stop)
    };
    // A machine that is busy makes steps longer, never shorter.
    let speed = measured(20, 150).unwrap();
    assert!(speed.step >= 0.02 && speed.start >= 0.02, "{speed:?}");
    let short = measured(1, 10_000).unwrap();
    assert!(short.step >= 0.001, "a training that ends before is enough: {short:?}");
    assert!(bench.store.run_folders().unwrap().is_empty());
    bench.stop.store(true, Ordering::Relaxed);
    assert!(measured(20, 150).unwrap_err().to_string().contains("stopped"));
}

#[test]
fn a_worker_that_fails_says_why_instead_of_a_speed() {
    struct Broken;
    impl Trainer for Broken {
        fn train(
            &self,
            _: &RunFolder,
            _: usize,
            _: &AtomicBool,
            _: &dyn Progress,
        ) -> Result<(), TrainerError> {
            Err("no kernel for this".into())
        }
    }
    let bench = Bench::new();
    let experiment = bench.experiment(EXPERIMENT).unwrap();
    let template = &experiment.scenes.plain().template;
    let time = Duration::from_secs(10);
    let error = Speed::measured(&Broken, template, 2, time, &bench.stop).unwrap_err();
    assert!(error.to_string().contains("no kernel for this"), "{error}");
}
