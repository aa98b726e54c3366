//! Known wrong labels, tables of other tasks than one class an example, and what somebody did last.

mod common;

use common::{Folder, names, table, wholes};
use datadiet_core::Task;
use datadiet_explore::{Answer, Explorer, Options, Source};
use datadiet_table::{Column, TruthKind};
use serde_json::{Value, json};

fn ask(explorer: &Explorer, path: &str, query: &str) -> Value {
    let answer: Answer = explorer.answer(false, path, query, b"");
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    serde_json::from_slice(&answer.body).unwrap()
}

fn bytes(explorer: &Explorer, path: &str, query: &str) -> Vec<u8> {
    let answer = explorer.answer(false, path, query, b"");
    assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer.body
}

#[test]
fn known_wrong_labels_go_by_the_ids_of_the_table() {
    let keys: Vec<String> = (0..40).map(|row| format!("image {row}")).collect();
    let folder = Folder::new(table(40, &names(10), Some(keys.clone())));
    let file = folder.path().join("truth.csv");
    // In another order, with an example more.
    let lines: String =
        (0..41).rev().map(|row| format!("image {row},{}\n", u8::from(row % 7 == 3))).collect();
    std::fs::write(&file, format!("id,is_error\n{lines}")).unwrap();
    let open = |kind: Option<TruthKind>| {
        let options = folder.options(Source::Table);
        Explorer::open(datadiet_explore::Options { truth: Some((file.clone(), kind)), ..options })
    };
    let explorer = open(None).unwrap();
    let expected: Vec<u8> = (0..40).map(|row| u8::from(row % 7 == 3)).collect();
    assert_eq!(bytes(&explorer, "api/truth", ""), expected);
    let info = ask(&explorer, "api/info", "");
    assert_eq!(info["truth"], json!({ "name": file.display().to_string(), "wrong": 6 }));
    // Without one there is none, and of other examples it is refused.
    assert!(ask(&folder.explorer(), "api/info", "")["truth"].is_null());
    assert_eq!(folder.explorer().answer(false, "api/truth", "", b"").status, 404);
    std::fs::write(&file, "id,is_error\nimage 0,1\n").unwrap();
    let Err(error) = open(None) else { panic!("it was opened") };
    assert!(error.to_string().contains("does not know the id"), "{error}");
    let Err(error) = open(Some(TruthKind::Labels)) else { panic!("it was opened") };
    assert!(error.to_string().contains("does not say which labels"), "{error}");
}

/// A table of a task: columns of floats, three rows.
fn of_task(task: Task, scores: &[&str], more: Vec<(&str, Column)>) -> Folder {
    let mut found = common::of_task(task, 3, scores);
    for (name, column) in more {
        found.columns_mut().push(name, column).unwrap();
    }
    Folder::new(found)
}

#[test]
fn the_first_map_is_of_the_scores_of_the_task() {
    for (task, scores, by, map) in [
        (
            Task::Tokens,
            &["loss@2", "el2n@2", "length@2", "mean-loss@2"][..],
            "mean-loss@2",
            ["length@2", "mean-loss@2"],
        ),
        (
            Task::MultiLabel,
            &["el2n@2", "aum@2", "least-margin@2", "least-aum@2"],
            "el2n@2",
            ["aum@2", "least-aum@2"],
        ),
        (
            Task::MultiLabel,
            &["el2n@2", "mean-margin@2", "least-margin@2"],
            "el2n@2",
            ["mean-margin@2", "least-margin@2"],
        ),
        (
            Task::Regression,
            &["error-norm@2", "mean-error@2", "error-std@2", "loss@2"],
            "mean-error@2",
            ["error-std@2", "mean-error@2"],
        ),
        (
            Task::Loss,
            &["loss@1", "loss@2", "mean-loss@2", "loss-std@2"],
            "mean-loss@2",
            ["loss-std@2", "mean-loss@2"],
        ),
        // One score alone is beside itself.
        (Task::Loss, &["loss@2"], "loss@2", ["loss@2", "loss@2"]),
    ] {
        let folder = of_task(task, scores, Vec::new());
        let info = ask(&folder.explorer(), "api/info", "");
        assert_eq!((&info["task"], &info["by"]), (&json!(task.name()), &json!(by)));
        assert_eq!(json!([info["x"], info["y"]]), json!(map), "{task}");
        assert_eq!((&info["labelled"], &info["worst"]), (&json!(false), &Value::Null), "{task}");
        // Hardest first: of margins the lowest.
        let order = wholes(&bytes(&folder.explorer(), "api/order", &format!("name={}", map[1])));
        let hardest = if map[1].starts_with("least") { [0, 1, 2] } else { [2, 1, 0] };
        assert_eq!(order, hardest, "{}", map[1]);
    }
    // What a score means is what the task reads it as.
    let folder = of_task(Task::Tokens, &["loss@2"], Vec::new());
    let info = ask(&folder.explorer(), "api/info", "");
    assert!(
        info["columns"][1]["formula"].as_str().unwrap().starts_with("mean over labelled tokens")
    );
}

