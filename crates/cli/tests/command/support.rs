//! A home folder of its own for each test, with the sample data set in it.
//!
//! Two test programs share this: that of the command, in which nothing is trained, and that of the
//! worker. Each says in its `worker` what the command is to train with.
#![allow(dead_code, reason = "each of the two uses a part of it")]

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

/// Every study, of networks that are trained for eight steps.
pub const ALL: &str = r#"
title = "Everything at once"

[training]
data = "sample"
model = "mlp"
width = 16
batch = 50
epochs = 1
limit = 400

[scoring]
replicas = 2
at = [0, 1]

[curve]
by = ["el2n@1", "forgetting@end"]
keep = [0.5]

[window]
by = "el2n@1"
keep = 0.5
offsets = [0, 0.5]
noise = [0, 0.2]

[tune]
by = "el2n@1"
keep = [0.5]
drops = [0, 0.1]

[correlations]
columns = ["el2n@1", "loss@1"]
networks = [{ model = "mlp", width = 8 }]

[noise]
by = "el2n@1"
symmetric = [0.2]
"#;

/// A search over networks that are trained for eighty steps.
pub const DIET: &[&str] = &[
    "diet",
    "--data",
    "sample",
    "--model",
    "mlp",
    "--width",
    "16",
    "--batch",
    "50",
    "--epochs",
    "4",
    "--at",
    "4",
    "--keep",
    "0.5",
    "--drops",
    "0.4",
    "--retrainings",
    "1",
    "--seed",
    "2",
];

/// Trainings with a small network, 8 steps an epoch.
pub const TRAINING: [&str; 13] = [
    "--data", "sample", "--model", "mlp", "--width", "8", "--batch", "50", "--limit", "400",
    "--epochs", "2", "--quiet",
];

/// A command that trains such.
pub fn with<'a>(command: &'a str, options: &[&'a str]) -> Vec<&'a str> {
    [&[command], &TRAINING[..], options].concat()
}

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

    /// A home with the sample data set and scores of it in `out`: el2n, loss, correct and aum after
    /// half an epoch and after one, from two networks.
    pub fn scored() -> Self {
        Self::with_scores("whole")
    }

    /// A home with the sample data set and one of the tables of `tests/scores` in `out`.
    pub fn with_scores(name: &str) -> Self {
        let home = Self::with_sample();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/tests/scores").join(name);
        std::fs::create_dir(home.path().join("out")).unwrap();
        for file in ["scores.parquet", "scores.json"] {
            std::fs::copy(folder.join(file), home.path().join("out").join(file)).unwrap();
        }
        home
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The program with these arguments, run in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("datadiet").unwrap();
        command
            .current_dir(self.path())
            .env("DATADIET_HOME", self.path())
            .env("DATADIET_WORKER", crate::worker(self.path()))
            .args(arguments);
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
