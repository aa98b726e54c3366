//! `datadiet worker`: carries out what was written down by another `datadiet`, as engines and people start it.

mod probe;

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use datadiet_core::Progress;
use datadiet_core::progress::Event;
use datadiet_lab::executor::{End, patience};
use datadiet_lab::{Resources, STOPPED_BY_HAND, Trainer, TrainerError};
use datadiet_store::worker::{EXIT_MISUNDERSTOOD, EXIT_STOPPED};
use datadiet_store::{
    Holder, LeaseWatch, MeasurementFolder, RunFolder, RunStatus, StoreError, SweepFolder,
    SweepPlan, TaskLine, Verb, job_of_environment,
};

use crate::carrier::{self, OwnWorker};
use crate::home::HomeArgs;
use crate::progress::{Drawer, ProgressArgs};
use crate::worker::Worker;

/// Carry out trainings of a plan on this machine.
///
/// Engines such as Slurm, Ray and Kubernetes start this on their nodes, and so may you: `datadiet plan` writes a sweep
/// down. A task may be started again at any time, anywhere: it goes on from its last checkpoint, ends at once where it
/// is complete, and waits while another process is at it. Standard input is not looked at, unless --attached.
#[derive(Args)]
#[command(after_help = EXIT_CODES)]
pub struct WorkerArgs {
    /// The folder of a sweep, with --task; or folders of runs of datadiet's own networks, one after the other.
    #[arg(required = true, value_name = "FOLDER")]
    folders: Vec<PathBuf>,
    /// Lines of the sweep's tasks.txt, from 0: 3, or 3..7 for 3 to 7.
    #[arg(long, value_name = "N")]
    task: Vec<TaskNumbers>,
    /// Save and end when standard input closes, and tell events on standard output, a JSON object a line.
    #[arg(long)]
    attached: bool,
    /// Write into the sweep's folder whether this machine can carry out its tasks, and end.
    #[arg(long, conflicts_with = "task")]
    probe: bool,
    /// Threads that a run folder may use, where it has no sweep [default: those of its specification].
    #[arg(long, value_name = "N")]
    threads: Option<u32>,
    /// Memory that gradients and kernels may use, MiB, where there is no sweep.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    memory: u64,
    /// Least time between two checkpoints, where there is no sweep.
    #[arg(long, value_name = "SECONDS", default_value_t = 15.0)]
    checkpoint_every: f64,
    #[command(flatten)]
    progress: ProgressArgs,
}

const EXIT_CODES: &str = "\
Exit codes:
  0  all complete, now or before
  1  failed for good, for the reason on standard error
  2  not asked in a way that this version understands, or without what training needs
  3  stopped; the state is saved, and the same command goes on from it
  128 and more  the training was killed; the same command goes on from its last checkpoint";

/// Exit code of what was killed: as shells have it for SIGKILL.
const EXIT_KILLED: u8 = 137;
/// Time between two looks whether it is to stop.
const PAUSE: Duration = Duration::from_millis(100);
/// Time between two looks at what somebody else does.
const LOOK: Duration = Duration::from_secs(1);

/// Set when this process is to save and go.
static STOP: AtomicBool = AtomicBool::new(false);

/// Numbers of lines.
#[derive(Clone, Copy, Debug, PartialEq)]
struct TaskNumbers {
    first: usize,
    last: usize,
}

impl FromStr for TaskNumbers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let number = |text: &str| text.trim().parse().ok();
        let numbers = number(first).zip(number(last)).filter(|(first, last)| first <= last);
        let (first, last) =
            numbers.ok_or("give the number of a task, as 3, or several, as 3..7")?;
        Ok(Self { first, last })
    }
}

/// Something to carry out.
struct Piece {
    verb: Verb,
    id: String,
    folder: PathBuf,
}

