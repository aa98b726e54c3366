//! Two mounts of one folder by bindfs, as two machines have them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The mounts; taken down when dropped.
pub struct Mounts {
    /// Keeps the folders until the mounts are gone.
    _folder: tempfile::TempDir,
    below: PathBuf,
    mounts: Vec<PathBuf>,
}

impl Mounts {
    /// Makes them, the first with other options. None, with a line for the end of the tests, where that cannot be done.
    pub fn new(options: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("below");
        std::fs::create_dir(&below).unwrap();
        let mut mounts = Self { _folder: folder, below, mounts: Vec::new() };
        for (name, options) in [("a", options), ("b", &[])] {
            if let Err(why) = mounts.mount(name, options) {
                leave_out(&why);
                return None;
            }
        }
        Some(mounts)
    }

    fn mount(&mut self, name: &str, options: &[&str]) -> Result<(), String> {
        let mount = self.below.with_file_name(name);
        std::fs::create_dir(&mount).unwrap();
        let mut command = Command::new("bindfs");
        command.args(options).arg(self.below()).arg(&mount).stdin(Stdio::null());
        let ran = command.output().map_err(|error| {
            let why = "install the package `bindfs` (Debian, Ubuntu: apt-get install bindfs)";
            let why = format!("bindfs does not start ({error}): {why}");
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI=true, and {why}");
            why
        })?;
        if !ran.status.success() {
            let told = String::from_utf8_lossy(&ran.stderr);
            return Err(format!("bindfs cannot mount a folder here: {}", told.trim()));
        }
        self.mounts.push(mount.clone());
        // A file that is made below is seen when it is mounted.
        std::fs::write(self.below().join(name), "").unwrap();
        let start = Instant::now();
        while !mount.join(name).exists() {
            if start.elapsed() > Duration::from_secs(10) {
                return Err("bindfs says that it mounted a folder, and did not".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// The folder that both show.
    pub fn below(&self) -> &Path {
        &self.below
    }

    /// A folder below it, by the first or the second mount in turn.
    pub fn of(&self, run: &Path, number: usize) -> PathBuf {
        let mount = &self.mounts[number % self.mounts.len()];
        mount.join(run.strip_prefix(self.below()).unwrap())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for mount in &self.mounts {
            let unmounted = ["fusermount3", "fusermount"].iter().any(|program| {
                let mut command = Command::new(program);
                command.args(["-u", "-z"]).arg(mount).stdin(Stdio::null()).stderr(Stdio::null());
                command.status().is_ok_and(|status| status.success())
            });
            if !unmounted {
                let _ = Command::new("umount").arg("-l").arg(mount).status();
            }
        }
    }
}

/// Says so past the test harness, which keeps what passing tests print, and for `make test` to say it again.
fn leave_out(why: &str) {
    let line = format!("left out: leases by two mounts; {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    std::fs::create_dir_all(folder).unwrap();
    let file = folder.join("left-out");
    let before = std::fs::read_to_string(&file).unwrap_or_default();
    if !before.contains(&line) {
        std::fs::write(file, before + &line).unwrap();
    }
}
