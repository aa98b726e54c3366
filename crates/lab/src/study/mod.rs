//! What an experiment is made of: studies. Each says what it needs scored, what it wants trained and
//! measured once the scores are known, what it makes of that, and how it is told. To add one, write a
//! file here and add its line to [`STUDIES`].

pub mod baseline;
pub mod connectivity;
pub mod correlations;
pub mod curve;
pub mod noise;
mod page;
pub mod points;
pub mod search;
mod stage;
pub mod velocity;
mod verdict;
pub mod window;

use std::fmt::Debug;
use std::sync::Arc;

use datadiet_core::Chosen;
use datadiet_report::Section;
use datadiet_table::Ranking;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use self::points::Place;
use crate::scenes::{Scenes, Variation};
use crate::{LabError, ScoredScene, Spread};

pub use stage::{Stage, Wait};

/// Every kind of study, in the order of reports.
pub const STUDIES: &[Kind] = &[
    curve::KIND,
    window::KIND,
    search::KIND,
    correlations::KIND,
    noise::KIND,
    velocity::KIND,
    connectivity::KIND,
];

/// A kind of study.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// Name of its table in a TOML file, and of its outcome in `outcome.json`.
    pub name: &'static str,
    /// Reads what is asked; see [`read`].
    pub read: fn(toml::Value) -> Result<Asked, toml::de::Error>,
    /// Reads what came of it, and tells it.
    pub findings: fn(&Value) -> serde_json::Result<Findings>,
}

/// A study as it stands in a file, with all defaults filled in, and as what it does.
pub type Asked = (Value, Arc<dyn Study>);

/// Reads a study: with all defaults filled in, and as what it does.
///
/// # Errors
/// For unknown keys and values of the wrong type.
pub fn read<S>(value: toml::Value) -> Result<Asked, toml::de::Error>
where
    S: Study + Serialize + DeserializeOwned + 'static,
{
    let study: S = value.try_into()?;
    Ok((serde_json::to_value(&study).expect("options are plain data"), Arc::new(study)))
}

/// A question that an experiment answers; as a value, what is asked.
pub trait Study: Debug + Send + Sync {
    /// The scenes that it looks at.
    fn scenes(&self) -> Vec<Variation> {
        vec![Variation::default()]
    }

    /// When it needs scores beside the times of the scoring options, in epochs.
    fn score_times(&self) -> Vec<f64> {
        Vec::new()
    }

    /// When the runs that score are to keep their weights, in epochs.
    fn weight_times(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Whether it compares test accuracies, so that the data set must have a test split.
    fn needs_test(&self) -> bool {
        false
    }

    /// Checks, before anything is trained, what does not need the scores.
    ///
    /// # Errors
    /// For columns that scoring does not take, and for what makes no sense otherwise.
    fn check(&self, scenes: &Scenes) -> Result<(), LabError>;

    /// What it trains beside the runs that score, at most.
    fn size(&self, _scenes: &Scenes) -> Size {
        Size::default()
    }

    /// How it is going to spend what it costs, in words and as a named value; for studies whose
    /// number of trainings does not tell enough.
    fn budget(&self, _scenes: &Scenes) -> Option<Budget> {
        None
    }

    /// What comes of it. Written as if all runs were there: where they are not, [`Stage::trained`]
    /// and [`Stage::measured`] wait for them, and this is asked again once they have ended.
    ///
    /// # Errors
    /// [`Wait`] for runs, or why there is no outcome.
    fn outcome(&self, stage: &Stage<'_>) -> Result<Value, Wait>;

    /// The subset of the plain scene that an outcome recommends.
    ///
    /// # Errors
    /// When it cannot be chosen.
    fn recommended<'a>(
        &self,
        _outcome: &Value,
        _plain: ScoredScene<'a>,
    ) -> Result<Option<Recommended<'a>>, LabError> {
        Ok(None)
    }
}

/// Trainings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// How many.
    pub trainings: usize,
    /// Their steps together.
    pub steps: u64,
}

impl Size {
    /// So many trainings of the whole schedule of a scene.
    pub(crate) fn whole(trainings: usize, scenes: &Scenes) -> Self {
        Self { trainings, steps: trainings as u64 * scenes.plain().last_step() }
    }
}

impl std::iter::Sum for Size {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), |sum, size| Self {
            trainings: sum.trainings + size.trainings,
            steps: sum.steps + size.steps,
        })
    }
}

/// How a study is going to spend what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Budget {
    /// For people.
    pub text: String,
    /// Name of the value in the plan of an experiment.
    pub name: &'static str,
    /// For programs.
    pub value: Value,
}

/// A subset that an outcome recommends.
#[derive(Clone, Debug)]
pub struct Recommended<'a> {
    /// The scores that it was chosen by.
    pub ranking: Ranking<'a>,
    /// The subset.
    pub chosen: Chosen,
    /// How it was chosen.
    pub choice: Value,
}

/// What is told of an outcome.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Tables to write as CSV; tables of the same name become one.
    pub tables: Vec<NamedTable>,
    /// Paragraphs for the terminal.
    pub text: Vec<String>,
    /// Sections of the report.
    pub sections: Vec<Section>,
    /// Where subsets stand that a score of the plain scene chose: the ledger has a row for each.
    pub places: Vec<Place>,
    /// Test accuracy of training on everything.
    pub full: Option<Spread>,
}

/// A table and the name of its file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTable {
    /// Such as `points.csv`.
    pub file: &'static str,
    /// One name a column.
    pub header: Vec<String>,
    /// Cells.
    pub rows: Vec<Vec<String>>,
}

impl NamedTable {
    /// A table of these rows.
    pub fn new(file: &'static str, header: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { file, header: header.iter().map(|&name| name.to_owned()).collect(), rows }
    }
}

/// Cells of a table for a spread: mean, 16th and 84th percentile, and each training's value; empty
/// where there is none.
fn cells(spread: Option<&Spread>) -> [String; 4] {
    let Some(spread) = spread else { return Default::default() };
    let values: Vec<String> = spread.values.iter().map(f64::to_string).collect();
    let [mean, low, high] = [spread.mean, spread.low, spread.high].map(|v| v.to_string());
    [mean, low, high, values.join(" ")]
}
