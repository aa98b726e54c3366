//! Labels and ids in files of their own: npy, or text with one a line.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use hashbrown::HashMap;

use crate::arrays::{label, read_keys, read_labels};
use crate::npy::Npy;
use crate::{Batch, IngestError, Keys};

/// The longest line of a text, in bytes.
const LONGEST_LINE: u64 = 1 << 16;

/// What stands beside the files of logits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    labels: Option<(PathBuf, Vec<u32>)>,
    ids: Option<Keys>,
    /// Places of the ids, for files that have their own.
    places: Option<HashMap<String, usize>>,
}

impl Side {
    /// Reads the files there are.
    pub(crate) fn read(labels: Option<&Path>, ids: Option<&Path>) -> Result<Self, IngestError> {
        let labels =
            labels.map(|path| Ok((path.to_owned(), read_side_labels(path)?))).transpose()?;
        let ids = ids.map(read_side_keys).transpose()?;
        Ok(Self { labels, ids, places: None })
    }

    /// Gives the rows of a batch the ids and labels that the file of logits has not.
    ///
    /// Without ids of their own rows are in the order of the side files, in every epoch. With ids,
    /// a label belongs to the id at its place, or to the id that is its row number.
    pub(crate) fn complete(&mut self, path: &Path, batch: &mut Batch) -> Result<(), IngestError> {
        let own_keys = batch.keys.is_some();
        if !own_keys && let Some(ids) = &self.ids {
            batch.keys = Some(part(ids, path, batch)?);
        }
        if batch.labels.is_some() {
            return Ok(());
        }
        if self.labels.is_none() {
            return Err(IngestError::NoLabels { path: path.to_owned() });
        }
        let places = (0..batch.rows).map(|row| match &batch.keys {
            Some(keys) if own_keys => self.place(keys, row),
            _ => usize::try_from(batch.first + row as u64).ok(),
        });
        let places: Vec<Option<usize>> = places.collect();
        let Some((file, labels)) = &self.labels else { return Ok(()) };
        let of = |(row, place): (usize, Option<usize>)| {
            place.and_then(|place| labels.get(place)).copied().ok_or_else(|| IngestError::NoLabelOf {
                labels: file.clone(),
                key: match &batch.keys {
                    Some(keys) => keys.text(row),
                    None => (batch.first + row as u64).to_string(),
                },
                path: path.to_owned(),
                hint: "where the logits have ids, give --ids FILE with the ids of the labels too",
            })
        };
        batch.labels = Some(places.into_iter().enumerate().map(of).collect::<Result<_, _>>()?);
        Ok(())
    }

    /// Where the label of an id is.
    fn place(&mut self, keys: &Keys, row: usize) -> Option<usize> {
        let Some(ids) = &self.ids else {
            return match keys {
                Keys::Integers(keys) => keys[row].try_into().ok(),
                Keys::Texts(keys) => keys[row].parse().ok(),
            };
        };
        let pairs = || (0..ids.len()).map(|place| (ids.text(place), place));
        self.places.get_or_insert_with(|| pairs().collect()).get(&keys.text(row)).copied()
    }
}

/// The ids of the rows of a batch.
fn part(ids: &Keys, path: &Path, batch: &Batch) -> Result<Keys, IngestError> {
    let start = usize::try_from(batch.first).unwrap_or(usize::MAX);
    let here = start..start.saturating_add(batch.rows);
    let found = match ids {
        Keys::Integers(keys) => keys.get(here).map(|keys| Keys::Integers(keys.to_vec())),
        Keys::Texts(keys) => keys.get(here).map(|keys| Keys::Texts(keys.to_vec())),
    };
    found.ok_or_else(|| {
        let (rows, ids) = (batch.first + batch.rows as u64, ids.len());
        IngestError::shape(path, format!("it has {rows} rows or more, but there are {ids} ids"))
    })
}

fn read_side_labels(path: &Path) -> Result<Vec<u32>, IngestError> {
    if is_npy(path) {
        let file = Npy::open(path)?;
        return read_labels(path, &file, 0, rows(&file));
    }
    let lines = lines(path)?.into_iter().enumerate();
    let one = |(line, text): (usize, String)| {
        let row = line as u64 + 1;
        let value = text.parse().map_err(|_| IngestError::Label {
            path: path.to_owned(),
            row,
            value: text.clone(),
        })?;
        label(path, row, value)
    };
    lines.map(one).collect()
}

fn read_side_keys(path: &Path) -> Result<Keys, IngestError> {
    if is_npy(path) {
        let file = Npy::open(path)?;
        return read_keys(path, &file, 0, rows(&file));
    }
    Ok(Keys::Texts(lines(path)?))
}

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"))
}

fn rows(file: &Npy) -> u64 {
    file.array().shape.first().copied().unwrap_or(1)
}

fn lines(path: &Path) -> Result<Vec<String>, IngestError> {
    let io = IngestError::io(path);
    let mut file = BufReader::new(File::open(path).map_err(&io)?);
    let mut all = Vec::new();
    loop {
        let mut line = String::new();
        let mut limited = std::io::Read::take(&mut file, LONGEST_LINE);
        if limited.read_line(&mut line).map_err(&io)? == 0 {
            return Ok(all);
        }
        if line.len() as u64 == LONGEST_LINE {
            let reason = "the line is longer than 64 KiB; write one label or id a line".into();
            let row = all.len() as u64 + 1;
            return Err(IngestError::Row { path: path.to_owned(), row, reason });
        }
        all.push(line.trim().to_owned());
    }
}
