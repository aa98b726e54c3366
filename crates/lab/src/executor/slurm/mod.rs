//! Slurm: tasks are the indices of job arrays, of `sbatch`.
//!
//! Slurm schedules, ends and requeues. What became of a task the store says first, `squeue` second, and a note that its
//! script leaves in the sweep's folder (`ended/LINE`: the array, the exit code, jobs in vain); `sacct` is not asked, since
//! many clusters have none. A task that `squeue` does not know and the store does not mark for a while is lost, and the
//! sweep has it submitted again. Jobs go on when this process ends: another one finds them by their names.
//!
//! Before the first array one small job asks a node whether it can train (`probe.rs`).

mod commands;
mod probe;
mod queue;
mod script;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use datadiet_core::progress::Event;
use datadiet_store::{Probe, RunFolder, RunProgress, RunStatus, SweepFolder, TaskLine, Verb};

use super::{End, Executor, Happened, Needs, Task, patience};
use crate::LabError;
use crate::on::OnOptions;
use crate::refuse::bail;
use commands::Trouble;
use probe::Asking;
use queue::{Queued, State};
use script::{Does, Script};

/// Pause between two looks at the queue when something was submitted or happened less than [`LATELY`] ago.
const OFTEN: Duration = Duration::from_secs(2);
/// Pause between two looks otherwise: clusters have many users.
const SELDOM: Duration = Duration::from_secs(10);
const LATELY: Duration = Duration::from_secs(60);
/// How long Slurm may be silent: controllers are started again now and then.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// Submits tasks to Slurm.
#[derive(Debug)]
pub struct Slurm {
    sweep: SweepFolder,
    /// The program `datadiet`, as nodes find it.
    program: PathBuf,
    on: OnOptions,
    patience: Duration,
    state: Mutex<Now>,
}

/// What is known now.
#[derive(Debug, Default)]
struct Now {
    /// What a node answered that was asked whether it can train.
    answer: Option<Probe>,
    asking: Option<Asking>,
    /// Tasks that wait for the answer, or for a Slurm that takes them.
    held: Vec<Task>,
    /// Tasks that are submitted, by id.
    jobs: BTreeMap<String, Job>,
    happened: VecDeque<Happened>,
    /// When something was submitted or happened last.
    stirred: Option<Instant>,
    /// When Slurm was looked at last.
    looked: Option<Instant>,
    silence: Silence,
    /// How many indices an array may have.
    most: Option<usize>,
    /// Scripts that were submitted.
    scripts: usize,
}

/// Since when Slurm does not answer, if it does not.
#[derive(Debug, Default)]
struct Silence(Option<Instant>);

impl Silence {
    /// It does not answer; what is worth a line.
    ///
    /// # Errors
    /// When that has been so for too long.
    fn goes_on(&mut self, problem: &str) -> Result<Option<String>, LabError> {
        let first = self.0.is_none();
        if self.0.get_or_insert_with(Instant::now).elapsed() >= SILENCE {
            bail!(
                "Slurm has not answered for {} minutes ({problem}); jobs go on, and the same command looks at them again",
                SILENCE.as_secs() / 60
            );
        }
        Ok(first.then(|| format!("Slurm does not answer, waiting: {problem}")))
    }

    fn ends(&mut self) {
        self.0 = None;
    }
}

/// A task in Slurm's hands.
#[derive(Debug)]
struct Job {
    task: Task,
    /// The sweep that it was submitted for: this one, or that of an earlier command.
    sweep: SweepFolder,
    line: usize,
    array: u64,
    /// Index in the array.
    index: usize,
    /// The node that it runs on.
    node: Option<String>,
    /// Since when its job is over without a mark of how it ended.
    over: Option<Instant>,
    /// Why it waits, as last told.
    reason: String,
    /// Progress as last told.
    told: Option<RunProgress>,
}

impl Job {
    /// As Slurm names it.
    fn name(&self) -> String {
        format!("{}_{}", self.array, self.index)
    }

    /// As a person reads it.
    fn place(&self) -> String {
        let job = self.name();
        self.node.as_ref().map_or(format!("job {job}"), |node| format!("{node}, job {job}"))
    }

