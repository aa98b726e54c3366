//! Searches and experiments with a trainer that does not train: its accuracies are a function of the
//! examples, so that the right answer is known.

mod common;

use std::sync::atomic::AtomicBool;

use datadiet_core::{KeepFraction, Quota, ScoreKind};
use datadiet_lab::study::curve::CurvePlan;
use datadiet_lab::{
    Arm, Experiment, ExperimentOutcome, Scene, SearchPlan, Silent, Sweep, Trainer, TrainerError,
    WorkerEvent,
};
use datadiet_store::{Recording, RunFolder, RunResult, RunSpec, Store, Subset, TimedAccuracy};
use datadiet_table::{Column, Table, TimePoint};

const EXAMPLES: u32 = 1000;
const STEPS: u64 = 100;

/// Accuracy of a network trained on these examples.
type Teaches = fn(&[u32]) -> f64;

struct Fake(Teaches);

impl Trainer for Fake {
    fn train(
        &self,
        folder: &RunFolder,
        _slot: usize,
        _stop: &AtomicBool,
        _on_event: &mut dyn FnMut(WorkerEvent),
    ) -> Result<(), TrainerError> {
        let (_, spec) = RunFolder::open(folder.path()).map_err(|error| error.to_string())?;
        let ids = match &spec.subset {
            Subset::Full => (0..EXAMPLES).collect(),
            Subset::Listed(list) => folder.read_list(list).map_err(|error| error.to_string())?,
        };
        if let Some(held_out) = &spec.validation {
            let held_out = folder.read_list(held_out).map_err(|error| error.to_string())?;
            assert!(held_out.iter().all(|id| !ids.contains(id)), "trained on held-out examples");
        }
        for &step in &spec.record.steps {
            let mut table = Table::default();
            // The id is the difficulty.
            let scores = (0..EXAMPLES).map(|id| id as f32 / 1000.0).collect();
            table.push("el2n", Column::F32(scores)).map_err(|error| error.to_string())?;
            folder.write_scores(step, &table).map_err(|error| error.to_string())?;
        }
        let accuracy = (self.0)(&ids);
        let result = RunResult {
            test_accuracy: vec![TimedAccuracy { step: spec.stop_after, accuracy }],
            validation_accuracy: spec.validation.as_ref().map(|_| accuracy),
            ..common::result(spec.stop_after)
        };
        folder.complete(&result).map_err(|error| error.to_string().into())
    }
}

fn scene() -> Scene {
    let template = common::training(STEPS, 10);
    let record =
        Recording { scores: vec![ScoreKind::El2n], steps: vec![50], ..Recording::default() };
    Scene {
        name: String::new(),
        scoring: RunSpec { record, stop_after: 50, ..template.clone() },
        template,
        replicas: 2,
        times: vec![TimePoint { epochs: 0.5, step: 50 }],
        labels: (0..EXAMPLES).map(|id| id % 2).collect(),
        changed: vec![false; EXAMPLES as usize],
        touched: vec![false; EXAMPLES as usize],
        classes: vec!["even".into(), "odd".into()],
    }
}

fn keep(fraction: f64) -> KeepFraction {
    KeepFraction::try_from(fraction).unwrap()
}

fn plan(tolerance: Option<f64>) -> SearchPlan {
    let arm = |fraction, drop| Arm { keep: keep(fraction), drop, quota: Quota::None };
    let arms: Vec<Arm> = [0.0, 0.1]
        .into_iter()
        .flat_map(|drop| [0.8, 0.5, 0.3, 0.1].map(|fraction| arm(fraction, drop)))
        .collect();
    SearchPlan {
        by: "el2n@0.5".into(),
        rungs: SearchPlan::halving(arms.len(), 8.0),
        arms,
        validation: 0.1,
        tolerance,
        finals: 2,
        seed: 0,
    }
}

fn outcome(experiment: &Experiment, teaches: Teaches) -> ExperimentOutcome {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let stop = AtomicBool::new(false);
    let sweep = Sweep {
        store: &store,
        trainer: &Fake(teaches),
        workers: 2,
        retry_failed: false,
        stop: &stop,
        reporter: &Silent,
    };
    experiment.run(&sweep).unwrap().expect("it was not stopped").outcome
}

