//! A run is a process: the specification goes in as a run folder, events come out as JSON lines.
//!
//! The parent holds the worker's standard input open. When the parent dies or lets go of it, the
//! worker saves its state at the next step and ends, so nothing trains on unwatched and no lock is
//! left behind.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datadiet_core::progress::{Event, Progress, Silent};
use datadiet_store::worker::{EXIT_MISUNDERSTOOD, EXIT_STOPPED};
use datadiet_store::{MeasurementFolder, RunFolder};

/// Exit code of a program whose libraries are not found, from the system.
pub(crate) const EXIT_NOT_STARTED: u8 = 127;

/// What is said of what was stopped.
pub(crate) const STOPPED: &str = "stopped; its state is saved";

/// What is said of a run that was stopped from outside of the command that wants it.
pub const STOPPED_BY_HAND: &str =
    "stopped by `datadiet runs stop`; the command that asked for it goes on from what it saved";

/// Why a trainer did not complete what it was given, for a person to read.
#[derive(Clone, Debug, PartialEq)]
pub enum TrainerError {
    /// This run, or this measurement, did not complete; others may.
    Failed(String),
    /// It can train nothing: it does not start, or is of another version.
    Unusable(String),
    /// It was asked to stop, by whoever, and what it saved is there to go on from.
    Stopped,
    /// Its process was killed, or another has the run: what it saved is there to go on from.
    Lost(String),
}

impl std::fmt::Display for TrainerError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Failed(reason) | Self::Unusable(reason) | Self::Lost(reason) => reason,
            Self::Stopped => STOPPED,
        })
    }
}

impl<T: Into<String>> From<T> for TrainerError {
    fn from(reason: T) -> Self {
        Self::Failed(reason.into())
    }
}

/// Trains one run to its end, and measures what runs kept.
pub trait Trainer: Sync {
    /// Trains the run in `folder` and returns when its result is stored or `stop` was set. Tells
    /// how far it is, and what a person should know, of a task without a name.
    ///
    /// # Errors
    /// Why the run did not complete, for a person to read.
    fn train(
        &self,
        folder: &RunFolder,
        slot: usize,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<(), TrainerError>;

    /// Makes the measurement in `folder` and returns when its result is stored or `stop` was set.
    ///
    /// # Errors
    /// Why it could not be made, for a person to read. By default: that it makes none.
    fn measure(
        &self,
        folder: &MeasurementFolder,
        _slot: usize,
        _stop: &AtomicBool,
    ) -> Result<(), TrainerError> {
        Err(format!("nothing here makes the measurement {}", folder.path().display()).into())
    }
}

/// Trains in a process of its own.
#[derive(Clone, Debug)]
pub struct WorkerProcess {
    /// The program `datadiet-worker`.
    pub program: PathBuf,
    /// Folder of PyTorch's libraries, where the program does not know it itself.
    pub libraries: Option<PathBuf>,
    /// Folder of the data sets.
    pub data_home: PathBuf,
    /// Threads that a worker may use.
    pub threads: u32,
    /// GPUs to spread workers over; none on the processor.
    pub gpus: usize,
    /// Memory that gradient norms may use, MiB.
    pub memory: u64,
    /// Least time between two checkpoints of a run.
    pub checkpoint_every: Duration,
}

impl Trainer for WorkerProcess {
    fn train(
        &self,
        folder: &RunFolder,
        slot: usize,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<(), TrainerError> {
        let mut command = self.command("train", folder.path(), slot);
        command.args(["--checkpoint-every", &self.checkpoint_every.as_secs_f64().to_string()]);
        self.carry_out(command, stop, progress)
    }

    fn measure(
        &self,
        folder: &MeasurementFolder,
        slot: usize,
        stop: &AtomicBool,
    ) -> Result<(), TrainerError> {
        self.carry_out(self.command("measure", folder.path(), slot), stop, &Silent)
    }
}

impl WorkerProcess {
    fn carry_out(
        &self,
        mut command: Command,
        stop: &AtomicBool,
        progress: &dyn Progress,
    ) -> Result<(), TrainerError> {
        let mut child = command.spawn().map_err(|error| {
            TrainerError::Unusable(format!("cannot start {}: {error}", self.program.display()))
        })?;
        let errors = collect(child.stderr.take().expect("piped"));
        let status = follow(&mut child, stop, progress)
            .map_err(|error| format!("lost touch with a worker: {error}"))?;
        let errors = errors.join().unwrap_or_default();
        self.explain(status, &errors)
    }

