//! Programs of the user's as trainers: the shell script of examples/, and ones that do what they should not.
#![cfg(unix)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use datadiet_table::ScoreTable;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Home, errors};

const POINTS: usize = 120;

/// Three clouds in the plane that overlap, and some labels that are wrong.
fn points(count: usize, mut state: u64) -> String {
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut text = "id,label,x,y\n".to_owned();
    for id in 0..count {
        let class = id % 3;
        let (cx, cy) = [(0.0, 0.0), (2.0, 0.0), (0.0, 2.0)][class];
        let label = if id % 17 == 3 { (class + 1) % 3 } else { class };
        let (x, y) = (cx + 2.0 * draw() - 1.0, cy + 2.0 * draw() - 1.0);
        writeln!(text, "{id},{label},{x:.4},{y:.4}").unwrap();
    }
    text
}

/// A home with points to train and to test on, and the example's script.
pub(crate) fn home() -> Home {
    let home = Home::empty();
    std::fs::write(home.path().join("points.csv"), points(POINTS, 1)).unwrap();
    std::fs::write(home.path().join("test.csv"), points(60, 2)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/nearest_mean.sh");
    std::fs::copy(script, home.path().join("nearest_mean.sh")).unwrap();
    home
}

const EXAMPLE: &str = "sh nearest_mean.sh points.csv test.csv";

/// A command by the trainer of the example.
pub(crate) fn by<'a>(command: &'a str, trainer: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    let trained = ["--trainer", trainer, "--train-examples", "points.csv", "--epochs", "4"];
    [&[command][..], &trained, options].concat()
}

/// A home with a script of a trainer that does something else.
pub(crate) fn home_with(script: &str) -> Home {
    let home = home();
    write(&home, script);
    home
}

/// A script which `finish` completes: writes an answer that holds.
pub(crate) fn write(home: &Home, script: &str) {
    let head = "set -eu\nrun=$1\n\
        id=$(sed -n 's/^ *\"run\": *\"\\([0-9a-f]*\\)\".*/\\1/p' \"$run/job.json\")\n\
        epochs=$(sed -n 's/^ *\"stop_after\": *\\([0-9]*\\).*/\\1/p' \"$run/job.json\")\n\
        finish() { echo \"{\\\"run\\\": \\\"$id\\\", \\\"epochs\\\": $epochs, \\\"test\\\": \
        {\\\"accuracy\\\": ${1:-0.5}}}\" >\"$run/metrics.json\"; }\n\
        record() { awk -F, -v \"shift=${1:-0}\" 'NR == 1 { print \"id,label,a_0,a_1,a_2\"; next }\n\
        { print $1 + shift \",\" $2 \",1,2,\" $1 / 100 }' \"$run/train.csv\" |\n\
        sed '1s/a_/logit_/g' >\"$run/recorded/epoch_$epochs.csv\"; }\n";
    std::fs::write(home.path().join("own.sh"), format!("{head}{script}\n")).unwrap();
}

/// Trains by `own.sh`, which must fail; its words.
fn fails(home: &Home, command: &str, options: &[&str]) -> String {
    let output = home.command(&by(command, "sh own.sh", options)).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    errors(&output)
}

pub(crate) fn runs(home: &Home) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(home.path().join("store/runs")).unwrap();
    folders.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn a_shell_script_scores_and_its_scores_are_those_of_its_logits() {
    let home = home();
    // What it records is kept aside, for `datadiet ingest` to score as well.
    let keep = "sh nearest_mean.sh points.csv test.csv \"$1\"\n\
                mkdir -p kept && cp \"$1\"/recorded/*.csv kept/\n";
    std::fs::write(home.path().join("keep.sh"), keep).unwrap();
    let trainer = "sh keep.sh";
    let output = home
        .command(&by("score", trainer, &["--replicas", "1", "--at", "1,4", "--out", "out"]))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("training on 120 points"), "{}", errors(&output));
    assert!(errors(&output).contains("points: 120 examples · keep.sh"), "{}", errors(&output));
    home.ok(&["ingest", "kept", "--at", "1", "--out", "ingested"]);
    let ours = ScoreTable::read(&home.path().join("out")).unwrap();
    let theirs = ScoreTable::read(&home.path().join("ingested")).unwrap();
    assert_eq!(
        ours.columns().integers("label").unwrap(),
        theirs.columns().integers("label").unwrap()
    );
    let mut compared = 0;
    for name in theirs.scores() {
        let column = |table: &ScoreTable| -> Vec<u32> {
            table.columns().floats(name).unwrap().iter().map(|value| value.to_bits()).collect()
        };
        assert!(column(&ours) == column(&theirs), "{name}");
        compared += 1;
    }
    assert!(compared > 20, "{compared} columns");
    let card = ours.card().unwrap();
    assert_eq!(card.data.as_ref().unwrap().name, "points");
    assert!(card.accuracy.as_ref().unwrap().mean > 0.7);
    assert!(card.columns[0].definition.pass.contains("as the training loop recorded it"));
    // The means move towards those of the classes, whose wrong labels are then hard.
    let el2n = ours.columns().floats("el2n@4").unwrap();
    let mean = |wrong: bool| {
        let of: Vec<f32> =
            (0..POINTS).filter(|id| (id % 17 == 3) == wrong).map(|id| el2n[id]).collect();
        of.iter().sum::<f32>() / of.len() as f32
    };
    assert!(mean(true) > 2.0 * mean(false), "{} and {}", mean(true), mean(false));
}

