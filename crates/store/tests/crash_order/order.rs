//! The order in which changes reach the disk.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::stop::{Call, Change};

/// Checks that at every renaming all that was written is synced, with the folders of what was made and
/// renamed before, and at the end too. Who has had a lock or a lease does not matter after a crash.
pub fn check(root: &Path, changes: &[Change]) {
    let mut unsynced: BTreeSet<PathBuf> = BTreeSet::new();
    let mut renamed = 0;
    for Change { call, path, to } in changes {
        if !path.starts_with(root) || is_of_a_lock(path) {
            continue;
        }
        let parent = |path: &Path| path.parent().unwrap().to_owned();
        match call {
            Call::Write | Call::Truncate | Call::Permissions => drop(unsynced.insert(path.clone())),
            Call::Sync => drop(unsynced.remove(path)),
            Call::MakeFolder if !is_aside(path) => drop(unsynced.insert(parent(path))),
            Call::Rename => {
                assert_eq!(unsynced, BTreeSet::new(), "when {path:?} is renamed to {to:?}");
                unsynced.insert(parent(to.as_ref().unwrap()));
                renamed += 1;
            }
            Call::MakeFolder | Call::Create | Call::Lock | Call::Remove | Call::Link => {}
        }
    }
    assert_eq!(unsynced, BTreeSet::new(), "at the end");
    assert!(renamed > 5, "only {renamed} files were renamed");
}

/// What is aside is of no use until it is renamed.
fn is_aside(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".aside-"))
}

fn is_of_a_lock(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    ["lock", "lease.json"].contains(&&*name)
        || [".aside-lease-", ".gone-"].iter().any(|start| name.starts_with(start))
}
