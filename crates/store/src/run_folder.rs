//! One run on disk: its specification, lock, checkpoint, scores and outcome.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use datadiet_table::{Table, write_json};

use crate::{ListRef, RunId, RunSpec, StoreError, lists};

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    id: RunId,
}

/// How far a run has come.
#[derive(Clone, Debug)]
pub enum RunStatus {
    /// Not done: never started, or to be resumed from its last checkpoint.
    Unfinished,
    /// Done.
    Complete(RunResult),
    /// Failed for a reason that the same specification would meet again.
    Failed(RunFailure),
}

/// The outcome of a completed run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Steps trained.
    pub steps: u64,
    /// Training examples passed through the network, with repetition.
    pub images_trained: u64,
    /// Examples passed through the network to score or evaluate them, with repetition.
    pub images_scored: u64,
    /// Seconds of training, over all processes that worked on the run.
    pub train_seconds: f64,
    /// Seconds of scoring and evaluation, without gradients.
    pub score_seconds: f64,
    /// Examples whose gradient norm was taken, with repetition.
    pub images_differentiated: u64,
    /// Seconds of taking gradient norms.
    pub gradient_seconds: f64,
    /// Mean training loss over the last epoch (augmented minibatches).
    pub final_train_loss: f64,
    /// Accuracy at the end of training, on the test split or, without one, the training split.
    pub test_accuracy: Vec<TimedAccuracy>,
    /// Accuracy at the end of training on the held-out training examples, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// Largest resident memory of a process that worked on the run, MiB.
    pub peak_memory_mib: f64,
}

impl RunResult {
    /// Test accuracy at the end of training, in [0, 1].
    pub fn final_test_accuracy(&self) -> Option<f64> {
        self.test_accuracy.last().map(|point| point.accuracy)
    }
}

/// An accuracy and when it was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimedAccuracy {
    /// Steps done.
    pub step: u64,
    /// Fraction of the examples that are classified as labelled, in [0, 1].
    pub accuracy: f64,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFailure {
    /// What happened, and what to try.
    pub reason: String,
    /// The step at which it happened.
    pub step: Option<u64>,
    /// The learning rate of that step.
    pub learning_rate: Option<f64>,
}

