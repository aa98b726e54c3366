//! What the server answers, to whom, and that it says what the crates say that it asks.

mod common;

use common::{Folder, floats, get, names, parts, post, send, serve, table, wholes};
use datadiet_core::{Amount, Candidates, Choice, Classes, Direction, KeepFraction, Quota, Rule};
use datadiet_explore::{Answer, Explorer, Options, Place, Source};
use datadiet_table::{MarkFile, ScoreTable, Table};
use proptest::prelude::*;
use serde_json::{Value, json};

fn small() -> Folder {
    Folder::new(table(400, &names(10), None))
}

fn ask(explorer: &Explorer, path: &str, query: &str) -> Answer {
    explorer.answer(false, path, query, b"")
}

fn told(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&answer.body)))
}

#[test]
fn nobody_is_answered_without_the_token() {
    let url = serve(small().explorer());
    let (host, root) = parts(&url);
    let own = format!("Host: {host}");
    let status = |target: &str, headers: &[&str]| send(host, "GET", target, headers, b"").status;
    assert_eq!(status(root, &[&own]), 200);
    let half = &root[..root.len() - 2];
    let other = format!("/{}/", "0".repeat(32));
    for target in [
        "/",
        "/api/info",
        "//api/info",
        "/favicon.ico",
        half,
        &format!("{half}/api/info"),
        &other,
        "*",
        "/%2e%2e/",
    ] {
        let reply = send(host, "GET", target, &[&own], b"");
        assert!(reply.status == 404 || reply.status == 400, "{target}: {}", reply.status);
        assert!(!reply.text().contains("columns"), "{target}");
    }
    // And says what is missing.
    assert!(send(host, "GET", "/", &[&own], b"").text().contains("datadiet explore"));
}

#[test]
fn names_that_are_made_to_point_here_are_refused() {
    let url = serve(small().explorer());
    let (host, root) = parts(&url);
    let target = format!("{root}api/info");
    let status = |headers: &[&str]| send(host, "GET", &target, headers, b"").status;
    assert_eq!(status(&[&format!("Host: {host}")]), 200);
    // A port of ssh -L.
    assert_eq!(status(&["Host: localhost:9999"]), 200);
    for evil in
        ["Host: evil.example", "Host: 127.0.0.1.evil.example:80", "Host: localhost.evil.example"]
    {
        assert_eq!(status(&[evil]), 403, "{evil}");
    }
    assert!([400, 403].contains(&status(&[&format!("Host: {host}"), "Host: evil.example"])));
    assert!([400, 403].contains(&status(&[])));
}

#[test]
fn other_pages_are_refused_and_forms_cannot_mark() {
    let folder = small();
    let url = serve(folder.explorer());
    let (host, root) = parts(&url);
    let own = format!("Host: {host}");
    let mark = format!("{root}api/mark?since=0");
    let body = br#"{"rows":[1],"mark":"drop"}"#;
    let json = "Content-Type: application/json";
    let status = |headers: &[&str]| send(host, "POST", &mark, headers, body).status;
    assert_eq!(status(&[&own, json]), 200);
    assert_eq!(status(&[&own, json, &format!("Origin: http://{host}")]), 200);
    for other in ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost"] {
        assert_eq!(status(&[&own, json, &format!("Origin: {other}")]), 403, "{other}");
    }
    assert_eq!(status(&[&own, json, "Sec-Fetch-Site: cross-site"]), 403);
    for form in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        assert_eq!(status(&[&own, &format!("Content-Type: {form}")]), 415, "{form}");
    }
    assert_eq!(status(&[&own]), 415);
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
        assert_eq!(send(host, method, &mark, &[&own, json], body).status, 405, "{method}");
    }
    assert_eq!(send(host, "GET", &mark, &[&own], b"").status, 404, "a mark is no question");
}

#[test]
fn every_answer_has_the_policy() {
    let url = serve(small().explorer());
    for path in ["", "app.js", "api/info", "api/nothing", "api/marks.csv"] {
        let head = get(&url, path).head;
        for line in [
            "content-security-policy: default-src 'none'; script-src 'self'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(head.contains(line), "{path}: {head}");
        }
        assert!(!head.contains("access-control-allow"), "{path}");
    }
    assert!(get(&url, "api/marks.csv").head.contains("attachment"));
}

