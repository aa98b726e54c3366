//! A sweep written down: what is to be trained and measured, and how, for processes on other machines.
//!
//! ```text
//! <store>/sweeps/<id>/sweep.json   how to train: the same for all tasks
//!                    /tasks.txt    one line a task: `train runs/<run id>` or `measure measurements/<id>`
//!                    /probe.json   what a node answered that was asked whether it can train
//!                    /stop         the sweep is to end: whoever carries out its tasks saves and goes
//!                    /jobs.txt     what an engine calls what it was given, one line a job
//!                    /*.log        what engines wrote
//! ```
//!
//! Both files are written before anything is started. Tasks are only added, so that the number of a line
//! means the same task for good. Nothing here belongs to a run's identity: any number of sweeps may have
//! tasks of the same run, and a lease decides who trains it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use datadiet_table::{make_folder_atomically, write_atomically, write_json};

use crate::run_folder::read_json;
use crate::run_id::short_digest;
use crate::store_lock::touch;
use crate::{ListRef, Store, StoreError, lists, random};

/// The folder of a store that has all sweeps.
const SWEEPS: &str = "sweeps";
/// How to train.
pub(crate) const PLAN: &str = "sweep.json";
/// What to train.
const TASKS: &str = "tasks.txt";
/// What a node answered.
const PROBE: &str = "probe.json";
/// That the sweep is to end.
const STOP: &str = "stop";
/// What an engine calls what it was given.
const JOBS: &str = "jobs.txt";

/// How the tasks of a sweep are carried out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SweepPlan {
    /// The version of this format, [`SweepPlan::FORMAT`].
    pub format: u32,
    /// A random text. A node that can repeat it reads the same store.
    pub token: String,
    /// The version of the datadiet that asks; another is refused.
    pub asked_by: String,
    /// What trains.
    pub trains: Trains,
    /// Folder of the data sets, absolute; for our own networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_home: Option<PathBuf>,
    /// Threads that a task may use.
    pub threads: u32,
    /// GPUs that a task needs: which one it sees, the engine says.
    pub gpus: u32,
    /// Memory that gradient norms and kernels of a task may use, MiB.
    pub memory: u64,
    /// Least time between two checkpoints, seconds.
    pub checkpoint_every: f64,
}

/// What trains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trains {
    /// `datadiet-worker`: networks of our own.
    Worker {
        /// The program, where it is not the one beside the `datadiet` that carries out the task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<PathBuf>,
        /// The folder of PyTorch, where `DATADIET_TORCH` named one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        torch: Option<PathBuf>,
    },
    /// A program of the user's.
    Program {
        /// Program and arguments, without the run folder.
        command: Vec<String>,
        /// What evaluates weights that it kept, without the folder of an evaluation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evaluate: Option<Vec<String>>,
        /// The folder that it is started in, absolute.
        cwd: PathBuf,
        /// Label of each training example, in the subset of a run or not.
        labels: ListRef,
        /// Names of the classes.
        classes: Vec<String>,
    },
}

impl SweepPlan {
    /// The format that this version writes and reads.
    pub const FORMAT: u32 = 1;

    /// A token for a new sweep.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn new_token() -> Result<String, StoreError> {
        random::token()
    }
}

/// What is done to a folder of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Train a run.
    Train,
    /// Make a measurement.
    Measure,
}

impl Verb {
    /// As a line of `tasks.txt` begins.
    pub fn word(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Measure => "measure",
        }
    }

    /// The folder of the store that has what it is done to.
    pub fn parent(self) -> &'static str {
        match self {
            Self::Train => "runs",
            Self::Measure => "measurements",
        }
    }
}

/// A line of `tasks.txt`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskLine {
    /// What is done.
    pub verb: Verb,
    /// The run or the measurement that it is done to.
    pub id: String,
}

impl TaskLine {
    /// A line that this version wrote; none otherwise.
    fn parse(line: &str) -> Option<Self> {
        let (word, path) = line.split_once(' ')?;
        let verb = [Verb::Train, Verb::Measure].into_iter().find(|verb| verb.word() == word)?;
        let id = path.strip_prefix(verb.parent())?.strip_prefix('/')?;
        let is_name = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_name.then(|| Self { verb, id: id.to_owned() })
    }
}

impl std::fmt::Display for TaskLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.verb.word(), self.verb.parent(), self.id)
    }
}

/// What a node answers that is asked whether it can train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The sweep's token as the node read it.
    pub token: String,
    /// The version of the node's datadiet.
    pub version: String,
    /// The node.
    pub host: String,
    /// Why it cannot train, for a person to read; none when it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether its processor multiplies bf16 in hardware.
    pub has_bf16: bool,
}

/// The folder of a sweep.
#[derive(Clone, Debug)]
pub struct SweepFolder {
    path: PathBuf,
}

