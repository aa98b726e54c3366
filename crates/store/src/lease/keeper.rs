//! Keeps a lease: renews it, tells how far its run is, hears whether it is to stop.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use datadiet_table::ASIDE;
use serde::{Deserialize, Serialize};

use super::{Holder, LEASE, PROGRESS, STOP, Written, create, take_away};
use crate::StoreError;
use crate::run_folder::read_json;

/// Time between two looks of the thread.
const PAUSE: Duration = Duration::from_secs(1);
/// Time between two looks whether it is asked to stop, where an engine started it: the store may be a network away, and
/// many look.
const FAR: Duration = Duration::from_secs(10);
/// How long a lease may be out of sight: somebody who took it away by mistake is giving it back.
const AWAY: Duration = Duration::from_secs(2);

/// Why a lease is over before its run is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// Another process has taken the run over, or it could not be renewed for so long that one may.
    Lost(String),
    /// Somebody asked for it.
    Asked,
}

/// How far a run is, in `progress.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunProgress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub total: u64,
    /// Mean loss of the last minibatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// What it is busy with, where that is worth telling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doing: Option<String>,
    /// The machine.
    #[serde(default)]
    pub host: String,
    /// The process.
    #[serde(default)]
    pub pid: u32,
    /// What an engine calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
}

impl RunProgress {
    pub(super) fn of(step: u64, total: u64, loss: Option<f64>, doing: Option<String>) -> Self {
        Self { step, total, loss, doing, host: String::new(), pid: 0, job: None }
    }

    /// That of the run in `folder`, if a process told it; whether that process still trains it, its lease tells.
    pub fn read(folder: &Path) -> Option<Self> {
        read_json(&folder.join(PROGRESS)).ok().flatten()
    }
}

/// A lease that is held.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) folder: PathBuf,
    state: Mutex<State>,
    over: Mutex<(Option<Over>, Vec<&'static AtomicBool>)>,
    progress: Mutex<Told>,
}

#[derive(Debug)]
struct State {
    holder: Holder,
    /// When it was renewed last.
    renewed: Instant,
}

/// How far the run is, and whether others know.
#[derive(Debug, Default)]
struct Told {
    at: Option<RunProgress>,
    is_new: bool,
    written: bool,
}

/// Whose a lease is now.
enum Whose {
    Ours,
    Others(Option<Holder>),
    Nobodys,
}

impl Inner {
    pub(super) fn new(folder: PathBuf, holder: Holder) -> Self {
        Self {
            folder,
            state: Mutex::new(State { holder, renewed: Instant::now() }),
            over: Mutex::default(),
            progress: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(super) fn stops(&self, stop: &'static AtomicBool) {
        let mut over = self.over.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if over.0.is_some() {
            stop.store(true, Ordering::Relaxed);
        }
        over.1.push(stop);
    }

    pub(super) fn over(&self) -> Option<Over> {
        self.over.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).0.clone()
    }

    fn end(&self, why: Over) {
        let mut over = self.over.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        over.0 = Some(why);
        over.1.iter().for_each(|stop| stop.store(true, Ordering::Relaxed));
    }

    pub(super) fn at(&self, progress: RunProgress) {
        let mut told = self.progress.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        (told.at, told.is_new) = (Some(progress), true);
    }

    /// What the thread does until the lease is dropped or lost.
    pub(super) fn keep(&self, ended: &Receiver<()>) {
        let ttl = self.state().holder.ttl();
        let pause = PAUSE.min(ttl / 6);
        let far = if self.state().holder.job.is_some() { FAR } else { Duration::ZERO };
        let mut looked = Instant::now();
        while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(pause) {
            self.tell();
            if self.over().is_none() && looked.elapsed() >= far {
                looked = Instant::now();
                if self.folder.join(STOP).exists() {
                    self.end(Over::Asked);
                }
            }
            let due = self.state().renewed.elapsed() >= ttl / 3;
            if due && self.check_within(Duration::ZERO).is_err_and(|error| self.is_final(&error)) {
                return;
            }
        }
    }

    /// Whether a lease that could not be renewed is lost: the file system may answer again.
    fn is_final(&self, error: &StoreError) -> bool {
        let state = self.state();
        let (silent, ttl) = (state.renewed.elapsed(), state.holder.ttl());
        drop(state);
        if !matches!(error, StoreError::Fenced { .. }) && silent < ttl / 6 * 5 {
            return false;
        }
        self.end(Over::Lost(error.to_string()));
        true
    }

    /// Finds out whether the lease is still ours, and renews it where that is due.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let checked = self.check_within(AWAY);
        if let Err(error @ StoreError::Fenced { .. }) = &checked {
            self.end(Over::Lost(error.to_string()));
        }
        checked
    }

