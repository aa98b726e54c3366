//! `datadiet runs gc`: removes runs that are of no more use, and what nothing refers to.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::Args;
use datadiet_lab::text::table;
use datadiet_store::{
    Cleaner, Garbage, Holder, Lease, LeaseWatch, RunFolder, Store, StoreError, Unused, UnusedKind,
};
use serde::Serialize;

use super::{Listed, State, all, listed, rows, silent};
use crate::output::OutputArgs;

/// Arguments of `runs gc`.
#[derive(Args)]
#[command(after_help = "\
Removes failed and damaged runs; a run that is being trained, or that cannot be read for want of
permission, is left alone. Also removes lists of ids and labels that nothing refers to any more,
measurements on runs that are gone, sweeps with nothing left to do, and what killed processes left
half-written; not while another datadiet command uses the store, since that may need them. Says what
it would remove until --yes is given.

Examples:
  datadiet runs gc                                   # what could go
  datadiet runs gc --unfinished --yes                # unfinished runs too
  datadiet runs gc --complete --data cifar10 --yes   # everything trained on cifar10")]
pub struct GcArgs {
    /// Also unfinished runs: their checkpoints are lost.
    #[arg(long)]
    unfinished: bool,
    /// Also complete and unfinished runs: to have their scores again they must be trained again.
    #[arg(long)]
    complete: bool,
    /// Only runs on this data set, with the lists and measurements that only they needed.
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// Remove them.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Serialize)]
struct Collected {
    removed: bool,
    runs: Vec<Listed>,
    /// Lists, measurements and leftovers.
    unused: Vec<Unused>,
    /// Why some of these were not looked for.
    note: Option<String>,
}

/// Removes what is of no more use, or says what that would be.
pub fn run(store: &Store, args: &GcArgs) -> Result<()> {
    let mut runs = all(store)?;
    if args.unfinished || args.complete {
        look_for_dead_holders(&mut runs);
    }
    runs.iter_mut().for_each(check_content);
    runs.retain(|run| is_garbage(run, args));
    let going: Vec<PathBuf> = runs.iter().map(|run| run.path.clone()).collect();
    let cleaner = store.cleaner();
    let planned =
        cleaner.as_ref().map(|all| all.garbage(&going, args.data.is_some())).transpose()?;
    let spares_new = cleaner.as_ref().is_some_and(Cleaner::spares_new);
    let note = note(planned.as_ref(), spares_new);
    let mut unused = planned.unwrap_or_default().unused;
    if args.yes {
        runs = remove_runs(runs)?;
        if let Some(cleaner) = &cleaner {
            remove_unused(cleaner, &mut unused)?;
        }
    }
    let collected = Collected { removed: args.yes, runs, unused, note };
    args.output.answer(&collected, || text(&collected))
}

/// Waits for leases that seem old until they are renewed, or are known to be of holders that are gone: these runs are
/// unfinished.
fn look_for_dead_holders(runs: &mut [Listed]) {
    let mut old = Vec::new();
    for run in runs {
        let holder = run.holder.as_ref().filter(|holder| silent(&run.path, holder).is_some());
        if let Some(Holder { beat, .. }) = holder {
            let (watch, beat) = (LeaseWatch::new(&run.path), *beat);
            old.push((run, watch, beat));
        }
    }
    if old.is_empty() {
        return;
    }
    let longest = old.iter().filter_map(|(run, ..)| run.holder.as_ref()).map(Holder::ttl).max();
    let (start, longest) = (Instant::now(), longest.unwrap_or_default() + Duration::from_secs(2));
    let seconds = longest.as_secs();
    eprintln!(
        "looks for up to {seconds} s whether {} runs are still trained that were not heard of for long",
        old.len()
    );
    while !old.is_empty() && start.elapsed() < longest {
        old.retain_mut(|(run, watch, beat)| match watch.holder() {
            Ok(Some(holder)) => holder.beat == *beat,
            // It stays: what cannot be looked at is not known to be of no use.
            Err(_) => true,
            Ok(None) => {
                **run = listed(&run.path);
                false
            }
        });
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Marks a complete run as damaged whose scores cannot be read, or whose weights are gone. Reading
/// them all takes a while, so only here.
fn check_content(run: &mut Listed) {
    let Ok((folder, spec)) = RunFolder::open(&run.path) else { return };
    let read = || {
        spec.record.steps.iter().try_for_each(|&step| folder.read_scores(step).map(drop))?;
        let mut weights = spec.record.weights.iter().map(|&step| folder.weights_file(step));
        match weights.find(|file| !file.exists()) {
            Some(file) => Err(StoreError::damaged(&file, "its weights are gone")),
            None => Ok(()),
        }
    };
    if run.state == State::Complete
        && let Err(problem) = read()
    {
        run.describe(&problem);
    }
}

fn is_garbage(run: &Listed, args: &GcArgs) -> bool {
    let of_no_use = match run.state {
        State::Training | State::Unreadable => false,
        State::Failed | State::Damaged => true,
        State::Unfinished => args.unfinished || args.complete,
        State::Complete | State::Foreign => args.complete,
    };
    of_no_use && args.data.as_ref().is_none_or(|name| run.data.as_ref() == Some(name))
}

/// Removes runs but those that a worker has begun to train meanwhile; gives those removed.
fn remove_runs(runs: Vec<Listed>) -> Result<Vec<Listed>> {
    let mut removed = Vec::new();
    for run in runs {
        match Lease::take(&run.path) {
            Err(StoreError::Locked { .. }) => continue,
            lock => lock?.remove_run()?,
        }
        removed.push(run);
    }
    Ok(removed)
}

/// Removes what was planned, but what runs still need that were to go and stayed.
fn remove_unused(cleaner: &Cleaner<'_>, planned: &mut Vec<Unused>) -> Result<()> {
    let now = cleaner.garbage(&[], false)?.unused;
    planned.retain(|unused| now.contains(unused));
    Ok(planned.iter().try_for_each(|unused| cleaner.remove(unused))?)
}

fn note(garbage: Option<&Garbage>, spares_new: bool) -> Option<String> {
    match garbage {
        None => Some(
            "another datadiet command uses this store and may need lists and measurements that nothing \
             refers to yet; run this again when it has ended to remove them too"
                .into(),
        ),
        Some(Garbage { unknown: Some(file), .. }) => Some(format!(
            "{} cannot be read and may refer to any list of ids or labels, so all lists stay",
            file.display()
        )),
        Some(_) if spares_new => Some(
            "lists, sweeps and half-written files of the last day stay: the store is on a file system of \
             several machines, where a command of another may still need them"
                .into(),
        ),
        Some(_) => None,
    }
}

fn text(collected: &Collected) -> String {
    let note = collected.note.as_ref().map(|note| format!("\n{note}")).unwrap_or_default();
    let Collected { runs, unused, .. } = collected;
    if runs.is_empty() && unused.is_empty() {
        return format!("nothing to remove{note}");
    }
    let bytes = runs.iter().map(|run| run.bytes).chain(unused.iter().map(|unused| unused.bytes));
    let bytes: u64 = bytes.sum();
    let of = |kind| unused.iter().filter(|unused| unused.kind == kind).count();
    let counts = [
        (runs.len(), "run"),
        (of(UnusedKind::List), "list"),
        (of(UnusedKind::Measurement), "measurement"),
        (of(UnusedKind::Sweep), "sweep"),
        (of(UnusedKind::Leftover), "leftover"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, word)| format!("{count} {word}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    let what = format!("{}, {:.1} MB", counts.join(", "), bytes as f64 / 1e6);
    let end = if collected.removed {
        format!("removed {what}")
    } else {
        format!("would remove {what}; add --yes to do it")
    };
    let mut parts = Vec::new();
    if !runs.is_empty() {
        parts.push(rows(runs));
    }
    if !unused.is_empty() {
        parts.push(unused_rows(unused));
    }
    parts.push(end + &note);
    parts.join("\n\n")
}

fn unused_rows(unused: &[Unused]) -> String {
    let row = |unused: &Unused| {
        let kind = match unused.kind {
            UnusedKind::List => "list",
            UnusedKind::Measurement => "measurement",
            UnusedKind::Sweep => "sweep",
            UnusedKind::Leftover => "leftover",
        };
        let mb = format!("{:.1}", unused.bytes as f64 / 1e6);
        vec![kind.into(), unused.path.display().to_string(), mb]
    };
    table(&["nothing refers to", "path", "MB"], unused.iter().map(row).collect(), 2)
}
