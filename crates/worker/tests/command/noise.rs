//! `datadiet suspects`, on scores that were taken with wrong labels.

use crate::support::Home;

fn noise(home: &Home, options: &[&str]) -> serde_json::Value {
    home.json(&[&["noise", "--data", "sample", "--out", "noisy.parquet"], options].concat())
}

#[test]
fn wrong_labels_are_found_by_scores_that_were_taken_with_them() {
    let home = Home::with_sample();
    noise(&home, &["--symmetric", "0.2"]);
    home.score(&["--replicas", "2", "--epochs", "2", "--labels", "noisy.parquet"]);
    let found = home.json(&[
        "suspects",
        "out",
        "--truth",
        "noisy.parquet",
        "-n",
        "30",
        "--picture",
        "s.png",
    ]);
    assert_eq!(found["by"], "aum@2");
    assert_eq!(found["warnings"], serde_json::json!([]));
    let detection = found["detection"].as_array().unwrap();
    let of = |name: &str| detection.iter().find(|column| column["column"] == name).unwrap();
    assert!(of("aum@2")["auroc"].as_f64().unwrap() > 0.75, "{detection:?}");
    let precision = |column: &serde_json::Value| column["average_precision"].as_f64().unwrap();
    assert!(detection.is_sorted_by(|a, b| precision(a) >= precision(b)));
    let suspects = found["suspects"].as_array().unwrap();
    let changed = suspects.iter().filter(|suspect| suspect["changed"] == true).count();
    assert!(suspects.len() == 30 && changed > 15, "{changed} of {}", suspects.len());
    assert!(suspects.iter().all(|suspect| suspect["predicted"].is_string()));
    assert!(image::open(home.path().join("s.png")).unwrap().width() > 100);
    let text = home.ok(&["suspects", "out", "--truth", "noisy.parquet", "--at", "5,50"]);
    assert!(text.contains("precision at 5 ") && text.contains("precision at 50"), "{text}");
}

/// Training and listing in one; the same command again trains nothing.
#[test]
fn suspects_of_a_data_set_are_those_of_its_scores() {
    let home = Home::with_sample();
    noise(&home, &["--symmetric", "0.2"]);
    let truth = ["--labels", "noisy.parquet", "--truth", "noisy.parquet", "--out", "found"];
    let fast = ["--recipe", "speedrun", "--width", "8", "--epochs", "6", "--precision", "f32"];
    let command = [&["suspects", "--data", "sample"], &truth[..], &fast].concat();
    let found = home.json(&command);
    assert_eq!(found["by"], "log-margin@6+margin-of-mean@6");
    let detection = found["detection"].as_array().unwrap();
    let own = detection.iter().find(|column| column["column"] == found["by"]).unwrap();
    assert!(own["auroc"].as_f64().unwrap() > 0.75, "{detection:?}");
    assert_eq!(found["scores"], "found");
    let runs = || home.json(&["runs", "list"]).as_array().unwrap().len();
    assert_eq!(runs(), 1, "one training");
    assert_eq!(home.json(&command), found);
    assert_eq!(runs(), 1);
    let later = home.json(&["suspects", "found", "--by", "log-margin@end+margin-of-mean@end"]);
    assert_eq!(later["suspects"][0]["id"], found["suspects"][0]["id"]);
}
