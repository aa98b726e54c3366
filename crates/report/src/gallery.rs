//! The easiest and hardest examples of each class, side by side (the paper's figure of examples).

use image::{Rgb, RgbImage};

use crate::text;

const MARGIN: u32 = 16;
const GAP: u32 = 4;
/// Tiles are enlarged by a whole factor to at least so many pixels.
const TILE: u32 = 64;
const INK: Rgb<u8> = Rgb([32, 32, 32]);
const FAINT: Rgb<u8> = Rgb([110, 110, 110]);

/// One example: its pixels, `height × width × channels`, and a short caption.
#[derive(Clone, Debug)]
pub struct Tile<'a> {
    /// 8-bit pixels, channels innermost; 1 or 3 channels.
    pub pixels: &'a [u8],
    /// Under the picture, such as the score.
    pub caption: String,
}

/// The examples of one class.
#[derive(Clone, Debug)]
pub struct GalleryRow<'a> {
    /// Name of the class.
    pub name: String,
    /// Easiest first.
    pub easiest: Vec<Tile<'a>>,
    /// Hardest first.
    pub hardest: Vec<Tile<'a>>,
}

/// A picture of rows of examples.
#[derive(Clone, Debug)]
pub struct Gallery<'a> {
    /// On top.
    pub title: String,
    /// Height, width and channels of the examples.
    pub shape: [usize; 3],
    /// One row a class.
    pub rows: Vec<GalleryRow<'a>>,
}

impl Gallery<'_> {
    /// Draws the gallery.
    pub fn draw(&self) -> RgbImage {
        let layout = Layout::of(self);
        let mut picture = RgbImage::from_pixel(layout.width, layout.height, Rgb([255, 255, 255]));
        text::draw(&mut picture, MARGIN, MARGIN, &self.title, true, INK);
        let header = MARGIN + text::LINE + 8;
        // With one end alone the title says what it shows.
        if layout.easiest < layout.hardest {
            text::draw(&mut picture, layout.easiest, header, "easiest", false, FAINT);
            text::draw(&mut picture, layout.hardest, header, "hardest", false, FAINT);
        }
        let mut top = header + text::LINE + GAP;
        for row in &self.rows {
            let middle = top + (layout.tile_height - text::LINE) / 2;
            text::draw(&mut picture, MARGIN, middle, &row.name, false, INK);
            self.tiles(&mut picture, &layout, layout.easiest, top, &row.easiest);
            self.tiles(&mut picture, &layout, layout.hardest, top, &row.hardest);
            top += layout.row_height;
        }
        picture
    }

    fn tiles(&self, picture: &mut RgbImage, layout: &Layout, left: u32, top: u32, tiles: &[Tile]) {
        for (index, tile) in (0..).zip(tiles) {
            let x = left + index * (layout.tile_width + GAP);
            self.tile(picture, layout, x, top, tile);
            let indent = layout.tile_width.saturating_sub(text::width(&tile.caption)) / 2;
            let under = top + layout.tile_height;
            text::draw(picture, x + indent, under, &tile.caption, false, FAINT);
        }
    }

    fn tile(&self, picture: &mut RgbImage, layout: &Layout, left: u32, top: u32, tile: &Tile) {
        let [_, width, channels] = self.shape;
        for y in 0..layout.tile_height {
            for x in 0..layout.tile_width {
                let (row, column) = ((y / layout.zoom) as usize, (x / layout.zoom) as usize);
                let at = (row * width + column) * channels;
                let pixel = &tile.pixels[at..at + channels];
                let colour =
                    if channels == 3 { [pixel[0], pixel[1], pixel[2]] } else { [pixel[0]; 3] };
                picture.put_pixel(left + x, top + y, Rgb(colour));
            }
        }
    }
}

/// Where things go, in pixels.
struct Layout {
    zoom: u32,
    tile_width: u32,
    tile_height: u32,
    row_height: u32,
    easiest: u32,
    hardest: u32,
    width: u32,
    height: u32,
}

impl Layout {
    fn of(gallery: &Gallery<'_>) -> Self {
        let [height, width, _] = gallery.shape.map(|side| side as u32);
        let zoom = TILE.div_ceil(height.min(width).max(1));
        let (tile_width, tile_height) = (width * zoom, height * zoom);
        let most = |tiles: fn(&GalleryRow) -> usize| {
            gallery.rows.iter().map(tiles).max().unwrap_or(0) as u32 * (tile_width + GAP)
        };
        let names = gallery.rows.iter().map(|row| text::width(&row.name)).max().unwrap_or(0);
        let easiest = MARGIN + names + MARGIN;
        let hardest = match most(|row| row.easiest.len()) {
            0 => easiest,
            room => easiest + room + MARGIN,
        };
        let right = hardest + most(|row| row.hardest.len());
        let row_height = tile_height + text::LINE + 2 * GAP;
        let above = MARGIN + 2 * text::LINE + 8 + GAP;
        Self {
            zoom,
            tile_width,
            tile_height,
            row_height,
            easiest,
            hardest,
            width: right.max(MARGIN + text::width(&gallery.title)) + MARGIN,
            height: above + row_height * gallery.rows.len() as u32 + MARGIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_is_drawn_where_it_belongs() {
        let red = [255, 0, 0].repeat(4);
        let blue = [0, 0, 255].repeat(4);
        let tile = |pixels| Tile { pixels, caption: "0.5".into() };
        let row = GalleryRow {
            name: "Ünï <b>".into(),
            easiest: vec![tile(red.as_slice()); 2],
            hardest: vec![tile(blue.as_slice())],
        };
        let gallery = Gallery { title: "t".into(), shape: [2, 2, 3], rows: vec![row] };
        let picture = gallery.draw();
        let count = |colour| picture.pixels().filter(|pixel| pixel.0 == colour).count() as u32;
        assert_eq!(count([255, 0, 0]), 2 * TILE * TILE);
        assert_eq!(count([0, 0, 255]), TILE * TILE);
    }
}
