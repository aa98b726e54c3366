//! Progress of an import on standard error: a bar on a terminal, else a line now and then.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use datadiet_core::grouped;
use datadiet_ingest::Progress;
use indicatif::{ProgressBar, ProgressStyle};

/// Time between lines, and before the first: short work is not worth one.
const PAUSE: Duration = Duration::from_secs(10);

/// What shows it.
pub struct Bar {
    bar: Option<ProgressBar>,
    lines: bool,
    told: Instant,
}

impl Bar {
    /// Shows nothing where `quiet`.
    pub fn new(quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && !quiet).then(ProgressBar::no_length);
        if let Some(bar) = &bar {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} files, {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        Self { bar, lines: !terminal && !quiet, told: Instant::now() }
    }

    /// Tells how far it is.
    pub fn tell(&mut self, at: &Progress<'_>) {
        let message = || format!("{} rows, {}", grouped(at.rows), at.file.display());
        if let Some(bar) = &self.bar {
            bar.set_length(at.files as u64);
            bar.set_position(at.files_done as u64);
            bar.set_message(message());
        } else if self.lines && self.told.elapsed() >= PAUSE {
            eprintln!("{} of {} files, {}", at.files_done, at.files, message());
            self.told = Instant::now();
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
