//! Runs of the store, several at a time, and what became of each.
//!
//! Completed runs are reused, recorded failures are not tried again unless asked, one failed run does not stop the
//! others. A run that somebody else trains is waited for; one whose process was lost is started again. What a run
//! came to the store says, not its process.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use datadiet_core::Progress;
use datadiet_core::progress::{Count, Event};
use datadiet_store::{
    Holder, LeaseWatch, Measured, Measurement, RunFailure, RunFolder, RunId, RunProgress,
    RunResult, RunSpec, RunStatus, Store, StoreError, SweepFolder, Verb,
};
use datadiet_table::{FailedReplica, FileError};

use crate::LabError;
use crate::executor::{End, Executor, Happened, Needs, Task};
use crate::worker::{STOPPED, STOPPED_BY_HAND};

/// Losses of a task without a newer checkpoint, after which it has failed.
const RETRIES: u32 = crate::OnOptions::RETRIES;
/// So many times as many losses are the most without a further step: a trainer may write its state when it begins.
const UNPROVEN: u32 = 10;
/// Time between the first loss of a task without a further step and its next start; twice as long after each.
const BACK_OFF: Duration = Duration::from_millis(100);
/// The most that it comes to.
const BACK_OFF_MOST: Duration = Duration::from_secs(30);
/// Time between two looks whether it was asked to stop.
const PAUSE: Duration = Duration::from_millis(50);
/// Things that are heard before it is looked whether it was asked to stop.
const MOST_HEARD: usize = 1000;
/// Time between two signs of life in the sweep's folder.
const TOUCH: Duration = Duration::from_secs(3600);
/// Time between two looks at what others do.
const LOOK: Duration = Duration::from_millis(500);
/// How long tasks that are to save and end after an error are waited for: longer than a trainer may take for that.
const ABANDONED: Duration = Duration::from_secs(120);
/// How long a store of several machines that does not answer is asked again, as an engine is that does not.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// What is said of a task that may go on without this process.
const LEFT: &str = "not done yet; the same command finds it again";

/// How runs are carried out.
pub struct Sweep<'a> {
    /// Where runs live.
    pub store: &'a Store,
    /// What carries them out.
    pub executor: &'a dyn Executor,
    /// What each needs of a machine.
    pub needs: Needs,
    /// How often in a row a task is started again that was lost and has no newer checkpoint.
    pub retries: u32,
    /// Train runs again whose failure is on record.
    pub retry_failed: bool,
    /// Set from outside to stop at the next step.
    pub stop: &'a AtomicBool,
    /// Hears about it.
    pub progress: &'a dyn Progress,
}

/// A run to carry out.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// What it is called in progress and errors; distinct within a sweep.
    pub name: String,
    /// The run.
    pub spec: RunSpec,
}

/// A measurement to make.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasurementJob {
    /// What it is called in errors.
    pub name: String,
    /// The run that it is about.
    pub run: RunId,
    /// That run's replica.
    pub replica: u32,
    /// What to measure.
    pub measurement: Measurement,
}

/// How a measurement ended.
type MeasurementOutcome = Result<Measured, Failure>;

/// A run, or a measurement of one, that did not complete.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// What it is called.
    pub name: String,
    /// Its replica.
    pub replica: u32,
    /// Its id.
    pub run: String,
    /// Why.
    pub reason: String,
}

