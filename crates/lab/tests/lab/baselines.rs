//! What chosen subsets are compared with.

use std::sync::Mutex;

use datadiet_lab::study::points::{PointOutcome, PointsOutcome};
use datadiet_lab::study::search::{DietOptions, SearchOutcome};
use datadiet_lab::{Fixed, TrainingOptions, experiment_sections};
use datadiet_store::{LearningRate, RunSpec, Subset};

use crate::bench::{Bench, Fake};

/// A hundred steps an epoch.
fn curve(changes: &str) -> String {
    format!(
        "[training]\nbatch = 10\nepochs = 2\nlr = 0.3\n[scoring]\nreplicas = 1\nat = [1]\n\
         [curve]\nby = [\"el2n@1\", \"loss@1\"]\nkeep = [0.5, 0.2]\n{changes}"
    )
}

fn points<'a>(outcome: &'a PointsOutcome, series: &str) -> Vec<&'a PointOutcome> {
    outcome.points.iter().filter(|point| point.place.series == series).collect()
}

#[test]
fn baselines_within_class_quotas_are_series_of_a_curve() {
    let bench = Bench::new();
    let text = curve(
        "baselines = [\"random/balanced\", \"ccs/balanced\", \"ccs\"]\ncut = 0.3\nretrainings = 2",
    );
    let experiment = bench.experiment(&text).unwrap();
    let fake = Fake::default();
    let done = bench.run(&experiment, &fake);
    let found: PointsOutcome = done.outcome.study("curve").unwrap().unwrap();
    for series in [
        "el2n@1",
        "loss@1",
        "random",
        "random/balanced",
        "el2n@1 ccs/balanced",
        "el2n@1 ccs",
        "loss@1 ccs/balanced",
        "loss@1 ccs",
    ] {
        let kept: Vec<f64> = points(&found, series).iter().map(|p| p.place.keep).collect();
        assert_eq!(kept, [0.5, 0.2], "{series}");
    }
    assert_eq!(found.points.len(), 8 * 2);
    assert_eq!(experiment.size().trainings, 1 + 2 * (8 * 2 + 1));
    // The same number of every class, as far as a class has so many.
    let balanced = points(&found, "random/balanced");
    let quota = balanced[1].skew.unwrap();
    assert!(quota < points(&found, "random")[1].skew.unwrap(), "{quota}");
    // Coverage drops the hardest three tenths, which have the highest ids; scores of both kinds are
    // the same here, and so are the runs.
    let subsets = trained_subsets(&bench, &fake.trained);
    let without_hardest = subsets.iter().filter(|ids| ids.iter().all(|&id| id < 700)).count();
    assert!(without_hardest >= 2 * 2, "two sizes, two trainings");
    // A row of the ledger is of a score's own subsets.
    assert_eq!(done.outcome.ledger.len(), 4);
    assert!(!experiment_sections(&done.outcome).unwrap().is_empty());
}

fn trained_subsets(bench: &Bench, trained: &Mutex<Vec<RunSpec>>) -> Vec<Vec<u32>> {
    let trained = trained.lock().unwrap();
    let listed = trained.iter().filter_map(|spec| match &spec.subset {
        Subset::Full => None,
        Subset::Listed(list) => Some(bench.store.run(spec).read_list(list).unwrap()),
    });
    listed.collect()
}