#[test]
fn a_notebook_may_frame_it_where_that_is_allowed() {
    let frames = vec!["http://localhost:8888".to_owned()];
    let server = small().explorer().bind(&Place { frames, ..Place::default() }).unwrap();
    let url = server.url();
    std::thread::spawn(move || server.run().unwrap());
    assert!(get(&url, "").head.contains("frame-ancestors http://localhost:8888;"));
    let place = Place { frames: vec!["*; script-src *".to_owned()], ..Place::default() };
    assert!(small().explorer().bind(&place).is_err());
}

#[test]
fn a_server_ends_when_it_is_told() {
    let server = small().explorer().bind(&Place::default()).unwrap();
    let (url, (tell, told)) = (server.url(), std::sync::mpsc::channel::<()>());
    let serving = std::thread::spawn(move || server.run_until(move || told.recv().unwrap()));
    // A connection that stays open does not keep it.
    let (host, _) = parts(&url);
    let open = std::net::TcpStream::connect(host).unwrap();
    assert_eq!(get(&url, "api/info").status, 200);
    tell.send(()).unwrap();
    serving.join().unwrap().unwrap();
    assert!(std::net::TcpStream::connect(host).is_err());
    drop(open);
}

#[test]
fn no_path_reaches_the_file_system() {
    let folder = small();
    std::fs::write(folder.path().join("secret.txt"), "the secret").unwrap();
    let pictures = folder.pictures();
    let explorer = Explorer::open(folder.options(Source::Folder(pictures))).unwrap();
    let url = serve(explorer);
    let (host, root) = parts(&url);
    let own = format!("Host: {host}");
    for target in [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "pictures/1.png",
        "/etc/passwd",
        "api/../../etc/passwd",
        "api/picture?row=../secret.txt",
        "api/picture?row=1&row=2",
        "api/picture?row=-1",
        "api/picture?row=400",
        "api/picture?row=1e1",
        "api/picture?path=/etc/passwd",
        "api/column?name=../secret.txt",
        "api/order?name=/etc/passwd",
        "file:///etc/passwd",
        "app.js/../Cargo.toml",
        "app.js%00.html",
    ] {
        let reply = send(host, "GET", &format!("{root}{target}"), &[&own], b"");
        assert!((400..500).contains(&reply.status), "{target}: {}", reply.status);
        assert!(!reply.text().contains("secret,") && !reply.text().contains("root:"), "{target}");
    }
    let picture = get(&url, "api/picture?row=3");
    assert_eq!((picture.status, &picture.body[1..4]), (200, &b"PNG"[..]));
    assert!(get(&url, "api/picture?row=3&large=true").head.contains("content-type: image/png"));
}

#[test]
fn columns_and_orders_are_those_of_the_table() {
    let folder = small();
    let explorer = folder.explorer();
    let table = &folder.table;
    let el2n = floats(&ask(&explorer, "api/column", "name=el2n@4").body);
    assert_eq!(el2n, table.columns().floats("el2n@4").unwrap());
    let labels = wholes(&ask(&explorer, "api/column", "name=label").body);
    assert_eq!(labels, table.columns().integers("label").unwrap());
    for by in ["el2n@4", "aum@2", "el2n@4%2Baum@4", "aum@end"] {
        let order = wholes(&ask(&explorer, "api/order", &format!("name={by}")).body);
        let ranking = table.ranking(&by.replace("%2B", "+"), None).unwrap();
        let expected: Vec<u32> =
            ranking.hardest_first(&table.ids()).unwrap().into_iter().map(|row| row.0).collect();
        assert_eq!(order, expected, "{by}");
    }
    let by_label = wholes(&ask(&explorer, "api/order", "name=label").body);
    let labels = by_label.iter().map(|&row| labels[row as usize]);
    assert!(labels.is_sorted());
    for missing in ["api/column", "api/order"] {
        let answer = ask(&explorer, missing, "name=nothing");
        assert!((400..500).contains(&answer.status), "{missing}");
    }
}

