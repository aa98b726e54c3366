//! What nodes answered before to the question whether they can train: it is asked once for a store, a place, a
//! program and a trainer. What `auto` is for the arithmetic then stays what it was, so that the same command finds its runs again.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use datadiet_core::Progress;
use datadiet_store::{Probe, Store, SweepFolder, SweepPlan, Trains, short_digest};
use serde::{Deserialize, Serialize};

use super::{Executor, Needs};
use crate::LabError;
use crate::on::{OnOptions, Place};
use crate::refuse::bail;

/// The folder of a store that has what was answered: sweeps go when they are done, answers stay.
const FOLDER: &str = "answers";

/// An executor that has machines answer.
pub trait Asks: Executor {
    /// What was answered, if anything was.
    fn answer(&self) -> Option<Probe>;

    /// Asks a machine whether it can train, and waits for the answer; none when `stop` was set. Tells what it waits
    /// for. Who is not asked asks by itself before the first task.
    ///
    /// # Errors
    /// When it cannot train, or none answers, with why.
    fn ask(
        &self,
        needs: Needs,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<Option<Probe>, LabError>;
}

/// What decides who answers, and what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Where.
    on: OnOptions,
    /// What the environment says of the place.
    environment: BTreeMap<String, String>,
    /// The program that is to be there.
    program: String,
    /// Its version.
    version: String,
    /// What trains.
    trainer: Trainer,
    /// Where the data are.
    data_home: Option<PathBuf>,
    /// GPUs that a training needs.
    gpus: u32,
}

/// What trains, as far as a machine must have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Trainer {
    Own { program: Option<PathBuf>, torch: Option<PathBuf> },
    Program { command: Vec<String>, cwd: PathBuf },
}

/// A question, and what was answered.
#[derive(Serialize, Deserialize)]
struct Answered {
    question: Question,
    answer: Probe,
}

impl Question {
    /// Whether machines of a place can train what a sweep's plan says.
    pub fn new(on: &OnOptions, program: &Path, plan: &SweepPlan) -> Self {
        // How many, how long and how often do not matter to who answers.
        let on = OnOptions { at_a_time: None, retries: None, time: None, ..on.clone() };
        let (program, version) =
            (program.to_string_lossy().into(), env!("CARGO_PKG_VERSION").into());
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        });
        let place = on.place();
        let environment = variables.filter(|(name, _)| chooses_machines(&place, name)).collect();
        let trainer = match plan.trains.clone() {
            Trains::Worker { program, torch } => Trainer::Own { program, torch },
            Trains::Program { command, cwd, .. } => Trainer::Program { command, cwd },
        };
        let (data_home, gpus) = (plan.data_home.clone(), plan.gpus);
        Self { on, environment, program, version, trainer, data_home, gpus }
    }

    /// What was answered in this store, if it was asked before and could be.
    ///
    /// # Errors
    /// When what was answered cannot be read.
    pub fn answered(&self, store: &Store) -> Result<Option<Probe>, LabError> {
        let text = match std::fs::read(self.file(store)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => bail!("cannot read {}: {error}", self.file(store).display()),
        };
        let kept = serde_json::from_slice::<Answered>(&text).ok();
        let kept = kept.filter(|kept| kept.question == *self && kept.answer.problem.is_none());
        Ok(kept.map(|kept| kept.answer).filter(|answer| answer.version == self.version))
    }

    /// Keeps an answer with the store.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn keep(&self, store: &Store, answer: Probe) -> Result<(), LabError> {
        let file = self.file(store);
        let folder = file.parent().unwrap_or(store.root());
        if let Err(error) = std::fs::create_dir_all(folder) {
            bail!("cannot make {}: {error}", folder.display());
        }
        Ok(datadiet_table::write_json(&file, &Answered { question: self.clone(), answer })?)
    }

    fn file(&self, store: &Store) -> PathBuf {
        let text = serde_json::to_string(self).expect("a question is plain data");
        store.root().join(FOLDER).join(format!("{}.json", short_digest(&text)))
    }
}

/// Whether a variable says which machines of a place train.
fn chooses_machines(place: &Place, name: &str) -> bool {
    match place {
        Place::Slurm => {
            name.starts_with("SBATCH_") || ["SLURM_CONF", "SLURM_CLUSTERS"].contains(&name)
        }
        Place::Ray(_) => name == "RAY_ADDRESS",
        Place::Local | Place::Plan | Place::Launcher(_) => false,
    }
}

/// An answer that says that a machine can train, as this command does.
///
/// # Errors
/// When it cannot, or read another sweep, with why.
pub fn checked(probe: Probe, sweep: &SweepFolder) -> Result<Probe, LabError> {
    let host = &probe.host;
    let (_, plan) = SweepFolder::open(sweep.path())?;
    if probe.token != plan.token {
        bail!(
            "{host} answers for another sweep than that in {}: put the store where all machines see it (--store, or \
             DATADIET_HOME)",
            sweep.path().display()
        );
    }
    if let Some(problem) = &probe.problem {
        bail!("{host} cannot train: {problem}");
    }
    let version = env!("CARGO_PKG_VERSION");
    if probe.version != version {
        bail!(
            "{host} has datadiet {}, and this is {version}: install the same on all machines",
            probe.version
        );
    }
    Ok(probe)
}
