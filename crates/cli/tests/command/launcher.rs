//! `--on ./launcher`: the example's launcher, and ones that do what they should not. What trains is a shell script.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::{Home, errors};

/// Epochs take `$PACE` seconds; goes on from where it was.
const TRAINER: &str = r#"
set -eu
run=$1
id=$(sed -n 's/^ *"run": *"\([0-9a-f]*\)".*/\1/p' "$run/job.json")
epochs=$(sed -n 's/^ *"stop_after": *\([0-9]*\).*/\1/p' "$run/job.json")
trap 'exit 3' TERM
done=$(cat "$run/checkpoint/done" 2>/dev/null || echo 0)
echo "$id from $done" >>trained.txt
while [ "$done" -lt "$epochs" ]; do
    sleep "${DATADIET_TEST_PACE:-0}"
    done=$((done + 1))
    awk -F, -v e="$done" 'NR == 1 { print "id,label,logit_0,logit_1"; next } { print $1 "," $2 "," $1 % 7 / e "," e }' \
        "$run/train.csv" >"$run/recorded/epoch_$done.csv"
    echo "$done" >"$run/checkpoint/done"
    echo "{\"event\": \"at\", \"done\": $done}"
done
echo "{\"run\": \"$id\", \"epochs\": $epochs, \"test\": {\"accuracy\": 0.5}}" >"$run/metrics.json"
"#;

fn home() -> Home {
    let home = Home::empty();
    let labels: String = (0..40).map(|id| format!("{}\n", id % 2)).collect();
    std::fs::write(home.path().join("labels.csv"), format!("label\n{labels}")).unwrap();
    std::fs::write(home.path().join("train.sh"), TRAINER).unwrap();
    let launcher = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/on/launcher.py");
    std::fs::copy(launcher, home.path().join("launcher.py")).unwrap();
    home
}

const SCORE: [&str; 13] = [
    "score",
    "--trainer",
    "sh train.sh",
    "--train-examples",
    "labels.csv",
    "--epochs",
    "3",
    "--at",
    "1,3",
    "--replicas",
    "3",
    "--out",
    "out",
];