#[test]
fn the_hard_end_that_is_named_holds_for_the_latest_time_too() {
    let folder = small();
    for by in ["el2n@4", "el2n@end"] {
        let options = Options {
            by: Some(by.into()),
            hard: Some(Direction::LowerIsHarder),
            ..folder.options(Source::Table)
        };
        let explorer = Explorer::open(options).unwrap();
        let info = told(&ask(&explorer, "api/info", ""));
        let columns = info["columns"].as_array().unwrap();
        let column = columns.iter().find(|column| column["name"] == "el2n@4").unwrap();
        assert_eq!((&info["by"], &column["hard"]), (&json!("el2n@4"), &json!("low")), "{by}");
        let ranking = folder.table.ranking("el2n@4", Some(Direction::LowerIsHarder)).unwrap();
        let expected = ranking.hardest_first(&folder.table.ids()).unwrap();
        let order = wholes(&ask(&explorer, "api/order", "name=el2n@4").body);
        assert_eq!(order, expected.iter().map(|row| row.0).collect::<Vec<_>>(), "{by}");
    }
}

#[test]
fn an_example_knows_its_rank_its_neighbours_and_its_past() {
    let folder = small();
    let explorer = folder.explorer();
    let table = &folder.table;
    let ranking = table.ranking("el2n@4", None).unwrap();
    let order = ranking.hardest_first(&table.ids()).unwrap();
    let row = order[9].0;
    let found = told(&ask(&explorer, "api/example", &format!("row={row}&by=el2n@4")));
    let el2n =
        found["scores"].as_array().unwrap().iter().find(|score| score["name"] == "el2n@4").unwrap();
    assert_eq!((el2n["rank"].as_u64(), el2n["of"].as_u64()), (Some(10), Some(400)));
    assert_eq!(
        el2n["value"].as_f64().map(|value| value as f32),
        Some(ranking.values[row as usize])
    );
    let neighbours: Vec<u32> = found["neighbours"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_u64().unwrap() as u32)
        .collect();
    assert_eq!(neighbours, order[3..16].iter().map(|row| row.0).collect::<Vec<_>>());
    let tracks = found["tracks"].as_array().unwrap();
    let track = tracks.iter().find(|track| track["score"] == "el2n").unwrap();
    let times: Vec<f64> = track["points"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| point[0].as_f64().unwrap())
        .collect();
    assert_eq!(times, common::TIMES);
    let error = table.columns().floats("el2n@4.se").unwrap()[row as usize];
    assert_eq!(track["points"][2][2].as_f64().map(|value| value as f32), Some(error));
}

#[test]
fn suspects_are_those_of_the_command() {
    let folder = small();
    let explorer = folder.explorer();
    let found = told(&ask(&explorer, "api/suspects", ""));
    let ranking = folder.table.ranking("aum@4", None).unwrap();
    let count = folder.table.wrong_labels(&ranking).unwrap();
    assert_eq!(found["sentence"], count.to_string());
    let suspects = count.estimate.expect("two groups are told apart").suspects;
    let rows: Vec<u32> =
        found["rows"].as_array().unwrap().iter().map(|row| row.as_u64().unwrap() as u32).collect();
    let expected = ranking.hardest_first(&folder.table.ids()).unwrap();
    assert_eq!(rows, expected[..suspects].iter().map(|row| row.0).collect::<Vec<_>>());
}

