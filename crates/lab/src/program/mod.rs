//! Training by a program of the user's: a job goes in as a folder, words come out as lines, an answer
//! as files. docs/TRAINERS.md is the protocol.
//!
//! The program never writes what the store believes: `result.json` is written here, last, once its answer
//! was looked at. So it may be killed, or print, or answer nonsense at any time.

mod answer;
mod job;
mod line;
mod process;

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use datadiet_core::progress::{Event, Progress, Silent};
use datadiet_store::program::{CHECKPOINT, METRICS, RECORDED};
use datadiet_store::worker::{EXIT_MISUNDERSTOOD, EXIT_STOPPED};
use datadiet_store::{
    Labels, Lease, Measured, Measurement, MeasurementFolder, Over, RunFailure, RunFolder,
    RunResult, RunSpec, RunStatus, Store, StoreError, TimedAccuracy, TrainerSpec,
};
use datadiet_table::{Table, write_json};
use serde::{Deserialize, Serialize};

use crate::Resources;
use crate::worker::{EXIT_NOT_STARTED, Trainer, TrainerError, ended_by_system};
use answer::{Judged, Metrics, Recordings};
pub use job::Examples;
use job::{Job, LISTS};
use line::Evaluation;
use process::Said;

/// Bytes of that, at most.
const LONGEST_LOG: u64 = 16 << 20;
/// Lines of its standard error that a failure tells.
const TOLD_LINES: usize = 12;
/// How a line begins that says why it failed.
const ERROR: &str = "error: ";
/// What it spent before, in its run's folder.
const SPENT: &str = "spent.json";

/// Trains by a program of the user's.
#[derive(Clone, Debug)]
pub struct Program {
    command: Vec<String>,
    /// What evaluates weights, if anything does.
    evaluate: Option<Vec<String>>,
    examples: Examples,
    threads: u32,
    gpus: usize,
    checkpoint_every: Duration,
}

/// A program that is started.
struct Asked<'a> {
    command: &'a [String],
    /// Its folder, and whose that is.
    folder: &'a Path,
    id: &'a str,
    /// The lock that it holds as long as it lives.
    lock: Option<&'a File>,
}

/// An answer that holds.
struct Looked {
    judged: Judged,
    /// Scores after each step of them.
    scores: Vec<(u64, Table)>,
    peak_memory_mib: f64,
}

/// What earlier processes spent on a run.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Spent {
    seconds: f64,
}

impl Program {
    /// A program that trains on these examples, with what evaluates its weights, if anything does. With GPUs, each
    /// training sees one of them.
    pub fn new(
        (command, evaluate): (Vec<String>, Option<Vec<String>>),
        examples: Examples,
        resources: Resources,
        checkpoint_every: Duration,
    ) -> Self {
        let Resources { threads, gpus, .. } = resources;
        Self { command, evaluate, examples, threads, gpus, checkpoint_every }
    }

    fn command(&self, asked: &Asked<'_>, slot: usize) -> std::io::Result<Command> {
        let mut command = Command::new(&asked.command[0]);
        command.args(&asked.command[1..]).arg(std::path::absolute(asked.folder)?);
        command.env("DATADIET_RUN", asked.id);
        let seconds = self.checkpoint_every.as_secs_f64().to_string();
        command.env("DATADIET_CHECKPOINT_EVERY", seconds);
        if std::env::var_os("OMP_NUM_THREADS").is_none() {
            command.env("OMP_NUM_THREADS", self.threads.to_string());
        }
        if self.gpus > 0 {
            command.env("CUDA_VISIBLE_DEVICES", (slot % self.gpus).to_string());
        }
        Ok(command)
    }

