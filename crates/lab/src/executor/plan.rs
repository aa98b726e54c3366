//! Carries out nothing: what a sweep wants now is written down, for whoever has it carried out.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datadiet_store::SweepFolder;

use super::{End, Executor, Happened, Task};
use crate::LabError;

/// Writes tasks into a sweep's folder, and stops the command that asked for them: what comes after depends on what
/// comes of them.
pub struct Plan {
    folder: SweepFolder,
    stop: &'static AtomicBool,
    ended: Mutex<VecDeque<String>>,
}

impl Plan {
    /// Into a folder; `stop` is that of the sweeps that ask.
    pub fn new(folder: SweepFolder, stop: &'static AtomicBool) -> Self {
        Self { folder, stop, ended: Mutex::default() }
    }

    /// What was written.
    pub fn folder(&self) -> &SweepFolder {
        &self.folder
    }
}

impl Executor for Plan {
    fn at_a_time(&self) -> usize {
        usize::MAX
    }

    fn start(&self, tasks: &[Task]) -> Result<(), LabError> {
        let mut ended = self.ended.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        ended.extend(tasks.iter().map(|task| task.id.clone()));
        self.stop.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn next(&self, _wait: Duration) -> Result<Option<Happened>, LabError> {
        let mut ended = self.ended.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        Ok(ended.pop_front().map(|id| Happened::Ended { id, how: End::Stopped }))
    }

    fn stop(&self) {}

    fn sweep_folder(&self) -> Option<&SweepFolder> {
        Some(&self.folder)
    }
}