/// Where nothing tells at the time of the list, a column of another time does.
#[test]
fn suspects_are_those_of_the_command_whatever_time_tells() {
    let full = table(1000, &names(10), None);
    let mut some = Table::default();
    for (name, of) in [
        ("id", "id"),
        ("label", "label"),
        ("margin-of-mean@4", "aum@4"),
        ("confidence@1", "confidence@1"),
        ("predicted@1", "predicted@1"),
    ] {
        some.push(name, full.columns().column(of).unwrap().clone()).unwrap();
    }
    let folder = Folder::new(ScoreTable::of(some).unwrap());
    let count = folder.table.wrong_labels(&folder.table.ranking("margin-of-mean@4", None).unwrap());
    let count = count.unwrap();
    assert_eq!(count.column.as_deref(), Some("confidence@1"));
    let found = told(&ask(&folder.explorer(), "api/suspects", ""));
    let suspects = count.estimate.as_ref().map_or(0, |estimate| estimate.suspects);
    assert_eq!(found["sentence"], count.to_string());
    assert_eq!(found["rows"].as_array().unwrap().len(), suspects);
}

/// The command that goes with it is run in the tests of the command.
#[test]
fn a_choice_keeps_what_its_rule_says() {
    let folder = small();
    let explorer = folder.explorer();
    let table = &folder.table;
    let labels = table.columns().integers("label").unwrap();
    for (query, keep, rule, quota) in [
        ("rule=hardest", 0.2, Rule::Hardest, Quota::None),
        ("rule=window&offset=0.25", 0.5, Rule::Window { offset: 0.25 }, Quota::None),
        ("rule=random&quota=balanced", 0.5, Rule::Random, Quota::Balanced),
        ("rule=ccs&cut=0.1", 0.3, Rule::Ccs { cut: 0.1, strata: Rule::STRATA }, Quota::None),
    ] {
        let query = format!("by=el2n@4&keep={keep}&{query}");
        let found = told(&ask(&explorer, "api/choice", &query));
        let bits = ask(&explorer, "api/choice", &format!("{query}&bits=true")).body;
        let ranking = table.ranking("el2n@4", None).unwrap();
        let amount = Amount::Fraction(KeepFraction::try_from(keep).unwrap());
        let choice = Choice { rule, amount, quota, seed: 0 };
        let classes = Some(Classes { labels, count: 10 });
        let chosen = choice.among(Candidates::All(400), Some(ranking.scores()), classes).unwrap();
        let kept: Vec<u32> =
            (0..400).filter(|row| bits[*row as usize / 8] >> (row % 8) & 1 == 1).collect();
        assert_eq!(kept, chosen.ids.iter().map(|id| id.0).collect::<Vec<_>>(), "{query}");
        assert_eq!(found["kept"], kept.len());
        let shares: Vec<_> =
            chosen.shares.iter().map(|share| json!([share.class, share.kept, share.of])).collect();
        assert_eq!(found["shares"], json!(shares));
    }
    // What research says of so few.
    let found = told(&ask(&explorer, "api/choice", "by=el2n@4&rule=hardest&keep=0.1"));
    assert!(found["cautions"].to_string().contains("usually worse than a random choice"));
    for wrong in [
        "rule=hardest&keep=0",
        "rule=hardest&keep=2",
        "rule=hardest&keep=x",
        "rule=none&keep=0.5",
        "keep=0.5",
        "rule=window&keep=0.9&offset=0.5",
        "rule=hardest&keep=0.5&by=nothing",
        "rule=hardest&keep=NaN",
    ] {
        assert_eq!(ask(&explorer, "api/choice", wrong).status, 400, "{wrong}");
    }
}

