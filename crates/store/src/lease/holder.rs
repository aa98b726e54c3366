//! Who holds a lease, as the lease says it, and what this machine knows of it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::{Guard, LEASE};
use crate::{StoreError, random};

/// Time to live of a lease, unless the environment variable [`TTL`] says otherwise.
pub(super) const DEFAULT_TTL: Duration = Duration::from_secs(60);
/// Seconds, for tests.
const TTL: &str = "DATADIET_LEASE_TTL";
/// A name of this machine in place of its own: for tests, and where the system gives the same to several.
const HOST: &str = "DATADIET_HOST";
/// A lease is a text of a multiple of so many bytes, so that it is renewed in place by one write.
const BLOCK: usize = 512;

/// Who holds a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Holder {
    /// Random; of this lease alone.
    pub token: String,
    /// Its machine.
    pub host: String,
    /// Since when that machine runs, and which of its worlds of process numbers it is in, where the system tells: of
    /// holders of the same one something more is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<String>,
    /// Its process.
    pub pid: u32,
    /// What an engine calls it: `slurm 17_3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// When it took the run, in seconds since 1970, by its own clock.
    pub since: u64,
    /// How often it was renewed.
    pub beat: u64,
    /// Seconds after which it is stale, unless it is renewed.
    pub ttl: f64,
    /// Whether it keeps the file `lock` locked.
    pub guarded: bool,
}

impl Holder {
    /// This process, taking a run now.
    pub(super) fn this(guarded: bool) -> Result<Self, StoreError> {
        let ttl = std::env::var(TTL).ok().and_then(|text| text.parse().ok());
        let ttl = ttl.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            token: random::token()?,
            host: machine::name(),
            boot: machine::boot(),
            pid: std::process::id(),
            job: job_of_environment(),
            since: now.as_secs(),
            beat: 0,
            ttl: ttl.unwrap_or(DEFAULT_TTL.as_secs_f64()),
            guarded,
        })
    }

    /// Who holds the run in `folder` as far as one look tells; one that is known to be gone holds nothing.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(folder: &Path) -> Result<Option<Self>, StoreError> {
        let Some(written) = Written::read(folder)? else { return Ok(None) };
        Ok(match written.life(folder) {
            Life::Gone => None,
            _ => Some(written.holder.unwrap_or_else(|| Self::unknown(folder))),
        })
    }

    /// When the lease of the run in `folder` was renewed last, by the clock of whoever keeps its files.
    pub fn renewed(folder: &Path) -> Option<SystemTime> {
        fs::metadata(folder.join(LEASE)).and_then(|about| about.modified()).ok()
    }

    /// The name of this machine in the network.
    pub fn host_here() -> String {
        machine::name()
    }

    /// The time, and where this process is, for logs: `2026-11-26 14:02 UTC n2, slurm 17_3, process 4711`.
    pub fn here() -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let job = job_of_environment().map_or(String::new(), |job| format!(" {job},"));
        let (time, name, process) = (utc(now.as_secs()), machine::name(), std::process::id());
        format!("{time} {name},{job} process {process}")
    }

    /// Of a lease that nobody can read.
    pub(super) fn unknown(folder: &Path) -> Self {
        let modified = fs::metadata(folder.join(LEASE)).and_then(|about| about.modified());
        let since = modified.ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Self {
            token: String::new(),
            host: "an unknown machine".into(),
            boot: None,
            pid: 0,
            job: None,
            since: since.unwrap_or_default().as_secs(),
            beat: 0,
            ttl: DEFAULT_TTL.as_secs_f64(),
            guarded: false,
        }
    }

    /// Where it is, for a person: `n2, slurm 17_3`.
    pub fn place(&self) -> String {
        match &self.job {
            Some(job) => format!("{}, {job}", self.host),
            None => self.host.clone(),
        }
    }

    /// When it took the run: `2026-11-26 14:02 UTC`.
    pub fn since(&self) -> String {
        utc(self.since)
    }

    /// Time to live.
    pub fn ttl(&self) -> Duration {
        Duration::try_from_secs_f64(self.ttl).unwrap_or(DEFAULT_TTL)
    }

    /// Whether it is known to be of this machine since it last started: several may have the same name.
    pub fn is_here(&self) -> bool {
        let boot = machine::boot();
        self.host == machine::name() && boot.is_some() && self.boot == boot
    }

    /// As it is written.
    pub(super) fn text(&self) -> Vec<u8> {
        let json = |holder: &Self| serde_json::to_vec(holder).expect("a holder is plain data");
        let longest = json(&Self { beat: u64::MAX, ..self.clone() }).len();
        let mut text = json(self);
        text.resize((longest / BLOCK + 1) * BLOCK - 1, b' ');
        text.push(b'\n');
        text
    }

    fn life(&self, guarded: Option<bool>) -> Life {
        if !self.is_here() {
            return Life::Unknown;
        }
        // That its lock is undone tells nothing: network file systems lose locks, and another mount has its own.
        match (guarded.filter(|_| self.guarded), machine::has_process(self.pid)) {
            (Some(false) | None, Some(false)) => Life::Gone,
            (Some(true), Some(false)) => Life::LeftBehind,
            (_, Some(true) | None) => Life::Unknown,
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} on {}, since {}", self.pid, self.place(), self.since())
    }
}

/// What one look tells of a holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    /// Its process, and all that inherited its lock, are no more.
    Gone,
    /// Its process is no more, but one that it started is.
    LeftBehind,
    /// It may live: whether it renews its lease tells.
    Unknown,
}

/// A lease as it stands in its file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Written {
    text: Vec<u8>,
    /// None of what cannot be read: half-written, or of another version.
    pub(super) holder: Option<Holder>,
}