#[test]
fn runs_of_a_trainer_are_reused_and_a_changed_one_is_another() {
    let home = home();
    let score = by("score", EXAMPLE, &["--at", "4", "--replicas", "3", "--out", "out"]);
    let first = home.json(&score);
    assert_eq!(first["cost"]["reused_replicas"], 0);
    let table = std::fs::read(home.path().join("out/scores.parquet")).unwrap();
    let second = home.json(&score);
    assert_eq!(second["cost"]["reused_replicas"], 3);
    assert!(std::fs::read(home.path().join("out/scores.parquet")).unwrap() == table);
    assert_ne!(first["accuracy"]["per_replica"][0], serde_json::Value::Null);
    let list = home.ok(&["runs", "list"]);
    assert!(list.contains("nearest_mean.sh") && list.contains("complete"), "{list}");
    let folder = &runs(&home)[0];
    for gone in ["train.csv", "recorded", "checkpoint", "spent.json"] {
        assert!(!folder.join(gone).exists(), "{gone}");
    }
    let spec = std::fs::read_to_string(folder.join("spec.json")).unwrap();
    assert!(spec.contains("\"trainer\"") && !spec.contains("learning_rate"), "{spec}");
    let show = home.ok(&["runs", "show", folder.file_name().unwrap().to_str().unwrap()]);
    assert!(
        show.contains("# sh nearest_mean.sh points.csv test.csv · 480 examples passed"),
        "{show}"
    );

    // The script, and what it names: another state of any of these is another trainer, and says so.
    let script = home.path().join("nearest_mean.sh");
    let changed = std::fs::read_to_string(&script).unwrap() + "# changed\n";
    std::fs::write(&script, changed).unwrap();
    let output = home.command(&score).output().unwrap();
    let text = errors(&output);
    assert!(text.contains("nearest_mean.sh has changed since it trained here (source)"), "{text}");
    assert_eq!(runs(&home).len(), 6);
    let again = errors(&home.command(&score).output().unwrap());
    assert!(!again.contains("has changed"), "{again}");
}

/// The run would be known as one of the program that was there when it was asked for.
#[test]
fn what_has_changed_since_it_was_planned_is_not_trained() {
    let home = home_with("finish 0.5");
    let train = by("train", "sh own.sh", &[]);
    let lines = home.ok(&[&["plan"][..], &train].concat());
    let words: Vec<&str> = lines.lines().next().unwrap().split(' ').collect();
    let carry_out = || home.command(&words[1..]).output().unwrap();
    write(&home, "finish 0.9");
    let output = carry_out();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("own.sh is not as it was"), "{}", errors(&output));
    write(&home, "finish 0.5");
    let output = carry_out();
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    assert_eq!(home.json(&train)["accuracy"]["mean"], 0.5);
}

