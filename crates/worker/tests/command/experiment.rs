//! `datadiet run` and `datadiet diet`.

use serde_json::Value;

use crate::support::{ALL, DIET, Home};

fn write(home: &Home, name: &str, text: &str) {
    std::fs::write(home.path().join(name), text).unwrap();
}

fn read(home: &Home, name: &str) -> Vec<u8> {
    std::fs::read(home.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn rows(home: &Home, name: &str) -> Vec<String> {
    let text = String::from_utf8(read(home, name)).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// When each run of the store was completed.
fn completed(home: &Home) -> Vec<std::time::SystemTime> {
    let result = |run: &std::path::PathBuf| run.join("result.json").metadata().unwrap();
    home.runs().iter().map(|run| result(run).modified().unwrap()).collect()
}

#[test]
fn all_studies_in_one_file_and_nothing_twice() {
    let home = Home::with_sample();
    write(&home, "all.toml", ALL);
    let planned = home.json(&["run", "all.toml", "--plan"]);
    assert!(!home.path().join("store/runs").exists(), "a plan trains nothing");
    let answer = home.json(&["run", "all.toml", "--out", "results"]);
    let trained = home.runs().len() as u64;
    assert!(planned["trainings"].as_u64().unwrap() >= trained, "{planned}");
    assert_eq!(answer["cost"]["trainings"], trained);
    assert_eq!(answer["failed"], serde_json::json!([]));

    let scenes: Vec<&str> =
        planned["scenes"].as_array().unwrap().iter().map(|scene| scene.as_str().unwrap()).collect();
    assert_eq!(scenes, ["", "20 % of labels random", "20 % of labels wrong", "mlp width 8"]);
    // Curve: two scores, random, full. Windows: two offsets, random, full, with both labellings.
    let points = rows(&home, "results/points.csv");
    assert_eq!(points.len(), 1 + 4 + 2 * 4, "{points:?}");
    assert!(points[1].starts_with(",el2n@1,0.5,,1,200,8,"), "{}", points[1]);
    assert!(points[2].starts_with(",forgetting@1,0.5,"), "{}", points[2]);
    let curve = answer["curve"]["points"].as_array().unwrap();
    let accuracy = |point: &Value| point["accuracy"]["mean"].as_f64().unwrap();
    assert!(curve.iter().all(|point| (0.0..=1.0).contains(&accuracy(point))));
    assert_eq!(answer["window"].as_array().unwrap().len(), 2);
    assert!(!answer["tune"]["verdict"].as_str().unwrap().is_empty());
    let names = &answer["correlations"]["names"];
    assert_eq!(names.as_array().unwrap().len(), 4, "{names}");
    assert_eq!(rows(&home, "results/spearman.csv").len(), 5);
    assert_eq!(answer["noise"][0]["changed"], 80);
    assert!(rows(&home, "results/detection.csv").len() > 10);
    let outcome: Value = serde_json::from_slice(&read(&home, "results/outcome.json")).unwrap();
    assert_eq!(outcome["experiment"]["title"], "Everything at once");
    for scene in ["", "-20-of-labels-random", "-20-of-labels-wrong", "-mlp-width-8"] {
        read(&home, &format!("results/scores{scene}.parquet"));
    }

    let (points, done) = (read(&home, "results/points.csv"), completed(&home));
    let again = home.json(&["run", "all.toml", "--out", "results"]);
    assert_eq!(completed(&home), done, "nothing was trained again");
    assert!(read(&home, "results/points.csv") == points);
    assert_eq!(again["cost"]["trainings"], answer["cost"]["trainings"]);
    // Another folder, and a study less, from the same trainings.
    write(&home, "less.toml", &ALL[..ALL.find("[tune]").unwrap()]);
    home.ok(&["run", "less.toml"]);
    assert_eq!(completed(&home), done);
    assert!(read(&home, "results/less/points.csv") == points);
}

#[test]
fn a_diet_says_a_verdict_and_writes_the_subset() {
    let home = Home::with_sample();
    // With so many wrong labels, leaving out the hardest examples gains much.
    home.ok(&["noise", "--data", "sample", "--symmetric", "0.4", "--out", "noisy.parquet"]);
    // Three trainings each, in 32-bit floats: which of two single ones, or in bf16, is better differs from one kind of
    // processor to another.
    let training = ["--labels", "noisy.parquet", "--precision", "f32"];
    let (same, retrainings) = DIET.split_at(DIET.len() - 4);
    let options = ["--tolerance", "20", "--out", "diet"];
    let diet = [same, &["--retrainings", "3"], &retrainings[2..], &training, &options].concat();
    let outcome = home.json(&diet);
    let found = &outcome["tune"];
    let verdict = found["verdict"].as_str().unwrap();
    assert!(verdict.contains("gains") && found["advisable"] == true, "{verdict}");
    assert_eq!(
        (&found["held_out"], &found["finals"]["answer"]["size"]),
        (&100.into(), &500.into())
    );
    for file in ["outcome.json", "scores.parquet", "subset.parquet"] {
        read(&home, &format!("diet/{file}"));
    }
    let runs = completed(&home);
    assert!(home.ok(&diet).contains(verdict));
    assert_eq!(completed(&home), runs, "the same again trains nothing");

    // The subset is the one that was tested.
    let job = [
        &["train"],
        &DIET[1..11],
        &["--subset", "diet/subset.parquet", "--seed", "2", "--replicas", "3"],
    ]
    .concat();
    let trained = home.json(&[&job[..], &training].concat());
    assert_eq!(trained["examples"], 500);
    assert_eq!(trained["accuracy"]["values"], found["finals"]["answer"]["accuracy"]["values"]);
    assert_eq!(completed(&home), runs);
}

#[test]
fn a_diet_that_advises_against_pruning_writes_no_subset() {
    let home = Home::with_sample();
    // The hardest twentieth teaches nothing.
    let words = DIET.iter().map(|&word| match word {
        "0.5" => "0.05",
        "0.4" => "0",
        "4" => "1",
        // No more than a twentieth of the examples.
        "50" => "40",
        other => other,
    });
    let diet: Vec<&str> = words.collect();
    let outcome = home.json(&[&diet[..], &["--tolerance", "0", "--out", "diet"]].concat());
    assert_eq!(outcome["tune"]["advisable"], false, "{}", outcome["tune"]["verdict"]);
    read(&home, "diet/scores.parquet");
    assert!(!home.path().join("diet/subset.parquet").exists());
}

#[test]
fn networks_that_diverge_are_told_with_their_rate() {
    let home = Home::with_sample();
    write(&home, "all.toml", &ALL[..ALL.find("[window]").unwrap()]);
    let message = home.fails(&["run", "all.toml", "--set", "training.lr=1e30"]);
    assert!(message.contains("learning rate") && message.contains("--lr"), "{message}");
    let runs = home.json(&["runs", "list"]);
    assert!(runs.as_array().unwrap().iter().all(|run| run["state"] == "failed"), "{runs}");
}
