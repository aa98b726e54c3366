//! A writer of the store may be killed at any moment. Here it is, before each of its changes of the
//! file system in turn, and what it leaves is opened as a reader would: every run, list and measurement
//! is whole or not there, nothing half-written is taken for finished, and the same command again ends
//! with the same bytes as if nothing had happened.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod job;
mod order;
mod stop;

use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use datadiet_store::{Lease, Store, UnusedKind};
use job::Files;
use stop::Ended;
use tempfile::TempDir;

/// A child shares the open files of all threads at the moment of its birth, so one test goes at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Kills `writer` before its first change, its second, and so on until it ends by itself; each time
/// in a store that `before` has made, each time followed by all checks.
fn kill_before_each_change(before: impl Fn(&Path), writer: impl Fn(&Path)) {
    let _alone = alone();
    let undisturbed = undisturbed();
    let mut killed = 0;
    loop {
        let folder = folder();
        let root = folder.path().join("store");
        before(&root);
        match stop::before_change(killed, || writer(&root)) {
            Ended::Killed(change) => {
                check(&root, &undisturbed, &format!("killed before change {killed}, {change}"));
            }
            Ended::ByItself => break,
            Ended::Untraceable => {
                eprintln!("processes cannot be traced here: killed_at_any_time is what is left");
                return;
            }
        }
        killed += 1;
    }
    assert!(killed > 5, "only {killed} changes were seen");
}

/// What a reader finds, what the same command makes of it, and what remains to be cleaned up.
fn check(root: &Path, undisturbed: &Files, when: &str) {
    job::check(root, when);
    job::job(root);
    job::check(root, when);
    job::check_complete(root, when);
    let store = Store::open(root).unwrap();
    let cleaner = store.cleaner().expect("nobody else has it open");
    let garbage = cleaner.garbage(&[], false).unwrap();
    assert_eq!(garbage.unknown, None, "{when}");
    for unused in &garbage.unused {
        assert_eq!(unused.kind, UnusedKind::Leftover, "{when}: {unused:?}");
        cleaner.remove(unused).unwrap();
    }
    assert_eq!(&job::files(root), undisturbed, "{when}");
}

/// What the same command makes when nothing happens to it.
fn undisturbed() -> Files {
    let folder = folder();
    job::job(folder.path());
    job::files(folder.path())
}

/// In memory where possible: to sync a disk takes long, and says nothing about a killed process.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn nothing(_: &Path) {}

#[test]
fn a_run_its_lists_and_a_measurement() {
    kill_before_each_change(nothing, job::job);
}

#[test]
fn a_run_that_fails_and_is_tried_again() {
    let fail = |root: &Path| {
        job::fail(root);
        job::run(root).retry().unwrap();
    };
    kill_before_each_change(nothing, fail);
}

#[test]
fn a_run_that_is_removed_with_all_that_nothing_refers_to_then() {
    kill_before_each_change(job::job, |root| {
        Lease::take(job::run(root).path()).unwrap().remove_run().unwrap();
        let store = Store::open(root).unwrap();
        let cleaner = store.cleaner().unwrap();
        let garbage = cleaner.garbage(&[], false).unwrap();
        assert!(garbage.unused.len() >= 3, "{garbage:?}");
        garbage.unused.iter().try_for_each(|unused| cleaner.remove(unused)).unwrap();
    });
}

/// The way that needs no tracing: later and later, until the writer is done before.
#[test]
fn killed_at_any_time() {
    let _alone = alone();
    let undisturbed = undisturbed();
    for step in 0.. {
        let folder = folder();
        let root = folder.path().join("store");
        let delay = Duration::from_micros(300) * step;
        match stop::after(delay, || job::job(&root)) {
            Ended::ByItself => return,
            _ => check(&root, &undisturbed, &format!("killed after {delay:?}")),
        }
    }
}

/// Killing a process loses nothing that it wrote; a machine that goes down does. So what is renamed
/// must be synced before, and the folder after, before anything else that builds on it.
#[test]
fn files_are_synced_before_they_are_renamed_and_folders_after() {
    let _alone = alone();
    let folder = folder();
    let root = folder.path().join("store");
    match stop::changes(|| job::job(&root)) {
        Some(changes) => order::check(folder.path(), &changes),
        None => eprintln!("processes cannot be traced here: the order of syncing is not checked"),
    }
}
