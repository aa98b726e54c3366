//! A list of picture files for Ultralytics: `train: kept.txt` in `data.yaml`.
//!
//! It is a path a line, from the root, so that labels are found where they are. A list has no room for scores: the
//! card beside it says how it was chosen.

use std::io::{BufWriter, Write};
use std::path::Path;

use datadiet_explore::Contents;

use super::{Written, pictures};
use crate::{ExchangeError, Outgoing};

/// Writes the paths, in the order of the table.
///
/// # Errors
/// When pictures are not files, a path cannot be a line, or the list cannot be written.
pub fn write(out: &Outgoing<'_>, contents: &Contents, to: &Path) -> Result<Written, ExchangeError> {
    if to.extension().is_none_or(|ending| ending != "txt") {
        return ExchangeError::refused(format!(
            "{} must end in .txt: Ultralytics takes a path of another name for a folder",
            to.display()
        ));
    }
    if matches!(contents, Contents::Dataset(..)) {
        return ExchangeError::refused(
            "a list for YOLO names picture files: give --images DIR, the folder that the network is trained on",
        );
    }
    let (placed, note) = pictures::placed(out, contents, out.rows(), "a list for YOLO")?;
    let mut lines = Vec::with_capacity(placed.len());
    for one in &placed {
        let Some((file, _)) = contents.file(one.row) else { continue };
        let line = pictures::absolute(file)?.display().to_string();
        if line.contains(['\n', '\r']) || line.trim() != line {
            return ExchangeError::refused(format!(
                "{line:?} cannot be a line of a list: rename the file"
            ));
        }
        lines.push(line);
    }
    super::file(out, to, |file| {
        let mut file = BufWriter::new(file);
        lines.iter().try_for_each(|line| writeln!(file, "{line}"))?;
        file.flush()
    })?;
    let notes = note.into_iter().collect();
    Ok(Written { written: to.to_owned(), examples: lines.len(), notes })
}
