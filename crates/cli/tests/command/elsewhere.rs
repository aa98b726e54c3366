//! `datadiet plan` and `datadiet worker`: trainings that other processes carry out, and what becomes of them.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{Home, errors};
use crate::trainer::{by, home, home_with, runs, wait_for, write};

/// Twenty epochs of 20 ms, the state a number; what it records and how well it does depend on nothing else.
const SLOW: &str = "state=\"$run/checkpoint/epoch\"; epoch=$(cat \"$state\" 2>/dev/null || echo 0)\n\
    while [ \"$epoch\" -lt 20 ]; do\n\
    epoch=$((epoch + 1)); echo \"$epoch\" >\"$state.new\"; mv \"$state.new\" \"$state\"; sleep 0.02; done\n\
    echo $$ >>trained; record; finish 0.5";

/// Has a script wait until [`go`].
const GATE: &str = "while [ ! -e go ]; do sleep 0.02; done";

fn go(home: &Home) {
    std::fs::write(home.path().join("go"), "").unwrap();
}

/// A score of two replicas.
fn score<'a>(options: &'a [&'a str]) -> Vec<&'a str> {
    let scored = ["--at", "4", "--scores", "el2n", "--replicas", "2", "--out", "out"];
    by("score", "sh own.sh", &[&scored, options].concat().leak()[..])
}

/// The lines that a plan gives, as words.
fn planned(home: &Home) -> Vec<Vec<String>> {
    let lines = home.ok(&[&["plan"][..], &score(&[])].concat());
    lines.lines().map(|line| line.split(' ').map(str::to_owned).collect()).collect()
}

/// Starts a line of a plan, with nothing to read, in a process group of its own.
fn start(home: &Home, line: &[String], host: &str) -> Child {
    start_with_lease(home, line, host, 60.0)
}

/// The same, whose leases are stale after `ttl` seconds.
fn start_with_lease(home: &Home, line: &[String], host: &str, ttl: f64) -> Child {
    use std::os::unix::process::CommandExt;
    assert_eq!(line[0], "datadiet");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("datadiet"));
    command.args(&line[1..]).current_dir("/").env("DATADIET_HOME", home.path());
    command.env("DATADIET_HOST", host).env("DATADIET_LEASE_TTL", ttl.to_string());
    command.process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn carry_out(home: &Home, line: &[String]) -> Output {
    start(home, line, "n1").wait_with_output().unwrap()
}

fn trained(home: &Home) -> usize {
    let lines = std::fs::read_to_string(home.path().join("trained")).unwrap_or_default();
    lines.lines().count()
}

fn table(home: &Home) -> Vec<u8> {
    std::fs::read(home.path().join("out/scores.parquet")).unwrap()
}

#[test]
fn what_is_planned_is_carried_out_anywhere_and_its_results_are_taken() {
    let undisturbed = home_with(SLOW);
    undisturbed.ok(&score(&[]));
    let home = home_with(SLOW);
    let lines = planned(&home);
    assert_eq!(lines.len(), 2);
    assert_eq!(trained(&home), 0, "a plan trains nothing");
    for line in &lines {
        let output = carry_out(&home, line);
        assert!(output.status.success(), "{}", errors(&output));
    }
    assert_eq!(trained(&home), 2);
    // Engines start again what is done.
    for line in &lines {
        assert_eq!(carry_out(&home, line).status.code(), Some(0));
    }
    assert_eq!(trained(&home), 2);
    assert_eq!(home.json(&score(&[]))["cost"]["reused_replicas"], 2);
    assert_eq!(trained(&home), 2);
    assert!(table(&home) == table(&undisturbed));
    let log = std::fs::read_to_string(runs(&home)[0].join("log.txt")).unwrap();
    assert!(log.contains("n1, process ") && log.contains("begins"), "{log}");
    // The sweep has nothing left to do.
    let garbage = home.json(&["runs", "gc"]);
    let kinds = garbage["unused"].as_array().unwrap().iter().map(|unused| &unused["kind"]);
    assert!(kinds.clone().any(|kind| kind == "sweep"), "{garbage}");
}

#[test]
fn several_tasks_in_a_row_and_at_the_same_time() {
    let home = home_with(SLOW);
    let lines = planned(&home);
    let mut all = lines[0].clone();
    let place = all.iter().position(|word| word == "0").unwrap();
    all[place] = "0..7".into();
    // Twice the same, at once: one waits for the other.
    let both = [start(&home, &all, "n1"), start(&home, &all, "n2")];
    for child in both {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", errors(&output));
    }
    assert_eq!(trained(&home), 2);
}

#[test]
fn a_driver_waits_for_what_workers_train() {
    let home = home_with(&format!("{GATE}; {SLOW}"));
    let lines = planned(&home);
    let workers: Vec<Child> = lines.iter().map(|line| start(&home, line, "n1")).collect();
    runs(&home).iter().for_each(|run| wait_for(&run.join("lease.json")));
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("datadiet"));
    command.args(score(&[])).current_dir(home.path()).env("DATADIET_HOME", home.path());
    let mut driver = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(driver.stderr.take().unwrap()).lines().map_while(Result::ok);
    // It ends without these words if it does not wait.
    assert_eq!(told.by_ref().filter(|line| line.contains(" on n1, since ")).take(2).count(), 2);
    go(&home);
    let rest: Vec<String> = told.collect();
    assert!(driver.wait().unwrap().success(), "{rest:?}");
    assert_eq!(trained(&home), 2, "by the workers alone");
    for worker in workers {
        assert!(worker.wait_with_output().unwrap().status.success());
    }
}

