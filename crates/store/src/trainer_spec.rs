//! A program of the user's that trains: what of it changes the result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A program that trains, as far as it belongs to the identity of a run. How a function of Python is
/// started (which interpreter, from where) does not; the command of any other program does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerSpec {
    /// What it is called: `train.py`, or `digits.py:train` for a function.
    pub name: String,
    /// Program and arguments, without the run folder; empty for a function of Python.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// SHA-256 of its source files, by their names in the command.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sources: BTreeMap<String, String>,
    /// Its version, as its author counts: for what its source does not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it is told beside, as it stands in the options.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Value>,
    /// What it is judged by.
    #[serde(default, skip_serializing_if = "Metric::is_accuracy")]
    pub metric: Metric,
    /// Which pass of the model the recorded logits are of, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<String>,
}

impl TrainerSpec {
    /// Whether it is another state of the same program: of the same name, but of another source, version
    /// or settings.
    pub fn is_other_state_of(&self, other: &Self) -> bool {
        self.name == other.name && self != other
    }
}

/// What trainings are judged by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metric {
    /// Its name: `accuracy` is a fraction of examples, shown as percent.
    pub name: String,
    /// Whether more of it is better.
    pub higher_is_better: bool,
}

impl Metric {
    /// The fraction of the examples that are classified as labelled.
    pub const ACCURACY: &str = "accuracy";

    /// Whether it is [`Metric::ACCURACY`].
    pub fn is_accuracy(&self) -> bool {
        self.name == Self::ACCURACY
    }
}

impl Default for Metric {
    fn default() -> Self {
        Self { name: Self::ACCURACY.into(), higher_is_better: true }
    }
}
