//! Scheduling, failure, resumption and stopping, with a trainer that does not train.

mod common;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use datadiet_core::ScoreKind;
use datadiet_lab::{
    ScoreJob, ScoreOutcome, Silent, Sweep, Trainer, TrainerError, WorkerEvent, aggregate,
};
use datadiet_store::{Recording, RunFailure, RunFolder, RunSpec, Store};
use datadiet_table::{Column, Table, TimePoint};

const EXAMPLES: usize = 200;
const STEP: u64 = 10;

/// Writes scores that are the example's number plus noise of the replica.
#[derive(Default)]
struct Fake {
    noise: f32,
    /// What happens to a replica instead: the reason of its failure, and whether it is on record.
    failing: BTreeMap<u32, bool>,
    trained: Mutex<Vec<u32>>,
}

impl Trainer for Fake {
    fn train(
        &self,
        folder: &RunFolder,
        _slot: usize,
        stop: &AtomicBool,
        on_event: &mut dyn FnMut(WorkerEvent),
    ) -> Result<(), TrainerError> {
        let (_, spec) = RunFolder::open(folder.path()).map_err(|error| error.to_string())?;
        self.trained.lock().unwrap().push(spec.replica);
        if stop.load(Ordering::Relaxed) {
            return Err("stopped".into());
        }
        on_event(WorkerEvent::Step { step: 1, total: STEP, loss: 2.0 });
        if let Some(&on_record) = self.failing.get(&spec.replica) {
            if on_record {
                let failure =
                    RunFailure { reason: "NaN".into(), step: Some(3), learning_rate: Some(9.0) };
                folder.fail(&failure).unwrap();
            }
            return Err("it broke".into());
        }
        folder.write_scores(STEP, &self.scores(spec.replica)).unwrap();
        folder.complete(&common::result(STEP)).unwrap();
        Ok(())
    }
}

impl Fake {
    fn scores(&self, replica: u32) -> Table {
        let mut rng = datadiet_core::rng(1, replica, datadiet_core::Stream::Augmentation, 0);
        let value = |example: usize| {
            let noise = datadiet_core::streams::below(1000, &mut rng) as f32 / 1000.0;
            example as f32 / EXAMPLES as f32 + self.noise * noise
        };
        let mut table = Table::default();
        table.push("el2n", Column::F32((0..EXAMPLES).map(value).collect())).unwrap();
        table
    }
}

fn job(replicas: u32) -> ScoreJob {
    let record =
        Recording { scores: vec![ScoreKind::El2n], steps: vec![STEP], ..Recording::default() };
    let template = RunSpec { record, ..common::training(STEP, 1) };
    ScoreJob {
        name: String::new(),
        template,
        replicas,
        until_reliability: None,
        judged: (ScoreKind::El2n, STEP),
    }
}

/// A store of its own, and one way to run jobs in it.
struct Bench {
    _folder: tempfile::TempDir,
    store: Store,
    stop: AtomicBool,
    retry_failed: bool,
    workers: usize,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        Self {
            _folder: folder,
            store,
            stop: AtomicBool::new(false),
            retry_failed: false,
            workers: 2,
        }
    }

    fn run(&self, job: &ScoreJob, trainer: &Fake) -> ScoreOutcome {
        let sweep = Sweep {
            store: &self.store,
            trainer,
            workers: self.workers,
            retry_failed: self.retry_failed,
            stop: &self.stop,
            reporter: &Silent,
        };
        job.run(&sweep).unwrap()
    }
}

fn replicas(outcome: &ScoreOutcome) -> Vec<u32> {
    outcome.completed.iter().map(|(spec, _)| spec.replica).collect()
}

#[test]
fn finished_replicas_are_reused_and_a_wider_job_trains_only_the_rest() {
    let bench = Bench::new();
    let first = Fake::default();
    assert_eq!(replicas(&bench.run(&job(2), &first)), [0, 1]);
    let second = Fake::default();
    let outcome = bench.run(&job(4), &second);
    assert_eq!(replicas(&outcome), [0, 1, 2, 3]);
    assert_eq!(outcome.reused, 2);
    let mut trained = second.trained.into_inner().unwrap();
    trained.sort_unstable();
    assert_eq!(trained, [2, 3]);
}

#[test]
fn one_failed_replica_does_not_stop_the_others() {
    let bench = Bench::new();
    let outcome = bench.run(&job(4), &Fake { failing: [(1, false)].into(), ..Fake::default() });
    assert_eq!(replicas(&outcome), [0, 2, 3]);
    assert_eq!(outcome.failed.len(), 1);
    assert_eq!((outcome.failed[0].replica, outcome.failed[0].reason.as_str()), (1, "it broke"));
}

