//! One small job that asks a node whether it can train, before an array of hundreds finds out that it cannot: a store
//! that nodes do not see, a program or libraries that they do not have.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datadiet_core::Progress;
use datadiet_store::Probe;

use super::commands::{self, Trouble};
use super::queue::is_stuck;
use super::script::Does;
use super::{Executor, Needs, Now, OFTEN, Silence, Slurm};
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
    silence: Silence,
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
    fn answer(&self) -> Option<Probe> {
        self.now().answer.clone()
    }

    fn ask(
        &self,
        needs: Needs,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<Option<Probe>, LabError> {
        let Some(mut asking) = self.asking(needs, stop, progress)? else { return Ok(None) };
        progress.note(&format!("asking a node of Slurm whether it can train: job {}", asking.job));
        loop {
            if stop.load(Ordering::Relaxed) {
                asking.take_back();
                return Ok(None);
            }
            match self.look_for_answer(&mut asking)? {
                Answer::Some(probe) => {
                    self.now().answer = Some((*probe).clone());
                    return Ok(Some(*probe));
                }
                Answer::None(note) => note.iter().for_each(|note| progress.note(note)),
            }
            pause(stop);
        }
    }
}

fn pause(stop: &AtomicBool) {
    let until = Instant::now() + OFTEN / 2;
    while Instant::now() < until && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Slurm {
    /// Submits the question.
    fn submit_question(&self, needs: Needs) -> Result<Asking, Trouble> {
        let job = self.submit(self.script(Does::Probe, needs), "probe.sh", &[])?;
        Ok(Asking { job, over: None, stuck: false, silence: Silence::default() })
    }

    /// Submits the question, once Slurm takes it; none when `stop` was set before.
    fn asking(
        &self,
        needs: Needs,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<Option<Asking>, LabError> {
        let mut silence = Silence::default();
        while !stop.load(Ordering::Relaxed) {
            match self.submit_question(needs) {
                Ok(asking) => return Ok(Some(asking)),
                Err(Trouble::ForGood(error)) => return Err(error),
                Err(Trouble::Passing(problem)) => {
                    silence.goes_on(&problem)?.iter().for_each(|note| progress.note(note));
                }
            }
            pause(stop);
        }
        Ok(None)
    }

    /// Submits the question for the tasks that wait.
    pub(super) fn start_asking(&self, now: &mut Now) -> Result<(), LabError> {
        let needs = now.held.first().map(|task| task.needs).unwrap_or_default();
        match self.submit_question(needs) {
            Ok(asking) => {
                now.silence.ends();
                now.asking = Some(asking);
                now.stirred = Some(Instant::now());
                Ok(())
            }
            Err(Trouble::ForGood(error)) => Err(error),
            Err(Trouble::Passing(problem)) => now.silent(&problem),
        }
    }

    /// Looks for an answer, on which the tasks that wait for it are submitted.
    pub(super) fn look_at_probe(&self, now: &mut Now) -> Result<(), LabError> {
        let Some(asking) = &mut now.asking else { return self.start_asking(now) };
        match self.look_for_answer(asking)? {
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
                self.submit_held(now)
            }
        }
    }

    fn look_for_answer(&self, asking: &mut Asking) -> Result<Answer, LabError> {
        // Listing the folder has a network file system ask for what is in it.
        let _ = std::fs::read_dir(self.sweep.path()).map(Iterator::count);
        if let Some(probe) = self.sweep.probe()? {
            return checked(probe, &self.sweep).map(|probe| Answer::Some(probe.into()));
        }
        let job = asking.job;
        let (state, reason) = match commands::squeue_of(job) {
            Ok(found) => found.unwrap_or_default(),
            Err(problem) => return asking.silence.goes_on(&problem).map(Answer::None),
        };
        asking.silence.ends();
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
        // Setup and Slurm write into the log too: only that the job failed says that there will be no answer.
        let failed = state == "FAILED" && !told.is_empty();
        let patience = if failed { OFTEN } else { self.patience() };
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