impl SweepFolder {
    /// Makes a new one with no tasks yet.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(store: &Store, plan: &SweepPlan) -> Result<Self, StoreError> {
        let root = std::path::absolute(store.root())
            .map_err(StoreError::io("find the folder", store.root()))?;
        let path = root.join(SWEEPS).join(short_digest(&plan.token));
        make_folder_atomically(&path, |aside| write_json(&aside.join(PLAN), plan))?;
        Ok(Self { path })
    }

    /// Opens an existing one by path, as a process on a node does.
    ///
    /// # Errors
    /// When it is none, is damaged, or of a version with another format.
    pub fn open(path: &Path) -> Result<(Self, SweepPlan), StoreError> {
        let file = path.join(PLAN);
        let missing = || {
            let reason = "missing: this is no sweep folder of datadiet, or this machine does not see the \
                          store that it is in";
            StoreError::damaged(&file, reason)
        };
        let format = read_json::<serde_json::Value>(&file)?.ok_or_else(missing)?["format"].as_u64();
        if format != Some(SweepPlan::FORMAT.into()) {
            let found = format.map_or("unknown".into(), |format| format.to_string());
            return Err(StoreError::damaged(
                &file,
                format!(
                    "its format is {found}, and this datadiet reads {}: use the same version on all machines",
                    SweepPlan::FORMAT
                ),
            ));
        }
        let plan = read_json(&file)?.ok_or_else(missing)?;
        Ok((Self { path: path.to_owned() }, plan))
    }

    /// All sweeps of a store, by id. Some may be damaged: [`SweepFolder::open`] tells.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn all(store: &Store) -> Result<Vec<Self>, StoreError> {
        let mut paths = crate::store::entries(&store.root().join(SWEEPS))?;
        paths.retain(|path| path.is_dir() && !crate::store::is_aside(path));
        Ok(paths.into_iter().map(|path| Self { path }).collect())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name within the store.
    pub fn id(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The store that it is in.
    pub fn store_root(&self) -> &Path {
        self.path.parent().and_then(Path::parent).unwrap_or(Path::new("."))
    }

    /// Adds tasks, but for those that it has, and says which line each is, counted from 0. Only one process
    /// adds tasks: that which made the sweep.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&self, tasks: &[TaskLine]) -> Result<Vec<usize>, StoreError> {
        let mut all = self.tasks()?;
        let before = all.len();
        let mut places: std::collections::HashMap<TaskLine, usize> =
            all.iter().cloned().enumerate().map(|(place, task)| (task, place)).collect();
        let mut place = |task: &TaskLine| {
            *places.entry(task.clone()).or_insert_with(|| {
                all.push(task.clone());
                all.len() - 1
            })
        };
        let lines = tasks.iter().map(&mut place).collect();
        if all.len() > before {
            let text: String = all.iter().map(|task| format!("{task}\n")).collect();
            write_atomically(&self.tasks_file(), |file| file.write_all(text.as_bytes()))?;
        }
        Ok(lines)
    }

    /// Notes that whoever asked for it is still there, for others who clean up. To be said more often than once a day.
    pub fn touch(&self) {
        touch(&self.path.join(PLAN));
    }

    /// Its tasks, one a line.
    ///
    /// # Errors
    /// When they cannot be read, or a line is no task.
    pub fn tasks(&self) -> Result<Vec<TaskLine>, StoreError> {
        let file = self.tasks_file();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(StoreError::io("read", &file)(error)),
        };
        let task = |(number, line): (usize, &str)| {
            TaskLine::parse(line).ok_or_else(|| {
                StoreError::damaged(&file, format!("line {number} is no task: {line:?}"))
            })
        };
        text.lines().enumerate().map(task).collect()
    }

    /// Where the tasks stand, one a line.
    pub fn tasks_file(&self) -> PathBuf {
        self.path.join(TASKS)
    }

    /// The folder of the store that a task is done to.
    pub fn folder_of(&self, task: &TaskLine) -> PathBuf {
        self.store_root().join(task.verb.parent()).join(&task.id)
    }

    /// Reads a list of ids or labels of the store that it is in.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read_list(&self, list: &ListRef) -> Result<Vec<u32>, StoreError> {
        lists::read(self.store_root(), list)
    }

    /// Asks whoever carries out its tasks to save and go, and not to begin others.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn stop(&self) -> Result<(), StoreError> {
        Ok(write_atomically(&self.path.join(STOP), |_| Ok(()))?)
    }

    /// Whether it was asked to end.
    pub fn is_stopped(&self) -> bool {
        self.path.join(STOP).exists()
    }

    /// Notes what an engine calls what it was given (`slurm 1234`), so that others can find it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note_job(&self, job: &str) -> Result<(), StoreError> {
        let file = self.path.join(JOBS);
        let append = || {
            let mut options = fs::OpenOptions::new();
            options.create(true).append(true).open(&file)?.write_all(format!("{job}\n").as_bytes())
        };
        append().map_err(StoreError::io("write", &file))
    }

    /// What engines call what they were given, oldest first.
    pub fn jobs(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path.join(JOBS)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Writes what a node answers.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_probe(&self, probe: &Probe) -> Result<(), StoreError> {
        Ok(write_json(&self.path.join(PROBE), probe)?)
    }

    /// What a node answered, if it did.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn probe(&self) -> Result<Option<Probe>, StoreError> {
        read_json(&self.path.join(PROBE))
    }
}
