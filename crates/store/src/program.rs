//! Names of what a program of the user's leaves in its run's folder (docs/TRAINERS.md).

/// Its own state to go on from: a folder.
pub const CHECKPOINT: &str = "checkpoint";

/// What it recorded: a folder.
pub const RECORDED: &str = "recorded";

/// Weights that it keeps, and what of its state goes with them: a folder with one for each epoch.
pub const KEPT: &str = "kept";

/// Named tensors in each of these.
pub const WEIGHTS: &str = "weights.safetensors";

/// The folder of an epoch in [`KEPT`].
pub fn kept_epoch(epoch: u64) -> String {
    format!("epoch_{epoch}")
}

/// How well it did, written last.
pub const METRICS: &str = "metrics.json";