    /// Runs the program to its end.
    fn carry_out(
        &self,
        folder: &RunFolder,
        job: &Job,
        (lease, slot): (&Lease, usize),
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<Option<f64>, TrainerError> {
        let (command, path, id) = (&self.command[..], folder.path(), folder.id().as_str());
        let asked = Asked { command, folder: path, id, lock: lease.guard() };
        let mut heard = Heard::new(&folder.log_file(), job.size() as u64, progress);
        let stops = || stop.load(Ordering::Relaxed) || lease.over().is_some();
        let ended = self.hear_out(&asked, slot, &stops, &mut heard, || {
            // Where it begins only it knows; nobody is to take its first word for that.
            progress.tell(&Event::At { task: "".into(), done: 0, loss: None, doing: None });
            let state = std::fs::read_dir(path.join(CHECKPOINT));
            if state.is_ok_and(|mut entries| entries.next().is_some()) {
                progress.note("goes on from its checkpoint");
            }
        });
        if let Some(Over::Lost(reason)) = lease.over() {
            return Err(TrainerError::Lost(reason));
        }
        ended?;
        Ok(heard.loss)
    }

    /// Starts a program, hears it to its end, and says what became of it.
    fn hear_out(
        &self,
        asked: &Asked<'_>,
        slot: usize,
        stops: &dyn Fn() -> bool,
        heard: &mut Heard<'_>,
        started: impl FnOnce(),
    ) -> Result<(), TrainerError> {
        let cannot = |error: std::io::Error| {
            TrainerError::Unusable(format!("cannot start {}: {error}", asked.command[0]))
        };
        let command = self.command(asked, slot).map_err(cannot)?;
        let mut child = process::start(command, asked.lock).map_err(cannot)?;
        started();
        let ended = process::follow(&mut child, stops, |said| heard.line(said))
            .map_err(|error| format!("lost touch with the trainer: {error}"))?;
        if !ended.left_behind.is_empty() {
            let note = left_behind(&ended.left_behind);
            heard.progress.note(&note);
            heard.write(&note);
        }
        let program = asked.command.join(" ");
        explain(&program, ended.status, heard, stops())
    }

    /// Turns the answer of a program into a result, if it is one. One that is none is removed, with the
    /// state that led to it: the next try begins anew.
    fn complete(
        &self,
        folder: &RunFolder,
        what: (&RunSpec, &TrainerSpec),
        job: &Job,
        (seconds, loss): (f64, Option<f64>),
        progress: &dyn Progress,
    ) -> Result<(), TrainerError> {
        let looked = self.look(folder, what, job, progress).inspect_err(|_| {
            // What another process has taken over is its to judge.
            if folder.pass_fence().is_ok() {
                let _ = folder.forget_program();
            }
        })?;
        for (step, table) in &looked.scores {
            folder.write_scores(*step, table).map_err(stored)?;
        }
        let steps = what.0.stop_after;
        let result = RunResult {
            steps,
            images_trained: job.own_epochs() * job.size() as u64,
            images_scored: 0,
            train_seconds: seconds,
            score_seconds: 0.0,
            images_differentiated: 0,
            gradient_seconds: 0.0,
            final_train_loss: loss,
            test_accuracy: vec![TimedAccuracy { step: steps, accuracy: looked.judged.test }],
            validation_accuracy: looked.judged.validation,
            test_by_class: looked.judged.by_class.clone(),
            peak_memory_mib: looked.peak_memory_mib,
        };
        folder.complete(&result).map_err(stored)?;
        tidy(folder);
        Ok(())
    }

    fn look(
        &self,
        folder: &RunFolder,
        (spec, trainer): (&RunSpec, &TrainerSpec),
        job: &Job,
        progress: &dyn Progress,
    ) -> Result<Looked, TrainerError> {
        let Some(metrics) = Metrics::read(folder)? else {
            return Err(format!(
                "it ended without {METRICS}, in which a trainer says how well it did; in Python return \
                 job.result(accuracy=…)"
            )
            .into());
        };
        if let Some(reason) = metrics.failed {
            folder
                .fail(&RunFailure { reason: reason.clone(), step: None, learning_rate: None })
                .map_err(stored)?;
            return Err(reason.into());
        }
        let judged = metrics.judged(job, &trainer.metric)?;
        for &epoch in &job.keep {
            line::check_kept(folder, epoch)?;
        }
        let labels = match &spec.labels {
            Labels::Original => self.examples.labels.clone(),
            Labels::Listed(list) => folder.read_list(list).map_err(text)?,
        };
        let examples = &self.examples;
        let (path, labels) = (folder.path(), labels.as_slice());
        let recordings = Recordings { folder: path, job, spec, examples, labels };
        let mut scores = Vec::new();
        for (place, &step) in spec.record.steps.iter().enumerate() {
            let (table, note) = recordings.scores(place).map_err(text)?;
            note.iter().for_each(|note| progress.note(note));
            scores.push((step, table));
        }
        Ok(Looked { judged, scores, peak_memory_mib: metrics.peak_memory_mib })
    }
}

impl Trainer for Program {
    fn train(
        &self,
        folder: &RunFolder,
        slot: usize,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<(), TrainerError> {
        let (_, spec) = RunFolder::open(folder.path()).map_err(text)?;
        let Some(trainer) = &spec.trainer else {
            return Err("this run is of one of our own networks, and not of a trainer".into());
        };
        let lease = folder.lock_patiently().map_err(stored)?;
        if let RunStatus::Complete(_) = folder.status().map_err(text)? {
            return Ok(());
        }
        let folder = &folder.fenced(&lease);
        let progress = &lease.telling(spec.stop_after, progress);
        let job = Job::write(folder, &spec, trainer, &self.examples)?;
        let what = (&spec, trainer);
        let before = spent(folder);
        // It may have ended just before we did.
        if matches!(Metrics::read(folder), Ok(Some(_))) {
            return self.complete(folder, what, &job, (before.seconds, None), progress);
        }
        forget_metrics(folder);
        let start = Instant::now();
        let ended = self.carry_out(folder, &job, (&lease, slot), stop, progress);
        let seconds = before.seconds + start.elapsed().as_secs_f64();
        match ended {
            Ok(loss) => self.complete(folder, what, &job, (seconds, loss), progress),
            Err(error) => {
                if folder.pass_fence().is_ok() {
                    let _ = write_json(&folder.path().join(SPENT), &Spent { seconds });
                }
                Err(error)
            }
        }
    }

    fn measure(
        &self,
        folder: &MeasurementFolder,
        slot: usize,
        stop: &AtomicBool,
    ) -> Result<(), TrainerError> {
        let (_, measurement) = MeasurementFolder::open(folder.path()).map_err(text)?;
        let Measurement::Line(line) = &measurement else {
            return Err("a trainer of your own gives no gradients: no kernels, no velocity".into());
        };
        let Some(command) = &self.evaluate else {
            return Err("this trainer does not say how weights are evaluated: give evaluate".into());
        };
        let (start, id) = (Instant::now(), measurement.id());
        let evaluation = Evaluation::of_line(self, folder, line, id.clone())?;
        let asked = Asked { command, folder: evaluation.folder(), id: &id, lock: None };
        let mut heard = Heard::new(&folder.log_file(), 1, &Silent);
        self.hear_out(&asked, slot, &|| stop.load(Ordering::Relaxed), &mut heard, || {})?;
        let (risks, seconds) = (evaluation.answer()?, start.elapsed().as_secs_f64());
        folder.complete(&Measured::Line { risks, seconds }).map_err(text)
    }
}

/// What became of a program that ended so.
fn explain(
    program: &str,
    status: ExitStatus,
    heard: &Heard<'_>,
    stop: bool,
) -> Result<(), TrainerError> {
    let told = heard.last_errors();
    match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(0) => Ok(()),
        Some(EXIT_STOPPED) => Err(TrainerError::Stopped),
        Some(EXIT_MISUNDERSTOOD | EXIT_NOT_STARTED) => {
            Err(TrainerError::Unusable(format!("{program} cannot train: {told}")))
        }
        _ if stop => Err(TrainerError::Stopped),
        Some(_) if heard.says_why() => Err(told.into()),
        Some(code) => {
            let told = if told.is_empty() { "it wrote no reason".into() } else { told };
            Err(format!("{program} ended with exit code {code}: {told}").into())
        }
        None => Err(ended_by_system(program, status, &told)),
    }
}

fn left_behind(processes: &[String]) -> String {
    const NAMED: usize = 3;
    let what = match processes.len() {
        1 => "a process".to_owned(),
        count => format!("{count} processes"),
    };
    let others = if processes.len() > NAMED { ", …" } else { "" };
    let names = processes[..processes.len().min(NAMED)].join(", ");
    format!(
        "warning: it left {what} behind, told to end now: {names}{others}; a trainer ends what it starts, and \
         what is to live on is started in a session of its own (setsid)"
    )
}

fn spent(folder: &RunFolder) -> Spent {
    let text = std::fs::read(folder.path().join(SPENT)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn forget_metrics(folder: &RunFolder) {
    let _ = std::fs::remove_file(folder.path().join(METRICS));
}

/// Removes what a complete run no longer needs; what cannot be removed does no harm.
fn tidy(folder: &RunFolder) {
    for name in [RECORDED, CHECKPOINT] {
        let _ = std::fs::remove_dir_all(folder.path().join(name));
    }
    for name in LISTS.iter().chain(&[SPENT]) {
        let _ = std::fs::remove_file(folder.path().join(name));
    }
}

fn text(error: impl ToString) -> TrainerError {
    TrainerError::Failed(error.to_string())
}

/// Why something could not be written: where another process has the run, or has taken it over, it is not failed.
fn stored(error: StoreError) -> TrainerError {
    match error {
        StoreError::Locked { .. } | StoreError::Fenced { .. } => {
            TrainerError::Lost(error.to_string())
        }
        error => text(error),
    }
}

/// What a program says, and where it goes: events to the progress, words to a person and the log.
struct Heard<'a> {
    /// Examples that an epoch passes.
    size: u64,
    progress: &'a dyn Progress,
    log: Option<File>,
    logged: u64,
    errors: VecDeque<String>,
    loss: Option<f64>,
}

impl<'a> Heard<'a> {
    fn new(log: &Path, size: u64, progress: &'a dyn Progress) -> Self {
        let log = OpenOptions::new().create(true).append(true).open(log).ok();
        let logged =
            log.as_ref().and_then(|log| log.metadata().ok()).map_or(0, |about| about.len());
        Self { size, progress, log, logged, errors: VecDeque::new(), loss: None }
    }

    fn line(&mut self, said: Said) {
        match said {
            Said::Out(line) => match serde_json::from_str::<Event<'_>>(&line) {
                // A program counts epochs, the run examples.
                Ok(Event::At { done, loss, doing, .. }) => {
                    self.loss = loss.or(self.loss);
                    let done = done.saturating_mul(self.size);
                    self.progress.tell(&Event::At { task: "".into(), done, loss, doing });
                }
                Ok(event) => self.progress.tell(&event),
                Err(_) if line.trim().is_empty() => {}
                Err(_) => {
                    self.progress.note(&line);
                    self.write(&line);
                }
            },
            Said::Err(line) => {
                self.write(&line);
                if !line.trim().is_empty() {
                    self.errors.push_back(line);
                }
                if self.errors.len() > TOLD_LINES {
                    self.errors.pop_front();
                }
            }
        }
    }

    fn write(&mut self, line: &str) {
        if self.logged > LONGEST_LOG {
            return;
        }
        self.logged += line.len() as u64 + 1;
        let cut = if self.logged > LONGEST_LOG { "\n(the rest is not kept)" } else { "" };
        if let Some(log) = &mut self.log {
            let _ = writeln!(log, "{line}{cut}");
        }
    }

    /// What it wrote to standard error last; where it says what the error is, from there on.
    fn last_errors(&self) -> String {
        let lines: Vec<&str> = self.errors.iter().map(String::as_str).collect();
        let error = lines.iter().rposition(|line| line.starts_with(ERROR));
        let text = lines[error.unwrap_or(0)..].join("\n");
        text.strip_prefix(ERROR).unwrap_or(&text).to_owned()
    }

    /// Whether it said what the error is, so that its command says no more.
    fn says_why(&self) -> bool {
        self.errors.iter().any(|line| line.starts_with(ERROR))
    }
}

/// What to know before a trainer trains that trained before in another state: that nothing of it is used,
/// and what has changed. None where runs of this state are there, or none of it at all.
pub fn changed_since(store: &Store, trainer: &TrainerSpec) -> Option<String> {
    let specs = store.run_folders().ok()?.into_iter().filter_map(|f| RunFolder::open(&f).ok());
    let trainers: Vec<TrainerSpec> = specs.filter_map(|(_, spec)| spec.trainer).collect();
    if trainers.contains(trainer) {
        return None;
    }
    let before = trainers.iter().rev().find(|before| trainer.is_other_state_of(before))?;
    let differs = [
        ("command", before.command != trainer.command),
        ("source", before.sources != trainer.sources),
        ("version", before.version != trainer.version),
        ("settings", before.settings != trainer.settings),
        ("metric", before.metric != trainer.metric),
        ("pass", before.pass != trainer.pass),
    ];
    let what: Vec<&str> = differs.iter().filter(|(_, is)| *is).map(|(name, _)| *name).collect();
    Some(format!(
        "note: {} has changed since it trained here ({}): it trains anew, and its runs of before are kept \
         beside",
        trainer.name,
        what.join(", ")
    ))
}
