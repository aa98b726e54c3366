//! Who trains a run, or makes a measurement: a lease that is taken, renewed and, once it is stale, taken over.
//!
//! Locks of files are not relied on: on many network file systems they are each machine's own, in silence. What holds
//! on all of them is that a name is made once (`link`) and renamed by one (`rename`). So a lease is a file,
//! `lease.json`, that says who holds it, with a random token; whoever makes it has it, and renews it by counting a
//! number in it up, in place. A watcher that has seen the same bytes for the lease's whole time to live, by its own
//! clock, takes it away: clocks of two machines are never compared. The holder looks for its token before it writes
//! anything that counts ([`Fence`]), so one that slept meanwhile finds out and stops.
//!
//! On the holder's own machine more is known, and nobody waits: where its process is gone the lease is stale at
//! once, unless the file `lock` is still locked, which programs that it starts inherit: while one lives that it left
//! behind, the run stays held. That the file is not locked tells nothing of a process that lives.
//!
//! What remains: a holder that sleeps for longer than the time to live *between* its look and the renaming of a file
//! that it has written may replace a file by another of the same run and specification.

mod guard;
mod holder;
mod keeper;
mod watch;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use datadiet_core::Progress;
use datadiet_core::progress::Event;
use datadiet_table::{ASIDE, remove_folder_atomically};

use crate::{StoreError, random};
use guard::Guard;
use keeper::Inner;

pub use holder::{Holder, job_of_environment};
pub use keeper::{Over, RunProgress};
pub use watch::LeaseWatch;

use holder::{Life, Written};

/// The file that says who holds a run.
pub(crate) const LEASE: &str = "lease.json";
/// How names of leases begin that are being taken away.
pub(crate) const GONE: &str = ".gone-";
/// What asks the holder to save and go, and whoever waits for the run not to take it.
pub(crate) const STOP: &str = "stop";
/// How far the holder is.
pub(crate) const PROGRESS: &str = "progress.json";

/// Held while a process trains a run; let go of when dropped.
#[derive(Debug)]
pub struct Lease {
    inner: Arc<Inner>,
    guard: Option<File>,
    ended: Option<Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the run in `folder`, whether or not its specification can be read, and removes the half-written
    /// files of a holder that was killed. From now on a thread renews the lease.
    ///
    /// # Errors
    /// [`StoreError::Locked`], naming the holder, while another process has it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        /// Takers that were quicker may let go at once, or not be seen yet.
        const TRIES: usize = 5;
        for attempt in 0..TRIES {
            if let Some(written) = Written::read(folder)? {
                match written.life(folder) {
                    Life::Gone => {
                        take_away(folder, |now| now == &written)?;
                    }
                    life => return Err(written.locked(folder, life)),
                }
            }
            let guard = match Guard::take(folder)? {
                Guard::Held(_) if folder.join(LEASE).exists() => continue,
                Guard::Held(holder) => {
                    let left = ", or by one that it started and left behind";
                    return Err(StoreError::locked(folder, holder + left));
                }
                Guard::Taken(file) => Some(file),
                Guard::None => None,
            };
            let holder = Holder::this(guard.is_some())?;
            if create(folder, &holder)? {
                clear(folder);
                return Ok(Self::kept(folder, holder, guard));
            }
            drop(guard);
            std::thread::sleep(Duration::from_millis(5 * attempt as u64));
        }
        Err(StoreError::locked(folder, "another process".into()))
    }

    /// Takes it with some patience: who trained a run for a parent that was killed saves its state before it lets
    /// go.
    ///
    /// # Errors
    /// [`StoreError::Locked`], naming the holder, while another process goes on.
    pub fn take_patiently(folder: &Path) -> Result<Self, StoreError> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let start = Instant::now();
        loop {
            match Self::take(folder) {
                Err(StoreError::Locked { .. }) if start.elapsed() < PATIENCE => {
                    std::thread::sleep(Duration::from_millis(200));
                }
                other => return other,
            }
        }
    }

    fn kept(folder: &Path, holder: Holder, guard: Option<File>) -> Self {
        let inner = Arc::new(Inner::new(folder.to_owned(), holder));
        let (ended, told) = channel();
        let keeper = {
            let inner = inner.clone();
            std::thread::Builder::new()
                .name("lease".into())
                .spawn(move || inner.keep(&told))
                // Without a thread the fence renews it, before each write.
                .ok()
        };
        Self { inner, guard, ended: Some(ended), keeper }
    }

    /// What is asked before each write that counts.
    pub fn fence(&self) -> Fence {
        Fence(self.inner.clone())
    }

    /// A locked file: while a process that inherited it lives, nobody else on this machine takes the run. None where
    /// files cannot be locked.
    pub fn guard(&self) -> Option<&File> {
        self.guard.as_ref()
    }

    /// Has `stop` set when the lease is over.
    pub fn stops(&self, stop: &'static AtomicBool) {
        self.inner.stops(stop);
    }

    /// Whether, and why, it is not to go on: another process has the run, or somebody asked it to stop.
    pub fn over(&self) -> Option<Over> {
        self.inner.over()
    }

    /// Tells others how far the run is, of `total`, in `progress.json`; what it hears goes on to `progress`.
    pub fn telling<'a>(&'a self, total: u64, progress: &'a dyn Progress) -> Telling<'a> {
        Telling { inner: &self.inner, total, progress }
    }

    /// Removes the run with all that it has, damaged or not.
    ///
    /// # Errors
    /// When it cannot be removed, or another process has taken it over.
    pub fn remove_run(self) -> Result<(), StoreError> {
        self.inner.check()?;
        Ok(remove_folder_atomically(&self.inner.folder)?)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.ended.take());
        if let Some(keeper) = self.keeper.take() {
            let _ = keeper.join();
        }
        self.inner.let_go();
    }
}

