//! `--log`: results to MLflow, Weights & Biases or TensorBoard, by the package's own `datadiet.tracking`, which uses
//! their clients. What is logged under which name: docs/TRACKERS.md.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use clap::Args;
use datadiet_lab::python;
use datadiet_table::write_json;
use serde::Serialize;

use crate::progress::Drawer;

/// What is known to `datadiet.tracking`.
const KINDS: [&str; 3] = ["mlflow", "wandb", "tensorboard"];

/// Where results are logged.
#[derive(Args, Clone, Default)]
pub struct LogArgs {
    /// Log the results: mlflow[:URI], wandb[:PROJECT] or tensorboard[:DIR], see docs/TRACKERS.md.
    #[arg(long, value_name = "TRACKER")]
    log: Option<Tracker>,
}

/// A tracker, and where runs of it are.
#[derive(Clone, Debug)]
struct Tracker(String);

impl FromStr for Tracker {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let kind = text.split(':').next().unwrap_or_default();
        if KINDS.contains(&kind) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("no tracker is called `{kind}`; there are {}", KINDS.join(", ")))
    }
}

/// What is logged.
pub enum Results {
    /// A folder, or a file, which stays.
    In(PathBuf),
    /// The answer alone, by this name: nothing else was written.
    Named(String),
}

impl LogArgs {
    /// Whether something is going to be logged.
    pub fn is_given(&self) -> bool {
        self.log.is_some()
    }

    /// Finds out whether the tracker can be used: before hours of training, not after them.
    ///
    /// # Errors
    /// When its client is not installed, or cannot log there.
    pub fn check(&self) -> Result<()> {
        let Some(tracker) = &self.log else { return Ok(()) };
        tracker.ask("check", |_| {})?;
        Ok(())
    }

    /// Logs results and tells where they are; or says what went wrong, and how to log them later. False in that case.
    pub fn log(&self, results: &Results, value: &impl Serialize, reporter: &Drawer) -> bool {
        match self.logged(results, value) {
            Ok(None) => true,
            Ok(Some(told)) => {
                reporter.note(&format!("logged: {told}"));
                true
            }
            Err(error) => {
                eprintln!("error: {error:#}");
                false
            }
        }
    }

    fn logged(&self, results: &Results, value: &impl Serialize) -> Result<Option<String>> {
        let Some(Tracker(to)) = &self.log else { return Ok(None) };
        match results {
            Results::In(path) => self.results(path, None).with_context(|| {
                let place = path.to_string_lossy();
                let again = match path.is_file() {
                    true => "the same command again logs them, and trains nothing".to_owned(),
                    false => format!(
                        "`datadiet report {} --log {}` logs them later",
                        shlex::try_quote(&place).unwrap_or_default(),
                        shlex::try_quote(to).unwrap_or_default()
                    ),
                };
                format!("the results are in {place}, but not logged; {again}")
            }),
            Results::Named(name) => {
                let folder = tempfile::tempdir()?;
                let file = folder.path().join(format!("{name}.json"));
                write_json(&file, value)?;
                self.results(&file, None).context(
                    "the trainings are kept, but not logged; the same command again logs them, and trains nothing",
                )
            }
        }
    }

    /// Logs a folder or file of results, with the report if it is elsewhere; says where they are.
    ///
    /// # Errors
    /// When they cannot be logged.
    pub fn results(&self, results: &Path, report: Option<&Path>) -> Result<Option<String>> {
        let Some(tracker) = &self.log else { return Ok(None) };
        let told = tracker.ask("log", |command| {
            command.arg(results);
            report.iter().for_each(|report| _ = command.arg("--report").arg(report));
        })?;
        Ok(Some(told))
    }
}

impl Tracker {
    /// What `datadiet.tracking` answers.
    fn ask(&self, what: &str, with: impl FnOnce(&mut Command)) -> Result<String> {
        let Self(to) = self;
        let mut command = python::module("datadiet.tracking");
        command.args([what, to]).stdin(Stdio::null());
        with(&mut command);
        let program = command.get_program().to_string_lossy().into_owned();
        let other = format!("{} names another Python", python::PYTHON);
        let answer = command.output().with_context(|| {
            format!("--log {to} needs Python with the package datadiet, and {program} does not start; {other}")
        })?;
        if answer.status.success() {
            return Ok(String::from_utf8_lossy(&answer.stdout).trim().to_owned());
        }
        let errors = String::from_utf8_lossy(&answer.stderr);
        let last = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        if last.contains("No module named") && last.contains("datadiet") {
            bail!(
                "--log {to} needs the package datadiet of this version, which {program} has not; {other}"
            );
        }
        bail!("--log {to}: {last}")
    }
}
