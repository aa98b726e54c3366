//! Searches for a subset, and diets.

use datadiet_lab::study::search::{DietOptions, SearchOutcome, SearchPlan};
use datadiet_lab::{ExperimentOutcome, TrainingOptions};
use datadiet_store::RunSpec;

use crate::bench::{Bench, EXAMPLES, Fake};

/// A hundred steps an epoch.
const SEARCH: &str = "
[training]
batch = 10
epochs = 1

[scoring]
replicas = 2
at = [0.5]
scores = [\"el2n\"]

[tune]
by = \"el2n@0.5\"
keep = [0.8, 0.5, 0.3, 0.1]
drops = [0, 0.1]
budget = 8
retrainings = 2
";

/// Accuracy of a network trained on these examples.
type Teaches = fn(&[u32]) -> f64;

fn search(tolerance: Option<f64>, accuracy: Teaches) -> SearchOutcome {
    search_by(tolerance, Fake { accuracy, ..Fake::default() }).study("tune").unwrap().unwrap()
}

fn search_by(tolerance: Option<f64>, fake: Fake) -> ExperimentOutcome {
    let bench = Bench::new();
    let tolerance = tolerance.map_or(String::new(), |points| format!("tolerance = {points}\n"));
    let experiment = bench.experiment(&(SEARCH.to_owned() + &tolerance)).unwrap();
    bench.run(&experiment, &fake).outcome
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
    let found = search(Some(1.0), noisy_top);
    assert!(found.within_tolerance, "{}", found.verdict);
    assert_eq!(f64::from(found.answer.keep), 0.5, "{}", found.verdict);
    assert_eq!(found.answer.drop, 0.1);
    assert!(found.finals.hardest.is_some(), "keeping the hardest is shown beside it");
    assert!(found.advisable && found.verdict.contains("at random reach"), "{}", found.verdict);
}

#[test]
fn a_random_choice_that_is_as_good_is_named() {
    // Any 300 examples teach everything.
    let found = search(Some(1.0), |ids| if ids.len() >= 270 { 0.9 } else { 0.5 });
    assert!(found.verdict.contains("Scores buy nothing here"), "{}", found.verdict);
}

#[test]
fn no_pruning_is_advised_where_every_example_counts() {
    let found = search(Some(1.0), |ids| ids.len() as f64 / f64::from(EXAMPLES));
    assert!(!found.within_tolerance);
    assert!(found.verdict.contains("No pruning is advised"), "{}", found.verdict);
}

#[test]
fn a_verdict_says_what_of_it_is_chance() {
    let few = "an accuracy on 100 held-out examples has a standard error of";
    let found = search(Some(1.0), noisy_top);
    assert!(found.advisable && found.cautions.len() == 1, "{:?}", found.cautions);
    assert!(found.verdict.contains(&format!("Caution: {few}")), "{}", found.verdict);
    assert!(found.verdict.contains("more than the 1.0 that may be lost"), "{}", found.verdict);
    assert_eq!(search(Some(20.0), noisy_top).cautions, [""; 0]);
    // Every replica has another order.
    let score = |spec: &RunSpec, id: u32| {
        let mixed = (id + 1).wrapping_mul(2_654_435_761).rotate_left(7 * (spec.replica + 1));
        (mixed % 997) as f32
    };
    let fake = Fake { accuracy: noisy_top, score, ..Fake::default() };
    let found: SearchOutcome = search_by(Some(20.0), fake).study("tune").unwrap().unwrap();
    assert!(
        found.cautions[0].contains("el2n@0.5 has a split-half reliability of 0.0"),
        "{:?}",
        found.cautions
    );
}

#[test]
fn a_subset_that_is_not_advised_is_not_called_the_answer() {
    let page = |accuracy: Teaches| {
        let found = search_by(Some(1.0), Fake { accuracy, ..Fake::default() }).findings().unwrap();
        format!("{:?}", found[0].sections)
    };
    let (advised, not) = (page(noisy_top), page(|ids| ids.len() as f64 / f64::from(EXAMPLES)));
    assert!(advised.contains("\"the answer\"") && !advised.contains("tried, not advised"));
    assert!(not.contains("\"tried, not advised\"") && !not.contains("\"the answer\""), "{not}");
    assert!(!not.contains("best first") && not.contains("the smallest within the tolerance first"));
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
    let found = search(Some(1.0), noisy_top);
    for budget in [SearchPlan::LEAST_BUDGET, 5.0, 8.0, 20.0] {
        let rungs = SearchPlan::halving(24, budget);
        let plan = SearchPlan { rungs, ..found.plan.clone() };
        assert!(plan.cost() <= budget, "{} of {budget}", plan.cost());
    }
    let arms: Vec<usize> = found.rungs.iter().map(|rung| rung.arms.len()).collect();
    assert_eq!(arms, [8, 4, 2]);
    assert_eq!(found.plan.tried(), 8);
}

#[test]
fn a_diet_recommends_the_subset_that_it_tested() {
    let bench = Bench::new();
    let training =
        TrainingOptions { batch: Some(10), epochs: Some(2.0), ..TrainingOptions::default() };
    let diet = DietOptions { tolerance: Some(1.0), ..DietOptions::default() };
    let experiment = bench.resolved(diet.experiment(training.clone()).unwrap()).unwrap();
    let headline = experiment.headline();
    assert!(headline.contains("budget") && headline.contains("0.75 to score"), "{headline}");
    assert_eq!(experiment.plan()["search"]["by"], "el2n@0.75");
    let fake = Fake { accuracy: noisy_top, ..Fake::default() };
    let done = bench.run(&experiment, &fake);
    let found: SearchOutcome = done.outcome.study("tune").unwrap().unwrap();
    assert!(found.advisable, "{}", found.verdict);
    let subset = experiment.recommended(&bench.store, &done).unwrap().unwrap();
    assert_eq!(subset.chosen.ids.len(), found.finals.answer.size);
    let ids: Vec<u32> = subset.chosen.ids.iter().map(|id| id.0).collect();
    assert_eq!(noisy_top(&ids), found.finals.answer.accuracy.unwrap().mean);
    assert!(experiment.size().trainings >= fake.trained.lock().unwrap().len());
    // Where every example counts, none is recommended.
    let other = Bench::new();
    let experiment = other.resolved(diet.experiment(training).unwrap()).unwrap();
    let done = other.run(&experiment, &Fake::default());
    assert!(experiment.recommended(&other.store, &done).unwrap().is_none());
}

/// Random examples stand beside an answer with its class quota: what its classes alone are worth is no
/// merit of the scores.
#[test]
fn random_examples_have_the_quota_of_the_answer() {
    let skews = |quota: &str| {
        let bench = Bench::new();
        let text = format!("{SEARCH}quotas = [\"{quota}\"]\n");
        let fake = Fake { accuracy: noisy_top, ..Fake::default() };
        let done = bench.run(&bench.experiment(&text).unwrap(), &fake);
        let found: SearchOutcome = done.outcome.study("tune").unwrap().unwrap();
        assert_eq!(found.answer.quota.name(), quota);
        assert_eq!(found.finals.random.size, found.finals.answer.size);
        [found.finals.answer.skew, found.finals.random.skew].map(Option::unwrap)
    };
    for quota in ["balanced", "proportional"] {
        let [answer, random] = skews(quota);
        // The answer begins below the hardest, so that a small class may give all that is left of it.
        assert!((answer - random).abs() < 0.1, "{quota}: {answer} and {random}");
        if quota == "proportional" {
            assert!(random < 1.05, "{random}");
        }
    }
    let [_, random] = skews("none");
    assert!(random > 1.1, "chance alone: {random}");
}
