//! What nodes answered before to the question whether they can train: it is asked once for a store, a place and a
//! program. What `auto` is for the arithmetic then stays what it was, so that the same command finds its runs again.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use datadiet_core::Progress;
use datadiet_store::{Probe, Store, SweepFolder};
use serde::{Deserialize, Serialize};

use super::{Executor, Needs};
use crate::LabError;
use crate::on::OnOptions;
use crate::refuse::bail;

/// The question, in the folder of the sweep for which it was asked.
const FILE: &str = "asked.json";

/// An executor that has machines answer.
pub trait Asks: Executor {
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

/// What decides who answers.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// Where.
    on: OnOptions,
    /// The program that is to be there.
    program: String,
    /// Its version.
    version: String,
    /// Whether our own networks train.
    own: bool,
}

impl Question {
    /// Whether machines of a place can train, by our own worker or by a program of the user's.
    pub fn new(on: &OnOptions, program: &Path, own: bool) -> Self {
        // How many, how long and how often do not matter to who answers.
        let on = OnOptions { at_a_time: None, retries: None, time: None, ..on.clone() };
        let (program, version) =
            (program.to_string_lossy().into(), env!("CARGO_PKG_VERSION").into());
        Self { on, program, version, own }
    }

    /// Notes that it is asked for a sweep.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn note(&self, sweep: &SweepFolder) -> Result<(), LabError> {
        Ok(datadiet_table::write_json(&sweep.path().join(FILE), self)?)
    }

    /// What was answered in this store, if it was asked before and could be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn answered(&self, store: &Store) -> Result<Option<Probe>, LabError> {
        for sweep in SweepFolder::all(store)? {
            let asked = std::fs::read(sweep.path().join(FILE)).ok();
            let asked = asked.and_then(|text| serde_json::from_slice::<Self>(&text).ok());
            if asked.as_ref() != Some(self) {
                continue;
            }
            if let Ok(Some(probe)) = sweep.probe()
                && probe.problem.is_none()
                && probe.version == self.version
            {
                return Ok(Some(probe));
            }
        }
        Ok(None)
    }
}

/// An answer that says that a machine can train, as this command does.
///
/// # Errors
/// When it cannot, with why.
pub fn checked(probe: Probe) -> Result<Probe, LabError> {
    let host = &probe.host;
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
