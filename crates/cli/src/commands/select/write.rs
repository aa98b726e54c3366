//! Writing a subset: ids in the format that the file's name asks for, or a data set of them.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use datadiet_core::ExampleId;
use datadiet_data::{Dataset, export};
use datadiet_lab::{Chosen, Ranking};
use datadiet_store::{Column, DataRef, Table, write_atomically, write_json};
use serde_json::{Value, json};

use crate::home::HomeArgs;
use crate::lists::FINGERPRINT;
use crate::scores_file::Scores;

/// A subset to be written.
pub struct SubsetFile<'a> {
    /// The data set that it is of, where that is known.
    pub data: Option<DataRef>,
    /// Labels of the whole training set, where there are some.
    pub labels: Option<&'a [u32]>,
    /// The column it was chosen by.
    pub ranking: Option<&'a Ranking>,
    /// The subset.
    pub chosen: &'a Chosen,
    /// How it was chosen.
    pub choice: Value,
}

impl SubsetFile<'_> {
    /// Writes the ids; the name says how.
    ///
    /// # Errors
    /// When the name is of no known format, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => Ok(self.table()?.write(path)?),
            Some("json") => Ok(write_json(path, &self.json())?),
            Some("npy") => {
                let bytes = npy(&self.numbers())?;
                Ok(write_atomically(path, |file| file.write_all(&bytes))?)
            }
            Some("txt") => {
                let lines: Vec<String> = self.numbers().iter().map(u32::to_string).collect();
                let text = lines.join("\n") + "\n";
                Ok(write_atomically(path, |file| file.write_all(text.as_bytes()))?)
            }
            _ => bail!("{} must end in .parquet, .json, .npy or .txt", path.display()),
        }
    }

    fn numbers(&self) -> Vec<u32> {
        self.chosen.ids.iter().map(|id| id.0).collect()
    }

    fn table(&self) -> Result<Table> {
        let mut table = Table::default();
        table.push("id", Column::U32(self.numbers()))?;
        if let Some(labels) = self.labels {
            table.push("label", Column::U32(at(labels, &self.chosen.ids)))?;
        }
        if let Some(ranking) = self.ranking {
            let values = at(&ranking.values, &self.chosen.ids);
            table.push(ranking.name.clone(), Column::F32(values))?;
        }
        table.metadata.insert("choice".into(), self.choice.to_string());
        if let Some(data) = &self.data {
            table.metadata.insert(FINGERPRINT.into(), data.fingerprint.clone());
            table.metadata.insert("data".into(), data.name.clone());
        }
        Ok(table)
    }

    fn json(&self) -> Value {
        json!({
            "ids": self.numbers(),
            FINGERPRINT: self.data.as_ref().map(|data| &data.fingerprint),
            "data": self.data.as_ref().map(|data| &data.name),
            "how": self.choice,
        })
    }
}

fn at<T: Copy>(values: &[T], ids: &[ExampleId]) -> Vec<T> {
    ids.iter().map(|id| values[id.index()]).collect()
}

fn npy(ids: &[u32]) -> Result<Vec<u8>> {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let shape = [ids.len() as u64];
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd()?;
    writer.extend(ids.iter().copied())?;
    writer.finish()?;
    Ok(bytes)
}

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
    /// imported, instead of writing pictures anew.
    #[arg(long, value_name = "FOLDER", requires = "export")]
    link_from: Option<PathBuf>,
    /// Data set that the scores belong to [default: the one they were taken on].
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
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

    /// Writes the data set; gives where.
    ///
    /// # Errors
    /// When the data set is unknown or another than the scores', or something is in the way.
    pub fn write(&self, home: &HomeArgs, scores: &Scores, chosen: &Chosen) -> Result<PathBuf> {
        let to = self.export.clone().unwrap_or_default();
        let spec = scores.spec();
        let name = self.data.clone().or_else(|| spec.as_ref().map(|spec| spec.data.name.clone()));
        let name = name.context("which data set do the scores belong to? Give --data NAME")?;
        let dataset = Dataset::open(&home.data()?, &name)?;
        if let Some(spec) = &spec {
            ensure!(
                spec.data.fingerprint == dataset.fingerprint(),
                "the scores were taken on another version of {name} than the one imported now; \
                 import that one, or score this one"
            );
        }
        let ids: Vec<usize> = chosen.ids.iter().map(|id| id.index()).collect();
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
