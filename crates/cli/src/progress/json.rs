//! Progress as JSON lines, for programs.

use std::collections::HashMap;
use std::sync::Mutex;

use datadiet_lab::Reporter;
use serde_json::{Value, json};

use super::Work;
use super::pace::Pace;

/// Writes one JSON object an event.
pub struct Json {
    work: Work,
    paces: Mutex<HashMap<String, Pace>>,
}

impl Json {
    /// Nothing heard yet.
    pub fn new(work: Work) -> Self {
        Self { work, paces: Mutex::default() }
    }
}

fn tell(event: &Value) {
    eprintln!("{event}");
}

impl Reporter for Json {
    fn reused(&self, run: &str, _steps: u64) {
        tell(&json!({ "event": "reused", "run": run }));
    }

    fn started(&self, run: &str, steps: u64, slot: usize) {
        self.paces.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(run);
        tell(&json!({ "event": "started", "run": run, "worker": slot, "total": steps }));
    }

    fn step(&self, run: &str, step: u64, total: u64, loss: f64) {
        let mut paces = self.paces.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let pace = *paces.entry(run.to_owned()).or_insert_with(|| Pace::new(step));
        let rate = pace.steps_per_second(step).map(|rate| rate * f64::from(self.work.batch));
        let left = pace.left(step, total).map(|left| left.as_secs_f64());
        tell(&json!({
            "event": "step", "run": run, "step": step, "total": total, "loss": loss,
            "images_per_second": rate, "seconds_left": left,
        }));
    }

    fn recording(&self, run: &str, step: u64) {
        tell(&json!({ "event": "scoring", "run": run, "step": step }));
    }

    fn ended(&self, run: &str, problem: Option<&str>) {
        tell(&json!({ "event": "ended", "run": run, "problem": problem }));
    }

    fn measured(&self, count: usize, total: usize) {
        tell(&json!({ "event": "measured", "count": count, "total": total }));
    }

    fn note(&self, text: &str) {
        tell(&json!({ "event": "note", "text": text }));
    }
}
