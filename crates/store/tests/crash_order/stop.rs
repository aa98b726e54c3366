//! Runs a writer in a child process, sees its changes of the file system, and kills it.

use std::io::Write;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Duration;

use nix::libc;
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

/// How a child ended.
pub enum Ended {
    /// Killed before this change was made.
    Killed(String),
    /// Done.
    ByItself,
    /// The system does not let processes be traced.
    Untraceable,
}

/// A change of the file system, about to be made.
#[derive(Clone, Debug)]
pub struct Change {
    /// The system call.
    pub call: Call,
    /// What is changed.
    pub path: PathBuf,
    /// The new name, of a renaming.
    pub to: Option<PathBuf>,
}

/// Kinds of system calls that change the file system or lock files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Create,
    Write,
    Truncate,
    Permissions,
    Sync,
    Lock,
    Rename,
    MakeFolder,
    Remove,
    Link,
}

const UNTRACEABLE: i32 = 77;

/// Kills the writer before the change with this index.
pub fn before_change(index: usize, writer: impl FnOnce()) -> Ended {
    let mut seen = 0;
    let mut killed = None;
    let traced = trace(writer, |change| {
        if seen == index {
            killed = Some(format!("{change:?}"));
        }
        seen += 1;
        killed.is_none()
    });
    match killed {
        Some(change) => Ended::Killed(change),
        None if traced => Ended::ByItself,
        None => Ended::Untraceable,
    }
}

/// All changes that the writer makes; none where it cannot be traced.
pub fn changes(writer: impl FnOnce()) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let traced = trace(writer, |change| {
        changes.push(change);
        true
    });
    traced.then_some(changes)
}

/// Kills the writer after some time.
pub fn after(delay: Duration, writer: impl FnOnce()) -> Ended {
    let child = start(|| {
        writer();
        0
    });
    std::thread::sleep(delay);
    // Until it is waited for, its number is not given to another process.
    kill(child, Signal::SIGKILL).unwrap();
    match waitpid(child, None).unwrap() {
        WaitStatus::Exited(_, 0) => Ended::ByItself,
        WaitStatus::Signaled(_, Signal::SIGKILL, _) => Ended::Killed(format!("{delay:?}")),
        status => panic!("the writer failed: {status:?}"),
    }
}

fn start(child: impl FnOnce() -> i32) -> Pid {
    // SAFETY: the child has one thread, in which only the writer runs; it does not return, and the
    // locks of the allocator are free after a fork.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let code = catch_unwind(AssertUnwindSafe(child)).unwrap_or_else(|problem| {
                let text = problem.downcast_ref::<String>().map_or("it panicked", String::as_str);
                // The test harness would keep a panic's own message in this process.
                let _ = writeln!(std::io::stderr(), "writer: {text}");
                1
            });
            // SAFETY: it ends the process at once.
            unsafe { libc::_exit(code) }
        }
    }
}

/// Shows `each` change before it is made, and kills the writer when told `false`. Says whether the
/// writer could be traced.
fn trace(writer: impl FnOnce(), mut each: impl FnMut(Change) -> bool) -> bool {
    let child = start(|| {
        if ptrace::traceme().is_err() {
            return UNTRACEABLE;
        }
        raise(Signal::SIGSTOP).unwrap();
        writer();
        0
    });
    match waitpid(child, None).unwrap() {
        WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
        WaitStatus::Exited(_, UNTRACEABLE) => return false,
        status => panic!("the writer did not begin: {status:?}"),
    }
    let options = ptrace::Options::PTRACE_O_TRACESYSGOOD | ptrace::Options::PTRACE_O_EXITKILL;
    ptrace::setoptions(child, options).unwrap();
    let mut signal = None;
    loop {
        ptrace::syscall(child, signal.take()).unwrap();
        match waitpid(child, None).unwrap() {
            WaitStatus::PtraceSyscall(_) => {
                if change(child).is_some_and(|change| !each(change)) {
                    kill(child, Signal::SIGKILL).unwrap();
                    let status = waitpid(child, None).unwrap();
                    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)));
                    return true;
                }
            }
            WaitStatus::Stopped(_, other) => signal = Some(other),
            WaitStatus::Exited(_, 0) => return true,
            status => panic!("the writer failed: {status:?}"),
        }
    }
}

/// The change that a stopped process is about to make, if it is at the entry of such a call.
fn change(pid: Pid) -> Option<Change> {
    let info = ptrace::syscall_info(pid).unwrap();
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: at an entry the union holds the entry's fields.
    let (number, args) = unsafe { (info.u.entry.nr, info.u.entry.args) };
    let name = |index: usize| text(pid, args[index]);
    let at = |index: usize| beside(pid, args[index] as i32, name(index + 1));
    let open = |index: usize| open_file(pid, args[index] as i32);
    let makes = |flags: u64| flags as i32 & (libc::O_CREAT | libc::O_TRUNC) != 0;
    let of = |call, path| Some(Change { call, path, to: None });
    let renamed = |path, to| Some(Change { call: Call::Rename, path, to: Some(to) });
    match number as libc::c_long {
        libc::SYS_openat if makes(args[2]) => of(Call::Create, at(0)),
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev => {
            of(Call::Write, open(0))
        }
        libc::SYS_copy_file_range => of(Call::Write, open(2)),
        libc::SYS_sendfile => of(Call::Write, open(0)),
        libc::SYS_ftruncate | libc::SYS_fallocate => of(Call::Truncate, open(0)),
        libc::SYS_fchmod => of(Call::Permissions, open(0)),
        libc::SYS_fsync | libc::SYS_fdatasync => of(Call::Sync, open(0)),
        libc::SYS_flock => of(Call::Lock, open(0)),
        libc::SYS_renameat | libc::SYS_renameat2 => renamed(at(0), at(2)),
        libc::SYS_mkdirat => of(Call::MakeFolder, at(0)),
        libc::SYS_unlinkat => of(Call::Remove, at(0)),
        libc::SYS_linkat => of(Call::Link, at(2)),
        #[cfg(target_arch = "x86_64")]
        old => match old {
            libc::SYS_open if makes(args[1]) => of(Call::Create, name(0)),
            libc::SYS_creat => of(Call::Create, name(0)),
            libc::SYS_chmod => of(Call::Permissions, name(0)),
            libc::SYS_rename => renamed(name(0), name(1)),
            libc::SYS_mkdir => of(Call::MakeFolder, name(0)),
            libc::SYS_unlink | libc::SYS_rmdir => of(Call::Remove, name(0)),
            libc::SYS_link => of(Call::Link, name(1)),
            _ => None,
        },
        #[cfg(not(target_arch = "x86_64"))]
        _ => None,
    }
}

fn open_file(pid: Pid, descriptor: i32) -> PathBuf {
    std::fs::read_link(format!("/proc/{pid}/fd/{descriptor}")).unwrap_or_default()
}

/// A name as it is from an open folder.
fn beside(pid: Pid, folder: i32, name: PathBuf) -> PathBuf {
    if folder == libc::AT_FDCWD { name } else { open_file(pid, folder).join(name) }
}

/// A text in the memory of a stopped process.
fn text(pid: Pid, address: u64) -> PathBuf {
    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut bytes = vec![0; libc::PATH_MAX as usize];
    let read = memory.read_at(&mut bytes, address).unwrap();
    let text = bytes[..read].split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned().into()
}