/// Runs the command.
pub fn run(home: &HomeArgs, args: &WorkerArgs) -> Result<ExitCode> {
    let asked = Asked::new(home, args);
    let (pieces, trainer, sweep) = match asked {
        Ok(Asked::Pieces(pieces, trainer, sweep)) => (pieces, trainer, sweep),
        Ok(Asked::Probe(folder, plan)) => return probe::answer(&folder, &plan),
        Err(error) => {
            eprintln!("error: {error:#}");
            return Ok(ExitCode::from(EXIT_MISUNDERSTOOD));
        }
    };
    let (id, stopped) = match &sweep {
        Some(sweep) => (sweep.id(), sweep.is_stopped()),
        None => (String::new(), false),
    };
    stops(args.attached, sweep)?;
    let drawer = Arc::new(args.progress.drawer(None));
    let tells: Box<dyn Progress> = match args.attached {
        true => Box::new(Lines::default()),
        false => Box::new(Drawn(drawer.clone())),
    };
    let mut failed = false;
    for piece in &pieces {
        let how = piece.carry_out(&*trainer, &*tells);
        let problem = match &how {
            End::Done => None,
            End::Stopped if stopped => Some("its sweep was stopped"),
            End::Stopped => Some("stopped; its state is saved"),
            End::Failed(reason) | End::Unusable(reason) | End::Lost(reason) => Some(&**reason),
        };
        let (task, problem) = ((&piece.id).into(), problem.map(Into::into));
        tells.tell(&Event::Ended { task, problem });
        match how {
            End::Done => {}
            End::Failed(reason) => {
                eprintln!("error: {reason}");
                failed = true;
            }
            End::Unusable(reason) => {
                eprintln!("error: {reason}");
                drawer.finish();
                return Ok(ExitCode::from(EXIT_MISUNDERSTOOD));
            }
            End::Stopped => {
                drawer.finish();
                if stopped {
                    eprintln!(
                        "error: sweep {id} was stopped, by `datadiet runs stop` or by the command that asked for it; \
                         ask again to have a new one"
                    );
                }
                return Ok(ExitCode::from(EXIT_STOPPED));
            }
            End::Lost(reason) => {
                eprintln!("error: {reason}");
                drawer.finish();
                return Ok(ExitCode::from(EXIT_KILLED));
            }
        }
    }
    drawer.finish();
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What is asked.
enum Asked {
    /// What this machine has.
    Probe(SweepFolder, Box<SweepPlan>),
    /// Work, and who does it; of a sweep, if of one.
    Pieces(Vec<Piece>, Box<dyn Trainer>, Option<SweepFolder>),
}

impl Asked {
    fn new(home: &HomeArgs, args: &WorkerArgs) -> Result<Self> {
        let first = std::path::absolute(&args.folders[0])?;
        let of_sweep = args.probe || !args.task.is_empty() || first.join("sweep.json").exists();
        if !of_sweep {
            let (pieces, trainer) = own_runs(home, args)?;
            return Ok(Self::Pieces(pieces, trainer, None));
        }
        ensure!(args.folders.len() == 1, "the tasks of one sweep at a time: give one folder");
        let (folder, plan) = late(&first, || {
            let missing = !first.join("sweep.json").exists();
            (SweepFolder::open(&first), missing)
        })?;
        if args.probe {
            return Ok(Self::Probe(folder, Box::new(plan)));
        }
        check_version(&plan)?;
        let last = args.task.iter().map(|task| task.first).max().unwrap_or(0);
        let tasks = late(folder.path(), || {
            let tasks = folder.tasks();
            let missing =
                tasks.as_ref().is_ok_and(|tasks| !args.task.is_empty() && tasks.len() <= last);
            (tasks, missing)
        })?;
        ensure!(
            !args.task.is_empty(),
            "which of its {} tasks? Give --task N, from 0; {} lists them",
            tasks.len(),
            folder.tasks_file().display()
        );
        let mut pieces = Vec::new();
        for TaskNumbers { first, last } in &args.task {
            ensure!(
                *first < tasks.len(),
                "there is no task {first}: {} has {} lines, counted from 0",
                folder.tasks_file().display(),
                tasks.len()
            );
            // Whoever shares them out by so many at a time may ask for more than are left.
            let lines = &tasks[*first..tasks.len().min(last + 1)];
            pieces.extend(lines.iter().map(|line| Piece::of(&folder, line)));
        }
        let trainer = carrier::trainer(&folder, &plan)?;
        Ok(Self::Pieces(pieces, trainer, Some(folder)))
    }
}

/// What is in a folder, where it was written before this was started: file systems of several machines remember for a
/// while that it was not there. `look` says whether it seems to be missing.
fn late<T, E>(folder: &Path, look: impl Fn() -> (Result<T, E>, bool)) -> Result<T, E> {
    let start = Instant::now();
    let mut told = false;
    loop {
        let (found, missing) = look();
        if !missing || start.elapsed() >= patience() {
            return found;
        }
        if !std::mem::replace(&mut told, true) {
            eprintln!("note: waiting for what is not seen yet in {}", folder.display());
        }
        // Listing a folder has them ask for what is in it.
        let _ = std::fs::read_dir(folder).map(Iterator::count);
        std::thread::sleep(PAUSE);
    }
}

fn check_version(plan: &SweepPlan) -> Result<()> {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    ensure!(
        plan.asked_by == VERSION,
        "the sweep was written by datadiet of version {}, and this machine has {VERSION}: install the same \
         version on all machines",
        plan.asked_by
    );
    Ok(())
}

/// Folders of runs of our own networks.
fn own_runs(home: &HomeArgs, args: &WorkerArgs) -> Result<(Vec<Piece>, Box<dyn Trainer>)> {
    let mut threads = args.threads.unwrap_or(1);
    let mut pieces = Vec::new();
    for path in &args.folders {
        let path = std::path::absolute(path)?;
        let (folder, spec) = RunFolder::open(&path)?;
        ensure!(
            spec.trainer.is_none(),
            "{} is trained by a program, and not by a network of datadiet's own: `datadiet plan` writes a \
             sweep that says how it is started",
            path.display()
        );
        threads = threads.max(args.threads.unwrap_or(spec.threads));
        pieces.push(Piece { verb: Verb::Train, id: folder.id().to_string(), folder: path });
    }
    let resources = Resources { workers: 1, memory: args.memory, gpus: 0, threads };
    let checkpoint_every = Duration::try_from_secs_f64(args.checkpoint_every)
        .context("--checkpoint-every is a number of seconds, such as 15")?;
    let data_home = home.data()?.path().to_owned();
    let trainer = OwnWorker::new(Worker::find()?, data_home, resources, checkpoint_every);
    Ok((pieces, Box::new(trainer)))
}

/// Sees to it that [`STOP`] is set on SIGTERM and Ctrl-C, when the sweep is to end, and, where somebody is attached,
/// when standard input closes.
fn stops(attached: bool, sweep: Option<SweepFolder>) -> Result<()> {
    // However often: engines send more than one before they kill.
    ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed))?;
    if attached {
        std::thread::spawn(|| {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            STOP.store(true, Ordering::Relaxed);
        });
    }
    let Some(sweep) = sweep else { return Ok(()) };
    if sweep.is_stopped() {
        STOP.store(true, Ordering::Relaxed);
        return Ok(());
    }
    std::thread::spawn(move || {
        while !sweep.is_stopped() {
            std::thread::sleep(LOOK);
        }
        STOP.store(true, Ordering::Relaxed);
    });
    Ok(())
}

