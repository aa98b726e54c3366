//! Labels and ids in files of their own: npy, text with one a line, or a table with columns of these
//! names (CSV, JSON, Parquet).

use std::path::Path;

use datadiet_arrays::ArrayFile;
use datadiet_table::{ListFile, ListedIds};
use hashbrown::HashMap;

use crate::arrays::{read_keys, read_labels};
use crate::fields::some;
use crate::open::open_arrays;
use crate::source::SideFile;
use crate::{Batch, ClassNames, IngestError, Keys, Names, cells, text};

/// The longest line of a text, in bytes.
const LONGEST_LINE: u64 = 1 << 16;

/// What stands beside a file of logits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Side {
    labels: Option<(SideFile, Vec<u32>)>,
    ids: Option<(SideFile, Keys)>,
    /// Places of the ids, for files that have their own.
    places: Option<HashMap<String, usize>>,
    /// Whether labels went to the ids that are their numbers, where rows are in another order.
    by_id: bool,
}

impl Side {
    /// Reads the files there are, but for those that were read before.
    pub(crate) fn read(
        &mut self,
        labels: Option<&SideFile>,
        ids: Option<&SideFile>,
        classes: &ClassNames,
    ) -> Result<(), IngestError> {
        if self.labels.as_ref().map(|(file, _)| file) != labels {
            let read = |file: &SideFile| {
                Ok::<_, IngestError>((file.clone(), read_side_labels(&file.path, classes)?))
            };
            self.labels = labels.map(read).transpose()?;
        }
        if self.ids.as_ref().map(|(file, _)| file) != ids {
            let read =
                |file: &SideFile| Ok::<_, IngestError>((file.clone(), read_side_keys(&file.path)?));
            self.ids = ids.map(read).transpose()?;
            self.places = None;
        }
        Ok(())
    }

    /// Gives the rows of a batch the ids and labels that the file of logits has not; `before` rows
    /// of the same epoch are in the parts before this file.
    ///
    /// Without ids of their own rows are in the order of the side files, in every epoch. With ids,
    /// a label belongs to the id at its place, or to the id that is its row number; labels of one
    /// epoch alone are in the order of its rows. Losses need no labels.
    pub(crate) fn complete(
        &mut self,
        path: &Path,
        batch: &mut Batch,
        before: u64,
        losses: bool,
    ) -> Result<(), IngestError> {
        let first = |file: &SideFile| batch.first + if file.of_part { 0 } else { before };
        let own_keys = batch.keys.is_some();
        if !own_keys && let Some((file, ids)) = &self.ids {
            let start = usize::try_from(first(file)).unwrap_or(usize::MAX);
            let keys = some(ids, start..start.saturating_add(batch.rows)).ok_or_else(|| {
                let rows = first(file) + batch.rows as u64;
                IngestError::Beside {
                    file: file.path.clone(),
                    items: ids.len(),
                    what: "ids",
                    path: path.to_owned(),
                    rows,
                    or_more: true,
                }
            })?;
            batch.keys = Some(keys);
        }
        let given = self.labels.as_ref().is_some_and(|(file, _)| file.given);
        if batch.labels.is_some() && !given {
            return Ok(());
        }
        let Some((file, _)) = &self.labels else {
            if losses {
                return Ok(());
            }
            return Err(IngestError::NoLabels { path: path.to_owned() });
        };
        let first = first(file);
        let by_row = |row: usize| usize::try_from(first + row as u64).ok();
        let by_id = own_keys && (self.ids.is_some() || !file.of_epoch);
        let places = (0..batch.rows).map(|row| match &batch.keys {
            Some(keys) if by_id => self.place(keys, row),
            _ => by_row(row),
        });
        let places: Vec<Option<usize>> = places.collect();
        self.by_id |=
            self.ids.is_none() && places.iter().zip(0..).any(|(&at, row)| at != by_row(row));
        let Some((file, labels)) = &self.labels else { return Ok(()) };
        let of = |(row, place): (usize, Option<usize>)| {
            place.and_then(|place| labels.get(place)).copied().ok_or_else(|| IngestError::NoLabelOf {
                labels: file.path.clone(),
                key: match &batch.keys {
                    Some(keys) => keys.text(row),
                    None => (first + row as u64).to_string(),
                },
                path: path.to_owned(),
                hint: "where the logits have ids, give --ids FILE with the ids of the labels too",
            })
        };
        batch.labels = Some(places.into_iter().enumerate().map(of).collect::<Result<_, _>>()?);
        Ok(())
    }

