//! Bars on a terminal: one a run that trains, one for all.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use datadiet_core::grouped;
use datadiet_lab::Reporter;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Work;
use super::pace::Pace;

/// Draws bars.
pub struct Bars {
    work: Work,
    all: MultiProgress,
    overall: ProgressBar,
    /// Made when the first measurement is.
    measured: OnceLock<ProgressBar>,
    runs: Mutex<HashMap<String, Watched>>,
}

struct Watched {
    bar: ProgressBar,
    pace: Option<Pace>,
}

impl Bars {
    /// One bar for all, nothing done.
    pub fn new(work: Work) -> Self {
        let all = MultiProgress::new();
        let overall = all.add(ProgressBar::new(work.steps));
        overall.set_style(style("all        {bar:30} {percent:>3} %  {elapsed} gone, {eta} left"));
        overall.enable_steady_tick(Duration::from_millis(500));
        Self { work, all, overall, measured: OnceLock::new(), runs: Mutex::default() }
    }

    fn with(&self, run: &str, change: impl FnOnce(&mut Watched)) {
        let mut runs = self.runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(watched) = runs.get_mut(run) {
            change(watched);
        }
    }

    /// Takes work off the whole that needs no doing.
    fn less(&self, steps: u64) {
        self.overall.set_length(self.overall.length().unwrap_or_default().saturating_sub(steps));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Reporter for Bars {
    fn reused(&self, run: &str, steps: u64) {
        self.less(steps);
        self.note(&format!("{run}: already in the store"));
    }

    fn started(&self, run: &str, steps: u64, _slot: usize) {
        let bar = self.all.insert_before(&self.overall, ProgressBar::new(steps));
        bar.set_style(style("{prefix:10} {bar:30} {percent:>3} %  {msg}"));
        bar.set_prefix(run.to_owned());
        bar.set_message("starting");
        let mut runs = self.runs.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        runs.insert(run.to_owned(), Watched { bar, pace: None });
    }

    fn step(&self, run: &str, step: u64, total: u64, loss: f64) {
        self.with(run, |watched| {
            let before = watched.bar.position();
            let pace = *watched.pace.get_or_insert_with(|| {
                self.less(step - 1);
                Pace::new(step)
            });
            let known = if before == 0 { step - 1 } else { before };
            self.overall.inc(step.saturating_sub(known));
            watched.bar.set_position(step);
            let rate = pace.steps_per_second(step).unwrap_or_default();
            let rate = grouped((rate * f64::from(self.work.batch)) as u64);
            let (step, total) = (grouped(step), grouped(total));
            watched
                .bar
                .set_message(format!("step {step}/{total}  loss {loss:.3}  {rate} images/s"));
        });
    }

    fn recording(&self, run: &str, step: u64) {
        self.with(run, |watched| {
            watched.bar.set_message(format!("scoring after step {}", grouped(step)));
        });
    }

    fn ended(&self, run: &str, problem: Option<&str>) {
        self.with(run, |watched| {
            let length = watched.bar.length().unwrap_or_default();
            self.less(length.saturating_sub(watched.bar.position()));
            watched.bar.finish_and_clear();
        });
        self.note(&format!("{run}: {}", problem.unwrap_or("done")));
    }

    fn measured(&self, count: usize, total: usize) {
        let bar = self.measured.get_or_init(|| {
            self.overall.finish_and_clear();
            let bar = self.all.add(ProgressBar::new(total as u64));
            bar.set_style(style("measured   {bar:30} {pos}/{len}  {elapsed} gone, {eta} left"));
            bar
        });
        bar.set_position(count as u64);
    }

    fn finished(&self) {
        if let Some(bar) = self.measured.get() {
            bar.finish_and_clear();
        }
        self.overall.finish_and_clear();
    }

    fn note(&self, text: &str) {
        let _ = self.all.println(text);
    }
}
