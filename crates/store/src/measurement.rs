//! What is measured on the weights that runs kept. Each measurement has a folder of its own, named
//! by what is measured, so that it is made once.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::run_folder::{LOG, prepare, read_json};
use crate::run_id::short_digest;
use datadiet_table::write_json;

use crate::{ListRef, RunId, StoreError, lists};

/// Something to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "measure")]
pub enum Measurement {
    /// How far the neural tangent kernel on some examples moves.
    KernelDistance(KernelDistance),
    /// Error and loss on the straight line between the weights of two runs.
    Line(Line),
}

impl Measurement {
    /// Its identity: equal measurements have equal ids on every machine.
    pub fn id(&self) -> String {
        // Fields serialise in the order of their declaration, so the text is canonical.
        short_digest(&serde_json::to_string(self).expect("a measurement is plain data"))
    }

    /// The runs whose weights it is made on.
    pub fn runs(&self) -> Vec<&RunId> {
        match self {
            Self::KernelDistance(distance) => vec![&distance.run],
            Self::Line(line) => vec![&line.from, &line.to],
        }
    }
}

/// The distance between the kernels of one run at two steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KernelDistance {
    /// The run.
    pub run: RunId,
    /// Steps done at the first kernel.
    pub from: u64,
    /// Steps done at the second.
    pub to: u64,
    /// Ids of the examples, ascending.
    pub examples: ListRef,
}

/// Points on the line between two runs, and what is evaluated there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The run at α = 0.
    pub from: RunId,
    /// The run at α = 1.
    pub to: RunId,
    /// Steps done by both.
    pub step: u64,
    /// The points, ascending from 0 to 1.
    pub alphas: Vec<f64>,
    /// Sets of ids to evaluate on, each ascending.
    pub sets: Vec<ListRef>,
    /// Training examples from which batch-norm statistics are taken at every point.
    pub statistics: u32,
    /// What evaluates, where that is a program of the user's: SHA-256 of its command and source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<String>,
}

/// The outcome of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "measured")]
pub enum Measured {
    /// Of [`Measurement::KernelDistance`].
    KernelDistance {
        /// The distance, in [0, 1].
        distance: f64,
        /// Seconds that it took.
        seconds: f64,
    },
    /// Of [`Measurement::Line`].
    Line {
        /// One a set of examples.
        risks: Vec<Risks>,
        /// Seconds that it took.
        seconds: f64,
    },
}

impl Measured {
    /// Seconds that it took.
    pub fn seconds(&self) -> f64 {
        match self {
            Self::KernelDistance { seconds, .. } | Self::Line { seconds, .. } => *seconds,
        }
    }
}

/// Risks on one set of examples, one a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Risks {
    /// Fractions that are not classified as labelled.
    pub error: Vec<f64>,
    /// Mean cross-entropies.
    pub loss: Vec<f64>,
}

/// Where a measurement is kept.
#[derive(Clone, Debug)]
pub struct MeasurementFolder {
    path: PathBuf,
}

pub(crate) const REQUEST: &str = "measurement.json";

impl MeasurementFolder {
    pub(crate) fn of(root: &Path, measurement: &Measurement) -> Self {
        Self { path: root.join("measurements").join(measurement.id()) }
    }

    /// Opens an existing folder by path, as a worker process does.
    ///
    /// # Errors
    /// When it does not say what to measure, or is damaged.
    pub fn open(path: &Path) -> Result<(Self, Measurement), StoreError> {
        let file = path.join(REQUEST);
        let measurement = read_json(&file)?.ok_or_else(|| {
            StoreError::damaged(&file, "missing: this is not a measurement of datadiet")
        })?;
        Ok((Self { path: path.to_owned() }, measurement))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was said while it was made.
    pub fn log_file(&self) -> PathBuf {
        self.path.join(LOG)
    }

    /// Makes the folder with what is to be measured in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(&self, measurement: &Measurement) -> Result<(), StoreError> {
        Ok(prepare(&self.path, REQUEST, measurement)?)
    }

    /// What was measured, once it was.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn result(&self) -> Result<Option<Measured>, StoreError> {
        read_json(&self.path.join("result.json"))
    }

    /// Records what was measured.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn complete(&self, measured: &Measured) -> Result<(), StoreError> {
        Ok(write_json(&self.path.join("result.json"), measured)?)
    }

    /// The folder of a run of the same store.
    pub fn run(&self, id: &RunId) -> PathBuf {
        self.root().join("runs").join(id.as_str())
    }

    /// Reads a list of ids of the same store.
    ///
    /// # Errors
    /// When it is missing or damaged.
    pub fn read_list(&self, list: &ListRef) -> Result<Vec<u32>, StoreError> {
        lists::read(self.root(), list)
    }

    fn root(&self) -> &Path {
        self.path.parent().and_then(Path::parent).unwrap_or(Path::new("."))
    }
}