#[test]
fn marks_are_saved_at_once_shared_and_undone() {
    let folder = small();
    let (one, two) = (serve(folder.explorer()), serve(folder.explorer()));
    let reply =
        post(&one, "api/mark?since=0", &json!({ "rows": [3, 5], "mark": "wrong", "label": 2 }));
    let news = reply.json();
    assert_eq!(
        (&news["rows"], &news["marks"], &news["labels"]),
        (&json!([3, 5]), &json!([1, 1]), &json!([2, 2]))
    );
    let act = news["more"]["acts"][0].as_str().unwrap().to_owned();
    // On the disk, with who and when.
    let (_, acts) = MarkFile::read(&folder.marks(), None).unwrap();
    assert_eq!(
        (acts[0].by.as_str(), acts[0].label.as_deref(), acts[0].ids.len()),
        ("ann", Some("cross"), 2)
    );
    // In another window, which then says something else of one of them.
    assert_eq!(get(&two, "api/marks?since=0").json()["rows"], json!([3, 5]));
    let other = post(&two, "api/mark?since=0", &json!({ "rows": [5], "mark": "keep" })).json();
    let since = news["version"].as_u64().unwrap();
    let seen = get(&one, &format!("api/marks?since={since}")).json();
    assert_eq!((&seen["rows"], &seen["marks"]), (&json!([5]), &json!([3])));
    let undone = post(&one, &format!("api/undo?since={since}"), &json!({ "acts": [act] })).json();
    assert_eq!((&undone["more"]["undone"], &undone["more"]["others"]), (&json!(1), &json!(1)));
    let all = get(&two, &format!("api/marks?since={}", other["version"])).json();
    assert_eq!((&all["rows"], &all["marks"]), (&json!([3]), &json!([0])));
    // A new server, as after a crash, knows the same.
    let again = get(&serve(folder.explorer()), "api/marks?since=0").json();
    assert_eq!((&again["rows"], &again["marks"]), (&json!([3, 5]), &json!([0, 3])));
    for wrong in [
        json!({ "rows": [] , "mark": "drop" }),
        json!({ "rows": [400], "mark": "drop" }),
        json!({ "rows": [1], "mark": "burn" }),
        json!({ "rows": [1], "mark": "wrong", "label": 10 }),
        json!({ "rows": [1], "mark": "drop", "label": 1 }),
        json!([]),
        json!({ "rows": [1], "mark": "drop", "path": "/etc/passwd" }),
        json!({ "rows": ["1"], "mark": "drop" }),
    ] {
        let status = post(&one, "api/mark?since=0", &wrong).status;
        assert!((400..500).contains(&status), "{wrong}: {status}");
    }
    assert_eq!(post(&one, "api/undo", &json!({ "acts": ["nothing"] })).status, 404);
}

#[test]
fn marks_are_those_of_the_file_that_is_there() {
    let folder = small();
    let explorer = folder.explorer();
    let mark = |body: Value| explorer.answer(true, "api/mark", "", body.to_string().as_bytes());
    assert_eq!(mark(json!({ "rows": [3], "mark": "drop" })).status, 200);
    let since = |version: &Value| told(&ask(&explorer, "api/marks", &format!("since={version}")));
    let first = since(&json!(0));
    // Merged elsewhere, without ours, and put in its place.
    let line = |row: u32, mark: &str| {
        let act = json!({ "at": "2026-01-01T00:00:00.000Z", "by": "bob", "act": row.to_string(), "mark": mark,
            "ids": [row.to_string()] });
        format!("{act}\n")
    };
    let merged = folder.path().join("merged");
    std::fs::write(&merged, (5..9).map(|row| line(row, "keep")).collect::<String>()).unwrap();
    std::fs::rename(&merged, folder.marks()).unwrap();
    let second = since(&first["version"]);
    assert_eq!(
        (&second["rows"], &second["marks"]),
        (&json!([3, 5, 6, 7, 8]), &json!([0, 3, 3, 3, 3]))
    );
    std::fs::remove_file(folder.marks()).unwrap();
    let third = since(&second["version"]);
    assert_eq!((&third["rows"], &third["marks"]), (&json!([5, 6, 7, 8]), &json!([0, 0, 0, 0])));
    // What is marked then is in a new file, which says of which data set it is.
    assert_eq!(mark(json!({ "rows": [4], "mark": "drop" })).status, 200);
    let data = folder.table.card().and_then(|card| card.data.as_ref());
    let (file, acts) = MarkFile::read(&folder.marks(), data).unwrap();
    assert_eq!((acts.len(), file.assumption(folder.table.own_ids().unwrap())), (1, None));
}

