//! Progress on standard error: a bar for every replica, or plain lines where there is no terminal.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use datadiet_lab::Reporter;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Draws the progress of a sweep.
pub struct Bars {
    bars: MultiProgress,
    replicas: Mutex<HashMap<u32, Replica>>,
    /// Nobody watches: write lines, now and then.
    plain: bool,
    quiet: bool,
}

struct Replica {
    bar: ProgressBar,
    started_at: Option<u64>,
    told: Instant,
}

impl Bars {
    /// Bars when standard error is a terminal.
    pub fn new(quiet: bool) -> Self {
        let plain = !std::io::IsTerminal::is_terminal(&std::io::stderr());
        let bars = MultiProgress::new();
        if plain || quiet {
            bars.set_draw_target(indicatif::ProgressDrawTarget::hidden());
        }
        Self { bars, replicas: Mutex::default(), plain, quiet }
    }

    /// Prints a line above the bars.
    pub fn line(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.plain {
            eprintln!("{text}");
        } else {
            let _ = self.bars.println(text);
        }
    }

    fn with(&self, replica: u32, change: impl FnOnce(&mut Replica)) {
        let mut replicas = self.replicas.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(replica) = replicas.get_mut(&replica) {
            change(replica);
        }
    }
}

impl Reporter for Bars {
    fn reused(&self, replica: u32) {
        self.line(&format!("replica {replica}: already in the store"));
    }

    fn started(&self, replica: u32, _slot: usize) {
        let style = ProgressStyle::with_template(
            "replica {prefix:>2} {bar:30} {percent:>3} %  {msg}  {eta} left",
        );
        let bar = self.bars.add(ProgressBar::new(1));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(replica.to_string());
        bar.set_message("starting");
        let told = Instant::now();
        let entry = Replica { bar, started_at: None, told };
        let mut replicas = self.replicas.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        replicas.insert(replica, entry);
    }

    fn step(&self, number: u32, step: u64, total: u64, loss: f64) {
        let mut line = None;
        self.with(number, |replica| {
            if replica.started_at.is_none() {
                replica.started_at = Some(step);
                if step > 1 {
                    line = Some(format!("replica {number}: goes on from step {step}"));
                }
            }
            replica.bar.set_length(total);
            replica.bar.set_position(step);
            replica.bar.set_message(format!("step {step}/{total}  loss {loss:.3}"));
            if self.plain && replica.told.elapsed() > Duration::from_secs(10) {
                replica.told = Instant::now();
                line = Some(format!("replica {number}: step {step}/{total}, loss {loss:.3}"));
            }
        });
        if let Some(line) = line {
            self.line(&line);
        }
    }

    fn recording(&self, replica: u32, step: u64) {
        self.with(replica, |entry| entry.bar.set_message(format!("scoring at step {step}")));
    }

    fn ended(&self, number: u32, problem: Option<&str>) {
        self.with(number, |replica| replica.bar.finish_and_clear());
        match problem {
            None => self.line(&format!("replica {number}: done")),
            Some(problem) => self.line(&format!("replica {number}: {problem}")),
        }
    }

    fn note(&self, text: &str) {
        self.line(text);
    }
}
