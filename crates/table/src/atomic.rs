//! Writing and removing so that a reader sees the old or the new, never a part.
//!
//! What is being written, or removed, has a name that begins with [`ASIDE`]; a writer that was killed
//! leaves it behind, and no reader takes it for anything.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::Path;

use serde::Serialize;
use tempfile::{Builder, NamedTempFile, PersistError, TempDir};

use crate::FileError;

/// How the names of files and folders begin that are being written or removed.
pub const ASIDE: &str = ".aside-";

/// Writes `path` through a temporary file in the same folder: written, synced, renamed, and the
/// folder synced, so that it survives a crash of the machine.
///
/// # Errors
/// When the file cannot be written.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), FileError> {
    written(path, write, |file| file.persist(path).map(drop))
}

/// The same of a file that must not be there: nothing is written over, also nothing that appears meanwhile.
///
/// # Errors
/// When there is something of that name, or the file cannot be written.
pub fn write_new_atomically(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), FileError> {
    written(path, write, |file| match file.persist_noclobber(path) {
        // Mounts of cloud storage have neither links nor renames that replace nothing.
        Err(PersistError { error, file }) if error.kind() != ErrorKind::AlreadyExists => {
            if path.exists() {
                return Err(PersistError { error: ErrorKind::AlreadyExists.into(), file });
            }
            file.persist(path).map(drop)
        }
        persisted => persisted.map(drop),
    })
}

fn written(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
    persist: impl FnOnce(NamedTempFile) -> Result<(), PersistError>,
) -> Result<(), FileError> {
    let folder = parent(path);
    make_folder(folder).map_err(FileError::io("create the folder", folder))?;
    let result = (|| {
        let mut file = NamedTempFile::with_prefix_in(ASIDE, folder)?;
        write(file.as_file_mut())?;
        file.flush()?;
        make_readable(file.as_file())?;
        file.as_file().sync_all()?;
        persist(file).map_err(|error| error.error)?;
        sync(folder)
    })();
    result.map_err(FileError::io("write", path))
}

/// Makes the folder `path` with what `fill` writes into it: filled under another name beside it, renamed, and its
/// parent synced. A folder that another process makes meanwhile is left as it is; whether this one made it.
///
/// # Errors
/// When it cannot be written.
pub fn make_folder_atomically<E: From<FileError>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<bool, E> {
    let beside = parent(path);
    make_folder(beside).map_err(FileError::io("create the folder", beside))?;
    let aside = folder_aside(beside).map_err(FileError::io("create a folder in", beside))?;
    fill(aside.path())?;
    match std::fs::rename(aside.path(), path) {
        Ok(()) => drop(aside.keep()),
        Err(_) if path.is_dir() => return Ok(false),
        Err(cause) => return Err(FileError::io("create the folder", path)(cause).into()),
    }
    sync(beside).map_err(FileError::io("create the folder", path))?;
    Ok(true)
}

/// Removes the folder `path` and all that is in it: it is gone whole before its parts are.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_folder_atomically(path: &Path) -> Result<(), FileError> {
    let remove = || {
        let aside = folder_aside(parent(path))?;
        std::fs::rename(path, aside.path())?;
        sync(parent(path))?;
        aside.close()
    };
    remove().map_err(FileError::io("remove", path))
}

/// Writes `value` as indented JSON, as [`write_atomically`] does.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    write_atomically(path, |file| json(file, value))
}

/// Writes `value` as indented JSON, as [`write_new_atomically`] does.
///
/// # Errors
/// When there is something of that name, or the file cannot be written.
pub fn write_new_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    write_new_atomically(path, |file| json(file, value))
}

fn json(file: &mut File, value: &impl Serialize) -> std::io::Result<()> {
    // Each bracket and comma is a write of its own.
    let mut file = BufWriter::new(file);
    serde_json::to_writer_pretty(&mut file, value)?;
    file.write_all(b"\n")?;
    file.flush()
}

fn parent(path: &Path) -> &Path {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Makes a folder and those above it, each to survive a crash of the machine.
fn make_folder(path: &Path) -> std::io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    make_folder(parent(path))?;
    match std::fs::create_dir(path) {
        Err(_) if path.is_dir() => {}
        made => made?,
    }
    sync(parent(path))
}

fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Temporary folders are private to their owner; results may be read by everyone.
#[cfg(unix)]
fn folder_aside(beside: &Path) -> std::io::Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let readable = std::fs::Permissions::from_mode(0o755);
    Builder::new().prefix(ASIDE).permissions(readable).tempdir_in(beside)
}

#[cfg(not(unix))]
fn folder_aside(beside: &Path) -> std::io::Result<TempDir> {
    Builder::new().prefix(ASIDE).tempdir_in(beside)
}

/// Temporary files are private to their owner; results may be read by everyone.
#[cfg(unix)]
fn make_readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &File) -> std::io::Result<()> {
    Ok(())
}