    /// What a person should know.
    pub(crate) fn note(&self) -> Option<String> {
        let (file, _) = self.labels.as_ref().filter(|_| self.by_id)?;
        Some(format!(
            "{}: label number i is taken for the example with the id i, not for row i; where labels are \
             in the order of rows, give the ids of the rows with --ids",
            file.path.display()
        ))
    }

    /// Checks that there are no more labels and ids than rows: which rows they are of is not known
    /// then. `rows` counts the file's, `before` the rows of the parts before it; `last`: no part
    /// follows.
    pub(crate) fn check_all_used(
        &self,
        path: &Path,
        rows: u64,
        before: u64,
        last: bool,
    ) -> Result<(), IngestError> {
        let labels = self.labels.as_ref().map(|(file, labels)| (file, labels.len(), "labels"));
        let ids = self.ids.as_ref().map(|(file, ids)| (file, ids.len(), "ids"));
        for (file, items, what) in [labels, ids].into_iter().flatten() {
            let rows = if file.of_part { rows } else { before + rows };
            if (last || file.of_part) && (items as u64) > rows {
                let (file, path) = (file.path.clone(), path.to_owned());
                return Err(IngestError::Beside { file, items, what, path, rows, or_more: false });
            }
        }
        Ok(())
    }

    /// Where the label of an id is.
    fn place(&mut self, keys: &Keys, row: usize) -> Option<usize> {
        let Some((_, ids)) = &self.ids else {
            return match keys {
                Keys::Integers(keys) => keys[row].try_into().ok(),
                Keys::Texts(keys) => keys[row].parse().ok(),
            };
        };
        let pairs = || (0..ids.len()).map(|place| (ids.text(place), place));
        self.places.get_or_insert_with(|| pairs().collect()).get(&keys.text(row)).copied()
    }
}

fn read_side_labels(path: &Path, classes: &ClassNames) -> Result<Vec<u32>, IngestError> {
    if is_npy(path) {
        let file = open_arrays(path, &Names::default())?;
        return read_labels(path, &*file, 0, rows(&*file), classes);
    }
    if is_table(path) {
        let labels = ListFile::read(path, "labels")?.label_texts()?;
        let labels = labels.iter().zip(1..);
        return labels.map(|(text, row)| classes.label(path, row, cells::untyped(text))).collect();
    }
    let lines = text::lines(path, LONGEST_LINE)?;
    let labels = lines.iter().zip(1..);
    labels.map(|(text, row)| classes.label(path, row, cells::untyped(text))).collect()
}

fn read_side_keys(path: &Path) -> Result<Keys, IngestError> {
    if is_npy(path) {
        let file = open_arrays(path, &Names::default())?;
        return read_keys(path, &*file, 0, rows(&*file));
    }
    if is_table(path) {
        return Ok(match ListFile::read(path, "ids")?.ids()? {
            ListedIds::Numbers(ids) => Keys::Integers(ids.into_iter().map(i64::from).collect()),
            ListedIds::Texts(ids) => Keys::Texts(ids),
        });
    }
    Ok(Keys::Texts(text::lines(path, LONGEST_LINE)?))
}

fn is_table(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase);
    ending.is_some_and(|ending| ["csv", "json", "parquet"].contains(&ending.as_str()))
}

fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy"))
}

fn rows(file: &dyn ArrayFile) -> u64 {
    file.arrays()[0].shape.first().copied().unwrap_or(1)
}
