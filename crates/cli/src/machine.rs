//! What this machine has.

/// Taken where the system does not tell, MiB.
const UNKNOWN: u64 = 4096;

/// Memory of the machine, MiB.
pub fn memory_mib() -> u64 {
    #[cfg(target_os = "linux")]
    return nix::sys::sysinfo::sysinfo().map_or(UNKNOWN, |about| about.ram_total() >> 20);
    #[cfg(not(target_os = "linux"))]
    UNKNOWN
}
