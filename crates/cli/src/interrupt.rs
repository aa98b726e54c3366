//! Ctrl-C: the first saves and stops, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::progress::Drawer;

/// Set by the first Ctrl-C (or SIGTERM).
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Exit code after an interruption, as shells have it.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Installs the handler, which tells `reporter` about the first signal: of trainings here, or on machines where they go
/// on without this process.
pub fn install(reporter: Arc<Drawer>, elsewhere: bool) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
        reporter.note(match elsewhere {
            true => "jobs go on; the same command looks at them again, and `datadiet runs stop` ends them",
            false => "stopping after the current step; press Ctrl-C again to end at once",
        });
    })?;
    Ok(())
}

/// Installs a handler that says nothing: there is nothing to save.
pub fn install_quietly() -> anyhow::Result<()> {
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed))?;
    Ok(())
}
