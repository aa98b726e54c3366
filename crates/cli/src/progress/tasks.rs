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
    /// Examples in a step of it, where that is known.
    batch: Option<u32>,
    /// When something was told of it last.
    pub told: Instant,
    /// Whether something was heard of it since it started.
    heard: bool,
    /// When its pace began, and what was done by then: an earlier process may have begun it.
    since: Option<(Instant, u64)>,
}

impl Task {
    /// Notes that `done` is done, `doing` something beside if it says so; whether that is the first word
    /// of this task. The pace of a training is that of its steps, from the first on: scoring before it
    /// says nothing of how long they take.
    pub fn reached(&mut self, done: u64, doing: Option<&str>) -> bool {
        if !self.trains || doing.is_none() {
            self.since.get_or_insert((Instant::now(), done));
        }
        !std::mem::replace(&mut self.heard, true)
    }

    /// Units a second until `done`, once there is something to go by.
    fn rate(&self, done: u64) -> Option<f64> {
        let (since, from) = self.since?;
        let seconds = since.elapsed().as_secs_f64();
        (done > from && seconds > 0.5).then(|| (done - from) as f64 / seconds)
    }

    /// Images a second until `done`, of a training, once there is something to go by.
    pub fn images(&self, done: u64) -> Option<f64> {
        Some(self.rate(done)? * f64::from(self.batch?))
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
    /// A task begins; of a training, `batch` examples are a step.
    pub fn start(&self, name: &str, total: Option<u64>, trains: bool, batch: Option<u32>) {
        let task = Task { total, trains, batch, told: Instant::now(), heard: false, since: None };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn task(trains: bool) -> Task {
        let batch = trains.then_some(50);
        Task { total: Some(200), trains, batch, told: Instant::now(), heard: false, since: None }
    }

    #[test]
    fn the_pace_of_a_training_begins_with_its_first_step() {
        let mut training = task(true);
        assert!(training.reached(0, Some("scoring after step 0")));
        assert_eq!((training.since, training.rate(0), training.left(0)), (None, None, None));
        assert!(!training.reached(1, None), "heard of before");
        let (since, from) = training.since.unwrap();
        assert_eq!((from, training.rate(1)), (1, None), "one step is no pace");
        // Ten seconds later, a pass of scores between.
        training.since = Some((since - Duration::from_secs(10), from));
        training.reached(100, Some("scoring after step 100"));
        let rate = training.rate(101).unwrap();
        assert!((9.0..=10.0).contains(&rate), "{rate} steps a second");
        let images = training.images(101).unwrap();
        assert!((450.0..=500.0).contains(&images), "{images} images a second");
        let left = training.left(101).unwrap().as_secs_f64();
        assert!((9.9..11.1).contains(&left), "{left} s for 99 steps");
    }

    #[test]
    fn the_pace_of_other_work_begins_with_its_first_word() {
        let mut work = task(false);
        assert!(work.reached(3, Some("epoch_3.npy")));
        assert_eq!(work.since.unwrap().1, 3);
    }
}
