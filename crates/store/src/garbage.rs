//! What no run needs: lists that nothing refers to, measurements on runs that are gone, sweeps without
//! anything left to do, and what killed writers left behind.
//!
//! A list is needed if a run, a measurement or a sweep that stays names its SHA-256. That is looked for in
//! any JSON, so that it holds for the specifications of other versions too.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use datadiet_table::remove_folder_atomically;
use serde::Serialize;
use serde_json::Value;

use crate::lease::{GONE, LEASE, PROGRESS, STOP};
use crate::measurement::REQUEST;
use crate::run_folder::{CHECKPOINT, RESULT, SPEC, bytes_below};
use crate::store::{entries, is_aside};
use crate::store_lock::locks_reach_all;
use crate::sweep_folder::PLAN;
use crate::{Holder, MeasurementFolder, Store, StoreError, SweepFolder, TaskLine};

/// A store that nobody else has open, as far as locks of files tell. Runs may still be trained in it.
#[derive(Debug)]
pub struct Cleaner<'a> {
    store: &'a Store,
    /// Where they do not tell of other machines: what is younger stays, since somebody may have it in hand.
    spared: Option<Duration>,
}

/// Nobody has something in hand for longer and does not touch it.
const SPARED: Duration = Duration::from_secs(24 * 3600);

/// What no run needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Garbage {
    /// What can be removed.
    pub unused: Vec<Unused>,
    /// A specification that stays and cannot be read: it may refer to any list, so all lists stay.
    pub unknown: Option<PathBuf>,
}

/// A file or folder of the store that no run needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unused {
    /// What it is.
    pub kind: UnusedKind,
    /// Where it is.
    pub path: PathBuf,
    /// Its size on disk.
    pub bytes: u64,
}

/// Kinds of files and folders beside runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnusedKind {
    /// Ids or labels.
    List,
    /// What was measured on runs that are gone, or what cannot be read.
    Measurement,
    /// A sweep all of whose tasks are done or gone.
    Sweep,
    /// Half-written, or half-removed, by a process that was killed.
    Leftover,
}

impl Store {
    /// The store for oneself, to see and remove what no run needs; none while another process, or
    /// another part of this one, has it open.
    pub fn cleaner(&self) -> Option<Cleaner<'_>> {
        let spared = (!locks_reach_all(self.root())).then_some(SPARED);
        self.lock().alone().then_some(Cleaner { store: self, spared })
    }
}

impl Drop for Cleaner<'_> {
    fn drop(&mut self) {
        self.store.lock().share_again();
    }
}

impl Cleaner<'_> {
    /// Whether lists, sweeps and half-written files of the last day stay, whoever needs them: the store is on a file
    /// system of several machines, on which each may see its own locks alone.
    pub fn spares_new(&self) -> bool {
        self.spared.is_some()
    }

    /// Whether somebody may have it in hand.
    fn is_spared(&self, path: &Path) -> bool {
        let Some(spared) = self.spared else { return false };
        let modified = |path: &Path| path.metadata().and_then(|about| about.modified()).ok();
        let inside = entries(path).unwrap_or_default();
        let newest = inside.iter().filter_map(|path| modified(path)).chain(modified(path)).max();
        // Whoever keeps the files may have a clock that is ahead.
        let is_old = |at: SystemTime| at.elapsed().is_ok_and(|age| age >= spared);
        newest.is_some_and(|at| !is_old(at))
    }

    /// What no run needs once the run folders `going` are gone; with `only_theirs`, only what these
    /// needed.
    ///
    /// # Errors
    /// When folders of the store cannot be read.
    pub fn garbage(&self, going: &[PathBuf], only_theirs: bool) -> Result<Garbage, StoreError> {
        let root = self.store.root();
        let mut staying = self.store.run_folders()?;
        staying.retain(|run| !going.contains(run));
        let stays = |run: &str| staying.iter().any(|folder| is_named(folder, run));
        let goes = |run: &str| going.iter().any(|folder| is_named(folder, run));
        let (mut needed, mut theirs) = (References::default(), References::default());
        staying.iter().for_each(|run| needed.add(&run.join(SPEC)));
        going.iter().for_each(|run| theirs.add(&run.join(SPEC)));

        let mut unused = Vec::new();
        for path in entries(&root.join("measurements"))? {
            let file = path.join(REQUEST);
            let (of_no_use, their) = match MeasurementFolder::open(&path) {
                _ if !path.is_dir() || is_aside(&path) => continue,
                Ok((_, measurement)) => {
                    let runs = measurement.runs();
                    let gone = runs.iter().any(|run| !stays(run.as_str()));
                    (gone, runs.iter().any(|run| goes(run.as_str())))
                }
                Err(_) => (is_damaged(&file), false),
            };
            if of_no_use && (their || !only_theirs) {
                theirs.add(&file);
                unused.push(Unused::new(UnusedKind::Measurement, path));
            } else {
                needed.add(&file);
            }
        }
        for sweep in SweepFolder::all(self.store)? {
            let has_more = self.has_more(&sweep, going);
            if has_more || only_theirs || self.is_spared(sweep.path()) {
                needed.add(&sweep.path().join(PLAN));
            } else {
                unused.push(Unused::new(UnusedKind::Sweep, sweep.path().to_owned()));
            }
        }
        for path in entries(&root.join("lists"))?.into_iter().filter(|path| !is_aside(path)) {
            let needed = needed.unknown.is_some() || needed.has(&path);
            let wanted = theirs.has(&path) || !only_theirs;
            if !needed && wanted && !self.is_spared(&path) {
                unused.push(Unused::new(UnusedKind::List, path));
            }
        }
        if !only_theirs {
            unused.extend(self.leftovers()?.filter(|left| !self.is_spared(&left.path)));
        }
        Ok(Garbage { unused, unknown: needed.unknown })
    }

    /// Whether a task of a sweep may still be carried out, once some runs are gone. One that cannot be read stays.
    fn has_more(&self, sweep: &SweepFolder, going: &[PathBuf]) -> bool {
        let Ok(tasks) = sweep.tasks() else { return true };
        let root = self.store.root();
        let is_open = |task: &TaskLine| {
            let folder = root.join(task.verb.parent()).join(&task.id);
            folder.is_dir() && !folder.join(RESULT).exists() && !going.contains(&folder)
        };
        tasks.iter().any(is_open)
    }

    /// Files and folders that writers left. What is in an unfinished run is for the next that takes its
    /// lease; a complete one needs no checkpoint.
    fn leftovers(&self) -> Result<impl Iterator<Item = Unused>, StoreError> {
        let root = self.store.root();
        let mut folders = ["", "lists", "runs", "measurements", "sweeps", "answers"]
            .map(|name| root.join(name))
            .to_vec();
        folders.extend(entries(&root.join("measurements"))?.into_iter().filter(|at| at.is_dir()));
        let mut found = Vec::new();
        for folder in folders.iter().filter(|folder| !is_aside(folder)) {
            found.extend(entries(folder)?.into_iter().filter(|path| is_aside(path)));
        }
        let runs = self.store.run_folders()?;
        for run in runs.iter().filter(|run| run.join(RESULT).exists()) {
            let of_a_holder = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                is_aside(path)
                    || name.starts_with(GONE)
                    || [LEASE, PROGRESS, STOP].contains(&&*name)
            };
            found.extend(Some(run.join(CHECKPOINT)).filter(|file| file.exists()));
            // Of one that was killed just when it was done.
            if Holder::of(run)?.is_none() {
                found.extend(entries(run)?.into_iter().filter(of_a_holder));
            }
        }
        Ok(found.into_iter().map(|path| Unused::new(UnusedKind::Leftover, path)))
    }

    /// Removes it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, unused: &Unused) -> Result<(), StoreError> {
        let path = &unused.path;
        let removed = match unused.kind {
            UnusedKind::Measurement | UnusedKind::Sweep => {
                return Ok(remove_folder_atomically(path)?);
            }
            UnusedKind::Leftover if path.is_dir() => fs::remove_dir_all(path),
            UnusedKind::Leftover | UnusedKind::List => fs::remove_file(path),
        };
        match removed {
            // Its own worker may have come to it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(StoreError::io("remove", path)),
        }
    }
}