    fn log(&self) -> PathBuf {
        self.sweep.path().join(format!("{}.log", self.name()))
    }

    /// What its script noted at its end, of this array.
    fn ended(&self) -> Option<queue::Ended> {
        let file = self.sweep.path().join("ended").join(self.line.to_string());
        let note = std::fs::read_to_string(file).ok()?;
        queue::ended(&note).filter(|ended| ended.array == self.array)
    }

    /// What was written last, without Slurm's words.
    fn last_words(&self) -> String {
        let log = std::fs::read(self.log()).unwrap_or_default();
        queue::last_words(&String::from_utf8_lossy(&log))
    }

    /// How it ended, if the store says. By listing the folder: a file system of several machines remembers for a
    /// while that a file was not there.
    fn marked(&self) -> Option<End> {
        let path = self.sweep.folder_of(&self.task.line());
        let names: Vec<_> = std::fs::read_dir(&path)
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok().map(|entry| entry.file_name()))
            .collect();
        let has = |name: &str| names.iter().any(|other| other == name);
        if has("result.json") {
            return Some(End::Done);
        }
        if !has("failure.json") {
            return None;
        }
        match RunFolder::open(&path).and_then(|(folder, _)| folder.status()) {
            Ok(RunStatus::Failed(failure)) => Some(End::Failed(failure.reason)),
            _ => None,
        }
    }

    /// Whether there is a state to go on from.
    fn has_checkpoint(&self) -> bool {
        let folder = RunFolder::open(&self.sweep.folder_of(&self.task.line()));
        self.task.verb == Verb::Train && folder.is_ok_and(|(folder, _)| folder.saved().is_some())
    }

    /// What became of it, its job being over; none while that may still be seen. `word` is Slurm's.
    fn end(&self, word: Option<&str>, waited: bool) -> Option<End> {
        if let Some(end) = self.marked() {
            return Some(end);
        }
        let ended = self.ended();
        if let Some(queue::Ended { code: 3, stuck: stuck @ 1.., .. }) = ended {
            let job = self.name();
            return Some(End::Failed(format!(
                "its job {job} saved and was requeued {stuck} times in a row without coming further: the time that \
                 it has is too short (time in [on])"
            )));
        }
        let cancelled = word == Some("CANCELLED");
        match ended.map(|ended| ended.code) {
            // A node answered that it can train: one that cannot is not all of them.
            Some(code @ 0..=2 | code @ 126..=127) => {
                let end = End::of_exit(Some(code), &self.last_words(), false);
                return Some(end.of_one_machine(&self.place()));
            }
            // Who ends a job by hand does not want it again; who preempts it is told of in another word.
            _ if cancelled => {
                let job = self.name();
                return Some(End::Failed(format!(
                    "its job {job} was cancelled; the same command goes on from its last checkpoint"
                )));
            }
            Some(code) => {
                return Some(match word.and_then(meaning) {
                    Some(why) => End::Lost(format!("its job {} ended: {why}", self.name())),
                    None => End::of_exit(Some(code), &self.last_words(), false),
                });
            }
            None => {}
        }
        waited.then(|| {
            let job = self.name();
            End::Lost(match word {
                Some(word) => {
                    let why = meaning(word).map_or(format!("{word}, in Slurm's words"), Into::into);
                    format!("its job {job} ended: {why}")
                }
                None => format!("Slurm no longer knows its job {job}, and it left no result"),
            })
        })
    }
}

/// What Slurm's word for the end of a job means, where it says more than an exit code.
fn meaning(word: &str) -> Option<&'static str> {
    Some(match word {
        "TIMEOUT" => "its time was up",
        "OUT_OF_MEMORY" => "it took more memory than it was given; give it more by memory in [on]",
        "NODE_FAIL" | "BOOT_FAIL" => "its node failed",
        "PREEMPTED" => "it was preempted",
        _ => return None,
    })
}

