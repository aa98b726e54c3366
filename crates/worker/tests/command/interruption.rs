//! Ctrl-C, and death of all processes at any moment.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::support::Home;

/// Long enough to be interrupted: some seconds.
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
    "10",
    "--at",
    "0,1,2.5,10",
    "--replicas",
    "2",
    "--workers",
    "2",
    "--precision",
    "f32",
    "--checkpoint-every",
    "0.05",
    "--out",
    "out",
];

/// The same with all that has a state of its own: averaged weights, parts of minibatches, flips that alternate,
/// a first layer that freezes.
const FAST_JOB: &[&str] = &[
    "score",
    "--data",
    "sample",
    "--recipe",
    "speedrun",
    "--width",
    "8",
    "--batch",
    "40",
    "--micro-batch",
    "10",
    "--threads",
    "2",
    "--lookahead",
    "3",
    "--epochs",
    "8",
    "--at",
    "0,1,2.5,8",
    "--replicas",
    "1",
    "--precision",
    "f32",
    "--checkpoint-every",
    "0.05",
    "--out",
    "out",
];

fn start(home: &Home, job: &[&str]) -> Child {
    Command::new(assert_cmd::cargo::cargo_bin("datadiet"))
        .args(job)
        .current_dir(home.path())
        .env("DATADIET_HOME", home.path())
        .env("DATADIET_WORKER", crate::worker(home.path()))
        .process_group(0)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    killpg(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// On a busy machine the program needs a while to start.
fn wait_until_it_trains(home: &Home) {
    let has_checkpoint =
        |run: std::fs::DirEntry| run.path().join("checkpoint.safetensors").exists();
    for _ in 0..600 {
        let mut runs = std::fs::read_dir(home.path().join("store/runs")).into_iter().flatten();
        if runs.any(|run| run.is_ok_and(has_checkpoint)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("no checkpoint after a minute");
}

fn table(home: &Home) -> Vec<u8> {
    std::fs::read(home.path().join("out/scores.parquet")).unwrap()
}

fn is_complete(home: &Home) -> bool {
    home.path().join("out/scores.parquet").exists()
}

#[test]
fn a_job_killed_again_and_again_ends_as_if_nothing_had_been() {
    ends_as_if_nothing_had_been(JOB);
}

#[test]
fn so_does_one_of_a_fast_recipe() {
    ends_as_if_nothing_had_been(FAST_JOB);
}

fn ends_as_if_nothing_had_been(job: &[&str]) {
    let undisturbed = Home::with_sample();
    undisturbed.ok(job);
    let killed = Home::with_sample();
    let mut kills = 0;
    for pause in [900, 1400, 700, 1900, 1100] {
        let mut child = start(&killed, job);
        std::thread::sleep(Duration::from_millis(pause));
        if child.try_wait().unwrap().is_none() {
            signal(&child, Signal::SIGKILL);
            kills += 1;
        }
        child.wait().unwrap();
    }
    assert!(kills > 1, "the job is too short for this test");
    killed.ok(job);
    assert!(table(&killed) == table(&undisturbed));
}

#[test]
fn ctrl_c_saves_and_the_same_command_goes_on() {
    let home = Home::with_sample();
    let mut child = start(&home, JOB);
    wait_until_it_trains(&home);
    signal(&child, Signal::SIGINT);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(!is_complete(&home));
    let runs = home.json(&["runs", "list"]);
    assert!(runs.as_array().unwrap().iter().all(|run| run["state"] == "unfinished"), "{runs}");
    home.ok(JOB);
    assert!(is_complete(&home));
}
