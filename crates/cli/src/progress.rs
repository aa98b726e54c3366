//! Progress on standard error, of whatever takes a while: bars, plain lines, JSON lines, or nothing.

mod bars;
mod json;
mod lines;
mod losses;
mod tasks;

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use datadiet_core::Progress;
use datadiet_core::progress::Event;

pub use losses::Losses;

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

/// Shows progress.
pub enum Drawer {
    /// Tells nothing but what failed.
    Quiet,
    /// For programs.
    Json(json::Json),
    /// On a terminal.
    Bars(bars::Bars),
    /// For logs.
    Lines(lines::Lines),
}

impl ProgressArgs {
    /// What shows the progress of work; `steps` are those of all trainings together, where there are some.
    pub fn drawer(self, steps: Option<u64>) -> Drawer {
        let terminal = std::io::stderr().is_terminal();
        match self.progress {
            _ if self.quiet => Drawer::Quiet,
            ProgressKind::Json => Drawer::Json(json::Json::default()),
            ProgressKind::Auto if terminal => Drawer::Bars(bars::Bars::new(steps)),
            ProgressKind::Auto | ProgressKind::Plain => Drawer::Lines(lines::Lines::default()),
        }
    }
}

impl Drawer {
    /// Something worth a line.
    pub fn note(&self, text: &str) {
        Progress::note(self, text);
    }

    /// At the end of a command: something did not complete.
    pub fn failed(&self, name: &str, reason: &str) {
        match self {
            Self::Quiet => eprintln!("{name} failed: {reason}"),
            _ => self.note(&format!("{name} failed: {reason}")),
        }
    }

    /// Takes everything off the screen: there is nothing more to wait for.
    pub fn finish(&self) {
        if let Self::Bars(bars) = self {
            bars.finish();
        }
    }
}

impl Progress for Drawer {
    fn tell(&self, event: &Event<'_>) {
        match self {
            Self::Quiet => {}
            Self::Json(json) => json.tell(event),
            Self::Bars(bars) => bars.tell(event),
            Self::Lines(lines) => lines.tell(event),
        }
    }
}
