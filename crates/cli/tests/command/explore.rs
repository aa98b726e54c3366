//! `datadiet explore`, killed and started again, and what becomes of its marks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

use datadiet_table::{Column, MarkFile, ScoreTable, Table, Verdict};
use serde_json::{Value, json};

use crate::support::Home;

/// The command while it serves.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(home: &Home, options: &[&str]) -> Self {
        Self::of(home, "out", options)
    }

    fn of(home: &Home, scores: &str, options: &[&str]) -> Self {
        let program = env!("CARGO_BIN_EXE_datadiet");
        let mut child = Command::new(program)
            .current_dir(home.path())
            .env("DATADIET_HOME", home.path())
            .args(["explore", scores, "--json", "--as", "ann"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).expect("the first line says where it is");
        Self { child, address: answer["address"].as_str().unwrap().to_owned() }
    }

    /// What it answers to a question, or to a body of JSON.
    fn ask(&self, path: &str, body: Option<Value>) -> Vec<u8> {
        let rest = self.address.strip_prefix("http://").unwrap();
        let (host, root) = rest.split_at(rest.find('/').unwrap());
        let mut stream = TcpStream::connect(host).unwrap();
        let (method, body) = match body {
            Some(body) => ("POST", body.to_string()),
            None => ("GET", String::new()),
        };
        let request = format!(
            "{method} {root}{path} HTTP/1.0\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        assert!(bytes.starts_with(b"HTTP/1.0 200"), "{path}: {}", String::from_utf8_lossy(&bytes));
        bytes[end + 4..].to_vec()
    }

    fn json(&self, path: &str, body: Option<Value>) -> Value {
        serde_json::from_slice(&self.ask(path, body)).unwrap()
    }

    /// As `kill -9` does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn marks_survive_a_kill_and_come_out_as_labels_and_subsets() {
    let home = Home::scored();
    let table = ScoreTable::read(&home.path().join("out")).unwrap();
    let rows = table.rows();
    let classes = table.classes().unwrap();
    let labels = table.columns().integers("label").unwrap().to_vec();

    let first = Serving::start(&home, &[]);
    let info = first.json("api/info", None);
    assert_eq!((&info["contents"], &info["name"]), (&json!("pictures"), &json!("sample")));
    assert_eq!(&first.ask("api/picture?row=7", None)[1..4], b"PNG");
    let right = (labels[7] + 1) % 10;
    first.json("api/mark", Some(json!({ "rows": [7], "mark": "wrong", "label": right })));
    first.json("api/mark", Some(json!({ "rows": [8, 9], "mark": "drop" })));
    first.kill();
    // As a crash in the middle of a line leaves it.
    let marks = home.path().join("out/marks.jsonl");
    let half = b"{\"at\":\"2026-01-01T00:00:00.000Z\",\"by\":\"an";
    std::fs::OpenOptions::new().append(true).open(&marks).unwrap().write_all(half).unwrap();

    let second = Serving::start(&home, &[]);
    let known = second.json("api/marks?since=0", None);
    assert_eq!(known["rows"], json!([7, 8, 9]));
    second.json("api/mark", Some(json!({ "rows": [3], "mark": "keep" })));
    second.json("api/mark", Some(json!({ "rows": [4], "mark": "wrong" })));
    second.kill();
    let (file, acts) = MarkFile::read(&marks, None).unwrap();
    assert_eq!((file.damaged, acts.len()), (1, 4));
    assert!(acts.iter().all(|act| act.by == "ann"));

    // As a subset: all but what is wrong or to be dropped.
    let answer = home.json(&["select", "out", "--marks", "out/marks.jsonl", "--out", "clean.json"]);
    assert_eq!(answer["kept"], rows - 4);
    let subset: Value =
        serde_json::from_slice(&std::fs::read(home.path().join("clean.json")).unwrap()).unwrap();
    let kept: Vec<u64> =
        subset["ids"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    let expected: Vec<u64> = (0..rows as u64).filter(|row| ![4, 7, 8, 9].contains(row)).collect();
    assert_eq!(kept, expected);
    // With those whose right class is known; and what is marked to keep is kept whatever the rule.
    let relabelled = home.json(&[
        "select",
        "out",
        "--marks",
        "out/marks.jsonl",
        "--keep-relabelled",
        "--out",
        "more.json",
    ]);
    assert_eq!(relabelled["kept"], rows - 3);
    let easiest = [
        "select",
        "out",
        "--rule",
        "hardest",
        "--count",
        "20",
        "--allow-empty-class",
        "--marks",
        "out/marks.jsonl",
        "--out",
        "few.json",
    ];
    home.json(&easiest);
    let few: Value =
        serde_json::from_slice(&std::fs::read(home.path().join("few.json")).unwrap()).unwrap();
    assert!(few["ids"].as_array().unwrap().contains(&json!(3)));

    // As labels.
    let noise = home.json(&[
        "noise",
        "--data",
        "sample",
        "--from",
        "out/marks.jsonl",
        "--out",
        "right.parquet",
    ]);
    assert_eq!(noise["changed"], 1);
    let corrected = Table::read(&home.path().join("right.parquet")).unwrap();
    let corrected = corrected.integers("label").unwrap();
    assert_eq!(corrected[7], right);
    assert_eq!(corrected[..7], labels[..7]);
    assert_eq!(acts[0].label.as_deref(), Some(classes[right as usize].as_str()));
    assert_eq!(acts[0].mark, Some(Verdict::Wrong));
}

/// The command that the page offers, run as it stands, keeps the rows that the page shows as kept.
#[test]
fn the_command_of_a_choice_keeps_what_the_page_shows() {
    let home = Home::scored();
    // A column whose hard end is the other than its name would say, with examples that have no value.
    let mut table = Table::read(&home.path().join("out/scores.parquet")).unwrap();
    let mut values = table.floats("el2n@1").unwrap().to_vec();
    values.iter_mut().step_by(7).for_each(|value| *value = f32::NAN);
    let name = "my score; it's";
    table.push(name, Column::F32(values)).unwrap();
    table.write(&home.path().join("my table.parquet")).unwrap();
    let options = ["--by", name, "--hard-is", "low", "--marks", "my marks.jsonl"];
    let serving = Serving::of(&home, "my table.parquet", &options);
    let by = "by=my%20score;%20it%27s";
    for (step, query) in [
        format!("{by}&rule=hardest&keep=0.3"),
        format!("{by}&rule=window&keep=0.5&offset=0.25&quota=proportional"),
        format!("{by}&rule=ccs&keep=0.3&cut=0.1"),
        format!("{by}&rule=random&keep=0.5&quota=balanced&seed=3"),
        "by=el2n@1&rule=easiest&keep=0.4".to_owned(),
    ]
    .iter()
    .enumerate()
    {
        let found = serving.json(&format!("api/choice?{query}"), None);
        let bits = serving.ask(&format!("api/choice?{query}&bits=true"), None);
        let words: Vec<&str> = found["command"]
            .as_array()
            .unwrap()
            .iter()
            .map(|word| word.as_str().unwrap())
            .collect();
        assert_eq!(words[0], "datadiet");
        home.ok(&words[1..]);
        let kept = Table::read(&home.path().join("kept.parquet")).unwrap();
        let expected: Vec<u32> =
            (0..1000).filter(|row| bits[*row as usize / 8] >> (row % 8) & 1 == 1).collect();
        assert_eq!(kept.integers("id").unwrap(), expected, "{words:?}");
        assert_eq!(found["kept"], expected.len());
        assert_eq!(words.contains(&"--marks"), step > 0, "{words:?}");
        // From the second on with marks.
        let rows: Vec<u32> = (0..20).map(|row| row + 20 * step as u32).collect();
        let mark = ["drop", "keep", "wrong"][step % 3];
        serving.json("api/mark", Some(json!({ "rows": rows, "mark": mark })));
    }
}

/// People mark the labels that were scored: only those are corrected, not the data set's own.
#[test]
fn marks_correct_the_labels_that_were_scored() {
    let home = Home::scored();
    let scored = Table::read(&home.path().join("out/scores.parquet")).unwrap();
    let own = scored.integers("label").unwrap().to_vec();
    let classes = 1 + *own.iter().max().unwrap();
    let others: Vec<u32> =
        own.iter().zip(0..).map(|(&own, row)| (own + u32::from(row < 5)) % classes).collect();
    let mut table = Table::default();
    table.push("id", Column::U32((0..own.len() as u32).collect())).unwrap();
    table.push("label", Column::U32(others.clone())).unwrap();
    table.push("aum@1", Column::F32(vec![0.5; own.len()])).unwrap();
    table.write(&home.path().join("mine.parquet")).unwrap();
    let name = ScoreTable::read(&home.path().join("out")).unwrap().classes().unwrap()[0].clone();
    let act = json!({ "at": "2026-01-01T00:00:00.000Z", "by": "ann", "act": "a", "mark": "wrong", "label": name,
        "ids": ["7"] });
    let head = json!({ "marks": 1, "relabelled": true });
    for file in ["mine.marks.jsonl", "elsewhere.jsonl"] {
        std::fs::write(home.path().join(file), format!("{head}\n{act}\n")).unwrap();
    }
    let from = |file: &str, more: &[&str]| {
        let mut words = vec!["noise", "--data", "sample", "--from", file, "--out", "right.parquet"];
        words.extend(more);
        let output = home.command(&words).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let mut expected = others;
    expected[7] = 0;
    for (file, more) in
        [("mine.marks.jsonl", &[][..]), ("elsewhere.jsonl", &["--scores", "mine.parquet"])]
    {
        let (done, told) = from(file, more);
        assert!(done && told.contains("differ from the data set's own in 5; 1 of them"), "{told}");
        let written = Table::read(&home.path().join("right.parquet")).unwrap();
        assert_eq!(written.integers("label").unwrap(), expected);
        assert_eq!(written.integers("original").unwrap(), own);
    }
    let (done, told) = from("elsewhere.jsonl", &[]);
    assert!(!done && told.contains("--scores"), "{told}");
    let (done, told) = from("mine.parquet", &["--scores", "mine.parquet"]);
    assert!(!done && told.contains("holds labels of its own"), "{told}");
}

/// As a notebook does it, whose kernel may be killed.
#[test]
fn attached_it_ends_with_the_program_that_started_it() {
    let home = Home::scored();
    let frame = ["--attached", "--allow-frame", "vscode-webview:"];
    let mut serving = Serving::start(&home, &frame);
    serving.json("api/mark", Some(json!({ "rows": [7], "mark": "drop" })));
    assert!(serving.child.try_wait().unwrap().is_none());
    drop(serving.child.stdin.take());
    assert!(serving.child.wait().unwrap().success());
    let (_, acts) = MarkFile::read(&home.path().join("out/marks.jsonl"), None).unwrap();
    assert_eq!(acts.len(), 1);
    assert!(home.fails(&["explore", "out", "--allow-frame", "*"]).contains("null for a page"));
}

#[test]
fn marks_of_two_people_are_merged_and_said_to_differ() {
    let home = Home::scored();
    let mark = |name: &str, row: u32, mark: &str, at: u32| {
        let line = json!({ "at": format!("2026-01-01T00:00:0{at}.000Z"), "by": name, "act": format!("{name}{row}"),
            "mark": mark, "ids": [row.to_string()] });
        std::fs::write(home.path().join(format!("{name}.jsonl")), format!("{line}\n")).unwrap();
    };
    mark("ann", 5, "drop", 1);
    mark("bob", 5, "keep", 2);
    let select = [
        "select",
        "out",
        "--marks",
        "ann.jsonl",
        "--marks",
        "bob.jsonl",
        "--out",
        "both.json",
        "--json",
    ];
    let output = home.command(&select).output().unwrap();
    let text = crate::support::errors(&output);
    assert!(output.status.success() && text.contains("different things of 1 examples"), "{text}");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["marked"]["kept"], 1, "the later one counts");
}

#[test]
fn what_does_not_fit_is_refused_with_the_next_step() {
    let home = Home::scored();
    let pictures = home.path().join("photos");
    std::fs::create_dir(&pictures).unwrap();
    let fails =
        |options: &[&str]| home.fails(&[&["explore", "out", "--no-open"], options].concat());
    assert!(fails(&["--images", "photos"]).contains("there are no pictures in it"));
    std::fs::write(home.path().join("few.txt"), "one\ntwo\n").unwrap();
    assert!(fails(&["--text", "few.txt"]).contains("2 texts and the table 1000 rows"));
    assert!(fails(&["--by", "el3n@1"]).contains("el2n"));
    assert!(fails(&["--outcome", "photos"]).contains("photos/outcome.json cannot be read"));
    std::fs::write(home.path().join("photos/outcome.json"), "{}").unwrap();
    let message = fails(&["--outcome", "photos"]);
    assert!(
        message.contains("photos/outcome.json is not the outcome of an experiment"),
        "{message}"
    );
    std::fs::write(home.path().join("few.json"), "[1, 0]").unwrap();
    assert!(fails(&["--truth", "few.json"]).contains("belong to different data sets"));
    assert!(fails(&["--truth-is", "mask"]).contains("--truth"));
    std::fs::write(home.path().join("no.jsonl"), "{}\n").unwrap();
    let message = home.fails(&["select", "out", "--marks", "no.jsonl", "--out", "x.json"]);
    assert!(message.contains("no file of marks"), "{message}");
}
