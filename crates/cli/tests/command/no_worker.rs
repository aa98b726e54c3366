//! A machine without the program that trains.

use std::path::Path;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin;

use crate::support::{ALL, DIET, Home, JOB, errors, with};

/// The command alone in a folder.
fn alone(home: &Home) -> std::path::PathBuf {
    let program = home.path().join("bin/datadiet");
    std::fs::create_dir(home.path().join("bin")).unwrap();
    std::fs::copy(cargo_bin("datadiet"), &program).unwrap();
    program
}

fn run(program: &Path, home: &Home, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(program);
    command.current_dir(home.path()).env_clear().env("DATADIET_HOME", home.path());
    command.args(arguments);
    loop {
        match command.output() {
            // A process that another test was starting while the program was copied still has it open.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            output => return output.unwrap(),
        }
    }
}

#[test]
fn what_trains_says_in_one_line_how_to_get_the_worker_before_anything_else() {
    let home = Home::with_sample();
    let program = alone(&home);
    std::fs::write(home.path().join("all.toml"), ALL).unwrap();
    let train = [&["train"], &JOB[1..]].concat();
    let run_file = ["run", "all.toml"];
    let suspects = with("suspects", &[]);
    let (ntk, lmc) = (with("ntk", &[]), with("lmc", &[]));
    for arguments in [JOB, &train, &run_file, DIET, &ntk, &lmc, &suspects] {
        let output = run(&program, &home, arguments);
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(text.lines().count(), 1, "{text}");
        for word in ["bin/datadiet-worker", "make build", "DATADIET_WORKER"] {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
    let mut named = Command::new(&program);
    named.current_dir(home.path()).env("DATADIET_HOME", home.path()).env("DATADIET_WORKER", "gone");
    let text = errors(&named.args(JOB).output().unwrap());
    assert!(text.contains("gone, but no such file") && text.lines().count() == 1, "{text}");
    for folder in ["store", "scores", "results", "diets"] {
        assert!(!home.path().join(folder).exists(), "{folder} was made");
    }
}

#[test]
fn what_does_not_train_needs_no_worker() {
    let home = Home::scored();
    let program = alone(&home);
    std::fs::write(home.path().join("all.toml"), ALL).unwrap();
    let plan = [DIET, &["--plan"]].concat();
    for arguments in [
        &["run", "all.toml", "--plan"][..],
        &plan,
        &with("lmc", &["--plan", "--examples", "50"]),
        &["runs", "list"],
        &["scores", "show", "out"],
        &["select", "out", "--keep", "0.5", "--out", "half.parquet"],
        &["suspects", "out", "--picture", "suspects.png"],
        &["report", "out"],
    ] {
        let output = run(&program, &home, arguments);
        assert!(output.status.success(), "{arguments:?}: {}", errors(&output));
    }
}

/// A worker that cannot start stops the job at once, with its own words, and not run by run.
#[cfg(unix)]
#[test]
fn a_worker_that_does_not_start_is_told_once() {
    use std::os::unix::fs::PermissionsExt;

    let home = Home::with_sample();
    let worker = home.path().join("worker.sh");
    for (script, expected) in
        [("exit 127", "no libtorch here"), ("exit 2", "no libtorch here"), ("", "cannot start")]
    {
        let text = format!("#!/bin/sh\necho 'no libtorch here' >&2\n{script}\n");
        std::fs::write(&worker, text).unwrap();
        let mode = if script.is_empty() { 0o644 } else { 0o755 };
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut command = home.command(&[JOB, &["--replicas", "9", "--quiet"]].concat());
        let output = command.env("DATADIET_WORKER", &worker).output().unwrap();
        let text = errors(&output);
        assert_eq!(output.status.code(), Some(1));
        assert!(text.contains("worker.sh") && text.contains(expected), "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}
