//! Processes that take leases, each with the name of a machine of its own, and what they are told and answer.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use datadiet_core::progress::{Event, Progress, Silent};
use datadiet_store::{Lease, LeaseWatch, StoreError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Set in such a process.
const SERVES: &str = "DATADIET_TEST_SERVES";
/// How its answers begin: the test harness writes to standard output as well.
const ANSWER: &str = "answer: ";

/// A process that is a machine of this name to others.
pub struct Host {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Host {
    /// Starts one whose leases live for `ttl` seconds.
    pub fn start(name: &str, ttl: f64) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["host", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(SERVES, "1").env("DATADIET_HOST", name);
        command.env("DATADIET_LEASE_TTL", ttl.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, input, output }
    }

    fn ask(&mut self, words: &str) {
        writeln!(self.input, "{words}").unwrap();
    }

    fn answer(&mut self) -> String {
        loop {
            let line = self.output.next().expect("it lives").unwrap();
            if let Some((_, answer)) = line.split_once(ANSWER) {
                return answer.to_owned();
            }
        }
    }

    /// Whether it takes a run.
    pub fn take(&mut self, run: &Path) -> bool {
        self.ask_to_take(run, Duration::ZERO);
        self.won()
    }

    /// Has it take a run at a time since 1970.
    pub fn ask_to_take(&mut self, run: &Path, at: Duration) {
        self.ask(&format!("take {} {}", at.as_nanos(), run.display()));
    }

    /// Whether it did.
    pub fn won(&mut self) -> bool {
        self.answer() == "true"
    }

    /// Has it wait for runs to become stale, and take them.
    pub fn ask_to_take_over(&mut self, runs: &[PathBuf]) {
        let runs: Vec<String> = runs.iter().map(|run| run.display().to_string()).collect();
        self.ask(&format!("over {}", runs.join(" ")));
    }

    /// How many it took.
    pub fn count(&mut self) -> usize {
        self.answer().parse().unwrap()
    }

    /// Whether it may write into a run.
    pub fn passes(&mut self, run: &Path) -> bool {
        self.ask(&format!("fence {}", run.display()));
        self.answer() == "true"
    }

    /// Has it say that it has done so many steps of ten.
    pub fn tell(&mut self, run: &Path, step: u64) {
        self.ask(&format!("tell {step} {}", run.display()));
        self.answer();
    }

    /// Has it let go of all.
    pub fn drop_all(&mut self) {
        self.ask("drop");
        self.answer();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A time in a moment, as for all to start at once.
pub fn soon() -> Duration {
    now() + Duration::from_millis(5)
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

/// What such a process does, until its input ends.
pub fn serve() {
    if std::env::var_os(SERVES).is_none() {
        return;
    }
    let mut leases: HashMap<PathBuf, Lease> = HashMap::new();
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words[..] {
            ["take", at, run] => {
                let at = Duration::from_nanos(at.parse().unwrap());
                while now() < at {
                    std::hint::spin_loop();
                }
                take(run.as_ref(), &mut leases).to_string()
            }
            ["over", ref runs @ ..] => take_over(runs, &mut leases).to_string(),
            ["fence", run] => {
                let lease = leases.get(Path::new(run));
                lease.is_some_and(|lease| lease.fence().pass().is_ok()).to_string()
            }
            ["tell", step, run] => {
                let telling = leases[Path::new(run)].telling(10, &Silent);
                let done = step.parse().unwrap();
                telling.tell(&Event::At { task: "".into(), done, loss: None, doing: None });
                "told".into()
            }
            ["drop"] => {
                leases.clear();
                "dropped".into()
            }
            _ => panic!("{line}"),
        };
        println!("{ANSWER}{answer}");
    }
}

fn take(run: &Path, leases: &mut HashMap<PathBuf, Lease>) -> bool {
    match Lease::take(run) {
        Ok(lease) => leases.insert(run.to_owned(), lease).is_none(),
        Err(StoreError::Locked { .. }) => false,
        Err(error) => panic!("{error}"),
    }
}

/// Watches runs until each is held by somebody whose leases live long, as those that hang do not; how many were taken
/// here.
fn take_over(runs: &[&str], leases: &mut HashMap<PathBuf, Lease>) -> usize {
    const LONG: f64 = 10.0;
    let mut watches: Vec<(&str, LeaseWatch)> =
        runs.iter().map(|&run| (run, LeaseWatch::new(run.as_ref()))).collect();
    let mut won = 0;
    while !watches.is_empty() {
        watches.retain_mut(|(run, watch)| match watch.holder().unwrap() {
            Some(holder) => holder.ttl < LONG,
            None => {
                won += usize::from(take((*run).as_ref(), leases));
                true
            }
        });
        std::thread::sleep(Duration::from_millis(2));
    }
    won
}