impl Failure {
    /// As the card of a table has it.
    pub fn on_card(&self) -> FailedReplica {
        FailedReplica {
            name: self.name.clone(),
            replica: self.replica,
            run: self.run.clone(),
            reason: Some(self.reason.clone()),
        }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum RunOutcome {
    /// Complete; `reused` when it was so before.
    Complete {
        /// What came of it.
        result: RunResult,
        /// Whether nothing had to be trained.
        reused: bool,
    },
    /// Not complete.
    Failed(Failure),
}

/// Whether more is needed, asked with how all pieces before ended so far: none of those that go on.
type Wanted<'w, O> = dyn Fn(&[Option<O>]) -> bool + 'w;

impl<'a> Sweep<'a> {
    /// In `store` by `executor`, with what else there is as it usually is.
    pub fn new(
        store: &'a Store,
        executor: &'a dyn Executor,
        stop: &'a AtomicBool,
        progress: &'a dyn Progress,
    ) -> Self {
        let needs = Needs { cpus: 1, ..Needs::default() };
        Self { store, executor, needs, retries: RETRIES, retry_failed: false, stop, progress }
    }

    /// Whether it was asked to stop.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Carries out `jobs`, which are of different runs, in order. Before a run starts, `wanted` is asked, with how
    /// all runs before it ended so far (`None` while they train), whether it is still needed.
    ///
    /// # Errors
    /// When the store or the executor cannot be used. Failures of runs are in the answer.
    pub(crate) fn run(
        &self,
        jobs: &[Job],
        wanted: &(dyn Fn(&[Option<RunOutcome>]) -> bool + Sync),
    ) -> Result<Vec<Option<RunOutcome>>, LabError> {
        Course::new(self, jobs).run(wanted, &|| {})
    }

    /// Makes measurements, which are different, in any order; those made before are read.
    ///
    /// # Errors
    /// When the store or the executor cannot be used. Failures of measurements are in the answer.
    pub(crate) fn measure_all(
        &self,
        jobs: &[MeasurementJob],
    ) -> Result<Vec<Option<MeasurementOutcome>>, LabError> {
        let count = Count::start(self.progress, "measuring", Some(jobs.len() as u64));
        Course::new(self, jobs).run(&|_| true, &|| count.advance(1))
    }

    fn failure(&self, name: &str, replica: u32, run: String, reason: String) -> Failure {
        Failure { name: name.to_owned(), replica, run, reason }
    }
}

/// Something to carry out once, as the store knows it.
trait Piece {
    /// How it ends.
    type Outcome: Clone;
    /// What is done.
    const VERB: Verb;

    /// Its name in the store.
    fn id(&self, sweep: &Sweep<'_>) -> String;
    /// What it is called.
    fn name(&self) -> &str;
    /// Its folder.
    fn folder(&self, sweep: &Sweep<'_>) -> PathBuf;
    /// What came of it before, if something did; else makes its folder. The `first` time, what was asked of it before
    /// the command was typed is forgotten: a failure that is to be tried again.
    fn begin(&self, sweep: &Sweep<'_>, first: bool) -> Result<Option<Self::Outcome>, LabError>;
    /// What came of it now, if it is done.
    fn done(&self, sweep: &Sweep<'_>) -> Result<Option<Self::Outcome>, LabError>;
    /// When it saved its state last.
    fn saved(&self, sweep: &Sweep<'_>) -> Option<SystemTime>;
    /// When somebody asked for it to stop, beside this sweep.
    fn asked_to_stop(&self, sweep: &Sweep<'_>) -> Option<SystemTime>;
    /// Forgets that.
    fn forget_stop(&self, sweep: &Sweep<'_>) -> Result<(), LabError>;
    /// That it did not complete.
    fn failed(&self, sweep: &Sweep<'_>, reason: String) -> Self::Outcome;
    /// Tells that it begins, as one of several.
    fn tell_started(&self, sweep: &Sweep<'_>, slot: usize);
    /// Tells how far it is.
    fn tell(&self, sweep: &Sweep<'_>, event: &Event<'_>);
    /// Tells that it ended, with the reason where it is not complete.
    fn tell_ended(&self, sweep: &Sweep<'_>, problem: Option<&str>);
}

impl Piece for Job {
    type Outcome = RunOutcome;
    const VERB: Verb = Verb::Train;

    fn id(&self, sweep: &Sweep<'_>) -> String {
        sweep.store.run(&self.spec).id().to_string()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn folder(&self, sweep: &Sweep<'_>) -> PathBuf {
        sweep.store.run(&self.spec).path().to_owned()
    }

    fn begin(&self, sweep: &Sweep<'_>, first: bool) -> Result<Option<RunOutcome>, LabError> {
        let folder = sweep.store.run(&self.spec);
        if first && sweep.retry_failed {
            forget_failure(&folder)?;
        }
        match folder.status()? {
            RunStatus::Complete(result) => {
                let (task, total) = ((&self.name).into(), self.spec.stop_after);
                sweep.progress.tell(&Event::Reused { task, total });
                return Ok(Some(RunOutcome::Complete { result, reused: true }));
            }
            RunStatus::Failed(failure) if first => {
                return Ok(Some(self.failed(sweep, remembered(&failure))));
            }
            // Of whoever was waited for.
            RunStatus::Failed(failure) => return Ok(Some(self.failed(sweep, failure.reason))),
            RunStatus::Unfinished => {}
        }
        folder.prepare(&self.spec)?;
        Ok(None)
    }

    fn done(&self, sweep: &Sweep<'_>) -> Result<Option<RunOutcome>, LabError> {
        Ok(match sweep.store.run(&self.spec).status()? {
            RunStatus::Complete(result) => Some(RunOutcome::Complete { result, reused: false }),
            _ => None,
        })
    }

    fn saved(&self, sweep: &Sweep<'_>) -> Option<SystemTime> {
        sweep.store.run(&self.spec).saved()
    }

    fn asked_to_stop(&self, sweep: &Sweep<'_>) -> Option<SystemTime> {
        sweep.store.run(&self.spec).asked_to_stop()
    }

    fn forget_stop(&self, sweep: &Sweep<'_>) -> Result<(), LabError> {
        Ok(sweep.store.run(&self.spec).forget_stop()?)
    }

    fn failed(&self, sweep: &Sweep<'_>, reason: String) -> RunOutcome {
        self.tell_ended(sweep, Some(&reason));
        let run = self.id(sweep);
        RunOutcome::Failed(sweep.failure(&self.name, self.spec.replica, run, reason))
    }

    fn tell_started(&self, sweep: &Sweep<'_>, slot: usize) {
        let (task, total, worker) = ((&self.name).into(), Some(self.spec.stop_after), Some(slot));
        let batch = Some(self.spec.schedule.batch);
        sweep.progress.tell(&Event::Started { task, total, worker, batch });
    }

    fn tell(&self, sweep: &Sweep<'_>, event: &Event<'_>) {
        match event {
            Event::At { done, loss, doing, .. } => {
                let (task, doing) = ((&self.name).into(), doing.clone());
                sweep.progress.tell(&Event::At { task, done: *done, loss: *loss, doing });
            }
            Event::Note { text } => sweep.progress.note(&format!("{}: {text}", self.name)),
            // When a run begins and ends is known better here.
            Event::Started { .. } | Event::Reused { .. } | Event::Ended { .. } => {}
        }
    }

    fn tell_ended(&self, sweep: &Sweep<'_>, problem: Option<&str>) {
        let (task, problem) = ((&self.name).into(), problem.map(Into::into));
        sweep.progress.tell(&Event::Ended { task, problem });
    }
}

impl Piece for MeasurementJob {
    type Outcome = MeasurementOutcome;
    const VERB: Verb = Verb::Measure;

    fn id(&self, _: &Sweep<'_>) -> String {
        self.measurement.id()
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn folder(&self, sweep: &Sweep<'_>) -> PathBuf {
        sweep.store.measurement(&self.measurement).path().to_owned()
    }

    fn begin(&self, sweep: &Sweep<'_>, _: bool) -> Result<Option<MeasurementOutcome>, LabError> {
        let folder = sweep.store.measurement(&self.measurement);
        if let Some(measured) = folder.result()? {
            return Ok(Some(Ok(measured)));
        }
        folder.prepare(&self.measurement)?;
        Ok(None)
    }

    fn done(&self, sweep: &Sweep<'_>) -> Result<Option<MeasurementOutcome>, LabError> {
        Ok(sweep.store.measurement(&self.measurement).result()?.map(Ok))
    }

    fn saved(&self, _: &Sweep<'_>) -> Option<SystemTime> {
        None
    }

    fn asked_to_stop(&self, _: &Sweep<'_>) -> Option<SystemTime> {
        None
    }

    fn forget_stop(&self, _: &Sweep<'_>) -> Result<(), LabError> {
        Ok(())
    }

    fn failed(&self, sweep: &Sweep<'_>, reason: String) -> MeasurementOutcome {
        self.tell_ended(sweep, Some(&reason));
        Err(sweep.failure(&self.name, self.replica, self.run.to_string(), reason))
    }

    fn tell_started(&self, _: &Sweep<'_>, _: usize) {}

    fn tell(&self, _: &Sweep<'_>, _: &Event<'_>) {}

    fn tell_ended(&self, sweep: &Sweep<'_>, problem: Option<&str>) {
        if let Some(reason) = problem {
            sweep.progress.note(&format!("{}: {reason}", self.name));
        }
    }
}

/// What a piece is doing.
enum Stage {
    /// The executor has it.
    Started,
    /// Its process said that it is done, and its result is not seen yet.
    Late(Instant),
    /// Somebody else has it.
    Held(Box<LeaseWatch>),
}

/// A piece that goes on.
struct Going {
    stage: Stage,
    /// The number that it is told to have among several.
    slot: usize,
    /// Whether it was told that it began.
    told: bool,
    /// How often it was lost in a row without a newer checkpoint.
    losses: u32,
    /// How often it was lost in a row without a further step, with or without a newer checkpoint.
    unproven: u32,
    /// When it had saved its state last, at the last loss. Clocks of several machines: a later one may say less.
    saved: Option<SystemTime>,
    /// The furthest step that was heard of, and what that was at the last loss.
    step: u64,
    lost_at: u64,
    /// When it may be started again.
    not_before: Option<Instant>,
    /// Why it is not started again, once it was lost too often.
    given_up: Option<String>,
}

/// One sweep over pieces of one kind, from beginning to end.
struct Course<'a, P: Piece> {
    sweep: &'a Sweep<'a>,
    pieces: &'a [P],
    /// Pieces up to here were begun.
    next: usize,
    /// Pieces to be started again, before others.
    again: VecDeque<usize>,
    going: HashMap<usize, Going>,
    /// Pieces that the executor has, by their ids.
    started: HashMap<String, usize>,
    ended: Vec<Option<P::Outcome>>,
    /// When pieces had been asked to stop before this command was typed.
    stopped_before: Vec<Option<SystemTime>>,
    /// How many have ended.
    done: usize,
    /// How many had when no more was wanted.
    unwanted: Option<usize>,
    stopping: bool,
    looked: Instant,
    touched: Instant,
    /// Since when the store does not answer what is asked of a piece.
    silent: HashMap<usize, Instant>,
    /// Pieces that the executor no longer has, of which the store did not say what came of them.
    unread: Vec<(usize, End)>,
}

impl<'a, P: Piece> Course<'a, P> {
    fn new(sweep: &'a Sweep<'a>, pieces: &'a [P]) -> Self {
        Self {
            sweep,
            pieces,
            next: 0,
            again: VecDeque::new(),
            going: HashMap::new(),
            started: HashMap::new(),
            ended: vec![None; pieces.len()],
            stopped_before: vec![None; pieces.len()],
            done: 0,
            unwanted: None,
            stopping: false,
            looked: Instant::now(),
            touched: Instant::now(),
            silent: HashMap::new(),
            unread: Vec::new(),
        }
    }

    /// Carries out pieces in order as long as `wanted` says so; tells of `each` that ended.
    fn run(
        mut self,
        wanted: &Wanted<'_, P::Outcome>,
        each: &dyn Fn(),
    ) -> Result<Vec<Option<P::Outcome>>, LabError> {
        let mut counted = 0;
        let went = loop {
            let went = self.step(wanted);
            (counted..self.done).for_each(|_| each());
            counted = self.done;
            match went {
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = went {
            self.abandon();
            return Err(error);
        }
        Ok(self.ended)
    }

    /// Starts what is wanted, and hears what happened. Says whether something goes on.
    fn step(&mut self, wanted: &Wanted<'_, P::Outcome>) -> Result<bool, LabError> {
        let look = self.looked.elapsed() >= LOOK;
        if look && self.sweep.executor.sweep_folder().is_some_and(SweepFolder::is_stopped) {
            self.sweep.stop.store(true, Ordering::Relaxed);
        }
        if self.touched.elapsed() >= TOUCH
            && let Some(folder) = self.sweep.executor.sweep_folder()
        {
            self.touched = Instant::now();
            folder.touch();
        }
        if self.sweep.is_stopped() && !self.stopping {
            self.stopping = true;
            self.again.clear();
            // What others train goes on without us.
            let started = self.started.values().copied();
            let unread = self.unread.iter().map(|(index, _)| *index);
            let started: HashSet<usize> = started.chain(unread).collect();
            self.going.retain(|index, _| started.contains(index));
            self.sweep.executor.stop();
        }
        // A store that does not answer is not asked all the time.
        if self.silent.is_empty() || look {
            self.fill(wanted)?;
        }
        if self.going.is_empty() && (self.again.is_empty() || self.stopping) {
            return Ok(false);
        }
        if self.going.is_empty() {
            std::thread::sleep(PAUSE);
        }
        // All that happened, before more is started: what ends together is followed by what is started together.
        let mut wait = PAUSE;
        for _ in 0..MOST_HEARD {
            let Some(happened) = self.sweep.executor.next(wait)? else { break };
            self.hear(happened)?;
            wait = Duration::ZERO;
        }
        if look {
            self.looked = Instant::now();
            self.look()?;
        }
        Ok(true)
    }

    /// Starts what is wanted now.
    fn fill(&mut self, wanted: &Wanted<'_, P::Outcome>) -> Result<(), LabError> {
        let mut starting = Vec::new();
        let room = self.sweep.executor.at_a_time().max(1);
        while !self.stopping && self.started.len() + starting.len() < room {
            let index = match self.next_again() {
                Some(index) => index,
                None if self.next < self.pieces.len() && self.wants(wanted) => {
                    self.next += 1;
                    self.next - 1
                }
                None => break,
            };
            let begun = self.begin(index);
            match self.bear(index, begun)? {
                Some(true) => starting.push(index),
                Some(false) => {}
                None => {
                    self.again.push_front(index);
                    break;
                }
            }
            if self.sweep.is_stopped() {
                break;
            }
        }
        self.start(&starting)
    }

    /// A piece that may be started again by now.
    fn next_again(&mut self) -> Option<usize> {
        let now = Instant::now();
        let is_due = |index: &usize| {
            let not_before = self.going.get(index).and_then(|going| going.not_before);
            not_before.is_none_or(|not_before| now >= not_before)
        };
        self.again.iter().position(is_due).and_then(|place| self.again.remove(place))
    }

    /// Whether the next piece is wanted. That is asked again once more has ended: to find out may take long.
    fn wants(&mut self, wanted: &Wanted<'_, P::Outcome>) -> bool {
        if self.unwanted == Some(self.done) {
            return false;
        }
        let wants = wanted(&self.ended[..self.next]);
        self.unwanted = (!wants).then_some(self.done);
        wants
    }

    /// Finds out what there is to do for a piece. Says whether it is to be started now.
    fn begin(&mut self, index: usize) -> Result<bool, LabError> {
        let (sweep, piece) = (self.sweep, &self.pieces[index]);
        let first = !self.going.contains_key(&index);
        if first {
            self.stopped_before[index] = piece.asked_to_stop(sweep);
        }
        if !first && self.end_if_done(index)? {
            return Ok(false);
        }
        if let Some(outcome) = piece.begin(sweep, first)? {
            self.end(index, outcome);
            return Ok(false);
        }
        let mut watch = LeaseWatch::new(&piece.folder(sweep));
        if let Some(holder) = watch.holder()? {
            self.adopt(index, watch, &holder);
            return Ok(false);
        }
        if let Some(asked) = piece.asked_to_stop(sweep) {
            if self.stopped_before[index] != Some(asked) {
                self.fail(index, STOPPED_BY_HAND.into());
                return Ok(false);
            }
            piece.forget_stop(sweep)?;
        }
        self.go_on(index, Stage::Started);
        Ok(true)
    }

    fn start(&mut self, starting: &[usize]) -> Result<(), LabError> {
        if starting.is_empty() {
            return Ok(());
        }
        let sweep = self.sweep;
        let task = |&index: &usize| {
            let id = self.pieces[index].id(sweep);
            Task { id, index, verb: P::VERB, needs: sweep.needs }
        };
        let mut tasks: Vec<Task> = starting.iter().map(task).collect();
        if let Some(folder) = sweep.executor.sweep_folder() {
            let lines: Vec<_> = tasks.iter().map(Task::line).collect();
            for (task, line) in tasks.iter_mut().zip(folder.add(&lines)?) {
                task.index = line;
            }
        }
        // Until it has them, it tells of the end of none.
        sweep.executor.start(&tasks)?;
        let ids = tasks.into_iter().map(|task| task.id);
        self.started.extend(ids.zip(starting.iter().copied()));
        Ok(())
    }

    /// Notes what a piece does now.
    fn go_on(&mut self, index: usize, stage: Stage) {
        if let Some(going) = self.going.get_mut(&index) {
            going.stage = stage;
            return;
        }
        let taken: HashSet<usize> = self.going.values().map(|going| going.slot).collect();
        let slot = (0..).find(|slot| !taken.contains(slot)).expect("numbers do not end");
        let going = Going {
            stage,
            slot,
            told: false,
            losses: 0,
            unproven: 0,
            saved: None,
            step: 0,
            lost_at: 0,
            not_before: None,
            given_up: None,
        };
        self.going.insert(index, going);
    }

    /// Waits for what somebody else carries out.
    fn adopt(&mut self, index: usize, watch: LeaseWatch, holder: &Holder) {
        let name = self.pieces[index].name();
        let text = format!("{name}: waits for {holder}, which is at it; its result is taken");
        self.sweep.progress.note(&text);
        self.go_on(index, Stage::Held(Box::new(watch)));
    }

    fn end(&mut self, index: usize, outcome: P::Outcome) {
        self.going.remove(&index);
        self.ended[index] = Some(outcome);
        self.done += 1;
    }

    fn fail(&mut self, index: usize, reason: String) {
        let outcome = self.pieces[index].failed(self.sweep, reason);
        self.end(index, outcome);
    }

    /// Ends a piece that the store says is done.
    fn end_if_done(&mut self, index: usize) -> Result<bool, LabError> {
        let Some(outcome) = self.pieces[index].done(self.sweep)? else { return Ok(false) };
        self.pieces[index].tell_ended(self.sweep, None);
        self.end(index, outcome);
        Ok(true)
    }

    fn hear(&mut self, happened: Happened) -> Result<(), LabError> {
        match happened {
            Happened::Started { id, place } => {
                let Some(&index) = self.started.get(&id) else { return Ok(()) };
                self.tell_started(index);
                if !place.is_empty() {
                    let name = self.pieces[index].name();
                    self.sweep.progress.note(&format!("{name}: on {place}"));
                }
                Ok(())
            }
            Happened::Told { id, event } => {
                if let Some(&index) = self.started.get(&id) {
                    if let Event::At { done, .. } = &event {
                        self.heard_of(index, *done);
                    }
                    self.pieces[index].tell(self.sweep, &event);
                }
                Ok(())
            }
            Happened::Ended { id, how } => match self.started.remove(&id) {
                Some(index) => self.ended(index, how),
                None => Ok(()),
            },
        }
    }

    fn heard_of(&mut self, index: usize, step: u64) {
        if let Some(going) = self.going.get_mut(&index) {
            going.step = going.step.max(step);
        }
    }

    fn tell_started(&mut self, index: usize) {
        let Some(going) = self.going.get_mut(&index) else { return };
        if !std::mem::replace(&mut going.told, true) {
            self.pieces[index].tell_started(self.sweep, going.slot);
        }
    }

    /// Has a store of several machines that does not answer now asked again later. None where it did not.
    fn bear<T>(&mut self, index: usize, read: Result<T, LabError>) -> Result<Option<T>, LabError> {
        let patient = !self.sweep.executor.patience().is_zero();
        match read {
            Ok(value) => {
                self.silent.remove(&index);
                Ok(Some(value))
            }
            Err(error) if patient && is_passing(&error) => {
                let (progress, name) = (self.sweep.progress, self.pieces[index].name());
                let since = *self.silent.entry(index).or_insert_with(|| {
                    progress.note(&format!("{name}: {error}; that is tried again"));
                    Instant::now()
                });
                if since.elapsed() < SILENCE { Ok(None) } else { Err(error) }
            }
            Err(error) => Err(error),
        }
    }

    /// What becomes of a piece that the executor no longer has, once the store says it.
    fn ended(&mut self, index: usize, how: End) -> Result<(), LabError> {
        let known = self.settle(index, how.clone());
        if self.bear(index, known)?.is_none() {
            self.unread.push((index, how));
        }
        Ok(())
    }

    fn settle(&mut self, index: usize, how: End) -> Result<(), LabError> {
        if self.end_if_done(index)? {
            return Ok(());
        }
        let (sweep, piece) = (self.sweep, &self.pieces[index]);
        match how {
            End::Done if sweep.executor.patience().is_zero() || sweep.is_stopped() => {
                self.fail(index, "its worker ended without a result".into());
            }
            End::Done => self.go_on(index, Stage::Late(Instant::now())),
            End::Unusable(reason) => return Err(LabError::Trainer(reason)),
            End::Stopped | End::Lost(_) if sweep.is_stopped() => {
                let how = if sweep.executor.goes_on() { LEFT } else { STOPPED };
                self.fail(index, how.into());
            }
            // What was asked before it began is forgotten.
            End::Stopped | End::Lost(_) if piece.asked_to_stop(sweep).is_some() => {
                self.fail(index, STOPPED_BY_HAND.into());
            }
            End::Failed(reason) => {
                // Another process may have been quicker to take it.
                if !self.adopted(index)? {
                    self.fail(index, reason);
                }
            }
            End::Stopped => self.lost(index, "it was stopped")?,
            End::Lost(reason) => self.lost(index, &reason)?,
        }
        Ok(())
    }

    /// Waits for a piece if somebody else has it.
    fn adopted(&mut self, index: usize) -> Result<bool, LabError> {
        let mut watch = LeaseWatch::new(&self.pieces[index].folder(self.sweep));
        let Some(holder) = watch.holder()? else { return Ok(false) };
        self.adopt(index, watch, &holder);
        Ok(true)
    }

    /// Has a piece started again whose process is gone, unless that leads nowhere.
    fn lost(&mut self, index: usize, reason: &str) -> Result<(), LabError> {
        let (sweep, piece) = (self.sweep, &self.pieces[index]);
        // What was lost may seem to hold the run for a while, or another process does.
        let adopted = self.adopted(index)?;
        // What was killed had told its step there.
        let told = RunProgress::read(&piece.folder(sweep)).map_or(0, |told| told.step);
        self.heard_of(index, told);
        let Some(going) = self.going.get_mut(&index) else { return Ok(()) };
        let saved = piece.saved(sweep);
        let is_newer = saved.is_some() && saved != going.saved;
        let is_further = going.step > going.lost_at;
        // Where no steps are told, the checkpoint alone says it.
        let came_on = is_newer && (is_further || going.step == 0);
        going.losses = if came_on { 1 } else { going.losses + 1 };
        going.unproven = if is_newer && is_further { 1 } else { going.unproven + 1 };
        (going.saved, going.lost_at) = (saved, going.step);
        let back_off = BACK_OFF.saturating_mul(2_u32.saturating_pow(going.unproven - 1));
        going.not_before = Some(Instant::now() + back_off.min(BACK_OFF_MOST));
        let times = match (going.losses, going.unproven) {
            (1, unproven) if unproven > 1 && unproven > UNPROVEN * sweep.retries => {
                format!(" ({unproven} times in a row, and it tells no step)")
            }
            (1, _) => String::new(),
            (losses, _) => format!(" ({losses} times in a row, with no newer checkpoint)"),
        };
        let too_often = going.losses > sweep.retries || going.unproven > UNPROVEN * sweep.retries;
        going.given_up = too_often.then(|| format!("{reason}{times}"));
        if adopted {
            sweep.progress.note(&format!("{}: lost: {reason}", piece.name()));
            return Ok(());
        }
        if !self.gave_up(index) {
            let text = format!("{}: lost, and started again: {reason}", piece.name());
            sweep.progress.note(&text);
            self.again.push_back(index);
        }
        Ok(())
    }

    /// Ends a piece that was lost too often, unless it has come further since.
    fn gave_up(&mut self, index: usize) -> bool {
        let Some(going) = self.going.get_mut(&index) else { return false };
        let came_further = self.pieces[index].saved(self.sweep) != going.saved;
        match going.given_up.take().filter(|_| !came_further) {
            Some(reason) => {
                self.fail(index, reason);
                true
            }
            None => false,
        }
    }

    /// Looks at what others do, and at results that were not seen yet.
    fn look(&mut self) -> Result<(), LabError> {
        for (index, how) in std::mem::take(&mut self.unread) {
            self.ended(index, how)?;
        }
        let indices: Vec<usize> = self.going.keys().copied().collect();
        for index in indices {
            match self.going.get(&index).map(|going| &going.stage) {
                Some(Stage::Late(since)) => {
                    let since = *since;
                    let looked = self.look_for_result(index, since);
                    self.bear(index, looked)?;
                }
                Some(Stage::Held(_)) => {
                    let looked = self.look_at_holder(index);
                    self.bear(index, looked)?;
                }
                Some(Stage::Started) | None => {}
            }
        }
        Ok(())
    }

    fn look_for_result(&mut self, index: usize, since: Instant) -> Result<(), LabError> {
        // Listing a folder has a network file system ask for what is in it.
        let folder = self.pieces[index].folder(self.sweep);
        let _ = std::fs::read_dir(folder).map(Iterator::count);
        if !self.end_if_done(index)? && since.elapsed() > self.sweep.executor.patience() {
            let seconds = since.elapsed().as_secs();
            let reason = format!(
                "its worker ended without a result, and none was seen for {seconds} s: do all machines see \
                 the same store?"
            );
            self.fail(index, reason);
        }
        Ok(())
    }

    fn look_at_holder(&mut self, index: usize) -> Result<(), LabError> {
        if self.end_if_done(index)? {
            return Ok(());
        }
        let folder = self.pieces[index].folder(self.sweep);
        let Some(Going { stage: Stage::Held(watch), .. }) = self.going.get_mut(&index) else {
            return Ok(());
        };
        match watch.holder() {
            // A file system that does not answer now may do so later.
            Err(_) => {}
            Ok(Some(_)) => {
                if let Some(RunProgress { step, loss, doing, .. }) = RunProgress::read(&folder) {
                    self.tell_started(index);
                    self.heard_of(index, step);
                    let (done, doing) = (step, doing.map(Into::into));
                    let at = Event::At { task: "".into(), done, loss, doing };
                    self.pieces[index].tell(self.sweep, &at);
                }
            }
            // It is done, or gone: beginning it tells which.
            Ok(None) if self.again.contains(&index) => {}
            Ok(None) => {
                if !self.end_if_done(index)? && !self.gave_up(index) {
                    self.again.push_back(index);
                }
            }
        }
        Ok(())
    }

    /// Ends what goes on, after an error that ends everything; does not wait for ever.
    fn abandon(mut self) {
        let start = Instant::now();
        self.sweep.executor.stop();
        while !self.started.is_empty() && start.elapsed() < ABANDONED {
            match self.sweep.executor.next(PAUSE) {
                Ok(Some(Happened::Ended { id, .. })) => drop(self.started.remove(&id)),
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

/// Whether what cannot be read now may be later: a file system in the network that is busy, or begins anew.
fn is_passing(error: &LabError) -> bool {
    use std::io::ErrorKind;
    let (LabError::Store(StoreError::File(FileError::Io { cause, .. }))
    | LabError::File(FileError::Io { cause, .. })) = error
    else {
        return false;
    };
    const EIO: i32 = 5;
    let kinds = [
        ErrorKind::StaleNetworkFileHandle,
        ErrorKind::TimedOut,
        ErrorKind::Interrupted,
        ErrorKind::ResourceBusy,
        ErrorKind::NotConnected,
        ErrorKind::HostUnreachable,
        ErrorKind::NetworkUnreachable,
        ErrorKind::NetworkDown,
    ];
    kinds.contains(&cause.kind()) || cause.raw_os_error() == Some(EIO)
}

/// Forgets a failure on record. Not in the middle of the work of somebody else: of two that ask at once, the slower one
/// finds what the other trains.
fn forget_failure(folder: &RunFolder) -> Result<(), LabError> {
    /// Whoever has it has just failed, or is about to forget the failure too.
    const PATIENCE: Duration = Duration::from_secs(5);
    let is_failed = || Ok::<_, LabError>(matches!(folder.status()?, RunStatus::Failed(_)));
    let start = Instant::now();
    while is_failed()? {
        match folder.lock() {
            Ok(_lease) if is_failed()? => folder.retry()?,
            Ok(_) => {}
            Err(StoreError::Locked { .. }) if start.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE)
            }
            Err(StoreError::Locked { .. }) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn remembered(failure: &RunFailure) -> String {
    format!("{} (on record; --retry-failed trains it again)", failure.reason)
}