#[test]
fn several_get_a_right_class_each_and_are_undone_together() {
    let folder = small();
    let url = serve(folder.explorer());
    let asked = json!({ "rows": [9, 3, 5], "mark": "wrong", "labels": [4, 2, 4] });
    let news = post(&url, "api/mark?since=0", &asked).json();
    assert_eq!((&news["rows"], &news["labels"]), (&json!([3, 5, 9]), &json!([2, 4, 4])));
    let acts = &news["more"]["acts"];
    assert_eq!(acts.as_array().unwrap().len(), 2);
    for wrong in [
        json!({ "rows": [1, 2], "mark": "wrong", "labels": [1] }),
        json!({ "rows": [1], "mark": "wrong", "label": 1, "labels": [1] }),
        json!({ "rows": [1], "mark": "drop", "labels": [1] }),
        json!({ "rows": [1], "mark": "wrong", "labels": [10] }),
    ] {
        let status = post(&url, "api/mark?since=0", &wrong).status;
        assert!((400..500).contains(&status), "{wrong}: {status}");
    }
    let found = post(&url, "api/undo?since=0", &json!({ "acts": acts })).json();
    assert_eq!((&found["more"]["undone"], &found["marks"]), (&json!(3), &json!([0, 0, 0])));
    assert_eq!((&found["more"]["row"], &found["more"]["id"]), (&json!(3), &json!("3")));
}

#[test]
fn a_choice_counts_the_marks_in() {
    let folder = small();
    let explorer = folder.explorer();
    let mark = |body: Value| explorer.answer(true, "api/mark", "", body.to_string().as_bytes());
    let query = "by=el2n@4&rule=hardest&keep=0.5";
    let hardest = told(&ask(&explorer, "api/choice", query));
    assert_eq!((&hardest["kept"], &hardest["marked"]), (&json!(200), &Value::Null));
    let order = wholes(&ask(&explorer, "api/order", "name=el2n@4").body);
    let (wrong, easiest) = (&order[..10], order[399]);
    assert_eq!(mark(json!({ "rows": wrong, "mark": "wrong" })).status, 200);
    assert_eq!(mark(json!({ "rows": [easiest], "mark": "keep" })).status, 200);
    let found = told(&ask(&explorer, "api/choice", query));
    assert_eq!((&found["kept"], &found["of"]), (&json!(196), &json!(390)));
    assert!(found["marked"].as_str().unwrap().contains("10 wrong"), "{found}");
    let bits = ask(&explorer, "api/choice", &format!("{query}&bits=true")).body;
    let is_kept = |row: u32| bits[row as usize / 8] >> (row % 8) & 1 == 1;
    assert!(is_kept(easiest) && !wrong.iter().any(|&row| is_kept(row)));
}

#[test]
fn marks_come_out_as_labels() {
    let folder = small();
    let explorer = folder.explorer();
    let mark = |body: Value| explorer.answer(true, "api/mark", "", body.to_string().as_bytes());
    assert_eq!(mark(json!({ "rows": [1], "mark": "wrong", "label": 7 })).status, 200);
    assert_eq!(mark(json!({ "rows": [2], "mark": "drop" })).status, 200);
    let csv = String::from_utf8(ask(&explorer, "api/labels.csv", "").body).unwrap();
    let labels = folder.table.columns().integers("label").unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 401);
    assert_eq!(lines[0], "id,label,class,original,mark");
    assert_eq!(lines[2], format!("1,7,star,{},wrong", labels[1]));
    assert_eq!(lines[3], format!("2,{0},{1},{0},drop", labels[2], names(10)[labels[2] as usize]));
    // The file is one of labels for the command.
    let path = folder.path().join("labels.csv");
    std::fs::write(&path, &csv).unwrap();
    let read = datadiet_table::ListFile::read(&path, "labels").unwrap().labels().unwrap();
    assert_eq!((read.len(), read[1]), (400, 7));
    let csv = String::from_utf8(ask(&explorer, "api/marks.csv", "").body).unwrap();
    assert!(csv.lines().nth(1).unwrap().starts_with("1,wrong,star,ann,20"), "{csv}");
}

