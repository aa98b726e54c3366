//! One small job that asks a node whether it can train, before an array of hundreds finds out that it cannot: a store
//! that nodes do not see, a program or libraries that they do not have.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datadiet_core::Progress;
use datadiet_store::Probe;

use super::commands;
use super::queue::is_stuck;
use super::script::Does;
use super::{Executor, Needs, Now, OFTEN, Slurm};
use crate::LabError;
use crate::executor::asked::{Asks, checked};
use crate::refuse::bail;

/// Its log, in the sweep's folder.
const LOG: &str = "probe.log";

/// A node is being asked.
#[derive(Debug)]
pub(super) struct Asking {
    job: u64,
    /// Since when the job is over without an answer.
    over: Option<Instant>,
    /// Whether it was told that the job does not start.
    stuck: bool,
}

/// What became of a question.
enum Answer {
    /// Nothing yet, and what is worth a line.
    None(Option<String>),
    Some(Box<Probe>),
}

impl Asking {
    /// Nobody wants to know any more.
    pub fn take_back(self) {
        let _ = commands::scancel(&[self.job.to_string()]);
    }
}

impl Asks for Slurm {
    fn ask(
        &self,
        needs: Needs,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<Option<Probe>, LabError> {
        let mut asking = self.submit_question(needs)?;
        progress.note(&format!("asking a node of Slurm whether it can train: job {}", asking.job));
        loop {
            if stop.load(Ordering::Relaxed) {
                asking.take_back();
                return Ok(None);
            }
            match self.answer(&mut asking)? {
                Answer::Some(probe) => {
                    self.now().answer = Some((*probe).clone());
                    return Ok(Some(*probe));
                }
                Answer::None(note) => note.iter().for_each(|note| progress.note(note)),
            }
            let until = Instant::now() + OFTEN / 2;
            while Instant::now() < until && !stop.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
    }
}

impl Slurm {
    /// Submits the question.
    pub(super) fn submit_question(&self, needs: Needs) -> Result<Asking, LabError> {
        let job = self.submit(self.script(Does::Probe, needs), "probe.sh", &[])?;
        Ok(Asking { job, over: None, stuck: false })
    }

    /// Looks for an answer, on which the tasks that wait for it are submitted.
    pub(super) fn look_at_probe(&self, now: &mut Now) -> Result<(), LabError> {
        let Some(asking) = &mut now.asking else { return Ok(()) };
        match self.answer(asking)? {
            Answer::None(note) => {
                if let (Some(note), Some(id)) = (note, now.held.first().map(|task| task.id.clone()))
                {
                    now.tell(&id, note);
                }
                Ok(())
            }
            Answer::Some(probe) => {
                now.answer = Some(*probe);
                now.asking = None;
                let held = std::mem::take(&mut now.held);
                self.submit_all(now, held)
            }
        }
    }

    fn answer(&self, asking: &mut Asking) -> Result<Answer, LabError> {
        if let Some(probe) = self.sweep.probe()? {
            return checked(probe).map(|probe| Answer::Some(probe.into()));
        }
        let job = asking.job;
        let (state, reason) = match commands::squeue_of(job) {
            Ok(found) => found.unwrap_or_default(),
            // Perhaps later.
            Err(_) => return Ok(Answer::None(None)),
        };
        let waits = state == "PENDING";
        if waits && is_stuck(&reason) && !asking.stuck {
            asking.stuck = true;
            return Ok(Answer::None(Some(format!(
                "job {job} does not start until somebody sees to it: {reason} (scontrol show job {job})"
            ))));
        }
        if waits || ["RUNNING", "CONFIGURING", "COMPLETING", "SUSPENDED"].contains(&state.as_str())
        {
            asking.over = None;
            return Ok(Answer::None(None));
        }
        if state == "CANCELLED" {
            bail!("job {job}, which asks a node whether it can train, was cancelled");
        }
        let waited = asking.over.get_or_insert_with(Instant::now).elapsed();
        let log = std::fs::read(self.sweep.path().join(LOG)).unwrap_or_default();
        let told = super::queue::last_words(&String::from_utf8_lossy(&log));
        // The log is there before an answer could be.
        let patience = if told.is_empty() { self.patience() } else { OFTEN };
        if waited < patience {
            return Ok(Answer::None(None));
        }
        let folder = self.sweep.path().display();
        let program = self.program.display();
        if told.is_empty() {
            bail!(
                "no node answers whether it can train: job {job} is over ({state} {reason}) and has written nothing \
                 into {folder}. Nodes do not see that folder: put the store where all nodes see it (--store, or \
                 DATADIET_HOME)"
            );
        }
        bail!(
            "a node cannot train: job {job} is over without an answer. It says: {told}\n(nodes must find {program} \
             at the same path; the log is {folder}/{LOG})"
        )
    }
}
