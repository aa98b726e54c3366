//! A program that starts tasks wherever it likes, over lines of JSON: Ray's is ours, others are the user's own.
//!
//! The protocol is docs/LAUNCHERS.md: `hello`, `start` and `stop` go in, `started`, `told` and `ended` come out. The
//! program is started when the first task is; its end while tasks go on ends the command. Before all others one small
//! task asks a node whether it can train, as with Slurm.

mod process;
mod ray;

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

use datadiet_core::Progress;
use datadiet_core::progress::{Event, OwnedEvent};
use datadiet_store::{Probe, SweepFolder};
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asks, checked};
use super::{End, Executor, Happened, Needs, OF_THIS_PROCESS, Task, patience};
use crate::LabError;
use crate::on::OnOptions;
use crate::refuse::bail;
use crate::text::last_words;
use process::Process;

/// The version of what launchers and we tell each other.
pub const PROTOCOL: u32 = 1;
/// The id of the task that asks a node whether it can train.
const PROBE: &str = "probe";
/// Time between two looks at what was said.
const PAUSE: Duration = Duration::from_millis(50);
/// Variables of this process that begin so are set for tasks.
const OUR_VARIABLES: &str = "DATADIET_";
/// Others that are.
const VARIABLES: [&str; 2] = ["PYTHONPATH", "OMP_NUM_THREADS"];

/// Has a program start tasks.
#[derive(Debug)]
pub struct Launcher {
    sweep: SweepFolder,
    /// What starts a task, without its verb.
    argv: Vec<String>,
    kind: Kind,
    on: OnOptions,
    state: Mutex<Now>,
}

/// Which program it is.
#[derive(Debug)]
enum Kind {
    /// Ours for Ray, at an address.
    Ray(Option<String>),
    /// The user's, and its arguments.
    Own(Vec<String>),
}

/// What is known now.
#[derive(Debug, Default)]
struct Now {
    process: Option<Process>,
    answer: Option<Probe>,
    asking: Option<Asking>,
    /// Tasks that wait for the answer.
    held: Vec<Task>,
    /// Tasks that the launcher has, and whether they were asked to stop.
    given: HashMap<String, Given>,
    happened: VecDeque<Happened>,
}

impl Now {
    /// Of which task it is told what is told of the question: the sweep knows no other.
    fn asks(&self) -> String {
        self.held.first().map_or_else(|| PROBE.to_owned(), |task| task.id.clone())
    }
}

/// A task that the launcher has.
#[derive(Debug)]
struct Given {
    log: PathBuf,
    /// Where it runs, once that was said.
    place: String,
    stopped: bool,
}

/// A node is being asked.
#[derive(Debug)]
struct Asking {
    needs: Needs,
    /// How often the question was lost.
    losses: u32,
    /// What its end says, and since when it is awaited that its answer is seen.
    over: Option<(End, Instant)>,
    stopped: bool,
}

/// A line of a launcher.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    started: Option<String>,
    place: String,
    told: Option<String>,
    event: Value,
    ended: Option<String>,
    code: Option<i32>,
    lost: Option<String>,
    tail: Option<String>,
}

