//! How fast a run goes, and how long it will take.

use std::time::{Duration, Instant};

/// The pace of one run since this process began to watch it.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    since: Instant,
    /// First step heard of; what was done before was done by an earlier process.
    from: u64,
}

impl Pace {
    /// Starts watching at step `from`.
    pub fn new(from: u64) -> Self {
        Self { since: Instant::now(), from }
    }

    /// Steps a second until `step`, once there is something to go by.
    pub fn steps_per_second(self, step: u64) -> Option<f64> {
        let seconds = self.since.elapsed().as_secs_f64();
        (step > self.from && seconds > 0.5).then(|| (step - self.from) as f64 / seconds)
    }

    /// Time to go from `step` to `total`.
    pub fn left(self, step: u64, total: u64) -> Option<Duration> {
        let seconds = (total - step) as f64 / self.steps_per_second(step)?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}