    /// The same; it may be out of sight, or the file system silent, for as long as `patience`.
    fn check_within(&self, patience: Duration) -> Result<(), StoreError> {
        let start = Instant::now();
        loop {
            let mut state = self.state();
            let looked = match self.look(&mut state) {
                Ok(Whose::Ours) => return Ok(()),
                Ok(Whose::Others(holder)) => return Err(self.fenced(holder)),
                // Who took it away did not take it: it is anybody's, and so ours, if we did not sleep.
                Ok(Whose::Nobodys) if state.renewed.elapsed() < state.holder.ttl() => {
                    match start.elapsed() >= patience {
                        true => self.take_again(&mut state),
                        false => Ok(false),
                    }
                }
                Ok(Whose::Nobodys) => return Err(self.fenced(None)),
                Err(error) => Err(error),
            };
            match looked {
                Ok(true) => return Ok(()),
                Err(error) if start.elapsed() >= patience => return Err(error),
                _ => {}
            }
            drop(state);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Looks whose it is, and renews it where that is due and it is ours.
    fn look(&self, state: &mut State) -> Result<Whose, StoreError> {
        let due = state.renewed.elapsed() >= state.holder.ttl() / 3;
        let path = self.folder.join(LEASE);
        let opened = OpenOptions::new().read(true).write(due).open(&path);
        let mut file = match opened {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Whose::Nobodys),
            opened => opened.map_err(StoreError::io("open", &path))?,
        };
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(StoreError::io("read", &path))?;
        let written = Written::new(text);
        if !written.is_of(&state.holder) {
            return Ok(Whose::Others(written.holder));
        }
        if due {
            state.holder.beat += 1;
            // Into the file that was looked at: if that is taken away meanwhile, the next holder's is another.
            let renewed = file
                .seek(SeekFrom::Start(0))
                .and_then(|_| file.write_all(&state.holder.text()))
                .and_then(|()| file.sync_data());
            renewed.map_err(StoreError::io("write", &path))?;
            state.renewed = Instant::now();
        }
        Ok(Whose::Ours)
    }

    fn take_again(&self, state: &mut State) -> Result<bool, StoreError> {
        state.holder.beat += 1;
        let again = create(&self.folder, &state.holder)?;
        if again {
            state.renewed = Instant::now();
        }
        Ok(again)
    }

    fn fenced(&self, holder: Option<Holder>) -> StoreError {
        let holder = holder.map_or("another process".into(), |holder| holder.to_string());
        StoreError::fenced(&self.folder, holder)
    }

    /// Tells others how far the run is, where there is something new.
    fn tell(&self) {
        let mut told = self.progress.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !std::mem::take(&mut told.is_new) {
            return;
        }
        let Some(mut at) = told.at.clone() else { return };
        let state = self.state();
        let Holder { host, pid, job, token, .. } = state.holder.clone();
        drop(state);
        let aside = self.folder.join(format!("{ASIDE}progress-{token}"));
        (at.host, at.pid, at.job) = (host, pid, job);
        let text = serde_json::to_vec(&at).expect("progress is plain data");
        // It needs not survive a crash, and whoever cannot be told is not told.
        let written = std::fs::write(&aside, text)
            .and_then(|()| std::fs::rename(&aside, self.folder.join(PROGRESS)));
        told.written |= written.is_ok();
    }

    /// Lets go of it, if it is still ours.
    pub(super) fn let_go(&self) {
        let ours = matches!(self.over(), None | Some(Over::Asked));
        let told = self.progress.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if told.written && ours {
            let _ = std::fs::remove_file(self.folder.join(PROGRESS));
        }
        let state = self.state();
        let _ = take_away(&self.folder, |now| now.is_of(&state.holder));
    }
}