#[test]
fn an_accident_is_tried_again_but_a_recorded_failure_only_when_asked() {
    let mut bench = Bench::new();
    let failing = [(0, false), (1, true)].into();
    assert_eq!(bench.run(&job(2), &Fake { failing, ..Fake::default() }).failed.len(), 2);
    let again = bench.run(&job(2), &Fake::default());
    assert_eq!(replicas(&again), [0]);
    assert!(again.failed[0].reason.contains("--retry-failed"), "{}", again.failed[0].reason);
    bench.retry_failed = true;
    assert_eq!(replicas(&bench.run(&job(2), &Fake::default())), [0, 1]);
}

#[test]
fn a_worker_that_ends_without_a_result_has_failed() {
    struct Idle;
    impl Trainer for Idle {
        fn train(
            &self,
            _: &RunFolder,
            _: usize,
            _: &AtomicBool,
            _: &mut dyn FnMut(WorkerEvent),
        ) -> Result<(), TrainerError> {
            Ok(())
        }
    }
    let bench = Bench::new();
    let sweep = Sweep {
        store: &bench.store,
        trainer: &Idle,
        workers: 1,
        retry_failed: false,
        stop: &bench.stop,
        reporter: &Silent,
    };
    let outcome = job(1).run(&sweep).unwrap();
    assert!(outcome.completed.is_empty());
    assert!(outcome.failed[0].reason.contains("without a result"));
}

#[test]
fn until_reliability_takes_the_shortest_sufficient_prefix_whatever_the_timing() {
    let wanted = |noise| {
        let mut job = job(12);
        job.until_reliability = Some(0.9);
        let fake = Fake { noise, ..Fake::default() };
        let counts: Vec<Vec<u32>> = [1, 4]
            .map(|workers| {
                let bench = Bench { workers, ..Bench::new() };
                replicas(&bench.run(&job, &fake))
            })
            .into();
        assert_eq!(counts[0], counts[1], "one worker or four");
        counts[0].len()
    };
    assert_eq!(wanted(0.0), 2, "without noise two replicas agree at once");
    let noisy = wanted(1.0);
    assert!((3..12).contains(&noisy), "{noisy} replicas under noise");
}

#[test]
fn a_stopped_job_says_so_and_starts_nothing_new() {
    let bench = Bench::new();
    bench.stop.store(true, Ordering::Relaxed);
    let fake = Fake::default();
    let outcome = bench.run(&job(3), &fake);
    assert!(outcome.interrupted && outcome.completed.is_empty());
    assert!(fake.trained.lock().unwrap().is_empty());
}

#[test]
fn columns_hold_mean_error_and_replicas() {
    let bench = Bench::new();
    let fake = Fake { noise: 1.0, ..Fake::default() };
    let outcome = bench.run(&job(3), &fake);
    let specs: Vec<RunSpec> = outcome.completed.into_iter().map(|(spec, _)| spec).collect();
    let times = [TimePoint { epochs: 0.5, step: STEP }];
    let classes = ["even".to_owned(), "odd".to_owned()];
    let labels: Vec<u32> = (0..EXAMPLES as u32).map(|id| id % 2).collect();
    let scores = aggregate(&bench.store, &specs, &times, &labels, &classes, true).unwrap();
    let names: Vec<&str> = scores.columns().names().collect();
    let [mean, error] = ["el2n@0.5", "el2n@0.5.se"];
    assert_eq!(
        names,
        ["id", "label", "class", mean, error, "el2n@0.5.r0", "el2n@0.5.r1", "el2n@0.5.r2"]
    );
    let column = |name| scores.columns().floats(name).unwrap();
    let each: Vec<f64> =
        ["el2n@0.5.r0", "el2n@0.5.r1", "el2n@0.5.r2"].map(|name| f64::from(column(name)[7])).into();
    let expected = each.iter().sum::<f64>() / 3.0;
    assert!((f64::from(column(mean)[7]) - expected).abs() < 1e-6);
    let variance = each.iter().map(|value| (value - expected).powi(2)).sum::<f64>() / 2.0;
    assert!((f64::from(column(error)[7]) - (variance / 3.0).sqrt()).abs() < 1e-6);
    let reliability = scores.summaries()[0].reliability.unwrap();
    assert!(reliability.full > reliability.single && reliability.full < 1.0);
}
