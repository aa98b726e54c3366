//! `datadiet train`.

use serde_json::Value;

use crate::support::{Home, JOB, errors};

/// The small job's options, without its first word and length.
fn job() -> Vec<&'static str> {
    JOB[1..].to_vec()
}

fn train(home: &Home, options: &[&str]) -> Value {
    home.json(&[&["train"], &job()[..], options].concat())
}

fn write(home: &Home, name: &str, text: &str) {
    std::fs::write(home.path().join(name), text).unwrap();
}

fn lines(ids: impl Iterator<Item = u32>) -> String {
    ids.map(|id| format!("{id}\n")).collect()
}

#[test]
fn a_subset_in_any_format_is_the_same_training() {
    let home = Home::with_sample();
    home.score(&["--replicas", "1", "--scores", "el2n"]);
    let mut runs = Vec::new();
    for file in ["s.parquet", "s.npy", "s.txt", "s.json"] {
        home.ok(&["select", "out", "--keep", "0.5", "--out", file]);
        let answer = train(&home, &["--subset", file]);
        assert_eq!((&answer["examples"], &answer["of"]), (&500.into(), &1000.into()));
        // Half the data twice as often.
        assert_eq!(answer["spec"]["stop_after"], 20);
        assert!(answer["accuracy"]["mean"].as_f64().unwrap() > 0.15);
        runs.push(answer["runs"].clone());
    }
    assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
    assert_eq!(home.runs().len(), 2, "one to score, one on the subset");
}

#[test]
fn ids_of_other_programs_are_read() {
    let home = Home::with_sample();
    write(&home, "header.csv", &format!("id\n# every third\n{}", lines((0..1000).step_by(3))));
    let shuffled = (0..1000).step_by(3).rev();
    write(&home, "array.json", &serde_json::to_string(&shuffled.collect::<Vec<u32>>()).unwrap());
    let first = train(&home, &["--subset", "header.csv", "--fixed", "epochs"]);
    // A third of the twenty steps that everything takes.
    assert_eq!((&first["examples"], &first["spec"]["stop_after"]), (&334.into(), &7.into()));
    let second = train(&home, &["--subset", "array.json", "--fixed", "epochs"]);
    assert_eq!(first["runs"], second["runs"]);
    let options = ["--subset", "array.json", "--fixed", "epochs"];
    let output = home.command(&[&["train"], &job()[..], &options].concat()).output().unwrap();
    assert!(errors(&output).contains("does not say which data set it belongs to"));
}

#[test]
fn everything_and_every_replica() {
    let home = Home::with_sample();
    let answer = train(&home, &["--replicas", "2", "--out", "answer.json"]);
    assert_eq!((&answer["examples"], &answer["split"]), (&1000.into(), &"test".into()));
    assert_eq!(answer["accuracy"]["values"].as_array().unwrap().len(), 2);
    let written = std::fs::read(home.path().join("answer.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&written).unwrap(), answer);
    assert!(home.ok(&[&["train"], &job()[..]].concat()).contains("1,000 examples (100.0 %)"));
    assert_eq!(home.runs().len(), 2, "the second command trained nothing");
}
