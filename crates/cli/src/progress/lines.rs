//! Plain lines, for logs.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use datadiet_core::grouped;
use datadiet_lab::Reporter;
use indicatif::HumanDuration;

use super::Work;
use super::pace::Pace;

/// Time between two lines about one run.
const PAUSE: Duration = Duration::from_secs(10);

/// Writes a line when something happens, and now and then while training.
pub struct Lines {
    work: Work,
    runs: Mutex<HashMap<String, Watched>>,
    measured: Mutex<Option<Instant>>,
}

struct Watched {
    pace: Pace,
    told: Instant,
}

impl Lines {
    /// Nothing heard yet.
    pub fn new(work: Work) -> Self {
        Self { work, runs: Mutex::default(), measured: Mutex::default() }
    }
}

impl Reporter for Lines {
    fn reused(&self, run: &str, _steps: u64) {
        eprintln!("{run}: already in the store");
    }

    fn started(&self, run: &str, _steps: u64, _slot: usize) {
        eprintln!("{run}: starts");
        self.runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(run);
    }

    fn step(&self, run: &str, step: u64, total: u64, loss: f64) {
        let mut runs = self.runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let watched = runs.entry(run.to_owned()).or_insert_with(|| {
            if step > 1 {
                eprintln!("{run}: goes on from step {}", grouped(step - 1));
            }
            Watched { pace: Pace::new(step), told: Instant::now() }
        });
        if watched.told.elapsed() < PAUSE {
            return;
        }
        watched.told = Instant::now();
        let rate = watched.pace.steps_per_second(step).unwrap_or_default();
        let left = watched.pace.left(step, total).unwrap_or_default();
        eprintln!(
            "{run}: step {} of {}, loss {loss:.3}, {} images/s, {} left",
            grouped(step),
            grouped(total),
            grouped((rate * f64::from(self.work.batch)) as u64),
            HumanDuration(left),
        );
    }

    fn recording(&self, run: &str, step: u64) {
        eprintln!("{run}: scores after step {}", grouped(step));
    }

    fn ended(&self, run: &str, problem: Option<&str>) {
        eprintln!("{run}: {}", problem.unwrap_or("done"));
    }

    fn measured(&self, count: usize, total: usize) {
        let mut told = self.measured.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if count == total || told.is_none_or(|told| told.elapsed() > PAUSE) {
            *told = Some(Instant::now());
            eprintln!("measured {count} of {total}");
        }
    }

    fn note(&self, text: &str) {
        eprintln!("{text}");
    }
}