impl Written {
    /// That of a run folder, if there is one.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, StoreError> {
        Self::read_file(&folder.join(LEASE))
    }

    pub(super) fn new(text: Vec<u8>) -> Self {
        Self { holder: serde_json::from_slice(&text).ok(), text }
    }

    pub(super) fn read_file(path: &Path) -> Result<Option<Self>, StoreError> {
        match fs::read(path) {
            Ok(text) => Ok(Some(Self::new(text))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", path)(error)),
        }
    }

    /// Whether this holder wrote it.
    pub(super) fn is_of(&self, holder: &Holder) -> bool {
        self.holder.as_ref().is_some_and(|written| written.token == holder.token)
    }

    /// What is known of its holder.
    pub(super) fn life(&self, folder: &Path) -> Life {
        let look = |holder: &Holder| holder.life(Guard::is_held(folder));
        self.holder.as_ref().map_or(Life::Unknown, look)
    }

    /// Whether its holder's process is known to be gone.
    pub(super) fn is_gone(&self) -> bool {
        self.holder.as_ref().is_some_and(|holder| {
            holder.is_here() && machine::has_process(holder.pid) == Some(false)
        })
    }

    pub(super) fn ttl(&self) -> Duration {
        self.holder.as_ref().map_or(DEFAULT_TTL, Holder::ttl)
    }

    /// What is told to those who want the run.
    pub(super) fn locked(&self, folder: &Path, life: Life) -> StoreError {
        let holder = self.holder.as_ref();
        let mut holder = holder.map_or("another process".into(), ToString::to_string);
        if life == Life::LeftBehind {
            holder += ", which is gone, and a program that it started and left behind";
        }
        StoreError::locked(folder, holder)
    }
}

/// What an engine calls the job that this process is part of, as its environment says; `DATADIET_JOB` wins.
pub fn job_of_environment() -> Option<String> {
    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let slurm = || {
        let job = get("SLURM_ARRAY_JOB_ID").zip(get("SLURM_ARRAY_TASK_ID"));
        let job = job.map(|(job, task)| format!("{job}_{task}")).or_else(|| get("SLURM_JOB_ID"));
        job.map(|job| format!("slurm {job}"))
    };
    let ray = || get("RAY_JOB_ID").map(|job| format!("ray {job}"));
    let kubernetes = || {
        let index =
            get("JOB_COMPLETION_INDEX").filter(|_| get("KUBERNETES_SERVICE_HOST").is_some());
        index.map(|index| format!("kubernetes index {index}"))
    };
    get("DATADIET_JOB").or_else(slurm).or_else(ray).or_else(kubernetes)
}

/// A time in seconds since 1970 as a date.
fn utc(seconds: u64) -> String {
    let [year, month, day, hour, minute, _] = datadiet_table::utc(seconds);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// What the system tells of itself.
mod machine {
    use std::sync::OnceLock;

    /// Its name in the network.
    pub(super) fn name() -> String {
        static NAME: OnceLock<String> = OnceLock::new();
        let named = || std::env::var(super::HOST).ok().filter(|name| !name.is_empty());
        NAME.get_or_init(|| named().or_else(host).unwrap_or_else(|| "localhost".into())).clone()
    }

    #[cfg(unix)]
    fn host() -> Option<String> {
        nix::unistd::gethostname().ok()?.into_string().ok().filter(|name| !name.is_empty())
    }

    #[cfg(not(unix))]
    fn host() -> Option<String> {
        std::env::var("COMPUTERNAME").ok()
    }

    /// Which start of the machine this is, and which world of process numbers, where the system tells.
    pub(super) fn boot() -> Option<String> {
        static BOOT: OnceLock<Option<String>> = OnceLock::new();
        BOOT.get_or_init(started).clone()
    }

    #[cfg(not(target_os = "macos"))]
    fn started() -> Option<String> {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let pids = std::fs::read_link("/proc/self/ns/pid").ok()?;
        Some(format!("{} {}", boot.trim(), pids.display()))
    }

    #[cfg(target_os = "macos")]
    fn started() -> Option<String> {
        let mut command = std::process::Command::new("/usr/sbin/sysctl");
        let told = command.args(["-n", "kern.bootsessionuuid"]).output().ok()?;
        let boot = String::from_utf8(told.stdout).ok()?.trim().to_owned();
        (told.status.success() && !boot.is_empty()).then_some(boot)
    }

    /// Whether there is a process of this number that has not ended; none where the system does not tell.
    #[cfg(unix)]
    pub(super) fn has_process(pid: u32) -> Option<bool> {
        use nix::errno::Errno;
        use nix::sys::signal::kill;
        use nix::unistd::Pid;
        let pid = i32::try_from(pid).ok().filter(|&pid| pid > 0)?;
        Some(kill(Pid::from_raw(pid), None) != Err(Errno::ESRCH) && !has_ended(pid))
    }

    /// Whether all that is left of a process is its number, for a parent that has not asked how it ended.
    #[cfg(unix)]
    fn has_ended(pid: i32) -> bool {
        let about = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // After its name, which may have any character: its state.
        let state = about.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
        matches!(state, Some('Z' | 'X'))
    }

    #[cfg(not(unix))]
    pub(super) fn has_process(_pid: u32) -> Option<bool> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates() {
        // As `date -u -d @N` says.
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(utc(1_798_761_599), "2026-12-31 23:59 UTC");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00 UTC");
    }

    #[test]
    fn a_lease_keeps_its_size_however_often_it_is_renewed() {
        let mut holder = Holder::this(true).unwrap();
        let size = holder.text().len();
        holder.beat = u64::MAX;
        assert_eq!(holder.text().len(), size);
        assert_eq!(serde_json::from_slice::<Holder>(&holder.text()).unwrap(), holder);
    }
}
