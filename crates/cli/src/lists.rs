//! Lists of ids or labels from files of the common formats.
//!
//! ```text
//! .parquet   a column named `id` or `label`; files of datadiet also say which data set they are for
//! .npy       one dimension of integers
//! .json      an array of numbers, or an object with it under `ids` or `labels`
//! .txt .csv  one number a line; a first line that is a word is a header
//! ```
//!
//! A subset of imported scores has two ids for an example: its row in the table of scores under `id`
//! or `ids`, and its own, the data set's, under `key` or `keys`; these are the ones taken.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use datadiet_table::{Column, KEY, TableFile};
use npyz::NpyFile;

/// Key of the fingerprint of the data set in the metadata of a file.
pub const FINGERPRINT: &str = "fingerprint";
/// Key of the number of examples that a choice was made among, where that is not all.
pub const LIMIT: &str = "limit";
/// Key of the way a subset was chosen.
pub const CHOICE: &str = "choice";

const KEYS: &str = "keys";

/// What a list holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Example ids.
    Ids,
    /// Labels, one for each training example.
    Labels,
}

impl Of {
    fn column(self) -> &'static str {
        match self {
            Self::Ids => "id",
            Self::Labels => "label",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Ids => "ids",
            Self::Labels => "labels",
        }
    }
}

/// A list, and the data set that it says it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The numbers, as in the file.
    pub values: Vec<u32>,
    /// Fingerprint of the data set, where the file names one.
    pub fingerprint: Option<String>,
    /// How many of its examples the list knows, the first ones, where those are not all.
    pub limit: Option<u32>,
}

impl List {
    /// Checks that the list is for the data set of this name and fingerprint.
    ///
    /// # Errors
    /// When the file names another.
    pub fn check_fingerprint(&self, path: &Path, name: &str, fingerprint: &str) -> Result<()> {
        match &self.fingerprint {
            Some(other) if other != fingerprint => bail!(
                "{} was made for another data set than {name}: its fingerprint is {}, this one's \
                 {}; make it again with this data set",
                path.display(),
                short(other),
                short(fingerprint),
            ),
            _ => Ok(()),
        }
    }
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..12).unwrap_or(fingerprint)
}

/// Reads a list of a kind.
///
/// # Errors
/// When the file is missing, of an unknown format, or holds something else.
pub fn read(path: &Path, of: Of) -> Result<List> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let read = match extension {
        "parquet" => parquet(path, of),
        "npy" => npy(path).map(anonymous),
        "json" => json(path, of),
        "txt" | "csv" => text(path).map(anonymous),
        _ => bail!(
            "{} is no list of {}: .parquet, .npy, .json, .txt and .csv are read",
            path.display(),
            of.key()
        ),
    };
    read.with_context(|| format!("cannot read {} from {}", of.key(), path.display()))
}

fn anonymous(values: Vec<u32>) -> List {
    List { values, fingerprint: None, limit: None }
}

fn parquet(path: &Path, of: Of) -> Result<List> {
    let file = TableFile::open(path)?;
    let header = file.header();
    header.integers(of.column())?;
    let has_ids = matches!(header.column("id"), Some(Column::U32(_)));
    ensure!(
        of == Of::Ids || !has_ids || file.numbers_rows("id")?,
        "its ids are not 0, 1, 2, …: labels must be those of all examples, in order; sort it by id"
    );
    let column = match header.column(KEY) {
        Some(Column::U32(_)) if of == Of::Ids => KEY,
        Some(Column::Text(_)) if of == Of::Ids => bail!(
            "its examples have ids of their own that are no whole numbers from 0 (the column \
             {KEY}); a list for a data set of datadiet has the numbers of its examples"
        ),
        _ => of.column(),
    };
    let known = &header.metadata;
    ensure!(
        of == Of::Labels || !known.contains_key("datadiet") || known.contains_key(CHOICE),
        "it is a table of scores of all examples, not a subset; choose one with `datadiet select`"
    );
    let table = file.read(&[column])?;
    let values = table.integers(column)?.to_vec();
    Ok(List {
        values,
        fingerprint: table.metadata.get(FINGERPRINT).cloned(),
        limit: table.metadata.get(LIMIT).and_then(|limit| limit.parse().ok()),
    })
}

