//! `datadiet export` and `datadiet marks` with an imported data set. What other programs make of the files is tested with
//! these, in python/tests/test_exchange.py.

use datadiet_table::{Column, ScoreTable, Table};
use serde_json::{Value, json};

use crate::support::{Home, errors};

fn read(home: &Home, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(home.path().join(file)).unwrap()).unwrap()
}

/// The classes of the data set, and what each row is labelled as.
fn labelled(home: &Home) -> (Vec<String>, Vec<u32>) {
    let table = ScoreTable::read(&home.path().join("out")).unwrap();
    (table.classes().unwrap(), table.columns().integers("label").unwrap().to_vec())
}

#[test]
fn label_studio_gets_pictures_of_the_data_set_and_gives_labels_back() {
    let home = Home::scored();
    let answer = home.json(&["export", "out", "--to", "label-studio", "--out", "tasks", "-n", "5"]);
    assert_eq!(answer, json!({ "written": "tasks", "examples": 5 }));
    let mut tasks = read(&home, "tasks/tasks.json");
    let (classes, labels) = labelled(&home);
    let config = std::fs::read_to_string(home.path().join("tasks/config.xml")).unwrap();
    assert!(classes.iter().all(|class| config.contains(&format!("value=\"{class}\""))), "{config}");
    assert_eq!(read(&home, "tasks/card.json")["card"]["data"]["name"], "sample");
    let suspects = home.json(&["suspects", "out", "-n", "5"]);
    for (task, suspect) in
        tasks.as_array().unwrap().iter().zip(suspects["suspects"].as_array().unwrap())
    {
        let data = &task["data"];
        assert_eq!(data["key"], suspect["id"].to_string());
        assert_eq!(
            (&data["label"], &data["predicted"]),
            (&suspect["class"], &suspect["predicted"])
        );
        let picture =
            data["image"].as_str().unwrap().strip_prefix("/data/local-files/?d=").unwrap();
        let bytes = std::fs::read(home.path().join("tasks").join(picture)).unwrap();
        assert_eq!(&bytes[1..4], b"PNG");
    }
    // Two people look at the first task, and one at the second.
    let row: usize = tasks[0]["data"]["key"].as_str().unwrap().parse().unwrap();
    let right = (labels[row] + 1) % 10;
    let said = |name: &str, choice: &str, by: &str, second: u32| {
        json!({
            "completed_by": { "email": by }, "updated_at": format!("2026-11-01T10:00:0{second}Z"),
            "result": [{ "from_name": name, "type": "choices", "value": { "choices": [choice] } }],
        })
    };
    let given = &classes[labels[row] as usize];
    let first = [said("label", given, "bob", 1), said("label", &classes[right as usize], "ann", 2)];
    tasks[0]["annotations"] = json!(first);
    tasks[1]["annotations"] = json!([said("mark", "drop", "ann", 3)]);
    for task in &mut tasks.as_array_mut().unwrap()[2..] {
        task["annotations"] = json!([]);
    }
    std::fs::write(home.path().join("back.json"), tasks.to_string()).unwrap();
    let marks = ["marks", "back.json", "--from", "label-studio", "--scores", "out"];
    let output = home.command(&[&marks[..], &["--json"]].concat()).output().unwrap();
    assert!(errors(&output).contains("different things of 1 examples"), "{}", errors(&output));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["marks"], "out/marks.jsonl");
    assert_eq!(
        (&answer["wrong"], &answer["keep"], &answer["drop"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!((&answer["silent"], &answer["disputed"]), (&json!(3), &json!(1)));
    assert_eq!(home.json(&marks)["known"], 3);
    // As labels, the later answer.
    let noise =
        ["noise", "--data", "sample", "--from", "out/marks.jsonl", "--out", "right.parquet"];
    assert_eq!(home.json(&noise)["changed"], 1);
    let corrected = Table::read(&home.path().join("right.parquet")).unwrap();
    assert_eq!(corrected.integers("label").unwrap()[row], right);
    assert!(home.fails(&[&marks[..], &["--as", "ann"]].concat()).contains("leave out --as"));
}

#[test]
fn a_subset_goes_as_shards_and_as_a_data_set_of_fiftyone() {
    let home = Home::scored();
    home.ok(&["select", "out", "--keep", "0.01", "--allow-empty-class", "--out", "few.json"]);
    let subset = read(&home, "few.json");
    let ids: Vec<u64> =
        subset["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    let (_, labels) = labelled(&home);
    home.ok(&[
        "export",
        "out",
        "--to",
        "webdataset",
        "--subset",
        "few.json",
        "--out",
        "shards",
        "-n",
        "1",
    ]);
    let shard = std::fs::File::open(home.path().join("shards/shard-000000.tar")).unwrap();
    let mut names = Vec::new();
    for entry in tar::Archive::new(shard).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().display().to_string();
        if name.ends_with(".cls") {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
            let id: usize = name.strip_suffix(".cls").unwrap().parse().unwrap();
            assert_eq!(text, labels[id].to_string());
        }
        names.push(name);
    }
    let expected: Vec<String> = ids
        .iter()
        .flat_map(|id| ["png", "cls", "json"].map(|end| format!("{id:06}.{end}")))
        .collect();
    assert_eq!(names, expected);
    // These are shards like those of anybody.
    let again = [
        "export",
        "out",
        "--to",
        "webdataset",
        "--from",
        "shards/shard-{000000..000000}.tar",
        "-n",
        "3",
    ];
    let message = home.fails(&[&again[..], &["--only", "all", "--out", "no"]].concat());
    assert!(message.contains("examples are in none of the shards"), "{message}");

    let options = ["--subset", "few.json", "--out", "fo", "-n", "2", "--only", "dropped"];
    let answer = home.json(&[&["export", "out", "--to", "fiftyone"][..], &options].concat());
    assert_eq!(answer["examples"], labels.len() - ids.len());
    let samples = read(&home, "fo/samples.json");
    let samples = samples["samples"].as_array().unwrap();
    assert!(samples.iter().all(|one| one["tags"].as_array().unwrap().contains(&json!("dropped"))));
    assert!(home.path().join("fo").join(samples[0]["filepath"].as_str().unwrap()).is_file());
}

/// A table whose classes are those of the data set, numbered from the other end.
fn numbered_otherwise(home: &Home) -> (Vec<String>, Vec<u32>) {
    let (classes, labels) = labelled(home);
    let last = classes.len() as u32 - 1;
    let own: Vec<u32> = labels.iter().map(|&label| last - label).collect();
    let named = labels.iter().map(|&label| classes[label as usize].clone()).collect();
    let mut table = Table::default();
    table.push("label", Column::U32(own.clone())).unwrap();
    table.push("class", Column::Text(named)).unwrap();
    table.push("aum@1", Column::F32((0..own.len()).map(|row| row as f32).collect())).unwrap();
    table.write(&home.path().join("mine.parquet")).unwrap();
    (classes.into_iter().rev().collect(), own)
}

/// `--data` says what unnamed classes are called, and no more: the table may number them otherwise.
#[test]
fn classes_are_called_as_the_table_calls_them() {
    let home = Home::scored();
    let (classes, labels) = numbered_otherwise(&home);
    let export = ["export", "mine.parquet", "--to", "csv", "--out", "mine.csv", "-n", "1"];
    home.ok(&[&export[..], &["--data", "sample"]].concat());
    let mut csv = csv::Reader::from_path(home.path().join("mine.csv")).unwrap();
    for (row, record) in csv.records().enumerate() {
        assert_eq!(&record.unwrap()[1], classes[labels[row] as usize]);
    }
    for more in [&[][..], &["--data", "sample"]] {
        let marks = ["marks", "mine.csv", "--from", "csv", "--scores", "mine.parquet"];
        let answer = home.json(&[&marks[..], more].concat());
        assert_eq!((&answer["wrong"], &answer["silent"]), (&json!(0), &json!(labels.len())));
    }
    // The data set is that of the scores, or nobody knows its classes.
    let mut table = Table::default();
    table.push("label", Column::U32(vec![0, 1, 2])).unwrap();
    table.push("aum@1", Column::F32(vec![0.0, 1.0, 2.0])).unwrap();
    table.write(&home.path().join("other.parquet")).unwrap();
    std::fs::write(home.path().join("other.csv"), "id,mark\n1,drop\n").unwrap();
    let marks = ["marks", "other.csv", "--from", "csv", "--scores", "other.parquet"];
    let message = home.fails(&[&marks[..], &["--data", "sample"]].concat());
    assert!(message.contains("different data sets"), "{message}");
}

#[test]
fn pictures_and_texts_that_nothing_is_made_of_are_refused() {
    let home = Home::scored();
    let refused = |to: &str, options: &[&str]| {
        let export = ["export", "out", "--to", to, "--out", "x.json", "--only", "all", "-n", "1"];
        let message = home.fails(&[&export[..], options].concat());
        assert!(!home.path().join("x.json").exists());
        message
    };
    for (to, from) in [("coco", "instances.json"), ("webdataset", "a.tar")] {
        for given in ["--images", "--text"] {
            let message = refused(to, &["--from", from, given, "photos"]);
            assert!(message.contains("leave one out"), "{message}");
        }
    }
    for to in ["coco", "yolo", "fiftyone"] {
        let message = refused(to, &["--text", "texts.jsonl"]);
        assert!(message.contains(&format!("--to {to} is of pictures")), "{message}");
    }
}

#[test]
fn subsets_of_other_tables_are_refused() {
    let home = Home::scored();
    let export = |file: &str, text: &str| {
        std::fs::write(home.path().join(file), text).unwrap();
        home.fails(&["export", "out", "--to", "csv", "--out", "x.csv", "-n", "1", "--subset", file])
    };
    assert!(export("far.txt", "3\n4000\n").contains("the table has no example \"4000\""));
    assert!(export("twice.txt", "3\n3\n").contains("\"3\" is there more than once"));
    assert!(
        export("other.json", r#"{"fingerprint":"ab","data":"other","ids":[1]}"#)
            .contains("another data set")
    );
}
