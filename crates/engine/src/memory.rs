//! How much memory this process has used.

use nix::sys::resource::{UsageWho, getrusage};

/// Largest resident memory so far, MiB; 0 where the system does not tell.
pub fn peak_memory_mib() -> f64 {
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") { 1.0 } else { 1024.0 };
    let largest = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    largest as f64 * unit / (1024.0 * 1024.0)
}
