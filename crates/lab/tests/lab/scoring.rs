//! Scheduling, failure, resumption and stopping.

use std::sync::atomic::{AtomicBool, Ordering};

use datadiet_lab::{
    Experiment, ExperimentOptions, Results, Scored, ScoringOptions, Trainer, TrainerError,
    TrainingOptions,
};
use datadiet_store::{RunFolder, RunSpec};

use crate::bench::{Bench, Fails, Fake};

const EXAMPLES: usize = 200;
const STEP: u64 = 10;

/// The example's number plus noise of the replica.
fn noisy(spec: &RunSpec, id: u32) -> f32 {
    let mut rng =
        datadiet_core::rng(id.into(), spec.replica, datadiet_core::Stream::Augmentation, 0);
    let noise = datadiet_core::streams::below(1000, &mut rng) as f32 / 1000.0;
    id as f32 / EXAMPLES as f32 + noise
}

fn options(replicas: u32) -> ExperimentOptions {
    let training = TrainingOptions {
        batch: Some(EXAMPLES as u32 / STEP as u32),
        epochs: Some(1.0),
        limit: Some(EXAMPLES as u32),
        ..TrainingOptions::default()
    };
    let scoring = ScoringOptions {
        replicas: Some(replicas),
        scores: vec!["el2n".into()],
        per_replica: Some(true),
        ..ScoringOptions::default()
    };
    ExperimentOptions::new("", training, scoring)
}

impl Bench {
    pub fn job(&self, replicas: u32) -> Experiment {
        self.resolved(options(replicas)).unwrap()
    }

    /// Replicas that count, how many of them were reused, and those that failed with the reasons.
    fn score(&self, job: &Experiment, trainer: &dyn Trainer) -> Outcome {
        let (scene, mut results) = (job.scenes.plain(), Results::default());
        self.sweep(trainer, |sweep| scene.score(sweep, &mut results)).unwrap();
        let failed = results.failed.iter().map(|f| (f.replica, f.reason.clone())).collect();
        match scene.scored(&self.store, &results).unwrap() {
            Err(_) => (Vec::new(), 0, failed),
            Ok(Scored { completed, reused, .. }) => {
                (completed.iter().map(|(spec, _)| spec.replica).collect(), reused, failed)
            }
        }
    }
}

type Outcome = (Vec<u32>, u32, Vec<(u32, String)>);

#[test]
fn finished_replicas_are_reused_and_a_wider_job_trains_only_the_rest() {
    let bench = Bench::new();
    assert_eq!(bench.score(&bench.job(2), &Fake::default()).0, [0, 1]);
    let second = Fake::default();
    let (replicas, reused, _) = bench.score(&bench.job(4), &second);
    assert_eq!((replicas, reused), (vec![0, 1, 2, 3], 2));
    let trained = second.trained.into_inner().unwrap();
    let mut trained: Vec<u32> = trained.iter().map(|spec| spec.replica).collect();
    trained.sort_unstable();
    assert_eq!(trained, [2, 3]);
}

#[test]
fn one_failed_replica_does_not_stop_the_others() {
    let bench = Bench::new();
    let fails = |spec: &RunSpec| (spec.replica == 1).then_some(Fails::Breaks);
    let (replicas, _, failed) = bench.score(&bench.job(4), &Fake { fails, ..Fake::default() });
    assert_eq!(replicas, [0, 2, 3]);
    assert_eq!(failed, [(1, "it broke".to_owned())]);
}

#[test]
fn an_accident_is_tried_again_but_a_recorded_failure_only_when_asked() {
    let mut bench = Bench::new();
    let fails =
        |spec: &RunSpec| Some(if spec.replica == 0 { Fails::Breaks } else { Fails::OnRecord });
    let job = bench.job(2);
    assert_eq!(bench.score(&job, &Fake { fails, ..Fake::default() }).2.len(), 2);
    let (replicas, _, failed) = bench.score(&job, &Fake::default());
    assert_eq!(replicas, [0]);
    assert!(failed[0].1.contains("--retry-failed"), "{}", failed[0].1);
    bench.retry_failed = true;
    assert_eq!(bench.score(&job, &Fake::default()).0, [0, 1]);
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
            _: &dyn datadiet_core::Progress,
        ) -> Result<(), TrainerError> {
            Ok(())
        }
    }
    let bench = Bench::new();
    let (replicas, _, failed) = bench.score(&bench.job(1), &Idle);
    assert!(replicas.is_empty() && failed[0].1.contains("without a result"));
    let ran = bench.sweep(&Idle, |sweep| bench.job(1).run(sweep));
    let message = ran.unwrap_err().to_string();
    assert!(message.contains("no replica completed") && message.contains("without a result"));
}

#[test]
fn until_reliability_takes_the_shortest_sufficient_prefix_whatever_the_timing() {
    let wanted = |score: fn(&RunSpec, u32) -> f32| {
        let mut options = options(12);
        options.scoring.until_reliability = Some(0.9);
        let counts: Vec<Vec<u32>> = [1, 4]
            .map(|workers| {
                let mut bench = Bench::new();
                bench.workers = workers;
                let job = bench.resolved(options.clone()).unwrap();
                bench.score(&job, &Fake { score, ..Fake::default() }).0
            })
            .into();
        assert_eq!(counts[0], counts[1], "one worker or four");
        counts[0].len()
    };
    assert_eq!(wanted(|_, id| id as f32), 2, "without noise two replicas agree at once");
    let noisy = wanted(noisy);
    assert!((3..12).contains(&noisy), "{noisy} replicas under noise");
}

#[test]
fn a_stopped_job_says_so_and_starts_nothing_new() {
    let bench = Bench::new();
    bench.stop.store(true, Ordering::Relaxed);
    let fake = Fake::default();
    assert!(bench.score(&bench.job(3), &fake).0.is_empty());
    assert!(bench.sweep(&fake, |sweep| bench.job(3).run(sweep)).unwrap().is_none());
    assert!(fake.trained.lock().unwrap().is_empty());
}

#[test]
fn columns_hold_mean_error_and_replicas() {
    let bench = Bench::new();
    let fake = Fake { score: noisy, ..Fake::default() };
    let mut done = bench.run(&bench.job(3), &fake);
    let scores = done.scored.remove(0).unwrap().scores;
    let names: Vec<&str> = scores.columns().names().collect();
    let [mean, error] = ["el2n@1", "el2n@1.se"];
    let each = ["el2n@1.r0", "el2n@1.r1", "el2n@1.r2"];
    assert_eq!(names, [&["id", "label", "class", mean, error], &each[..]].concat());
    let column = |name| scores.columns().floats(name).unwrap();
    let each: Vec<f64> = each.map(|name| f64::from(column(name)[7])).into();
    let expected = each.iter().sum::<f64>() / 3.0;
    assert!((f64::from(column(mean)[7]) - expected).abs() < 1e-6);
    let variance = each.iter().map(|value| (value - expected).powi(2)).sum::<f64>() / 2.0;
    assert!((f64::from(column(error)[7]) - (variance / 3.0).sqrt()).abs() < 1e-6);
    let reliability = scores.summaries()[0].reliability.unwrap();
    assert!(reliability.full > reliability.single && reliability.full < 1.0);
}