#[test]
fn a_trainer_trains_on_subsets_and_with_the_labels_it_is_given() {
    let home = home();
    home.ok(&by("score", EXAMPLE, &["--at", "4", "--replicas", "2", "--out", "out"]));
    home.ok(&["select", "out", "--keep", "0.5", "--out", "half.parquet"]);
    let train = |options: &[&str]| {
        let options = [&["--subset", "half.parquet", "--replicas", "2"], options].concat();
        home.json(&by("train", EXAMPLE, &options))
    };
    let steps = train(&[]);
    assert_eq!((steps["examples"].as_u64(), steps["of"].as_u64()), (Some(60), Some(120)));
    assert_eq!(steps["accuracy"]["values"].as_array().unwrap().len(), 2);
    // With the number of steps fixed it sees half the examples twice as often.
    let epochs = |answer: &serde_json::Value| {
        let run = home.path().join("store/runs").join(answer["runs"][0].as_str().unwrap());
        let job = std::fs::read(run.join("job.json")).unwrap();
        let job: serde_json::Value = serde_json::from_slice(&job).unwrap();
        assert_eq!(job["train"]["count"], 60);
        job["epochs"].as_u64().unwrap()
    };
    assert_eq!((epochs(&steps), epochs(&train(&["--fixed", "epochs"]))), (8, 4));
    // Of another data set.
    std::fs::write(home.path().join("points.csv"), points(POINTS + 3, 1)).unwrap();
    let output =
        home.command(&by("train", EXAMPLE, &["--subset", "half.parquet"])).output().unwrap();
    assert!(errors(&output).contains("half.parquet"), "{}", errors(&output));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn studies_of_a_trainer_write_their_results() {
    let home = home();
    let file = r#"
[training]
trainer = ["sh", "nearest_mean.sh", "points.csv", "test.csv"]
examples = { file = "points.csv", classes = ["one", "two", "three"] }
epochs = 4

[scoring]
replicas = 2
at = [2, 4]

[curve]
by = ["el2n@4"]
keep = [0.5]

[window]
by = "el2n@2"
keep = 0.5
offsets = [0, 0.5]

[noise]
by = "el2n@4"
symmetric = [0.2]

[tune]
by = "el2n@4"
keep = [0.5, 0.8]
drops = [0, 0.1]
"#;
    std::fs::write(home.path().join("all.toml"), file).unwrap();
    home.ok(&["run", "all.toml", "--plan"]);
    let outcome = home.json(&["run", "all.toml", "--out", "out"]);
    assert_eq!(outcome["failed"].as_array().unwrap().len(), 0);
    assert!(outcome["curve"]["points"][0]["accuracy"]["mean"].as_f64().unwrap() > 0.3);
    assert_eq!(outcome["tune"]["held_out"], 12);
    assert!(outcome["ledger"][0]["scoring_examples"] == 2 * 4 * 120, "{}", outcome["ledger"]);
    // Wrong labels are found: noise was put in by the labels of the job.
    let noise = &outcome["noise"][0]["detection"][0];
    assert!(noise["auroc"].as_f64().or(noise["found"]["auroc"].as_f64()).unwrap() > 0.8, "{noise}");
    let report = std::fs::read_to_string(home.path().join("out/report.html")).unwrap();
    assert!(report.contains("nearest_mean.sh") && report.contains("examples passed"));
    let text = home.ok(&["suspects", "out"]);
    assert!(text.contains("one") && text.contains("two") && text.contains("three"), "{text}");

    let diet = by("diet", EXAMPLE, &["--keep", "0.5,0.8", "--drops", "0", "--retrainings", "1"]);
    let diet = home.json(&[&diet[..], &["--out", "diet"]].concat());
    assert!(!diet["tune"]["verdict"].as_str().unwrap().is_empty());
}

/// An imported data set has pictures, and its examples are known to the other commands.
#[test]
fn a_trainer_trains_on_a_data_set_that_was_imported() {
    let home = Home::with_sample();
    write(
        &home,
        "awk -F, 'NR == 1 { printf \"id,label\"; for (k = 0; k < 10; k++) printf \",logit_%d\", k; \
         print \"\"; next } { printf \"%d,%d\", $1, $2; for (k = 0; k < 10; k++) printf \",%d\", (k == $2) \
         * ($1 % 7); print \"\" }' \"$run/train.csv\" >\"$run/recorded/epoch_$epochs.csv\"; finish",
    );
    let score = ["score", "--trainer", "sh own.sh", "--data", "sample", "--epochs", "2"];
    let options = ["--scores", "el2n", "--replicas", "2", "--out", "out"];
    home.ok(&[&score[..], &options].concat());
    assert!(home.path().join("out/gallery.png").is_file());
    let table = ScoreTable::read(&home.path().join("out")).unwrap();
    let el2n = table.columns().floats("el2n@2").unwrap();
    assert!(el2n[0] > 0.9 && el2n[6] < 0.1, "no margin, and one of 6: {} and {}", el2n[0], el2n[6]);
    home.ok(&["report", "out"]);
    let page = std::fs::read_to_string(home.path().join("out/report.html")).unwrap();
    assert!(page.contains("data:image/png") && page.contains("sh own.sh"));
    let limited = [&score[..], &["--limit", "50", "--scores", "el2n", "--out", "few"]].concat();
    assert_eq!(home.json(&limited)["columns"][0]["name"], "el2n@2");
    assert_eq!(ScoreTable::read(&home.path().join("few")).unwrap().columns().rows(), 50);
}

#[test]
fn options_that_do_not_go_with_a_trainer_are_refused() {
    let home = home();
    let refused = |arguments: &[&str]| {
        let output = home.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        errors(&output)
    };
    for (options, expected) in [
        (&["--model", "resnet8", "--lr", "0.1"][..], "lr, model are of our own networks"),
        (&["--batch", "8"], "batch is of our own networks"),
        (&["--data", "cifar10"], "--data and --train-examples both say"),
        (&["--scores", "grand"], "grand needs the network itself"),
        (&["--at", "0"], "cannot score at epoch 0: a trainer of your own records whole epochs"),
        (&["--at", "1.5"], "cannot score at epoch 1.5"),
        (&["--epochs", "2.5"], "whole epochs"),
    ] {
        let text = refused(&by("score", EXAMPLE, options));
        assert!(text.contains(expected), "{options:?}: {text}");
    }
    let short = ["score", "--trainer", EXAMPLE, "--train-examples", "points.csv"];
    assert!(refused(&short).contains("how long is a training"));
    let none = ["score", "--trainer", EXAMPLE, "--epochs", "2"];
    assert!(refused(&none).contains("Give --train-examples FILE"));
    let ours = ["score", "--train-examples", "points.csv", "--epochs", "2"];
    let text = errors(&home.command(&ours).output().unwrap());
    assert!(text.contains("examples and settings go with a trainer"), "{text}");
    let gone = by("score", "no-such-program-at-all", &[]);
    assert!(refused(&gone).contains("cannot start no-such-program-at-all"));
    for (study, expected) in [
        ("[velocity]\nby = \"el2n\"\nat = [1, 3]", "[velocity] (ntk) measures on the gradients"),
        (
            "[connectivity]\nby = \"el2n@4\"\nspawn = [1]",
            "does not say how they are evaluated: give",
        ),
        (
            "[correlations]\ncolumns = [\"el2n@4\"]\nnetworks = [{ model = \"mlp\" }]",
            "networks are of our own",
        ),
    ] {
        let file = format!(
            "[training]\ntrainer = [\"sh\", \"nearest_mean.sh\"]\nexamples = \"points.csv\"\nepochs = \
             4\n{study}\n"
        );
        std::fs::write(home.path().join("study.toml"), file).unwrap();
        let text = refused(&["run", "study.toml"]);
        assert!(text.contains(expected), "{study}: {text}");
    }
    for (training, expected) in [
        ("trainer = { command = [\"sh\"], versio = \"1\" }", "unknown field `versio`"),
        ("trainer = { command = [\"sh\"], metric = \"loss\" }", "is less of loss better, or more?"),
        ("trainer = []", "trainer names no program"),
        ("trainer = 3", "expected a list of words"),
        ("trainer = [\"sh\"]\nsetting = 3", "did you mean `settings`?"),
    ] {
        let file = format!("{training}\nexamples = \"points.csv\"\nepochs = 4\n");
        std::fs::write(home.path().join("job.toml"), file).unwrap();
        let text = refused(&["score", "job.toml"]);
        assert!(text.contains(expected), "{training}: {text}");
    }
}

#[test]
fn answers_that_are_none_are_told_and_nothing_of_them_is_kept() {
    let other = "echo '{\"run\": \"0123456789abcdef\", \"epochs\": 4, \"test\": {\"accuracy\": 0.5}}' \
                 >\"$run/metrics.json\"";
    let longer = "epochs=7; finish";
    for (script, expected) in [
        ("exit 0", "it ended without metrics.json"),
        ("finish nan", "metrics.json is not what docs/TRAINERS.md says (NaN is not JSON)"),
        ("finish 93", "an accuracy of 93 is no fraction"),
        (other, "is of run \"0123456789abcdef\" and not of this one"),
        (longer, "it trained 7 epochs, and the job is to stop after 4"),
        ("echo '{}' >\"$run/metrics.json\"", "missing field `run`"),
        (
            "echo \"{\\\"run\\\": \\\"$id\\\", \\\"epochs\\\": 4, \\\"test\\\": {\\\"loss\\\": 1}}\" \
             >\"$run/metrics.json\"",
            "does not say accuracy under `test` but loss",
        ),
        ("echo 'no memory' >&2; exit 1", "sh own.sh ended with exit code 1: no memory"),
        ("exit 7", "ended with exit code 7: it wrote no reason"),
        ("kill -KILL $$", "run the same command again to go on from its last checkpoint"),
        (
            "echo 'Traceback …' >&2; echo \"ModuleNotFoundError: No module named 'gone'\" >&2; exit 1",
            "ModuleNotFoundError: No module named 'gone'",
        ),
    ] {
        let home = home_with(script);
        let text = fails(&home, "train", &[]);
        assert!(text.contains(expected), "{script}: {text}");
        let run = &runs(&home)[0];
        assert!(!run.join("result.json").exists() && !run.join("failure.json").exists());
        // What was wrong is not believed the next time either.
        write(&home, "finish 0.75");
        home.ok(&by("train", "sh own.sh", &[]));
    }
}

/// What it needs is not there: it can train nothing, and is not tried replica by replica.
#[test]
fn a_trainer_that_lacks_something_ends_the_command() {
    for (script, expected) in [
        ("echo tried >>tries; no_such_program_at_all", "no_such_program_at_all"),
        (
            "echo tried >>tries; echo 'error: no module named gone' >&2; exit 2",
            "no module named gone",
        ),
    ] {
        let home = home_with(script);
        let text = fails(&home, "train", &["--replicas", "3", "--workers", "1"]);
        assert!(text.contains("sh own.sh cannot train: ") && text.contains(expected), "{text}");
        let tries = std::fs::read_to_string(home.path().join("tries")).unwrap();
        assert_eq!(tries.lines().count(), 1, "{text}");
    }
}

#[test]
fn recordings_that_are_none_are_told() {
    let id = "record 1000; finish";
    let text = |script: &str| {
        let home = home_with(script);
        fails(&home, "score", &["--at", "4", "--scores", "el2n", "--replicas", "1"])
    };
    for (script, expected) in [
        ("finish", "it recorded nothing of epoch 4"),
        (id, "it recorded the id 1000, which it does not train on"),
        ("record; sed -i 's/,1,2,0.03/,1,nan,0.03/' \"$run/recorded/epoch_4.csv\"; finish", "NaN"),
        (
            "record; sed -i 's/^3,[0-9]/3,2/;s/^4,[0-9]/4,2/' \"$run/recorded/epoch_4.csv\"; finish",
            "and is to train with",
        ),
        (
            "record; sed -i 's/,[^,]*$//' \"$run/recorded/epoch_4.csv\"; finish",
            "2 columns of values",
        ),
    ] {
        let text = text(script);
        assert!(text.contains(expected), "{script}: {text}");
    }
    // Examples that were left out have no score, and that is told.
    let home = home_with("record; sed -i '$d' \"$run/recorded/epoch_4.csv\"; finish");
    let options = ["--at", "4", "--scores", "el2n", "--replicas", "1", "--out", "out"];
    let output = home.command(&by("score", "sh own.sh", &options)).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("1 of 120 examples have no score of epoch 4"));
    let table = ScoreTable::read(&home.path().join("out")).unwrap();
    let el2n = table.columns().floats("el2n@4").unwrap();
    assert!(el2n[POINTS - 1].is_nan() && el2n[..POINTS - 1].iter().all(|value| value.is_finite()));
}