impl Piece {
    fn of(folder: &SweepFolder, line: &TaskLine) -> Self {
        Self { verb: line.verb, id: line.id.clone(), folder: folder.folder_of(line) }
    }

    /// Does it, or finds out that it is done.
    fn carry_out(&self, trainer: &dyn Trainer, progress: &dyn Progress) -> End {
        self.wait_to_be_seen();
        match self.verb {
            Verb::Train => self.train(trainer, progress),
            Verb::Measure => self.measure(trainer, progress),
        }
        .unwrap_or_else(|error| End::Failed(error.to_string()))
    }

    /// Waits until its folder is seen, which was made before it was written down: file systems of several machines
    /// remember for a while that it was not there.
    fn wait_to_be_seen(&self) {
        let start = Instant::now();
        while !self.folder.exists() && start.elapsed() < patience() && !STOP.load(Ordering::Relaxed)
        {
            // Listing a folder has them ask for what is in it.
            let above = self.folder.parent().map(std::fs::read_dir);
            let _ = above.and_then(Result::ok).map(Iterator::count);
            std::thread::sleep(LOOK);
        }
    }

    fn train(&self, trainer: &dyn Trainer, progress: &dyn Progress) -> Result<End, StoreError> {
        let (folder, spec) = RunFolder::open(&self.folder)?;
        let log = Log::open(&folder);
        // What a program says is kept there already.
        let told = Told { id: &self.id, log, keeps: spec.trainer.is_none(), progress };
        let (task, total) = (self.id.as_str().into(), Some(spec.stop_after));
        let mut started = false;
        let stopped_before = folder.asked_to_stop();
        loop {
            match folder.status()? {
                RunStatus::Complete(_) => return Ok(End::Done),
                RunStatus::Failed(failure) => return Ok(End::Failed(on_record(&failure.reason))),
                RunStatus::Unfinished => {}
            }
            if STOP.load(Ordering::Relaxed) {
                return Ok(End::Stopped);
            }
            let complete = || matches!(folder.status(), Ok(RunStatus::Complete(_)));
            if self.waited(&told, &complete)? {
                continue;
            }
            match folder.asked_to_stop() {
                None => {}
                asked if asked != stopped_before => {
                    told.note(STOPPED_BY_HAND);
                    return Ok(End::Stopped);
                }
                // An engine starts again what ended, and nobody has typed that.
                Some(_) if job_of_environment().is_some() => {
                    return Ok(End::Failed(STOPPED_BY_HAND.into()));
                }
                Some(_) => folder.forget_stop()?,
            }
            if !std::mem::replace(&mut started, true) {
                told.log.line("begins, or goes on");
                let (task, batch) = (Clone::clone(&task), Some(spec.schedule.batch));
                progress.tell(&Event::Started { task, total, worker: Some(0), batch });
            }
            let ended = trainer.train(&folder, 0, &STOP, &told);
            match (ended, folder.status()?) {
                (_, RunStatus::Complete(_)) => return Ok(End::Done),
                (_, RunStatus::Failed(failure)) => return Ok(End::Failed(failure.reason)),
                // Somebody else was quicker, or has taken it over.
                (Err(TrainerError::Failed(_) | TrainerError::Lost(_)), _)
                    if Holder::of(folder.path())?.is_some() => {}
                (Err(_), _) if STOP.load(Ordering::Relaxed) => return Ok(End::Stopped),
                (ended, RunStatus::Unfinished) => {
                    let how = end(ended, "its worker ended without a result");
                    told.log.line(&format!("ends: {how:?}"));
                    return Ok(how);
                }
            }
        }
    }

