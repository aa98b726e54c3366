//! Pictures of examples, as PNG files: both ends of each class, and suspects.

use std::path::Path;

use datadiet_report::{Gallery, GalleryRow, Tile};
use datadiet_table::{Extremes, MOST_SHOWN_CLASSES, Ranking, Row, ScoreTable, Suspect, TableError};

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
    let tile = |&row: &Row| {
        let (pixels, _) = pictures.pixels(row)?;
        Some(Tile { pixels, caption: format!("{:.2}", ranking.values[row.index()]) })
    };
    let ends = both_ends(table, ranking, classes, count)?;
    let rows = ends.iter().map(|ends| GalleryRow {
        name: name_of(ends, classes),
        easiest: ends.easiest.iter().filter_map(tile).collect(),
        hardest: ends.hardest.iter().filter_map(tile).collect(),
    });
    draw(path, format!("{name} by {}", ranking.name), rows.collect(), pictures)
}

/// Both ends of each class that is shown, or of all examples where they have no labels.
pub(crate) fn both_ends(
    table: &ScoreTable,
    ranking: &Ranking<'_>,
    classes: &[String],
    count: usize,
) -> Result<Vec<Extremes>, TableError> {
    if table.has_labels() {
        table.extremes(ranking, classes.len().min(MOST_SHOWN_CLASSES), count)
    } else {
        Ok(vec![table.extremes_of_all(ranking, count)?])
    }
}

/// What both ends are of.
pub(crate) fn name_of(ends: &Extremes, classes: &[String]) -> String {
    ends.class.map_or_else(|| "all".into(), |class| classes[class as usize].clone())
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
    let of = |label: Option<u32>, name: String| GalleryRow {
        name,
        easiest: Vec::new(),
        hardest: suspects.iter().filter(|s| s.label == label).filter_map(tile).collect(),
    };
    let labelled =
        (0..).zip(classes).map(|(class, name)| of(Some(class), format!("labelled {name}")));
    let rows = labelled.chain([of(None, "suspects".into())]);
    let rows = rows.filter(|row| !row.hardest.is_empty()).collect();
    let below = match suspects.iter().any(|suspect| suspect.predicted.is_some()) {
        true => "predicted class below",
        false => "id below",
    };
    let title = format!("{name}: suspects by {}, {below}", ranking.name);
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