#[test]
fn a_right_class_that_the_table_does_not_have_is_no_label() {
    let folder = small();
    let act = json!({ "at": "2026-01-01T00:00:00.000Z", "by": "=ann", "act": "1", "mark": "wrong", "label": "-owl",
        "ids": ["1"] });
    std::fs::write(folder.marks(), format!("{act}\n")).unwrap();
    let explorer = folder.explorer();
    let answer = ask(&explorer, "api/labels.csv", "");
    let told = String::from_utf8(answer.body).unwrap();
    assert_eq!(answer.status, 400, "{told}");
    assert!(told.contains("right class of 1 is said to be -owl"), "{told}");
    // What was said is told as it was, and no spreadsheet takes it for a formula.
    let csv = String::from_utf8(ask(&explorer, "api/marks.csv", "").body).unwrap();
    assert_eq!(csv.lines().nth(1), Some("1,wrong,'-owl,'=ann,2026-01-01T00:00:00.000Z"));
}

/// Markup, scripts, other directions of writing, length, line breaks.
fn hostile() -> Vec<String> {
    vec![
        "<img src=x onerror=\"document.title='hurt'\">".into(),
        "</script><script>document.title='hurt'</script>".into(),
        "\u{202e}txt.elpmaxe\u{2066}".into(),
        "שלום עולם".into(),
        "x".repeat(100_000),
        "a\nb\r\n\t\0c".into(),
        "=cmd|' /C calc'!A0".into(),
        "\"quoted\", 'and' `more` ${x} {{y}}".into(),
        "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧‍👦".into(),
        " ".into(),
    ]
}

#[test]
fn hostile_names_stay_text_and_long_ones_become_short() {
    let classes = hostile();
    let keys: Vec<String> = (0..400).map(|row| format!("{}{row}", classes[row % 10])).collect();
    let folder = Folder::new(table(400, &classes, Some(keys.clone())));
    let explorer = folder.explorer();
    let info = ask(&explorer, "api/info", "");
    assert!(info.body.len() < 100_000, "{}", info.body.len());
    let told_classes = &told(&info)["classes"];
    assert_eq!(told_classes[0], classes[0]);
    assert!(told_classes[4].as_str().unwrap().chars().count() < 300);
    let rows: Vec<String> = (0..400).map(|row| row.to_string()).collect();
    let found = told(&ask(&explorer, "api/rows", &format!("rows={}", rows.join(","))));
    assert_eq!(found[0]["id"], keys[0]);
    // An id of any kind is found, marked, and read back.
    for row in [0, 2, 3, 4, 5, 8] {
        let body = json!({ "rows": [row], "mark": "wrong", "label": 3 }).to_string();
        assert_eq!(explorer.answer(true, "api/mark", "", body.as_bytes()).status, 200);
    }
    let again = folder.explorer();
    let marks = told(&ask(&again, "api/marks", "since=0"));
    assert_eq!(marks["rows"], json!([0, 2, 3, 4, 5, 8]));
    let csv = ask(&again, "api/labels.csv", "").body;
    let path = folder.path().join("labels.csv");
    std::fs::write(&path, csv).unwrap();
    assert!(std::fs::metadata(&path).unwrap().len() > 100_000);
    let mut csv = csv::Reader::from_path(&path).unwrap();
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 400);
    assert_eq!(rows[6][0], format!("'{}", keys[6]), "a formula is none");
}

#[test]
fn ten_thousand_classes_are_some() {
    let folder = Folder::new(table(30_000, &names(10_000), None));
    let explorer = folder.explorer();
    assert_eq!(told(&ask(&explorer, "api/info", ""))["classes"].as_array().unwrap().len(), 10_000);
    let shares = told(&ask(&explorer, "api/choice", "by=el2n@4&rule=hardest&keep=0.5"));
    assert_eq!(shares["shares"].as_array().unwrap().len(), 10_000);
}