fn search(tolerance: Option<f64>, teaches: Teaches) -> datadiet_lab::SearchOutcome {
    let tune = Some(plan(tolerance));
    let experiment = Experiment { scenes: vec![scene()], tune, ..Experiment::default() };
    outcome(&experiment, teaches).tune.unwrap()
}

/// The hardest tenth is noise: it costs accuracy. Of the others, the hard ones teach more.
fn noisy_top(ids: &[u32]) -> f64 {
    let noise = ids.iter().filter(|&&id| id >= 900).count() as f64;
    let useful = ids.iter().filter(|&&id| (400..900).contains(&id)).count() as f64;
    let easy = ids.iter().filter(|&&id| id < 400).count() as f64;
    0.5 + (0.45 * useful / 450.0).min(0.45) + 0.02 * easy / 400.0 - 0.2 * noise / 100.0
}

#[test]
fn the_smallest_subset_within_the_tolerance_is_found() {
    let found = search(Some(0.01), noisy_top);
    assert!(found.within_tolerance, "{}", found.verdict);
    assert_eq!(f64::from(found.answer.keep), 0.5, "{}", found.verdict);
    assert_eq!(found.answer.drop, 0.1);
    assert!(found.finals.hardest.is_some(), "keeping the hardest is shown beside it");
    assert!(found.advisable && found.verdict.contains("at random reach"), "{}", found.verdict);
}

#[test]
fn a_random_choice_that_is_as_good_is_named() {
    // Any 300 examples teach everything.
    let found = search(Some(0.01), |ids| if ids.len() >= 270 { 0.9 } else { 0.5 });
    assert!(found.verdict.contains("Scores buy nothing here"), "{}", found.verdict);
}

#[test]
fn no_pruning_is_advised_where_every_example_counts() {
    let found = search(Some(0.01), |ids| ids.len() as f64 / f64::from(EXAMPLES));
    assert!(!found.within_tolerance);
    assert!(found.verdict.contains("No pruning is advised"), "{}", found.verdict);
}

#[test]
fn without_a_tolerance_the_most_accurate_wins() {
    let found = search(None, noisy_top);
    assert_eq!(found.answer.drop, 0.1);
    let last = found.rungs.last().unwrap();
    let best = last.arms.iter().map(|(_, a)| a.as_ref().unwrap().mean).fold(0.0, f64::max);
    assert_eq!(last.arms[0].1.as_ref().unwrap().mean, best);
}

#[test]
fn the_search_keeps_to_its_budget() {
    for budget in [SearchPlan::LEAST_BUDGET, 5.0, 8.0, 20.0] {
        let plan = SearchPlan { rungs: SearchPlan::halving(24, budget), ..plan(None) };
        assert!(plan.cost() <= budget, "{} of {budget}", plan.cost());
    }
    let found = search(Some(0.01), noisy_top);
    let arms: Vec<usize> = found.rungs.iter().map(|rung| rung.arms.len()).collect();
    assert_eq!(arms, [8, 4, 2]);
    assert_eq!(plan(None).tried(), 8);
}

#[test]
fn a_curve_has_a_point_for_every_score_and_size() {
    let curve = CurvePlan {
        by: vec!["el2n@0.5".into()],
        keep: vec![keep(0.5), keep(0.25)],
        retrainings: 3,
        ..CurvePlan::default()
    };
    let experiment =
        Experiment { scenes: vec![scene()], curve: Some(curve), ..Experiment::default() };
    let (trainings, steps) = experiment.size();
    assert_eq!((trainings, steps), (2 + 12 + 3, 2 * 50 + 15 * STEPS));
    let found = outcome(&experiment, |ids| ids.len() as f64 / f64::from(EXAMPLES));
    let curve = found.curve.unwrap();
    assert_eq!(curve.points.len(), 4);
    for point in &curve.points {
        let accuracy = point.accuracy.as_ref().unwrap();
        assert_eq!(accuracy.values.len(), 3);
        assert_eq!(accuracy.mean, point.place.keep);
    }
    assert_eq!(curve.full.unwrap().mean, 1.0);
    // The ledger: two replicas of half the steps, a training saved for two at half the data.
    let half = found.ledger.iter().find(|row| row.keep == 0.5).unwrap();
    assert_eq!((half.scoring_steps, half.saved_steps), (50, 50));
    assert!(half.pays_after.unwrap() >= 2);
}