/// Lengths of texts, say: a column of the user's chooses subsets as a score does.
#[test]
fn columns_of_the_users_are_ranked_by_beside_scores() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("texts.csv");
    let write = |rows: u32| {
        let row = |id: u32| format!("{id},{},a text,{}\n", id % 10, (id * 7) % 1000);
        let rows: String = (0..rows).map(row).collect();
        std::fs::write(&file, format!("id,label,text,length\n{rows}")).unwrap();
    };
    write(1000);
    let columns = format!("[scoring]\ncolumns = {:?}\n", file.display().to_string());
    let text = curve("").replace("[scoring]\n", &columns).replace("loss@1", "length");
    let fake = Fake::default();
    let experiment = bench.experiment(&text).unwrap();
    let done = bench.run(&experiment, &fake);
    let found: PointsOutcome = done.outcome.study("curve").unwrap().unwrap();
    let kept: Vec<f64> = points(&found, "length").iter().map(|p| p.place.keep).collect();
    assert_eq!(kept, [0.5, 0.2]);
    let longest = |ids: &Vec<u32>| ids.iter().all(|id| (id * 7) % 1000 >= 800);
    let subsets = trained_subsets(&bench, &fake.trained);
    assert!(subsets.iter().any(|ids| ids.len() == 200 && longest(ids)));
    // It stands in the table of scores, and cost nothing to take.
    let scores = &done.scored[0].as_ref().unwrap().scores;
    assert_eq!(scores.columns().floats("length").unwrap()[3], 21.0);
    assert!(done.outcome.ledger.iter().all(|row| row.by == "el2n@1"));
    assert!(!experiment_sections(&done.outcome).unwrap().is_empty());
    // With fewer examples their values go on standing beside them.
    let part = bench.experiment(&text.replace("batch = 10", "batch = 10\nlimit = 300")).unwrap();
    let scored = bench.run(&part, &Fake::default()).scored;
    assert_eq!(scored[0].as_ref().unwrap().scores.columns().floats("length").unwrap().len(), 300);

    let refused = |text: &str| bench.experiment(text).unwrap_err().to_string();
    let message = refused(&text.replace("\"length\"", "\"lenght\""));
    assert!(message.contains("did you mean length?"), "{message}");
    write(999);
    let message = refused(&text);
    assert!(message.contains("has 999 rows, and sample 1000 training examples"), "{message}");
    std::fs::write(&file, "id,label,text\n0,1,a\n").unwrap();
    let message = refused(&text);
    assert!(message.contains("no column of numbers") && message.contains("id, label, text"));
    std::fs::write(&file, "id,length\n7,1\n9,2\n").unwrap();
    assert!(refused(&text).contains("columns must be of all examples, in order"));
}

/// RS2 without replacement passes through all examples; what it saves is steps.
#[test]
fn random_each_epoch_is_everything_on_the_shortened_schedule() {
    let bench = Bench::new();
    let experiment = bench.experiment(&curve("fixed = \"epochs\"")).unwrap();
    let fake = Fake::default();
    let done = bench.run(&experiment, &fake);
    let found: PointsOutcome = done.outcome.study("curve").unwrap().unwrap();
    let each_epoch = points(&found, "random-each-epoch");
    let sizes: Vec<(usize, u64)> = each_epoch.iter().map(|p| (p.size, p.steps)).collect();
    assert_eq!(sizes, [(500, 100), (200, 40)]);
    assert_eq!(points(&found, "random")[1].steps, 40, "as long as on a random subset");
    // The fake's accuracy is the share of examples seen.
    assert!(each_epoch.iter().all(|p| p.accuracy.as_ref().unwrap().mean == 1.0));
    let trained = fake.trained.lock().unwrap();
    let short =
        trained.iter().find(|spec| spec.schedule.steps == 40 && spec.subset == Subset::Full);
    let short = short.expect("a short training on everything");
    assert_eq!(short.stop_after, 40);
    let rate = LearningRate::WarmUpLinear { peak: 0.3, warm_up: 4 };
    assert_eq!(short.schedule.learning_rate, rate);
    assert!(found.how.contains("random-each-epoch draws"), "{}", found.how);
    assert!(trained.len() <= experiment.size().trainings);
    // Without random there is none, but where it is asked for.
    for (changes, count) in
        [("random = false", 0), ("random = false\nbaselines = [\"random-each-epoch\"]", 2)]
    {
        let text = curve(&format!("fixed = \"epochs\"\n{changes}"));
        let done = bench.run(&bench.experiment(&text).unwrap(), &Fake::default());
        let found: PointsOutcome = done.outcome.study("curve").unwrap().unwrap();
        assert_eq!(points(&found, "random-each-epoch").len(), count, "{changes}");
    }
}

#[test]
fn baselines_that_say_nothing_are_refused() {
    let bench = Bench::new();
    for (changes, expected) in [
        ("baselines = [\"random-each-epoch\"]", "in another order"),
        ("baselines = [\"random\"]", "is there already"),
        ("quota = \"balanced\"\nbaselines = [\"random/balanced\"]", "is there already"),
        ("baselines = [\"ccs\", \"ccs\"]", "is there already"),
        ("baselines = [\"rondom\"]", "did you mean random?"),
        ("baselines = [\"window/balanced\"]", "no baseline is called"),
        ("baselines = [\"random/even\"]", "no quota is called `even`"),
        ("baselines = [\"random/balanced\"]\ncut = 0.3", "`cut` belongs to the rule `ccs`"),
    ] {
        let message = bench.experiment(&curve(changes)).unwrap_err().to_string();
        assert!(message.contains(expected), "{changes}: {message}");
    }
    let text = curve("baselines = [\"ccs\"]").replace("by = [\"el2n@1\", \"loss@1\"]", "by = []");
    let message = bench.experiment(&text).unwrap_err().to_string();
    assert!(message.contains("ccs needs a score"), "{message}");
}