#[test]
fn marks_of_another_table_are_refused() {
    let folder = small();
    let line = r#"{"marks":1,"data":{"name":"other","fingerprint":"cd","limit":null}}"#;
    std::fs::write(folder.marks(), format!("{line}\n")).unwrap();
    let Err(error) = Explorer::open(folder.options(Source::Table)) else { panic!("it was opened") };
    assert!(error.to_string().contains("another data set"), "{error}");
    let act =
        r#"{"at":"2026-01-01T00:00:00.000Z","by":"x","act":"1","mark":"drop","ids":["nobody"]}"#;
    std::fs::write(folder.marks(), format!("{act}\n")).unwrap();
    let Err(error) = Explorer::open(folder.options(Source::Table)) else { panic!("it was opened") };
    assert!(error.to_string().contains("marks no example of this table"), "{error}");
}

/// A piece of a path, a query or a body, likely or not.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "api/info",
            "api/column",
            "api/order",
            "api/rows",
            "api/picture",
            "api/example",
            "api/find",
            "api/choice",
            "api/marks",
            "api/mark",
            "api/undo",
            "api/labels.csv",
            "api/suspects",
            "api/truth",
            "api/worst",
            "predicted",
            "app.js",
            "",
            "name",
            "row",
            "rows",
            "id",
            "by",
            "rule",
            "keep",
            "offset",
            "since",
            "bits",
            "quota",
            "el2n@4",
            "label",
            "class",
            "hardest",
            "window",
            "0.5",
            "1e309",
            "-1",
            "NaN",
            "4294967295",
            "18446744073709551615",
            "true",
            "=",
            "&",
            "+",
            "%",
            "%00",
            "%ff",
            ",",
            "/",
            "..",
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            "null",
            "\"rows\"",
            "\"mark\"",
            "\"drop\"",
            "\"wrong\"",
            "\"label\"",
            "\"act\"",
            "el2n@4+aum@4",
            "+++",
            "el2n@end",
            "balanced",
            "ccs",
            "cut",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,8}",
        any::<u32>().prop_map(|number| number.to_string()),
    ]
}

fn pieces() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..8).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_request_is_more_than_refused() {
    let folder = Folder::new(table(60, &names(4), None));
    let explorer = folder.explorer();
    let asked = |post: bool, path: &str, query: &str, body: &[u8]| {
        let answer = explorer.answer(post, path, query, body);
        prop_assert!(
            answer.status < 500,
            "{path}?{query} {:?}: {} {}",
            body,
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(())
    };
    let known = prop::sample::select(vec![
        "api/column",
        "api/order",
        "api/rows",
        "api/picture",
        "api/example",
        "api/find",
        "api/choice",
        "api/marks",
        "api/mark",
        "api/undo",
        "api/worst",
    ]);
    let keys = prop::sample::select(vec![
        "name",
        "row",
        "rows",
        "id",
        "by",
        "rule",
        "keep",
        "offset",
        "cut",
        "quota",
        "seed",
        "since",
        "bits",
        "large",
        "predicted",
    ]);
    let pairs = prop::collection::vec((keys, pieces()), 0..5);
    let pairs = pairs.prop_map(|pairs| {
        pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("&")
    });
    let query = prop_oneof![pairs, pieces()];
    let path = prop_oneof![3 => known.prop_map(str::to_owned), 1 => pieces()];
    let body = prop_oneof![
        pieces().prop_map(String::into_bytes),
        prop::collection::vec(any::<u8>(), 0..40)
    ];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 3000,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    runner
        .run(&(any::<bool>(), path, query, body), |(post, path, query, body)| {
            asked(post, &path, &query, &body)
        })
        .unwrap();
}

#[test]
fn bytes_that_are_no_request_end_nothing() {
    use std::io::{Read, Write};
    let url = serve(small().explorer());
    let (host, root) = parts(&url);
    for junk in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        format!("GET {root} HTTP/1.1\r\nHost: {host}\r\nContent-Length: -5\r\n\r\n").as_bytes(),
        format!("GET /{} HTTP/1.1\r\nHost: {host}\r\n\r\n", "a".repeat(200_000)).as_bytes(),
    ] {
        let mut stream = std::net::TcpStream::connect(host).unwrap();
        let _ = stream.write_all(junk);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    // The length is looked at before the content.
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let head = format!(
        "POST {root}api/mark HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
         Content-Length: 999999999999\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    assert_eq!(get(&url, "api/info").status, 200);
}
