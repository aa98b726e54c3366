//! Plain lines, for logs.

use std::time::{Duration, Instant};

use datadiet_core::progress::Event;
use datadiet_core::{Progress, grouped};
use indicatif::HumanDuration;

use super::tasks::{Task, Tasks};

/// Time between two lines about one task.
const PAUSE: Duration = Duration::from_secs(10);

/// Writes a line when something happens, and now and then while work goes on.
#[derive(Default)]
pub struct Lines {
    tasks: Tasks,
}

impl Lines {
    fn at(&self, name: &str, done: u64, loss: Option<f64>, doing: Option<&str>) {
        let line = self.tasks.with(name, |task| {
            if task.reached(done, doing) && task.trains && done > 1 {
                return Some(format!("{name}: goes on from step {}", grouped(done - 1)));
            }
            if task.trains && doing.is_some() {
                return doing.map(|doing| format!("{name}: {doing}"));
            }
            if task.told.elapsed() < PAUSE {
                return None;
            }
            task.told = Instant::now();
            Some(format!("{name}: {}", describe(task, done, loss, doing)))
        });
        if let Some(line) = line.flatten() {
            eprintln!("{line}");
        }
    }
}

fn describe(task: &Task, done: u64, loss: Option<f64>, doing: Option<&str>) -> String {
    let of = task.total.map_or(String::new(), |total| format!(" of {}", grouped(total)));
    let step = if loss.is_some() { "step " } else { "" };
    let mut text = format!("{step}{}{of}", grouped(done));
    if let Some(loss) = loss {
        text += &format!(", loss {loss:.3}");
    }
    if let Some(images) = task.images(done) {
        text += &format!(", {} images/s", grouped(images as u64));
    }
    if let Some(doing) = doing {
        text += &format!(", {doing}");
    }
    match task.left(done) {
        Some(left) => format!("{text}, {} left", HumanDuration(left)),
        None => text,
    }
}

impl Progress for Lines {
    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Reused { task, .. } => eprintln!("{task}: already in the store"),
            Event::Started { task, total, worker, batch } => {
                eprintln!("{task}{}", if worker.is_some() { ": starts" } else { "" });
                self.tasks.start(task, *total, worker.is_some(), *batch);
            }
            Event::At { task, done, loss, doing } => self.at(task, *done, *loss, doing.as_deref()),
            Event::Ended { task, problem } => {
                let trained = self.tasks.end(task).is_none_or(|task| task.trains);
                if trained || problem.is_some() {
                    eprintln!("{task}: {}", problem.as_deref().unwrap_or("done"));
                }
            }
            Event::Note { text } => eprintln!("{text}"),
        }
    }
}
