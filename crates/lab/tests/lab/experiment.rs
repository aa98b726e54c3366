//! Whole experiments from a text, and what is written of them.

use std::path::Path;

use datadiet_lab::study::correlations::CorrelationsOutcome;
use datadiet_lab::study::noise::NoiseOutcome;
use datadiet_lab::study::points::PointsOutcome;
use datadiet_lab::study::search::SearchOutcome;
use datadiet_lab::{ExperimentOutcome, experiment_sections};
use datadiet_store::{Labels, RunSpec};

use crate::bench::{Bench, Fails, Fake};

/// A hundred steps an epoch.
const ALL: &str = r#"
title = "Everything at once"

[training]
batch = 10
epochs = 1

[scoring]
replicas = 2
at = [0.5]

[curve]
by = ["el2n@0.5"]
keep = [0.5, 0.25]
retrainings = 3

[window]
by = "el2n@end"
keep = 0.5
offsets = [0, 0.5]
noise = [0, 0.2]

[tune]
by = "el2n@0.5"
keep = [0.5]
drops = [0, 0.1]

[correlations]
columns = ["el2n@0.5", "loss@0.5"]
networks = [{ model = "mlp" }]

[noise]
by = "el2n@0.5"
symmetric = [0.2]
uniform = [0.2]
"#;

/// Examples with other labels are the hardest.
fn suspicious(spec: &RunSpec, id: u32) -> f32 {
    let is_noisy = spec.labels != Labels::Original;
    id as f32 / 2000.0 + if is_noisy && id >= 800 { 0.5 } else { 0.0 }
}

#[test]
fn all_studies_from_one_text() {
    let bench = Bench::new();
    let experiment = bench.experiment(ALL).unwrap();
    let names: Vec<&str> = experiment.scenes.all().iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["", "20 % of labels random", "20 % of labels wrong", "mlp"]);
    let fake = Fake { score: suspicious, ..Fake::default() };
    let mut done = bench.run(&experiment, &fake);
    let trained = fake.trained.lock().unwrap().len();
    assert!(trained <= experiment.size().trainings);
    assert_eq!(done.outcome.cost.trainings, trained);

    let curve: PointsOutcome = done.outcome.study("curve").unwrap().unwrap();
    assert_eq!(curve.points.len(), 4);
    for point in &curve.points {
        let accuracy = point.accuracy.as_ref().unwrap();
        assert_eq!((accuracy.values.len(), accuracy.mean), (3, point.place.keep));
    }
    let windows: Vec<PointsOutcome> = done.outcome.study("window").unwrap().unwrap();
    assert_eq!((windows.len(), windows[1].points.len()), (2, 3));
    assert_eq!(windows[0].points[1].place.series, "el2n@0.5");
    let search: SearchOutcome = done.outcome.study("tune").unwrap().unwrap();
    assert_eq!(search.rungs.len(), 3);
    let scores: CorrelationsOutcome = done.outcome.study("correlations").unwrap().unwrap();
    assert_eq!(scores.names[2], "mlp: el2n@0.5");
    let noise: Vec<NoiseOutcome> = done.outcome.study("noise").unwrap().unwrap();
    assert_eq!((noise.len(), noise[0].changed), (2, 200));
    assert!(done.outcome.study::<PointsOutcome>("velocity").unwrap().is_none());

    let out = tempfile::tempdir().unwrap();
    experiment.check_folder(out.path()).unwrap();
    experiment.write(out.path(), &bench.store, &bench.dataset, &mut done).unwrap();
    let rows = |name: &str| {
        let text = std::fs::read_to_string(out.path().join(name)).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<String>>()
    };
    // Curve: four subsets and everything. Windows: two offsets, random, everything, twice.
    let points = rows("points.csv");
    assert_eq!(points.len(), 1 + 5 + 2 * 4);
    assert!(points[1].starts_with(",el2n@0.5,0.5,,0.5,500,100,"), "{}", points[1]);
    assert_eq!(rows("spearman.csv").len(), 5);
    assert!(rows("detection.csv").len() > 10);
    assert!(out.path().join("scores-20-of-labels-wrong.parquet").exists());
    // What was written is read back, and tells the same.
    let text = std::fs::read(out.path().join("outcome.json")).unwrap();
    let read: ExperimentOutcome = serde_json::from_slice(&text).unwrap();
    assert_eq!(read.text().unwrap(), done.outcome.text().unwrap());
    let ids = |outcome| {
        let sections = experiment_sections(outcome).unwrap();
        sections.into_iter().map(|section| section.id).collect::<Vec<String>>()
    };
    assert_eq!(
        ids(&read),
        ["summary", "curve", "windows", "search", "correlations", "noise", "ledger"]
    );
    experiment.check_folder(out.path()).unwrap();
    let other = bench.experiment(&ALL.replace("[0.5, 0.25]", "[0.5]")).unwrap();
    assert!(other.check_folder(out.path()).unwrap_err().to_string().contains("another experiment"));
    // The same again trains nothing.
    bench.run(&experiment, &fake);
    assert_eq!(fake.trained.lock().unwrap().len(), trained);
}