impl Launcher {
    /// A program of the user's, in words. `program` is `datadiet`, as nodes find it; what a node `answer`ed before, it
    /// is not asked again.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn own(
        words: Vec<String>,
        sweep: SweepFolder,
        program: &Path,
        on: OnOptions,
        answer: Option<Probe>,
    ) -> Result<Self, LabError> {
        Self::new(Kind::Own(words), sweep, program, on, answer)
    }

    /// Ray's, of the cluster at an address, or of the one that RAY_ADDRESS names or that runs here.
    ///
    /// # Errors
    /// For options that make no sense.
    pub fn ray(
        address: Option<String>,
        sweep: SweepFolder,
        program: &Path,
        on: OnOptions,
        answer: Option<Probe>,
    ) -> Result<Self, LabError> {
        Self::new(Kind::Ray(address), sweep, program, on, answer)
    }

    fn new(
        kind: Kind,
        sweep: SweepFolder,
        program: &Path,
        on: OnOptions,
        answer: Option<Probe>,
    ) -> Result<Self, LabError> {
        on.check()?;
        let argv = argv(program, std::env::vars_os());
        let state = Mutex::new(Now { answer, ..Now::default() });
        Ok(Self { sweep, argv, kind, on, state })
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The launcher, which is started if it does not run.
    fn process<'a>(&self, now: &'a mut Now) -> Result<&'a mut Process, LabError> {
        if now.process.is_none() {
            let (mut command, name) = match &self.kind {
                Kind::Ray(address) => ray::command(address.as_deref()),
                Kind::Own(words) => {
                    let [program, arguments @ ..] = words.as_slice() else {
                        bail!("the launcher has no name");
                    };
                    let mut command = Command::new(program);
                    command.args(arguments);
                    (command, words.join(" "))
                }
            };
            // Where it is and what job it is part of, it tells its tasks itself.
            for variable in ["DATADIET_HOST", "DATADIET_JOB"] {
                command.env_remove(variable);
            }
            let mut process =
                Process::start(command, &name, &self.sweep.path().join("launcher.log"))?;
            let (datadiet, sweep) = (env!("CARGO_PKG_VERSION"), self.sweep.path());
            process.say(
                &json!({"hello": {"protocol": PROTOCOL, "datadiet": datadiet, "sweep": sweep}}),
            );
            now.process = Some(process);
        }
        Ok(now.process.as_mut().expect("started"))
    }

    /// As a launcher is told to start it.
    fn told(&self, id: &str, words: &[String], needs: Needs, log: &Path) -> Value {
        let Needs { cpus, gpus, memory_mib } = needs;
        let argv = [&self.argv, words].concat();
        json!({"id": id, "argv": argv, "cpus": cpus, "gpus": gpus, "memory_mib": memory_mib, "log": log})
    }

    fn sweep_word(&self) -> String {
        self.sweep.path().to_string_lossy().into_owned()
    }

    fn start_question(&self, now: &mut Now, needs: Needs) -> Result<(), LabError> {
        let losses = now.asking.as_ref().map_or(0, |asking| asking.losses);
        now.asking = Some(Asking { needs, losses, over: None, stopped: false });
        let log = self.sweep.path().join("probe.log");
        let task = self.told(PROBE, &["--probe".into(), self.sweep_word()], needs, &log);
        self.process(now)?.say(&json!({"start": [task]}));
        Ok(())
    }

    fn start_all(&self, now: &mut Now, tasks: &[Task]) -> Result<(), LabError> {
        let mut told = Vec::new();
        for task in tasks {
            let log = self.sweep.path().join(format!("{}.log", task.index));
            let words = ["--task".into(), task.index.to_string(), self.sweep_word()];
            told.push(self.told(&task.id, &words, task.needs, &log));
            now.given.insert(task.id.clone(), Given { log, place: String::new(), stopped: false });
        }
        self.process(now)?.say(&json!({"start": told}));
        Ok(())
    }

    /// Hears a line, if there is one, and looks whether an answer is there.
    fn step(&self, now: &mut Now, wait: Duration) -> Result<(), LabError> {
        if let Some(process) = &mut now.process
            && let Some(line) = process.hear(wait)?
        {
            self.hear(now, &line)?;
        }
        if now.asking.as_ref().is_some_and(|asking| asking.over.is_some()) {
            self.look_at_answer(now)?;
        }
        Ok(())
    }

    fn hear(&self, now: &mut Now, line: &str) -> Result<(), LabError> {
        let Ok(said) = serde_json::from_str::<Said>(line) else {
            if line.starts_with('{') {
                bail!(
                    "the launcher says {line:?}, which is not one object of JSON: see docs/LAUNCHERS.md"
                );
            }
            // Words for a person.
            if let Some(process) = &now.process {
                process.keep(line);
            }
            return Ok(());
        };
        match said {
            Said { started: Some(id), place, .. } if now.given.contains_key(&id) => {
                now.given.entry(id.clone()).and_modify(|given| given.place.clone_from(&place));
                now.happened.push_back(Happened::Started { id, place });
            }
            Said { told: Some(id), event, .. } => {
                // Events of a later version are not ours to understand.
                let event = serde_json::from_value::<OwnedEvent>(event);
                if let Ok(event) = event
                    && (now.given.contains_key(&id) || id == PROBE)
                {
                    let id = if id == PROBE { now.asks() } else { id };
                    now.happened.push_back(Happened::Told { id, event });
                }
            }
            Said { ended: Some(id), code, lost, tail, .. } if id == PROBE => {
                if let Some(asking) = &mut now.asking {
                    let log = self.sweep.path().join("probe.log");
                    let how = end(code, lost, tail, &log, asking.stopped);
                    asking.over = Some((how, Instant::now()));
                }
            }
            Said { ended: Some(id), code, lost, tail, .. } => {
                if let Some(Given { log, place, stopped }) = now.given.remove(&id) {
                    let how = end(code, lost, tail, &log, stopped).of_one_machine(&place);
                    now.happened.push_back(Happened::Ended { id, how });
                }
            }
            Said { started: Some(_), .. } => {}
            _ => bail!(
                "the launcher says {line:?}, in which nothing is started, told or ended: see docs/LAUNCHERS.md"
            ),
        }
        Ok(())
    }

    /// Looks for an answer, on which the tasks that wait for it are started.
    fn look_at_answer(&self, now: &mut Now) -> Result<(), LabError> {
        let Some(asking) = &mut now.asking else { return Ok(()) };
        let Some((how, since)) = &asking.over else { return Ok(()) };
        if asking.stopped {
            now.asking = None;
            return Ok(());
        }
        // By listing the folder a network file system is asked for what is in it.
        let _ = std::fs::read_dir(self.sweep.path()).map(Iterator::count);
        if let Some(probe) = self.sweep.probe()? {
            now.answer = Some(checked(probe, &self.sweep)?);
            now.asking = None;
            let held = std::mem::take(&mut now.held);
            return if held.is_empty() { Ok(()) } else { self.start_all(now, &held) };
        }
        let folder = self.sweep.path().display();
        match how {
            End::Lost(reason) if asking.losses < self.on.retries() => {
                let text = format!(
                    "the question whether it can train was lost, and is asked again: {reason}"
                );
                let event = Event::Note { text: text.into() };
                asking.losses += 1;
                let needs = asking.needs;
                let id = now.asks();
                now.happened.push_back(Happened::Told { id, event });
                self.start_question(now, needs)
            }
            End::Done if since.elapsed() < patience() => Ok(()),
            End::Done | End::Stopped => bail!(
                "no node answers whether it can train: one was asked, and wrote nothing into {folder} that is seen \
                 here. Put the store where all machines see it (--store, or DATADIET_HOME)"
            ),
            End::Failed(told) | End::Unusable(told) | End::Lost(told) => bail!(
                "a node cannot train: {told}\n(all machines must find {} at the same path, and the store; the log is \
                 {folder}/probe.log)",
                self.argv[self.argv.len() - 2]
            ),
        }
    }
}

