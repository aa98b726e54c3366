//! Writing a page, and its figures beside it.

use std::io::Write;
use std::path::{Path, PathBuf};

use datadiet_report::{Block, Page};
use datadiet_table::write_atomically;

use crate::PageError;

/// Writes a page, and with `figures` each of its figures as SVG and PNG to the folder `figures`
/// beside `report.html`, `NAME-figures` beside `NAME.html`; gives the files of the figures.
///
/// # Errors
/// When nothing is on the page, a figure cannot be drawn, or a file cannot be written.
pub fn write(page: &Page, path: &Path, figures: bool) -> Result<Vec<PathBuf>, PageError> {
    if page.sections.is_empty() {
        return Err(PageError::Empty);
    }
    save(path, page.to_html().as_bytes())?;
    let folder = folder(path);
    let mut files = Vec::new();
    for block in page.sections.iter().flat_map(|section| &section.blocks).filter(|_| figures) {
        let Block::Figure(figure) = block else { continue };
        let svg = folder.join(format!("{}.svg", figure.id));
        save(&svg, figure.to_svg().as_bytes())?;
        let png = folder.join(format!("{}.png", figure.id));
        save(&png, &figure.to_png(2.0)?)?;
        files.extend([svg, png]);
    }
    Ok(files)
}

fn folder(path: &Path) -> PathBuf {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = if name == "report" { "figures".into() } else { format!("{name}-figures") };
    path.with_file_name(folder)
}

pub(crate) fn save(path: &Path, bytes: &[u8]) -> Result<(), PageError> {
    Ok(write_atomically(path, |file| file.write_all(bytes))?)
}
