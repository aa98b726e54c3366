//! Writing a subset: ids in the format that the file's name asks for, or a data set of them.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};
use datadiet_core::{Chosen, ExampleId};
use datadiet_data::export;
use datadiet_lab::Ranking;
use datadiet_store::DataRef;
use datadiet_table::{Column, KEY, TableWriter, write_atomically, write_json};
use serde::Serialize;
use serde_json::{Value, json};

use crate::home::HomeArgs;
use crate::lists::{CHOICE, FINGERPRINT, LIMIT};
use crate::scores_file::Scores;

/// A subset to be written.
pub struct SubsetFile<'a> {
    /// The data set that it is of, where that is known.
    pub data: Option<DataRef>,
    /// Labels of the whole training set, where there are some.
    pub labels: Option<&'a [u32]>,
    /// Own ids of the whole training set, where they are not 0, 1, 2, …
    pub keys: Option<&'a Column>,
    /// The column it was chosen by.
    pub ranking: Option<&'a Ranking<'a>>,
    /// The subset.
    pub chosen: &'a Chosen,
    /// How it was chosen.
    pub choice: Value,
}

/// Checks that a file's name says how ids are written to it.
///
/// # Errors
/// When the name is of no known format.
pub fn check_name(path: &Path) -> Result<()> {
    let known = ["parquet", "json", "npy", "txt"];
    let extension = path.extension().and_then(|extension| extension.to_str());
    ensure!(
        extension.is_some_and(|extension| known.contains(&extension)),
        "{} must end in .parquet, .json, .npy or .txt",
        path.display()
    );
    Ok(())
}

impl SubsetFile<'_> {
    /// Writes the ids; the name says how.
    ///
    /// # Errors
    /// When the name is of no known format, or the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        check_name(path)?;
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => Ok(self.table().write(path)?),
            Some("json") => Ok(write_json(path, &self.json())?),
            Some("npy") => self.write_npy(path),
            _ => {
                let names = self.names();
                // One id a line: what reads the file counts lines.
                let broken = names.iter().find(|name| name.contains(['\n', '\r']));
                if let Some(name) = broken {
                    bail!(
                        "the id {name:?} holds a line break, and {} has one id a line; give a name \
                         that ends in .json or .parquet",
                        path.display()
                    );
                }
                Ok(write_atomically(path, |file| txt(&names, file))?)
            }
        }
    }

    /// Own ids of the subset, where they are not those of the table.
    fn keys(&self) -> Option<Column> {
        Some(match self.keys? {
            Column::U32(keys) => Column::U32(at(keys, &self.chosen.ids)),
            Column::Text(keys) => Column::Text(at(keys, &self.chosen.ids)),
            Column::F32(_) => return None,
        })
    }

    /// The ids by which their owner knows the examples.
    fn names(&self) -> Vec<String> {
        match self.keys() {
            Some(Column::Text(keys)) => keys,
            Some(Column::U32(keys)) => keys.iter().map(u32::to_string).collect(),
            _ => self.chosen.ids.iter().map(ExampleId::to_string).collect(),
        }
    }

    fn write_npy(&self, path: &Path) -> Result<()> {
        let ids: Vec<u32> = match self.keys() {
            Some(Column::U32(keys)) => keys,
            Some(Column::Text(keys)) => {
                let wide: Option<Vec<i64>> = keys.iter().map(|key| key.parse().ok()).collect();
                let wide = wide.with_context(|| {
                    format!(
                        "the examples have texts for ids, and {} can hold whole numbers only; give \
                         a name that ends in .txt, .json or .parquet",
                        path.display()
                    )
                })?;
                return Ok(write_atomically(path, |file| npy(&wide, file))?);
            }
            _ => self.chosen.ids.iter().map(|id| id.0).collect(),
        };
        Ok(write_atomically(path, |file| npy(&ids, file))?)
    }

    fn table(&self) -> TableWriter<'_> {
        let ids = &self.chosen.ids;
        let mut table = TableWriter::new(ids.len());
        table.push("id", |rows| Column::U32(ids[rows].iter().map(|id| id.0).collect()));
        if let Some(keys) = self.keys() {
            table.push(KEY, move |rows| keys.slice(rows));
        }
        if let Some(labels) = self.labels {
            table.push("label", |rows| Column::U32(at(labels, &ids[rows])));
        }
        if let Some(ranking) = self.ranking {
            table.push(&ranking.name, |rows| Column::F32(at(&ranking.values, &ids[rows])));
        }
        table.metadata.insert(CHOICE.into(), self.choice.to_string());
        if let Some(data) = &self.data {
            table.metadata.insert(FINGERPRINT.into(), data.fingerprint.clone());
            if let Some(limit) = data.limit {
                table.metadata.insert(LIMIT.into(), limit.to_string());
            }
            table.metadata.insert("data".into(), data.name.clone());
        }
        table
    }

    fn json(&self) -> SubsetJson<'_> {
        SubsetJson {
            data: self.data.as_ref().map(|data| data.name.as_str()),
            fingerprint: self.data.as_ref().map(|data| data.fingerprint.as_str()),
            limit: self.data.as_ref().and_then(|data| data.limit),
            how: &self.choice,
            ids: &self.chosen.ids,
            keys: self.keys().map(|keys| match keys {
                Column::Text(keys) => json!(keys),
                Column::U32(keys) => json!(keys),
                Column::F32(keys) => json!(keys),
            }),
        }
    }
}

/// The content of a `.json`.
#[derive(Serialize)]
struct SubsetJson<'a> {
    data: Option<&'a str>,
    fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    how: &'a Value,
    ids: &'a [ExampleId],
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<Value>,
}

fn at<T: Clone>(values: &[T], ids: &[ExampleId]) -> Vec<T> {
    ids.iter().map(|id| values[id.index()].clone()).collect()
}

fn npy<N: npyz::AutoSerialize + Copy>(ids: &[N], file: &mut File) -> std::io::Result<()> {
    use npyz::WriterBuilder;
    let mut file = BufWriter::new(file);
    let shape = [ids.len() as u64];
    let mut writer =
        npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut file).begin_nd()?;
    writer.extend(ids.iter().copied())?;
    writer.finish()?;
    file.flush()
}

fn txt(ids: &[String], file: &mut File) -> std::io::Result<()> {
    let mut file = BufWriter::new(file);
    ids.iter().try_for_each(|id| writeln!(file, "{id}"))?;
    file.flush()
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
    pub fn write(
        &self,
        home: &HomeArgs,
        scores: &Scores,
        rows: usize,
        labels: Option<&[u32]>,
        chosen: &Chosen,
    ) -> Result<PathBuf> {
        let to = self.export.clone().unwrap_or_default();
        let dataset = scores.dataset(home, self.data.as_deref())?;
        let all = dataset.train().len();
        let limited = scores.spec().is_some_and(|spec| spec.data.limit.is_some());
        ensure!(
            rows == all || (limited && rows < all),
            "the table has {rows} examples and {} has {all}: they belong to different data sets",
            dataset.name()
        );
        if labels.is_some_and(|labels| *labels != dataset.train().labels[..rows]) {
            eprintln!(
                "warning: the scores were taken with other labels than {} has; the labels of {} are \
                 the ones written",
                dataset.name(),
                dataset.name()
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