impl Unused {
    fn new(kind: UnusedKind, path: PathBuf) -> Self {
        let bytes = match path.is_dir() {
            true => bytes_below(&path),
            false => path.metadata().map_or(0, |about| about.len()),
        };
        Self { kind, path, bytes }
    }
}

/// Lists that specifications name.
#[derive(Default)]
struct References {
    sums: HashSet<String>,
    unknown: Option<PathBuf>,
}

impl References {
    /// Adds those of a file; one that is missing names none.
    fn add(&mut self, file: &Path) {
        let text = match fs::read(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            read => read.unwrap_or_default(),
        };
        match serde_json::from_slice(&text) {
            Ok(value) => self.collect(&value),
            Err(_) => self.unknown = Some(file.to_owned()),
        }
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                let sum = fields.get("sha256").and_then(Value::as_str);
                self.sums.extend(sum.map(str::to_owned));
                fields.values().for_each(|value| self.collect(value));
            }
            Value::Array(values) => values.iter().for_each(|value| self.collect(value)),
            _ => {}
        }
    }

    fn has(&self, list: &Path) -> bool {
        list.file_stem().and_then(OsStr::to_str).is_some_and(|sum| self.sums.contains(sum))
    }
}

fn is_named(folder: &Path, run: &str) -> bool {
    folder.file_name().is_some_and(|name| name == run)
}

/// Whether a file is missing or is not JSON. What cannot be read is not known to be damaged, and what
/// another version wrote is not.
fn is_damaged(file: &Path) -> bool {
    match fs::read(file) {
        Ok(text) => serde_json::from_slice::<Value>(&text).is_err(),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_stays_where_locks_do_not_tell_of_other_machines() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let keep = || drop(store.keep_list(&[3, 1, 2]).unwrap());
        keep();
        let lists = entries(&store.root().join("lists")).unwrap();
        let mut cleaner = store.cleaner().unwrap();
        let paths = |cleaner: &Cleaner<'_>| -> Vec<PathBuf> {
            let unused = cleaner.garbage(&[], false).unwrap().unused;
            unused.into_iter().map(|unused| unused.path).collect()
        };
        cleaner.spared = None;
        assert_eq!(paths(&cleaner), lists);
        cleaner.spared = Some(SPARED);
        assert_eq!(paths(&cleaner), [] as [PathBuf; 0]);
        let file = fs::File::options().write(true).open(&lists[0]).unwrap();
        file.set_modified(SystemTime::now() - 2 * SPARED).unwrap();
        assert_eq!(paths(&cleaner), lists);
        // Somebody is about to refer to it again.
        keep();
        assert_eq!(paths(&cleaner), [] as [PathBuf; 0]);
    }
}