/// Whatever is killed, whenever: the worker, the program, both. The same lines end with the same bytes.
#[test]
fn killed_again_and_again_it_ends_as_if_nothing_had_been() {
    let script = format!("echo $$ >\"pid.$id\"; {}", SLOW.replace("-lt 20", "-lt 120"));
    let (undisturbed, home) = (home_with(&script), home_with(&script));
    undisturbed.ok(&score(&[]));
    let lines = planned(&home);
    let mut delays = (0..).map(|n: u64| Duration::from_millis(n * 37 % 211));
    let mut kills = 0;
    for line in &lines {
        for round in 0..60 {
            let mut child = start(&home, line, "n1");
            std::thread::sleep(delays.next().unwrap());
            if child.try_wait().unwrap().is_none() {
                kills += 1;
                let pid = Pid::from_raw(child.id() as i32);
                match round % 3 {
                    0 => kill(pid, Signal::SIGKILL).unwrap(),
                    1 => killpg(pid, Signal::SIGKILL).unwrap(),
                    _ => {
                        kill_programs(&home);
                        // One that had no program yet, or waited for that of another, would go on to its end.
                        std::thread::sleep(delays.next().unwrap());
                        kill(pid, Signal::SIGTERM).unwrap();
                    }
                }
            }
            let code = child.wait_with_output().unwrap().status.code();
            assert!(matches!(code, None | Some(0 | 3 | 137)), "{code:?}");
        }
        let output = carry_out(&home, line);
        assert!(output.status.success(), "{}", errors(&output));
    }
    assert!(kills > 20, "only {kills}");
    home.ok(&score(&[]));
    assert!(table(&home) == table(&undisturbed));
}

