//! What is written, one file a format.

pub mod coco;
pub mod csv;
mod fields;
pub mod fiftyone;
pub mod label_studio;
mod pictures;
pub mod webdataset;
pub mod yolo;

use std::path::{Path, PathBuf};

use datadiet_table::{
    FileError, make_folder_atomically, write_json, write_new_atomically, write_new_json,
};
use serde::Serialize;

use crate::{ExchangeError, Outgoing};

/// Name of the file that says where the examples come from, in a folder or after the name of a file.
const CARD: &str = "card.json";

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Written {
    /// The file or folder.
    pub written: PathBuf,
    /// Examples in it.
    pub examples: usize,
    /// What a person should know.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// Refuses to write over something.
///
/// # Errors
/// When there is something of that name.
pub fn refuse_existing(to: &Path) -> Result<(), ExchangeError> {
    if to.symlink_metadata().is_ok() {
        return ExchangeError::refused(format!(
            "{} is there already: it may hold what somebody did since; remove it or choose another name",
            to.display()
        ));
    }
    Ok(())
}

/// The card beside a file: `suspects.csv` has `suspects.card.json`.
fn card_beside(file: &Path) -> PathBuf {
    file.with_extension(CARD)
}

/// Writes a file whose card is beside it.
fn file(
    out: &Outgoing<'_>,
    to: &Path,
    write: impl FnOnce(&mut std::fs::File) -> std::io::Result<()>,
) -> Result<(), ExchangeError> {
    let card = card_beside(to);
    refuse_existing(to)?;
    refuse_existing(&card)?;
    write_new_atomically(to, write)?;
    Ok(write_new_json(&card, &out.card())?)
}

/// Writes a folder with the card in it.
fn folder(
    out: &Outgoing<'_>,
    to: &Path,
    fill: impl FnOnce(&Path) -> Result<(), ExchangeError>,
) -> Result<(), ExchangeError> {
    refuse_existing(to)?;
    let is_ours = make_folder_atomically(to, |folder| {
        write_json(&folder.join(CARD), &out.card())?;
        fill(folder)
    })?;
    // Somebody else's, which appeared meanwhile, is not what was asked for.
    if is_ours { Ok(()) } else { refuse_existing(to) }
}

/// A failure to write below a folder that is not there yet under its own name.
fn not_written(path: &Path) -> impl Fn(std::io::Error) -> ExchangeError {
    move |cause| FileError::io("write", path)(cause).into()
}
