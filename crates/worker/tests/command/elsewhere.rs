//! Trainings of our own networks that processes carry out which have no parent to watch them.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use crate::support::{Home, errors};

/// Some seconds of training.
const JOB: &[&str] = &[
    "score",
    "--data",
    "sample",
    "--model",
    "resnet8",
    "--width",
    "8",
    "--batch",
    "20",
    "--epochs",
    "6",
    "--at",
    "0,1,2.5,6",
    "--replicas",
    "2",
    "--precision",
    "f32",
    "--checkpoint-every",
    "0.05",
    "--out",
    "out",
];

fn lines(home: &Home) -> Vec<String> {
    let text = home.ok(&[&["plan"], JOB].concat());
    text.lines().map(str::to_owned).collect()
}

/// Starts a line of a plan, with nothing to read.
fn start(home: &Home, line: &str) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("datadiet"));
    command.args(line.split(' ').skip(1)).env("DATADIET_HOME", home.path());
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn carry_out(home: &Home, line: &str) -> Output {
    start(home, line).wait_with_output().unwrap()
}

fn table(home: &Home) -> Vec<u8> {
    std::fs::read(home.path().join("out/scores.parquet")).unwrap()
}

/// The processes that a process started.
fn children(of: u32) -> Vec<Pid> {
    let text = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
    let text = text.unwrap_or_default();
    text.split_whitespace().map(|pid| Pid::from_raw(pid.parse().unwrap())).collect()
}

#[test]
fn workers_that_are_killed_again_and_again_end_with_the_bytes_of_a_local_training() {
    let local = Home::with_sample();
    local.ok(JOB);
    let home = Home::with_sample();
    let lines = lines(&home);
    assert_eq!(lines.len(), 2);
    let mut kills = 0;
    for (n, pause) in [700, 1100, 500, 1500, 900, 1300].into_iter().enumerate() {
        let mut both: Vec<Child> = lines.iter().map(|line| start(&home, line)).collect();
        std::thread::sleep(Duration::from_millis(pause));
        for child in &mut both {
            if child.try_wait().unwrap().is_some() {
                continue;
            }
            kills += 1;
            let group = Pid::from_raw(child.id() as i32);
            match n % 3 {
                0 => killpg(group, Signal::SIGKILL).unwrap(),
                // The trainer sees that its input closed, saves and goes.
                1 => kill(group, Signal::SIGKILL).unwrap(),
                _ => children(child.id()).into_iter().for_each(|pid| {
                    // It may just have ended.
                    let _ = kill(pid, Signal::SIGKILL);
                }),
            }
        }
        for child in both {
            let code = child.wait_with_output().unwrap().status.code();
            assert!(matches!(code, None | Some(0 | 137)), "{code:?}");
        }
    }
    assert!(kills > 2, "the job is too short for this test");
    for line in &lines {
        let output = carry_out(&home, line);
        assert!(output.status.success(), "{}", errors(&output));
    }
    let steps = std::fs::metadata(home.runs()[0].join("result.json")).unwrap().modified().unwrap();
    assert_eq!(carry_out(&home, &lines[0]).status.code(), Some(0));
    assert_eq!(carry_out(&home, &lines[1]).status.code(), Some(0));
    let again = std::fs::metadata(home.runs()[0].join("result.json")).unwrap().modified().unwrap();
    assert_eq!(steps, again, "what is complete is not trained again");
    let answer = home.json(JOB);
    assert_eq!(answer["cost"]["reused_replicas"], 2);
    assert!(table(&home) == table(&local));
}

#[test]
fn a_run_folder_is_trained_by_hand() {
    let home = Home::with_sample();
    lines(&home);
    let runs: Vec<String> = home.runs().iter().map(|run| run.display().to_string()).collect();
    let line = format!("datadiet worker {}", runs.join(" "));
    let child = start(&home, &line);
    // Before it has a run it may not hear of it.
    let start = Instant::now();
    while !home.runs().iter().any(|run| run.join("lease.json").exists()) {
        assert!(start.elapsed() < Duration::from_secs(60), "it trains nothing");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)), "{}", errors(&output));
    let mut command = home
        .command(&[&["worker"][..], &runs.iter().map(|run| &**run).collect::<Vec<_>>()].concat());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", errors(&output));
    assert!(home.runs().iter().all(|run| run.join("result.json").exists()));
}
