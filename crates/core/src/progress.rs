//! How far work is, without drawing anything: one interface for fetching, importing, ingesting,
//! training and sweeps of trainings.
//!
//! Work is made of *tasks* that are told apart by name and may go on at the same time. The command
//! draws them, its worker writes them to standard output as one JSON object a line (an [`Event`] in
//! the form of its `Serialize`), libraries and tests pass [`Silent`].

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

/// What is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event<'a> {
    /// A task begins, or goes on after an interruption.
    Started {
        /// Its name.
        task: Cow<'a, str>,
        /// Its size in its own unit (steps, bytes, files), where known.
        total: Option<u64>,
        /// Which of several workers does it, counted from 0; none for work of this process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        worker: Option<usize>,
        /// Examples in a step, of a training.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        batch: Option<u32>,
    },
    /// A task of this size was done before.
    Reused {
        /// Its name.
        task: Cow<'a, str>,
        /// Its size.
        total: u64,
    },
    /// So much of a task is done.
    At {
        /// Its name; empty where there is but one, as in a worker.
        #[serde(default, skip_serializing_if = "str::is_empty")]
        task: Cow<'a, str>,
        /// How much, in the task's unit, with what was done before an interruption.
        done: u64,
        /// Mean loss of the last minibatch, of a training.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        loss: Option<f64>,
        /// What it is busy with, in a few words, where that is worth telling.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        doing: Option<Cow<'a, str>>,
    },
    /// A task ended.
    Ended {
        /// Its name.
        task: Cow<'a, str>,
        /// Why it is not complete; none when it is.
        problem: Option<Cow<'a, str>>,
    },
    /// Something worth a line.
    Note {
        /// The line.
        text: Cow<'a, str>,
    },
}

/// What is told, kept.
pub type OwnedEvent = Event<'static>;

impl Event<'_> {
    /// The same, to be kept.
    pub fn into_owned(self) -> OwnedEvent {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        match self {
            Self::Started { task, total, worker, batch } => {
                Event::Started { task: owned(task), total, worker, batch }
            }
            Self::Reused { task, total } => Event::Reused { task: owned(task), total },
            Self::At { task, done, loss, doing } => {
                Event::At { task: owned(task), done, loss, doing: doing.map(owned) }
            }
            Self::Ended { task, problem } => {
                Event::Ended { task: owned(task), problem: problem.map(owned) }
            }
            Self::Note { text } => Event::Note { text: owned(text) },
        }
    }
}

/// Hears how far work is, from any thread.
pub trait Progress: Sync {
    /// Hears of one event.
    fn tell(&self, event: &Event<'_>);

    /// Something worth a line.
    fn note(&self, text: &str) {
        self.tell(&Event::Note { text: text.into() });
    }
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn tell(&self, _event: &Event<'_>) {}
}

/// A task of this process that counts what is done, from any thread. It ends when dropped.
pub struct Count<'a> {
    progress: &'a dyn Progress,
    task: String,
    done: AtomicU64,
}

impl<'a> Count<'a> {
    /// Begins; `total` is the size of the task in its own unit, where known.
    pub fn start(progress: &'a dyn Progress, task: impl Into<String>, total: Option<u64>) -> Self {
        let task = task.into();
        progress.tell(&Event::Started { task: (&task).into(), total, worker: None, batch: None });
        Self { progress, task, done: AtomicU64::new(0) }
    }

    /// `amount` more is done.
    pub fn advance(&self, amount: u64) {
        let done = self.done.fetch_add(amount, Ordering::Relaxed) + amount;
        let task = (&self.task).into();
        self.progress.tell(&Event::At { task, done, loss: None, doing: None });
    }

    /// `done` is done, and it is busy with `doing`.
    pub fn at(&self, done: u64, doing: &str) {
        self.done.store(done, Ordering::Relaxed);
        let (task, doing) = ((&self.task).into(), Some(doing.into()));
        self.progress.tell(&Event::At { task, done, loss: None, doing });
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.progress.tell(&Event::Ended { task: (&self.task).into(), problem: None });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Lines(Mutex<Vec<String>>);

    impl Progress for Lines {
        fn tell(&self, event: &Event<'_>) {
            let line = serde_json::to_string(event).expect("plain data");
            assert_eq!(serde_json::from_str::<Event<'_>>(&line).expect("of our own"), *event);
            self.0.lock().expect("not poisoned").push(line);
        }
    }

    #[test]
    fn a_count_tells_what_is_done_as_lines_that_read_back() {
        let lines = Lines::default();
        let count = Count::start(&lines, "reading", Some(4));
        count.advance(1);
        count.at(4, "b.npy");
        drop(count);
        lines.note("done");
        let loss = Some(0.5);
        lines.tell(&Event::At { task: "".into(), done: 7, loss, doing: None });
        assert_eq!(
            *lines.0.lock().expect("not poisoned"),
            [
                r#"{"event":"started","task":"reading","total":4}"#,
                r#"{"event":"at","task":"reading","done":1}"#,
                r#"{"event":"at","task":"reading","done":4,"doing":"b.npy"}"#,
                r#"{"event":"ended","task":"reading","problem":null}"#,
                r#"{"event":"note","text":"done"}"#,
                r#"{"event":"at","done":7,"loss":0.5}"#,
            ]
        );
    }
}
