//! Bars on a terminal: one a task that goes on, and one for all trainings.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use datadiet_core::progress::Event;
use datadiet_core::{Progress, grouped};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::tasks::{Task, Tasks};

/// Draws bars.
pub struct Bars {
    all: MultiProgress,
    /// All steps of all trainings.
    overall: Option<ProgressBar>,
    tasks: Tasks,
    bars: Mutex<HashMap<String, ProgressBar>>,
}

impl Bars {
    /// Nothing done; with a bar for all where it is known how many steps all trainings have.
    pub fn new(steps: Option<u64>) -> Self {
        let all = MultiProgress::new();
        let overall = steps.map(|steps| {
            let bar = all.add(ProgressBar::new(steps));
            bar.set_style(style("all        {bar:30} {percent:>3} %  {elapsed} gone, {eta} left"));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { all, overall, tasks: Tasks::default(), bars: Mutex::default() }
    }

    /// Takes all bars off the screen.
    pub fn finish(&self) {
        self.bars().drain().for_each(|(_, bar)| bar.finish_and_clear());
        self.overall.iter().for_each(ProgressBar::finish_and_clear);
    }

    fn bars(&self) -> std::sync::MutexGuard<'_, HashMap<String, ProgressBar>> {
        self.bars.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Takes steps off the whole that need no doing.
    fn less(&self, steps: u64) {
        if let Some(all) = &self.overall {
            all.set_length(all.length().unwrap_or_default().saturating_sub(steps));
        }
    }

    fn start(&self, name: &str, total: Option<u64>, trains: bool, batch: Option<u32>) {
        self.tasks.start(name, total, trains, batch);
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), "{prefix:10} {bar:30} {percent:>3} %  {msg}"),
            None => (ProgressBar::no_length(), "{prefix} {spinner} {msg}"),
        };
        let bar = match &self.overall {
            Some(overall) if trains => self.all.insert_before(overall, bar),
            _ => self.all.add(bar),
        };
        if !trains {
            // What this process does after trainings: they are done.
            self.overall.iter().for_each(ProgressBar::finish_and_clear);
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        bar.set_style(style(template));
        bar.set_prefix(name.to_owned());
        bar.set_message(if trains { "starting" } else { "" });
        self.bars().insert(name.to_owned(), bar);
    }

    fn at(&self, name: &str, done: u64, loss: Option<f64>, doing: Option<&str>) {
        let Some(bar) = self.bars().get(name).cloned() else { return };
        let known = self.tasks.with(name, |task| (task.reached(done, doing), *task));
        let Some((first, task)) = known else { return };
        if let Some(overall) = self.overall.as_ref().filter(|_| task.trains) {
            // The first step that is heard of is the first of this process.
            let before = done.saturating_sub(u64::from(loss.is_some()));
            let from = if first { before } else { bar.position() };
            if first {
                self.less(before);
            }
            overall.inc(done.saturating_sub(from));
        }
        bar.set_position(done);
        bar.set_message(message(&task, done, loss, doing));
    }

    fn end(&self, name: &str, problem: Option<&str>) {
        let trained = self.tasks.end(name).is_none_or(|task| task.trains);
        if let Some(bar) = self.bars().remove(name) {
            if trained {
                self.less(bar.length().unwrap_or_default().saturating_sub(bar.position()));
            }
            bar.finish_and_clear();
        }
        if trained || problem.is_some() {
            self.note(&format!("{name}: {}", problem.unwrap_or("done")));
        }
    }
}

fn message(task: &Task, done: u64, loss: Option<f64>, doing: Option<&str>) -> String {
    let of = task.total.map_or(String::new(), |total| format!("/{}", grouped(total)));
    match (doing, loss) {
        (Some(doing), _) => doing.to_owned(),
        (None, None) => format!("{}{of}", grouped(done)),
        (None, Some(loss)) => {
            let images = task.images(done).map(|images| grouped(images as u64));
            let rate = images.map_or(String::new(), |images| format!("  {images} images/s"));
            format!("step {}{of}  loss {loss:.3}{rate}", grouped(done))
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress for Bars {
    fn tell(&self, event: &Event<'_>) {
        match event {
            Event::Reused { task, total } => {
                self.less(*total);
                self.note(&format!("{task}: already in the store"));
            }
            Event::Started { task, total, worker, batch } => {
                self.start(task, *total, worker.is_some(), *batch);
            }
            Event::At { task, done, loss, doing } => self.at(task, *done, *loss, doing.as_deref()),
            Event::Ended { task, problem } => self.end(task, problem.as_deref()),
            Event::Note { text } => drop(self.all.println(text)),
        }
    }
}
