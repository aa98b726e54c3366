//! One run on disk: its specification, lease, checkpoint, scores and outcome.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use datadiet_table::{FileError, Table, make_folder_atomically, write_atomically, write_json};

use crate::lease::STOP;
use crate::{Fence, Lease, ListRef, RunId, RunSpec, StoreError, lists, program};

/// The specification; a run folder has it from the first moment.
pub(crate) const SPEC: &str = "spec.json";
/// The outcome; what makes a run complete.
pub(crate) const RESULT: &str = "result.json";
/// The state to go on from.
pub(crate) const CHECKPOINT: &str = "checkpoint.safetensors";

/// What was said while it was trained or measured.
pub(crate) const LOG: &str = "log.txt";

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    id: RunId,
    fence: Option<Fence>,
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
    /// Seconds of training, over all processes that worked on the run; where a program of the user's
    /// trained, of all that it did.
    pub train_seconds: f64,
    /// Seconds of scoring and evaluation, without gradients.
    pub score_seconds: f64,
    /// Examples whose gradient norm was taken, with repetition.
    pub images_differentiated: u64,
    /// Seconds of taking gradient norms.
    pub gradient_seconds: f64,
    /// Mean training loss over the last epoch (augmented minibatches); where a program of the user's
    /// trained, what it told last, if anything.
    pub final_train_loss: Option<f64>,
    /// Accuracy at the end of training, on the test split or, without one, the training split. Where a
    /// program of the user's trained, on what it tests with; and where that is judged by another
    /// [`Metric`](crate::Metric), the values here and below are of that.
    pub test_accuracy: Vec<TimedAccuracy>,
    /// Accuracy at the end of training on the held-out training examples, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<f64>,
    /// The same as the last of `test_accuracy` on the examples of each class, by class number, where a
    /// program of the user's says it; none of a class of which it says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_by_class: Vec<Option<f64>>,
    /// Largest resident memory of a process that worked on the run, MiB; 0 where nobody knows.
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

impl RunFolder {
    pub(crate) fn new(path: PathBuf, id: RunId) -> Self {
        Self { path, id, fence: None }
    }

    /// Opens an existing run folder by path, as a worker process does.
    ///
    /// # Errors
    /// When its specification is missing, damaged, or belongs to another folder.
    pub fn open(path: &Path) -> Result<(Self, RunSpec), StoreError> {
        let file = path.join(SPEC);
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

    /// Makes the folder with the specification in it, before anything is trained.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(&self, spec: &RunSpec) -> Result<(), StoreError> {
        Ok(prepare(&self.path, SPEC, spec)?)
    }

    /// Takes the run's lease.
    ///
    /// # Errors
    /// [`StoreError::Locked`], naming the holder, while another process trains this run.
    pub fn lock(&self) -> Result<Lease, StoreError> {
        Lease::take(&self.path)
    }

    /// Takes the run's lease, as [`Lease::take_patiently`] does.
    ///
    /// # Errors
    /// [`StoreError::Locked`], naming the holder, while another process goes on training this run.
    pub fn lock_patiently(&self) -> Result<Lease, StoreError> {
        Lease::take_patiently(&self.path)
    }

    /// The same folder, into which nothing is written any more once another process has taken over the lease.
    pub fn fenced(&self, lease: &Lease) -> Self {
        Self { fence: Some(lease.fence()), ..self.clone() }
    }

    /// To be asked before anything is written that the methods here do not write.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when another process has taken over the lease of this folder.
    pub fn pass_fence(&self) -> Result<(), StoreError> {
        self.fence.as_ref().map_or(Ok(()), Fence::pass)
    }

    /// Asks whoever trains the run in `folder`, damaged or not, to save its state and go, and whoever waits for it not
    /// to begin. That holds until a command that was typed later [forgets it](Self::forget_stop).
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn ask_to_stop(folder: &Path) -> Result<(), StoreError> {
        Ok(write_atomically(&folder.join(STOP), |_| Ok(()))?)
    }

    /// When it was asked to stop, by the clock of whoever keeps its files; none where it was not, or that is
    /// forgotten.
    pub fn asked_to_stop(&self) -> Option<SystemTime> {
        fs::metadata(self.path.join(STOP)).and_then(|about| about.modified()).ok()
    }

    /// Forgets that it was asked to stop.
    ///
    /// # Errors
    /// When that cannot be forgotten.
    pub fn forget_stop(&self) -> Result<(), StoreError> {
        remove_if_there(&self.path.join(STOP))
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
        self.pass_fence()?;
        write_json(&self.result_file(), result)?;
        remove_if_there(&self.checkpoint_file())
    }

    /// Records a failure.
    pub fn fail(&self, failure: &RunFailure) -> Result<(), StoreError> {
        self.pass_fence()?;
        Ok(write_json(&self.failure_file(), failure)?)
    }

    /// Forgets a recorded failure and the state that led to it, so that the run starts again.
    pub fn retry(&self) -> Result<(), StoreError> {
        remove_if_there(&self.checkpoint_file())?;
        self.forget_program()?;
        remove_if_there(&self.failure_file())
    }

    /// Forgets what a program of the user's left: its state, what it recorded, weights, how well it did.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn forget_program(&self) -> Result<(), StoreError> {
        let names = [program::METRICS, program::RECORDED, program::CHECKPOINT, program::KEPT];
        names.iter().try_for_each(|name| remove_if_there(&self.path.join(name)))
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        bytes_below(&self.path)
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
        self.path.join(CHECKPOINT)
    }

    /// What was said while it was trained.
    pub fn log_file(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// When its state was saved last, whoever trains it: changes with every checkpoint. None without one.
    pub fn saved(&self) -> Option<SystemTime> {
        let modified = |path: &Path| fs::metadata(path).and_then(|about| about.modified()).ok();
        let of_program = fs::read_dir(self.path.join(program::CHECKPOINT)).into_iter().flatten();
        let of_program = of_program.flatten().filter_map(|entry| modified(&entry.path()));
        of_program.chain(modified(&self.checkpoint_file())).max()
    }

    /// Writes the scores taken after `step` steps.
    pub fn write_scores(&self, step: u64, table: &Table) -> Result<(), StoreError> {
        self.pass_fence()?;
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
        self.path.join(RESULT)
    }

    fn failure_file(&self) -> PathBuf {
        self.path.join("failure.json")
    }
}

/// Makes a folder with `request` in it under `name`; into a damaged one without it, it is put back.
pub(crate) fn prepare(
    folder: &Path,
    name: &str,
    request: &impl Serialize,
) -> Result<(), FileError> {
    if !folder.exists() {
        make_folder_atomically(folder, |aside| write_json(&aside.join(name), request))?;
    }
    let file = folder.join(name);
    if file.exists() { Ok(()) } else { write_json(&file, request) }
}

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StoreError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    serde_json::from_slice(&text).map(Some).map_err(|error| StoreError::damaged(path, error))
}

pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(about) if about.is_dir() => bytes_below(&entry.path()),
        Ok(about) => about.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

fn remove_if_there(path: &Path) -> Result<(), StoreError> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::io("remove", path)(error))
        }
        _ => Ok(()),
    }
}