impl Slurm {
    /// For the tasks of this sweep. `program` is `datadiet`, as nodes find it; what a node `answer`ed before, it is
    /// not asked again.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn new(
        sweep: SweepFolder,
        program: PathBuf,
        on: OnOptions,
        answer: Option<Probe>,
    ) -> Result<Self, LabError> {
        on.check()?;
        let patience = patience();
        let state = Mutex::new(Now { answer, ..Now::default() });
        Ok(Self { sweep, program, on, patience, state })
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn script(&self, does: Does, needs: Needs) -> Script<'_> {
        Script { sweep: self.sweep.path(), program: &self.program, does, needs, on: &self.on }
    }

    /// Writes a script, and submits it with these options more.
    fn submit(&self, script: Script<'_>, file: &str, more: &[String]) -> Result<u64, Trouble> {
        let path = self.sweep.path().join(file);
        if let Err(error) = std::fs::write(&path, script.text()) {
            return Err(LabError::Plan(format!("cannot write {}: {error}", path.display())).into());
        }
        let options = [script.options(), more.to_vec()].concat();
        let job = commands::sbatch(&options, path.as_os_str())?;
        self.sweep.note_job(&format!("slurm {job}"))?;
        Ok(job)
    }

    /// Submits the tasks that wait for that; those that an earlier command submitted are taken over as they are. What
    /// Slurm does not take now goes on waiting.
    fn submit_held(&self, now: &mut Now) -> Result<(), LabError> {
        let found = match self.found(&now.held) {
            Ok(found) => found,
            Err(problem) => return now.silent(&problem),
        };
        let all = now.held.clone();
        let mut new: BTreeMap<(u32, u32, u64), Vec<Task>> = BTreeMap::new();
        for task in std::mem::take(&mut now.held) {
            match found.get(&task.line()) {
                Some((sweep, queued)) => {
                    let place = (queued.line, queued.array, queued.index);
                    let job = Job::new(task, sweep.clone(), place);
                    let text =
                        format!("already submitted by an earlier command: job {}", job.name());
                    now.tell(&job.task.id, text);
                    now.jobs.insert(job.task.id.clone(), job);
                }
                None => {
                    let needs = (task.needs.cpus, task.needs.gpus, task.needs.memory_mib);
                    new.entry(needs).or_default().push(task);
                }
            }
        }
        now.stirred = Some(Instant::now());
        for (_, tasks) in new {
            if let Err(error) = self.submit_new(now, tasks) {
                // Each ends once, also those that were not submitted.
                now.held =
                    all.into_iter().filter(|task| !now.jobs.contains_key(&task.id)).collect();
                return Err(error);
            }
        }
        if now.held.is_empty() {
            now.silence.ends();
        }
        Ok(())
    }

    /// Submits tasks that need the same, as few arrays as the cluster takes.
    fn submit_new(&self, now: &mut Now, tasks: Vec<Task>) -> Result<(), LabError> {
        let Some(needs) = tasks.first().map(|task| task.needs) else { return Ok(()) };
        let most = *now.most.get_or_insert_with(commands::most_in_an_array);
        let lines: Vec<usize> = tasks.iter().map(|task| task.index).collect();
        let mut by_line: HashMap<usize, Task> =
            tasks.into_iter().map(|task| (task.index, task)).collect();
        for (offset, indices) in script::arrays(&lines, most) {
            let script = self.script(Does::Tasks { offset }, needs);
            let file = format!("slurm-{}.sh", now.scripts);
            now.scripts += 1;
            let array = match self.submit(
                script,
                &file,
                &[format!("--array={}", script::ranges(&indices))],
            ) {
                Ok(array) => array,
                Err(Trouble::ForGood(error)) => return Err(error),
                Err(Trouble::Passing(problem)) => {
                    now.held.extend(by_line.into_values());
                    return now.silent(&problem);
                }
            };
            for index in indices {
                let line = offset + index;
                if let Some(task) = by_line.remove(&line) {
                    let id = task.id.clone();
                    now.jobs.insert(id, Job::new(task, self.sweep.clone(), (line, array, index)));
                }
            }
        }
        Ok(())
    }

    /// Which of the tasks wait or go on, submitted by this command or an earlier one for a sweep of the same store.
    fn found(&self, tasks: &[Task]) -> Result<HashMap<TaskLine, (SweepFolder, Queued)>, String> {
        let queued = commands::squeue()?;
        let wanted: std::collections::HashSet<TaskLine> = tasks.iter().map(Task::line).collect();
        let mut sweeps: HashMap<String, Option<(SweepFolder, Vec<TaskLine>)>> = HashMap::new();
        let mut found = HashMap::new();
        for queued in queued {
            // One that ends may be about to be requeued: whoever looks at it sees.
            if matches!(queued.state, State::Ended(_)) {
                continue;
            }
            let known = sweeps.entry(queued.sweep.clone()).or_insert_with_key(|id| {
                let (sweep, _) = SweepFolder::open(&self.sweep.path().with_file_name(id)).ok()?;
                let tasks = sweep.tasks().ok()?;
                // What is asked to end is not waited for.
                (!sweep.is_stopped()).then_some((sweep, tasks))
            });
            let Some((sweep, lines)) = known else { continue };
            if let Some(line) = lines.get(queued.line).filter(|line| wanted.contains(line)) {
                found.insert(line.clone(), (sweep.clone(), queued));
            }
        }
        Ok(found)
    }

    /// Looks at Slurm and the store.
    fn look(&self, now: &mut Now) -> Result<(), LabError> {
        if !now.held.is_empty() {
            match now.answer {
                None => self.look_at_probe(now)?,
                Some(_) => self.submit_held(now)?,
            }
        }
        if now.jobs.is_empty() {
            return Ok(());
        }
        let queued = match commands::squeue() {
            Ok(queued) => queued,
            Err(problem) => return now.silent(&problem),
        };
        if now.held.is_empty() {
            now.silence.ends();
        }
        let mut queued: HashMap<(u64, usize), Queued> =
            queued.into_iter().map(|queued| ((queued.array, queued.line), queued)).collect();
        let patience = self.patience();
        let mut happened = Vec::new();
        for (id, job) in &mut now.jobs {
            let found = queued.remove(&(job.array, job.line));
            job.look(id, found.map(|queued| queued.state), patience, &mut happened);
        }
        for event in &happened {
            if let Happened::Ended { id, .. } = event {
                now.jobs.remove(id);
            }
        }
        if happened.iter().any(|event| !matches!(event, Happened::Told { .. })) {
            now.stirred = Some(Instant::now());
        }
        now.happened.extend(happened);
        Ok(())
    }
}

