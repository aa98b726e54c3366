//! What is in a folder and below it, in one order on every machine.
//!
//! Symbolic links are followed. Hidden entries (their names begin with a dot) are kept apart.

use super::file_name;
use crate::{DataError, Result};
use std::path::{Path, PathBuf};

/// Folders nested deeper than this are taken for a link to a folder above itself.
const DEEPEST: usize = 32;

/// What is in a folder, sorted by name.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    pub folders: Vec<PathBuf>,
    pub files: Vec<PathBuf>,
    pub hidden: Vec<PathBuf>,
}

/// What is in one folder.
pub(crate) fn entries(folder: &Path) -> Result<Entries> {
    let mut found = Entries::default();
    for entry in std::fs::read_dir(folder).map_err(DataError::io("read", folder))? {
        let path = entry.map_err(DataError::io("read", folder))?.path();
        let kind = match file_name(&path).starts_with('.') {
            true => &mut found.hidden,
            false if path.is_dir() => &mut found.folders,
            false => &mut found.files,
        };
        kind.push(path);
    }
    for kind in [&mut found.folders, &mut found.files, &mut found.hidden] {
        kind.sort();
    }
    Ok(found)
}

/// All files and folders below a folder: a folder's files come before those of the folders in it,
/// and folders are in the order of their whole paths as texts, as torchvision has them. Hidden folders
/// are not entered.
pub(crate) fn walk(folder: &Path) -> Result<Entries> {
    let mut found = Entries::default();
    visit(folder, DEEPEST, &mut found)?;
    let place = |file: &PathBuf| {
        let text = |part: Option<&std::ffi::OsStr>| part.unwrap_or_default().to_owned();
        (text(file.parent().map(Path::as_os_str)), text(file.file_name()))
    };
    found.files.sort_by_cached_key(place);
    Ok(found)
}

fn visit(folder: &Path, deeper: usize, found: &mut Entries) -> Result<()> {
    if deeper == 0 {
        let problem = "folders are nested too deeply; is there a link to a folder above itself?";
        return Err(DataError::bad_file(folder, problem));
    }
    let here = entries(folder)?;
    found.files.extend(here.files);
    found.hidden.extend(here.hidden);
    for folder in here.folders {
        visit(&folder, deeper - 1, found)?;
        found.folders.push(folder);
    }
    Ok(())
}

/// As [`walk`], to count what is not read anyway: a folder that cannot be entered is one entry.
pub(crate) fn walk_to_count(folder: &Path) -> Result<Entries> {
    let mut found = entries(folder)?;
    for folder in std::mem::take(&mut found.folders) {
        match walk(&folder) {
            Ok(below) => {
                found.files.extend(below.files);
                found.hidden.extend(below.hidden);
            }
            Err(_) => found.files.push(folder),
        }
    }
    Ok(found)
}

/// A path as seen from a folder above it.
pub(crate) fn below<'a>(root: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(root).unwrap_or(path)
}

/// Paths as seen from a folder above them, for messages.
pub(crate) fn names<P: AsRef<Path>>(root: &Path, paths: &[P]) -> Vec<String> {
    paths.iter().map(|path| below(root, path.as_ref()).display().to_string()).collect()
}
