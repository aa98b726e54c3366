//! Text on pictures, in a font that is part of the program.

use image::{Rgb, RgbImage};
use noto_sans_mono_bitmap::{
    FontWeight, RasterHeight, RasterizedChar, get_raster, get_raster_width,
};

const SIZE: RasterHeight = RasterHeight::Size16;

/// Height of a line in pixels.
pub const LINE: u32 = 16;

/// Width of `text` in pixels.
pub fn width(text: &str) -> u32 {
    (text.chars().count() * get_raster_width(FontWeight::Regular, SIZE)) as u32
}

/// Draws `text` with its upper left corner at (`x`, `y`), blended over the picture; what lies
/// outside is cut off. Characters that the font lacks appear as `?`.
pub fn draw(picture: &mut RgbImage, x: u32, y: u32, text: &str, bold: bool, colour: Rgb<u8>) {
    let weight = if bold { FontWeight::Bold } else { FontWeight::Regular };
    let mut left = x;
    for character in text.chars() {
        let known = get_raster(character, weight, SIZE).or_else(|| get_raster('?', weight, SIZE));
        if let Some(glyph) = known {
            blend(picture, left, y, &glyph, colour);
            left += glyph.width() as u32;
        }
    }
}

fn blend(picture: &mut RgbImage, x: u32, y: u32, glyph: &RasterizedChar, colour: Rgb<u8>) {
    for (down, row) in (0..).zip(glyph.rows()) {
        for (right, &ink) in (0..).zip(row.iter()) {
            if let Some(pixel) = picture.get_pixel_mut_checked(x + right, y + down) {
                for (under, over) in pixel.0.iter_mut().zip(colour.0) {
                    let mixed = u32::from(*under) * (255 - u32::from(ink))
                        + u32::from(over) * u32::from(ink);
                    *under = (mixed / 255) as u8;
                }
            }
        }
    }
}
