//! From files to scores: what is asked, what is found, and the runs one after the other.

use std::path::PathBuf;

use datadiet_core::{Progress, ScoreKind};

use crate::batch::Kind;
use crate::pass::Pass;
use crate::pattern::Pattern;
use crate::spool::Spool;
use crate::{Found, IngestError, Keys, Names};

/// The label of an example that has none yet; the class of one that was not seen.
pub(crate) const UNKNOWN: u32 = u32::MAX;

/// Epochs that a message lists.
const LISTED: usize = 12;

/// How files are read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names of arrays, columns and fields.
    pub names: Names,
    /// Epochs whose scores of the pass are kept beside the last epoch's.
    pub at: Vec<i64>,
    /// Files are single steps: an epoch ends before the file in which an example comes again.
    pub per_step: bool,
    /// What the numbers in the names of files are, where these leave it open; files of other names
    /// are left out.
    pub pattern: Option<Pattern>,
    /// Divide probabilities by their sums, however far these are from 1.
    pub renormalise: bool,
    /// Of rows of one example in one epoch take the first, even if the others differ.
    pub keep_first: bool,
    /// Keep what the margin of the mean and TDDS need of each example and class, however much memory
    /// that takes; else up to [`Kept::MOST_NUMBERS`](datadiet_core::Kept::MOST_NUMBERS) examples times
    /// classes, and a note says where they are left out.
    pub class_means: bool,
    /// The loss down to which an example counts as learned: with it there is `learned-at` of losses.
    pub threshold: Option<f32>,
    /// Labels in a file of their own, for all runs.
    pub labels: Option<PathBuf>,
    /// Ids in a file of their own, for all runs.
    pub ids: Option<PathBuf>,
}

/// Scores of all runs.
#[derive(Debug)]
pub struct Ingested {
    /// Ids of the examples, in order.
    pub keys: Keys,
    /// Labels of the examples; none of losses without labels.
    pub labels: Vec<u32>,
    /// Number of classes; of losses one more than the largest label, 0 without labels.
    pub classes: usize,
    /// What the values were.
    pub kind: Kind,
    /// Scores and the epochs at which they stand, the same in every run.
    pub columns: Vec<(ScoreKind, i64)>,
    /// Epochs of which the predicted classes are known.
    pub predicted: Vec<i64>,
    /// The runs, as they were given.
    pub runs: Vec<IngestedRun>,
    /// What a person should know: how names were understood, what was left out, what was changed.
    pub notes: Vec<String>,
    /// By new number, the number that the columns on disk have.
    pub(crate) order: Vec<u32>,
    pub(crate) spool: Spool,
    /// By run, the place of each column, then of each epoch of predictions.
    pub(crate) places: Vec<Vec<usize>>,
}

/// What was found in one run.
#[derive(Clone, Debug)]
pub struct IngestedRun {
    /// The folder or file.
    pub path: PathBuf,
    /// What tells it from the other runs of the same path; empty where it is the only one.
    pub name: String,
    /// Its files, in the order in which they were read.
    pub files: Vec<ReadFile>,
    /// Its epochs, as the files number them.
    pub epochs: Vec<i64>,
    /// Rows read.
    pub rows: u64,
    /// Examples that each epoch missed.
    pub unseen: Vec<u32>,
}

/// A file, and how it was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFile {
    /// The file.
    pub path: PathBuf,
    /// Its first and last epoch; `None` where it has no rows.
    pub epochs: Option<(i64, i64)>,
    /// Rows read.
    pub rows: u64,
}

impl Ingested {
    /// Number of examples.
    #[must_use]
    pub fn examples(&self) -> usize {
        self.order.len()
    }

    /// A column of a run: one value an example, NaN where it was not seen.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn column(&mut self, run: usize, column: usize) -> std::io::Result<Vec<f32>> {
        let values = self.spool.read(self.places[run][column])?;
        let of =
            |&old: &u32| values.get(old as usize).map_or(f32::NAN, |&bits| f32::from_bits(bits));
        Ok(self.order.iter().map(of).collect())
    }

    /// The predicted classes of a run at an epoch of [`Self::predicted`]; `None` where unseen.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn predictions(&mut self, run: usize, place: usize) -> std::io::Result<Vec<Option<u32>>> {
        let place = self.places[run][self.columns.len() + place];
        let classes = self.spool.read(place)?;
        let of = |&old: &u32| classes.get(old as usize).copied().filter(|&class| class != UNKNOWN);
        Ok(self.order.iter().map(of).collect())
    }
}

/// Reads runs and takes their scores.
///
/// # Errors
/// See [`IngestError`].
pub fn ingest(
    found: &Found,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Ingested, IngestError> {
    let mut pass = Pass::new(found, options, progress)?;
    let merged = if found.folds { Some(pass.merged_folds(found)?) } else { None };
    let mut done: Vec<(IngestedRun, crate::recording::Saved)> = Vec::new();
    for run in merged.as_ref().unwrap_or(&found.runs) {
        let one = pass.run(run)?;
        if let Some((first, _)) = done.first() {
            check_same_epochs(first, &one.0)?;
        }
        done.push(one);
    }
    Ok(pass.finish(found, done))
}

fn check_same_epochs(first: &IngestedRun, other: &IngestedRun) -> Result<(), IngestError> {
    if first.epochs == other.epochs {
        return Ok(());
    }
    let (expected, found) = (list(&first.epochs), list(&other.epochs));
    let run = if other.name.is_empty() {
        other.path.display().to_string()
    } else {
        format!("{} ({})", other.path.display(), other.name)
    };
    Err(IngestError::Epochs { run, expected, found })
}

pub(crate) fn list(epochs: &[i64]) -> String {
    let listed: Vec<String> = epochs.iter().take(LISTED).map(i64::to_string).collect();
    let more =
        if epochs.len() > LISTED { format!(", … ({})", epochs.len()) } else { String::new() };
    listed.join(", ") + &more
}
