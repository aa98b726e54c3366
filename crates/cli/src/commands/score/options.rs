//! What was typed, on the command line or in a TOML file; nothing is resolved here.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::training::TrainingOptions;

/// Options of a scoring job. All of them may also stand in a TOML file.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ScoreOptions {
    /// The training of a replica; it stops at the last score.
    #[command(flatten)]
    #[serde(flatten)]
    pub training: TrainingOptions,
    /// Independent trainings to average over [default: 4].
    #[arg(long)]
    pub replicas: Option<u32>,
    /// Start no more replicas once the split-half reliability of the first score at the last time
    /// passes this, such as 0.95.
    #[arg(long, value_name = "R")]
    pub until_reliability: Option<f64>,
    /// When to score, in epochs, fractions allowed; 0 is the initialisation [default: the end].
    #[arg(long, value_delimiter = ',', value_name = "EPOCHS")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub at: Vec<f64>,
    /// Scores to take: el2n, grand, forgetting, … or `all` [default: all without a backward pass].
    #[arg(long, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<String>,
    /// When to take GraNd, which costs about a training step an example, in epochs [default: --at].
    #[arg(long, value_delimiter = ',', value_name = "EPOCHS")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grand_at: Vec<f64>,
    /// Also write a column for every replica.
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub per_replica: Option<bool>,
    /// Examples of each class at each end of the gallery, 0 for no picture [default: 8].
    #[arg(long, value_name = "N")]
    pub gallery: Option<u32>,
    /// Folder for the results [default: scores/DATA-MODEL-ID].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
