//! Results go to standard output, as text or as one JSON object; everything else to standard error.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use datadiet_core::sha256;
use datadiet_table::{ColumnSummary, hard_end};
use serde::Serialize;

/// How a command answers.
#[derive(Args, Clone, Copy)]
pub struct OutputArgs {
    /// Answer with one JSON object on standard output.
    #[arg(long)]
    pub json: bool,
}

impl OutputArgs {
    /// Prints `value` as JSON, or what `text` makes.
    pub fn answer(self, value: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        let text = if self.json { serde_json::to_string_pretty(value)? } else { text() };
        write_out(format!("{}\n", text.trim_end()).as_bytes())
    }
}

/// Writes to standard output. `datadiet … | head` closes the pipe early; that is not an error.
pub fn write_out(bytes: &[u8]) -> Result<()> {
    match std::io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Name, hard end, mean, smallest and largest value, and reliability of a column.
pub fn column_row(column: &ColumnSummary) -> Vec<String> {
    let number = |value: f64| format!("{value:.3}");
    vec![
        column.name.clone(),
        hard_end(column.direction).into(),
        number(column.mean),
        number(column.min.into()),
        number(column.max.into()),
        column.reliability.as_ref().map_or("–".into(), |r| number(r.full)),
    ]
}

/// Finds out before training, not after, whether results can be written.
pub fn check_writable(out: &Path) -> Result<()> {
    let tried = std::fs::create_dir_all(out).and_then(|()| tempfile::tempfile_in(out).map(drop));
    tried.with_context(|| {
        format!("cannot write to {}; choose another folder with --out DIR", out.display())
    })
}

/// `FOLDER/NAME-ID`, the id a digest of what was asked for: the same question finds its answer.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn named_folder(folder: &str, name: &str, asked: &impl Serialize) -> Result<PathBuf> {
    let text = serde_json::to_string(asked)?;
    let id = &sha256(text.as_bytes())[..8];
    Ok(Path::new(folder).join(format!("{name}-{id}")))
}
