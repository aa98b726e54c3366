//! `datadiet runs`: list, show, watch, stop and clean up the trainings in the store.

mod gc;
mod stop;
mod watch;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use datadiet_core::grouped;
use datadiet_lab::{settings, text::table};
use datadiet_store::{
    Holder, RunFolder, RunProgress, RunSpec, RunStatus, Store, StoreError, Subset,
};
use datadiet_table::FileError;
use serde::Serialize;

use crate::home::HomeArgs;
use crate::output::OutputArgs;

/// The subcommands of `datadiet runs`.
#[derive(Subcommand)]
pub enum RunsCommand {
    /// List all runs with their state.
    List(OutputArgs),
    /// Show the specification and result of one run.
    Show(ShowArgs),
    /// Show how far runs are that are trained now, wherever that is.
    Watch(watch::WatchArgs),
    /// Have runs that are trained now save their state and end, wherever they are.
    Stop(stop::StopArgs),
    /// Remove runs that are of no more use, and what only they needed.
    Gc(gc::GcArgs),
}

/// Arguments of `runs show`.
#[derive(Args)]
pub struct ShowArgs {
    /// Id of the run, or its beginning.
    id: String,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs a subcommand.
pub fn run(home: &HomeArgs, command: RunsCommand) -> Result<ExitCode> {
    let store = home.store()?;
    match command {
        RunsCommand::List(output) => list(&store, output)?,
        RunsCommand::Show(args) => show(&store, &args)?,
        RunsCommand::Watch(args) => return watch::run(&store, &args),
        RunsCommand::Stop(args) => stop::run(&store, &args)?,
        RunsCommand::Gc(args) => gc::run(&store, &args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A folder of the store, readable or not.
#[derive(Serialize)]
struct Listed {
    id: String,
    state: State,
    data: Option<String>,
    network: Option<String>,
    replica: Option<u32>,
    /// Examples trained on; none for all of the data set.
    examples: Option<u32>,
    steps: Option<u64>,
    test_accuracy: Option<f64>,
    /// What it is judged by instead, and how well it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<(String, f64)>,
    bytes: u64,
    problem: Option<String>,
    /// Who trains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<Holder>,
    /// How far that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<RunProgress>,
    #[serde(skip)]
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    Complete,
    Training,
    Unfinished,
    Failed,
    Damaged,
    /// Written by another version of the program.
    Foreign,
    /// Cannot be read: permissions, a failing disk.
    Unreadable,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Training => "training",
            Self::Unfinished => "unfinished",
            Self::Failed => "failed",
            Self::Damaged => "damaged",
            Self::Foreign => "other version",
            Self::Unreadable => "unreadable",
        }
    }
}

fn all(store: &Store) -> Result<Vec<Listed>> {
    Ok(store.run_folders()?.iter().map(|path| listed(path)).collect())
}

fn listed(path: &Path) -> Listed {
    let id = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut listed = Listed {
        id,
        state: State::Damaged,
        data: None,
        network: None,
        replica: None,
        examples: None,
        steps: None,
        test_accuracy: None,
        test: None,
        bytes: 0,
        problem: None,
        holder: None,
        progress: None,
        path: path.to_owned(),
    };
    if let Err(problem) = fill(&mut listed, path) {
        listed.describe(&problem);
    }
    let at_work = matches!(listed.state, State::Unfinished | State::Damaged | State::Foreign);
    if at_work && let Some(holder) = Holder::of(path).ok().flatten() {
        listed.state = State::Training;
        listed.holder = Some(holder);
        listed.progress = RunProgress::read(path);
    }
    listed
}

impl Listed {
    /// Notes a problem: what cannot be read at all is not known to be damaged.
    fn describe(&mut self, problem: &StoreError) {
        let missing = std::io::ErrorKind::NotFound;
        let unread = matches!(problem, StoreError::File(FileError::Io { cause, .. }) if cause.kind() != missing);
        self.state = match unread {
            true => State::Unreadable,
            false if is_foreign(&self.path) => State::Foreign,
            false => State::Damaged,
        };
        self.problem = Some(problem.to_string());
    }
}

/// Whether a folder has a specification, but one that this version does not know.
fn is_foreign(path: &Path) -> bool {
    let text = std::fs::read(path.join("spec.json")).unwrap_or_default();
    let spec: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let known: Result<RunSpec, _> = serde_json::from_value(spec.clone());
    spec["semantics"].is_u64() && known.is_err()
}

fn fill(listed: &mut Listed, path: &Path) -> Result<(), StoreError> {
    let (folder, spec) = RunFolder::open(path)?;
    listed.bytes = folder.bytes();
    listed.data = Some(spec.data.name);
    listed.network = Some(match &spec.trainer {
        Some(trainer) => trainer.name.clone(),
        None => format!("{} {}", spec.network.name, spec.network.width),
    });
    listed.replica = Some(spec.replica);
    listed.steps = Some(spec.stop_after);
    listed.examples = match spec.subset {
        Subset::Full => spec.data.limit,
        Subset::Listed(list) => Some(list.length),
    };
    match folder.status()? {
        RunStatus::Complete(result) => {
            listed.state = State::Complete;
            let metric = spec.trainer.map(|trainer| trainer.metric).filter(|m| !m.is_accuracy());
            match (metric, result.final_test_accuracy()) {
                (Some(metric), value) => listed.test = value.map(|value| (metric.name, value)),
                (None, accuracy) => listed.test_accuracy = accuracy,
            }
        }
        RunStatus::Failed(failure) => {
            listed.state = State::Failed;
            listed.problem = Some(failure.reason);
        }
        RunStatus::Unfinished => listed.state = State::Unfinished,
    }
    Ok(())
}

fn list(store: &Store, output: OutputArgs) -> Result<()> {
    let runs = all(store)?;
    output.answer(&runs, || {
        if runs.is_empty() {
            return format!("no runs in {}", store.root().display());
        }
        rows(&runs)
    })
}

fn rows(runs: &[Listed]) -> String {
    let trained = runs.iter().any(|run| run.holder.is_some());
    let row = |run: &Listed| {
        let accuracy = run.test_accuracy.map(|accuracy| format!("{:.1} %", accuracy * 100.0));
        let other = run.test.as_ref().map(|(name, value)| format!("{name} {value:.4}"));
        let accuracy = accuracy.or(other);
        let mut row = vec![
            run.id.clone(),
            run.state.word().into(),
            run.data.clone().unwrap_or_default(),
            run.network.clone().unwrap_or_default(),
            run.replica.map_or(String::new(), |replica| replica.to_string()),
            run.examples.map_or("all".into(), |count| grouped(count.into())),
            run.steps.map_or(String::new(), grouped),
            accuracy.unwrap_or_else(|| "–".into()),
            format!("{:.1}", run.bytes as f64 / 1e6),
        ];
        if trained {
            row.push(run.holder.as_ref().map_or(String::new(), |holder| held(run, holder)));
        }
        row
    };
    let mut header =
        vec!["run", "state", "data", "network", "replica", "examples", "steps", "accuracy", "MB"];
    if trained {
        header.push("where, since, how far");
    }
    table(&header, runs.iter().map(row).collect(), 4)
}

/// Who trains a run, since when, and how far that is.
fn held(run: &Listed, holder: &Holder) -> String {
    let at =
        run.progress.as_ref().map(|at| format!(", {} of {}", grouped(at.step), grouped(at.total)));
    let silent = silent(&run.path, holder).map(|time| format!(", silent for {time}"));
    format!(
        "{}, process {}, {}{}{}",
        holder.place(),
        holder.pid,
        holder.since(),
        at.unwrap_or_default(),
        silent.unwrap_or_default()
    )
}

/// For how long a holder has not renewed its lease, where that is suspiciously long by this machine's clock.
fn silent(run: &Path, holder: &Holder) -> Option<indicatif::HumanDuration> {
    let renewed = Holder::renewed(run)?.elapsed().ok()?;
    (renewed > 2 * holder.ttl()).then_some(indicatif::HumanDuration(renewed))
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    run: Listed,
    folder: String,
    spec: RunSpec,
    result: Option<datadiet_store::RunResult>,
}

fn show(store: &Store, args: &ShowArgs) -> Result<()> {
    let run = find(store, &args.id)?;
    let (folder, spec) = RunFolder::open(&run.path)?;
    let result = match folder.status()? {
        RunStatus::Complete(result) => Some(result),
        _ => None,
    };
    let shown = Shown { folder: run.path.display().to_string(), run, spec, result };
    let spec = toml::to_string(&shown.spec)?;
    let result = shown.result.as_ref().map(toml::to_string).transpose()?;
    args.output.answer(&shown, || {
        let problem =
            shown.run.problem.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
        let result = result.map(|text| format!("\n# result\n{text}")).unwrap_or_default();
        let holder = shown.run.holder.as_ref().map(|holder| held(&shown.run, holder));
        let holder = holder.map(|text| format!(" ({text})")).unwrap_or_default();
        let state = shown.run.state.word();
        let (id, folder, how) = (&shown.run.id, &shown.folder, settings(&shown.spec));
        format!("# {id}, {state}{holder}{problem}\n# {folder}\n# {how}\n{spec}{result}")
    })
}

/// The one run whose id begins so.
fn find(store: &Store, start: &str) -> Result<Listed> {
    let mut matching = all(store)?;
    matching.retain(|run| run.id.starts_with(start));
    match matching.len() {
        1 => Ok(matching.remove(0)),
        0 => bail!("no run's id begins with {start}; `datadiet runs list` shows them"),
        count => bail!("{count} runs' ids begin with {start}; give more of it"),
    }
}
