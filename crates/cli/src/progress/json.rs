//! Progress as JSON lines, for programs: every event as it is, with its pace.

use std::time::{Duration, Instant};

use datadiet_core::Progress;
use datadiet_core::progress::Event;
use serde_json::{Value, json};

use super::tasks::Tasks;

/// Least time between two lines about work of this process; workers tell no more often by themselves.
const PAUSE: Duration = Duration::from_millis(250);

/// Writes one JSON object an event.
#[derive(Default)]
pub struct Json {
    tasks: Tasks,
}

impl Json {
    /// How fast a task goes, if it is time to tell.
    fn pace(&self, task: &str, done: u64, doing: Option<&str>) -> Option<Value> {
        let pace = self.tasks.with(task, |task| {
            let first = task.reached(done, doing);
            if !(task.trains || first || doing.is_some() || task.told.elapsed() > PAUSE) {
                return None;
            }
            task.told = Instant::now();
            let rate = task.images(done);
            let left = task.left(done).map(|left| left.as_secs_f64());
            Some(json!({ "total": task.total, "images_per_second": rate, "seconds_left": left }))
        });
        pace.unwrap_or(Some(json!({})))
    }
}

impl Progress for Json {
    fn tell(&self, event: &Event<'_>) {
        let mut told = serde_json::to_value(event).unwrap_or_default();
        match event {
            Event::Started { task, total, worker, batch } => {
                self.tasks.start(task, *total, worker.is_some(), *batch);
            }
            Event::At { task, done, doing, .. } => {
                let Some(Value::Object(pace)) = self.pace(task, *done, doing.as_deref()) else {
                    return;
                };
                told.as_object_mut().into_iter().for_each(|told| told.extend(pace.clone()));
            }
            Event::Ended { task, .. } => drop(self.tasks.end(task)),
            Event::Reused { .. } | Event::Note { .. } => {}
        }
        eprintln!("{told}");
    }
}
