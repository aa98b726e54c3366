//! Writing a file so that a reader sees the old one or the new one, never a part.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use serde::Serialize;
use tempfile::NamedTempFile;

use crate::FileError;

/// Writes `path` through a temporary file in the same folder: written, synced, renamed, and the
/// folder synced, so that it survives a crash of the machine.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), FileError> {
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(FileError::io("create the folder", folder))?;
    let result = (|| {
        let mut file = NamedTempFile::with_prefix_in(".aside-", folder)?;
        write(file.as_file_mut())?;
        file.flush()?;
        file.as_file().sync_all()?;
        make_readable(file.as_file())?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    })();
    result.map_err(FileError::io("write", path))
}

/// Writes `value` as indented JSON, as [`write_atomically`] does.
///
/// # Errors
/// When the file cannot be written.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    write_atomically(path, |file| {
        // Each bracket and comma is a write of its own.
        let mut file = BufWriter::new(file);
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        file.flush()
    })
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
