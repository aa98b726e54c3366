//! Pictures beside what is written: linked or copied where they are files, else written as PNG.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use datadiet_explore::Contents;
use datadiet_table::Row;

use super::not_written;
use crate::error::some_of;
use crate::{ExchangeError, Outgoing};

/// A row that has a picture, and where that is, below a folder, with `/` between names.
pub struct Placed {
    pub row: Row,
    pub place: String,
}

/// The rows that have pictures, each with a place of its own, and a note on those that have none. `program` shows
/// pictures alone.
///
/// # Errors
/// When there are no pictures, or two rows have the same.
pub fn placed(
    out: &Outgoing<'_>,
    contents: &Contents,
    rows: Vec<Row>,
    program: &str,
) -> Result<(Vec<Placed>, Option<String>), ExchangeError> {
    let mut found = Vec::with_capacity(rows.len());
    let (mut taken, mut without) = (HashMap::new(), Vec::new());
    for row in rows {
        let place = match contents {
            Contents::Dataset(_, examples) => format!("{:06}.png", examples.of(row).index()),
            Contents::Files(_) => match contents.file(row) {
                Some((_, below)) => slashes(below)?,
                None => {
                    without.push(out.ids().text(row));
                    continue;
                }
            },
            Contents::None | Contents::Texts(_) | Contents::Tokens(_) => {
                return ExchangeError::refused(format!(
                    "{program} wants pictures: give --images DIR with files that are named by the ids of the table, \
                     or --data NAME of an imported data set; --to csv needs none"
                ));
            }
        };
        if let Some(other) = taken.insert(place.clone(), row) {
            let ids = out.ids();
            return ExchangeError::refused(format!(
                "the picture {place} is that of {:?} and of {:?}: record each file under one id",
                ids.text(other),
                ids.text(row)
            ));
        }
        found.push(Placed { row, place });
    }
    if found.is_empty() {
        return ExchangeError::refused(format!(
            "none of the {} examples has a picture ({})",
            without.len(),
            some_of(&without)
        ));
    }
    let note = (!without.is_empty()).then(|| {
        format!(
            "{} examples have no picture and are left out: {}",
            without.len(),
            some_of(&without)
        )
    });
    Ok((found, note))
}

/// Puts the picture of a row below a folder.
///
/// # Errors
/// When it cannot be read or written.
pub fn put(contents: &Contents, placed: &Placed, folder: &Path) -> Result<(), ExchangeError> {
    let to = folder.join(&placed.place);
    std::fs::create_dir_all(to.parent().unwrap_or(folder)).map_err(not_written(&to))?;
    match contents.file(placed.row) {
        Some((file, _)) => {
            // The picture itself, not a symbolic link that would lead nowhere from here.
            let file = std::fs::canonicalize(file).map_err(not_written(file))?;
            let linked = std::fs::hard_link(&file, &to);
            linked.or_else(|_| std::fs::copy(&file, &to).map(drop)).map_err(not_written(&to))
        }
        None => {
            let (_, bytes) = contents.picture(placed.row, true)?.unwrap_or_default();
            std::fs::write(&to, bytes).map_err(not_written(&to))
        }
    }
}

/// A path below a folder, with `/` on every system.
fn slashes(path: &Path) -> Result<String, ExchangeError> {
    let names = path.components().map(|part| match part {
        Component::Normal(name) => name.to_str().map(str::to_owned),
        _ => None,
    });
    match names.collect::<Option<Vec<String>>>() {
        Some(names) => Ok(names.join("/")),
        None => ExchangeError::refused(format!("{} is no path of plain text", path.display())),
    }
}

/// Where a picture file is, from the root.
///
/// # Errors
/// When it is not there any more.
pub fn absolute(file: &Path) -> Result<PathBuf, ExchangeError> {
    std::path::absolute(file).map_err(not_written(file))
}
