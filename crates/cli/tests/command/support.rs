//! A home folder of its own for each test, with the sample data set in it.

use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

/// A folder with a data home, a store, and room for results.
pub struct Home {
    folder: tempfile::TempDir,
}

/// The small job that most tests run; about a second.
pub const JOB: &[&str] = &[
    "score", "--data", "sample", "--model", "mlp", "--width", "16", "--batch", "50", "--epochs",
    "1",
];

impl Home {
    /// A home with nothing in it.
    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A home with the sample data set.
    pub fn with_sample() -> Self {
        let home = Self::empty();
        home.ok(&["data", "import", sample().to_str().unwrap(), "--name", "sample"]);
        home
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program with these arguments, run in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("datadiet").unwrap();
        command.current_dir(self.path()).env("DATADIET_HOME", self.path()).args(arguments);
        command
    }

    /// Standard output of a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}\n{}", errors(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON answer of a command that must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Standard error of a command that must fail with exit code 1 or 2.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(matches!(output.status.code(), Some(1 | 2)), "{arguments:?} {:?}", output.status);
        errors(&output)
    }

    /// Runs the small job with more options, results in `out`.
    pub fn score(&self, options: &[&str]) -> Value {
        self.json(&[JOB, &["--out", "out"], options].concat())
    }

    /// Folders of the store's runs.
    pub fn runs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path().join("store/runs")).unwrap();
        let mut runs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        runs.sort();
        runs
    }
}

/// The sample images of the repository.
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../samples/fashion-mnist")
        .canonicalize()
        .unwrap()
}

/// Standard error as text.
pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