/// Asked before each write that counts whether the run is still this process's.
#[derive(Clone, Debug)]
pub struct Fence(Arc<Inner>);

impl Fence {
    /// Lets it pass.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process has taken the run over.
    pub fn pass(&self) -> Result<(), StoreError> {
        self.0.check()
    }
}

/// Hears how far a run is, and tells others.
pub struct Telling<'a> {
    inner: &'a Inner,
    total: u64,
    progress: &'a dyn Progress,
}

impl Progress for Telling<'_> {
    fn tell(&self, event: &Event<'_>) {
        if let Event::At { done, loss, doing, .. } = event {
            let doing = doing.as_ref().map(|doing| doing.clone().into_owned());
            self.inner.at(RunProgress::of(*done, self.total, *loss, doing));
        }
        self.progress.tell(event);
    }
}

/// Makes the lease of a holder, if there is none. Says whether it did.
fn create(folder: &Path, holder: &Holder) -> Result<bool, StoreError> {
    let path = folder.join(LEASE);
    let aside = folder.join(format!("{ASIDE}lease-{}", random::token()?));
    let make = |path: &Path| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(&holder.text())
    };
    make(&aside).map_err(StoreError::io("write", &aside))?;
    let linked = fs::hard_link(&aside, &path);
    let _ = fs::remove_file(&aside);
    match linked {
        Ok(()) => return Ok(true),
        // Whoever has just taken it cleans up.
        Err(error) if error.kind() == ErrorKind::NotFound && folder.is_dir() => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(StoreError::io("write", &path)(error));
        }
        // An answer that was lost on the way may say so of one's own success.
        Err(_) if Written::read(folder)?.is_some_and(|now| now.is_of(holder)) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
        // There are no links here.
        Err(_) => {}
    }
    match make(&path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(StoreError::io("write", &path)(error)),
    }
}

/// Takes a lease away if it is the one that is meant, whoever holds it; one process does. Says whether it did.
fn take_away(folder: &Path, is_meant: impl Fn(&Written) -> bool) -> Result<bool, StoreError> {
    let path = folder.join(LEASE);
    if !Written::read(folder)?.is_some_and(|now| is_meant(&now)) {
        return Ok(false);
    }
    let aside = folder.join(format!("{GONE}{}", random::token()?));
    match fs::rename(&path, &aside) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        renamed => renamed.map_err(StoreError::io("rename", &path))?,
    }
    let meant = match Written::read_file(&aside)? {
        Some(taken) => is_meant(&taken),
        None => true,
    };
    // Somebody was quicker, and this is the lease of the next.
    if !meant && fs::hard_link(&aside, &path).is_err() && !path.exists() {
        let _ = fs::rename(&aside, &path);
    }
    let _ = fs::remove_file(&aside);
    Ok(meant)
}

/// Removes what those left behind who held the run before. What cannot be removed does no harm.
fn clear(folder: &Path) {
    let _ = fs::remove_file(folder.join(PROGRESS));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if name.starts_with(GONE) && is_left_behind(&path) {
            let _ = fs::remove_file(path);
        }
    }
    remove_half_written(folder);
}

/// Whether a lease that was taken away is nobody's any more: its holder is gone, or it is old.
fn is_left_behind(path: &Path) -> bool {
    const OLD: Duration = Duration::from_secs(3600);
    let written = Written::read_file(path).ok().flatten();
    let age = fs::metadata(path).and_then(|about| about.modified()).ok();
    let age = age.and_then(|modified| modified.elapsed().ok());
    written.is_some_and(|written| written.is_gone()) || age.is_some_and(|age| age > OLD)
}

/// Only the holder writes files here, so whatever is aside was left behind; others who want the lease try again.
fn remove_half_written(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(ASIDE) {
            let _ = fs::remove_file(entry.path());
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_half_written(&entry.path());
        }
    }
}
