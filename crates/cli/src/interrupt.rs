//! Ctrl-C: the first saves and stops, the second ends at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::progress::Drawer;

/// Set by the first Ctrl-C (or SIGTERM).
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Exit code after an interruption, as shells have it.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Who is told of the first signal, and whether trainings go on without this process, on other machines.
static TOLD: Mutex<Option<(Arc<Drawer>, bool)>> = Mutex::new(None);

/// Installs the handler, which tells `reporter` about the first signal: of trainings here, or on machines where they go
/// on without this process.
pub fn install(reporter: Arc<Drawer>, elsewhere: bool) -> anyhow::Result<()> {
    *told() = Some((reporter, elsewhere));
    install_quietly()
}

/// Installs the handler, which tells nobody as long as there is nothing to save.
pub fn install_quietly() -> anyhow::Result<()> {
    static INSTALLED: AtomicBool = AtomicBool::new(false);
    if !INSTALLED.swap(true, Ordering::Relaxed) {
        ctrlc::set_handler(stop)?;
    }
    Ok(())
}

fn stop() {
    if STOP.swap(true, Ordering::Relaxed) {
        std::process::exit(i32::from(EXIT_INTERRUPTED));
    }
    if let Some((reporter, elsewhere)) = &*told() {
        reporter.note(match elsewhere {
            true => "jobs go on; the same command looks at them again, and `datadiet runs stop` ends them",
            false => "stopping after the current step; press Ctrl-C again to end at once",
        });
    }
}

fn told() -> MutexGuard<'static, Option<(Arc<Drawer>, bool)>> {
    TOLD.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
