//! What the holder's own machine knows of it: a locked file, which the system unlocks when it dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use crate::StoreError;

/// The file. Versions before leases had this one alone, with their process in it.
const LOCK: &str = "lock";
/// What stands in it when whoever has it locked was taken over.
const TAKEN_OVER: &str = "taken over\n";

/// What came of locking it.
pub(super) enum Guard {
    /// It is ours.
    Taken(File),
    /// It says nothing: files cannot be locked here, or it is that of a holder that was taken over.
    None,
    /// A process of this machine has it, and says so: of a version without leases, one that is about to have the
    /// lease, or one that a holder started and left behind.
    Held(String),
}

impl Guard {
    /// Locks it, if nobody has.
    pub(super) fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(StoreError::io("open", &path))?;
        for last in [false, false, true] {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(_)) => return Ok(Self::None),
                Err(TryLockError::WouldBlock) if last => {
                    let mut text = String::new();
                    let _ = file.read_to_string(&mut text);
                    return Ok(match text.trim() {
                        text if text == TAKEN_OVER.trim() => Self::None,
                        "" => Self::Held("another process".into()),
                        text => Self::Held(text.into()),
                    });
                }
                // Somebody may only have looked whether it is locked.
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(3)),
            }
        }
        let holder = format!("process {}\n", std::process::id());
        let written = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
        written.map_err(StoreError::io("write", &path))?;
        Ok(Self::Taken(file))
    }

    /// Whether a process has it locked; nobody knows where there is none, or files cannot be locked.
    pub(super) fn is_held(folder: &Path) -> Option<bool> {
        let file = File::open(folder.join(LOCK)).ok()?;
        match file.try_lock_shared() {
            Ok(()) => Some(false),
            Err(TryLockError::WouldBlock) => Some(true),
            Err(TryLockError::Error(_)) => None,
        }
    }

    /// Notes that whoever has it locked has lost its lease: for the next it says nothing.
    pub(super) fn overrun(folder: &Path) {
        let file = OpenOptions::new().write(true).truncate(true).open(folder.join(LOCK));
        let _ = file.and_then(|mut file| file.write_all(TAKEN_OVER.as_bytes()));
    }
}
