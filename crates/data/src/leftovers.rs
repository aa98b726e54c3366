//! Removing what killed processes left behind.
//!
//! Temporary files and folders go away with the process that made them, except when it is killed.
//! Anything with a known prefix that has not changed for a day is taken for such a leftover. Only
//! best effort: what cannot be removed stays.

use std::path::Path;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Removes old entries of a folder whose names begin with the prefix.
pub(crate) fn sweep(folder: &Path, prefix: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) && is_old(&entry) {
            let path = entry.path();
            let _ = if path.is_dir() {
                std::fs::remove_dir_all(path)
            } else {
                std::fs::remove_file(path)
            };
        }
    }
}

fn is_old(entry: &std::fs::DirEntry) -> bool {
    let changed = entry.metadata().and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > DAY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::time::SystemTime;

    #[test]
    fn only_old_entries_with_the_prefix_go() {
        let folder = tempfile::tempdir().unwrap();
        for name in [".dataset-old", ".dataset-new", "dataset.safetensors"] {
            let file = File::create(folder.path().join(name)).unwrap();
            if name != ".dataset-new" {
                file.set_modified(SystemTime::now() - 2 * DAY).unwrap();
            }
        }
        sweep(folder.path(), ".dataset-");
        let mut left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, [".dataset-new", "dataset.safetensors"]);
    }
}