/// Kills what the last programs were that were started.
fn kill_programs(home: &Home) {
    for entry in std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap()) {
        if entry.file_name().to_string_lossy().starts_with("pid.") {
            let pid = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let Ok(pid) = pid.trim().parse() else { continue };
            // Not another's that has this number now.
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains("own.sh") {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

/// A machine that hangs is taken over; when it wakes, it finds the run done by another, and does no harm.
#[test]
fn a_worker_that_hangs_is_taken_over() {
    let home = home_with(&format!("echo $$ >pid.new; mv pid.new pid; {GATE}; {SLOW}"));
    let line = &planned(&home)[0];
    let hung = start_with_lease(&home, line, "n1", 1.5);
    wait_for(&home.path().join("pid"));
    let program = std::fs::read_to_string(home.path().join("pid")).unwrap().trim().parse().unwrap();
    let both = [Pid::from_raw(hung.id() as i32), Pid::from_raw(program)];
    both.iter().for_each(|&pid| kill(pid, Signal::SIGSTOP).unwrap());
    go(&home);
    let start_of_other = Instant::now();
    let output = start(&home, line, "n2").wait_with_output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(errors(&output).contains("on n1"), "it says whom it waits for: {}", errors(&output));
    assert!(start_of_other.elapsed() > Duration::from_millis(1500));
    let run = runs(&home).into_iter().find(|run| run.join("result.json").exists()).unwrap();
    let result = std::fs::read(run.join("result.json")).unwrap();
    both.iter().for_each(|&pid| kill(pid, Signal::SIGCONT).unwrap());
    let output = hung.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "the run is complete: {}", errors(&output));
    assert!(std::fs::read(run.join("result.json")).unwrap() == result);
    let listed = home.json(&["runs", "list"]);
    assert!(listed.as_array().unwrap().iter().all(|run| run["state"] != "training"), "{listed}");
}

/// Saves nothing by itself, and says that it waits.
const WAITS: &str = "echo '{\"event\": \"at\", \"done\": 1}'; : >ready; exec sleep 600";

#[test]
fn a_worker_that_is_told_to_end_saves_and_goes() {
    for attached in [false, true] {
        let home = home_with(WAITS);
        let mut line = planned(&home)[0].clone();
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("datadiet"));
        if attached {
            line.push("--attached".into());
        }
        command.args(&line[1..]).env("DATADIET_HOME", home.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        wait_for(&home.path().join("ready"));
        if attached {
            let mut events = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut next =
                || -> Value { serde_json::from_str(&events.next().unwrap().unwrap()).unwrap() };
            let started = next();
            assert_eq!(started["event"], "started", "{started}");
            let id = started["task"].as_str().unwrap().to_owned();
            assert!(runs(&home).iter().any(|run| run.ends_with(&id)));
            assert!((0..3).any(|_| next()["event"] == "at"));
            drop(child.stdin.take());
        } else {
            kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    }
}

#[test]
fn runs_say_who_trains_them_and_are_stopped() {
    let home = home_with(&format!(
        "echo '{{\"event\": \"at\", \"done\": 1}}'; : >ready; {GATE}; record; finish"
    ));
    let line = &planned(&home)[0];
    let child = start(&home, line, "n7");
    wait_for(&home.path().join("ready"));
    let is_told = |run: &Value| run["progress"]["step"] == 120;
    let began = Instant::now();
    let run = loop {
        let listed = home.json(&["runs", "list"]);
        let trained = listed.as_array().unwrap().iter().find(|run| run["state"] == "training");
        if let Some(run) = trained.filter(|run| is_told(run)) {
            break run.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{listed}");
        std::thread::sleep(Duration::from_millis(100));
    };
    assert_eq!(run["holder"]["host"], "n7");
    assert_eq!(run["holder"]["pid"], child.id());
    assert_eq!(run["progress"]["total"], 480);
    let text = home.ok(&["runs", "list"]);
    assert!(text.contains("n7, process") && text.contains("120 of 480"), "{text}");
    let asked = home.json(&["runs", "stop"]);
    assert_eq!(asked["runs"].as_array().unwrap().len(), 1);
    assert_eq!(asked["sweeps"].as_array().unwrap().len(), 1);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(3));
    // Of a sweep that was stopped nothing is begun any more; another goes on.
    let output = carry_out(&home, line);
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    let line = &planned(&home)[0];
    go(&home);
    let output = carry_out(&home, line);
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
}

/// Nobody here can ask a machine that is gone: its lease is not renewed.
#[test]
fn a_run_whose_machine_is_gone_is_not_trained() {
    let home = home_with(WAITS);
    planned(&home);
    let run = runs(&home)[0].clone();
    let gone = || {
        let lease = run.join("lease.json");
        let text = r#"{"token": "0", "host": "gone", "pid": 1, "since": 0, "beat": 3, "ttl": 0.5, "guarded": true}"#;
        std::fs::write(&lease, text).unwrap();
        let before = std::time::SystemTime::now() - Duration::from_secs(3600);
        let file = std::fs::File::options().write(true).open(&lease).unwrap();
        file.set_modified(before).unwrap();
    };
    gone();
    assert!(home.ok(&["runs", "list"]).contains("silent for "));
    let watched = home.command(&["runs", "watch"]).output().unwrap();
    assert!(watched.status.success(), "{}", errors(&watched));
    assert!(errors(&watched).contains("nobody trains it any more"), "{}", errors(&watched));
    gone();
    let removed = home.json(&["runs", "gc", "--unfinished", "--yes"]);
    assert_eq!(removed["runs"].as_array().unwrap().len(), 2, "{removed}");
    assert!(!run.exists());
}

#[test]
fn a_sweep_that_is_seen_late_is_waited_for() {
    let home = home_with("record; finish");
    let line = &planned(&home)[0];
    let sweep = Path::new(line.last().unwrap());
    for name in ["sweep.json", "tasks.txt"] {
        let (file, aside) = (sweep.join(name), sweep.join("aside"));
        std::fs::rename(&file, &aside).unwrap();
        let output = std::thread::scope(|scope| {
            let output = scope.spawn(|| carry_out(&home, line));
            std::thread::sleep(std::time::Duration::from_millis(400));
            std::fs::rename(&aside, &file).unwrap();
            output.join().unwrap()
        });
        assert!(output.status.success(), "{}", errors(&output));
        assert!(errors(&output).contains("not seen yet in"), "{}", errors(&output));
    }
}

#[test]
fn what_cannot_be_carried_out_says_why_by_its_exit_code() {
    let home = home_with("echo 'error: no such loader' >&2; exit 1");
    let line = &planned(&home)[0];
    let sweep = line.last().unwrap();
    let output = carry_out(&home, line);
    assert_eq!(output.status.code(), Some(1));
    assert!(errors(&output).contains("no such loader"), "{}", errors(&output));

    let fails = |arguments: &[&str], expected: &str| {
        let output = home.command(arguments).env("DATADIET_PATIENCE", "0").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
        assert!(errors(&output).contains(expected), "{arguments:?}: {}", errors(&output));
    };
    fails(&["worker", sweep], "which of its 2 tasks?");
    fails(&["worker", "--task", "2", sweep], "there is no task 2");
    fails(&["worker", "--task", "x", sweep], "give the number of a task");
    fails(&["worker", "--task", "0", "nowhere"], "does not see the store");
    fails(&["worker", "nowhere"], "not a run folder");
    fails(&["worker", runs(&home)[0].to_str().unwrap()], "is trained by a program");
    let file = Path::new(sweep).join("sweep.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"asked_by\": \"", "\"asked_by\": \"9.")).unwrap();
    fails(&["worker", "--task", "0", sweep], "install the same version on all machines");
    std::fs::write(&file, text.replace("\"format\": 1", "\"format\": 9")).unwrap();
    fails(&["worker", "--task", "0", sweep], "its format is 9");

    let home = home_with("record; finish");
    let line = &planned(&home)[0];
    std::fs::write(Path::new(line.last().unwrap()).join("stop"), "").unwrap();
    let output = carry_out(&home, line);
    assert_eq!(output.status.code(), Some(3), "{}", errors(&output));
    assert!(errors(&output).contains("was stopped"), "{}", errors(&output));

    let home = home_with("exit 2");
    let output = carry_out(&home, &planned(&home)[0]);
    assert_eq!(output.status.code(), Some(2), "{}", errors(&output));
    let output = home.command(&["plan", "tour"]).output().unwrap();
    assert!(errors(&output).contains("tour trains nothing"), "{}", errors(&output));
}

#[test]
fn a_machine_says_what_it_has() {
    let home = home();
    write(&home, "finish");
    let sweep = planned(&home)[0].last().unwrap().clone();
    home.ok(&["worker", "--probe", &sweep]);
    let read = |name: &str| -> Value {
        serde_json::from_slice(&std::fs::read(Path::new(&sweep).join(name)).unwrap()).unwrap()
    };
    let (probe, plan) = (read("probe.json"), read("sweep.json"));
    assert_eq!(probe["token"], plan["token"]);
    assert_eq!(probe["version"], env!("CARGO_PKG_VERSION"));
    assert!(probe["problem"].is_null() && probe["has_bf16"].is_boolean(), "{probe}");
    // The folder that the trainer is started in is not on that machine.
    let text = std::fs::read_to_string(Path::new(&sweep).join("sweep.json")).unwrap();
    let cwd = plan["trains"]["program"]["cwd"].as_str().unwrap();
    std::fs::write(Path::new(&sweep).join("sweep.json"), text.replace(cwd, "/not/there")).unwrap();
    let output = home.command(&["worker", "--probe", &sweep]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(read("probe.json")["problem"].as_str().unwrap().contains("/not/there"));
}