#[test]
fn the_ledger_tells_what_scoring_costs_and_saves() {
    let bench = Bench::new();
    let experiment = bench.experiment(&ALL[..ALL.find("[window]").unwrap()]).unwrap();
    let size = experiment.size();
    assert_eq!((size.trainings, size.steps), (2 + 12 + 3, 2 * 50 + 15 * 100));
    let outcome = bench.run(&experiment, &Fake::default()).outcome;
    let curve: PointsOutcome = outcome.study("curve").unwrap().unwrap();
    assert_eq!(curve.full.unwrap().mean, 1.0);
    // Two replicas of half the steps, a training saved for two at half the data.
    let half = outcome.ledger.iter().find(|row| row.keep == 0.5).unwrap();
    assert_eq!((half.scoring_steps, half.saved_steps), (50, 50));
    assert!(half.pays_after.unwrap() >= 2);
}

#[test]
fn an_experiment_goes_on_without_a_scene_that_cannot_be_scored() {
    let bench = Bench::new();
    let experiment = bench.experiment(ALL).unwrap();
    let fails = |spec: &RunSpec| {
        let scores = !spec.record.steps.is_empty();
        (scores && spec.labels != Labels::Original).then_some(Fails::OnRecord)
    };
    let outcome = bench.run(&experiment, &Fake { fails, ..Fake::default() }).outcome;
    assert_eq!(outcome.failed.len(), 4, "two replicas of two scenes");
    assert_eq!(outcome.scenes[1].replicas, 0);
    let windows: Vec<PointsOutcome> = outcome.study("window").unwrap().unwrap();
    assert_eq!(windows.len(), 1, "the plain scene's");
    assert!(outcome.study::<Vec<NoiseOutcome>>("noise").unwrap().is_none());
    assert_eq!(outcome.left_out.len(), 2 + 1, "two scenes, a study");
    assert!(outcome.left_out[0].starts_with("20 % of labels random: no replica completed"));
    let left_out = &outcome.left_out[2];
    assert!(
        left_out.contains("[noise]") && left_out.contains("20 % of labels wrong"),
        "{left_out}"
    );
    assert!(outcome.text().unwrap().contains(left_out));
    // Where the plain scene fails, so do the studies of it; the windows over noisy labels stay.
    let bench = Bench::new();
    let experiment = bench.experiment(ALL).unwrap();
    let fails = |spec: &RunSpec| {
        let scores = !spec.record.steps.is_empty();
        (scores && spec.labels == Labels::Original).then_some(Fails::Breaks)
    };
    let outcome = bench.run(&experiment, &Fake { fails, ..Fake::default() }).outcome;
    let windows: Vec<PointsOutcome> = outcome.study("window").unwrap().unwrap();
    assert_eq!(windows[0].scene, "20 % of labels random");
    let left_out = outcome.left_out.join("\n");
    for study in ["[curve]", "[tune]", "[correlations]", "[noise]"] {
        assert!(left_out.contains(study), "{left_out}");
    }
    assert!(!left_out.contains("[window]"), "{left_out}");
}

#[test]
fn results_of_before_are_read() {
    let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/cifar10-resnet8");
    for name in ["connectivity", "correlations", "curve", "noise", "velocity", "window"] {
        let text = std::fs::read(results.join(name).join("outcome.json")).unwrap();
        let outcome: ExperimentOutcome = serde_json::from_slice(&text).unwrap();
        let sections = experiment_sections(&outcome).unwrap();
        let id = if name == "window" { "windows" } else { name };
        assert!(sections.iter().any(|section| section.id == id), "{name}");
        for findings in outcome.findings().unwrap() {
            for table in findings.tables {
                let known = std::fs::read_to_string(results.join(name).join(table.file)).unwrap();
                let mut lines = known.lines();
                assert_eq!(lines.next().unwrap(), table.header.join(","));
                assert_eq!(lines.count(), table.rows.len(), "{name}/{}", table.file);
            }
        }
    }
}