#[test]
fn a_subset_smaller_than_a_batch_is_refused() {
    let bench = Bench::new();
    for text in [
        curve("").replace("0.2]", "0.005]"),
        curve("").replace("[curve]", "[window]\noffsets = [0]\n#").replace(
            "by = [\"el2n@1\", \"loss@1\"]\nkeep = [0.5, 0.2]",
            "by = \"el2n@1\"\nkeep = 0.005",
        ),
        curve("").replace("[curve]", "[tune]").replace(
            "by = [\"el2n@1\", \"loss@1\"]\nkeep = [0.5, 0.2]",
            "by = \"el2n@1\"\nkeep = [0.5, 0.005]",
        ),
    ] {
        let message = bench.experiment(&text).unwrap_err().to_string();
        assert!(
            message.contains("a batch of 10 is more than the 5 examples")
                || message.contains("a batch of 10 is more than the 4 examples"),
            "{text}: {message}"
        );
    }
}

fn diet(fixed: Fixed, accuracy: fn(&[u32]) -> f64) -> (SearchOutcome, String) {
    let bench = Bench::new();
    let training =
        TrainingOptions { batch: Some(10), epochs: Some(2.0), ..TrainingOptions::default() };
    let diet = DietOptions { tolerance: Some(1.0), fixed, ..DietOptions::default() };
    let experiment = bench.resolved(diet.experiment(training).unwrap()).unwrap();
    let fake = Fake { accuracy, ..Fake::default() };
    let done = bench.run(&experiment, &fake);
    assert!(experiment.size().trainings >= fake.trained.lock().unwrap().len());
    assert!(!experiment_sections(&done.outcome).unwrap().is_empty());
    (done.outcome.study("tune").unwrap().unwrap(), done.outcome.text().unwrap())
}

/// The hardest tenth is noise that costs accuracy; of the others the hard ones teach.
fn noisy_top(ids: &[u32]) -> f64 {
    let useful = ids.iter().filter(|&&id| (400..900).contains(&id)).count() as f64;
    let noise = ids.iter().filter(|&&id| id >= 900).count() as f64;
    0.5 + (0.45 * useful / 400.0).min(0.45) - 0.2 * noise / 100.0
}

#[test]
fn a_diet_says_which_baseline_won() {
    // On everything it is as noisy as can be: the answer beats both, and random the shorter one.
    let (found, text) = diet(Fixed::Epochs, noisy_top);
    assert!(found.advisable, "{}", found.verdict);
    let each_epoch = found.finals.each_epoch.as_ref().unwrap();
    assert_eq!(each_epoch.size, found.finals.answer.size);
    assert_eq!(each_epoch.steps, found.finals.answer.steps);
    assert!(each_epoch.steps < 200, "{}", each_epoch.steps);
    let best = found.verdict.find("The best baseline is").expect(&found.verdict);
    for name in ["as many at random,", "as many at random anew every epoch,", "of the hardest,"] {
        assert!(found.verdict[best..].contains(name), "{}", found.verdict);
    }
    assert!(text.contains("as many at random anew every epoch"), "{text}");
    // Where all examples teach alike, passing through all of them in the same time is as good.
    let (found, _) = diet(Fixed::Epochs, |ids| {
        0.5 + 0.4 * (ids.len() as f64 / 600.0).min(1.0) + 0.05 * (ids.len() as f64 / 1000.0)
    });
    let verdict = &found.verdict;
    let expected = "Scores buy nothing here: as many at random anew every epoch reach";
    assert!(verdict.contains(expected) && !found.advisable, "{verdict}");
    assert!(verdict.contains("Train on everything for as short a time, if at all"), "{verdict}");
    // With the number of steps fixed there is no such thing.
    let (found, _) = diet(Fixed::Steps, noisy_top);
    assert!(found.finals.each_epoch.is_none());
    assert!(!found.verdict.contains("anew every epoch"), "{}", found.verdict);
}
