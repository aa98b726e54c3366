//! A launcher as a process: lines to its standard input, lines from its standard output, and what it writes to
//! standard error, in a file.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::LabError;
use crate::refuse::bail;
use crate::text::last_words;

/// Time that it has to have everything saved when its input has closed, before it is killed.
const GRACE: Duration = Duration::from_secs(120);
/// Time between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);
/// The longest line that is taken as one.
const LONGEST_LINE: u64 = 1 << 20;

/// It runs.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// What it is called in errors.
    name: String,
    /// Where its standard error goes, from byte `began` on.
    log: PathBuf,
    began: u64,
}

impl Process {
    /// Starts it; `log` takes what it writes to standard error.
    pub(super) fn start(mut command: Command, name: &str, log: &Path) -> Result<Self, LabError> {
        let opened = OpenOptions::new().create(true).append(true).open(log);
        let (file, began) = match opened.and_then(|file| Ok((file.metadata()?.len(), file))) {
            Ok((began, file)) => (file, began),
            Err(error) => bail!("cannot write {}: {error}", log.display()),
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        // Ctrl-C is for us, who ask it to stop.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => bail!("cannot start the launcher {name}: {error}"),
        };
        let output = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            loop {
                line.clear();
                match output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line) {
                    Ok(1..) => {}
                    _ => return,
                }
                if sender.send(String::from_utf8_lossy(&line).trim().to_owned()).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        let (name, log) = (name.to_owned(), log.to_owned());
        Ok(Self { child, input, lines, name, log, began })
    }

    /// Says something to it. That it does not listen is told by its end.
    pub(super) fn say(&mut self, what: &Value) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(format!("{what}\n").as_bytes()).and_then(|()| input.flush());
        }
    }

    /// A line that it says; none when it says none for as long as `wait`.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) fn hear(&mut self, wait: Duration) -> Result<Option<String>, LabError> {
        match self.lines.recv_timeout(wait) {
            Ok(line) => Ok(Some(line)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
        }
    }

    /// Keeps what it says beside the protocol with what it writes to standard error.
    pub(super) fn keep(&self, line: &str) {
        let file = OpenOptions::new().append(true).open(&self.log);
        let _ = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    }

    /// Closes its input, and gives it time to have everything saved.
    fn end(&mut self) -> std::io::Result<ExitStatus> {
        drop(self.input.take());
        let until = Instant::now() + GRACE;
        while Instant::now() < until {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(PAUSE);
        }
        self.child.kill()?;
        self.child.wait()
    }

    /// That it has ended by itself, and why.
    fn ended(&mut self) -> LabError {
        let how = match self.end() {
            Ok(status) => format!("ended with {status}"),
            Err(error) => format!("is lost: {error}"),
        };
        let told = self.told();
        let told = told.strip_prefix("error: ").unwrap_or(&told);
        let (name, log) = (&self.name, self.log.display());
        LabError::Trainer(match told {
            "" => format!(
                "the launcher {name} {how} and wrote no reason; what it started saves and ends, or goes on"
            ),
            _ => format!("the launcher {name} {how}: {told}\n(the rest is in {log})"),
        })
    }

    /// The end of what it wrote to standard error.
    fn told(&self) -> String {
        let mut text = Vec::new();
        let read = |mut file: File| {
            file.seek(SeekFrom::Start(self.began))?;
            file.read_to_end(&mut text)
        };
        let _ = File::open(&self.log).and_then(read);
        last_words(String::from_utf8_lossy(&text).lines())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
