//! Tables of several labels and of tokens, through the command that lists suspects.

use datadiet_core::{ExampleId, MultiLabelRecorder, Task};
use datadiet_table::{Card, Column, Recorded, ScoreTable, TOKEN, Table, TimePoint};

use crate::support::Home;

#[test]
fn suspects_of_several_labels_name_the_label() {
    let home = Home::empty();
    let mut recorder = MultiLabelRecorder::of_labels(3, 2, true);
    let ids: Vec<ExampleId> = (0..3).map(ExampleId).collect();
    // The second example lacks its second label, the third has its first for nothing.
    let logits = [3.0_f32, -3.0, /**/ 2.0, 4.0, /**/ -5.0, 1.0];
    recorder.update(&ids, &logits, &[1, 0, /**/ 1, 0, /**/ 1, 1], None).unwrap();
    recorder.end_epoch();
    let time = TimePoint { epochs: 1.0, step: 1 };
    let scores = recorder.columns().into_iter();
    let scores = scores.map(|(measure, _, column)| (measure, time.clone(), column)).collect();
    let recorded = Recorded { scores, predicted: Vec::new() };
    let mut table =
        ScoreTable::recorded_of(Task::MultiLabel, &[recorded], None, "training").unwrap();
    let mut push = |name: &str, column| table.columns_mut().push(name, column).unwrap();
    let names = ["dog", "dog", "cat"].map(str::to_owned);
    push("least-aum-label@1", Column::Text(names.to_vec()));
    push("least-aum-given@1", Column::U32(vec![0, 0, 1]));
    table.write(&home.path().join("labels.parquet")).unwrap();

    let text = home.ok(&["suspects", "labels.parquet", "-n", "2"]);
    let words: Vec<Vec<&str>> =
        text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words[0], ["labelled", "predicted", "id", "least-aum@1"]);
    assert_eq!(words[1], ["cat", "not", "cat", "2", "-5.000"]);
    assert_eq!(words[2], ["not", "dog", "dog", "1", "-4.000"]);
    let answer = home.json(&["suspects", "labels.parquet", "-n", "1"]);
    assert_eq!(answer["suspects"][0]["class"], "cat");
    assert_eq!(answer["suspects"][0]["predicted"], "not cat");
}

#[test]
fn suspects_of_tokens_name_the_token() {
    let home = Home::empty();
    let mut columns = Table::default();
    let mut push = |name: &str, column| columns.push(name, column).unwrap();
    push("key", Column::Text(vec!["7:0".into(), "7:1".into()]));
    push("example", Column::U32(vec![7, 7]));
    push("position", Column::U32(vec![0, 1]));
    push("label", Column::U32(vec![0, 1]));
    push("class", Column::Text(vec!["O".into(), "PLACE".into()]));
    push(TOKEN, Column::Text(vec!["in".into(), "Rome".into()]));
    push("mean-loss@2", Column::F32(vec![0.25, 1.5]));
    push("predicted@2", Column::U32(vec![0, 0]));
    let table = ScoreTable::new(columns, Card::new(Vec::new()));
    table.write(&home.path().join("tokens.parquet")).unwrap();
    let text = home.ok(&["suspects", "tokens.parquet", "-n", "1"]);
    let first: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(first, ["PLACE", "O", "Rome", "7:1", "1.500"], "{text}");
    let answer = home.json(&["suspects", "tokens.parquet", "-n", "1"]);
    let token = &answer["suspects"][0]["token"];
    assert_eq!((&token["example"], &token["position"]), (&7.into(), &1.into()));
    assert_eq!(token["text"], "Rome");
}

#[test]
fn suspects_have_their_texts_beside_them() {
    let home = Home::empty();
    let mut columns = Table::default();
    let mut push = |name: &str, column| columns.push(name, column).unwrap();
    push("key", Column::Text(vec!["a".into(), "b".into()]));
    push("mean-loss@2", Column::F32(vec![0.25, 1.5]));
    push(
        "text",
        Column::Text(vec!["fine".into(), format!("all \u{1b}[31m\n wrong {}", "x".repeat(90))]),
    );
    let card = Card { task: Task::Loss, ..Card::new(Vec::new()) };
    ScoreTable::new(columns, card).write(&home.path().join("texts.parquet")).unwrap();
    let text = home.ok(&["suspects", "texts.parquet", "-n", "1"]);
    let first = text.lines().nth(1).unwrap();
    assert!(first.trim().starts_with("all [31m wrong xxx") && first.contains('…'), "{text}");
    assert!(first.ends_with("b        1.500"), "{text}");
    let other = "{\"id\":\"b\",\"text\":\"of the file\"}\n{\"id\":\"a\",\"text\":\"\"}\n";
    std::fs::write(home.path().join("other.jsonl"), other).unwrap();
    let of_file = ["suspects", "texts.parquet", "-n", "1", "--text", "other.jsonl"];
    assert_eq!(home.json(&of_file)["suspects"][0]["text"], "of the file");
    std::fs::write(home.path().join("other.jsonl"), "{\"id\":\"c\",\"text\":\"\"}\n").unwrap();
    assert!(home.fails(&of_file).contains("no text for the id \"a\""));
}
