//! A program of someone else's while it runs: its words, its end, and how it is stopped.
//!
//! Unlike our worker it may do anything: print what is no JSON, ignore that its standard input closes,
//! leave processes behind that hold its output open.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Time between two looks whether it has ended or is to stop.
const PAUSE: Duration = Duration::from_millis(50);
/// Time to save its state, once it is told to stop, before it is killed.
const GRACE: Duration = Duration::from_secs(60);
/// Time for what it said last, where a process that it left behind holds its output open.
const DRAIN: Duration = Duration::from_secs(2);
/// The longest line that is taken as one.
const LONGEST_LINE: u64 = 1 << 16;

/// A line of its output.
pub(super) enum Said {
    /// On standard output.
    Out(String),
    /// On standard error.
    Err(String),
}

/// Starts a program that keeps `lock` held as long as it or a process that it started lives: if we die,
/// nobody else on this machine trains the run meanwhile. None where files cannot be locked.
pub(super) fn start(mut command: Command, lock: Option<&File>) -> std::io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // What is to be inherited must not go to the program of another run that is started at the same time.
    static STARTING: Mutex<()> = Mutex::new(());
    let _one = STARTING.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let _lock = inherited(&mut command, lock)?;
    command.spawn()
}

/// A copy of the lock that programs inherit, and a process group of its own: Ctrl-C is for us, who ask
/// it to stop.
#[cfg(unix)]
fn inherited(command: &mut Command, lock: Option<&File>) -> std::io::Result<Option<File>> {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    use std::os::unix::process::CommandExt;
    command.process_group(0);
    let Some(lock) = lock else { return Ok(None) };
    let copy = lock.try_clone()?;
    fcntl(&copy, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(Some(copy))
}

#[cfg(not(unix))]
fn inherited(_: &mut Command, lock: Option<&File>) -> std::io::Result<Option<File>> {
    lock.map(File::try_clone).transpose()
}

/// Passes on what it says until it ends. When `stop` says so, its input closes and it is told to end, and
/// killed if it does not for a minute.
pub(super) fn follow(
    child: &mut Child,
    stop: impl Fn() -> bool,
    mut hear: impl FnMut(Said),
) -> std::io::Result<ExitStatus> {
    let lines = lines(child);
    let mut input = child.stdin.take();
    let mut told: Option<Instant> = None;
    let mut ended: Option<(ExitStatus, Instant)> = None;
    loop {
        let silent = match lines.recv_timeout(PAUSE) {
            Ok(said) => {
                hear(said);
                false
            }
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(PAUSE);
                true
            }
        };
        if ended.is_none() {
            ended = child.try_wait()?.map(|status| (status, Instant::now()));
        }
        if let Some((status, at)) = ended
            && (silent || at.elapsed() > DRAIN)
        {
            // Killed by a signal it could not end what it started.
            if told.is_some() || status.code().is_none() {
                signal::end_rest(child);
            }
            return Ok(status);
        }
        if told.is_none() && stop() {
            told = Some(Instant::now());
            drop(input.take());
            signal::end(child);
        }
        if told.is_some_and(|told| told.elapsed() > GRACE) {
            signal::kill(child);
        }
    }
}

fn lines(child: &mut Child) -> Receiver<Said> {
    let (sender, receiver) = channel();
    read(child.stdout.take().expect("piped"), sender.clone(), Said::Out);
    read(child.stderr.take().expect("piped"), sender, Said::Err);
    receiver
}

fn read(stream: impl Read + Send + 'static, sender: Sender<Said>, said: fn(String) -> Said) {
    std::thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = Vec::new();
        loop {
            line.clear();
            match stream.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                Ok(1..) => {}
                _ => return,
            }
            let text = String::from_utf8_lossy(&line);
            if sender.send(said(text.trim_end_matches(['\n', '\r']).to_owned())).is_err() {
                return;
            }
        }
    });
}

#[cfg(unix)]
mod signal {
    use std::process::Child;

    use nix::sys::signal::{Signal, kill as send, killpg};
    use nix::unistd::Pid;

    fn id(child: &Child) -> Option<Pid> {
        i32::try_from(child.id()).ok().map(Pid::from_raw)
    }

    /// Asks the program itself: what it started, it ends.
    pub(super) fn end(child: &Child) {
        let _ = id(child).map(|id| send(id, Signal::SIGTERM));
    }

    /// What it started and did not end: a shell that was told to end leaves behind what it runs.
    pub(super) fn end_rest(child: &Child) {
        let _ = id(child).map(|id| killpg(id, Signal::SIGTERM));
    }

    /// It and all that it started.
    pub(super) fn kill(child: &mut Child) {
        let _ = id(child).map(|id| killpg(id, Signal::SIGKILL));
        let _ = child.kill();
    }
}

#[cfg(not(unix))]
mod signal {
    use std::process::Child;

    /// There is no way to ask but by the input that closed.
    pub(super) fn end(_: &Child) {}

    pub(super) fn end_rest(_: &Child) {}

    pub(super) fn kill(child: &mut Child) {
        let _ = child.kill();
    }
}
