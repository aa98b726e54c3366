//! `--log`: results to MLflow, Weights & Biases or TensorBoard, by the package's own `datadiet.tracking`, which uses
//! their clients. What is logged under which name: docs/TRACKERS.md.

use std::collections::BTreeMap;
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
    /// Log the results: mlflow, wandb or tensorboard, or mlflow:URI, wandb:PROJECT, tensorboard:DIR.
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
pub enum Loggable {
    /// A folder, or a file, which stays.
    In(PathBuf),
    /// The answer alone, by this name: nothing else was written.
    Named(String),
}

/// What a command that trains has to log.
pub struct Done {
    /// What came of it.
    pub results: Loggable,
    /// Losses of the trainings of this process, by name and step.
    pub losses: BTreeMap<String, Vec<(u64, f64)>>,
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

    /// Logs what was done and tells where it is; or says what went wrong, and how to log it later. False in that case.
    pub fn log(&self, done: &Done, value: &impl Serialize, reporter: &Drawer) -> bool {
        let Some(tracker) = &self.log else { return true };
        match tracker.log(done, value).with_context(|| tracker.how_later(&done.results)) {
            Ok(told) => reporter.note(&format!("logged: {told}")),
            Err(error) => {
                eprintln!("error: {error:#}");
                return false;
            }
        }
        true
    }

    /// Logs a folder of results and its report; says where they are.
    ///
    /// # Errors
    /// When they cannot be logged.
    pub fn report(&self, results: &Path, report: &Path) -> Result<Option<String>> {
        let log = |tracker: &Tracker| {
            tracker.ask("log", |command| _ = command.arg(results).arg("--report").arg(report))
        };
        self.log.as_ref().map(log).transpose()
    }
}

impl Tracker {
    fn log(&self, done: &Done, value: &impl Serialize) -> Result<String> {
        let folder = tempfile::tempdir()?;
        let losses = folder.path().join("losses.json");
        write_json(&losses, &done.losses)?;
        let results = match &done.results {
            Loggable::In(path) => path.clone(),
            Loggable::Named(name) => {
                let file = folder.path().join(format!("{name}.json"));
                write_json(&file, value)?;
                file
            }
        };
        self.ask("log", |command| _ = command.arg(results).arg("--losses").arg(losses))
    }

    /// What to type once the tracker can be used.
    fn how_later(&self, results: &Loggable) -> String {
        let quoted = |text: &str| shlex::try_quote(text).unwrap_or_default().into_owned();
        match results {
            Loggable::In(folder) if folder.is_dir() => {
                let place = folder.to_string_lossy();
                format!(
                    "the results are in {place}, but not logged; `datadiet report {} --log {}` logs them",
                    quoted(&place),
                    quoted(&self.0)
                )
            }
            _ => "the trainings are kept, but not logged; the same command again logs them, and trains nothing".into(),
        }
    }

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
