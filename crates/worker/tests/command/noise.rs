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
