//! What is known of a task that goes on: its size, how fast it goes, how long it will take.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// A task that goes on.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Its size, where known.
    pub total: Option<u64>,
    /// Whether a worker does it: it is a training.
    pub trains: bool,
    /// When something was told of it last.
    pub told: Instant,
    /// When it was heard of first, and what was done by then: an earlier process may have begun it.
    since: Option<(Instant, u64)>,
}

impl Task {
    /// Notes that `done` is done; whether that is the first word of this task.
    pub fn reached(&mut self, done: u64) -> bool {
        let first = self.since.is_none();
        self.since.get_or_insert((Instant::now(), done));
        first
    }

    /// Units a second until `done`, once there is something to go by.
    pub fn rate(&self, done: u64) -> Option<f64> {
        let (since, from) = self.since?;
        let seconds = since.elapsed().as_secs_f64();
        (done > from && seconds > 0.5).then(|| (done - from) as f64 / seconds)
    }

    /// Time to go from `done` to the end.
    pub fn left(&self, done: u64) -> Option<Duration> {
        let seconds = self.total?.saturating_sub(done) as f64 / self.rate(done)?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// The tasks that go on, by name.
#[derive(Default)]
pub struct Tasks(Mutex<HashMap<String, Task>>);

impl Tasks {
    /// A task begins.
    pub fn start(&self, name: &str, total: Option<u64>, trains: bool) {
        let task = Task { total, trains, told: Instant::now(), since: None };
        self.lock().insert(name.to_owned(), task);
    }

    /// What `look` says of a task, if it goes on.
    pub fn with<T>(&self, name: &str, look: impl FnOnce(&mut Task) -> T) -> Option<T> {
        self.lock().get_mut(name).map(look)
    }

    /// A task ended.
    pub fn end(&self, name: &str) -> Option<Task> {
        self.lock().remove(name)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Task>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
