//! How long work reports itself, without drawing anything.
//!
//! The command line draws bars from these calls; tests and libraries pass [`Silent`].
//! Calls may come from several threads.

/// Receives the progress of one piece of work at a time.
pub trait Progress: Sync {
    /// A piece of work begins; `total` is its size in its own unit, where known.
    fn start(&self, what: &str, total: Option<u64>);
    /// `amount` more is done.
    fn advance(&self, amount: u64);
    /// The piece of work is done. Not called if it fails.
    fn finish(&self);
}

/// Ignores all progress.
#[derive(Debug, Default, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _what: &str, _total: Option<u64>) {}
    fn advance(&self, _amount: u64) {}
    fn finish(&self) {}
}
