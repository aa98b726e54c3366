//! Leases between processes: of one machine, and of several that see one folder by mounts of their own, on which locks
//! of files are each mount's own.
#![cfg(unix)]

mod mounts;
mod process;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use datadiet_store::{Holder, Lease, LeaseWatch, RunProgress, StoreError};
use nix::sys::signal::Signal;

use mounts::Mounts;
use process::{Host, serve};

/// What the processes of these tests are: see [`Host`].
#[test]
fn host() {
    serve();
}

fn folders(root: &Path, count: usize) -> Vec<PathBuf> {
    let folder = |number| root.join(format!("run{number:03}"));
    let folders: Vec<PathBuf> = (0..count).map(folder).collect();
    folders.iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
    folders
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

#[test]
fn one_process_has_it_and_the_others_are_told_who() {
    let folder = folder();
    let lease = Lease::take(folder.path()).unwrap();
    let error = Lease::take(folder.path()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    let holder = Holder::of(folder.path()).unwrap().unwrap();
    assert!(holder.is_here() && holder.pid == std::process::id());
    for part in [&*format!("process {}", holder.pid), &holder.host, "since 2"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    lease.fence().pass().unwrap();
    drop(lease);
    assert_eq!(Holder::of(folder.path()).unwrap(), None);
    Lease::take(folder.path()).unwrap();
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(left.len(), 1, "the file `lock`, and no other: {left:?}");
}

#[test]
fn a_holder_that_was_killed_holds_nothing_at_once() {
    let folder = folder();
    let run = &folders(folder.path(), 1)[0];
    let mut host = Host::start("n1", 60.0);
    assert!(host.take(run));
    // The same machine by another name knows nothing of its processes.
    let mut other = Host::start("n2", 60.0);
    assert!(!other.take(run));
    host.signal(Signal::SIGKILL);
    let mut same = Host::start("n1", 60.0);
    let start = Instant::now();
    while !same.take(run) {
        assert!(start.elapsed() < Duration::from_secs(5), "a dead process holds it");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!other.take(run));
}

/// Another mount on the same machine has locks of its own, and a network file system may have lost them.
#[test]
fn a_holder_that_lives_is_not_gone_where_its_lock_is() {
    let folder = folder();
    let lease = Lease::take(folder.path()).unwrap();
    fs::remove_file(folder.path().join("lock")).unwrap();
    fs::write(folder.path().join("lock"), "").unwrap();
    assert!(matches!(Lease::take(folder.path()), Err(StoreError::Locked { .. })));
    assert!(LeaseWatch::new(folder.path()).holder().unwrap().is_some());
    lease.fence().pass().unwrap();
}

/// Locks of files are each machine's own here, as on some network file systems; whoever renews is alive.
#[test]
fn a_holder_that_renews_is_not_taken_over_and_tells_how_far_it_is() {
    let folder = folder();
    let run = &folders(folder.path(), 1)[0];
    let mut host = Host::start("n1", 3.0);
    assert!(host.take(run));
    host.tell(run, 7);
    let mut watch = LeaseWatch::new(run);
    let start = Instant::now();
    let (mut beats, mut told) = (std::collections::BTreeSet::new(), None);
    while beats.len() < 3 || told.is_none() {
        assert!(start.elapsed() < Duration::from_secs(60), "{beats:?}, {told:?}");
        beats.insert(watch.holder().unwrap().expect("it is held").beat);
        told = told.or(RunProgress::read(run));
        std::thread::sleep(Duration::from_millis(20));
    }
    let told = told.unwrap();
    assert_eq!((told.step, told.total, &*told.host), (7, 10, "n1"));
    assert!(host.passes(run));
}

#[test]
fn a_holder_is_asked_to_stop() {
    let folder = folder();
    let run = &folders(folder.path(), 1)[0];
    let lease = Lease::take(run).unwrap();
    fs::write(run.join("stop"), "").unwrap();
    let start = Instant::now();
    while lease.over().is_none() {
        assert!(start.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(20));
    }
    lease.fence().pass().expect("it saves its state before it goes");
    drop(lease);
    assert!(run.join("stop").exists(), "whoever waits for it is asked as well");
}

#[test]
fn of_an_older_version_only_the_lock_is_known() {
    let folder = folder();
    let file = fs::File::create(folder.path().join("lock")).unwrap();
    fs::write(folder.path().join("lock"), "process 4711\n").unwrap();
    // What it left behind.
    drop(Lease::take(folder.path()).unwrap());
    // While it is at work.
    fs::write(folder.path().join("lock"), "process 4711\n").unwrap();
    file.lock().unwrap();
    let error = Lease::take(folder.path()).unwrap_err().to_string();
    assert!(error.contains("locked by process 4711"), "{error}");
}

#[test]
fn a_lease_that_cannot_be_read_is_stale_after_its_time() {
    let folder = folder();
    fs::write(folder.path().join("lease.json"), "{\"tok").unwrap();
    assert!(matches!(Lease::take(folder.path()), Err(StoreError::Locked { .. })));
    let mut watch = LeaseWatch::new(folder.path());
    assert!(watch.holder().unwrap().unwrap().to_string().contains("unknown machine"));
}

/// Six processes on two mounts, each a machine of its own: whoever takes, one has it.
#[test]
fn of_six_that_take_a_run_by_two_mounts_one_has_it() {
    let Some(mounts) = Mounts::new(&[]) else { return };
    let runs = folders(mounts.below(), 100);
    let mut hosts: Vec<Host> = (0..6).map(|n| Host::start(&format!("n{n}"), 60.0)).collect();
    let mut wins = Vec::new();
    for run in &runs {
        let start = process::soon();
        for (n, host) in hosts.iter_mut().enumerate() {
            host.ask_to_take(&mounts.of(run, n), start);
        }
        wins.push(hosts.iter_mut().map(|host| usize::from(host.won())).sum::<usize>());
    }
    assert_eq!(wins, [1; 100]);
    // The one that has it knows, and no other.
    for (n, host) in hosts.iter_mut().enumerate() {
        let passed = runs.iter().filter(|run| host.passes(&mounts.of(run, n))).count();
        let held = runs.iter().filter_map(|run| Holder::of(run).unwrap());
        assert_eq!(passed, held.filter(|holder| holder.host == format!("n{n}")).count());
    }
}

/// A holder of a hundred runs is stopped, as a machine is that hangs: each run is taken over by one, and when it goes
/// on, it is told that it has none any more.
#[test]
fn a_holder_that_hangs_is_taken_over_by_one_and_fenced_when_it_wakes() {
    let Some(mounts) = Mounts::new(&[]) else { return };
    let runs = folders(mounts.below(), 100);
    let mut sleeper = Host::start("sleeper", 1.5);
    let own: Vec<PathBuf> = runs.iter().map(|run| mounts.of(run, 0)).collect();
    assert!(own.iter().all(|run| sleeper.take(run)));
    sleeper.signal(Signal::SIGSTOP);
    // By other machines, and by another process of its own, where its locks are still held.
    let names = ["n0", "n1", "n2", "n3", "n4", "sleeper"];
    let mut hosts: Vec<Host> = names.iter().map(|name| Host::start(name, 60.0)).collect();
    for (n, host) in hosts.iter_mut().enumerate() {
        let of: Vec<PathBuf> = runs.iter().map(|run| mounts.of(run, n)).collect();
        host.ask_to_take_over(&of);
    }
    let won: Vec<usize> = hosts.iter_mut().map(Host::count).collect();
    assert_eq!(won.iter().sum::<usize>(), 100, "{won:?}");
    assert!(won.iter().filter(|&&won| won > 0).count() > 1, "they did not race: {won:?}");
    sleeper.signal(Signal::SIGCONT);
    assert!(own.iter().all(|run| !sleeper.passes(run)), "it writes on");
    // What it lets go of is not what others hold.
    sleeper.drop_all();
    for (n, host) in hosts.iter_mut().enumerate() {
        let passed = runs.iter().filter(|run| host.passes(&mounts.of(run, n))).count();
        assert_eq!(passed, won[n], "{}", names[n]);
    }
}

/// A machine that remembers for six seconds what was there and what was not.
#[test]
fn a_machine_that_sees_late_neither_takes_what_is_held_nor_writes_what_it_lost() {
    let late = ["-o", "negative_timeout=6,entry_timeout=6,attr_timeout=6"];
    let Some(mounts) = Mounts::new(&late) else { return };
    let runs = folders(mounts.below(), 2);
    let late = |run: &Path| mounts.of(run, 0);
    let (mut slow, mut quick) = (Host::start("slow", 1.0), Host::start("quick", 60.0));
    // It has seen that nobody has the first.
    assert!(!late(&runs[0]).join("lease.json").exists());
    assert!(quick.take(&mounts.of(&runs[0], 1)));
    assert!(!slow.take(&late(&runs[0])), "two have it");
    // It has the second, and hangs.
    assert!(slow.take(&late(&runs[1])) && slow.passes(&late(&runs[1])));
    slow.signal(Signal::SIGSTOP);
    quick.ask_to_take_over(&[mounts.of(&runs[1], 1)]);
    assert_eq!(quick.count(), 1);
    slow.signal(Signal::SIGCONT);
    assert!(!slow.passes(&late(&runs[1])), "it writes on");
    assert!(quick.passes(&mounts.of(&runs[1], 1)));
}
