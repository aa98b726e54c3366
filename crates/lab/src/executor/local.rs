//! Tasks on this machine: a thread each, around a [`Trainer`]. Nothing is written down for others.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread::Scope;
use std::time::Duration;

use datadiet_core::Progress;
use datadiet_core::progress::Event;
use datadiet_store::{MeasurementFolder, RunFolder, Store, Verb};

use super::{End, Executor, Happened, Task};
use crate::{LabError, Trainer, TrainerError};

/// Carries out so many tasks at a time here.
pub struct Local<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    shared: &'env Shared<'env>,
    events: Mutex<Receiver<Happened>>,
}

struct Shared<'a> {
    trainer: &'a dyn Trainer,
    store: &'a Store,
    workers: usize,
    stop: AtomicBool,
    /// Set where a trainer panicked: its task never ends.
    broken: AtomicBool,
    state: Mutex<State>,
    more: Condvar,
    told: Sender<Happened>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    threads: usize,
    idle: usize,
    closed: bool,
}

/// Has `work` done with an executor that gives tasks in `store` to a trainer, at most `workers` at a time.
pub fn with<R>(
    trainer: &dyn Trainer,
    store: &Store,
    workers: usize,
    work: impl FnOnce(&dyn Executor) -> R,
) -> R {
    let (told, events) = channel();
    let shared = Shared {
        trainer,
        store,
        workers: workers.max(1),
        stop: AtomicBool::new(false),
        broken: AtomicBool::new(false),
        state: Mutex::default(),
        more: Condvar::new(),
        told,
    };
    std::thread::scope(|scope| {
        let _closes = Closes(&shared);
        work(&Local { scope, shared: &shared, events: Mutex::new(events) })
    })
}

/// Lets the threads go, also when there was a panic.
struct Closes<'a>(&'a Shared<'a>);

impl Drop for Closes<'_> {
    fn drop(&mut self) {
        self.0.stop.store(true, Ordering::Relaxed);
        let mut state = self.0.state();
        state.closed = true;
        state.waiting.clear();
        drop(state);
        self.0.more.notify_all();
    }
}

impl Executor for Local<'_, '_> {
    fn at_a_time(&self) -> usize {
        self.shared.workers
    }

    fn start(&self, tasks: &[Task]) -> Result<(), LabError> {
        let mut state = self.shared.state();
        state.waiting.extend(tasks.iter().cloned());
        let wanted = state.waiting.len().saturating_sub(state.idle);
        for _ in 0..wanted.min(self.shared.workers - state.threads) {
            let (shared, slot) = (self.shared, state.threads);
            self.scope.spawn(move || shared.work(slot));
            state.threads += 1;
        }
        drop(state);
        self.shared.more.notify_all();
        Ok(())
    }

    fn next(&self, wait: Duration) -> Result<Option<Happened>, LabError> {
        let events = self.events.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        match events.recv_timeout(wait) {
            Ok(happened) => Ok(Some(happened)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                assert!(!self.shared.broken.load(Ordering::Relaxed), "a trainer panicked");
                Ok(None)
            }
        }
    }

    fn stop(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let waiting = std::mem::take(&mut self.shared.state().waiting);
        waiting.into_iter().for_each(|task| self.shared.end(task.id, End::Stopped));
    }

    /// What a process of this machine has written is seen here at once.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

impl Shared<'_> {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// What the thread of a slot does.
    fn work(&self, slot: usize) {
        let panics = Panics(&self.broken);
        while let Some(task) = self.wait() {
            let place = String::new();
            let _ = self.told.send(Happened::Started { id: task.id.clone(), place });
            let how = match self.carry_out(&task, slot) {
                Ok(()) => End::Done,
                Err(error) => error.into(),
            };
            self.end(task.id, how);
        }
        std::mem::forget(panics);
    }

    /// The next task; none when there will be no more.
    fn wait(&self) -> Option<Task> {
        let mut state = self.state();
        loop {
            if let Some(task) = state.waiting.pop_front() {
                return Some(task);
            }
            if state.closed {
                return None;
            }
            state.idle += 1;
            state = self.more.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
            state.idle -= 1;
        }
    }

    fn carry_out(&self, task: &Task, slot: usize) -> Result<(), TrainerError> {
        let folder = self.folder(task);
        let unread = |error: datadiet_store::StoreError| TrainerError::Failed(error.to_string());
        match task.verb {
            Verb::Train => {
                let (run, _) = RunFolder::open(&folder).map_err(unread)?;
                let progress = Teller { id: &task.id, told: &self.told };
                self.trainer.train(&run, slot, &self.stop, &progress)
            }
            Verb::Measure => {
                let (measurement, _) = MeasurementFolder::open(&folder).map_err(unread)?;
                self.trainer.measure(&measurement, slot, &self.stop)
            }
        }
    }

    fn folder(&self, task: &Task) -> std::path::PathBuf {
        let root: &Path = self.store.root();
        root.join(task.verb.parent()).join(&task.id)
    }

    fn end(&self, id: String, how: End) {
        let _ = self.told.send(Happened::Ended { id, how });
    }
}

/// Notes that a thread ended by a panic, when it is dropped.
struct Panics<'a>(&'a AtomicBool);

impl Drop for Panics<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Passes on what a trainer tells.
struct Teller<'a> {
    id: &'a str,
    told: &'a Sender<Happened>,
}

impl Progress for Teller<'_> {
    fn tell(&self, event: &Event<'_>) {
        let event = event.clone().into_owned();
        let _ = self.told.send(Happened::Told { id: self.id.to_owned(), event });
    }
}
