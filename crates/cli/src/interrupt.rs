//! Ctrl-C: the first saves and stops, the second ends at once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Set by the first Ctrl-C (or SIGTERM).
pub static STOP: AtomicBool = AtomicBool::new(false);

/// Exit code after an interruption, as shells have it.
pub const EXIT_INTERRUPTED: u8 = 130;

/// Installs the handler. `note` is called once, on the first signal.
pub fn install(note: impl Fn() + Send + 'static) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(EXIT_INTERRUPTED));
        }
        note();
    })?;
    Ok(())
}
