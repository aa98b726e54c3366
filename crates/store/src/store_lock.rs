//! Who uses a store. A list is kept before the specification that refers to it is written, so what
//! nothing refers to is only known to be of no use while nobody else has the store open.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::StoreError;

/// An open store: shared with others, until it is wanted alone.
#[derive(Debug)]
pub(crate) struct StoreLock {
    /// None where files cannot be locked, or not be made: nobody can keep lists in a folder that is
    /// only to be read.
    file: Option<File>,
}

impl StoreLock {
    /// Shares the store at `root` with others.
    ///
    /// # Errors
    /// [`StoreError::Cleaning`] when another process has it alone for long.
    pub(crate) fn share(root: &Path) -> Result<Self, StoreError> {
        const PATIENCE: Duration = Duration::from_secs(10);
        let path = root.join("lock");
        // To have it alone needs a file open for writing on some network file systems; to share it,
        // reading is enough: a store may be of another user.
        let file = match OpenOptions::new().append(true).create(true).open(&path) {
            Err(error) if is_read_only(error.kind()) => File::open(&path).or(Err(error)),
            opened => opened,
        };
        let file = match file {
            Ok(file) => file,
            Err(error) if is_read_only(error.kind()) => return Ok(Self { file: None }),
            Err(error) => return Err(StoreError::io("open", &path)(error)),
        };
        let start = Instant::now();
        loop {
            match file.try_lock_shared() {
                Ok(()) => return Ok(Self { file: Some(file) }),
                // On some network file systems there are no locks, for reasons that have many numbers.
                Err(TryLockError::Error(_)) => return Ok(Self { file: None }),
                Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => {
                    return Err(StoreError::Cleaning(root.to_owned()));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Has the store alone, if nobody else has it open.
    pub(crate) fn alone(&self) -> bool {
        let Some(file) = &self.file else { return false };
        // A lock that is held is not changed into another everywhere.
        let alone = file.unlock().is_ok() && file.try_lock().is_ok();
        if !alone {
            let _ = file.lock_shared();
        }
        alone
    }

    /// Shares the store again.
    pub(crate) fn share_again(&self) {
        if let Some(file) = &self.file {
            let _ = file.unlock().and_then(|()| file.lock_shared());
        }
    }
}

/// Whether all who use the store on other machines see its locks, as far as is known: there are no others.
#[cfg(target_os = "linux")]
pub(crate) fn locks_reach_all(root: &Path) -> bool {
    use nix::sys::statfs::{
        BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC,
        XFS_SUPER_MAGIC, statfs,
    };
    const ZFS: FsType = FsType(0x2fc1_2fc1);
    let of_one_machine = [
        BTRFS_SUPER_MAGIC,
        EXT4_SUPER_MAGIC,
        OVERLAYFS_SUPER_MAGIC,
        TMPFS_MAGIC,
        XFS_SUPER_MAGIC,
        ZFS,
    ];
    statfs(root).is_ok_and(|about| of_one_machine.contains(&about.filesystem_type()))
}

/// Nobody knows here.
#[cfg(not(target_os = "linux"))]
pub(crate) fn locks_reach_all(_: &Path) -> bool {
    true
}

/// Notes that a file is in use, for others who clean up; one that cannot be changed is another's.
pub(crate) fn touch(file: &Path) {
    let opened = File::options().append(true).open(file);
    let _ = opened.and_then(|file| file.set_modified(SystemTime::now()));
}

fn is_read_only(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}