    /// What became of a worker that ended so.
    fn explain(&self, status: ExitStatus, errors: &str) -> Result<(), TrainerError> {
        let told = errors.strip_prefix("error: ").unwrap_or(errors);
        match status.code().and_then(|code| u8::try_from(code).ok()) {
            Some(0) => Ok(()),
            Some(EXIT_STOPPED) if told.is_empty() => Err(TrainerError::Stopped),
            // It says why where nobody asked.
            Some(EXIT_STOPPED) => Err(TrainerError::Lost(told.into())),
            Some(EXIT_MISUNDERSTOOD | EXIT_NOT_STARTED) => {
                let program = self.program.display();
                Err(TrainerError::Unusable(format!("{program} cannot train: {told}")))
            }
            Some(_) if !told.is_empty() => Err(told.into()),
            _ => Err(ended_by_system("its process", status, errors)),
        }
    }

    fn command(&self, verb: &str, folder: &Path, slot: usize) -> Command {
        let mut command = Command::new(&self.program);
        find_libraries(&mut command, self.libraries.as_deref());
        let gpu = if self.gpus == 0 { 0 } else { slot % self.gpus };
        command
            .arg(verb)
            .arg(folder)
            .arg("--data-home")
            .arg(&self.data_home)
            .args(["--asked-by", env!("CARGO_PKG_VERSION")])
            .args(["--gpu", &gpu.to_string()])
            .args(["--memory", &self.memory.to_string()])
            .env("OMP_NUM_THREADS", self.threads.to_string())
            // glibc gives large freed blocks back to the system at once, and every activation is
            // paid for again in page faults: a quarter of a small network's training step.
            .env("MALLOC_TRIM_THRESHOLD_", "1000000000000")
            .env("MALLOC_MMAP_THRESHOLD_", "1000000000000")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

/// Where the system's loader looks for libraries first.
const LOADER_PATH: &str = if cfg!(windows) {
    "PATH"
} else if cfg!(target_os = "macos") {
    "DYLD_LIBRARY_PATH"
} else {
    "LD_LIBRARY_PATH"
};

/// Why `what`, a process that gave no reason, is no more: killed from outside, it may be started again; not so where it
/// did something that is not allowed.
pub(crate) fn ended_by_system(what: &str, status: ExitStatus, errors: &str) -> TrainerError {
    let colon = if errors.is_empty() { "" } else { ": " };
    let reason = format!(
        "{what} ended with {status}{colon}{errors}; run the same command again to go on from its last \
         checkpoint (killed processes are often out of memory: try fewer --workers)"
    );
    if is_of_its_own_doing(status) {
        TrainerError::Failed(reason)
    } else {
        TrainerError::Lost(reason)
    }
}

/// Whether a process ended by itself, or by a signal for what it did, such as a wrong address.
#[cfg(unix)]
fn is_of_its_own_doing(status: ExitStatus) -> bool {
    use nix::sys::signal::Signal::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP};
    use std::os::unix::process::ExitStatusExt;
    let own = [SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP];
    status.signal().is_none_or(|signal| own.iter().any(|&own| own as i32 == signal))
}

#[cfg(not(unix))]
fn is_of_its_own_doing(_: ExitStatus) -> bool {
    true
}

/// Lets a program find libraries in a folder before it looks elsewhere.
pub fn find_libraries(command: &mut Command, folder: Option<&Path>) {
    let Some(folder) = folder else { return };
    let before = std::env::var_os(LOADER_PATH).unwrap_or_default();
    let folders = std::iter::once(folder.to_owned())
        .chain(std::env::split_paths(&before).filter(|folder| !folder.as_os_str().is_empty()));
    // A folder whose name holds the separator cannot be told: the loader's own places remain.
    if let Ok(path) = std::env::join_paths(folders) {
        command.env(LOADER_PATH, path);
    }
}

/// Passes events on until the worker ends; lets go of its input when `stop` is set.
fn follow(
    child: &mut Child,
    stop: &AtomicBool,
    progress: &dyn Progress,
) -> std::io::Result<ExitStatus> {
    let output = BufReader::new(child.stdout.take().expect("piped"));
    let mut input = child.stdin.take();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                if stop.load(Ordering::Relaxed) {
                    drop(input.take());
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        for line in output.lines().map_while(Result::ok) {
            if let Ok(event) = serde_json::from_str::<Event<'_>>(&line) {
                progress.tell(&event);
            }
        }
        ended.store(true, Ordering::Relaxed);
    });
    child.wait()
}

fn collect(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8_lossy(&text).trim().to_owned()
    })
}
