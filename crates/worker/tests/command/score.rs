//! `datadiet score` and `datadiet runs`.

use crate::support::Home;

#[test]
fn writes_table_report_and_picture() {
    let home = Home::with_sample();
    let report = home.score(&["--replicas", "2", "--at", "0,0.5,1", "--per-replica"]);
    assert_eq!(report["replicas"], 2);
    assert_eq!(report["times"][1]["step"], 10);
    for file in ["scores.parquet", "scores.json", "gallery.png"] {
        assert!(home.path().join("out").join(file).exists(), "{file}");
    }
    let columns = report["columns"].as_array().unwrap();
    let el2n = columns.iter().find(|column| column["name"] == "el2n@1").unwrap();
    assert_eq!(el2n["direction"], "higher-is-harder");
    assert!(el2n["definition"]["formula"].as_str().unwrap().contains('‖'));
    assert!(el2n["reliability"]["full"].as_f64().unwrap() > 0.0);
    let picture = image::open(home.path().join("out/gallery.png")).unwrap();
    assert!(picture.width() > 800 && picture.height() > 600);
}

#[test]
fn finished_work_is_not_done_again() {
    let home = Home::with_sample();
    home.score(&["--replicas", "2"]);
    let table = std::fs::read(home.path().join("out/scores.parquet")).unwrap();
    let again = home.score(&["--replicas", "2"]);
    assert_eq!(again["cost"]["reused_replicas"], 2);
    assert_eq!(std::fs::read(home.path().join("out/scores.parquet")).unwrap(), table);
    let wider = home.score(&["--replicas", "3"]);
    assert_eq!(wider["cost"]["reused_replicas"], 2);
    assert_eq!(wider["replicas"], 3);
    assert_eq!(home.runs().len(), 3);
}

#[test]
fn a_file_and_the_command_line_mean_the_same() {
    let home = Home::with_sample();
    let file = "data = \"sample\"\nmodel = \"mlp\"\nwidth = 16\nbatch = 50\nepochs = 1\nreplicas = 2\nat = [0, 1]\n";
    std::fs::write(home.path().join("job.toml"), file).unwrap();
    let from_file = home.json(&["score", "job.toml", "--replicas", "1"]);
    assert_eq!(from_file["replicas"], 1, "the command line wins");
    let typed = home.score(&["--replicas", "1", "--at", "0,1"]);
    assert_eq!(typed["runs"], from_file["runs"]);
    assert_eq!(typed["cost"]["reused_replicas"], 1);
}

#[test]
fn the_same_specification_gives_the_same_bytes() {
    let job = ["--replicas", "1", "--model", "resnet8", "--width", "4", "--precision", "f32"];
    let tables = [(); 2].map(|()| {
        let home = Home::with_sample();
        home.score(&job);
        std::fs::read(home.path().join("out/scores.parquet")).unwrap()
    });
    assert!(tables[0] == tables[1]);
}

#[test]
fn bf16_scores_agree_with_f32_on_the_same_weights() {
    let home = Home::with_sample();
    let column = |precision: &str| -> Vec<f32> {
        let out = format!("out-{precision}");
        let job = ["--replicas", "1", "--at", "0", "--model", "resnet8", "--precision", precision];
        home.score(&[&job[..], &["--out", &out]].concat());
        let csv = home.ok(&["scores", "export", &out, "-", "--columns", "el2n@0"]);
        csv.lines().skip(1).map(|line| line.split(',').nth(1).unwrap().parse().unwrap()).collect()
    };
    let (single, half) = (column("f32"), column("bf16"));
    assert_ne!(single, half);
    assert!(datadiet_core::spearman(&single, &half).unwrap() > 0.99);
}

#[test]
fn until_reliability_starts_no_more_than_needed() {
    let home = Home::with_sample();
    let report = home.score(&["--replicas", "9", "--until-reliability", "0.3"]);
    let replicas = report["replicas"].as_u64().unwrap();
    assert!((2..9).contains(&replicas), "{replicas}");
}

#[test]
fn progress_can_be_read_by_programs() {
    let home = Home::with_sample();
    let job = [crate::support::JOB, &["--replicas", "1", "--progress", "json"]].concat();
    let output = home.command(&job).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let events: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for expected in ["started", "at", "ended"] {
        assert!(events.iter().any(|event| event["event"] == expected), "{expected}: {text}");
    }
    let quiet = home.command(&[crate::support::JOB, &["--quiet"]].concat()).output().unwrap();
    assert!(quiet.stderr.is_empty());
}

#[test]
fn runs_are_listed_shown_and_collected() {
    let home = Home::with_sample();
    home.score(&["--replicas", "1"]);
    let runs = home.json(&["runs", "list"]);
    assert_eq!((&runs[0]["state"], &runs[0]["data"]), (&"complete".into(), &"sample".into()));
    let id = runs[0]["id"].as_str().unwrap();
    let shown = home.json(&["runs", "show", &id[..6]]);
    assert_eq!(shown["spec"]["network"]["name"], "mlp");
    assert!(home.fails(&["runs", "show", "nothing"]).contains("runs list"));
    assert!(home.ok(&["runs", "gc"]).contains("nothing to remove"));
    assert!(home.ok(&["runs", "gc", "--complete"]).contains("--yes"));
    assert_eq!(home.runs().len(), 1, "only with --yes");
    home.ok(&["runs", "gc", "--complete", "--yes"]);
    assert!(home.runs().is_empty());
}

#[test]
fn grand_comes_with_the_norm_of_the_input() {
    let home = Home::with_sample();
    let report = home.score(&[
        "--replicas",
        "2",
        "--at",
        "0.5,1",
        "--scores",
        "el2n,grand",
        "--grand-at",
        "0,1",
    ]);
    let columns = report["columns"].as_array().unwrap();
    let names: Vec<&str> = columns.iter().map(|column| column["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["el2n@0", "grand@0", "input-norm@0", "el2n@0.5", "el2n@1", "grand@1", "input-norm@1"]
    );
    assert_eq!(report["cost"]["images_differentiated"], 4000);
    let matrix = home.json(&["scores", "correlate", "out", "--columns", "grand@1,el2n@1"]);
    assert!(matrix["spearman"][0][1].as_f64().unwrap() > 0.5, "{matrix}");
}

#[test]
fn grand_follows_the_norm_of_the_input_at_initialisation_and_says_so() {
    let home = Home::with_sample();
    // The gradient of a layer on the input is the input, times an error of all but constant length.
    let job = ["--scores", "grand", "--at", "0", "--replicas", "4", "--width", "256"];
    let output = home.command(&[crate::support::JOB, &job].concat()).output().unwrap();
    let text = crate::support::errors(&output);
    assert!(text.contains("warning: grand@0 follows the norm of the input"), "{text}");
}

#[test]
fn too_little_memory_for_one_gradient_says_how_much_is_needed() {
    let home = Home::with_sample();
    let job = ["--scores", "grand", "--model", "resnet18", "--width", "64", "--memory", "1"];
    let message = home.fails(&[crate::support::JOB, &job].concat());
    assert!(message.contains("MiB") && message.contains("give --memory"), "{message}");
}
