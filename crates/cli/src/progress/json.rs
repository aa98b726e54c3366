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
    paces: Mutex<HashMap<u32, Pace>>,
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
    fn reused(&self, replica: u32) {
        tell(&json!({ "event": "reused", "replica": replica }));
    }

    fn started(&self, replica: u32, slot: usize) {
        self.paces.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).remove(&replica);
        let total = self.work.steps;
        tell(&json!({ "event": "started", "replica": replica, "worker": slot, "total": total }));
    }

    fn step(&self, replica: u32, step: u64, total: u64, loss: f64) {
        let mut paces = self.paces.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let pace = *paces.entry(replica).or_insert_with(|| Pace::new(step));
        let rate = pace.steps_per_second(step).map(|rate| rate * f64::from(self.work.batch));
        let left = pace.left(step, total).map(|left| left.as_secs_f64());
        tell(&json!({
            "event": "step", "replica": replica, "step": step, "total": total, "loss": loss,
            "images_per_second": rate, "seconds_left": left,
        }));
    }

    fn recording(&self, replica: u32, step: u64) {
        tell(&json!({ "event": "scoring", "replica": replica, "step": step }));
    }

    fn ended(&self, replica: u32, problem: Option<&str>) {
        tell(&json!({ "event": "ended", "replica": replica, "problem": problem }));
    }

    fn note(&self, text: &str) {
        tell(&json!({ "event": "note", "text": text }));
    }
}