#[test]
fn of_several_labels_the_worst_stands_for_the_class() {
    let labels = ["dog", "dog", "cat"].map(str::to_owned).to_vec();
    let more = vec![
        ("least-aum-label@2", Column::Text(labels)),
        ("least-aum-given@2", Column::U32(vec![0, 0, 1])),
    ];
    let folder = of_task(Task::MultiLabel, &["el2n@2", "least-aum@2"], more);
    let explorer = folder.explorer();
    let info = ask(&explorer, "api/info", "");
    // Margins of −1, 0 and 1.
    assert_eq!(info["worst"], json!(["not dog", "dog", "cat"]));
    assert_eq!(wholes(&bytes(&explorer, "api/worst", "predicted=false")), [0, 0, 2]);
    assert_eq!(wholes(&bytes(&explorer, "api/worst", "predicted=true")), [1, 0, 2]);
    let other = of_task(Task::Regression, &["mean-error@2"], Vec::new());
    assert_eq!(other.explorer().answer(false, "api/worst", "predicted=true", b"").status, 404);
}

#[test]
fn a_token_is_shown_between_the_others_of_its_text() {
    let more = vec![
        ("example", Column::U32(vec![7, 7, 8])),
        ("position", Column::U32(vec![1, 0, 0])),
        (datadiet_table::TOKEN, Column::Text(["Rome", "in", "<b>"].map(str::to_owned).to_vec())),
    ];
    let folder = of_task(Task::Tokens, &["mean-loss@2", "loss@2"], more);
    let explorer = folder.explorer();
    let info = ask(&explorer, "api/info", "");
    assert_eq!((&info["contents"], &info["x"]), (&json!("texts"), &json!("loss@2")));
    let found = ask(&explorer, "api/rows", "rows=0,1,2");
    let texts: Vec<&str> =
        found.as_array().unwrap().iter().map(|row| row["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["in ⟦Rome⟧", "⟦in⟧ Rome", "⟦<b>⟧"]);
}

#[test]
fn what_somebody_did_last_is_known_after_a_restart() {
    let folder = Folder::new(table(60, &names(4), None));
    let mark = |explorer: &Explorer, row: u32, mark: &str| {
        let body = json!({ "rows": [row], "mark": mark }).to_string();
        let answer = explorer.answer(true, "api/mark", "since=0", body.as_bytes());
        serde_json::from_slice::<Value>(&answer.body).unwrap()["more"]["acts"][0].clone()
    };
    let explorer = folder.explorer();
    assert!(ask(&explorer, "api/marks", "since=0")["last"].is_null());
    let first = mark(&explorer, 3, "keep");
    let second = mark(&explorer, 3, "drop");
    let options = folder.options(Source::Table);
    let bob = Explorer::open(Options { who: "bob".into(), ..options }).unwrap();
    let of_bob = mark(&bob, 9, "unsure");
    let told = format!(
        "2 examples are marked already in {}, the last by bob at 20",
        folder.marks().display()
    );
    assert!(folder.explorer().notes().iter().any(|note| note.starts_with(&told)));
    // A file that does not say of which data set its marks are may be of another one, by its numbers.
    let unsaid = folder.marks().with_file_name("unsaid.jsonl");
    let acts = std::fs::read_to_string(folder.marks()).unwrap();
    let act = acts.lines().last().unwrap();
    std::fs::write(&unsaid, format!("{}\n{act}\n", json!({ "marks": 1 }))).unwrap();
    let options = Options { marks: Some(unsaid), ..folder.options(Source::Table) };
    let notes = Explorer::open(options).unwrap().notes();
    let told = "does not say of which data set its marks are";
    assert!(notes.iter().any(|note| note.contains(told)), "{notes:?}");
    assert!(!folder.explorer().notes().iter().any(|note| note.contains(told)));
    // As a page that is loaded again, of a server that was started again, asks.
    let again = folder.explorer();
    assert_eq!(ask(&again, "api/marks", "since=0")["last"], second);
    assert_eq!(ask(&bob, "api/marks", "since=0")["last"], of_bob);
    let undo = |act: &Value| {
        let body = json!({ "acts": [act] }).to_string();
        let answer = again.answer(true, "api/undo", "since=0", body.as_bytes());
        serde_json::from_slice::<Value>(&answer.body).unwrap()
    };
    let found = undo(&second);
    assert_eq!((&found["last"], &found["more"]["undone"]), (&first, &json!(1)));
    assert_eq!(found["marks"], json!([3, 4]), "3 is kept again, and bob is unsure of 9");
    let found = undo(&first);
    assert_eq!((&found["last"], &found["marks"]), (&Value::Null, &json!([0, 4])));
}