fn npy(path: &Path) -> Result<Vec<u32>> {
    let file = std::io::BufReader::new(std::fs::File::open(path)?);
    let npy = NpyFile::new(file)?;
    if npy.shape().len() != 1 {
        bail!("it has {} dimensions; a list has one", npy.shape().len());
    }
    macro_rules! or_of {
        ($npy:ident, $($kind:ty),*) => {$(
            let $npy = match $npy.try_data::<$kind>() {
                Ok(values) => return checked(values.map(|value| Ok(i128::from(value?)))),
                Err(npy) => npy,
            };
        )*};
    }
    or_of!(npy, i64, u64, i32, u32, i16, u16, i8, u8);
    bail!("it holds {}; a list holds integers", npy.dtype().descr())
}

fn checked(values: impl Iterator<Item = Result<i128>>) -> Result<Vec<u32>> {
    let check = |(index, value): (usize, Result<i128>)| {
        let value = value?;
        u32::try_from(value)
            .with_context(|| format!("entry {index} is {value}: not in 0 to 2³² − 1"))
    };
    values.enumerate().map(check).collect()
}

fn json(path: &Path, of: Of) -> Result<List> {
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let fingerprint = value[FINGERPRINT].as_str().map(str::to_owned);
    let of_keys = of == Of::Ids && value[KEYS].is_array();
    let name = if of_keys { KEYS } else { of.key() };
    let values = if value.is_array() { &value } else { &value[name] };
    let Some(values) = values.as_array() else {
        bail!("it is neither an array nor an object with `{}`", of.key());
    };
    let number = |value: &serde_json::Value| {
        value.as_i64().map(i128::from).with_context(|| format!("{value} is no whole number"))
    };
    let limit = value[LIMIT].as_u64().and_then(|limit| limit.try_into().ok());
    Ok(List { values: checked(values.iter().map(number))?, fingerprint, limit })
}

fn text(path: &Path) -> Result<Vec<u32>> {
    let text = std::fs::read_to_string(path)?;
    let lines = text.lines().map(str::trim).enumerate();
    let mut lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).peekable();
    // A name is a header; −1 and 1_000 are mistakes.
    let is_name = |line: &str| line.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
    lines.next_if(|(_, line)| is_name(line));
    let number = |(number, line): (usize, &str)| {
        let number = number + 1;
        line.parse().with_context(|| {
            format!("line {number} is {line:?}: no whole number from 0 to 2³² − 1")
        })
    };
    lines.map(number).collect()
}

/// Reads a matrix of probabilities from a JSON file: an array of rows.
///
/// # Errors
/// When the file is missing, or holds something else.
pub fn read_matrix(path: &Path) -> Result<Vec<Vec<f64>>> {
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is no JSON array of rows of probabilities", path.display()))
}

/// Ids as they must be: ascending, each once, below `examples`.
///
/// # Errors
/// Naming the ids that are at fault.
pub fn check_ids(ids: &[u32], examples: usize) -> Result<Vec<u32>> {
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    let repeated = sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]);
    let mut twice: Vec<u32> = repeated.collect();
    twice.dedup();
    if let Some(first) = twice.first() {
        bail!(
            "{} of the ids are there more than once, the first is {first}; keep one of each",
            twice.len()
        );
    }
    match sorted.last() {
        None => bail!("there are no ids in it: nothing to train on"),
        Some(&last) if last as usize >= examples => bail!(
            "there is an example {last}, but the data set has {examples} (0 to {}); the ids belong \
             to another data set",
            examples - 1
        ),
        _ => Ok(sorted),
    }
}