fn score<'a>(on: &'a [&'a str]) -> Vec<&'a str> {
    [&SCORE[..], on].concat()
}

/// A launcher in Python, whose words are to be in the error.
fn launcher(home: &Home, text: &str) {
    let file = home.path().join("own.py");
    std::fs::write(
        &file,
        format!("#!/usr/bin/env python3\nimport json, os, subprocess, sys, time\n{text}"),
    )
    .unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn table(home: &Home) -> Vec<u8> {
    std::fs::read(home.path().join("out/scores.parquet")).unwrap()
}

fn trained(home: &Home) -> Vec<String> {
    let text = std::fs::read_to_string(home.path().join("trained.txt")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_launcher_of_the_example_gives_the_table_of_this_machine() {
    let (here, there) = (home(), home());
    here.ok(&score(&[]));
    let output = there.command(&score(&["--on", "./launcher.py"])).output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let told = errors(&output);
    assert!(told.contains("asking a node") || told.contains("on process "), "{told}");
    assert!(table(&here) == table(&there));
    assert_eq!(trained(&there).len(), 3);
    // All of it is in the store now: nothing is started, not even the launcher.
    std::fs::remove_file(there.path().join("launcher.py")).unwrap();
    there.ok(&score(&["--on", "./launcher.py"]));
}

#[test]
fn a_task_that_is_lost_is_started_again_and_goes_on_from_its_checkpoint() {
    let (here, there) = (home(), home());
    here.ok(&score(&[]));
    // Each training is killed once, when it has saved its state, with all that it started.
    launcher(
        &there,
        r#"
lost = set()
for line in sys.stdin:
    for task in json.loads(line).get("start", ()):
        child = subprocess.Popen([*task["argv"], "--attached"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        print(json.dumps({"started": task["id"]}), flush=True)
        for event in map(json.loads, child.stdout):
            print(json.dumps({"told": task["id"], "event": event}), flush=True)
            if event["event"] == "at" and event["done"] >= 40 and task["id"] not in lost:
                lost.add(task["id"])
                child.stdin.close()
        code = child.wait()
        answer = {"ended": task["id"], "code": code, "tail": child.stderr.read()}
        if code == 3:
            answer = {"ended": task["id"], "lost": "its node was wanted by others"}
        print(json.dumps(answer), flush=True)
"#,
    );
    let mut command = there.command(&score(&["--on", "./own.py"]));
    let output = command.env("DATADIET_TEST_PACE", "0.2").output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    let told = errors(&output);
    assert!(told.contains("lost, and started again: its node was wanted by others"), "{told}");
    assert!(table(&here) == table(&there));
    let trained = trained(&there);
    assert_eq!(trained.len(), 6, "{trained:?}");
    assert!(trained[3..].iter().all(|line| !line.ends_with("from 0")), "{trained:?}");
}

#[test]
fn ctrl_c_has_trainings_save_and_the_same_command_goes_on() {
    let home = home();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("datadiet"));
    command
        .args(score(&["--on", "./launcher.py"]))
        .current_dir(home.path())
        .env("DATADIET_HOME", home.path());
    let mut driver = command
        .env("DATADIET_TEST_PACE", "0.5")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let saved = || {
        let runs =
            std::fs::read_dir(home.path().join("store/runs")).into_iter().flatten().flatten();
        runs.filter(|run| run.path().join("checkpoint/done").exists()).count()
    };
    while saved() < 3 {
        assert!(Instant::now() < until, "no training has saved its state");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(driver.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(driver.wait().unwrap().code(), Some(130));
    assert_eq!(trained(&home).len(), 3);
    home.ok(&score(&["--on", "./launcher.py"]));
    let trained = trained(&home);
    assert!(trained[3..].iter().all(|line| !line.ends_with("from 0")), "{trained:?}");
}

#[test]
fn launchers_that_cannot_start_anything_say_why() {
    let home = home();
    let fails = |words: &str| {
        let output = home
            .command(&score(&["--on", "./own.py"]))
            .env("DATADIET_PATIENCE", "0")
            .timeout(Duration::from_secs(30))
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", errors(&output));
        assert!(errors(&output).contains(words), "{words}: {}", errors(&output));
    };
    fails("cannot start the launcher ./own.py: No such file");
    launcher(&home, "sys.exit('error: the cloud is closed')");
    fails("the launcher ./own.py ended with exit status: 1: the cloud is closed");
    launcher(&home, "pass");
    fails("ended with exit status: 0 and wrote no reason");
    launcher(&home, "print(json.dumps({'hallo': 1}), flush=True)\nsys.stdin.read()");
    fails("in which nothing is started, told or ended: see docs/LAUNCHERS.md");
    // As of two threads, at once.
    launcher(&home, "print('{\"ended\": \"a\"}{\"ended\": \"b\"}', flush=True)\nsys.stdin.read()");
    fails("which is not one object of JSON");
    let answers = |answer: &str| {
        let said = "for line in sys.stdin:\n  for task in json.loads(line).get('start', ()):\n    print(json.dumps(";
        launcher(&home, &format!("{said}{answer}), flush=True)"));
    };
    answers("{'ended': task['id'], 'code': 0}");
    fails("no node answers whether it can train");
    answers(
        "{'ended': task['id'], 'code': 127, 'tail': \"env: '/opt/datadiet': No such file or directory\"}",
    );
    fails("a node cannot train: env: '/opt/datadiet': No such file or directory");
    answers("{'ended': task['id'], 'lost': 'no machine is free'}");
    fails("a node cannot train: no machine is free");
    // Not a task was given to it.
    assert!(trained(&home).is_empty());
}