/// Held while a worker trains a run; released when dropped or when the process dies.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunFolder {
    pub(crate) fn new(path: PathBuf, id: RunId) -> Self {
        Self { path, id }
    }

    /// Opens an existing run folder by path, as a worker process does.
    ///
    /// # Errors
    /// When its specification is missing, damaged, or belongs to another folder.
    pub fn open(path: &Path) -> Result<(Self, RunSpec), StoreError> {
        let file = path.join("spec.json");
        let spec: RunSpec = read_json(&file)?.ok_or_else(|| {
            StoreError::damaged(&file, "missing: this is not a run folder of datadiet")
        })?;
        let id = RunId::of(&spec);
        if path.file_name().is_none_or(|name| name != id.as_str()) {
            return Err(StoreError::damaged(&file, format!("it describes run {id}, not this one")));
        }
        Ok((Self::new(path.to_owned(), id), spec))
    }

    /// The run's id.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Where the run is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder and saves the specification, before anything is trained.
    pub fn prepare(&self, spec: &RunSpec) -> Result<(), StoreError> {
        let file = self.path.join("spec.json");
        if file.exists() { Ok(()) } else { Ok(write_json(&file, spec)?) }
    }

    /// Takes the run's lock.
    ///
    /// # Errors
    /// [`StoreError::Locked`], naming the holder, while another process trains this run.
    pub fn lock(&self) -> Result<RunLock, StoreError> {
        let path = self.path.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open", &path))?;
        match file.try_lock() {
            Ok(()) => {
                let holder = format!("process {}\n", std::process::id());
                file.set_len(0)
                    .and_then(|()| file.write_all(holder.as_bytes()))
                    .map_err(StoreError::io("write", &path))?;
                Ok(RunLock { _file: file })
            }
            Err(TryLockError::WouldBlock) => Err(self.locked(&mut file)),
            Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path)(error)),
        }
    }

    fn locked(&self, file: &mut File) -> StoreError {
        let mut holder = String::new();
        let _ = file.rewind().and_then(|()| file.read_to_string(&mut holder));
        let holder = if holder.trim().is_empty() { "another process" } else { holder.trim() };
        StoreError::Locked { id: self.id.to_string(), holder: holder.to_owned() }
    }

    /// How far the run has come.
    pub fn status(&self) -> Result<RunStatus, StoreError> {
        if let Some(result) = read_json(&self.result_file())? {
            return Ok(RunStatus::Complete(result));
        }
        Ok(match read_json(&self.failure_file())? {
            Some(failure) => RunStatus::Failed(failure),
            None => RunStatus::Unfinished,
        })
    }

    /// Records completion; the last thing that a run writes. The checkpoint is no longer needed.
    pub fn complete(&self, result: &RunResult) -> Result<(), StoreError> {
        write_json(&self.result_file(), result)?;
        remove_if_there(&self.checkpoint_file())
    }

    /// Records a failure.
    pub fn fail(&self, failure: &RunFailure) -> Result<(), StoreError> {
        Ok(write_json(&self.failure_file(), failure)?)
    }

    /// Forgets a recorded failure and the state that led to it, so that the run starts anew.
    pub fn retry(&self) -> Result<(), StoreError> {
        remove_if_there(&self.checkpoint_file())?;
        remove_if_there(&self.failure_file())
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        bytes_below(&self.path)
    }

    /// Removes the run and all that it has.
    ///
    /// # Errors
    /// [`StoreError::Locked`] while it is being trained.
    pub fn remove(&self) -> Result<(), StoreError> {
        let _lock = self.lock()?;
        // The specification goes last: a half-removed run can be removed again.
        remove_if_there(&self.result_file())?;
        let spec = self.path.join("spec.json");
        let entries = fs::read_dir(&self.path).map_err(StoreError::io("read", &self.path))?;
        for entry in entries.flatten().filter(|entry| entry.path() != spec) {
            let path = entry.path();
            let removed =
                if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(StoreError::io("remove", &path))?;
        }
        fs::remove_dir_all(&self.path).map_err(StoreError::io("remove", &self.path))
    }

    /// The folder of another run of the store, by its id.
    pub fn sibling(&self, id: &RunId) -> PathBuf {
        self.path.with_file_name(id.as_str())
    }

    /// Reads a list of ids or labels of the store that the run is in.
    pub fn read_list(&self, list: &ListRef) -> Result<Vec<u32>, StoreError> {
        let root = self.path.parent().and_then(Path::parent).unwrap_or(Path::new("."));
        lists::read(root, list)
    }

    /// The newest state to resume from.
    pub fn checkpoint_file(&self) -> PathBuf {
        self.path.join("checkpoint.safetensors")
    }

    /// Writes the scores taken after `step` steps.
    pub fn write_scores(&self, step: u64, table: &Table) -> Result<(), StoreError> {
        Ok(table.write(&self.scores_file(step))?)
    }

    /// Reads the scores taken after `step` steps.
    pub fn read_scores(&self, step: u64) -> Result<Table, StoreError> {
        Ok(Table::read(&self.scores_file(step))?)
    }

    /// Weights and momentum after `step` steps.
    pub fn weights_file(&self, step: u64) -> PathBuf {
        self.path.join("weights").join(format!("{step:08}.safetensors"))
    }

    fn scores_file(&self, step: u64) -> PathBuf {
        self.path.join("scores").join(format!("{step:08}.parquet"))
    }

    fn result_file(&self) -> PathBuf {
        self.path.join("result.json")
    }

    fn failure_file(&self) -> PathBuf {
        self.path.join("failure.json")
    }
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| StoreError::damaged(path, error))
}

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => bytes_below(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