/// How a task ended that ended with this exit code, or was `lost`.
fn end(
    code: Option<i32>,
    lost: Option<String>,
    tail: Option<String>,
    log: &Path,
    asked: bool,
) -> End {
    if let Some(lost) = lost {
        return if asked { End::Stopped } else { End::Lost(lost) };
    }
    let tail = tail.unwrap_or_else(|| {
        String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).into_owned()
    });
    End::of_exit(code, &last_words(tail.lines()), asked)
}

/// What starts `datadiet worker` anywhere, with the variables of this process that matter to it: engines have others.
fn argv(program: &Path, variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let is_passed_on = |name: &str| {
        (name.starts_with(OUR_VARIABLES) && !OF_THIS_PROCESS.contains(&name))
            || VARIABLES.contains(&name)
    };
    let mut set: Vec<String> = variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| is_passed_on(name))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    set.sort();
    // An engine's number of threads is not ours: the same run has the same everywhere.
    let mut argv: Vec<String> = ["env", "-u", "OMP_NUM_THREADS"].map(str::to_owned).into();
    argv.extend(set);
    argv.extend([program.to_string_lossy().into_owned(), "worker".to_owned()]);
    argv
}

impl Asks for Launcher {
    fn answer(&self) -> Option<Probe> {
        self.now().answer.clone()
    }

