//! The command and the worker are of one version.

use assert_cmd::Command;

use crate::support::{Home, errors};

#[test]
fn a_worker_refuses_a_command_of_another_version() {
    let home = Home::empty();
    let mut worker = Command::new(crate::worker(home.path()));
    worker.args(["train", "folder", "--data-home", "data", "--asked-by", "99.0.0"]);
    let output = worker.output().unwrap();
    assert_eq!(output.status.code(), Some(2), "the command takes this as: nothing can be trained");
    let text = errors(&output);
    let own = env!("CARGO_PKG_VERSION");
    assert!(text.contains("99.0.0") && text.contains(own), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
}

#[test]
fn both_say_the_same_version() {
    let home = Home::empty();
    let command = home.command(&["--version"]).output().unwrap().stdout;
    let worker = Command::new(crate::worker(home.path())).arg("--version").output().unwrap().stdout;
    let version =
        |text: Vec<u8>| String::from_utf8(text).unwrap().split(' ').nth(1).map(str::to_owned);
    assert_eq!(version(command), version(worker));
}
