//! Pictures of examples, as PNG files: both ends of each class, and suspects.

use std::path::Path;

use datadiet_report::{Gallery, GalleryRow, Tile};
use datadiet_table::{MOST_SHOWN_CLASSES, Ranking, Row, ScoreTable, Suspect};

use crate::write::save;
use crate::{PageError, Pictures};

/// Draws the `count` easiest and hardest examples of each class by a column, their scores below.
///
/// # Errors
/// When the column cannot be ordered, or the file cannot be written.
pub fn extremes_picture(
    path: &Path,
    name: &str,
    table: &ScoreTable,
    ranking: &Ranking<'_>,
    classes: &[String],
    pictures: &dyn Pictures,
    count: usize,
) -> Result<(), PageError> {
    let shown = classes.len().min(MOST_SHOWN_CLASSES);
    let tile = |&row: &Row| {
        let (pixels, _) = pictures.pixels(row)?;
        Some(Tile { pixels, caption: format!("{:.2}", ranking.values[row.index()]) })
    };
    let ends = table.extremes(ranking, shown, count)?;
    let rows = ends.iter().map(|ends| GalleryRow {
        name: classes[ends.class as usize].clone(),
        easiest: ends.easiest.iter().filter_map(tile).collect(),
        hardest: ends.hardest.iter().filter_map(tile).collect(),
    });
    draw(path, format!("{name} by {}", ranking.name), rows.collect(), pictures)
}

/// Draws suspects by the class they are labelled as, the predicted class below.
///
/// # Errors
/// When the file cannot be written.
pub fn suspects_picture(
    path: &Path,
    name: &str,
    ranking: &Ranking<'_>,
    suspects: &[Suspect],
    classes: &[String],
    pictures: &dyn Pictures,
) -> Result<(), PageError> {
    let tile = |suspect: &Suspect| {
        let (pixels, _) = pictures.pixels(suspect.row)?;
        let caption = suspect.predicted.clone().unwrap_or_else(|| suspect.name());
        Some(Tile { pixels, caption })
    };
    let rows = (0..).zip(classes).map(|(class, name)| GalleryRow {
        name: format!("labelled {name}"),
        easiest: Vec::new(),
        hardest: suspects.iter().filter(|s| s.label == class).filter_map(tile).collect(),
    });
    let rows = rows.filter(|row| !row.hardest.is_empty()).collect();
    let title = format!("{name}: suspects by {}, predicted class below", ranking.name);
    draw(path, title, rows, pictures)
}

fn draw(
    path: &Path,
    title: String,
    rows: Vec<GalleryRow<'_>>,
    pictures: &dyn Pictures,
) -> Result<(), PageError> {
    let shape = pictures.pixels(Row(0)).map_or([1, 1, 1], |(_, shape)| shape);
    let gallery = Gallery { title, shape, rows };
    let mut png = std::io::Cursor::new(Vec::new());
    gallery.draw().write_to(&mut png, image::ImageFormat::Png)?;
    save(path, png.get_ref())
}
