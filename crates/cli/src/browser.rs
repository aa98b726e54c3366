//! Opening a page for the person who sits in front of it.

use std::ffi::OsStr;
use std::io::IsTerminal;

/// Opens a file or an address in the browser where there is somebody to see it; whether it was opened.
pub fn open(page: impl AsRef<OsStr>) -> bool {
    somebody_looks() && open::that_detached(page).is_ok()
}

/// Whether there are a terminal and a display, and no robot.
fn somebody_looks() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let display = if cfg!(any(target_os = "macos", windows)) {
        !set("SSH_CONNECTION")
    } else {
        set("DISPLAY") || set("WAYLAND_DISPLAY")
    };
    std::io::stdout().is_terminal() && display && !set("CI")
}
