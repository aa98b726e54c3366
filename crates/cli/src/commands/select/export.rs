//! Writing the data set of a subset.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use datadiet_data::export;
use datadiet_table::{Row, ScoreTable};

use crate::home::HomeArgs;
use crate::scores_file::DataArgs;

/// Options of a data set of the subset.
#[derive(Args, Clone, Debug)]
pub struct ExportArgs {
    /// Write the pruned data set itself, with the whole test split, to this folder or file.
    #[arg(long, value_name = "PATH")]
    export: Option<PathBuf>,
    /// As what: train/CLASS/ID.png, Parquet as Hugging Face has it, or one safetensors file.
    #[arg(long, value_enum, requires = "export", default_value_t = FormatName::ImageFolder)]
    format: FormatName,
    /// For image-folder: link the original files of this folder, from which the data set was
    /// imported, instead of writing pictures again.
    #[arg(long, value_name = "FOLDER", requires = "export")]
    link_from: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
}

/// Formats of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// A folder of pictures, one folder a class.
    ImageFolder,
    /// train.parquet and test.parquet.
    Parquet,
    /// One file of tensors.
    Safetensors,
}

impl ExportArgs {
    /// Whether a data set is wanted.
    pub fn is_wanted(&self) -> bool {
        self.export.is_some()
    }

    /// Writes the data set of some rows of a table; gives where.
    ///
    /// # Errors
    /// When the data set is unknown or another than the scores', or something is in the way.
    pub fn write(&self, home: &HomeArgs, scores: &ScoreTable, rows: &[Row]) -> Result<PathBuf> {
        let to = self.export.clone().unwrap_or_default();
        let dataset = self.data.open(home, scores)?;
        let examples = scores.examples_in(&self.data.training_set(&dataset))?;
        if scores.card().is_some_and(|card| card.relabelled) {
            let name = dataset.name();
            eprintln!(
                "warning: the scores were taken with other labels than {name} has; the labels of \
                 {name} are the ones written"
            );
        }
        let ids: Vec<usize> = examples.sorted(rows).iter().map(|id| id.index()).collect();
        match (self.format, &self.link_from) {
            (FormatName::ImageFolder, None) => export::image_folder(&dataset, &ids, &to)?,
            (FormatName::ImageFolder, Some(from)) => {
                export::linked_folder(&dataset, &ids, from, &to)?;
            }
            (_, Some(_)) => bail!("--link-from belongs to --format image-folder"),
            (FormatName::Parquet, None) => export::parquet(&dataset, &ids, &to)?,
            (FormatName::Safetensors, None) => export::safetensors(&dataset, &ids, &to)?,
        }
        Ok(to)
    }
}
