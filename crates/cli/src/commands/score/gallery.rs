//! The picture of the easiest and hardest examples of each class.

use std::path::Path;

use anyhow::Result;
use datadiet_core::{Direction, ExampleId, order};
use datadiet_data::Dataset;
use datadiet_lab::ColumnSummary;
use datadiet_report::{Gallery, GalleryRow, Tile};
use datadiet_table::{Table, write_atomically};

/// Classes shown; more would make a picture that nobody can look at.
const MOST_CLASSES: usize = 40;

/// Draws the `count` easiest and hardest examples of each class by `column`.
pub fn write(
    path: &Path,
    dataset: &Dataset,
    table: &Table,
    column: &ColumnSummary,
    count: usize,
) -> Result<()> {
    let scores = table.floats(&column.name)?;
    let labels = table.integers("label")?;
    let mut rows = Vec::new();
    for (class, name) in (0..).zip(dataset.classes()).take(MOST_CLASSES) {
        let members: Vec<ExampleId> = (0..labels.len() as u32)
            .filter(|&id| labels[id as usize] == class && !scores[id as usize].is_nan())
            .map(ExampleId)
            .collect();
        let values: Vec<f32> = members.iter().map(|id| scores[id.index()]).collect();
        let mut ranked = order(&values, &members)?;
        if column.direction == Direction::LowerIsHarder {
            ranked.reverse();
        }
        let tile = |&position: &u32| Tile {
            pixels: dataset.train().image(members[position as usize].index()),
            caption: format!("{:.2}", values[position as usize]),
        };
        // A class with few examples is split in the middle: no example is both easy and hard.
        let count = count.min(ranked.len().div_ceil(2));
        let hardest = ranked.len() - count.min(ranked.len() / 2);
        rows.push(GalleryRow {
            name: name.clone(),
            easiest: ranked[..count].iter().map(tile).collect(),
            hardest: ranked[hardest..].iter().rev().map(tile).collect(),
        });
    }
    let gallery = Gallery {
        title: format!("{} by {}", dataset.name(), column.name),
        shape: [dataset.height(), dataset.width(), dataset.channels()],
        rows,
    };
    let mut png = std::io::Cursor::new(Vec::new());
    gallery.draw().write_to(&mut png, image::ImageFormat::Png)?;
    Ok(write_atomically(path, |file| std::io::Write::write_all(file, png.get_ref()))?)
}
