//! What a job tells about its progress. Only the command-line program draws it.

/// Hears how a sweep goes on. Called from several threads. Runs are told apart by their names.
pub trait Reporter: Sync {
    /// A run of `steps` steps was found complete in the store.
    fn reused(&self, _run: &str, _steps: u64) {}
    /// A run of `steps` steps starts or goes on, in the worker slot `slot`.
    fn started(&self, _run: &str, _steps: u64, _slot: usize) {}
    /// A run has done `step` of `total` steps.
    fn step(&self, _run: &str, _step: u64, _total: u64, _loss: f64) {}
    /// A run takes scores after `step` steps.
    fn recording(&self, _run: &str, _step: u64) {}
    /// A run ended; the text says why when it did not complete.
    fn ended(&self, _run: &str, _problem: Option<&str>) {}
    /// So many of `total` measurements are made.
    fn measured(&self, _count: usize, _total: usize) {}
    /// At the end of a command: something did not complete.
    fn failed(&self, name: &str, reason: &str) {
        self.note(&format!("{name} failed: {reason}"));
    }
    /// Nothing more is going to be trained.
    fn finished(&self) {}
    /// Something worth a line.
    fn note(&self, _text: &str) {}
}

/// Says nothing.
pub struct Silent;

impl Reporter for Silent {}