impl Job {
    fn new(task: Task, sweep: SweepFolder, (line, array, index): (usize, u64, usize)) -> Self {
        Self {
            task,
            sweep,
            line,
            array,
            index,
            node: None,
            over: None,
            reason: String::new(),
            told: None,
        }
    }

    /// Looks at it, of which Slurm says this.
    fn look(
        &mut self,
        id: &str,
        state: Option<State>,
        patience: Duration,
        happened: &mut Vec<Happened>,
    ) {
        let id = || id.to_owned();
        match state {
            Some(State::Running(node)) => {
                self.over = None;
                if self.node.as_ref() != Some(&node) {
                    self.node = Some(node);
                    happened.push(Happened::Started { id: id(), place: self.place() });
                    // What is told first of a training says where it began, and it has been at it for a while.
                    if self.told.is_none() && !self.has_checkpoint() {
                        let event = Event::At { task: "".into(), done: 0, loss: None, doing: None };
                        happened.push(Happened::Told { id: id(), event });
                    }
                }
                let progress = RunProgress::read(&self.sweep.folder_of(&self.task.line()));
                if let Some(progress) =
                    progress.filter(|progress| self.told.as_ref() != Some(progress))
                {
                    let (done, loss) = (progress.step, progress.loss);
                    let doing = progress.doing.clone().map(Into::into);
                    let event = Event::At { task: "".into(), done, loss, doing };
                    happened.push(Happened::Told { id: id(), event });
                    self.told = Some(progress);
                }
            }
            Some(State::Waiting(reason)) => {
                self.over = None;
                if let Some(node) = self.node.take() {
                    let text =
                        format!("job {} is back in the queue; it was on {node}", self.name());
                    happened.push(note(id(), text));
                }
                if queue::is_stuck(&reason) && self.reason != reason {
                    let text = format!(
                        "job {} does not start until somebody sees to it: {reason} (scontrol show job {0})",
                        self.name()
                    );
                    happened.push(note(id(), text));
                }
                self.reason = reason;
            }
            Some(State::Ending) => {}
            ended => {
                let word = match &ended {
                    Some(State::Ended(word)) => Some(word.as_str()),
                    _ => None,
                };
                let waited = self.over.get_or_insert_with(Instant::now).elapsed() >= patience;
                if let Some(how) = self.end(word, waited) {
                    happened.push(Happened::Ended { id: id(), how });
                }
            }
        }
    }
}

