//! The lock of a run: one process at a time trains it or removes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use datadiet_table::{ASIDE, remove_folder_atomically};

use crate::StoreError;

/// Held while a worker trains a run; released when dropped or when the process dies.
#[derive(Debug)]
pub struct RunLock {
    folder: PathBuf,
    file: File,
}

impl RunLock {
    /// Takes the lock of the run in `folder`, whether or not its specification can be read, and
    /// removes the half-written files of a worker that was killed.
    ///
    /// # Errors
    /// [`StoreError::Locked`], naming the holder, while another process has it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("lock");
        let mut file = loop {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let mut file = options.open(&path).map_err(StoreError::io("open", &path))?;
            match file.try_lock() {
                // Whoever had it may have removed the run before letting go.
                Ok(()) if is_at(&file, &path) => break file,
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(locked(folder, &mut file)),
                Err(TryLockError::Error(error)) => {
                    return Err(StoreError::io("lock", &path)(error));
                }
            }
        };
        let holder = format!("process {}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(StoreError::io("write", &path))?;
        remove_half_written(folder);
        Ok(Self { folder: folder.to_owned(), file })
    }

    /// The locked file: whoever inherits it keeps the lock held.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Removes the run with all that it has, damaged or not.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove_run(self) -> Result<(), StoreError> {
        Ok(remove_folder_atomically(&self.folder)?)
    }

    /// Whether a process has the lock of the run in `folder`.
    pub fn is_held(folder: &Path) -> bool {
        let file = File::open(folder.join("lock"));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }
}

fn locked(folder: &Path, file: &mut File) -> StoreError {
    let mut holder = String::new();
    let _ = file.rewind().and_then(|()| file.read_to_string(&mut holder));
    let holder = if holder.trim().is_empty() { "another process" } else { holder.trim() };
    let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    StoreError::Locked { id, holder: holder.to_owned() }
}

/// Whether an open file is the one that has this name now.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: fs::Metadata, b: fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    file.metadata().is_ok_and(|own| fs::metadata(path).is_ok_and(|now| same(own, now)))
}

#[cfg(not(unix))]
fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

/// Only the holder of the lock writes files here, so whatever is aside was left behind. What cannot
/// be removed does no harm.
fn remove_half_written(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(ASIDE) {
            let _ = fs::remove_file(entry.path());
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_half_written(&entry.path());
        }
    }
}
