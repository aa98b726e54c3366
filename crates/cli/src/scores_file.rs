//! Tables of scores as arguments, and the data sets that they belong to.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use datadiet_core::Direction;
use datadiet_data::Dataset;
use datadiet_lab::TrainingData;
use datadiet_table::{Ranking, ScoreTable, TrainingSet, Truth, TruthKind};

use crate::home::HomeArgs;

/// Where the table is.
#[derive(Args)]
pub struct FileArgs {
    /// A scores.parquet, or the folder that holds one.
    file: PathBuf,
}

impl FileArgs {
    /// Reads the table.
    pub fn read(&self) -> Result<ScoreTable> {
        Ok(ScoreTable::read(&self.file)?)
    }
}

/// Which end of a column is hard.
#[derive(Args, Clone, Copy, Debug)]
pub struct HardArgs {
    /// Which end of the column is hard [default: as its name says, else high].
    #[arg(long, value_enum, value_name = "END")]
    hard_is: Option<HardEnd>,
}

/// An end of a column.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum HardEnd {
    /// The highest values are the hardest examples.
    High,
    /// The lowest values are the hardest examples.
    Low,
}

/// The option that takes the low end, for messages.
pub const TURN: &str = "--hard-is low";

impl HardArgs {
    /// The direction that was asked for.
    pub fn direction(self) -> Option<Direction> {
        self.hard_is.map(|end| match end {
            HardEnd::High => Direction::HigherIsHarder,
            HardEnd::Low => Direction::LowerIsHarder,
        })
    }

    /// A column to rank by; says which end was taken as hard where nobody did.
    pub fn ranking<'t>(self, table: &'t ScoreTable, by: &str) -> Result<Ranking<'t>> {
        let ranking = table.ranking(by, self.direction())?;
        ranking.assumption(TURN).into_iter().for_each(|note| eprintln!("note: {note}"));
        Ok(ranking)
    }
}

/// Which labels are known to be wrong.
#[derive(Args, Clone, Debug)]
pub struct TruthArgs {
    /// Known wrong labels, by row or by id: a file of `datadiet noise`; true labels (a column
    /// `true_label`) or a mask (`is_error`, …), as .parquet, .csv, .json, .npy or .txt.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// What a bare list of numbers in --truth is.
    #[arg(long, value_enum, value_name = "KIND", requires = "truth")]
    truth_is: Option<TruthIs>,
}

/// What a list of numbers is.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TruthIs {
    /// The true label of each example.
    Labels,
    /// 1 for each wrong label, else 0.
    Mask,
}

impl TruthArgs {
    /// The file, and what a bare list in it is.
    pub fn file(&self) -> Option<(PathBuf, Option<TruthKind>)> {
        let kind = self.truth_is.map(|is| match is {
            TruthIs::Labels => TruthKind::Labels,
            TruthIs::Mask => TruthKind::Mask,
        });
        self.truth.clone().map(|file| (file, kind))
    }

    /// What it says of the examples of a table.
    ///
    /// # Errors
    /// When it says nothing of them.
    pub fn read(&self, scores: &ScoreTable) -> Result<Option<Truth>> {
        let read = |(file, kind): (PathBuf, _)| Truth::read(&file, scores, kind);
        Ok(self.file().map(read).transpose()?)
    }
}

/// The data set that a table belongs to.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// Imported data set that the scores belong to [default: the one that was scored].
    #[arg(long, value_name = "NAME")]
    pub data: Option<String>,
    /// Labels of the scores may differ from the data set's: some are wrong in one of the two.
    #[arg(long)]
    other_labels: bool,
}

impl DataArgs {
    /// What was trained on.
    pub fn scored(data: Option<String>, other_labels: bool) -> Self {
        Self { data, other_labels }
    }

    /// No more than the table says itself.
    pub const NONE: Self = Self { data: None, other_labels: false };

    /// Opens the data set.
    ///
    /// # Errors
    /// When nobody says which, or it is not imported.
    pub fn open(&self, home: &HomeArgs, table: &ScoreTable) -> Result<Dataset> {
        let own = table.card().and_then(|card| Some(card.data.as_ref()?.name.as_str()));
        let name = self.data.as_deref().or(own);
        let name = name.context("which data set do the scores belong to? Give --data NAME")?;
        Ok(Dataset::open(&home.data()?, name)?)
    }

    /// Its training examples, as a table must fit them.
    pub fn training_set<'d>(&self, dataset: &'d Dataset) -> TrainingSet<'d> {
        TrainingSet { other_labels: self.other_labels, ..training_set(dataset) }
    }
}

/// The training examples of a data set, as ids and tables must fit them.
pub fn training_set<'d>(data: impl Into<TrainingData<'d>>) -> TrainingSet<'d> {
    let data = data.into();
    TrainingSet {
        name: data.name,
        size: data.labels.len(),
        fingerprint: Some(data.fingerprint),
        labels: Some(data.labels),
        classes: data.classes,
        ..TrainingSet::default()
    }
}