fn note(id: String, text: String) -> Happened {
    Happened::Told { id, event: Event::Note { text: text.into() } }
}

impl Now {
    fn tell(&mut self, id: &str, text: String) {
        self.happened.push_back(note(id.to_owned(), text));
    }

    /// Slurm does not answer.
    fn silent(&mut self, problem: &str) -> Result<(), LabError> {
        let note = self.silence.goes_on(problem)?;
        let held = || self.held.first().map(|task| task.id.clone());
        if let (Some(note), Some(id)) = (note, self.jobs.keys().next().cloned().or_else(held)) {
            self.tell(&id, note);
        }
        Ok(())
    }

    /// When Slurm is to be looked at again.
    fn pause(&self) -> Duration {
        let lately = self.stirred.is_some_and(|stirred| stirred.elapsed() < LATELY);
        let pause = if lately { OFTEN } else { SELDOM };
        self.looked.map_or(Duration::ZERO, |looked| pause.saturating_sub(looked.elapsed()))
    }
}

impl Executor for Slurm {
    fn at_a_time(&self) -> usize {
        self.on.at_a_time()
    }

    fn start(&self, tasks: &[Task]) -> Result<(), LabError> {
        let mut now = self.now();
        now.held.extend_from_slice(tasks);
        match now.answer {
            None if now.asking.is_none() => self.start_asking(&mut now),
            None => Ok(()),
            Some(_) => self.submit_held(&mut now),
        }
    }

    fn next(&self, wait: Duration) -> Result<Option<Happened>, LabError> {
        /// So long a stop may have to wait for this.
        const SHORT: Duration = Duration::from_millis(100);
        let until = Instant::now() + wait;
        loop {
            {
                let mut now = self.now();
                if let Some(happened) = now.happened.pop_front() {
                    return Ok(Some(happened));
                }
                if now.pause().is_zero() {
                    now.looked = Some(Instant::now());
                    self.look(&mut now)?;
                    continue;
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(left.min(SHORT));
        }
    }

    /// Jobs go on; only the question whether a node can train is taken back.
    fn stop(&self) {
        let mut now = self.now();
        if let Some(asking) = now.asking.take() {
            asking.take_back();
        }
        let jobs = std::mem::take(&mut now.jobs);
        let held = std::mem::take(&mut now.held).into_iter().map(|task| task.id);
        for id in jobs.into_keys().chain(held) {
            now.happened.push_back(Happened::Ended { id, how: End::Stopped });
        }
    }

    fn goes_on(&self) -> bool {
        true
    }

    fn sweep_folder(&self) -> Option<&SweepFolder> {
        Some(&self.sweep)
    }

    fn patience(&self) -> Duration {
        self.patience
    }
}

/// Ends the jobs of a sweep that Slurm has now, waiting or not. Numbers that were noted once are not enough: Slurm
/// begins its count anew in time, and another cluster has another.
///
/// # Errors
/// When Slurm does not take that, in its words.
pub fn cancel(sweep: &SweepFolder) -> Result<(), String> {
    if !sweep.jobs().iter().any(|job| job.starts_with("slurm ")) {
        return Ok(());
    }
    commands::scancel(&commands::jobs_of(&sweep.id())?)
}