#[test]
fn a_failure_that_would_come_again_is_on_record() {
    let failed = "echo \"{\\\"run\\\": \\\"$id\\\", \\\"failed\\\": \\\"the loss is nan\\\"}\" \
                  >\"$run/metrics.json\"; echo tried >>tries";
    let home = home_with(failed);
    assert!(fails(&home, "train", &[]).contains("the loss is nan"));
    assert!(fails(&home, "train", &[]).contains("(on record; --retry-failed trains it again)"));
    let tries = || std::fs::read_to_string(home.path().join("tries")).unwrap().lines().count();
    assert_eq!(tries(), 1);
    assert!(fails(&home, "train", &["--retry-failed"]).contains("the loss is nan"));
    assert_eq!(tries(), 2);
}

#[test]
fn words_of_a_trainer_are_shown_and_kept() {
    let home = home_with(
        "echo 'hello world'; echo 3; printf 'no end'; echo; echo '{\"event\": \"note\", \"text\": \
         \"of its own\"}'; echo 'to the log' >&2; printf 'not \\377 utf-8\\n'; finish",
    );
    let output = home.command(&by("train", "sh own.sh", &[])).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let text = errors(&output);
    for word in
        ["training: hello world", "training: 3", "no end", "training: of its own", "not \u{fffd}"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(!text.contains("to the log"), "{text}");
    let log = std::fs::read_to_string(runs(&home)[0].join("log.txt")).unwrap();
    assert!(log.contains("hello world") && log.contains("to the log"), "{log}");
}

/// A process that it left behind holds its output open: it is not waited for, ends, and that is told.
#[test]
fn what_a_trainer_leaves_behind_ends() {
    let home = home_with("sleep 600 & echo $! >child; finish");
    let start = Instant::now();
    let output = home.command(&by("train", "sh own.sh", &[])).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(start.elapsed() < Duration::from_secs(60));
    let pid = number_in(&home.path().join("child"));
    let text = errors(&output);
    assert!(
        text.contains(&format!("left a process behind, told to end now: sleep ({pid})")),
        "{text}"
    );
    ends(pid);
    // One that does not listen is killed; one that ends by itself is nobody's business.
    let deaf = home_with("(trap '' TERM; while :; do sleep 1; done) & echo $! >child; finish");
    deaf.ok(&by("train", "sh own.sh", &[]));
    ends(number_in(&deaf.path().join("child")));
    let short = home_with("sleep 0.3 & finish");
    let output = short.command(&by("train", "sh own.sh", &[])).output().unwrap();
    assert!(!errors(&output).contains("behind"), "{}", errors(&output));
}

fn number_in(file: &Path) -> i32 {
    std::fs::read_to_string(file).unwrap().trim().parse().unwrap()
}

/// Waits until a process has ended.
fn ends(pid: i32) {
    let start = Instant::now();
    // Whoever adopts it may take a moment to see that it ended.
    let ended = || {
        let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        kill(Pid::from_raw(pid), None).is_err() || state.contains(") Z ")
    };
    while !ended() {
        assert!(start.elapsed() < Duration::from_secs(20), "process {pid} goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Starts a training by `own.sh`.
fn start(home: &Home) -> std::process::Child {
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("datadiet"));
    command.current_dir(home.path()).env("DATADIET_HOME", home.path());
    command.args(by("train", "sh own.sh", &["--quiet"]));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

pub(crate) fn wait_for(file: &Path) {
    let start = Instant::now();
    while !file.exists() {
        assert!(start.elapsed() < Duration::from_secs(60), "no {}", file.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What it kept in its folder of checkpoints is there when it is started again.
const RESUMES: &str = "if [ -e \"$run/checkpoint/state\" ]; then echo went on; finish 0.625; exit 0; fi\n\
     echo half >\"$run/checkpoint/state\"; : >ready; exec sleep 600";

#[test]
fn a_stopped_trainer_goes_on_from_its_checkpoint() {
    let home = home_with(RESUMES);
    let child = start(&home);
    wait_for(&home.path().join("ready"));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    let output: Output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", errors(&output));
    let answer = home.json(&by("train", "sh own.sh", &[]));
    assert_eq!(answer["accuracy"]["mean"], 0.625);
}

#[test]
fn a_killed_command_leaves_the_run_held_while_its_trainer_lives() {
    let home = home_with(&format!("echo $$ >pid; {RESUMES}"));
    let child = start(&home);
    wait_for(&home.path().join("ready"));
    let pid = std::fs::read_to_string(home.path().join("pid")).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGKILL).unwrap();
    child.wait_with_output().unwrap();
    // It ignores that its input closed: nobody else may train the run beside it, and the next command waits.
    let listed = home.json(&["runs", "list"]);
    assert_eq!(listed[0]["state"], "training", "{listed}");
    let mut next = start(&home);
    std::thread::sleep(Duration::from_millis(1500));
    assert!(next.try_wait().unwrap().is_none(), "it does not wait");
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let output = next.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(home.json(&by("train", "sh own.sh", &[]))["accuracy"]["mean"], 0.625);
}

#[test]
fn a_killed_trainer_is_started_again_and_goes_on() {
    let home = home_with(&format!("echo $$ >pid; {RESUMES}"));
    let child = start(&home);
    wait_for(&home.path().join("ready"));
    let pid = std::fs::read_to_string(home.path().join("pid")).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert_eq!(home.json(&by("train", "sh own.sh", &[]))["accuracy"]["mean"], 0.625);
}

/// A shell dies of SIGTERM and leaves behind what it runs; that is told to end as well.
#[test]
fn what_a_stopped_shell_ran_ends_too() {
    let home = home_with("sleep 600 & echo $! >child; : >ready; wait");
    let child = start(&home);
    wait_for(&home.path().join("ready"));
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    ends(number_in(&home.path().join("child")));
}

/// The command was killed after its trainer had ended: the answer is there, and nothing is trained again.
#[test]
fn an_answer_that_was_left_behind_is_taken() {
    let home = home_with("echo tried >>tries; finish 0.25");
    home.ok(&by("train", "sh own.sh", &[]));
    let run = &runs(&home)[0];
    std::fs::remove_file(run.join("result.json")).unwrap();
    assert_eq!(home.json(&by("train", "sh own.sh", &[]))["accuracy"]["mean"], 0.25);
    let tries = std::fs::read_to_string(home.path().join("tries")).unwrap();
    assert_eq!(tries.lines().count(), 1);
}

/// Where it says how well it does on each class, studies say which class lost most.
#[test]
fn values_by_class_are_kept_and_told() {
    // The more examples, the better on the second class; nothing is said of the third.
    let says = "n=$(wc -l <\"$run/train.csv\"); record; sum=$(awk \"BEGIN { print $n / 200 }\"); echo \
        \"{\\\"run\\\": \\\"$id\\\", \\\"epochs\\\": $epochs, \\\"test\\\": {\\\"accuracy\\\": 0.5}, \
        \\\"by_class\\\": {\\\"0\\\": 0.5, \\\"1\\\": $sum, \\\"2\\\": null}}\" >\"$run/metrics.json\"";
    let home = home_with(says);
    let train = by("train", "sh own.sh", &["--replicas", "2"]);
    assert_eq!(home.json(&train)["by_class"], serde_json::json!({ "0": 0.5, "1": 0.605 }));
    assert!(home.ok(&train).contains("worst by class   0 50.0 %, 1 60.5 %"));
    let file = r#"
[training]
trainer = ["sh", "own.sh"]
examples = "points.csv"
epochs = 4

[scoring]
replicas = 1
scores = ["el2n"]

[curve]
by = ["el2n@4"]
keep = [0.5]
fixed = "epochs"
"#;
    std::fs::write(home.path().join("curve.toml"), file).unwrap();
    let text = home.ok(&["run", "curve.toml", "--out", "out"]);
    assert!(text.contains("class that loses most"), "{text}");
    assert!(text.contains("1 60.5 % → 30.5 %"), "{text}");
    let csv = std::fs::read_to_string(home.path().join("out/classes.csv")).unwrap();
    assert!(csv.contains("el2n@4,0.5,,1,0.305") && csv.contains("full,1,,1,0.605"), "{csv}");
    for (said, expected) in [
        ("[0.5, 0.5]", "by_class of metrics.json has 2 values, and there are 3 classes"),
        ("{\\\"cat\\\": 0.5}", "names \"cat\", which is none of the classes (0, 1, 2)"),
        ("[1, 0, 93]", "an accuracy of class 2 of 93 is no fraction"),
    ] {
        let home = home_with(&format!(
            "by=\"{said}\"; {}",
            says.replace("{\\\"0\\\": 0.5, \\\"1\\\": $sum, \\\"2\\\": null}", "$by")
        ));
        let text = fails(&home, "train", &[]);
        assert!(text.contains(expected), "{said}: {text}");
    }
}

/// Keeps one weight: 1 where it trains from the beginning, 3 where it leaves another training.
const KEEPS: &str = r#"
weight='\000\000\200\077' began=
if grep -q '"spawn"' "$run/job.json"; then
    weight='\000\000\100\100'
    from=$(sed -n 's/^ *"folder": *"\(.*\)",*$/\1/p' "$run/job.json")
    test -s "$from/weights.safetensors"
    epoch=${from##*_} began="\"began\": ${from##*_},"
fi
keeps() {
    mkdir -p "$run/kept/epoch_$1"
    { printf '\066\000\000\000\000\000\000\000{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
      printf "$weight"; } >"$run/kept/epoch_$1/weights.safetensors"
}
if grep -q '"keep"' "$run/job.json"; then keeps 0; keeps 2; keeps 4; fi
record
echo "{\"run\": \"$id\", $began \"epochs\": $epochs, \"test\": {\"accuracy\": 0.5}}" >"$run/metrics.json"
"#;

/// Its loss is the square of the weight, on every set.
const EVALUATES: &str = r#"
set -eu
id=$(sed -n 's/^ *"evaluation": *"\([0-9a-f]*\)".*/\1/p' "$1/evaluation.json")
losses=
for point in 0 1 2; do
    weight=$(tail -c 4 "$1/point_$point.safetensors" | od -An -tf4 | tr -d ' ')
    losses="$losses${losses:+,}$(awk "BEGIN { print $weight * $weight }")"
done
wc -l <"$1/set_0.csv" >lines
wc -l <"$1/statistics.csv" >>lines
one="{\"accuracy\": [1, 0.5, 1], \"loss\": [$losses]}"
echo "{\"evaluation\": \"$id\", \"sets\": [$one, $one, $one]}" >"$1/risks.json"
"#;

const LMC: [&str; 15] = [
    "lmc",
    "job.toml",
    "--spawn",
    "0,2",
    "--children",
    "1",
    "--examples",
    "10",
    "--points",
    "3",
    "--statistics",
    "50",
    "--at",
    "4",
    "--quiet",
];

fn lmc_home(script: &str, evaluates: &str) -> Home {
    let home = home_with(script);
    std::fs::write(home.path().join("evaluate.sh"), evaluates).unwrap();
    let file = "trainer = { command = [\"sh\", \"own.sh\"], evaluate = [\"sh\", \"evaluate.sh\"] }\n\
                examples = \"points.csv\"\nepochs = 4\n";
    std::fs::write(home.path().join("job.toml"), file).unwrap();
    home
}

#[test]
fn lines_between_weights_that_a_trainer_keeps_are_evaluated() {
    let home = lmc_home(KEEPS, EVALUATES);
    let lmc = [&LMC[..], &["--out", "out"]].concat();
    let outcome = home.json(&lmc);
    assert_eq!(outcome["failed"].as_array().unwrap().len(), 0);
    let spawns = outcome["connectivity"]["spawns"].as_array().unwrap();
    assert_eq!((spawns.len(), spawns[1]["time"].as_f64()), (2, Some(2.0)));
    for set in spawns.iter().flat_map(|spawn| spawn["sets"].as_array().unwrap()) {
        let means = |of: &str| -> Vec<f64> {
            set[of].as_array().unwrap().iter().map(|s| s["mean"].as_f64().unwrap()).collect()
        };
        // Between 1 and 3 lies 2.
        assert_eq!((means("loss"), means("error")), (vec![1.0, 4.0, 9.0], vec![0.0, 0.5, 0.0]));
        assert_eq!(set["error_barrier"]["mean"], 0.5);
    }
    // Two at a time write it.
    let lines = std::fs::read_to_string(home.path().join("lines")).unwrap();
    let lines: std::collections::BTreeSet<&str> = lines.lines().collect();
    assert_eq!(lines.into_iter().collect::<Vec<_>>(), ["11", "51"]);
    // What the points need is gone, and another evaluation is another measurement of the same runs.
    let measurements = home.path().join("store/measurements");
    let folders = || std::fs::read_dir(&measurements).unwrap().count();
    assert_eq!(folders(), 2);
    for folder in std::fs::read_dir(&measurements).unwrap() {
        let folders = std::fs::read_dir(folder.unwrap().path()).unwrap();
        assert!(folders.flatten().all(|entry| entry.path().is_file()));
    }
    let trained = runs(&home).len();
    std::fs::write(home.path().join("evaluate.sh"), format!("{EVALUATES}\n# changed\n")).unwrap();
    home.ok(&lmc);
    assert_eq!((folders(), runs(&home).len()), (4, trained));
    // A child trains the epochs that it does not share.
    let results = runs(&home)
        .into_iter()
        .filter(|run| std::fs::read_to_string(run.join("spec.json")).unwrap().contains("spawn"));
    let mut passed: Vec<u64> = results
        .map(|run| {
            let result = std::fs::read(run.join("result.json")).unwrap();
            let result: serde_json::Value = serde_json::from_slice(&result).unwrap();
            result["images_trained"].as_u64().unwrap()
        })
        .collect();
    passed.sort_unstable();
    assert_eq!(passed, [2 * 120, 4 * 120]);
}

/// The measurement would be known as one of the evaluation that was there when it was asked for.
#[test]
fn an_evaluation_that_has_changed_since_it_was_planned_does_not_measure() {
    let home = lmc_home(KEEPS, EVALUATES);
    let lmc = [&LMC[..], &["--out", "out"]].concat();
    home.json(&lmc);
    let evaluates = |what: &str| {
        let text = format!("{EVALUATES}\n# {what}\n");
        std::fs::write(home.path().join("evaluate.sh"), text).unwrap();
    };
    evaluates("planned");
    let lines = home.ok(&[&["plan"][..], &lmc].concat());
    let words: Vec<&str> = lines.lines().next().unwrap().split(' ').collect();
    evaluates("another");
    let output = home.command(&words[1..]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
    assert!(errors(&output).contains("evaluate.sh is not as it was"), "{}", errors(&output));
    evaluates("planned");
    assert_eq!(home.command(&words[1..]).output().unwrap().status.code(), Some(0));
}

#[test]
fn weights_and_evaluations_that_are_none_are_told() {
    let keeps_nothing = "record; finish";
    let no_began = KEEPS.replace("$began ", "");
    let no_answer = "exit 0";
    let nan = EVALUATES.replace("$losses]", "NaN]");
    let short = EVALUATES.replace("[1, 0.5, 1]", "[1, 1]");
    let percent = EVALUATES.replace("[1, 0.5, 1]", "[100, 50, 100]");
    for (script, evaluates, expected) in [
        (
            keeps_nothing,
            EVALUATES,
            "it kept no weights of epoch 0: kept/epoch_0/weights.safetensors",
        ),
        (no_began.as_str(), EVALUATES, "says so by \"began\": 0"),
        (&KEEPS.replace("\\066", "\\070"), EVALUATES, "is no file of safetensors"),
        (KEEPS, no_answer, "the evaluation ended without risks.json"),
        (KEEPS, &nan, "risks.json is not what docs/TRAINERS.md says (NaN is not JSON)"),
        (KEEPS, &short, "there are 3 of 3 points each"),
        (KEEPS, &percent, "an accuracy of 100 is no fraction"),
        (KEEPS, "echo 'error: no such model' >&2; exit 1", "no such model"),
        (KEEPS, "exit 2", "sh evaluate.sh cannot train"),
    ] {
        let home = lmc_home(script, evaluates);
        let output = home.command(&LMC).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{script} {evaluates}");
        let text = errors(&output);
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let home = lmc_home(KEEPS, EVALUATES);
    let refused = |arguments: &[&str]| errors(&home.command(arguments).output().unwrap());
    let text = refused(&["lmc", "job.toml", "--spawn", "0.5"]);
    assert!(text.contains("a trainer of your own keeps weights after whole epochs"), "{text}");
    let text = refused(&[
        "ntk",
        "--trainer",
        "sh own.sh",
        "--train-examples",
        "points.csv",
        "--epochs",
        "4",
    ]);
    assert!(text.contains("(ntk) measures on the gradients of our own networks"), "{text}");
}

#[test]
fn a_metric_of_which_less_is_better_is_judged_in_its_own_words() {
    let home = home_with(
        "echo \"{\\\"run\\\": \\\"$id\\\", \\\"epochs\\\": 4, \\\"test\\\": {\\\"loss\\\": 2.5}}\" \
         >\"$run/metrics.json\"",
    );
    let file = "trainer = { command = [\"sh\", \"own.sh\"], metric = \"loss\", lower-is-better = true }\n\
                examples = \"points.csv\"\nepochs = 4\n";
    std::fs::write(home.path().join("job.toml"), file).unwrap();
    let text = home.ok(&["train", "job.toml"]);
    assert!(text.contains("test loss   2.5 on 120 examples"), "{text}");
}
