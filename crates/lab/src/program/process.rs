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
/// Time for what it said last, where a process that it left behind holds its output open; and for such
/// processes to end by themselves.
const DRAIN: Duration = Duration::from_secs(2);
/// Time for them to end once they are told to.
const LAST_GRACE: Duration = Duration::from_secs(5);
/// The longest line that is taken as one.
const LONGEST_LINE: u64 = 1 << 16;

/// How it ended.
pub(super) struct Ended {
    pub status: ExitStatus,
    /// What it had started, did not end and did not send away (to a session of its own), by name: it was
    /// told to end, and killed if it did not. Empty where it was to stop.
    pub left_behind: Vec<String>,
}

/// What is wanted of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To go on.
    GoOn,
    /// To save its state and end.
    Save,
    /// To be gone at once.
    Die,
}

/// A line of its output.
pub(super) enum Said {
    /// On standard output.
    Out(String),
    /// On standard error.
    Err(String),
}

/// Starts a program that keeps `lock` held as long as it or a process that it started lives: if we die,
/// nobody else on this machine trains the run meanwhile. None where files cannot be locked, or nothing is.
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

/// Passes on what it says until it ends. Where it is to save, its input closes and it is told to end, and
/// killed if it does not for a minute. What it leaves behind ends too: it would hold the run's lock, a
/// GPU or the cores that the next training is given.
pub(super) fn follow(
    child: &mut Child,
    wish: impl Fn() -> Wish,
    mut hear: impl FnMut(Said),
) -> std::io::Result<Ended> {
    let lines = lines(child);
    let mut input = child.stdin.take();
    let mut told: Option<Instant> = None;
    let mut ended: Option<(ExitStatus, Instant)> = None;
    // Looked at in the moment of its end: later a group of that number may be someone else's.
    let mut is_left = false;
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
            is_left = ended.is_some() && signal::is_left(child);
        }
        if let Some((status, at)) = ended {
            is_left = is_left && signal::is_left(child);
            let waited = at.elapsed() > DRAIN;
            // Killed by a signal it could not end what it started.
            if (told.is_some() || status.code().is_none()) && (silent || waited) {
                signal::end_rest(child);
                return Ok(Ended { status, left_behind: Vec::new() });
            }
            if waited || silent && !is_left {
                let left_behind = if is_left { end_left(child) } else { Vec::new() };
                return Ok(Ended { status, left_behind });
            }
        }
        let wish = if ended.is_none() { wish() } else { Wish::GoOn };
        if wish == Wish::Die {
            signal::kill(child);
        }
        if told.is_none() && wish != Wish::GoOn {
            told = Some(Instant::now());
            drop(input.take());
            signal::end(child);
        }
        if told.is_some_and(|told| told.elapsed() > GRACE) {
            signal::kill(child);
        }
    }
}

/// Ends what it left behind; gives its names.
fn end_left(child: &mut Child) -> Vec<String> {
    let names = signal::left(child);
    signal::end_rest(child);
    let told = Instant::now();
    while signal::is_left(child) && told.elapsed() < LAST_GRACE {
        std::thread::sleep(PAUSE);
    }
    if signal::is_left(child) {
        signal::kill(child);
    }
    names
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

    /// Whether something that it started lives on after it ended.
    pub(super) fn is_left(child: &Child) -> bool {
        match cfg!(target_os = "linux") {
            // Those that have ended and that nobody has looked after are none.
            true => !left(child).is_empty(),
            false => id(child).is_some_and(|id| killpg(id, None).is_ok()),
        }
    }

    /// What lives on, as far as the system tells: name and number of each process.
    pub(super) fn left(child: &Child) -> Vec<String> {
        let group = child.id().to_string();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let of_group = processes.filter_map(|process| {
            let text = std::fs::read_to_string(process.path().join("stat")).ok()?;
            // `number (name) state parent group …`, and the name may have anything in it.
            let (number, rest) = text.split_once(" (")?;
            let (name, rest) = rest.rsplit_once(") ")?;
            let mut fields = rest.split(' ');
            let (state, its) = (fields.next()?, fields.nth(1)?);
            (its == group && state != "Z" && state != "X").then(|| format!("{name} ({number})"))
        });
        of_group.collect()
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

    pub(super) fn is_left(_: &Child) -> bool {
        false
    }

    pub(super) fn left(_: &Child) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_lost_its_run_is_gone_at_once() {
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo on; while :; do sleep 0.05; done"]);
        let mut child = start(command, None).unwrap();
        let heard = std::cell::Cell::new(false);
        let wish = || if heard.get() { Wish::Die } else { Wish::GoOn };
        let ended = follow(&mut child, wish, |_| heard.set(true)).unwrap();
        assert!(ended.status.code().is_none(), "{}", ended.status);
    }
}
