//! The picture of the suspects, by the class they are labelled as.

use std::path::Path;

use anyhow::Result;
use datadiet_lab::{Ranking, Suspect};
use datadiet_report::{Gallery, GalleryRow, Tile};
use datadiet_table::write_atomically;

use crate::home::HomeArgs;
use crate::pictures::Images;
use crate::scores_file::Scores;

/// Draws the suspects.
pub fn write(
    path: &Path,
    home: &HomeArgs,
    scores: &Scores,
    data: Option<&str>,
    ranking: &Ranking,
    suspects: &[Suspect],
) -> Result<()> {
    let images = Images::of(home, scores, data)?;
    let dataset = &images.dataset;
    let rows = (0..).zip(dataset.classes()).map(|(class, name)| GalleryRow {
        name: format!("labelled {name}"),
        easiest: Vec::new(),
        hardest: suspects
            .iter()
            .filter(|suspect| suspect.label == class)
            .filter_map(|suspect| {
                let caption = suspect.predicted.clone().unwrap_or_else(|| suspect.name());
                Some(Tile { pixels: images.image(suspect.id)?, caption })
            })
            .collect(),
    });
    let gallery = Gallery {
        title: format!("{}: suspects by {}, predicted class below", dataset.name(), ranking.name),
        shape: [dataset.height(), dataset.width(), dataset.channels()],
        rows: rows.filter(|row| !row.hardest.is_empty()).collect(),
    };
    let mut png = std::io::Cursor::new(Vec::new());
    gallery.draw().write_to(&mut png, image::ImageFormat::Png)?;
    Ok(write_atomically(path, |file| std::io::Write::write_all(file, png.get_ref()))?)
}
