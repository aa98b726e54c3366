//! Progress of a sweep on standard error: bars, plain lines, JSON lines, or nothing.

mod bars;
mod json;
mod lines;
mod pace;

use std::io::IsTerminal;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use datadiet_lab::Reporter;

/// How progress is shown.
#[derive(Args, Clone, Copy)]
pub struct ProgressArgs {
    /// How to show progress, on standard error.
    #[arg(long, value_enum, default_value_t = ProgressKind::Auto)]
    progress: ProgressKind,
    /// Show no progress; errors are still told.
    #[arg(long, short)]
    quiet: bool,
}

/// Ways to show progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ProgressKind {
    /// Bars on a terminal, else plain lines.
    Auto,
    /// A line now and then.
    Plain,
    /// One JSON object an event.
    Json,
}

/// Tells nothing but what failed.
struct Quiet;

impl Reporter for Quiet {
    fn failed(&self, name: &str, reason: &str) {
        eprintln!("{name} failed: {reason}");
    }
}

/// What there is to do.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Steps of all runs together.
    pub steps: u64,
    /// Examples in a step.
    pub batch: u32,
}

impl ProgressArgs {
    /// Something that shows the progress of `work`.
    pub fn reporter(self, work: Work) -> Arc<dyn Reporter + Send + Sync> {
        let terminal = std::io::stderr().is_terminal();
        match self.progress {
            _ if self.quiet => Arc::new(Quiet),
            ProgressKind::Json => Arc::new(json::Json::new(work)),
            ProgressKind::Auto if terminal => Arc::new(bars::Bars::new(work)),
            ProgressKind::Auto | ProgressKind::Plain => Arc::new(lines::Lines::new(work)),
        }
    }
}
