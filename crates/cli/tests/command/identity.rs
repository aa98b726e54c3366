//! A row of a table is one thing, an example of a data set another: pictures that are written, links
//! and known labels are those of the examples scored, or the command refuses.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use datadiet_data::{DataHome, Dataset};

use crate::support::Home;

/// Examples that the scores call the hardest, in the order of the data set.
const HARDEST: [usize; 3] = [7, 300, 911];

fn dataset(home: &Home, name: &str) -> Dataset {
    Dataset::open(&DataHome::new(home.path().join("data")), name).unwrap()
}

/// Scores of all examples in the order of `order`, with the ids that `id` gives.
fn ingest(home: &Home, out: &str, order: &[usize], id: impl Fn(usize) -> String) {
    let labels = dataset(home, "sample").train().labels.to_vec();
    let mut lines = String::new();
    for &example in order {
        let right = if HARDEST.contains(&example) { -9.0 } else { 4.0 };
        let logit = |class: u32| if class == labels[example] { right } else { 0.0 };
        let logits: Vec<f64> = (0..10).map(logit).collect();
        let (id, label) = (id(example), labels[example]);
        lines += &format!("{{\"id\": {id}, \"logits\": {logits:?}, \"label\": {label}}}\n");
    }
    std::fs::write(home.path().join(format!("{out}.jsonl")), lines).unwrap();
    home.ok(&["ingest", &format!("{out}.jsonl"), "--out", out]);
}

fn export<'a>(out: &'a str, folder: &'a str) -> Vec<&'a str> {
    vec![
        "select",
        out,
        "--count",
        "3",
        "--allow-empty-class",
        "--data",
        "sample",
        "--export",
        folder,
        "--format",
        "image-folder",
    ]
}

/// The pictures of the training part of an exported folder.
fn exported(home: &Home, folder: &str) -> BTreeSet<Vec<u8>> {
    home.ok(&["data", "import", folder, "--name", folder, "--allow-empty-class"]);
    let set = dataset(home, folder);
    (0..set.train().labels.len()).map(|example| set.train().image(example).to_vec()).collect()
}

fn pictures(home: &Home) -> BTreeSet<Vec<u8>> {
    let set = dataset(home, "sample");
    HARDEST.iter().map(|&example| set.train().image(example).to_vec()).collect()
}

#[test]
fn pictures_are_those_of_the_ids_in_any_order() {
    let home = Home::with_sample();
    let size = dataset(&home, "sample").train().labels.len();
    let order: Vec<usize> = (0..size).map(|row| (row * 7 + 3) % size).collect();
    ingest(&home, "numbers", &order, |example| example.to_string());
    ingest(&home, "digits", &order, |example| format!("\"{example}\""));
    for out in ["numbers", "digits"] {
        let folder = format!("{out}-hardest");
        home.ok(&export(out, &folder));
        assert!(exported(&home, &folder) == pictures(&home), "{out}");
    }
}

#[test]
fn ids_that_say_nothing_of_places_are_refused_and_nothing_is_written() {
    let home = Home::with_sample();
    let all: Vec<usize> = (0..dataset(&home, "sample").train().labels.len()).collect();
    ingest(&home, "texts", &all, |example| format!("\"picture {example}\""));
    ingest(&home, "far", &all, |example| (5000 - example).to_string());
    for (out, words) in [("texts", "texts for ids"), ("far", "different data sets")] {
        let message = home.fails(&export(out, "exported"));
        assert!(message.contains(words), "{message}");
        let message = home.fails(&["suspects", out, "--data", "sample", "--picture", "x.png"]);
        assert!(message.contains(words), "{message}");
        assert!(!home.path().join("exported").exists() && !home.path().join("x.png").exists());
    }
}

/// Row numbers of scores that were taken in another order are not the examples of those numbers.
#[test]
fn rows_of_another_order_are_refused() {
    let home = Home::with_sample();
    let labels = dataset(&home, "sample").train().labels.to_vec();
    let lines: Vec<String> = (0..labels.len())
        .map(|row| labels[(row * 7 + 3) % labels.len()])
        .map(|label| format!("{{\"logits\": [0.5,1,0,0,0,0,0,0,0,{label}], \"label\": {label}}}"))
        .collect();
    std::fs::write(home.path().join("moved.jsonl"), lines.join("\n")).unwrap();
    home.ok(&["ingest", "moved.jsonl", "--out", "moved"]);
    let message = home.fails(&export("moved", "exported"));
    assert!(message.contains("in another order"), "{message}");
    assert!(!home.path().join("exported").exists());
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    if !path.is_dir() {
        eprintln!("{} is not there: nothing is tested", path.display());
        return None;
    }
    path.canonicalize().ok()
}

/// Probabilities that others published, judged by the labels that others corrected: scikit-learn's
/// values (cleanlab/label-error-detection-benchmarks, CIFAR-10N).
#[test]
fn wrong_labels_of_cifar10n_are_found_as_scikit_learn_says() {
    let Some(data) = shared("cifar10n-aggre-resnet18") else { return };
    let file = |name: &str| data.join(name).to_str().unwrap().to_owned();
    let home = Home::empty();
    let (values, given) = (file("pred_probs.npy"), file("given_labels.npy"));
    home.ok(&["ingest", &values, "--labels", &given, "--out", "out"]);
    let expected: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data.join("expected.json")).unwrap()).unwrap();
    let wrong = expected["wrong"].to_string();
    let truth = file("true_labels.npy");
    let judged = home.json(&["suspects", "out", "--truth", &truth, "--at", &wrong]);
    let metrics = expected["metrics_by_scikit_learn"].as_object().unwrap();
    let found = judged["detection"].as_array().unwrap();
    for (score, name) in [
        ("confidence", "self-confidence"),
        ("loss", "loss"),
        ("el2n", "el2n"),
        ("max-margin", "max-margin"),
    ] {
        let column = |row: &&serde_json::Value| {
            let name = row["column"].as_str().unwrap();
            name.split('@').next() == Some(score)
        };
        let ours = found.iter().find(column).unwrap_or_else(|| panic!("{score} in {judged}"));
        let (_, theirs) = metrics.iter().find(|(key, _)| key.starts_with(name)).unwrap();
        for (measure, ours) in [
            ("auroc", &ours["auroc"]),
            ("average_precision", &ours["average_precision"]),
            ("precision_at_number_wrong", &ours["precision_at"][0][1]),
        ] {
            let (ours, theirs) = (ours.as_f64().unwrap(), theirs[measure].as_f64().unwrap());
            assert!((ours - theirs).abs() < 1e-4, "{score} {measure}: {ours} and {theirs}");
        }
    }
}
