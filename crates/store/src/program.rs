//! Names of what a program of the user's leaves in its run's folder (docs/TRAINERS.md).

/// Its own state to go on from: a folder.
pub const CHECKPOINT: &str = "checkpoint";

/// What it recorded: a folder.
pub const RECORDED: &str = "recorded";

/// How well it did, written last.
pub const METRICS: &str = "metrics.json";