    fn measure(&self, trainer: &dyn Trainer, progress: &dyn Progress) -> Result<End, StoreError> {
        let (folder, _) = MeasurementFolder::open(&self.folder)?;
        let told = Told { id: &self.id, log: Log(None), keeps: false, progress };
        loop {
            if folder.result()?.is_some() {
                return Ok(End::Done);
            }
            if STOP.load(Ordering::Relaxed) {
                return Ok(End::Stopped);
            }
            if self.waited(&told, &|| matches!(folder.result(), Ok(Some(_))))? {
                continue;
            }
            let ended = trainer.measure(&folder, 0, &STOP);
            let done = folder.result()?.is_some();
            if !done && ended.is_err() && Holder::of(folder.path())?.is_some() {
                continue;
            }
            return Ok(if done { End::Done } else { end(ended, "it ended without a result") });
        }
    }

    /// Waits while another process is at it. Says whether there is something new to look at.
    fn waited(&self, told: &Told<'_>, complete: &dyn Fn() -> bool) -> Result<bool, StoreError> {
        let mut watch = LeaseWatch::new(&self.folder);
        let mut said = None;
        loop {
            let holder = match watch.holder() {
                Ok(holder) => holder,
                // A file system that does not answer now may do so later.
                Err(_) if said.is_some() => said.clone(),
                Err(error) => return Err(error),
            };
            let Some(holder) = holder else { return Ok(said.is_some()) };
            if said.as_ref().is_none_or(|said: &Holder| said.token != holder.token) {
                told.note(&format!("waits for {holder}, which is at it"));
                said = Some(holder);
            }
            if complete() {
                return Ok(true);
            }
            // Many may wait, and the store may be a network away.
            let start = Instant::now();
            while start.elapsed() < LOOK {
                if STOP.load(Ordering::Relaxed) {
                    return Ok(true);
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

fn on_record(reason: &str) -> String {
    format!(
        "{reason} (on record; the command that asked for it trains it again with --retry-failed)"
    )
}

/// How a piece without a result ended.
fn end(ended: Result<(), TrainerError>, without: &str) -> End {
    match ended {
        Ok(()) => End::Failed(without.into()),
        Err(error) => error.into(),
    }
}

/// What is said of a run, in its folder.
struct Log(Option<File>);

impl Log {
    fn open(folder: &RunFolder) -> Self {
        Self(OpenOptions::new().create(true).append(true).open(folder.log_file()).ok())
    }

    /// A line of it; one that cannot be written is none.
    fn line(&self, text: &str) {
        if let Some(mut file) = self.0.as_ref() {
            let here = Holder::here();
            let _ = file.write_all(format!("[{here}] {text}\n").as_bytes());
        }
    }
}

/// Passes on what a training tells, with its id, and keeps its words.
struct Told<'a> {
    id: &'a str,
    log: Log,
    /// Whether notes go into the log.
    keeps: bool,
    progress: &'a dyn Progress,
}

impl Progress for Told<'_> {
    fn tell(&self, event: &Event<'_>) {
        let task = self.id.into();
        match event {
            Event::At { done, loss, doing, .. } => {
                let doing = doing.clone();
                self.progress.tell(&Event::At { task, done: *done, loss: *loss, doing });
            }
            Event::Note { text } => {
                if self.keeps {
                    self.log.line(text);
                }
                self.progress.note(&format!("{}: {text}", self.id));
            }
            Event::Started { .. } | Event::Reused { .. } | Event::Ended { .. } => {}
        }
    }
}

/// Shows it on standard error.
struct Drawn(Arc<Drawer>);

impl Progress for Drawn {
    fn tell(&self, event: &Event<'_>) {
        self.0.tell(event);
    }
}

/// Writes events to standard output.
#[derive(Default)]
struct Lines(std::sync::Mutex<()>);

impl Progress for Lines {
    fn tell(&self, event: &Event<'_>) {
        let _one = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut out = std::io::stdout().lock();
        // Whoever is gone also closed our input.
        let _ = serde_json::to_writer(&mut out, event).map(|()| out.write_all(b"\n"));
        let _ = out.flush();
    }
}