    fn ask(
        &self,
        needs: Needs,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<Option<Probe>, LabError> {
        self.start_question(&mut self.now(), needs)?;
        progress.note("asking a node whether it can train");
        loop {
            if stop.load(Ordering::Relaxed) {
                self.stop();
                return Ok(None);
            }
            let mut now = self.now();
            self.step(&mut now, PAUSE)?;
            if now.answer.is_some() {
                return Ok(now.answer.clone());
            }
            for happened in std::mem::take(&mut now.happened) {
                if let Happened::Told { event: Event::Note { text }, .. } = happened {
                    progress.note(&text);
                }
            }
        }
    }
}

impl Executor for Launcher {
    fn at_a_time(&self) -> usize {
        self.on.at_a_time()
    }

    fn start(&self, tasks: &[Task]) -> Result<(), LabError> {
        let mut now = self.now();
        if now.answer.is_some() {
            return self.start_all(&mut now, tasks);
        }
        now.held.extend_from_slice(tasks);
        match (&now.asking, tasks.first()) {
            (None, Some(task)) => self.start_question(&mut now, task.needs),
            _ => Ok(()),
        }
    }

    fn next(&self, wait: Duration) -> Result<Option<Happened>, LabError> {
        let mut now = self.now();
        if now.happened.is_empty() {
            if now.process.is_none() {
                drop(now);
                std::thread::sleep(wait);
                return Ok(None);
            }
            self.step(&mut now, wait)?;
        }
        Ok(now.happened.pop_front())
    }

    fn stop(&self) {
        // Whatever a launcher does about it: its tasks look at this.
        let _ = self.sweep.stop();
        let mut now = self.now();
        for task in std::mem::take(&mut now.held) {
            now.happened.push_back(Happened::Ended { id: task.id, how: End::Stopped });
        }
        let mut ids = Vec::new();
        for (id, given) in &mut now.given {
            given.stopped = true;
            ids.push(id.clone());
        }
        if let Some(asking) = &mut now.asking {
            asking.stopped = true;
            ids.push(PROBE.into());
        }
        if let Some(process) = now.process.as_mut().filter(|_| !ids.is_empty()) {
            process.say(&json!({"stop": ids}));
        }
    }

    fn sweep_folder(&self) -> Option<&SweepFolder> {
        Some(&self.sweep)
    }

    fn patience(&self) -> Duration {
        patience()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_started_with_the_variables_that_matter() {
        let variables = [
            ("PATH", "/bin"),
            ("PYTHONPATH", "/a:/b"),
            ("DATADIET_MAX_ISA", "avx2"),
            ("DATADIET_RUN", "3fa4"),
            ("DATADIET_HOST", "login"),
            ("DATADIET_JOB", "slurm 7"),
            ("SECRET", "x"),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        assert_eq!(
            argv(Path::new("/opt/datadiet"), variables),
            [
                "env",
                "-u",
                "OMP_NUM_THREADS",
                "DATADIET_MAX_ISA=avx2",
                "PYTHONPATH=/a:/b",
                "/opt/datadiet",
                "worker"
            ]
        );
    }

    #[test]
    fn ends_mean_what_exit_codes_do() {
        let end = |line: &str, asked| {
            let said: Said = serde_json::from_str(line).unwrap();
            super::end(said.code, said.lost, said.tail, Path::new("/nowhere"), asked)
        };
        assert_eq!(end(r#"{"ended":"a","code":0}"#, false), End::Done);
        let tail = r#"{"ended":"a","code":1,"tail":"noise\nerror: no labels\nfor 3 examples"}"#;
        assert_eq!(end(tail, false), End::Failed("no labels\nfor 3 examples".into()));
        assert!(matches!(
            end(r#"{"ended":"a","code":127,"tail":"env: x: not there"}"#, false),
            End::Unusable(_)
        ));
        assert_eq!(end(r#"{"ended":"a","code":3}"#, true), End::Stopped);
        assert!(matches!(end(r#"{"ended":"a","code":3}"#, false), End::Lost(_)));
        assert_eq!(
            end(r#"{"ended":"a","code":null,"lost":"n2 died"}"#, false),
            End::Lost("n2 died".into())
        );
        assert_eq!(end(r#"{"ended":"a","lost":"n2 died"}"#, true), End::Stopped);
        assert!(matches!(end(r#"{"ended":"a","code":-9}"#, false), End::Lost(_)));
    }
}
